#![allow(unsafe_code)] // a deadline leads back to what it belongs to
//! `as_completed`: several tasks, in the order in which they end.

use super::child::{Waitable, distinct};
use super::watching::{Rule, Watching};
use crate::sleep::{Sleep, sleep, sleep_until};
use crate::task::callback::Callback;
use crate::task::waker;
use crate::task::watched::End;
use crate::timeout::TimedOut;
use crate::{Duration, Instant};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Several tasks, handed out as they end. asyncio: `as_completed`.
///
/// It takes tasks or references to tasks, and watches them from now on; what is lent twice counts once. Those that it hands out have
/// ended: to await one, or to ask for its outcome, does not wait.
///
/// ```
/// use corio::{Duration, as_completed, sleep, spawn};
/// # corio_sim::run(async {
/// let tasks = [3, 1, 2].map(|n| spawn(async move { sleep(Duration::from_secs(n)).await; n }));
/// let mut order = Vec::new();
/// let mut ended = as_completed(tasks);
/// while let Some(task) = ended.next().await {
///     order.push(task.await);
/// }
/// assert_eq!(order, [Ok(1), Ok(2), Ok(3)]);
/// # });
/// ```
///
/// Dropping it drops the tasks that were given away and not handed out, which cancels those that have not ended.
///
/// # Panics
/// Outside a loop.
#[track_caller]
pub fn as_completed<I>(tasks: I) -> AsCompleted<I::Item>
where
    I: IntoIterator<Item: Waitable>,
{
    AsCompleted::new(distinct(tasks))
}

/// Tasks in the order in which they end: see [`as_completed`].
pub struct AsCompleted<C: Waitable> {
    // These before the tasks, which they watch.
    deadline: Option<Pin<Box<Deadline>>>,
    watching: Rc<Watching<Ends>>,
    tasks: Vec<Option<C>>,
}

/// Tasks in the order in which they end, as far as that is in time: see [`AsCompleted::within`].
pub struct AsCompletedWithin<C: Waitable>(AsCompleted<C>);

impl<C: Waitable> AsCompleted<C> {
    #[track_caller]
    fn new(tasks: Vec<C>) -> Self {
        let watching = Watching::new("as_completed()", tasks.iter().map(C::watched).collect(), Ends::new(tasks.len()));
        watching.call_ended();
        Self { deadline: None, watching, tasks: tasks.into_iter().map(Some).collect() }
    }

    /// Waits for the next task that ends; none when all were handed out.
    ///
    /// Those that end in one turn come in the order in which they have ended, or if that was before the call of
    /// [`as_completed`] in the order given.
    ///
    /// # Cancel safety
    /// **Loses nothing.** The next call goes on with what this one waited for.
    pub async fn next(&mut self) -> Option<C> {
        // Without a limit there is a task in each entry.
        poll_fn(|cx| self.poll_entry(cx)).await.flatten()
    }

    /// Sets a limit: when it is over [`next`](AsCompletedWithin::next) fails for each task that has not ended.
    ///
    /// ```
    /// use corio::{Duration, TimedOut, as_completed, sleep, spawn};
    /// # corio_sim::run(async {
    /// let tasks = [1, 5].map(|n| spawn(async move { sleep(Duration::from_secs(n)).await; n }));
    /// let mut ended = as_completed(&tasks).within(Duration::from_secs(2));
    /// assert!(ended.next().await.is_some_and(|task| task.unwrap().is_done()));
    /// assert!(matches!(ended.next().await, Some(Err(TimedOut))));
    /// assert!(ended.next().await.is_none());
    /// # });
    /// ```
    ///
    /// # Panics
    /// Outside a loop.
    #[track_caller]
    pub fn within(mut self, limit: Duration) -> AsCompletedWithin<C> {
        if !self.watching.is_here() {
            self.take_over();
        }
        if self.watching.rule.left.get() > 0 {
            // A zero `sleep` would be a yield.
            let sleep = if limit.is_zero() { sleep_until(Instant::ZERO) } else { sleep(limit) };
            self.deadline = Some(Deadline::start(sleep, self.watching.clone()));
        }
        AsCompletedWithin(self)
    }

    /// The next that has ended, or that the time was up for.
    fn poll_entry(&mut self, cx: &mut Context<'_>) -> Poll<Option<Option<C>>> {
        let entry = self.watching.rule.take();
        if let Some(entry) = entry {
            return Poll::Ready(Some(entry.and_then(|index| self.tasks[index].take())));
        }
        if self.watching.rule.owed.get() == 0 {
            self.deadline = None;
            return Poll::Ready(None);
        }
        if !self.watching.is_here() {
            self.take_over();
        }
        self.watching.wait(cx.waker());
        Poll::Pending
    }

    /// The loop that it was on is gone, or does not run here: this one watches what is left.
    #[track_caller]
    fn take_over(&mut self) {
        let until = self.deadline.take().map(|deadline| deadline.sleep.until());
        let left = core::mem::take(&mut self.tasks);
        *self = Self::new(left.into_iter().flatten().collect());
        self.deadline = until.map(|until| Deadline::start(sleep_until(until), self.watching.clone()));
    }
}

impl<C: Waitable> AsCompletedWithin<C> {
    /// Waits for the next task that ends; none when all were handed out, or the time was up for them.
    ///
    /// # Cancel safety
    /// **Loses nothing.** The next call goes on with what this one waited for.
    ///
    /// # Errors
    /// [`TimedOut`] once for each task that had not ended when the time was up; to whoever was slow to ask, behind those
    /// that had.
    pub async fn next(&mut self) -> Option<Result<C, TimedOut>> {
        let entry = poll_fn(|cx| self.0.poll_entry(cx)).await?;
        Some(entry.ok_or(TimedOut))
    }
}

impl<C: Waitable> fmt::Debug for AsCompleted<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted").field("left", &self.watching.rule.owed).finish_non_exhaustive()
    }
}

impl<C: Waitable> fmt::Debug for AsCompletedWithin<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompletedWithin").field("left", &self.0.watching.rule.owed).finish_non_exhaustive()
    }
}

/// The tasks that have ended, in order.
struct Ends {
    /// None: the time was up for one.
    line: RefCell<VecDeque<Option<usize>>>,
    has_ended: Box<[Cell<bool>]>,
    /// How many have not ended.
    left: Cell<usize>,
    /// How many are to come out of the line.
    owed: Cell<usize>,
}

impl Ends {
    fn new(count: usize) -> Self {
        Self {
            line: RefCell::new(VecDeque::with_capacity(count)),
            has_ended: (0..count).map(|_| Cell::new(false)).collect(),
            left: Cell::new(count),
            owed: Cell::new(count),
        }
    }

    /// What is first in the line.
    fn take(&self) -> Option<Option<usize>> {
        let entry = self.line.borrow_mut().pop_front()?;
        self.owed.set(self.owed.get() - 1);
        Some(entry)
    }
}

impl Rule for Ends {
    fn ended(&self, index: usize, _: End) -> bool {
        self.has_ended[index].set(true);
        self.left.set(self.left.get() - 1);
        self.line.borrow_mut().push_back(Some(index));
        true
    }

    fn is_over(&self) -> bool {
        self.left.get() == 0
    }
}

/// The limit, and the callback that it is for: it is due whether or not somebody waits for the next task.
struct Deadline {
    callback: Callback,
    sleep: Sleep,
    of: Rc<Watching<Ends>>,
    _pinned: PhantomPinned,
}

impl Deadline {
    /// On the loop that runs here, which is that of the callbacks.
    fn start(sleep: Sleep, of: Rc<Watching<Ends>>) -> Pin<Box<Self>> {
        let this = Box::pin(Self { callback: Callback::new(Self::call), sleep, of, _pinned: PhantomPinned });
        // SAFETY: both are pinned with it.
        let (callback, sleep) = unsafe {
            (this.as_ref().map_unchecked(|this| &this.callback), this.as_ref().map_unchecked(|this| &this.sleep))
        };
        let slot = callback.arm(this.of.home(), core::ptr::from_ref(&*this).cast());
        slot.set_hidden(true);
        let _pending = sleep.proceed(&mut Context::from_waker(&waker::of(slot)), false);
        this
    }

    /// The time is up: whoever asks is told so for each task that has not ended.
    ///
    /// # Safety
    /// `this` is one whose callback is armed.
    unsafe fn call(this: *const ()) {
        // SAFETY: a callback that is called is armed, so what it is in is there.
        let this = unsafe { &*this.cast::<Self>() };
        if !this.sleep.has_ended() {
            // A stale wake of the slot.
            return;
        }
        // Kept while whoever waits is woken, who may drop it, and this too.
        let of = this.of.clone();
        for (index, has_ended) in of.rule.has_ended.iter().enumerate().filter(|(_, has_ended)| !has_ended.get()) {
            has_ended.set(true);
            of.unwatch(index);
            of.rule.line.borrow_mut().push_back(None);
        }
        if of.rule.left.replace(0) > 0 {
            of.wake();
        }
    }
}
