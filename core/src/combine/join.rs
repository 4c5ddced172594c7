//! `join`: several futures at a time, within one task.

use super::branch::{Pass, Stand};
use super::row::Futures;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Runs several futures side by side, within the task that waits, until all have ended; gives what they came to.
///
/// Nothing is allocated (but for a `Vec`, one box), nothing is spawned, and the futures may borrow from their surroundings.
/// asyncio has `gather` alone, which makes a task of each: for tasks there is [`gather`](crate::gather()).
///
/// ```
/// use corio::{Duration, join, sleep};
/// # corio_sim::run(async {
/// let words = String::from("one two");
/// let count = async { sleep(Duration::from_secs(1)).await; words.split(' ').count() };
/// let length = async { sleep(Duration::from_secs(1)).await; words.len() };
/// assert_eq!(join((count, length)).await, (2, 7));
/// assert_eq!(corio::now().as_millis(), 1000); // not 2000
/// assert_eq!(join([1, 2, 3].map(async |n| n * n)).await, [1, 4, 9]);
/// # });
/// ```
///
/// Each time the task is woken, all that have not ended are polled, in order.
///
/// # Cancellation
/// When the task is cancelled all futures are dropped, in order; those that stand in a scope which waits, as a task group
/// does, may end that first, and all of them do it at a time. A request to cancel is not passed on to the tasks that they
/// wait for, as it is by a task that waits for nothing else.
///
/// A [`timeout()`](crate::timeout()) in one of them unwinds what it holds and leaves the others alone. If it waits for a task
/// it does not cancel that, but drops what waits; a handle that goes with it cancels.
///
/// # Cancel safety
/// **Not safe.** Dropping it drops the futures, and what those had come to that have ended.
pub fn join<F: Futures>(futures: F) -> Join<F> {
    Join { branches: futures.branches(), stand: Stand::default() }
}

pin_project_lite::pin_project! {
    /// A pending [`join`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Join<F>
    where
        F: Futures,
    {
        #[pin]
        branches: F::Branches,
        stand: Stand,
    }
}

impl<F: Futures> Future for Join<F> {
    type Output = F::All;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::All> {
        let mut this = self.project();
        if this.stand.over {
            return Poll::Pending;
        }
        let mut pass = Pass::begin(this.stand, cx);
        F::poll_all(this.branches.as_mut(), &mut pass);
        let pending = pass.is_pending();
        pass.end();
        if pending {
            return Poll::Pending;
        }
        this.stand.over = true;
        F::take(this.branches).map_or(Poll::Pending, Poll::Ready)
    }
}

impl<F: Futures> fmt::Debug for Join<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Join")
    }
}
