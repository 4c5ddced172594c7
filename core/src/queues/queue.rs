//! The queue, whatever its store and order.
//!
//! Items, the count of unfinished ones, those who wait for an item, those who wait for room and those who wait for the
//! end of all work sit under one short lock. As in asyncio an item is not handed over: `put` wakes the first who waits for one,
//! and the item stays in the queue until that one's step, so a newcomer may take it first; then the one that was woken
//! waits again, at the end of the line.
//!
//! Invariant `NoneForgotten`: as long as items are in and somebody waits for one, somebody was woken who has not had
//! their step yet (or their drop, which then wakes the next). The same for room.

use super::Store;
#[cfg(feature = "alloc")]
use super::{DynFifo, DynLifo, DynPriority};
use super::{Fifo, Lifo, Priority};
use crate::task::StoredWaker;
use crate::wait::{Claim, Finally, Guard, Guarded, Line, Lines, Turned, Waiter, to_the_end};
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Who waits for an item, for room, and for the end of all work.
const GETTERS: usize = 0;
const PUTTERS: usize = 1;
const JOINERS: usize = 2;

struct State<S> {
    items: S,
    unfinished: usize,
    shut: bool,
}

impl<S: Guarded> Guarded for State<S> {
    type Guard = S::Guard;
}

/// A queue of `T` in a store `S`: see [`Queue`](crate::Queue) and its kin for the stores there are.
///
/// ```
/// use corio::Queue;
/// static JOBS: Queue<u32, 4> = Queue::new();
/// # corio_sim::run(async {
/// let worker = corio::spawn(async {
///     let job = JOBS.get().await.unwrap();
///     JOBS.task_done().unwrap();
///     job * 2
/// });
/// JOBS.put(21).await.unwrap();
/// JOBS.join().await; // until every item that was put is done
/// assert_eq!(worker.await, Ok(42));
/// # });
/// ```
///
/// Usable in a `static`, from tasks, threads and interrupts; waiting allocates nothing.
///
/// # Fairness
/// Those who wait for items are woken in order of arrival, and so are those who wait for room. As in asyncio a
/// newcomer may take an item before the one that was woken for it has its turn, which then waits again.
///
/// # Panics of other code
/// When a waker of another executor, a comparison of two items or the drop of one panics, the panic goes to the caller, and
/// the queue stays whole: all others who are to be woken are woken, and all items that are to go are dropped. An item
/// that was put is in. One that was taken has left, and is dropped on the panic's way; it counts until
/// [`task_done`](Self::task_done), like any that was taken.
pub struct QueueOf<T, S: Store<T>> {
    lines: Lines<State<S>, 3>,
    _items: PhantomData<fn() -> T>,
}

/// How to end a queue, for [`QueueOf::shutdown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// What is in may still be taken.
    Drain,
    /// What is in is dropped, and counts as done. asyncio: `shutdown(immediate=True)`.
    Immediate,
}

/// Why `put` failed. The item comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PutError<T> {
    /// The queue was shut down: never try again. asyncio: `QueueShutDown`.
    ShutDown(T),
}

/// Why `try_put` failed. The item comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TryPutError<T> {
    /// There is no room now: try later. asyncio: `QueueFull`.
    Full(T),
    /// The queue was shut down: never try again. asyncio: `QueueShutDown`.
    ShutDown(T),
}

/// The queue was shut down and is empty. asyncio: `QueueShutDown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutDown;

/// Why `try_get` failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryGetError {
    /// There is no item now: try later. asyncio: `QueueEmpty`.
    Empty,
    /// The queue was shut down: there will be none. asyncio: `QueueShutDown`.
    ShutDown,
}

/// More `task_done`s than items. asyncio: the `ValueError` of `Queue.task_done`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskDoneTooOften;

impl<T, const N: usize> QueueOf<T, Fifo<T, N>> {
    crate::sync::const_fn! {
        /// An empty queue.
        pub const fn new() -> Self {
            Self::with_store(Fifo::new())
        }
    }
}

impl<T, const N: usize> QueueOf<T, Lifo<T, N>> {
    crate::sync::const_fn! {
        /// An empty queue.
        pub const fn new() -> Self {
            Self::with_store(Lifo::new())
        }
    }
}

impl<T: Ord, const N: usize> QueueOf<T, Priority<T, N>> {
    crate::sync::const_fn! {
        /// An empty queue.
        pub const fn new() -> Self {
            Self::with_store(Priority::new())
        }
    }
}

#[cfg(feature = "alloc")]
impl<T> QueueOf<T, DynFifo<T>> {
    /// An empty queue for up to `limit` items; 0: without limit, as in asyncio.
    pub fn new(limit: usize) -> Self {
        Self::with_store(DynFifo::new(limit))
    }
}

#[cfg(feature = "alloc")]
impl<T> QueueOf<T, DynLifo<T>> {
    /// An empty queue for up to `limit` items; 0: without limit, as in asyncio.
    pub fn new(limit: usize) -> Self {
        Self::with_store(DynLifo::new(limit))
    }
}

#[cfg(feature = "alloc")]
impl<T: Ord> QueueOf<T, DynPriority<T>> {
    /// An empty queue for up to `limit` items; 0: without limit, as in asyncio.
    pub fn new(limit: usize) -> Self {
        Self::with_store(DynPriority::new(limit))
    }
}

impl<T, S: Store<T> + Default> Default for QueueOf<T, S> {
    fn default() -> Self {
        Self::with_store(S::default())
    }
}

impl<T, S: Store<T>> QueueOf<T, S> {
    crate::sync::const_fn! {
        const fn with_store(items: S) -> Self {
            Self { lines: Lines::new(State { items, unfinished: 0, shut: false }), _items: PhantomData }
        }
    }
}

impl<T, S: Store<T>> QueueOf<T, S> {
    /// Puts `item` in, waiting for room if the queue is full.
    ///
    /// # Cancel safety
    /// **May be restarted.** Dropping the future drops the item, which is not in the queue then. Room that was already
    /// there for it goes to the next who waits.
    ///
    /// # Errors
    /// When the queue was shut down; the item comes back.
    #[inline]
    pub fn put(&self, item: T) -> Put<'_, T, S> {
        Put { queue: self, item: Some(item), waiter: Waiter::new() }
    }

    /// Takes the next item, waiting for one if the queue is empty.
    ///
    /// # Cancel safety
    /// **Loses nothing.** An item that it was woken for goes to the next who waits.
    ///
    /// # Errors
    /// When the queue was shut down and is empty.
    #[inline]
    pub fn get(&self) -> Get<'_, T, S> {
        Get { queue: self, waiter: Waiter::new() }
    }

    /// Puts `item` in if there is room now. asyncio: `put_nowait`.
    ///
    /// # Errors
    /// When there is no room or the queue was shut down; the item comes back.
    #[inline]
    pub fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        let tell = Tell(self);
        let put = self.lines.with_wake(|state, lines| match state.put(item, lines) {
            Ok(woken) => (Ok(()), woken),
            Err(error) => (Err(error), StoredWaker::NONE),
        });
        tell.disarm();
        put
    }

    /// Takes the next item if there is one now. asyncio: `get_nowait`.
    ///
    /// # Errors
    /// When there is none.
    #[inline]
    pub fn try_get(&self) -> Result<T, TryGetError> {
        let tell = Tell(self);
        let got = self.lines.with_wake(|state, lines| match state.get(lines) {
            Some((item, woken)) => (Ok(item), woken),
            None => (Err(if state.shut { TryGetError::ShutDown } else { TryGetError::Empty }), StoredWaker::NONE),
        });
        tell.disarm();
        got
    }

    /// Says that the work for one item that was taken is done.
    ///
    /// # Errors
    /// When all items were done already.
    pub fn task_done(&self) -> Result<(), TaskDoneTooOften> {
        let mut result = Ok(());
        self.lines.with_wake_all(JOINERS, |state| {
            match state.unfinished.checked_sub(1) {
                Some(left) => state.unfinished = left,
                None => result = Err(TaskDoneTooOften),
            }
            result.is_ok() && state.unfinished == 0
        });
        result
    }

    /// Waits until every item that was put is done: see [`task_done`](Self::task_done).
    ///
    /// # Cancel safety
    /// **Loses nothing.** Dropping the future leaves the line.
    #[inline]
    pub fn join(&self) -> Join<'_, T, S> {
        Join { queue: self, waiter: Waiter::new() }
    }

    /// Ends the queue: puts fail from now on, and gets once it is empty. All who wait are woken to find out.
    pub fn shutdown(&self, how: Shutdown) {
        self.lines.with(|state, _| state.shut = true);
        // The last first: that is how they are dropped, whatever panics.
        let _putters = Finally(|| self.lines.with_wake_all(PUTTERS, |_| true));
        let _getters = Finally(|| self.lines.with_wake_all(GETTERS, |_| true));
        if how == Shutdown::Immediate {
            let _joiners = Finally(|| self.lines.with_wake_all(JOINERS, |state| state.unfinished == 0));
            // Item by item: their drops are user code, which must not run under the lock.
            to_the_end(|| {
                let item = self.lines.with(|state, _| {
                    if !state.items.is_empty() {
                        state.unfinished = state.unfinished.saturating_sub(1);
                    }
                    state.items.pop()
                });
                item.is_some()
            });
        }
    }

    /// Takes `waiter`, a getter or a putter, out of its line; if it was told that there is something for it, and there is,
    /// the next one is told.
    #[cold]
    #[cfg_attr(not(any(feature = "std", loom)), inline(never))]
    fn leave(&self, waiter: Pin<&mut Waiter>, gets: bool) {
        fn line(lines: &mut [Line; 3], gets: bool) -> &mut Line {
            if gets { &mut lines[GETTERS] } else { &mut lines[PUTTERS] }
        }
        self.lines.leave_now(
            &waiter,
            |lines| line(lines, gets),
            |state, lines, turned| {
                let there_is = if gets { !state.items.is_empty() } else { !state.items.is_full() };
                if turned == Turned::Granted && there_is { line(lines, gets).pass_on() } else { StoredWaker::NONE }
            },
        );
    }

    /// How many items are in. asyncio: `qsize`.
    pub fn len(&self) -> usize {
        self.lines.with(|state, _| state.items.len())
    }

    /// How many items fit; none: any number. asyncio: `maxsize`.
    pub fn capacity(&self) -> Option<usize> {
        self.lines.with(|state, _| state.items.capacity())
    }

    /// True when no item is in. asyncio: `empty`.
    pub fn is_empty(&self) -> bool {
        self.lines.with(|state, _| state.items.is_empty())
    }

    /// True when no more items fit. asyncio: `full`.
    pub fn is_full(&self) -> bool {
        self.lines.with(|state, _| state.items.is_full())
    }

    /// True after [`shutdown`](Self::shutdown).
    pub fn is_shut_down(&self) -> bool {
        self.lines.with(|state, _| state.shut)
    }
}

/// Keeps `NoneForgotten` when a comparison has panicked: before it, an item went in or out, and nobody was told of it.
struct Tell<'a, T, S: Store<T>>(&'a QueueOf<T, S>);

impl<T, S: Store<T>> Tell<'_, T, S> {
    #[inline]
    fn disarm(self) {
        core::mem::forget(self);
    }
}

impl<T, S: Store<T>> Drop for Tell<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        if !<S::Guard as Guard>::USER_CODE {
            return;
        }
        let lines = &self.0.lines;
        lines.with_wake(|state, lines| {
            ((), if state.items.is_empty() { StoredWaker::NONE } else { lines[GETTERS].pass_on() })
        });
        lines.with_wake(|state, lines| {
            ((), if state.items.is_full() { StoredWaker::NONE } else { lines[PUTTERS].pass_on() })
        });
    }
}

impl<S> State<S> {
    #[inline]
    fn put<T>(&mut self, item: T, lines: &mut [Line; 3]) -> Result<StoredWaker, TryPutError<T>>
    where
        S: Store<T>,
    {
        if self.shut {
            return Err(TryPutError::ShutDown(item));
        }
        if self.items.is_full() {
            return Err(TryPutError::Full(item));
        }
        // Before it goes in: if a comparison panics, it is in.
        self.unfinished = self.unfinished.saturating_add(1);
        match self.items.push(item) {
            Ok(()) => Ok(lines[GETTERS].grant_next()),
            Err(item) => Err(TryPutError::Full(item)),
        }
    }

    #[inline]
    fn get<T>(&mut self, lines: &mut [Line; 3]) -> Option<(T, StoredWaker)>
    where
        S: Store<T>,
    {
        let item = self.items.pop()?;
        Some((item, lines[PUTTERS].grant_next()))
    }
}

#[cold]
#[inline(never)]
fn polled_too_often() -> ! {
    panic!("put() was polled after it was ready")
}

impl<T, S: Store<T>> fmt::Debug for QueueOf<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).field("capacity", &self.capacity()).finish()
    }
}

pin_project_lite::pin_project! {
    /// A pending [`QueueOf::put`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Put<'a, T, S> where S: Store<T> {
        queue: &'a QueueOf<T, S>,
        item: Option<T>,
        #[pin]
        waiter: Waiter,
    }

    impl<T, S> PinnedDrop for Put<'_, T, S> where S: Store<T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !this.waiter.is_idle() {
                this.queue.leave(this.waiter, false);
            }
        }
    }
}

/// The claim of a [`Put`]: room for its item, which stays where it is as long as it must wait.
struct ToPut<'a, T>(&'a mut Option<T>);

impl<T, S: Store<T>> Claim<State<S>, 3> for ToPut<'_, T> {
    type Got = Result<(), PutError<T>>;

    #[inline(always)]
    fn claim(
        &mut self,
        state: &mut State<S>,
        lines: &mut [Line; 3],
        turned: Turned,
    ) -> Option<(Self::Got, StoredWaker)> {
        // Still in line: room that is there is for whoever was told of it.
        if matches!(turned, Turned::Again | Turned::First) {
            return None;
        }
        if !state.shut && state.items.is_full() {
            return if self.0.is_some() { None } else { polled_too_often() };
        }
        let Some(item) = self.0.take() else { polled_too_often() };
        match state.put(item, lines) {
            Ok(woken) => Some((Ok(()), woken)),
            Err(TryPutError::Full(item) | TryPutError::ShutDown(item)) => {
                Some((Err(PutError::ShutDown(item)), StoredWaker::NONE))
            }
        }
    }
}

impl<T, S: Store<T>> Future for Put<'_, T, S> {
    type Output = Result<(), PutError<T>>;

    /// # Panics
    /// When polled after it was ready.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let place = this.item;
        let queue: &QueueOf<T, S> = this.queue;
        let tell = Tell(queue);
        let put = queue.lines.poll_claim::<PUTTERS, _, _>(this.waiter, cx, ToPut(place), |put| put);
        tell.disarm();
        put
    }
}

impl<T, S: Store<T>> fmt::Debug for Put<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Put")
    }
}

pin_project_lite::pin_project! {
    /// A pending [`QueueOf::get`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Get<'a, T, S> where S: Store<T> {
        queue: &'a QueueOf<T, S>,
        #[pin]
        waiter: Waiter,
    }

    impl<T, S> PinnedDrop for Get<'_, T, S> where S: Store<T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !this.waiter.is_idle() {
                this.queue.leave(this.waiter, true);
            }
        }
    }
}

impl<T, S: Store<T>> Future for Get<'_, T, S> {
    type Output = Result<T, ShutDown>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let queue: &QueueOf<T, S> = this.queue;
        let claim = |state: &mut State<S>, lines: &mut [Line; 3], turned| {
            // Still in line: an item that is there is for whoever was told of it.
            if matches!(turned, Turned::Again | Turned::First) {
                return None;
            }
            match state.get(lines) {
                Some((item, woken)) => Some((Ok(item), woken)),
                None => state.shut.then_some((Err(ShutDown), StoredWaker::NONE)),
            }
        };
        let tell = Tell(queue);
        let got = queue.lines.poll::<GETTERS, _, _>(this.waiter, cx, claim, |got| got);
        tell.disarm();
        got
    }
}

impl<T, S: Store<T>> fmt::Debug for Get<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Get")
    }
}

pin_project_lite::pin_project! {
    /// A pending [`QueueOf::join`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Join<'a, T, S> where S: Store<T> {
        queue: &'a QueueOf<T, S>,
        #[pin]
        waiter: Waiter,
    }

    impl<T, S> PinnedDrop for Join<'_, T, S> where S: Store<T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.queue.lines.leave::<JOINERS>(this.waiter, |_, _, _| StoredWaker::NONE);
        }
    }
}

impl<T, S: Store<T>> Future for Join<'_, T, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.queue.lines.poll::<JOINERS, _, _>(
            this.waiter,
            cx,
            |state, _, turned| (turned == Turned::Granted || state.unfinished == 0).then_some(((), StoredWaker::NONE)),
            |()| (),
        )
    }
}

impl<T, S: Store<T>> fmt::Debug for Join<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Join")
    }
}

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShutDown(..)")
    }
}

impl<T> fmt::Debug for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::ShutDown(_) => "ShutDown(..)",
        })
    }
}

const SHUT_DOWN: &str = "the queue was shut down";

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHUT_DOWN)
    }
}

impl<T> fmt::Display for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the queue is full",
            Self::ShutDown(_) => SHUT_DOWN,
        })
    }
}

impl fmt::Display for ShutDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHUT_DOWN)
    }
}

impl fmt::Display for TryGetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the queue is empty",
            Self::ShutDown => SHUT_DOWN,
        })
    }
}

impl fmt::Display for TaskDoneTooOften {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("task_done() was called more often than items were put")
    }
}

impl<T> core::error::Error for PutError<T> {}
impl<T> core::error::Error for TryPutError<T> {}
impl core::error::Error for ShutDown {}
impl core::error::Error for TryGetError {}
impl core::error::Error for TaskDoneTooOften {}
