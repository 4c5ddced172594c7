#![allow(unsafe_code)] // registers a pinned node with the loop's timers
//! `sleep`, `sleep_until`, `yield_now`.

use crate::sched::{Loop, current};
use crate::task::StoredWaker;
use crate::time::nanos;
use crate::timers::Timer;
use crate::{Duration, Instant};
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// Waits until `duration` has passed since the first poll. asyncio: `sleep`.
///
/// A zero duration is a bare [`yield_now`], as in asyncio. There is no limit on sleeps pending at a time; those for one
/// instant end in the order in which they began. It may end late, by as long as other tasks and the reactor's clock take,
/// never early.
///
/// ```
/// use corio::{Duration, now, sleep};
/// # corio_sim::run(async {
/// let before = now();
/// sleep(Duration::from_millis(250)).await;
/// assert_eq!(now() - before, Duration::from_millis(250)); // in the simulator: exactly
/// # });
/// ```
///
/// # Cancel safety
/// Dropping it takes the deadline out at once. Nothing else is lost.
///
/// # Panics
/// When first polled outside a loop.
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(FOR, nanos(duration))
}

/// Waits until `deadline`. asyncio: `loop.call_at`, to be awaited.
///
/// A deadline that is past counts like any other: it fires in the turn after the one in which it was registered, and the
/// caller goes on in the turn after that.
///
/// # Cancel safety
/// Dropping it takes the deadline out at once. Nothing else is lost.
///
/// # Panics
/// When first polled outside a loop.
#[inline]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(UNTIL, deadline.as_nanos())
}

/// A pending [`sleep`] or [`sleep_until`].
///
/// It is registered with the loop that first polls it. If that loop ends, the next one that polls it takes it over.
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    /// Before it is registered: the deadline is what the stage says. Its note is the stage.
    timer: Timer,
    /// The loop that it is registered with.
    owner: Cell<Option<&'static Loop>>,
    _pinned: PhantomPinned,
}

/// The stages of a sleep, in the note of its timer. `FOR`: not registered, for so many nanoseconds from the first poll.
const FOR: u8 = 0;
/// Not registered, until this deadline.
const UNTIL: u8 = 1;
/// A zero duration, after the first poll.
const YIELDED: u8 = 2;
/// Registered with `owner`.
const REGISTERED: u8 = 3;
/// At its end.
const DONE: u8 = 4;

impl Sleep {
    #[inline]
    const fn new(stage: u8, nanos: u64) -> Self {
        Self { timer: Timer::new(nanos, stage), owner: Cell::new(None), _pinned: PhantomPinned }
    }

    /// Whether its end is to cancel the task that waits, or to wake it.
    pub(crate) fn set_expires(&self, expires: bool) {
        self.timer.expires.set(expires);
    }

    pub(crate) fn expires(&self) -> bool {
        self.timer.expires.get()
    }

    /// A byte for the owner.
    pub(crate) fn set_count(&self, count: u8) {
        self.timer.count.set(count);
    }

    pub(crate) fn count(&self) -> u8 {
        self.timer.count.get()
    }

    /// True when it is not registered yet, and its deadline is past.
    pub(crate) fn is_overdue(&self) -> bool {
        self.timer.note.get() == UNTIL
            && current::find().and_then(Loop::read_clock).is_some_and(|now| self.timer.deadline() <= now)
    }

    /// Takes the deadline out.
    pub(crate) fn stop(self: Pin<&mut Self>) {
        if let Some(owner) = self.owner.get()
            && self.timer.is_linked()
        {
            // SAFETY: just seen.
            unsafe { self.leave(owner) };
        }
    }

    /// True once it has ended.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        match self.timer.note.get() {
            DONE => true,
            REGISTERED => self.timer.has_fired(),
            _ => false,
        }
    }

    // Where flash counts, one copy serves all.
    #[cfg_attr(any(feature = "std", loom), inline)]
    #[cfg_attr(not(any(feature = "std", loom)), inline(never))]
    fn register(self: Pin<&Self>, here: &'static Loop, deadline: Instant, waker: &Waker) -> Poll<()> {
        let waker = StoredWaker::of(waker);
        // SAFETY: `Linked`: the node is pinned, not registered, and leaves in `drop`. The ambient loop is this
        // thread's; `insert` calls nothing.
        unsafe { here.with(|state| state.timers.insert(&self.timer, deadline, waker)) };
        self.owner.set(Some(here));
        self.timer.note.set(REGISTERED);
        Poll::Pending
    }
}

impl Sleep {
    /// Takes it out of the timers of `owner`.
    ///
    /// # Safety
    /// It is registered there.
    // Where flash counts, one copy serves all.
    #[cfg_attr(any(feature = "std", loom), inline)]
    #[cfg_attr(not(any(feature = "std", loom)), inline(never))]
    unsafe fn leave(&self, owner: &'static Loop) {
        // SAFETY: `OwnThread`: a sleep is not `Send`. It is linked, so `owner` has not ended.
        drop(unsafe { owner.with(|state| state.timers.remove(&self.timer)) });
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_ref();
        let waker = cx.waker();
        match this.timer.note.get() {
            FOR => {
                let nanos = this.timer.deadline().as_nanos();
                if nanos == 0 {
                    this.timer.note.set(YIELDED);
                    waker.wake_by_ref();
                    return Poll::Pending;
                }
                let here = current::get("sleep()");
                let Some(now) = here.read_clock() else {
                    // Polled by a waker that the reactor calls. A sleep counted from an old time would end early: it
                    // begins in the next turn.
                    waker.wake_by_ref();
                    return Poll::Pending;
                };
                this.register(here, Instant::from_nanos(now.as_nanos().saturating_add(nanos)), waker)
            }
            UNTIL => this.register(current::get("sleep_until()"), this.timer.deadline(), waker),
            REGISTERED if !this.timer.has_fired() => {
                let waker = StoredWaker::of(waker);
                match this.owner.get() {
                    // SAFETY: `OwnThread`: a sleep is not `Send`. It is linked, so `owner` has not ended.
                    Some(owner) if this.timer.is_linked() => unsafe {
                        drop(owner.with(|state| state.timers.set_waker(&this.timer, waker)));
                        Poll::Pending
                    },
                    // Its loop has ended; the deadline stands.
                    _ => this.register(current::get("sleep()"), this.timer.deadline(), cx.waker()),
                }
            }
            _ => {
                this.timer.note.set(DONE);
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        if let Some(owner) = self.owner.get()
            && self.timer.is_linked()
        {
            // SAFETY: just seen.
            unsafe { self.leave(owner) };
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("ended", &self.has_ended()).finish_non_exhaustive()
    }
}

/// Lets every other task that is ready run first. asyncio: `sleep(0)`.
///
/// # Fairness
/// The caller is put at the end of what is ready, and so runs in the next turn.
#[inline]
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// A pending [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if core::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
