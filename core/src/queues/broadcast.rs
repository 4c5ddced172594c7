#![allow(unsafe_code)] // projects pinned futures, whose length the macro for it cannot name
//! `Broadcast<T, N>`: each message for every receiver.
//!
//! The last `N` messages that somebody has yet to take are in a ring, numbered from the first that was ever sent. A receiver
//! knows the number of its next; a message knows how many receivers have yet to take it, and leaves with the last of them:
//!
//! ```text
//!               oldest: 7                            next: 11
//!   ring          │ 7: 1 left │ 8: 1 left │ 9: 3 left │ 10: 3 left │
//!   receivers     ▲ slow                  ▲ two more               ▲ one who has come just now
//! ```
//!
//! The copy for one who is not the last is made under the lock, by `T::clone`. A message that is being copied without it could
//! not make room for another, nor could an interrupt handler wait until the copy is made. The last gets the message itself.
//! Messages are dropped when they have been carried out of the lock.
//!
//! Invariants:
//! - `InOrder`: a message is waited for by every receiver that has yet to take an older one, so the oldest leaves first.
//! - `Promised`: of the room that there is, as much as `promised` says is for senders that were told so. (`publish` does not
//!   ask; who finds its room taken waits again.)
//! - `Pinned`: the waiter of a future here is never moved, nor handed out but pinned; who is polled or dropped was pinned, or
//!   its waiter is idle.
//! - `NoneForgotten`: as long as room is there that is not promised and somebody waits for room, somebody was told who has not
//!   had their step or drop yet.

use crate::sync::Holder;
use crate::task::StoredWaker;
use crate::wait::{Finally, Guarded, Line, Lines, Turned, Waiter, to_the_end};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Who waits for a message, and who for room.
const RECEIVERS: usize = 0;
const SENDERS: usize = 1;

struct Message<T> {
    value: T,
    /// How many have yet to take it. Never 0, but for the time of a drop.
    left: usize,
}

struct State<T, const N: usize> {
    ring: heapless::Deque<Message<T>, N>,
    /// The number of the oldest message in the ring, and if there is none of the next.
    oldest: u64,
    receivers: usize,
    promised: usize,
    closed: bool,
}

impl<T, const N: usize> Guarded for State<T, N> {
    type Guard = Holder;
}

/// A channel on which every receiver gets every message, with room for `N` that somebody has yet to take. Beyond asyncio,
/// whose `Queue` gives each item to one.
///
/// ```
/// # corio_sim::run(async {
/// static NEWS: corio::Broadcast<&str, 4> = corio::Broadcast::new();
/// let (mut one, mut other) = (NEWS.subscribe(), NEWS.subscribe());
/// let reader = corio::spawn(async move {
///     let mut count = 0;
///     while let Ok(news) = one.recv().await {
///         count += news.len();
///     }
///     count
/// });
/// assert_eq!(NEWS.send("spring").await, Ok(2)); // waits for room, if a receiver lags
/// assert_eq!(NEWS.publish("summer"), Ok(2)); // waits for nobody
/// NEWS.close();
/// assert_eq!(reader.await, Ok(12));
/// assert_eq!((other.recv().await, other.recv().await), (Ok("spring"), Ok("summer")));
/// assert_eq!(other.recv().await, Err(corio::RecvError::Closed));
/// # });
/// ```
///
/// A message is for those who have subscribed when it is sent. With nobody there it is dropped at once.
///
/// Usable in a `static`, from tasks, threads and interrupts; waiting allocates nothing, and there may be any number of
/// receivers. Messages are copied under a short lock (on bare metal with interrupts masked): they should be small, or behind
/// an `Arc`. The last receiver of a message gets it without a copy.
///
/// # Fairness
/// Those who wait for room are served in order of arrival: a newcomer never overtakes a waiter, except by
/// [`publish`](Self::publish). A message wakes all who wait for one, in order of arrival.
///
/// # Panics
/// When cloning a message uses the channel itself.
pub struct Broadcast<T, const N: usize> {
    lines: Lines<State<T, N>, 2>,
}

/// Why `send` or `publish` failed. The message comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendError<T> {
    /// The channel was closed: never try again.
    Closed(T),
}

/// Why `try_send` failed. The message comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// There is no room now: try later, or [`publish`](Broadcast::publish) it.
    Full(T),
    /// The channel was closed: never try again.
    Closed(T),
}

/// Why `recv` failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// So many messages were overwritten before this receiver took them. The next call gives the oldest that is left.
    Lagged(u64),
    /// The channel was closed, and all messages were taken: there will be none.
    Closed,
}

/// Why `try_recv` failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// There is no message now: try later.
    Empty,
    /// As [`RecvError::Lagged`].
    Lagged(u64),
    /// As [`RecvError::Closed`].
    Closed,
}

impl<T, const N: usize> Broadcast<T, N> {
    crate::sync::const_fn! {
        /// A channel without receivers.
        pub const fn new() -> Self {
            const { assert!(N > 0, "a channel for no messages can never be sent to") };
            Self {
                lines: Lines::new(State {
                    ring: heapless::Deque::new(),
                    oldest: 0,
                    receivers: 0,
                    promised: 0,
                    closed: false,
                }),
            }
        }
    }

    /// A receiver for all messages from now on.
    pub fn subscribe(&self) -> BroadcastReceiver<'_, T, N> {
        let next = self.lines.with(|state, _| {
            state.receivers = state.receivers.saturating_add(1);
            state.next()
        });
        BroadcastReceiver { broadcast: self, next }
    }

    /// Sends `message`, waiting for room until the slowest receiver has taken the oldest message. Answers how many receivers
    /// it is for.
    ///
    /// # Cancel safety
    /// **May be restarted.** Dropping the future drops the message, which is not sent then. Room that was already there
    /// for it goes to the next who waits.
    ///
    /// # Errors
    /// When the channel was closed; the message comes back.
    #[inline]
    pub fn send(&self, message: T) -> BroadcastSend<'_, T, N> {
        BroadcastSend { broadcast: self, message: Some(message), waiter: Waiter::new() }
    }

    /// Sends `message` if there is room and nobody waits for it. Answers how many receivers it is for.
    ///
    /// # Errors
    /// When there is no room or the channel was closed; the message comes back.
    pub fn try_send(&self, message: T) -> Result<usize, TrySendError<T>> {
        let tried = self.lines.with(|state, lines| {
            if state.closed {
                Err(TrySendError::Closed(message))
            } else if state.has_room_for_newcomers(lines) {
                Ok(state.put(message, lines))
            } else {
                Err(TrySendError::Full(message))
            }
        });
        tried.map(|put| self.tell(put))
    }

    /// Sends `message` without waiting for anybody: if there is no room it takes the place of the oldest, and whoever had
    /// yet to take that one is told so by [`RecvError::Lagged`]. Answers how many receivers it is for.
    ///
    /// # Errors
    /// When the channel was closed; the message comes back.
    pub fn publish(&self, message: T) -> Result<usize, SendError<T>> {
        let published = self.lines.with(|state, lines| {
            if state.closed {
                return Err(SendError::Closed(message));
            }
            let lost = if state.ring.is_full() && state.receivers > 0 { state.pop() } else { None };
            Ok((state.put(message, lines), lost))
        });
        published.map(|(put, _lost)| self.tell(put))
    }

    /// Ends the channel: nothing more is sent, and receivers that have taken all that is there fail. All who wait are woken
    /// to find out.
    pub fn close(&self) {
        // Senders are told without a promise: what counts those means nothing any more.
        self.lines.with(|state, _| state.closed = true);
        let _senders = Finally(|| self.lines.with_wake_all(SENDERS, |_| true));
        self.lines.with_wake_all(RECEIVERS, |_| true);
    }

    /// True after [`close`](Self::close).
    pub fn is_closed(&self) -> bool {
        self.lines.with(|state, _| state.closed)
    }

    /// How many receivers there are.
    pub fn receivers(&self) -> usize {
        self.lines.with(|state, _| state.receivers)
    }

    /// How many messages there are that somebody has yet to take.
    pub fn len(&self) -> usize {
        self.lines.with(|state, _| state.ring.len())
    }

    /// True when all messages were taken by all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages there is room for.
    pub fn capacity(&self) -> usize {
        N
    }

    /// Wakes those for whom a message is; what was not for anybody is dropped here.
    fn tell(&self, put: Put<T>) -> usize {
        self.lines.wake_on(|_, lines| lines[RECEIVERS].grant_older(put.round));
        put.receivers
    }
}

/// What is to be done about a message that was put in, without the lock.
struct Put<T> {
    receivers: usize,
    /// Of those who are to be told.
    round: u32,
    #[expect(dead_code, reason = "dropped with it")]
    unwanted: Option<T>,
}

/// What a receiver finds: a message, or none because it lags or there will be none.
type Found<T> = Result<T, RecvError>;

impl<T, const N: usize> State<T, N> {
    /// The number of the next message to be sent.
    fn next(&self) -> u64 {
        self.oldest + self.ring.len() as u64
    }

    /// Room that is promised to nobody. What is not for anybody takes none, but the turns of senders stay what they are.
    fn has_room(&self) -> bool {
        self.ring.len() + self.promised < N
    }

    fn has_room_for_newcomers(&self, lines: &[Line; 2]) -> bool {
        let senders = &lines[SENDERS];
        self.has_room() && self.promised == 0 && (senders.is_empty() || senders.all_leaving())
    }

    /// Puts a message in, for which there is room. (Without receivers it needs none.)
    fn put(&mut self, value: T, lines: &mut [Line; 2]) -> Put<T> {
        let receivers = self.receivers;
        let unwanted = if receivers == 0 {
            Some(value)
        } else {
            self.ring.push_back(Message { value, left: receivers }).err().map(|message| message.value)
        };
        Put { receivers, round: lines[RECEIVERS].begin_grant_all(), unwanted }
    }

    /// Takes the oldest message out.
    fn pop(&mut self) -> Option<T> {
        let message = self.ring.pop_front()?;
        self.oldest += 1;
        Some(message.value)
    }

    /// Says where in the ring the message `next` is, if it was sent.
    fn place(&mut self, next: &mut u64) -> Result<Option<usize>, RecvError> {
        let Some(place) = next.checked_sub(self.oldest) else {
            let lost = self.oldest - *next;
            *next = self.oldest;
            return Err(RecvError::Lagged(lost));
        };
        match usize::try_from(place) {
            Ok(place) if place < self.ring.len() => Ok(Some(place)),
            _ if self.closed => Err(RecvError::Closed),
            _ => Ok(None),
        }
    }

    /// Counts the message at `place` as taken by one. The message itself, if that was the last.
    fn count(&mut self, place: usize) -> Option<T> {
        let message = self.ring.get_mut(place)?;
        message.left = message.left.saturating_sub(1);
        // `InOrder`: it is the oldest.
        if message.left == 0 { self.pop() } else { None }
    }
}

impl<T: Clone, const N: usize> State<T, N> {
    /// Takes the message `next` for one receiver.
    fn take(&mut self, next: &mut u64, lines: &mut [Line; 2]) -> Option<(Found<T>, StoredWaker)> {
        let place = match self.place(next) {
            Ok(place) => place?,
            Err(error) => return Some((Err(error), StoredWaker::NONE)),
        };
        let message = self.ring.get(place)?;
        // Before anything is changed, for it may panic.
        let copy = if message.left > 1 { Some(message.value.clone()) } else { None };
        *next += 1;
        let value = self.count(place).or(copy)?;
        Some((Ok(value), promise(self, lines)))
    }
}

/// Promises room to the next sender in line, if there is room and a sender.
fn promise<T, const N: usize>(state: &mut State<T, N>, lines: &mut [Line; 2]) -> StoredWaker {
    if !state.has_room() {
        return StoredWaker::NONE;
    }
    let sender = lines[SENDERS].grant_next();
    if !sender.is_none() {
        state.promised += 1;
    }
    sender
}

impl<T, const N: usize> Default for Broadcast<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> fmt::Debug for Broadcast<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, receivers) = self.lines.with(|state, _| (state.ring.len(), state.receivers));
        f.debug_struct("Broadcast").field("len", &len).field("receivers", &receivers).finish()
    }
}

/// One who gets every message of a [`Broadcast`]. Its drop gives up what it has not taken.
pub struct BroadcastReceiver<'a, T, const N: usize> {
    broadcast: &'a Broadcast<T, N>,
    /// The number of the message that it takes next.
    next: u64,
}

impl<'a, T: Clone, const N: usize> BroadcastReceiver<'a, T, N> {
    /// Takes the next message, waiting for one if this receiver has taken all.
    ///
    /// # Cancel safety
    /// **Loses nothing.** A message that has come is still to be taken.
    ///
    /// # Errors
    /// When messages were overwritten before this receiver took them, once; when the channel was closed and this receiver has
    /// taken all.
    #[inline]
    pub fn recv(&mut self) -> BroadcastRecv<'_, 'a, T, N> {
        BroadcastRecv { receiver: self, waiter: Waiter::new() }
    }

    /// Takes the next message if there is one.
    ///
    /// # Errors
    /// When there is none, and as [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let next = &mut self.next;
        let taken = self.broadcast.lines.with(|state, lines| state.take(next, lines));
        let Some((found, woken)) = taken else { return Err(TryRecvError::Empty) };
        woken.wake();
        found.map_err(|error| match error {
            RecvError::Lagged(lost) => TryRecvError::Lagged(lost),
            RecvError::Closed => TryRecvError::Closed,
        })
    }
}

impl<T, const N: usize> BroadcastReceiver<'_, T, N> {
    /// How many messages this receiver has yet to take, those that were overwritten included.
    pub fn len(&self) -> u64 {
        self.broadcast.lines.with(|state, _| state.next()) - self.next
    }

    /// True when this receiver has taken all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T, const N: usize> Drop for BroadcastReceiver<'_, T, N> {
    fn drop(&mut self) {
        // No more messages are for it. Those that are, it takes one by one: their drops are user code.
        let end = self.broadcast.lines.with(|state, _| {
            state.receivers = state.receivers.saturating_sub(1);
            state.next()
        });
        to_the_end(|| {
            if self.next >= end {
                return false;
            }
            let next = &mut self.next;
            let _message = self.broadcast.lines.with_wake(|state, lines| {
                // What was overwritten meanwhile is gone.
                *next = state.oldest.max(*next);
                let message = match usize::try_from(*next - state.oldest) {
                    Ok(place) if *next < end => state.count(place),
                    _ => None,
                };
                *next += 1;
                (message, promise(state, lines))
            });
            true
        });
    }
}

impl<T, const N: usize> fmt::Debug for BroadcastReceiver<'_, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastReceiver").field("len", &self.len()).finish()
    }
}

/// A pending [`BroadcastReceiver::recv`].
#[must_use = "futures do nothing unless awaited"]
pub struct BroadcastRecv<'r, 'a, T, const N: usize> {
    receiver: &'r mut BroadcastReceiver<'a, T, N>,
    waiter: Waiter,
}

impl<'a, T, const N: usize> BroadcastRecv<'_, 'a, T, N> {
    #[inline]
    fn project(self: Pin<&mut Self>) -> (&mut BroadcastReceiver<'a, T, N>, Pin<&mut Waiter>) {
        // SAFETY: `Pinned`.
        unsafe {
            let this = self.get_unchecked_mut();
            (&mut *this.receiver, Pin::new_unchecked(&mut this.waiter))
        }
    }
}

impl<T, const N: usize> Drop for BroadcastRecv<'_, '_, T, N> {
    fn drop(&mut self) {
        // SAFETY: `Pinned`.
        let (receiver, waiter) = unsafe { Pin::new_unchecked(self) }.project();
        receiver.broadcast.lines.leave::<RECEIVERS>(waiter, |_, _, _| StoredWaker::NONE);
    }
}

impl<T: Clone, const N: usize> Future for BroadcastRecv<'_, '_, T, N> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (receiver, waiter) = self.project();
        let next = &mut receiver.next;
        // Each has its own, so how it comes to look is all the same.
        let claim = |state: &mut State<T, N>, lines: &mut [Line; 2], _| state.take(next, lines);
        receiver.broadcast.lines.poll::<RECEIVERS, _, _>(waiter, cx, claim, |found| found)
    }
}

impl<T, const N: usize> fmt::Debug for BroadcastRecv<'_, '_, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BroadcastRecv")
    }
}

/// A pending [`Broadcast::send`].
#[must_use = "futures do nothing unless awaited"]
pub struct BroadcastSend<'a, T, const N: usize> {
    broadcast: &'a Broadcast<T, N>,
    message: Option<T>,
    waiter: Waiter,
}

impl<'a, T, const N: usize> BroadcastSend<'a, T, N> {
    #[inline]
    fn project(self: Pin<&mut Self>) -> (&'a Broadcast<T, N>, &mut Option<T>, Pin<&mut Waiter>) {
        // SAFETY: `Pinned`. The message is not pinned.
        unsafe {
            let this = self.get_unchecked_mut();
            (this.broadcast, &mut this.message, Pin::new_unchecked(&mut this.waiter))
        }
    }
}

impl<T, const N: usize> Drop for BroadcastSend<'_, T, N> {
    fn drop(&mut self) {
        // SAFETY: `Pinned`.
        let (broadcast, _, waiter) = unsafe { Pin::new_unchecked(self) }.project();
        if waiter.is_idle() {
            return;
        }
        broadcast.lines.leave::<SENDERS>(waiter, |state, _, turned| {
            if turned == Turned::Granted {
                state.promised = state.promised.saturating_sub(1);
            }
            StoredWaker::NONE
        });
        broadcast.lines.wake_on(promise);
    }
}

impl<T, const N: usize> Future for BroadcastSend<'_, T, N> {
    type Output = Result<usize, SendError<T>>;

    /// # Panics
    /// When polled after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (broadcast, place, waiter) = self.project();
        let claim = |state: &mut State<T, N>, lines: &mut [Line; 2], turned| {
            let granted = turned == Turned::Granted;
            if granted {
                state.promised = state.promised.saturating_sub(1);
            }
            let mine = match turned {
                _ if state.closed => true,
                // Unless `publish` took the room.
                Turned::Granted => state.receivers == 0 || !state.ring.is_full(),
                Turned::New => state.has_room_for_newcomers(lines),
                Turned::First | Turned::Again => false,
            };
            if !mine {
                return None;
            }
            let message = place.take().expect("send() was polled after it was ready");
            let sent = if state.closed { Err(SendError::Closed(message)) } else { Ok(state.put(message, lines)) };
            Some(((sent, granted), StoredWaker::NONE))
        };
        broadcast.lines.poll::<SENDERS, _, _>(waiter, cx, claim, |(sent, granted)| {
            // Whoever came while room was promised stands in line even if there is more: they are told now.
            let _others = granted.then(|| Finally(|| broadcast.lines.wake_on(promise)));
            sent.map(|put| broadcast.tell(put))
        })
    }
}

impl<T, const N: usize> fmt::Debug for BroadcastSend<'_, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BroadcastSend")
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closed(..)")
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

const CLOSED: &str = "the channel was closed";

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CLOSED)
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the channel is full",
            Self::Closed(_) => CLOSED,
        })
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lagged(lost) => write!(f, "{lost} messages were overwritten before they were taken"),
            Self::Closed => f.write_str(CLOSED),
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no message"),
            Self::Lagged(lost) => RecvError::Lagged(*lost).fmt(f),
            Self::Closed => f.write_str(CLOSED),
        }
    }
}

impl<T> core::error::Error for SendError<T> {}
impl<T> core::error::Error for TrySendError<T> {}
impl core::error::Error for RecvError {}
impl core::error::Error for TryRecvError {}
