#![allow(unsafe_code)] // a timer node is pinned in the future and registered with the loop
//! `timeout`, `timeout_at`: a limit on how long a future may take.
//!
//! A scope (see `scope`) with a deadline. When that fires it cancels the task that is in it, as anybody else might, and
//! takes that request back when the task has unwound so far. So a task that waits for another when its time is up
//! cancels that other, and goes on when it has ended; and a request from outside at the same time wins.
//!
//! All that it needs besides the deadline is in a byte that the deadline has to spare, so that limits within limits stay
//! small. Invariant `Held`: the future is there until `GONE` is noted, and is dropped after that.

use crate::sched::{Loop, current};
use crate::scope::{self, Holds, Unwound};
use crate::sleep::{Sleep, sleep, sleep_until};
use crate::task::StoredWaker;
use crate::task::awaited::Mark;
#[cfg(feature = "alloc")]
use crate::task::slot::InLine;
use crate::task::slot::Slot;
use crate::{Duration, Instant};
use core::fmt;
use core::future::{Future, IntoFuture};
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Runs `future` for at most `duration`, counted from when it first waits. asyncio: `timeout`, `wait_for`.
///
/// When time is up the future is dropped; if it waits for a task, that task is cancelled, and its end is waited for. A future that is ready at once never sees the clock, so `timeout` around it
/// costs a few instructions and succeeds even with a zero duration.
///
/// ```
/// use corio::{Duration, TimedOut, sleep, timeout};
/// # corio_sim::run(async {
/// assert_eq!(timeout(Duration::from_secs(1), async { 5 }).await, Ok(5));
/// assert_eq!(timeout(Duration::from_secs(1), sleep(Duration::from_secs(3600))).await, Err(TimedOut));
/// # });
/// ```
///
/// # Cancel safety
/// **Loses nothing.** Of its own, that is: dropping the timeout drops `future`, and that loses what `future` does.
///
/// # Errors
/// [`TimedOut`] when the time was up first. Once the deadline has fired the outcome is decided, even if the future
/// became ready in the same turn, as in asyncio.
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    // A zero `sleep` would be a yield; a deadline that is past is a timer like any other.
    let sleep = if duration.is_zero() { sleep_until(Instant::ZERO) } else { sleep(duration) };
    Timeout { limit: Limit::new(sleep, Stage::New), future: ManuallyDrop::new(future.into_future()) }
}

/// Runs `future` until `deadline` at most. asyncio: `timeout_at`. See [`timeout()`].
///
/// ```
/// use corio::{Duration, TimedOut, now, sleep, timeout_at};
/// # corio_sim::run(async {
/// // One deadline for several steps.
/// let deadline = now() + Duration::from_secs(3);
/// assert_eq!(timeout_at(deadline, sleep(Duration::from_secs(2))).await, Ok(()));
/// assert_eq!(timeout_at(deadline, sleep(Duration::from_secs(2))).await, Err(TimedOut));
/// # });
/// ```
///
/// # Cancel safety
/// **Loses nothing.** As [`timeout()`]: but what `future` does.
///
/// # Errors
/// [`TimedOut`] when the time was up first.
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout { limit: Limit::new(sleep_until(deadline), Stage::New), future: ManuallyDrop::new(future.into_future()) }
}

pin_project_lite::pin_project! {
    /// A future with a limit on its time.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Timeout<F> {
        #[pin]
        future: ManuallyDrop<F>,
        #[pin]
        limit: Limit,
    }

    impl<F> PinnedDrop for Timeout<F> {
        fn drop(this: Pin<&mut Self>) {
            if !this.limit.is(GONE) {
                // SAFETY: `Held`. It is dropped where it is pinned.
                unsafe { ManuallyDrop::drop(this.project().future.get_unchecked_mut()) };
            }
        }
    }
}

impl<F> Timeout<F> {
    /// No limit, until `set_duration` says otherwise.
    pub(crate) fn unlimited(future: F) -> Self {
        Self { limit: Limit::new(sleep(Duration::ZERO), Stage::Over), future: ManuallyDrop::new(future) }
    }

    /// Sets the limit, before the first poll.
    pub(crate) fn set_duration(&mut self, duration: Duration) {
        let sleep = if duration.is_zero() { sleep_until(Instant::ZERO) } else { sleep(duration) };
        self.limit = Limit::new(sleep, Stage::New);
    }
}

impl<F> Timeout<F> {
    /// Drops the future, if it is there.
    fn drop_held(self: Pin<&mut Self>) {
        if !self.limit.is(GONE) {
            self.limit.mark(GONE, true);
            // SAFETY: `Held`. It is dropped where it is pinned.
            unsafe { ManuallyDrop::drop(self.project().future.get_unchecked_mut()) };
        }
    }
}

impl<F: Future> Holds for Timeout<F> {
    type Future = F;

    fn held(self: Pin<&mut Self>) -> Option<Pin<&mut F>> {
        // SAFETY: `Held`; a pinned `ManuallyDrop` pins what is in it.
        (!self.limit.is(GONE)).then(|| unsafe { self.project().future.map_unchecked_mut(|future| &mut **future) })
    }

    fn let_go(self: Pin<&mut Self>) {
        self.drop_held();
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, TimedOut>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(here) = self.limit.begin_plainly() {
            // SAFETY: `Held`: nothing is noted yet. A pinned `ManuallyDrop` pins what is in it.
            let future = unsafe { self.as_mut().project().future.map_unchecked_mut(|future| &mut **future) };
            if let Poll::Ready(output) = future.poll(cx) {
                self.limit.end_plainly(here);
                return Poll::Ready(Ok(output));
            }
            let now = Now::plain(here, cx);
            let mut nested = false;
            let polled = scope::after(self.as_mut(), &mut nested, here, false, true);
            return self.settle(now, nested, polled, cx);
        }
        let now = self.limit.begin(cx);
        let mut nested = self.limit.is(NESTED);
        let polled = scope::poll(self.as_mut(), &mut nested, cx);
        self.settle(now, nested, polled, cx)
    }
}

impl<F: Future> Timeout<F> {
    /// The second half of a poll.
    fn settle(
        self: Pin<&mut Self>,
        mut now: Now,
        nested: bool,
        polled: Poll<Result<F::Output, Unwound>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<F::Output, TimedOut>> {
        self.limit.mark(NESTED, nested);
        let limit = self.project().limit;
        match polled {
            Poll::Ready(held) => limit.end(&now, held),
            Poll::Pending => {
                if now.fired {
                    limit.ask_again(&now);
                } else if limit.stage() != Stage::Over {
                    let first = limit.stage() == Stage::New;
                    limit.wait(&mut now, cx, first);
                }
                Poll::Pending
            }
        }
    }
}

pin_project_lite::pin_project! {
    /// The deadline of a scope, and, in its note, how far that has come.
    pub(crate) struct Limit {
        #[pin]
        sleep: Sleep,
    }

    impl PinnedDrop for Limit {
        fn drop(this: Pin<&mut Self>) {
            // Or else there is nothing registered, and nothing asked for.
            if this.sleep.is_registered() || matches!(this.stage(), Stage::Running | Stage::Overdue) {
                this.into_ref().leave();
            }
        }
    }
}

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    New,
    /// What is in the scope waits, without a deadline for now.
    Idle,
    /// What is in the scope waits, and the time runs, or has fired.
    Running,
    /// The time was up from the start, and the task is asked to unwind what is in here at its next step.
    Overdue,
    /// At its end, or without a deadline.
    Over,
}

/// In the note beside the stage: there is a pending scope within.
const NESTED: u8 = 1 << 3;
/// The future was dropped.
const GONE: u8 = 1 << 4;
/// What is held was asked to unwind.
const ASKED: u8 = 1 << 5;
const FLAGS: u8 = NESTED | GONE | ASKED;

/// The deadline could not be moved, for there is none.
pub(crate) struct NoDeadline;

/// What a step finds.
pub(crate) struct Now {
    here: Option<&'static Loop>,
    /// The task whose step this is, if it is polled by its own waker.
    task: Option<&'static Slot>,
    /// It is the first step, and the deadline has its order among those of its time.
    reserved: bool,
    /// The deadline is past in the first step: where the line of what is ready ended at its beginning.
    #[cfg(feature = "alloc")]
    overdue: Option<InLine>,
    /// The time is up.
    pub(crate) fired: bool,
    /// Nobody else unwinds what is held, for it is not polled by a task of ours.
    own: bool,
    /// A scope outside unwinds, or all of the task does.
    all: bool,
    /// This step unwinds what is held, because the time is up.
    unwinds: bool,
    /// The task had come to something that it awaits before it came here.
    beside: bool,
}

impl Now {
    /// What a plain first step finds.
    fn plain(here: &'static Loop, cx: &Context<'_>) -> Self {
        Self {
            here: Some(here),
            task: here.ready().running_task(cx.waker()),
            reserved: true,
            #[cfg(feature = "alloc")]
            overdue: None,
            fired: false,
            own: false,
            all: false,
            unwinds: false,
            beside: false,
        }
    }

    /// What the task has come to await since.
    fn awaited(&self) -> Mark {
        self.task.filter(|_| !self.beside).map_or(Mark::NOTHING, Slot::awaited)
    }
}

impl Limit {
    pub(crate) fn new(sleep: Sleep, stage: Stage) -> Self {
        sleep.note().set(stage as u8);
        Self { sleep }
    }

    pub(crate) fn stage(&self) -> Stage {
        match self.sleep.note().get() & !FLAGS {
            0 => Stage::New,
            1 => Stage::Idle,
            2 => Stage::Running,
            3 => Stage::Overdue,
            _ => Stage::Over,
        }
    }

    fn set_stage(&self, stage: Stage) {
        let note = self.sleep.note();
        note.set(note.get() & FLAGS | stage as u8);
    }

    fn is(&self, flag: u8) -> bool {
        self.sleep.note().get() & flag != 0
    }

    fn mark(&self, flag: u8, to: bool) {
        let note = self.sleep.note();
        note.set(note.get() & !flag | if to { flag } else { 0 });
    }

    /// `begin`, for a first step in which there is nothing special. What is held may be ready at once, and then it is
    /// this that a timeout costs.
    #[inline]
    fn begin_plainly(&self) -> Option<&'static Loop> {
        if self.sleep.note().get() != Stage::New as u8 || !self.sleep.is_relative() {
            return None;
        }
        let here = current::find().filter(|here| !here.is_unwinding())?;
        let task = here.ready().running_plainly()?;
        self.sleep.set_count(task.cancels());
        self.sleep.reserve(here);
        Some(here)
    }

    /// `end` for what was ready in that step.
    #[inline]
    fn end_plainly(&self, here: &'static Loop) {
        here.ready().set_scoped(false);
        self.sleep.note().set(Stage::Over as u8);
    }

    /// Before what is held is polled.
    pub(crate) fn begin(&self, cx: &Context<'_>) -> Now {
        let here = current::find();
        let task = here.and_then(|here| here.ready().running_task(cx.waker()));
        let new = self.stage() == Stage::New;
        if new {
            // Before the first poll of what is held, in which it may cancel its own task, and register timers.
            self.sleep.set_count(task.map_or(0, Slot::cancels));
            if let Some(here) = here {
                self.sleep.reserve(here);
            }
        }
        let fired = self.has_fired();
        // Nobody else either if it has fired for another task, or for this one when that polled it with its own waker.
        let own = fired
            && self.stage() == Stage::Running
            && !(self.sleep.expires() && task.is_some_and(|task| self.sleep.has_cancelled(task)));
        let all = here.is_some_and(Loop::is_unwinding);
        let unwinds = fired && !all && (own || here.is_some_and(Loop::is_delivering));
        if unwinds {
            here.map(|here| here.set_unwinding(true));
        }
        if unwinds || fired && all {
            self.mark(ASKED, true);
        }
        #[cfg(feature = "alloc")]
        let overdue = match (here, task) {
            (Some(here), Some(_)) if new && self.sleep.is_overdue() => {
                // SAFETY: `OwnThread`: the ambient loop is this thread's.
                Some(unsafe { here.ready().wakes().end_of_line() })
            }
            _ => None,
        };
        Now {
            here,
            task,
            reserved: new && here.is_some(),
            #[cfg(feature = "alloc")]
            overdue,
            fired,
            own,
            all,
            unwinds,
            beside: task.is_some_and(Slot::is_waiting),
        }
    }

    /// What is held is pending, and the time was not up: has the deadline cancel what is held, in the task whose step this
    /// is, or wake whoever else polls.
    /// `first`: it is the deadline of the beginning, which comes before timers of its time that were registered since.
    pub(crate) fn wait(mut self: Pin<&mut Self>, now: &mut Now, cx: &mut Context<'_>, first: bool) {
        // When the time is up, what unwinds may still wait, as a group does for its children: then this is not called.
        #[cfg(feature = "alloc")]
        let mut place = if first { now.overdue.take() } else { None };
        #[cfg(not(feature = "alloc"))]
        let place: Option<()> = None;
        let overdue = now.task.filter(|_| place.is_none() && self.sleep.is_overdue());
        if let Some(task) = overdue
            && task.is_queued()
        {
            // asyncio has the time come in the next turn before the step that is queued already.
            task.cancel_scope(Mark::NOTHING);
            return self.set_stage(Stage::Overdue);
        }
        #[cfg(feature = "alloc")]
        if let (Some(_), Some(here)) = (overdue, now.here) {
            // SAFETY: `OwnThread`: the ambient loop is this thread's.
            place = Some(unsafe { here.ready().wakes().end_of_line() });
        }
        let awaited = now.awaited();
        let reserved = first && now.reserved;
        #[cfg(feature = "alloc")]
        if place.is_some() {
            self.sleep.come_first();
        }
        // First, for the clone of a foreign waker may take the deadline away again.
        self.set_stage(Stage::Running);
        self.as_mut().project().sleep.register_for(cx, now.task, awaited, reserved);
        #[cfg(feature = "alloc")]
        if let (Some(place), Some(here)) = (place, now.here) {
            // SAFETY: it was taken from that loop in this step.
            unsafe { self.sleep.hasten(here, place) };
        }
    }

    /// What is held is pending though the time is up. Perhaps its task has unwound in a step that has come to other futures,
    /// and not here, as where one is polled once and then put aside: then it is asked once more. Not if the request was
    /// passed on to what the task awaited in here: what that makes of it is its own affair.
    pub(crate) fn ask_again(&self, now: &Now) {
        if let Some(task) = now.task
            && !now.own
            && !self.is(ASKED)
            && !self.sleep.cancels_awaited()
        {
            let awaited = now.awaited();
            self.mark(ASKED, awaited != Mark::NOTHING);
            task.ask_again(awaited);
        }
    }

    /// Sets the deadline before the first step.
    pub(crate) fn set_first(mut self: Pin<&mut Self>, deadline: Instant) {
        self.as_mut().project().sleep.set_deadline(deadline);
    }

    /// Sets the deadline, or none, in a step that calls `wait` at its end if there is one.
    pub(crate) fn set_deadline(mut self: Pin<&mut Self>, deadline: Option<Instant>) {
        self.as_mut().project().sleep.set_deadline(deadline.unwrap_or(Instant::ZERO));
        // Not `New`, which counts the requests at the beginning.
        self.set_stage(Stage::Idle);
    }

    /// Moves the deadline, or takes it away, in between two steps. What is returned is a waker to be kept if there is no
    /// deadline any more.
    pub(crate) fn reschedule(self: Pin<&Self>, deadline: Option<Instant>) -> Result<StoredWaker, NoDeadline> {
        let sleep = self.project_ref().sleep;
        match deadline {
            Some(deadline) => {
                #[cfg(feature = "alloc")]
                let moved = sleep.hurry_to(deadline);
                #[cfg(not(feature = "alloc"))]
                let moved = sleep.move_to(deadline);
                moved.then_some(StoredWaker::NONE).ok_or(NoDeadline)
            }
            None => {
                let waker = sleep.take_out().ok_or(NoDeadline)?;
                self.set_stage(Stage::Idle);
                Ok(waker)
            }
        }
    }

    /// True while there is no deadline.
    pub(crate) fn is_idle(&self) -> bool {
        self.stage() == Stage::Idle
    }

    /// What is held has ended, or was unwound.
    pub(crate) fn end<T>(self: Pin<&mut Self>, now: &Now, held: Result<T, Unwound>) -> Poll<Result<T, TimedOut>> {
        if now.own {
            self.take_back();
        }
        self.as_ref().project_ref().sleep.stop();
        self.set_stage(Stage::Over);
        let taken_back = match now.task {
            _ if !now.fired || now.own => now.own && !now.all,
            Some(task) => {
                let others = task.uncancel() > self.sleep.count();
                // What other scopes in branches beside this one have asked for is no concern of this one.
                !others || !now.all && !task.is_asked_from_outside()
            }
            None => true,
        };
        match held {
            Ok(output) => {
                if now.unwinds {
                    now.here.map(|here| here.set_unwinding(false));
                }
                Poll::Ready(Ok(output))
            }
            Err(Unwound) if taken_back => {
                now.here.map(|here| here.set_unwinding(false));
                Poll::Ready(Err(TimedOut))
            }
            // Somebody else's request: the next scope outside, or the task's root.
            Err(Unwound) => {
                scope::unwind_on();
                Poll::Pending
            }
        }
    }

    /// True when the time is up, and the scope is not at its end.
    pub(crate) fn has_fired(&self) -> bool {
        self.stage() == Stage::Overdue || self.stage() == Stage::Running && self.sleep.has_ended()
    }

    /// It is dropped before its end.
    #[cold]
    #[inline(never)]
    fn leave(self: Pin<&Self>) {
        self.take_back();
        self.project_ref().sleep.stop();
    }

    /// If it has asked its task to unwind and that was not delivered, the request goes too: so who drops
    /// it because another branch was first is not cancelled for it.
    fn take_back(&self) {
        let overdue = self.stage() == Stage::Overdue;
        if (overdue || self.has_fired())
            && let Some(task) = current::find().and_then(|here| here.ready().running())
            && (overdue || self.sleep.has_cancelled(task))
        {
            task.uncancel();
        }
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("expired", &self.limit.has_fired()).finish_non_exhaustive()
    }
}

/// The time was up. asyncio: `TimeoutError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl core::error::Error for TimedOut {}
