#![allow(unsafe_code)] // drops the future in its place, when it is told to
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
/// As `future`'s own: dropping the timeout drops it.
///
/// # Errors
/// [`TimedOut`] when the time was up first. Once the deadline has fired the outcome is decided, even if the future
/// became ready in the same turn, as in asyncio.
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    // A zero `sleep` would be a yield; a deadline that is past is a timer like any other.
    let sleep = if duration.is_zero() { sleep_until(Instant::ZERO) } else { sleep(duration) };
    Timeout { sleep, future: ManuallyDrop::new(future.into_future()) }
}

/// Runs `future` until `deadline` at most. asyncio: `timeout_at`. See [`timeout()`].
///
/// # Errors
/// [`TimedOut`] when the time was up first.
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout { sleep: sleep_until(deadline), future: ManuallyDrop::new(future.into_future()) }
}

pin_project_lite::pin_project! {
    /// A future with a limit on its time.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Timeout<F> {
        #[pin]
        future: ManuallyDrop<F>,
        #[pin]
        sleep: Sleep,
    }

    impl<F> PinnedDrop for Timeout<F> {
        fn drop(this: Pin<&mut Self>) {
            this.drop_held();
        }
    }
}

/// How far it has come, in its note.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    New,
    /// The future waits, and the time runs.
    Running,
    /// The time was up from the start, and the task is cancelled at its next step.
    Overdue,
    /// The time is up, and this unwinds what it holds by itself: it is not polled by a task of ours, or is one of several
    /// in it.
    Unwinding,
    /// At its end, or somebody else unwinds it.
    Over,
}

/// In the note beside the stage: there is a pending scope within.
const NESTED: u8 = 1 << 3;
/// The future was dropped.
const GONE: u8 = 1 << 4;
const FLAGS: u8 = NESTED | GONE;

impl<F> Timeout<F> {
    fn stage(&self) -> Stage {
        match self.sleep.note().get() & !FLAGS {
            0 => Stage::New,
            1 => Stage::Running,
            2 => Stage::Overdue,
            3 => Stage::Unwinding,
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

    /// Drops the future, if it is there.
    fn drop_held(self: Pin<&mut Self>) {
        if !self.is(GONE) {
            self.mark(GONE, true);
            // SAFETY: `Held`. It is dropped where it is pinned.
            unsafe { ManuallyDrop::drop(self.project().future.get_unchecked_mut()) };
        }
    }
}

impl<F: Future> Holds for Timeout<F> {
    type Future = F;

    fn held(self: Pin<&mut Self>) -> Option<Pin<&mut F>> {
        // SAFETY: `Held`; a pinned `ManuallyDrop` pins what is in it.
        (!self.is(GONE)).then(|| unsafe { self.project().future.map_unchecked_mut(|future| &mut **future) })
    }

    fn let_go(self: Pin<&mut Self>) {
        self.drop_held();
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, TimedOut>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.stage() == Stage::New {
            // Before the future's first poll, in which it may cancel its own task.
            self.sleep.set_count(task(cx).map_or(0, Slot::cancels));
        }
        let fired = self.stage() == Stage::Running && self.sleep.has_ended();
        let by_itself = fired && !self.sleep.expires();
        if by_itself || self.stage() == Stage::Unwinding {
            // Unless whoever polls this unwinds: then it is theirs.
            let theirs = current::find().is_some_and(Loop::is_unwinding);
            self.set_stage(if theirs { Stage::Over } else { Stage::Unwinding });
        }
        if by_itself {
            current::find().map(|here| here.set_unwinding(true));
        }
        let mut nested = self.is(NESTED);
        let polled = scope::poll(self.as_mut(), &mut nested, cx);
        self.mark(NESTED, nested);
        let Poll::Ready(held) = polled else {
            // Once its time is up it waits for what it holds to unwind.
            if !fired && matches!(self.stage(), Stage::New | Stage::Running) {
                let stage = self.as_mut().project().sleep.limit(cx);
                self.set_stage(stage);
            }
            return Poll::Pending;
        };
        let stage = self.stage();
        self.set_stage(Stage::Over);
        let own = stage == Stage::Unwinding;
        let by_task = stage == Stage::Overdue || fired && !by_itself;
        self.as_mut().project().sleep.stop();
        let taken_back = by_task
            && match task(cx) {
                Some(task) => task.uncancel() <= self.sleep.count(),
                None => true,
            };
        match held {
            Ok(output) => Poll::Ready(Ok(output)),
            Err(Unwound) if own || taken_back => {
                current::find().map(|here| here.set_unwinding(false));
                Poll::Ready(Err(TimedOut))
            }
            // Somebody else's request: the next scope outside, or the task's root.
            Err(Unwound) => Poll::Pending,
        }
    }
}

/// The task whose step this is.
fn task(cx: &Context<'_>) -> Option<&'static Slot> {
    current::find()?.ready().running_task(cx.waker())
}

impl Sleep {
    /// Has the deadline cancel the task whose step this is, or wake whoever else polls.
    fn limit(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Stage {
        let task = task(cx);
        if let Some(task) = task
            && self.is_overdue()
            && task.is_queued()
        {
            // asyncio has the time come in the next turn before the step that is queued already.
            task.cancel();
            return Stage::Overdue;
        }
        self.register_for(cx, task);
        Stage::Running
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("sleep", &self.sleep).finish_non_exhaustive()
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
