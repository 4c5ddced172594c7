//! `finally`: clean-up that may wait, and runs however the body was left.
//!
//! A scope (see `scope`) with two parts. When the first is left, by its end or by being unwound, the second runs; a request
//! to end that comes then is kept back until it is over. The limit on the clean-up is a [`Timeout`] around it, which is
//! therefore within this scope, and the only thing that ends the clean-up early.

use crate::Duration;
use crate::sched::current;
use crate::scope;
use crate::task::slot::Slot;
use crate::timeout::Timeout;
use core::fmt;
use core::future::{Future, IntoFuture};
use core::pin::Pin;
use core::task::{Context, Poll};

/// Runs `body`, then `cleanup`, and gives what `body` returned. asyncio: `try`, `finally` with an `await` in it.
///
/// Drop guards run whenever a future is dropped, but they cannot wait. A clean-up can: it runs when `body` is at its end,
/// and also when the task is cancelled, or a timeout or a group around it unwinds. Whatever encloses it waits for it: the
/// timeout, the group, whoever awaits the task, and the runner at its end.
///
/// ```
/// use corio::{Duration, finally, sleep, timeout};
/// # corio_sim::run(async {
/// # let (connection, goodbye) = (sleep(Duration::from_secs(60)), sleep(Duration::from_millis(5)));
/// let talk = finally(connection, goodbye).within(Duration::from_secs(1));
/// let talked = timeout(Duration::from_secs(10), talk).await;
/// assert!(talked.is_err());
/// assert_eq!(corio::now().as_millis(), 10_005); // `goodbye` was waited for
/// # });
/// ```
///
/// While the clean-up runs, further requests to end the task wait until it is over. It should not take for ever: see
/// [`within`](Finally::within).
///
/// # Cancel safety
/// **Not safe.** Who drops the future, other than by cancelling the task or through a scope of this crate, drops the
/// clean-up with it, unrun or half-way: a drop cannot wait. The same goes for a panic of `body`, and for what a loop
/// still holds at its very end. Cancelling loses nothing: the clean-up runs.
pub fn finally<B: IntoFuture, C: IntoFuture>(body: B, cleanup: C) -> Finally<B::IntoFuture, C::IntoFuture> {
    Finally {
        body: Some(body.into_future()),
        cleanup: Timeout::unlimited(cleanup.into_future()),
        stage: Stage::Body { nested: false },
        cancelled: false,
    }
}

pin_project_lite::pin_project! {
    /// A body and its clean-up.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Finally<B: Future, C> {
        #[pin]
        body: Option<B>,
        #[pin]
        cleanup: Timeout<C>,
        stage: Stage<B::Output>,
        // The task unwinds, when the clean-up is over.
        cancelled: bool,
    }
}

enum Stage<T> {
    Body {
        /// There is a pending scope within the body.
        nested: bool,
    },
    /// With what the body returned, if it was not unwound.
    Cleanup(Option<T>),
    /// The same, and the clean-up is over, perhaps because its time was up.
    Over(Option<T>, bool),
}

impl<B: Future, C: Future> Finally<B, C> {
    /// Gives the clean-up so much time, from when it first waits. If that is not enough it is dropped, as by a timeout, and
    /// this is reported: by [`Overrun`], or if the task unwinds and nobody will see that, by
    /// [`or_report`](Within::or_report).
    ///
    /// # Cancel safety
    /// **Not safe.** As [`finally`]: who drops the future drops the clean-up; cancelling has it run.
    pub fn within(mut self, limit: Duration) -> Within<B, C, fn()> {
        self.cleanup.set_duration(limit);
        Within { finally: self, report: None }
    }

    /// Polls body and clean-up; with what the body returned, and whether the time for the clean-up was up.
    fn poll_both(self: Pin<&mut Self>, cx: &mut Context<'_>, report: impl FnOnce()) -> Poll<(B::Output, bool)> {
        let mut this = self.project();
        let here = current::find();
        if let Stage::Body { nested } = this.stage {
            let Poll::Ready(held) = scope::poll(this.body.as_mut(), nested, cx) else { return Poll::Pending };
            this.body.set(None);
            *this.stage = Stage::Cleanup(held.ok());
        }
        // Whatever is asked for from outside must wait.
        *this.cancelled |= here.is_some_and(|here| here.set_unwinding(false));
        if let Stage::Cleanup(returned) = this.stage {
            let task = here.and_then(|here| here.ready().running_task(cx.waker()));
            let beside = task.is_some_and(Slot::is_waiting);
            let polled = this.cleanup.as_mut().poll(cx);
            // The clean-up was unwound because its time was up, in the very step in which others asked too.
            let unwound = here.is_some_and(|here| here.set_unwinding(false));
            let overrun = match polled {
                Poll::Ready(done) => done.is_err(),
                Poll::Pending if unwound => true,
                Poll::Pending => {
                    if let Some(task) = task
                        && !beside
                    {
                        // What the clean-up awaits is not to be cancelled when the task is.
                        task.keep_cancel();
                    }
                    here.map(|here| here.ready().set_scoped(true));
                    return Poll::Pending;
                }
            };
            *this.cancelled |= unwound;
            *this.stage = Stage::Over(returned.take(), overrun);
            if overrun {
                report();
            }
        }
        if let Stage::Over(returned, overrun) = this.stage
            && !*this.cancelled
            && let Some(output) = returned.take()
        {
            return Poll::Ready((output, *overrun));
        }
        // The next scope outside, or the task's root.
        scope::unwind_on();
        Poll::Pending
    }
}

impl<B: Future, C: Future> Future for Finally<B, C> {
    type Output = B::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_both(cx, || {}).map(|(output, _)| output)
    }
}

impl<B: Future, C> fmt::Debug for Finally<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cleaning = !matches!(self.stage, Stage::Body { .. });
        f.debug_struct("Finally").field("cleaning", &cleaning).finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// A body and its clean-up, which has a limit on its time.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Within<B: Future, C, R> {
        #[pin]
        finally: Finally<B, C>,
        report: Option<R>,
    }
}

impl<B: Future, C, R> Within<B, C, R> {
    /// Has `report` called when the clean-up takes too long, also when the task unwinds and so nobody sees the output.
    ///
    /// # Cancel safety
    /// **Not safe.** As [`finally`]: who drops the future drops the clean-up; cancelling has it run.
    pub fn or_report<S: FnOnce()>(self, report: S) -> Within<B, C, S> {
        Within { finally: self.finally, report: Some(report) }
    }
}

impl<B: Future, C: Future, R: FnOnce()> Future for Within<B, C, R> {
    type Output = Result<B::Output, Overrun<B::Output>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let report = || {
            if let Some(report) = this.report.take() {
                report();
            }
        };
        let (output, overrun) = core::task::ready!(this.finally.poll_both(cx, report));
        Poll::Ready(if overrun { Err(Overrun(output)) } else { Ok(output) })
    }
}

impl<B: Future, C, R> fmt::Debug for Within<B, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.finally.fmt(f)
    }
}

/// The clean-up of a [`finally`] took too long and was dropped. What the body returned comes back.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Overrun<T>(pub T);

impl<T> fmt::Debug for Overrun<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Overrun")
    }
}

impl<T> fmt::Display for Overrun<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the clean-up took too long")
    }
}

impl<T> core::error::Error for Overrun<T> {}
