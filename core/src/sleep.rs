#![allow(unsafe_code)] // registers a pinned node with the loop's timers
//! `sleep`, `sleep_until`, `yield_now`.

#[cfg(feature = "alloc")]
use crate::sched::Entry;
use crate::sched::{Loop, current};
use crate::task::StoredWaker;
use crate::task::awaited::Mark;
#[cfg(feature = "alloc")]
use crate::task::slot::InLine;
use crate::task::slot::Slot;
use crate::time::nanos;
use crate::timers::{Due, Place, Timer};
use crate::{Duration, Instant};
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

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
/// **May be restarted.** Dropping it takes the deadline out at once. Another begins from the start; to wait for the
/// rest, see [`sleep_until`].
///
/// # Panics
/// When first polled outside a loop.
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(Place::For, nanos(duration))
}

/// Waits until `deadline`. asyncio: `loop.call_at`, to be awaited.
///
/// A deadline that is past counts like any other: it fires in the turn after the one in which it was registered, and the
/// caller goes on in the turn after that.
///
/// ```
/// use corio::{Duration, now, sleep_until};
/// # corio_sim::run(async {
/// // Every ten seconds, whatever the work takes.
/// let start = now();
/// for n in 1..=3 {
///     sleep_until(start + Duration::from_secs(10 * n)).await;
/// }
/// assert_eq!(now(), start + Duration::from_secs(30));
/// # });
/// ```
///
/// # Cancel safety
/// **Loses nothing.** Dropping it takes the deadline out at once.
///
/// # Panics
/// When first polled outside a loop.
#[inline]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(Place::Nowhere, deadline.as_nanos())
}

/// A pending [`sleep`] or [`sleep_until`].
///
/// It is registered with the loop that first polls it. If that loop ends, the next one that polls it takes it over.
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    timer: Timer,
    /// The loop that it is registered with, or was.
    owner: Cell<Option<&'static Loop>>,
    _pinned: PhantomPinned,
}

impl Sleep {
    #[inline]
    const fn new(place: Place, nanos: u64) -> Self {
        Self { timer: Timer::new(nanos, place), owner: Cell::new(None), _pinned: PhantomPinned }
    }

    /// Registers it, or has it registered for `cx`: its end cancels what is in a timeout in `task`, if that is who polls,
    /// or else wakes. `awaited`: what the task awaits in the timeout. `reserved`: its order was, and it takes that.
    pub(crate) fn register_for(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        task: Option<&'static Slot>,
        awaited: Mark,
        reserved: bool,
    ) {
        let due = match task {
            None => Due::Wake,
            Some(_) => Due::Cancel(awaited),
        };
        if self.timer.is_linked() && self.timer.expires() {
            // SAFETY: `Linked`, `Owned` (in `timers`), and this is the loop's thread: a sleep is not `Send`.
            let before = unsafe { self.timer.waking() };
            if before.map(core::ptr::from_ref) == task.map(core::ptr::from_ref) {
                self.timer.due.set(due);
                return;
            }
            self.disown();
        }
        if let Some(task) = task {
            task.add_timeout();
        }
        self.timer.due.set(due);
        let _pending = self.into_ref().proceed(cx, reserved);
    }

    /// Gives it its order among those of one deadline now, though it is registered with `here` later, if at all.
    pub(crate) fn reserve(&self, here: &'static Loop) {
        // SAFETY: `OwnThread`: the ambient loop is this thread's; `reserve` calls nothing.
        unsafe { here.with(|state| state.timers.reserve(&self.timer)) };
    }

    /// For one that is due and not registered yet, and is to be hastened then. Those are in order of registration among the
    /// timers, before all others, whatever their deadlines were: each is found at once when it is its turn.
    #[cfg(feature = "alloc")]
    pub(crate) fn come_first(&self) {
        if self.timer.place.get() == Place::Nowhere {
            self.timer.set_deadline(Instant::ZERO);
        }
    }

    /// For one that was due before it was registered: it fires in line with what is ready, where that line ended at `place`,
    /// and not after all that is: as asyncio calls soon what is due when it is asked for.
    ///
    /// # Safety
    /// `place` is of `here`, and of the step that is under way.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn hasten(&self, here: &'static Loop, place: InLine) {
        if self.timer.is_linked() {
            // SAFETY: it is registered; an entry is run by its loop, on that loop's thread; `place` by the caller's word.
            // Where nothing can be queued, because the loop is at its end, it is left to the timers.
            let _queued = unsafe {
                let key = self.timer.key();
                Entry::queue_at(here, place, async move { here.fire_early(key) })
            };
        }
    }

    /// `move_to`, which hastens it if it is moved to before now.
    #[cfg(feature = "alloc")]
    pub(crate) fn hurry_to(self: Pin<&Self>, deadline: Instant) -> bool {
        let Some(here) = current::find()
            .filter(|here| self.owner.get().is_some_and(|owner| core::ptr::eq(owner, *here)))
            .filter(|here| here.read_clock().is_some_and(|now| deadline <= now))
        else {
            return self.move_to(deadline);
        };
        let moved = self.move_to(Instant::ZERO);
        if moved {
            // SAFETY: `OwnThread`: the ambient loop is this thread's, and nothing is popped in between.
            unsafe { self.hasten(here, here.ready().wakes().end_of_line()) };
        }
        moved
    }

    /// If it would have cancelled a task, it does not any more. Before it is dropped, by the scope that it is for.
    pub(crate) fn disown(&self) {
        if self.timer.is_linked() && self.timer.due.replace(Due::Wake) != Due::Wake {
            // SAFETY: as in `register_for`.
            if let Some(task) = unsafe { self.timer.waking() } {
                task.remove_timeout();
            }
        }
    }

    pub(crate) fn expires(&self) -> bool {
        self.timer.expires()
    }

    /// True when its end has cancelled what its task awaited, or would.
    pub(crate) fn cancels_awaited(&self) -> bool {
        matches!(self.timer.due.get(), Due::Cancel(awaits) if awaits != Mark::NOTHING)
    }

    /// True when its end has cancelled what is in `task`.
    pub(crate) fn has_cancelled(&self, task: &Slot) -> bool {
        // SAFETY: only what is registered expires.
        self.expires() && unsafe { self.timer.has_fired_for(core::ptr::from_ref(task).cast()) }
    }

    /// Takes it out and sets its deadline, to be registered when it is polled next.
    pub(crate) fn set_deadline(self: Pin<&mut Self>, deadline: Instant) {
        self.as_ref().stop();
        self.timer.place.set(Place::Nowhere);
        self.timer.set_deadline(deadline);
    }

    /// If it is registered, moves it to another deadline, behind all that are registered for that. False: it is not.
    pub(crate) fn move_to(self: Pin<&Self>, deadline: Instant) -> bool {
        let Some(owner) = self.owner.get().filter(|_| self.timer.is_linked()) else { return false };
        // SAFETY: `OwnThread`: a sleep is not `Send`. It is linked, so `owner` has not ended; and `Linked`: the node is
        // pinned, and leaves in `drop`. Its task, if it has one that counts it, counts it still.
        unsafe {
            owner.with(|state| {
                let waker = state.timers.remove(&self.timer);
                state.timers.reserve(&self.timer);
                state.timers.insert(&self.timer, deadline, waker);
            });
        }
        if owner.read_clock().is_none() {
            // Between turns: the loop must look anew when the next deadline is.
            owner.ready().unpark();
        }
        true
    }

    /// Takes it out, and returns its waker if it was in.
    pub(crate) fn take_out(self: Pin<&Self>) -> Option<StoredWaker> {
        let owner = self.owner.get().filter(|_| self.timer.is_linked())?;
        self.disown();
        // SAFETY: as above.
        let waker = unsafe { owner.with(|state| state.timers.remove(&self.timer)) };
        self.timer.place.set(Place::Nowhere);
        Some(waker)
    }

    /// True when it counts from its first poll, which is to come, and that is no yield.
    #[inline]
    pub(crate) fn is_relative(&self) -> bool {
        self.timer.place.get() == Place::For
    }

    #[inline]
    pub(crate) fn is_registered(&self) -> bool {
        self.timer.is_linked()
    }

    /// A byte for the owner.
    pub(crate) fn set_count(&self, count: u8) {
        self.timer.count.set(count);
    }

    pub(crate) fn count(&self) -> u8 {
        self.timer.count.get()
    }

    /// One more.
    pub(crate) fn note(&self) -> &Cell<u8> {
        &self.timer.note
    }

    /// True when it is not registered yet, and its deadline is past.
    pub(crate) fn is_overdue(&self) -> bool {
        self.timer.place.get() == Place::Nowhere
            && current::find().and_then(Loop::read_clock).is_some_and(|now| self.timer.deadline() <= now)
    }

    /// Takes the deadline out.
    pub(crate) fn stop(self: Pin<&Self>) {
        if self.timer.is_linked() {
            self.disown();
            self.leave();
        }
    }

    /// True once it has ended.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.timer.place.get() == Place::Fired
    }

    /// When it ends, once it is registered.
    #[cfg(feature = "alloc")]
    pub(crate) fn until(&self) -> Instant {
        self.timer.deadline()
    }

    /// What `poll` does for one whose time has not come. `reserved`: its order was, if it is not registered.
    // Where flash counts, one copy serves all.
    #[cfg_attr(any(feature = "std", loom), inline)]
    #[cfg_attr(not(any(feature = "std", loom)), inline(never))]
    pub(crate) fn proceed(self: Pin<&Self>, cx: &mut Context<'_>, reserved: bool) -> Poll<()> {
        let place = self.timer.place.get();
        if matches!(place, Place::Yielded | Place::Fired) {
            self.timer.place.set(Place::Fired);
            return Poll::Ready(());
        }
        let waker = StoredWaker::of(cx.waker());
        let mut deadline = self.timer.deadline();
        if place == Place::Heap {
            // The clone of a foreign waker is foreign code, by which a time limit may have been taken away.
            if self.timer.is_linked() {
                // SAFETY: `Linked`, and `OwnThread`: a sleep is not `Send`.
                drop(unsafe { self.timer.set_waker(waker) });
            }
        } else if place == Place::For && deadline == Instant::ZERO {
            self.timer.place.set(Place::Yielded);
            waker.wake();
        } else {
            let here = current::get(if place == Place::For { "sleep()" } else { "sleep_until()" });
            // Or else its loop may have ended, and the deadline stands.
            if place == Place::For {
                let Some(now) = here.read_clock() else {
                    // Polled by a waker that the reactor calls. A sleep counted from an old time would end early: it
                    // begins in the next turn.
                    waker.wake();
                    return Poll::Pending;
                };
                deadline = Instant::from_nanos(now.as_nanos().saturating_add(deadline.as_nanos()));
            }
            // SAFETY: `Linked`: the node is pinned, not registered, and leaves in `drop`; it has its order. The ambient
            // loop is this thread's; neither calls anything.
            unsafe {
                here.with(|state| {
                    if reserved {
                        return state.timers.insert_reserved(&self.timer, deadline, waker);
                    }
                    state.timers.reserve(&self.timer);
                    state.timers.insert(&self.timer, deadline, waker);
                });
            }
            self.owner.set(Some(here));
        }
        Poll::Pending
    }

    /// Takes it, which is registered, out of the timers of its loop.
    // One copy serves all: what is never registered is small.
    #[inline(never)]
    fn leave(&self) {
        if let Some(owner) = self.owner.get() {
            // SAFETY: `OwnThread`: a sleep is not `Send`. It is linked, so `owner` has not ended.
            drop(unsafe { owner.with(|state| state.timers.remove(&self.timer)) });
        }
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.into_ref();
        if this.timer.place.get() != Place::Fired {
            ready!(this.proceed(cx, false));
            // SAFETY: `proceed` has set it. So the compiler sees that nothing is left for the drop.
            unsafe { core::hint::assert_unchecked(this.timer.place.get() == Place::Fired) };
        }
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        if self.timer.is_linked() {
            self.leave();
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
/// ```
/// use corio::{spawn, yield_now};
/// # corio_sim::run(async {
/// let other = spawn(async {});
/// yield_now().await;
/// assert!(other.is_done());
/// # });
/// ```
///
/// # Cancel safety
/// **Loses nothing.** There is nothing in it but the place in the queue.
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
