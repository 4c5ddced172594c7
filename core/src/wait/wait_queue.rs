//! `WaitQueue`: a line of tasks that wait for something of yours to change.

use super::{Guarded, Lines, Waiter};
use crate::task::StoredWaker;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

struct Nothing;

impl Guarded for Nothing {
    type Guard = ();
}

/// A line of tasks that wait until something of yours is as they want it: what locks and queues of your own are made of.
///
/// The state is yours, wherever it is: atomics, a register, a cell. Whoever changes it tells one waiter, or all; each
/// looks for itself. No wake-up is lost between a look and the wait, for a waiter that has joined the line looks again.
///
/// ```
/// use core::sync::atomic::{AtomicU32, Ordering};
/// use corio::wait::WaitQueue;
///
/// /// A countdown that any number may wait for.
/// struct Latch { left: AtomicU32, line: WaitQueue }
///
/// impl Latch {
///     fn count_down(&self) {
///         if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
///             self.line.wake_all();
///         }
///     }
///     async fn open(&self) {
///         self.line.wait_until(|| (self.left.load(Ordering::Acquire) == 0).then_some(())).await
///     }
/// }
///
/// # corio_sim::run(async {
/// static LATCH: Latch = Latch { left: AtomicU32::new(2), line: WaitQueue::new() };
/// let waiters = [corio::spawn(LATCH.open()), corio::spawn(LATCH.open())];
/// LATCH.count_down();
/// LATCH.count_down();
/// for waiter in waiters {
///     waiter.await.unwrap();
/// }
/// # });
/// ```
///
/// Usable in a `static`, from tasks, threads and interrupts; waiting allocates nothing, and who waits is not polled before it
/// is told.
///
/// # Fairness
/// Waiters are told in order of arrival. One that is told and does not find what it wants, since another came first, waits
/// again, at the end of the line.
pub struct WaitQueue {
    lines: Lines<Nothing, 1>,
}

impl WaitQueue {
    crate::sync::const_fn! {
        /// An empty line.
        pub const fn new() -> Self {
            Self { lines: Lines::new(Nothing) }
        }
    }

    /// Waits until `ready` answers with something, and gives that. It is asked at each step, and never under a lock.
    ///
    /// # Cancel safety
    /// **Loses nothing.** Dropping the future leaves the line. If it was told of something and did not look, the next
    /// in line is told.
    #[inline]
    pub fn wait_until<R, F: FnMut() -> Option<R>>(&self, ready: F) -> WaitUntil<'_, F> {
        WaitUntil { queue: self, ready, waiter: Waiter::new() }
    }

    /// Tells the first in line to look. False: there is none.
    pub fn wake_one(&self) -> bool {
        let first = self.lines.with(|_, lines| lines[0].grant_next());
        let any = !first.is_none();
        first.wake();
        any
    }

    /// Tells all who stand in line now to look, in order. Those who come while it does so are not among them.
    pub fn wake_all(&self) {
        self.lines.with_wake_all(0, |_| true);
    }

    /// True when nobody stands in line.
    pub fn is_empty(&self) -> bool {
        self.lines.with(|_, lines| lines[0].is_empty())
    }
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitQueue").field("empty", &self.is_empty()).finish()
    }
}

pin_project_lite::pin_project! {
    /// A pending [`WaitQueue::wait_until`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct WaitUntil<'a, F> {
        queue: &'a WaitQueue,
        ready: F,
        #[pin]
        waiter: Waiter,
    }

    impl<F> PinnedDrop for WaitUntil<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.queue.pass_on(this.waiter);
        }
    }
}

impl WaitQueue {
    /// Takes `waiter` out; what it was told, and may not have looked at, the next is told.
    fn pass_on(&self, waiter: Pin<&mut Waiter>) {
        use super::Turned;
        self.lines.leave::<0>(waiter, |_, lines, turned| match turned {
            Turned::Granted => lines[0].grant_next(),
            _ => StoredWaker::NONE,
        });
    }
}

impl<R, F: FnMut() -> Option<R>> Future for WaitUntil<'_, F> {
    type Output = R;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let mut this = self.project();
        if let Some(found) = (this.ready)() {
            // What it was told of, if it was, is what it has found.
            this.queue.lines.leave::<0>(this.waiter, |_, _, _| StoredWaker::NONE);
            return Poll::Ready(found);
        }
        let waits = this.queue.lines.poll::<0, (), ()>(this.waiter.as_mut(), cx, |_, _, _| None, |()| ());
        debug_assert!(waits.is_pending(), "nothing was claimed");
        // Look, join the line, look again: what came between the two is found here, and what comes now tells the line.
        let Some(found) = (this.ready)() else { return Poll::Pending };
        this.queue.pass_on(this.waiter);
        Poll::Ready(found)
    }
}

impl<F> fmt::Debug for WaitUntil<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WaitUntil")
    }
}
