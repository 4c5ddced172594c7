#![allow(unsafe_code)] // puts the main future, and those of `run_all`, into slots of the loop
//! `Runner`: a reactor and a loop, and the run from start to end.

use crate::sched::{Clock, Goal, Handle, Lease, Loop, WindUp, current};
use crate::sync::Pause;
use crate::task::body::{Body, Free, Header};
use crate::task::slot::Slot;
use crate::{Instant, Reactor};
use core::fmt;
use core::future::Future;
use core::mem::MaybeUninit;
use core::pin::{Pin, pin};
use core::ptr::NonNull;

/// A loop that drives futures with the events of one reactor. asyncio: `Runner`.
///
/// ```
/// use corio::{Duration, Runner, sleep, spawn};
/// use corio_sim::SimReactor;
///
/// let mut runner = Runner::new(SimReactor::new());
/// let answer = runner.run(async {
///     let slow = spawn(async { sleep(Duration::from_secs(60)).await; 42 });
///     slow.await.unwrap()
/// });
/// assert_eq!(answer.unwrap(), 42);
/// ```
///
/// It stays on the thread that made it. Dropping it closes it, see [`close`](Self::close).
pub struct Runner<R: Reactor> {
    lease: Lease,
    reactor: R,
    /// Handles of tasks and loop-local state must not change threads.
    _not_send: core::marker::PhantomData<*const ()>,
}

/// Why a run ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunError<E> {
    /// The main future was cancelled.
    Cancelled,
    /// The reactor could not wait for events.
    Park(E),
}

impl<E: fmt::Display> fmt::Display for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the main task was cancelled"),
            Self::Park(error) => write!(f, "the event loop could not wait for events: {error}"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for RunError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Cancelled => None,
            Self::Park(error) => Some(error),
        }
    }
}

impl<E> From<E> for RunError<E> {
    fn from(error: E) -> Self {
        Self::Park(error)
    }
}

/// What one [`Runner::turn`] did, and when the next is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When to come back: an instant that is not in the future means at once, none means after an unpark.
    pub next: Option<Instant>,
    /// How many entries were run: steps of tasks and timers.
    pub ran: usize,
}

/// Entries that are run before the reactor is asked for events though more is ready.
const EVENTS_AFTER: usize = 64;

impl<R: Reactor> Runner<R> {
    /// A runner with nothing to do yet.
    ///
    /// # Panics
    /// Without the feature `alloc`, when another runner made by `new` exists.
    #[track_caller]
    pub fn new(reactor: R) -> Self {
        Self::with_lease(reactor, Lease::new())
    }

    /// A runner whose loop is in a `static`, for programs that have several and no allocator.
    ///
    /// # Panics
    /// When another runner uses `memory`.
    #[track_caller]
    pub fn new_in(memory: &'static crate::LoopMemory, reactor: R) -> Self {
        Self::with_lease(reactor, Lease::new_in(memory))
    }

    fn with_lease(reactor: R, lease: Lease) -> Self {
        Self { lease, reactor, _not_send: core::marker::PhantomData }
    }

    /// The reactor.
    pub fn reactor(&self) -> &R {
        &self.reactor
    }

    /// The reactor, to be changed between runs.
    pub fn reactor_mut(&mut self) -> &mut R {
        &mut self.reactor
    }

    /// The loop, for those who have no ambience: see [`Handle`].
    pub fn handle(&self) -> Handle {
        Handle::new(self.running())
    }

    fn running(&self) -> &'static Loop {
        self.lease.get()
    }

    /// Takes in what was woken from outside of the loop since it last ran: that goes before what is queued now.
    fn enter(&self) -> current::Entered {
        let entered = current::enter(self.running());
        // Each time: `reactor_mut` may have put another reactor in place. Before the first there is no sleep to be ended.
        self.running().ready().set_unparker(self.reactor.unparker());
        // SAFETY: `OwnThread`.
        unsafe { self.running().ready().wakes().take_in() };
        entered
    }

    /// Starts a task that the next run or turn will run. See [`spawn`](crate::spawn()).
    #[cfg(feature = "alloc")]
    pub fn spawn<F: Future + 'static>(&self, future: F) -> crate::Task<F::Output> {
        let _here = self.enter();
        crate::spawn(future)
    }

    /// Runs `main` to its end, and with it whatever was spawned. asyncio: `Runner.run`.
    ///
    /// `main` may borrow from the caller. Tasks that are left when it ends stay as they are: a further run goes on with
    /// them, [`close`](Self::close) cancels them.
    ///
    /// # Errors
    /// When the reactor fails; `main` is dropped then.
    pub fn run<F: Future>(&mut self, main: F) -> Result<F::Output, RunError<R::Error>> {
        let running = self.running();
        let _here = self.enter();
        // The root slot is used here only, and `&mut self` keeps out a second run.
        let slot = self.lease.root();
        let mut pause = Pause::new();
        while !slot.claim() {
            // A wake left over from the run before is still in the queue, or on its way there.
            self.turn_here();
            pause.pause();
        }
        let body = pin!(Body::new(main, (), Free::Nothing));
        // SAFETY: the body stays pinned in this frame until `main` is over, which `EndMain` sees to.
        let header = unsafe { NonNull::from(body.get_unchecked_mut()).cast::<Header>() };
        // SAFETY: claimed just now; the body is as said above.
        let started = unsafe {
            let started = slot.start(running.ready(), header.as_ptr().cast(), false, true);
            running.adopt(slot);
            started
        };
        let end = EndMain { running, header, slot };
        started.tell();
        if let Err(error) = self.drive(Goal::End(slot), EVENTS_AFTER) {
            self.with_clock(|| drop(end));
            return Err(RunError::Park(error));
        }
        // asyncio stops its loop by a callback: one more batch runs to its end.
        self.turn_here();
        let mut output = MaybeUninit::<F::Output>::uninit();
        // SAFETY: ended; the body is here, and its output is an `F::Output`.
        let there = unsafe { Header::take_output(header, slot, output.as_mut_ptr().cast()) };
        drop(end);
        // SAFETY: written if it was there.
        if there { Ok(unsafe { output.assume_init() }) } else { Err(RunError::Cancelled) }
    }

    /// Runs futures that are borrowed from the caller, all at a time, until the last has ended. No allocator is needed
    /// and nothing need be `'static`.
    ///
    /// ```
    /// use std::{cell::Cell, pin::pin};
    /// # let mut runner = corio::Runner::new(corio_sim::SimReactor::new());
    /// let sum = Cell::new(0);
    /// let add = |n| { let sum = &sum; async move { corio::yield_now().await; sum.set(sum.get() + n) } };
    /// runner.run_all([pin!(add(1)), pin!(add(2))]).unwrap();
    /// assert_eq!(sum.get(), 3);
    /// ```
    ///
    /// Without the feature `alloc` the futures' slots are in the frame of this call. Wakers may still name them when the last
    /// future has ended, so there this call does *not* return: it goes on serving the loop. (Firmware's futures do not end.)
    ///
    /// # Errors
    /// When the reactor fails. (Where the call does not return, it tries again for ever.)
    pub fn run_all<const N: usize>(
        &mut self,
        mut futures: [Pin<&mut (dyn Future<Output = ()> + '_)>; N],
    ) -> Result<(), RunError<R::Error>> {
        let running = self.running();
        let _here = self.enter();
        let mut lent = Lent::new(running);
        // SAFETY: `OwnThread`. `lent` sees to it that no slot outlives the futures, whatever happens.
        unsafe { lent.start(&mut futures) };
        loop {
            match self.drive(lent.goal(), EVENTS_AFTER) {
                // Without the right to return there is nothing left but to try again.
                Err(_) if !Lent::<N>::MAY_RETURN => {}
                ended => return ended.map(drop).map_err(RunError::Park),
            }
        }
    }

    /// One turn, for a loop inside another loop: runs exactly what is ready, fires what is due, and says when to come
    /// back. The reactor is not asked for events: do so with its own `park`, between turns.
    ///
    /// After a turn with nothing more to do, the first wake from elsewhere calls the reactor's
    /// [`unparker`](Reactor::unparker); those behind it need not, for the turn that follows will see them all.
    pub fn turn(&mut self) -> Turn {
        let running = self.running();
        let _here = self.enter();
        running.ready().wakes().awake();
        let ran = self.turn_here();
        // SAFETY: `OwnThread`.
        let next = unsafe { if running.ready().wakes().idle() { running.next() } else { Some(Instant::ZERO) } };
        Turn { next, ran }
    }

    fn turn_here(&mut self) -> usize {
        // It does not park, so it cannot fail.
        self.drive(Goal::Turn, 0).unwrap_or(0)
    }

    /// Turns, and waits in between, until the goal is reached. Returns how many entries the last turns have run.
    fn drive(&mut self, goal: Goal, limit: usize) -> Result<usize, R::Error> {
        let running = self.running();
        let wakes = running.ready().wakes();
        // From here to the end the reactor is used by way of this pointer alone: the clock has a copy of it.
        let reactor = &raw mut self.reactor;
        // SAFETY: it stays in place, and the clock is not read while it parks (`turns` takes it away).
        let clock = unsafe { Clock::new(reactor) };
        loop {
            // SAFETY: this is the loop's thread, and the loop is the ambient one.
            let ran = unsafe { running.turns(&clock, || (*reactor).now(), goal, limit) };
            // No wake is lost between "nothing is ready" and the park: `idle` has raised the flag that makes every
            // wake from elsewhere call the unparker (`Told` in `sync::wakes`), and an unpark before a park ends it.
            // SAFETY: `OwnThread`.
            let until = unsafe {
                if running.reached(goal) {
                    return Ok(ran);
                }
                if wakes.idle() { running.next() } else { Some(Instant::ZERO) }
            };
            // SAFETY: as said above.
            let parked = unsafe { (*reactor).park(until) };
            wakes.awake();
            parked?;
        }
    }

    /// Cancels the tasks that are left, in order of creation, and runs them to their end. asyncio: `Runner.close`.
    ///
    /// Whatever is alive after that is dropped where it stands, and the loop takes no more tasks. Dropping the runner
    /// does the same.
    ///
    /// # Errors
    /// When the reactor fails while a task that was cancelled still waits. All tasks are dropped nevertheless.
    pub fn close(mut self) -> Result<(), R::Error> {
        self.shut()
    }

    fn shut(&mut self) -> Result<(), R::Error> {
        let running = self.running();
        let _here = self.enter();
        let wound_up = WindUp(running);
        let mut result = Ok(());
        // SAFETY: `OwnThread`.
        if unsafe { running.cancel_all() } > 0 {
            self.turn_here();
            // asyncio awaits a gather over them in a task of its own. If all end in their first step, that task ends
            // in the same turn and the loop one turn later; if not, the gather takes a turn, and the task another.
            // SAFETY: `OwnThread`.
            let more = if unsafe { running.reached(Goal::NoneLeft) } {
                1
            } else {
                result = self.drive(Goal::NoneLeft, EVENTS_AFTER).map(drop);
                3
            };
            for _ in 0..more {
                self.turn_here();
            }
        }
        self.with_clock(|| drop(wound_up));
        result
    }

    /// Runs `f`, which drops what users have made, with a clock that can be read.
    fn with_clock(&self, f: impl FnOnce()) {
        // SAFETY: the reactor is not borrowed mutably before `f` is over.
        self.running().with_clock(&unsafe { Clock::new(&raw const self.reactor) }, f);
    }
}

impl<R: Reactor> Drop for Runner<R> {
    fn drop(&mut self) {
        // A reactor that fails now has nobody left to tell; the tasks are dropped in any case.
        let _ = self.shut();
    }
}

impl<R: Reactor + fmt::Debug> fmt::Debug for Runner<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("reactor", &self.reactor).finish_non_exhaustive()
    }
}

/// Ends the main future before its frame goes, whatever happens.
struct EndMain {
    running: &'static Loop,
    header: NonNull<Header>,
    slot: &'static Slot,
}

impl Drop for EndMain {
    fn drop(&mut self) {
        // SAFETY: made by `run`, on the loop's thread; the body is still in its frame. The handle, which is this, goes
        // last, so the output is dropped here if nobody has taken it.
        unsafe {
            if self.slot.is_alive() {
                self.running.abandon(self.slot);
            }
            self.slot.drop_handle();
            Header::free(self.header, self.slot);
        }
    }
}

use lent::Lent;

/// The slots of a `run_all`.
#[cfg(feature = "alloc")]
mod lent {
    use super::*;
    use alloc::vec::Vec;
    use core::cell::RefCell;

    /// They are the loop's own, and go back to it: the call may return.
    pub(super) struct Lent<const N: usize> {
        running: &'static Loop,
        slots: RefCell<Vec<&'static Slot>>,
    }

    impl<const N: usize> Lent<N> {
        pub(super) const MAY_RETURN: bool = true;

        pub(super) fn new(running: &'static Loop) -> Self {
            Self { running, slots: RefCell::new(Vec::with_capacity(N)) }
        }

        /// # Safety
        /// `OwnThread`; the futures stay in place until this is dropped.
        pub(super) unsafe fn start(&mut self, futures: &mut [Pin<&mut (dyn Future<Output = ()> + '_)>; N]) {
            for future in futures {
                let body = core::ptr::from_mut(future).cast();
                // SAFETY: by the caller's word.
                let started = unsafe {
                    let ready = self.running.ready();
                    let slot = ready.claim();
                    let started = slot.start(ready, body, true, false);
                    self.slots.borrow_mut().push(slot);
                    self.running.lend(1);
                    started
                };
                started.tell();
            }
        }

        pub(super) fn goal(&self) -> Goal {
            Goal::NoneLent
        }
    }

    impl<const N: usize> Drop for Lent<N> {
        fn drop(&mut self) {
            for slot in self.slots.borrow_mut().drain(..) {
                if slot.is_alive() {
                    slot.end();
                }
                self.running.ready().give_back(slot);
            }
            // SAFETY: as above.
            unsafe { self.running.lend_none() };
        }
    }
}

/// The slots of a `run_all`.
#[cfg(not(feature = "alloc"))]
mod lent {
    use super::*;

    /// They are in the frame of the call, which for that reason must not return.
    pub(super) struct Lent<const N: usize> {
        running: &'static Loop,
        /// Filled by `start`, one after the other: an array of new ones would be cleared first.
        slots: [MaybeUninit<Slot>; N],
    }

    impl<const N: usize> Lent<N> {
        pub(super) const MAY_RETURN: bool = false;

        pub(super) fn new(running: &'static Loop) -> Self {
            Self { running, slots: [const { MaybeUninit::uninit() }; N] }
        }

        /// # Safety
        /// `OwnThread`; the futures stay in place, and this too, until it is dropped, which must not come to its end.
        pub(super) unsafe fn start(&mut self, futures: &mut [Pin<&mut (dyn Future<Output = ()> + '_)>; N]) {
            for (future, slot) in futures.iter_mut().zip(&mut self.slots) {
                let slot = core::ptr::from_ref(slot.write(Slot::new()));
                // SAFETY: `Immortal`, by the caller's word: the frame stays for good.
                let slot = unsafe { &*slot };
                // SAFETY: by the caller's word.
                unsafe { slot.lend(self.running.ready(), core::ptr::from_mut(future).cast()) };
            }
        }

        pub(super) fn goal(&self) -> Goal {
            Goal::Nothing
        }
    }

    impl<const N: usize> Drop for Lent<N> {
        fn drop(&mut self) {
            // Only a panic on its way through `run_all` comes here. Wakers may name the slots in this frame, so it must
            // not be left; a panic in a drop while panicking aborts.
            panic!("corio: a panic must not leave run_all() where there is no allocator");
        }
    }
}
