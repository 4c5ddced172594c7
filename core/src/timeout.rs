#![allow(unsafe_code)] // a timer node is pinned in the future and registered with the loop
//! `timeout`, `timeout_at`: a limit on how long a future may take.
//!
//! A scope (see `scope`) with a deadline. When that fires it cancels the task that is in it, as anybody else might, and
//! takes that request back when the task has unwound so far. So a task that waits for another when its time is up
//! cancels that other, and goes on when it has ended; and a request from outside at the same time wins.

use crate::sched::{Loop, current};
use crate::scope::{self, Unwound};
use crate::sleep::{Sleep, sleep, sleep_until};
use crate::task::slot::Slot;
use crate::{Duration, Instant};
use core::fmt;
use core::future::{Future, IntoFuture};
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
    Timeout { sleep, future: Some(future.into_future()), stage: Stage::New, nested: false }
}

/// Runs `future` until `deadline` at most. asyncio: `timeout_at`. See [`timeout()`].
///
/// # Errors
/// [`TimedOut`] when the time was up first.
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout { sleep: sleep_until(deadline), future: Some(future.into_future()), stage: Stage::New, nested: false }
}

pin_project_lite::pin_project! {
    /// A future with a limit on its time.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Timeout<F> {
        #[pin]
        future: Option<F>,
        #[pin]
        sleep: Sleep,
        stage: Stage,
        nested: bool,
    }
}

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    /// The future waits, and the time runs.
    Running,
    /// The time was up from the start, and the task is cancelled at its next step.
    Overdue,
    /// The time is up, and this unwinds what it holds by itself: it is not polled by a task of ours.
    Unwinding,
    /// At its end.
    Over,
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, TimedOut>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if *this.stage == Stage::New {
            // Before the future's first poll, in which it may cancel its own task.
            this.sleep.set_count(task(cx).map_or(0, Slot::cancels));
        }
        let fired = *this.stage == Stage::Running && this.sleep.has_ended();
        let by_itself = fired && !this.sleep.expires();
        if by_itself || *this.stage == Stage::Unwinding {
            // Unless whoever polls this unwinds: then it is theirs.
            let theirs = current::find().is_some_and(Loop::is_unwinding);
            *this.stage = if theirs { Stage::Over } else { Stage::Unwinding };
        }
        if by_itself {
            current::find().map(|here| here.set_unwinding(true));
        }
        let held = match scope::poll(this.future.as_mut(), this.nested, cx) {
            Poll::Ready(held) => held,
            Poll::Pending => {
                if matches!(*this.stage, Stage::New | Stage::Running) {
                    *this.stage = this.sleep.as_mut().limit(cx);
                }
                return Poll::Pending;
            }
        };
        let stage = core::mem::replace(this.stage, Stage::Over);
        let own = stage == Stage::Unwinding;
        let by_task = stage == Stage::Overdue || fired && !by_itself;
        this.sleep.as_mut().stop();
        let taken_back = by_task
            && match task(cx) {
                Some(task) => task.uncancel() <= this.sleep.count(),
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
