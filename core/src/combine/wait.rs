#![allow(unsafe_code)] // looks at outputs of the type that the tasks have
//! `wait`: some of several tasks.

use super::child::{Waitable, distinct};
use super::watching::{Rule, Watching};
use crate::sleep::{Sleep, sleep, sleep_until};
use crate::task::Cancelled;
use crate::task::watched::End;
use crate::{Duration, Instant};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Waits until all of several tasks have ended, or the first, or the first with an error; or until `limit` is over. asyncio: `wait`.
///
/// It cancels nothing and gives no outcomes, but the tasks themselves, in two lists: those that have ended when the caller
/// goes on, and the others, each in the order given. It takes tasks or references to tasks; what is lent twice counts once.
///
/// ```
/// use corio::{Duration, Until, sleep, spawn, wait};
/// # corio_sim::run(async {
/// let mut tasks: Vec<_> =
///     (1..=3).map(|n| spawn(async move { sleep(Duration::from_secs(n)).await; n })).collect();
/// while !tasks.is_empty() {
///     let waited = wait(tasks, Until::FirstCompleted, None).await;
///     for task in waited.done {
///         println!("{:?}", task.await); // does not wait
///     }
///     tasks = waited.pending;
/// }
/// # });
/// ```
///
/// Two turns go by from the end that counts to where the caller goes on, also when it has come before the call; with no
/// tasks at all, none.
///
/// # Cancellation
/// When the task that waits is cancelled it unwinds at its next turn. Lend the tasks if they are to go on then.
///
/// # Cancel safety
/// **Not safe.** Dropping it drops the tasks that were given away, which cancels them; what they returned is lost.
/// Those that were lent go on, and lose nothing.
///
/// # Panics
/// When it has to wait outside a loop.
pub fn wait<I>(
    tasks: I,
    until: Until<<I::Item as Waitable>::Value>,
    limit: impl Into<Option<Duration>>,
) -> Wait<I::Item>
where
    I: IntoIterator<Item: Waitable>,
{
    let limit = limit.into().map(|limit| match limit.is_zero() {
        // A zero `sleep` would be a yield.
        true => sleep_until(Instant::ZERO),
        false => sleep(limit),
    });
    Wait { watching: None, tasks: distinct(tasks), until, limit }
}

/// What [`wait`] waits for.
pub enum Until<T> {
    /// That all have ended. asyncio: `ALL_COMPLETED`.
    All,
    /// That one has ended, in whatever way. asyncio: `FIRST_COMPLETED`.
    FirstCompleted,
    /// That one has ended so that this is true of it, or that all have.
    First(fn(Result<&T, Cancelled>) -> bool),
}

impl<T, E> Until<Result<T, E>> {
    /// That one has returned an error, or all have ended. asyncio: `FIRST_EXCEPTION`.
    pub const fn first_error() -> Self {
        Self::First(|outcome| matches!(outcome, Ok(Err(_))))
    }
}

impl<T> Clone for Until<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Until<T> {}

impl<T> fmt::Debug for Until<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "All",
            Self::FirstCompleted => "FirstCompleted",
            Self::First(_) => "First",
        })
    }
}

/// What [`wait`] has found.
#[derive(Debug)]
pub struct Waited<C> {
    /// Those that have ended.
    pub done: Vec<C>,
    /// Those that have not.
    pub pending: Vec<C>,
}

pin_project_lite::pin_project! {
    /// A pending [`wait`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Wait<C>
    where
        C: Waitable,
    {
        // Before the tasks, which it watches.
        watching: Option<Rc<Watching<WaitRule<C::Value>>>>,
        tasks: Vec<C>,
        until: Until<C::Value>,
        #[pin]
        limit: Option<Sleep>,
    }
}

struct WaitRule<T> {
    until: Until<T>,
    left: Cell<usize>,
    over: Cell<bool>,
}

impl<T> Rule for WaitRule<T> {
    fn ended(&self, _: usize, end: End) -> bool {
        self.left.set(self.left.get() - 1);
        let counts = match self.until {
            Until::All => false,
            Until::FirstCompleted => true,
            Until::First(holds) => holds(match end {
                End::Cancelled => Err(Cancelled),
                // SAFETY: the tasks have outputs of that type, and this one is there, and kept (`shows`).
                End::Output(output) => Ok(unsafe { &*output.cast() }),
            }),
        };
        let over = counts || self.left.get() == 0;
        over && !self.over.replace(true)
    }

    fn is_over(&self) -> bool {
        self.over.get()
    }

    fn shows(&self) -> bool {
        matches!(self.until, Until::First(_))
    }
}

impl<C: Waitable> Future for Wait<C> {
    type Output = Waited<C>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Waited<C>> {
        let mut this = self.project();
        let late = this.limit.as_ref().as_pin_ref().is_some_and(|limit| limit.has_ended());
        let over = match this.watching {
            None => this.tasks.is_empty(),
            Some(watching) => watching.rule.is_over() || late,
        };
        if over {
            *this.watching = None;
            this.limit.set(None);
            let (done, pending) = this.tasks.drain(..).partition(|task| task.watched().end().is_some());
            return Poll::Ready(Waited { done, pending });
        }
        let watching = match this.watching {
            Some(watching) if watching.is_here() => watching,
            // At the beginning, or the loop that it was on is gone.
            place => {
                let of: Vec<_> = this.tasks.iter().map(C::watched).collect();
                let rule = WaitRule { until: *this.until, left: Cell::new(of.len()), over: Cell::new(false) };
                let watching = place.insert(Watching::new("wait()", of, rule));
                watching.call_ended();
                watching
            }
        };
        watching.wait(cx.waker());
        if let Some(limit) = this.limit.as_pin_mut() {
            let polled = limit.poll(cx);
            debug_assert!(polled.is_pending(), "looked at above");
        }
        Poll::Pending
    }
}

impl<C: Waitable> fmt::Debug for Wait<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("until", &self.until).finish_non_exhaustive()
    }
}
