//! `timeout`, `timeout_at`: a limit on how long a future may take.

use crate::{Duration, Instant, Sleep, now, sleep, sleep_until};
use core::fmt;
use core::future::{Future, IntoFuture};
use core::pin::Pin;
use core::task::{Context, Poll};

/// Runs `future` for at most `duration`, counted from when it first waits. asyncio: `timeout`, `wait_for`.
///
/// When time is up the future is dropped. A future that is ready at once never sees the clock, so `timeout` around it
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
    Timeout {
        sleep,
        future: Some(future.into_future()),
        stage: if duration.is_zero() { Stage::Overdue } else { Stage::New },
    }
}

/// Runs `future` until `deadline` at most. asyncio: `timeout_at`. See [`timeout()`].
///
/// # Errors
/// [`TimedOut`] when the time was up first.
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout { sleep: sleep_until(deadline), future: Some(future.into_future()), stage: Stage::Until(deadline) }
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
    }
}

/// How far it has come.
#[derive(Clone, Copy)]
enum Stage {
    New,
    /// New, with a deadline that may be past.
    Until(Instant),
    /// New, and the time is up already: `future` gets the one poll in which it may be ready at once.
    Overdue,
    /// The future waits, and the time runs.
    Running,
    /// The future waits in vain.
    Late,
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, TimedOut>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // A deadline that has fired decides, as a cancellation that was delivered does in asyncio. One that was past
        // from the start decides at the next step, whatever has caused that.
        let late = match this.stage {
            Stage::Late => true,
            Stage::Running => this.sleep.has_ended(),
            _ => false,
        };
        if late {
            this.future.set(None);
        }
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Ready(Err(TimedOut)) };
        if let Poll::Ready(output) = future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        *this.stage = match *this.stage {
            Stage::Overdue => Stage::Late,
            Stage::Until(deadline) if deadline <= now() => Stage::Late,
            _ => Stage::Running,
        };
        // Just registered, or polled for another reason than its end, which `late` would have seen: it is pending.
        this.sleep.poll(cx).map(|()| {
            this.future.set(None);
            Err(TimedOut)
        })
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
