//! `call_soon`, `call_later`, `call_at`: functions that the loop calls.

use crate::sched::{Ending, Entry, Handle, Loop, call, current};
use crate::sleep::{Sleep, sleep_until};
use crate::{Duration, Instant};
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

/// Calls `f` in the next turn of the running loop, behind what is ready already. asyncio: `loop.call_soon`.
///
/// Callbacks and the steps of tasks stand in one line. A callback must not block; if it returns an error, the loop's hook is told
/// (see [`Handle::on_failure`]), and a panic in it goes through the loop to whoever runs it. The callback is called
/// whether the handle is kept or not, unless the loop ends first: then it is dropped.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// # corio_sim::run(async {
/// let line = Rc::new(RefCell::new(String::new()));
/// let add = |c| { let line = line.clone(); move || line.borrow_mut().push(c) };
/// corio::call_soon(add('a'));
/// let task = corio::spawn({ let add = add('b'); async move { add() } });
/// let handle = corio::call_soon(add('c'));
/// corio::call_soon(add('d'));
/// handle.cancel();
/// task.await.unwrap();
/// corio::yield_now().await;
/// assert_eq!(*line.borrow(), "abd");
/// # });
/// ```
///
/// # Panics
/// Outside a loop.
#[track_caller]
pub fn call_soon<R: Ending>(f: impl FnOnce() -> R + 'static) -> CallHandle {
    soon(current::get("call_soon()"), f, Location::caller())
}

/// Calls `f` when `delay` has passed. asyncio: `loop.call_later`. See [`call_at`].
///
/// ```
/// use corio::{Duration, call_later, sleep};
/// use std::{cell::Cell, rc::Rc};
/// # corio_sim::run(async {
/// let called = Rc::new(Cell::new(false));
/// call_later(Duration::from_secs(60), { let called = called.clone(); move || called.set(true) });
/// sleep(Duration::from_secs(61)).await;
/// assert!(called.get());
/// # });
/// ```
///
/// # Panics
/// Outside a loop.
#[track_caller]
pub fn call_later<R: Ending>(delay: Duration, f: impl FnOnce() -> R + 'static) -> TimerHandle {
    let here = current::get("call_later()");
    at(here, here.now() + delay, f, Location::caller())
}

/// Calls `f` at `when`. asyncio: `loop.call_at`.
///
/// It is called in the very turn in which it is due, behind what is ready then; those that are due in one turn are called in
/// order of time, and at one time in order of registration. An instant that is past, or a zero delay, is due in the next
/// turn. What [`call_soon`] says of callbacks holds here too.
///
/// ```
/// use corio::{Duration, now, sleep};
/// # corio_sim::run(async {
/// let start = now();
/// let handle = corio::call_later(Duration::from_secs(5), move || assert_eq!(now() - start, Duration::from_secs(5)));
/// assert_eq!(handle.when(), start + Duration::from_secs(5));
/// let never = corio::call_at(start + Duration::from_secs(9), || {});
/// sleep(Duration::from_secs(8)).await;
/// assert!(never.cancel() && !handle.cancel());
/// # sleep(Duration::from_secs(8)).await;
/// # });
/// ```
///
/// # Panics
/// Outside a loop.
#[track_caller]
pub fn call_at<R: Ending>(when: Instant, f: impl FnOnce() -> R + 'static) -> TimerHandle {
    at(current::get("call_at()"), when, f, Location::caller())
}

impl Handle {
    /// Calls `f` in the next turn of the loop: see [`call_soon`]. If the loop has ended, `f` is dropped.
    #[track_caller]
    pub fn call_soon<R: Ending>(&self, f: impl FnOnce() -> R + 'static) -> CallHandle {
        match self.get() {
            Some(place) => soon(place, f, Location::caller()),
            None => CallHandle::new(None),
        }
    }

    /// Calls `f` when `delay` has passed: see [`call_later`]. If the loop has ended, `f` is dropped.
    ///
    /// Between the turns of the loop the delay is counted from the time as it was read last.
    #[track_caller]
    pub fn call_later<R: Ending>(&self, delay: Duration, f: impl FnOnce() -> R + 'static) -> TimerHandle {
        self.call_at(self.now().unwrap_or(Instant::ZERO) + delay, f)
    }

    /// Calls `f` at `when`: see [`call_at`]. If the loop has ended, `f` is dropped.
    #[track_caller]
    pub fn call_at<R: Ending>(&self, when: Instant, f: impl FnOnce() -> R + 'static) -> TimerHandle {
        match self.get() {
            Some(place) => at(place, when, f, Location::caller()),
            None => TimerHandle { handle: CallHandle::new(None), when },
        }
    }
}

fn soon<R: Ending>(
    place: &'static Loop,
    f: impl FnOnce() -> R + 'static,
    from: &'static Location<'static>,
) -> CallHandle {
    CallHandle::new(Entry::queue(place, Soon { f: Some(f), from }))
}

fn at<R: Ending>(
    place: &'static Loop,
    when: Instant,
    f: impl FnOnce() -> R + 'static,
    from: &'static Location<'static>,
) -> TimerHandle {
    let entry = Entry::begin(place, At { sleep: sleep_until(when), f: Some(f), from }, true);
    if place.read_clock().is_none() {
        // Between turns: the loop must look anew when the next deadline is.
        place.ready().unpark();
    }
    TimerHandle { handle: CallHandle::new(entry), when }
}

/// Calls at its first poll.
struct Soon<F> {
    f: Option<F>,
    from: &'static Location<'static>,
}

/// What is in it is never pinned.
impl<F> Unpin for Soon<F> {}

impl<F: FnOnce() -> R, R: Ending> Future for Soon<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        if let Some(f) = self.f.take() {
            call(f, self.from);
        }
        Poll::Ready(())
    }
}

pin_project_lite::pin_project! {
    /// Calls when its time has come.
    struct At<F> {
        #[pin]
        sleep: Sleep,
        f: Option<F>,
        from: &'static Location<'static>,
    }
}

impl<F: FnOnce() -> R, R: Ending> Future for At<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        ready!(this.sleep.poll(cx));
        if let Some(f) = this.f.take() {
            call(f, this.from);
        }
        Poll::Ready(())
    }
}

/// A callback of [`call_soon`]. asyncio: `Handle`.
///
/// Dropping it changes nothing. It belongs to the thread of its loop, and may outlive it.
pub struct CallHandle {
    entry: Option<Entry>,
    cancelled: Cell<bool>,
}

impl CallHandle {
    fn new(entry: Option<Entry>) -> Self {
        Self { entry, cancelled: Cell::new(false) }
    }

    /// Takes the callback back, and drops it. False: it was called already, or taken back, or its loop has ended.
    pub fn cancel(&self) -> bool {
        let taken = self.entry.is_some_and(|entry| entry.drop_call());
        self.cancelled.set(self.cancelled.get() || taken);
        taken
    }

    /// True once the callback was taken back.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }
}

impl fmt::Debug for CallHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallHandle").field("cancelled", &self.is_cancelled()).finish()
    }
}

/// A callback of [`call_later`] or [`call_at`]. asyncio: `TimerHandle`.
///
/// Dropping it changes nothing. It belongs to the thread of its loop, and may outlive it.
pub struct TimerHandle {
    handle: CallHandle,
    when: Instant,
}

impl TimerHandle {
    /// Takes the callback back, and drops it. False: it was called already, or taken back, or its loop has ended.
    pub fn cancel(&self) -> bool {
        self.handle.cancel()
    }

    /// True once the callback was taken back.
    pub fn is_cancelled(&self) -> bool {
        self.handle.is_cancelled()
    }

    /// When it is due.
    pub fn when(&self) -> Instant {
        self.when
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cancelled = self.is_cancelled();
        f.debug_struct("TimerHandle").field("when", &self.when).field("cancelled", &cancelled).finish()
    }
}
