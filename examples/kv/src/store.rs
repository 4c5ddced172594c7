//! Where keys live: the trait that a table implements, and nothing of Redis.
//!
//! A store keeps strings and lists under keys, each with an optional deadline. It never reads a clock and never
//! expires anything by itself; it only knows which deadline is the next. What commands mean is written above it, in
//! [`Keyspace`](crate::Keyspace). A write that does not fit changes nothing.

use crate::memory::Full;
use corio::Instant;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The head: index 0.
    Left,
    /// The tail.
    Right,
}

/// What is under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string of bytes.
    Text(&'a [u8]),
    /// A list with so many items, never none.
    List(usize),
}

/// A key's value and deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The value.
    pub value: Value<'a>,
    /// When it will be gone.
    pub expires: Option<Instant>,
}

/// A table of keys.
pub trait Store {
    /// What is under `key`.
    fn entry(&self, key: &[u8]) -> Option<Entry<'_>>;

    /// Puts a string under `key`, whatever was there.
    ///
    /// # Errors
    /// [`Full`] if it does not fit.
    fn set(&mut self, key: &[u8], value: &[u8], expires: Option<Instant>) -> Result<(), Full>;

    /// Removes `key`; says whether it was there.
    fn remove(&mut self, key: &[u8]) -> bool;

    /// Gives `key`, if it is there, another deadline or none.
    fn expire_at(&mut self, key: &[u8], expires: Option<Instant>);

    /// Adds `items`, one after the other, to an end of the list under `key`, which is made if nothing is there.
    /// The new length. The caller knows that there is no string.
    ///
    /// # Errors
    /// [`Full`] if they do not fit, all of them.
    fn push<'a>(&mut self, key: &[u8], end: End, items: impl Iterator<Item = &'a [u8]> + Clone) -> Result<usize, Full>;

    /// Puts back an item that had been popped, without regard to limits that are not physical.
    ///
    /// # Errors
    /// [`Full`] if there is no place at all.
    fn put_back(&mut self, key: &[u8], item: &[u8]) -> Result<(), Full>;

    /// Removes an item at an end of the list under `key`, and with its last item the key.
    fn pop(&mut self, key: &[u8], end: End);

    /// The items of the list under `key` from index `first` on, from the left.
    fn items(&self, key: &[u8], first: usize) -> impl Iterator<Item = &[u8]>;

    /// The items of the list under `key` from the right.
    fn items_back(&self, key: &[u8]) -> impl Iterator<Item = &[u8]>;

    /// How many keys there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them have a deadline.
    fn expiring(&self) -> usize;

    /// Bytes in use, with an estimate of the overhead.
    fn used(&self) -> usize;

    /// Removes everything.
    fn clear(&mut self);

    /// The next deadline.
    fn next_deadline(&self) -> Option<Instant>;

    /// Removes the key with the earliest deadline, if it is not after `now`; says whether there was one.
    fn expire_one(&mut self, now: Instant) -> bool;
}
