//! What commands do to keys, as plain functions of the time.
//!
//! No method reads a clock: `now` is an argument, so an hour's expiry is tested in no time. A key is gone at its
//! deadline, not after it, whether or not anybody has removed it yet: every access looks first whether the key is due,
//! and the expiry task (see [`Server::expire`](crate::Server::expire)) removes the rest when their time comes.

use crate::memory::Full;
use crate::number::integer;
use crate::store::{End, Entry, Store, Value};
use corio::{Duration, Instant};

/// Why a command was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The key holds the other kind of value.
    WrongType,
    /// The value, or an argument, is not an integer.
    NotAnInteger,
    /// The sum does not fit 64 bits.
    Overflow,
    /// No memory is left.
    Full,
}

impl From<Full> for Refused {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// On what a SET depends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unless {
    /// Nothing.
    #[default]
    Never,
    /// NX: not if the key is there.
    Present,
    /// XX: not if it is not.
    Absent,
}

/// On what an EXPIRE depends. All that are set must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// NX: only if there is no deadline.
    pub unset: bool,
    /// XX: only if there is one.
    pub set: bool,
    /// GT: only if the new one is later; none counts as the latest.
    pub later: bool,
    /// LT: only if the new one is earlier.
    pub earlier: bool,
}

/// How long a key will stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// There is no such key.
    Absent,
    /// For ever.
    Forever,
    /// So many milliseconds, rounded up.
    Millis(u64),
}

/// The keys of a server and how commands treat them.
#[derive(Debug, Default)]
pub struct Keyspace<S> {
    store: S,
    expired: u64,
}

impl<S: Store> Keyspace<S> {
    /// The commands over `store`.
    pub const fn new(store: S) -> Self {
        Self { store, expired: 0 }
    }

    /// The table below.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// How many keys have met their deadline so far.
    pub fn expired(&self) -> u64 {
        self.expired
    }

    /// Removes keys that are due, `most` at most. Whether all are gone.
    pub fn expire(&mut self, now: Instant, most: usize) -> bool {
        for _ in 0..most {
            if !self.store.expire_one(now) {
                return true;
            }
            self.expired += 1;
        }
        false
    }

    /// What is under `key` at `now`.
    pub fn entry(&mut self, key: &[u8], now: Instant) -> Option<Entry<'_>> {
        let some_due = self.store.next_deadline().is_some_and(|deadline| deadline <= now);
        if some_due && self.store.entry(key).and_then(|entry| entry.expires).is_some_and(|expires| expires <= now) {
            self.store.remove(key);
            self.expired += 1;
        }
        self.store.entry(key)
    }

    /// GET.
    ///
    /// # Errors
    /// `WrongType`.
    pub fn text(&mut self, key: &[u8], now: Instant) -> Result<Option<&[u8]>, Refused> {
        match self.entry(key, now).map(|entry| entry.value) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::List(_)) => Err(Refused::WrongType),
        }
    }

    /// SET: whether it was done.
    ///
    /// # Errors
    /// `Full`.
    pub fn set(
        &mut self,
        key: &[u8],
        value: &[u8],
        expires: Option<Instant>,
        unless: Unless,
        now: Instant,
    ) -> Result<bool, Refused> {
        let forbidden = match unless {
            Unless::Never => false,
            Unless::Present => self.entry(key, now).is_some(),
            Unless::Absent => self.entry(key, now).is_none(),
        };
        if !forbidden {
            self.reclaim(now, |store| store.set(key, value, expires))?;
        }
        Ok(!forbidden)
    }

    /// DEL of one key.
    pub fn remove(&mut self, key: &[u8], now: Instant) -> bool {
        self.entry(key, now).is_some() && self.store.remove(key)
    }

    /// INCR: the new value. A deadline stays.
    ///
    /// # Errors
    /// `WrongType`, `NotAnInteger`, `Overflow`, `Full`.
    pub fn increment(&mut self, key: &[u8], now: Instant) -> Result<i64, Refused> {
        let (value, expires) = match self.entry(key, now) {
            None => (0, None),
            Some(Entry { value: Value::List(_), .. }) => return Err(Refused::WrongType),
            Some(Entry { value: Value::Text(text), expires }) => (integer(text).ok_or(Refused::NotAnInteger)?, expires),
        };
        let value = value.checked_add(1).ok_or(Refused::Overflow)?;
        let mut text = itoa::Buffer::new();
        let text = text.format(value).as_bytes();
        self.reclaim(now, |store| store.set(key, text, expires))?;
        Ok(value)
    }

    /// EXPIRE: whether it was done. A deadline that is not after `now` removes the key. Deadlines are compared by the
    /// millisecond, so that the same timeout given twice in a row is neither later nor earlier.
    pub fn expire_at(&mut self, key: &[u8], deadline: Instant, only: Only, now: Instant) -> bool {
        let Some(entry) = self.entry(key, now) else { return false };
        let current = entry.expires;
        let forbidden = (only.unset && current.is_some())
            || (only.set && current.is_none())
            || (only.later && current.is_none_or(|current| deadline.as_millis() <= current.as_millis()))
            || (only.earlier && current.is_some_and(|current| deadline.as_millis() >= current.as_millis()));
        if forbidden {
            return false;
        }
        if deadline <= now {
            self.store.remove(key);
        } else {
            self.store.expire_at(key, Some(deadline));
        }
        true
    }

    /// PERSIST: whether there was a deadline to remove.
    pub fn persist(&mut self, key: &[u8], now: Instant) -> bool {
        let found = self.entry(key, now).is_some_and(|entry| entry.expires.is_some());
        if found {
            self.store.expire_at(key, None);
        }
        found
    }

    /// PTTL.
    pub fn left(&mut self, key: &[u8], now: Instant) -> Left {
        match self.entry(key, now).map(|entry| entry.expires) {
            None => Left::Absent,
            Some(None) => Left::Forever,
            Some(Some(expires)) => Left::Millis(millis_up(expires - now)),
        }
    }

    /// LLEN: the length of the list under `key`, 0 if there is none.
    ///
    /// # Errors
    /// `WrongType`.
    pub fn list(&mut self, key: &[u8], now: Instant) -> Result<usize, Refused> {
        match self.entry(key, now).map(|entry| entry.value) {
            None => Ok(0),
            Some(Value::List(len)) => Ok(len),
            Some(Value::Text(_)) => Err(Refused::WrongType),
        }
    }

    /// LPUSH, RPUSH: the new length.
    ///
    /// # Errors
    /// `WrongType`, `Full`.
    pub fn push<'a>(
        &mut self,
        key: &[u8],
        end: End,
        items: impl Iterator<Item = &'a [u8]> + Clone,
        now: Instant,
    ) -> Result<usize, Refused> {
        self.list(key, now)?;
        self.reclaim(now, |store| store.push(key, end, items.clone()))
    }

    /// Puts an item that nobody got back at the left end of its list.
    ///
    /// # Errors
    /// `WrongType` if a string has taken the key meanwhile, `Full` if there is no place.
    pub fn put_back(&mut self, key: &[u8], item: &[u8], now: Instant) -> Result<(), Refused> {
        self.list(key, now)?;
        Ok(self.store.put_back(key, item)?)
    }

    /// Removes `count` items from an end of the list under `key`; the caller has read them.
    pub fn pop(&mut self, key: &[u8], end: End, count: usize) {
        for _ in 0..count {
            self.store.pop(key, end);
        }
    }

    /// FLUSHALL.
    pub fn clear(&mut self) {
        self.store.clear();
    }

    /// Tries a write; if it does not fit, once more without the keys that are due.
    fn reclaim<T>(&mut self, now: Instant, mut write: impl FnMut(&mut S) -> Result<T, Full>) -> Result<T, Refused> {
        match write(&mut self.store) {
            Ok(done) => Ok(done),
            Err(Full) if self.store.next_deadline().is_some_and(|deadline| deadline <= now) => {
                self.expire(now, usize::MAX);
                Ok(write(&mut self.store)?)
            }
            Err(Full) => Err(Refused::Full),
        }
    }
}

/// Milliseconds, a fraction counted as one.
fn millis_up(of: Duration) -> u64 {
    let whole = of.as_secs().saturating_mul(1000) + u64::from(of.subsec_millis());
    whole + u64::from(!of.subsec_nanos().is_multiple_of(1_000_000))
}
