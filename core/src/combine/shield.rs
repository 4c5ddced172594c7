//! `shield` and `cancel_and_wait`: two ways to wait for a task that awaiting it is not.

use super::child::Waitable;
use super::watching::{Flag, Watching};
use crate::task::Cancelled;
use alloc::rc::Rc;
use alloc::vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Waits for a task, and keeps a cancellation of the one who waits from it. asyncio: `shield`.
///
/// ```
/// use corio::{Duration, TimedOut, shield, sleep, spawn, timeout};
/// let ms = Duration::from_millis;
/// # corio_sim::run(async {
/// let write = spawn(async move { sleep(ms(50)).await; "written" });
/// // Without the shield, the time limit would cancel the task.
/// assert_eq!(timeout(ms(20), shield(&write)).await, Err(TimedOut));
/// assert_eq!(write.await, Ok("written"));
/// # });
/// ```
///
/// It goes on two turns after the task has ended, as asyncio's does; and at once if it has ended before.
///
/// # Cancellation
/// When the one who waits is cancelled it unwinds at its next turn, and the task goes on.
///
/// # Cancel safety
/// **Not safe.** Dropping it lets the task go on, whether it was lent or given away. If it was given away its outcome
/// is lost: nobody hears of it. If it was lent nothing is.
///
/// # Errors
/// [`Cancelled`] when the task was.
///
/// # Panics
/// When it has to wait outside a loop.
pub fn shield<C: Waitable>(task: C) -> Shield<C> {
    Shield { watching: None, task: Some(task) }
}

/// A pending [`shield`].
#[must_use = "futures do nothing unless awaited"]
pub struct Shield<C: Waitable> {
    watching: Option<Rc<Watching<Flag>>>,
    task: Option<C>,
}

impl<C: Waitable> Future for Shield<C> {
    type Output = Result<C::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        wait_for_one("shield()", &mut this.watching, &mut this.task, cx, |_| {})
    }
}

impl<C: Waitable> Drop for Shield<C> {
    fn drop(&mut self) {
        self.watching = None;
        if let Some(task) = self.task.take() {
            task.let_go();
        }
    }
}

impl<C: Waitable> fmt::Debug for Shield<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shield")
    }
}

/// Cancels a task, and waits until it has ended. asyncio: `wait_for` with no time at all, but for the error.
///
/// A task that has ended already is left as it is. The outcome need not be [`Cancelled`]: the task may be about to return, or stand in
/// something that takes the request back.
///
/// ```
/// use corio::{Cancelled, cancel_and_wait, spawn};
/// # corio_sim::run(async {
/// assert_eq!(cancel_and_wait(spawn(std::future::pending::<()>())).await, Err(Cancelled));
/// # });
/// ```
///
/// # Cancellation
/// When the one who waits is cancelled it unwinds at its next turn, and does not wait for the task any longer.
///
/// # Cancel safety
/// **May be restarted.** The request is not taken back; a task that was lent can be asked and waited for again.
///
/// # Errors
/// [`Cancelled`] when the task was.
///
/// # Panics
/// When it has to wait outside a loop.
pub fn cancel_and_wait<C: Waitable>(task: C) -> CancelAndWait<C> {
    CancelAndWait { watching: None, task: Some(task) }
}

/// A pending [`cancel_and_wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct CancelAndWait<C: Waitable> {
    // Before the task, which it watches.
    watching: Option<Rc<Watching<Flag>>>,
    task: Option<C>,
}

impl<C: Waitable> Future for CancelAndWait<C> {
    type Output = Result<C::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        wait_for_one("cancel_and_wait()", &mut this.watching, &mut this.task, cx, |task| {
            task.watched().cancel();
        })
    }
}

impl<C: Waitable> fmt::Debug for CancelAndWait<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CancelAndWait")
    }
}

/// Waits for the end of one task, through a callback; at the beginning of that calls `begin`.
fn wait_for_one<C: Waitable>(
    what: &str,
    watching: &mut Option<Rc<Watching<Flag>>>,
    place: &mut Option<C>,
    cx: &mut Context<'_>,
    begin: impl FnOnce(&C),
) -> Poll<Result<C::Output, Cancelled>> {
    let Some(task) = place else { return Poll::Pending };
    match watching {
        Some(watching) if watching.rule.is_up() => {}
        Some(watching) if watching.is_here() => {
            watching.wait(cx.waker());
            return Poll::Pending;
        }
        // At the beginning, or the loop that it was on is gone.
        _ => {
            let watched = task.watched();
            if watched.end().is_none() {
                let first = watching.is_none();
                let on = watching.insert(Watching::new(what, vec![watched], Flag::default()));
                on.wait(cx.waker());
                if first {
                    begin(task);
                }
                return Poll::Pending;
            }
        }
    }
    *watching = None;
    place.take().map_or(Poll::Pending, |task| Poll::Ready(task.take()))
}
