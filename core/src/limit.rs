#![allow(unsafe_code)] // a time limit leads to its pinned scope
//! `timeout_scope`, `TimeLimit`: a timeout that what is in it can see, and move.
//!
//! The scope is a [`Timeout`](crate::Timeout) but for where the deadline comes from; both are a `Limit` (see `timeout`)
//! beside a future. A `TimeLimit` is the part of it that others may hold.
//!
//! Invariant `InScope`: a time limit leads to the `Limit` of its scope from the first poll until the scope is at its end or
//! dropped. Both belong to one thread, and the scope is pinned.

use crate::sched::current;
use crate::scope;
use crate::sleep::sleep;
use crate::task::StoredWaker;
use crate::timeout::{Limit, NoDeadline, Stage, TimedOut};
use crate::{Duration, Instant};
use core::cell::Cell;
use core::fmt;
use core::future::{Future, IntoFuture};
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll};

/// Runs `body` with a limit on its time that it can see and move. asyncio: `timeout`, and the object that it gives.
///
/// ```
/// use corio::{Duration, TimedOut, now, sleep, timeout_scope};
/// # corio_sim::run(async {
/// let second = Duration::from_secs(1);
/// let read = timeout_scope(second, async |t| {
///     for _ in 0..5 {
///         sleep(second / 2).await;               // something arrives
///         t.reschedule(now() + second).unwrap(); // so there is a second more for the next
///     }
///     sleep(second * 2).await
/// });
/// assert_eq!(read.await, Err(TimedOut));
/// # });
/// ```
///
/// The time runs from the first poll. With `None` there is no limit until [`reschedule`](TimeLimit::reschedule) sets one.
///
/// # Cancel safety
/// **Loses nothing.** Of its own, that is: dropping the scope drops `body`, and that loses what `body` does.
///
/// # Errors
/// [`TimedOut`] when the time was up first: see [`timeout`](crate::timeout()).
///
/// # Panics
/// When first polled outside a loop.
pub async fn timeout_scope<T>(
    duration: impl Into<Option<Duration>>,
    body: impl AsyncFnOnce(&TimeLimit) -> T,
) -> Result<T, TimedOut> {
    let limit = TimeLimit::new(duration);
    limit.scope(body(&limit)).await
}

/// A limit on the time of one scope: when it is, whether it is past, and the right to move it.
///
/// [`timeout_scope`] makes one and lends it to its body. Who wants to give it to other tasks too makes it by hand:
///
/// ```
/// use std::rc::Rc;
/// use corio::{Duration, TimeLimit, TimedOut, now, sleep, spawn};
/// # corio_sim::run(async {
/// let limit = Rc::new(TimeLimit::new(Duration::from_secs(1)));
/// let hurry = spawn({
///     let limit = limit.clone();
///     async move {
///         sleep(Duration::from_millis(100)).await;
///         limit.reschedule(now() + Duration::from_millis(100))
///     }
/// });
/// assert_eq!(limit.scope(sleep(Duration::from_millis(500))).await, Err(TimedOut));
/// assert!(limit.has_expired() && hurry.await.unwrap().is_ok());
/// assert_eq!(now().as_millis(), 200);
/// # });
/// ```
pub struct TimeLimit {
    /// From the first poll on.
    when: Cell<Option<Instant>>,
    /// Before it.
    after: Cell<Option<Duration>>,
    stage: Cell<Of>,
    /// The scope; null if there is none.
    scope: Cell<*const Limit>,
    /// Who polls, while there is no deadline that would have the waker.
    waker: Cell<StoredWaker>,
}

/// The stage of a time limit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    New,
    /// Its scope has not begun.
    Lent,
    /// In a scope, between two of its steps.
    Waiting,
    /// In the first step of a scope.
    First,
    /// In a later one.
    Step,
    /// In a step, and the deadline was moved in it.
    Moved,
    Expired,
    Exited,
}

impl TimeLimit {
    /// A limit of so much time from the beginning of its scope, or none.
    pub fn new(duration: impl Into<Option<Duration>>) -> Self {
        Self::with(None, duration.into())
    }

    /// A limit until `deadline`. asyncio: `timeout_at`.
    pub const fn at(deadline: Instant) -> Self {
        Self::with(Some(deadline), None)
    }

    const fn with(when: Option<Instant>, after: Option<Duration>) -> Self {
        Self {
            when: Cell::new(when),
            after: Cell::new(after),
            stage: Cell::new(Of::New),
            scope: Cell::new(ptr::null()),
            waker: Cell::new(StoredWaker::NONE),
        }
    }

    /// Runs `future` with this limit on its time: see [`timeout_scope`].
    ///
    /// # Cancel safety
    /// **Loses nothing.** Of its own, that is: dropping the scope drops `future`, and that loses what `future` does.
    ///
    /// # Panics
    /// When it had a scope already: it is for one only.
    #[track_caller]
    pub fn scope<F: IntoFuture>(&self, future: F) -> Limited<'_, F::IntoFuture> {
        assert!(self.stage.replace(Of::Lent) == Of::New, "corio: a TimeLimit is for one scope only; make another");
        Limited {
            future: Some(future.into_future()),
            limit: Limit::new(sleep(Duration::ZERO), Stage::New),
            nested: false,
            time: self,
        }
    }

    /// When the time will be up or was; none without a limit, and before the scope has begun. asyncio: `when`.
    pub fn when(&self) -> Option<Instant> {
        self.when.get()
    }

    /// True once the time was up while the scope was there. asyncio: `expired`.
    pub fn has_expired(&self) -> bool {
        // SAFETY: `InScope`.
        self.stage.get() == Of::Expired || unsafe { self.scope.get().as_ref() }.is_some_and(Limit::has_fired)
    }

    /// Moves the deadline, also to before now, or takes it away. asyncio: `reschedule`.
    ///
    /// # Errors
    /// [`NotInForce`] when the time was up already, or the scope has not begun, or is at its end.
    pub fn reschedule(&self, when: impl Into<Option<Instant>>) -> Result<(), NotInForce> {
        let when = when.into();
        // SAFETY: `InScope`.
        let Some(scope) = (unsafe { self.scope.get().as_ref() }).filter(|scope| !scope.has_fired()) else {
            return Err(NotInForce);
        };
        self.when.set(when);
        if self.stage.get() != Of::Waiting {
            self.stage.set(Of::Moved);
            return Ok(());
        }
        // SAFETY: pinned (`InScope`).
        match unsafe { Pin::new_unchecked(scope) }.reschedule(when) {
            Ok(waker) => drop(self.waker.replace(waker)),
            // Whoever polls next registers it.
            Err(NoDeadline) if when.is_some() => self.waker.replace(StoredWaker::NONE).wake(),
            Err(NoDeadline) => {}
        }
        Ok(())
    }

    /// The scope is left; its end or drop.
    fn leave(&self, expired: bool) {
        if !self.scope.replace(ptr::null()).is_null() {
            self.stage.set(if expired { Of::Expired } else { Of::Exited });
            drop(self.waker.replace(StoredWaker::NONE));
        }
    }
}

impl fmt::Debug for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeLimit").field("when", &self.when()).field("expired", &self.has_expired()).finish()
    }
}

pin_project_lite::pin_project! {
    /// A future with a [`TimeLimit`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Limited<'a, F> {
        #[pin]
        future: Option<F>,
        #[pin]
        limit: Limit,
        nested: bool,
        time: &'a TimeLimit,
    }

    impl<F> PinnedDrop for Limited<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            this.time.leave(this.limit.has_fired());
        }
    }
}

impl<F: Future> Future for Limited<'_, F> {
    type Output = Result<F::Output, TimedOut>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let time = *this.time;
        match time.stage.get() {
            Of::Lent => {
                let now = current::get("timeout_scope()").now();
                if let Some(after) = time.after.get() {
                    time.when.set(Some(now + after));
                }
                if let Some(when) = time.when.get() {
                    this.limit.as_mut().set_first(when);
                }
                time.stage.set(Of::First);
            }
            Of::Waiting => time.stage.set(Of::Step),
            // Unwound by somebody else's request.
            Of::Expired | Of::Exited => return Poll::Pending,
            Of::New | Of::First | Of::Step | Of::Moved => {}
        }
        time.scope.set(ptr::from_ref(this.limit.as_ref().get_ref()));
        let mut now = this.limit.begin(cx);
        let polled = scope::poll(this.future, this.nested, cx);
        if let Poll::Ready(held) = polled {
            time.leave(now.fired);
            return this.limit.end(&now, held);
        }
        let when = time.when.get();
        let stage = time.stage.replace(Of::Waiting);
        if now.fired {
            this.limit.ask_again(&now);
        } else {
            if stage == Of::Moved || when.is_none() && stage == Of::First || when.is_some() && this.limit.is_idle() {
                this.limit.as_mut().set_deadline(when);
            }
            match when {
                None => drop(time.waker.replace(StoredWaker::of(cx.waker()))),
                Some(_) => this.limit.wait(&mut now, cx, stage == Of::First),
            }
        }
        Poll::Pending
    }
}

impl<F> fmt::Debug for Limited<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limited").field("time", self.time).finish_non_exhaustive()
    }
}

/// The time limit could not be moved: the time was up already, or the scope has not begun, or is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NotInForce;

impl fmt::Display for NotInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time limit is not in force")
    }
}

impl core::error::Error for NotInForce {}
