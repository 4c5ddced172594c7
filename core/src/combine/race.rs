//! `staggered_race`: attempts that start one after the other, until one succeeds.

use super::branch::{Pass, Stand};
use super::row::{Futures, Row, at};
use crate::Duration;
use crate::sleep::{Sleep, sleep};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Starts one attempt after the other, each when the one before it has failed, or has taken `delay`; gives the value of the
/// first that succeeds, and which it was. The others are dropped. asyncio: `staggered_race`, behind the `happy_eyeballs_delay`
/// of `open_connection`.
///
/// Attempts are futures in an array, or with the feature `alloc` in a `Vec`; nothing of one runs before its turn has come. They
/// are polled within the task that waits: nothing is allocated (but for a `Vec`) and nothing is spawned.
///
/// ```
/// use corio::{Duration, sleep, staggered_race};
/// let ms = Duration::from_millis;
/// # corio_sim::run(async {
/// let connect = async |(address, takes): (&'static str, u64)| {
///     sleep(ms(takes)).await;
///     if address == "broken" { Err("refused") } else { Ok(address) }
/// };
/// // Two starts after 250 ms, three as soon as two has failed.
/// let attempts = [("slow", 900), ("broken", 10), ("good", 100)].map(connect);
/// assert_eq!(staggered_race(ms(250), attempts).await, Ok((2, "good")));
/// assert_eq!(corio::now().as_millis(), 360);
/// # });
/// ```
///
/// A delay of [`Duration::MAX`] never ends: each attempt waits for the failure of the one before.
///
/// # Cancellation
/// When the task is cancelled all attempts are dropped; see [`join`](crate::join()).
///
/// # Cancel safety
/// **May be restarted.** Dropping it drops the attempts, as those that lose are dropped while they wait, and the errors
/// of those that have failed.
///
/// # Errors
/// When all attempts have failed: the error of each.
///
/// # Panics
/// When it waits outside a loop.
pub fn staggered_race<R, T, E>(delay: Duration, attempts: R) -> StaggeredRace<R>
where
    R: Row<Item = Result<T, E>>,
{
    StaggeredRace {
        branches: Row::branches(attempts),
        stand: Stand::default(),
        started: 0,
        failed: 0,
        delay,
        next: None,
    }
}

pin_project_lite::pin_project! {
    /// A pending [`staggered_race`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct StaggeredRace<R>
    where
        R: Row,
    {
        #[pin]
        branches: <R as Row>::Branches,
        stand: Stand,
        started: usize,
        failed: usize,
        delay: Duration,
        // The time until the next attempt starts.
        #[pin]
        next: Option<Sleep>,
    }
}

impl<R, T, E> Future for StaggeredRace<R>
where
    R: Row<Item = Result<T, E>>,
{
    type Output = Result<(usize, T), R::Of<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.stand.over {
            return Poll::Pending;
        }
        let mut waker = Context::from_waker(cx.waker());
        let mut pass = Pass::begin(this.stand, cx);
        let mut row = R::slice(this.branches.as_mut());
        let count = row.len();
        let mut from = 0;
        loop {
            let mut latest_failed = *this.started == 0;
            // Those that have not started go at once when the task unwinds.
            let to = if pass.goes_on() { *this.started } else { count };
            for index in from..to {
                match at(&mut row, index).poll(&mut pass) {
                    Some(Ok(value)) => {
                        pass.decided(|| {
                            this.next.set(None);
                            <R as Futures>::clear(this.branches);
                        });
                        return Poll::Ready(Ok((index, value)));
                    }
                    Some(Err(error)) => {
                        at(&mut row, index).keep(Err(error));
                        *this.failed += 1;
                        latest_failed |= index + 1 == *this.started;
                    }
                    None => {}
                }
            }
            let due =
                latest_failed || this.next.as_mut().as_pin_mut().is_some_and(|next| next.poll(&mut waker).is_ready());
            if *this.started == count || !due || !pass.goes_on() {
                break;
            }
            // What was started is polled now; the others have been.
            from = *this.started;
            *this.started += 1;
            this.next.set((*this.started < count && *this.delay != Duration::MAX).then(|| sleep(*this.delay)));
        }
        pass.end();
        if *this.failed < count {
            return Poll::Pending;
        }
        this.stand.over = true;
        let errors = R::collect(count, |index| at(&mut row, index).take().and_then(Result::err));
        errors.map_or(Poll::Pending, |errors| Poll::Ready(Err(errors)))
    }
}

impl<R: Row> fmt::Debug for StaggeredRace<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaggeredRace").field("started", &self.started).field("failed", &self.failed).finish()
    }
}
