#![allow(unsafe_code)] // children lead back to the group in its pinned frame
//! Groups whose children live in a pool.

use super::errors::{FewErrors, GroupError};
use super::name::Reference;
use super::{Circle, Running};
use crate::sched::current;
use crate::task::child::Family;
use crate::task::{Child, PoolFull, TaskPool};
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::pin;

impl<S, const N: usize> TaskPool<S, N> {
    /// Runs `body`, which may start tasks in the group that it is given, and waits for all of them: a group as `group` (of the
    /// feature `alloc`) makes it, whose children live in this pool. asyncio: `TaskGroup`.
    ///
    /// However the body is left, no child is when this is done. The first failure, a child's or the body's own `Err`, cancels
    /// whatever is left, the children in order of creation and then the body; when all have ended, all errors are given.
    /// A child that was cancelled has not failed. Other tasks may live in the same pool, and other groups have their children
    /// there.
    ///
    /// ```
    /// use corio::{Duration, TaskPool, sleep};
    /// static FETCHES: TaskPool<[u64; 24], 2> = TaskPool::new();
    ///
    /// async fn fetch(page: u32) -> Result<u32, &'static str> {
    ///     sleep(Duration::from_secs(1)).await;
    ///     if page == 13 { Err("no such page") } else { Ok(page * 2) }
    /// }
    ///
    /// # corio_sim::run(async {
    /// let sum = FETCHES.group(async |g| {
    ///     let (Ok(one), Ok(two)) = (g.spawn(fetch(1)), g.spawn(fetch(2))) else { return Err("no room") };
    ///     Ok(one.await.unwrap() + two.await.unwrap())
    /// });
    /// assert_eq!(sum.await.unwrap(), 6);
    ///
    /// let failed = FETCHES.group(async |g| {
    ///     g.spawn(fetch(13)).or(Err("no room"))?;
    ///     sleep(Duration::from_secs(3600)).await; // cancelled after a second
    ///     Ok(())
    /// });
    /// assert_eq!(failed.await.unwrap_err().errors(), ["no such page"]);
    /// # });
    /// ```
    ///
    /// A child keeps its place until the group has seen its end, one turn later, and its [`Child`] is gone.
    ///
    /// Without the feature `alloc` a failure unwinds the body; what task the body awaits is not asked to end for that, but
    /// its handle, if it is the body's, is dropped.
    ///
    /// # Cancel safety
    /// **Not safe.** Who drops the future cancels the children too, but nobody waits for them, and their values and
    /// errors are lost. Cancelling waits: a task that is cancelled within a group unwinds to it; then its children are
    /// cancelled and waited for, and then the task unwinds further.
    ///
    /// # Errors
    /// [`GroupError`] with all errors of children, in the order in which they failed, and the body's last. There is room for
    /// all: see [`FewErrors`]. If the task was asked to end meanwhile by somebody else, it unwinds at its next wait.
    ///
    /// # Panics
    /// A child that panics counts as cancelled; the panic goes through the loop.
    pub async fn group<T, E, F>(&'static self, body: F) -> Result<T, GroupError<E, FewErrors<E, N>>>
    where
        F: AsyncFnOnce(&PoolGroup<E, S, N>) -> Result<T, E>,
    {
        let group = pin!(PoolGroup { circle: Circle::new(), pool: self });
        let group = group.as_ref().get_ref();
        let body = pin!(Some(body(group)));
        Running::new(&group.circle, body).await
    }
}

/// The children of a [`TaskPool::group`], for its body.
pub struct PoolGroup<E, S: 'static, const N: usize> {
    circle: Circle<E, FewErrors<E, N>>,
    pool: &'static TaskPool<S, N>,
}

impl<E, S, const N: usize> PoolGroup<E, S, N> {
    /// Starts a task in the group, in a free place of its pool: see [`TaskPool::spawn`]. It fails by returning `Err`.
    ///
    /// In a group that takes no more, for it is being left or was, the future is dropped at once and the child is
    /// [`Cancelled`](crate::Cancelled); see [`is_closed`](Self::is_closed).
    ///
    /// # Errors
    /// When all places are taken; the future comes back.
    ///
    /// # Panics
    /// Outside a loop.
    #[track_caller]
    pub fn spawn<T, F>(&self, future: F) -> Result<Child<T>, PoolFull<F>>
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        let here = current::get("PoolGroup::spawn()");
        if self.is_closed() {
            return Ok(Child::refused());
        }
        // SAFETY: the ambient loop; `InFrame`, and `drop` dissolves the family.
        unsafe { Family::spawn_in(&self.circle, here, self.pool, future) }.map_err(PoolFull)
    }

    /// True when the group takes no more children: one has failed, or the body was left by an error or unwound, or
    /// [`cancel_all`](Self::cancel_all) was called, or the body was left and no child is.
    pub fn is_closed(&self) -> bool {
        self.circle.is_closed()
    }

    /// True when all children so far have ended, and the group has seen it.
    pub fn is_empty(&self) -> bool {
        self.circle.is_empty()
    }

    /// Asks all children to end, and takes no more. The body goes on; that they were cancelled is no failure.
    pub fn cancel_all(&self) {
        // SAFETY: `InFrame`.
        unsafe { Circle::cancel_all(&raw const self.circle) };
    }

    /// The group by name, for its children, who may start more of their kind with it.
    pub fn handle(&self) -> PoolGroupHandle<E, S, N> {
        // SAFETY: `InFrame`, and the drop of the circle takes the name back.
        let name = unsafe { self.circle.name.of(core::ptr::from_ref(self).cast()) };
        PoolGroupHandle { name, _group: PhantomData }
    }
}

impl<E, S, const N: usize> fmt::Debug for PoolGroup<E, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.circle.fmt("PoolGroup", f)
    }
}

/// A [`PoolGroup`] by name. It may outlive the group, which then takes no more.
pub struct PoolGroupHandle<E, S: 'static, const N: usize> {
    name: Reference,
    _group: PhantomData<*const PoolGroup<E, S, N>>,
}

impl<E, S, const N: usize> PoolGroupHandle<E, S, N> {
    fn get(&self) -> Option<&PoolGroup<E, S, N>> {
        // SAFETY: null, or the group, which is there until its drop has taken the name back; this is not `Send`.
        unsafe { self.name.get().cast::<PoolGroup<E, S, N>>().as_ref() }
    }

    /// Starts a task in the group: see [`PoolGroup::spawn`].
    ///
    /// # Errors
    /// When all places are taken; the future comes back.
    ///
    /// # Panics
    /// Outside a loop.
    #[track_caller]
    pub fn spawn<T, F>(&self, future: F) -> Result<Child<T>, PoolFull<F>>
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        match self.get() {
            Some(group) => group.spawn(future),
            None => Ok(Child::refused()),
        }
    }

    /// True when the group takes no more children: see [`PoolGroup::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.get().is_none_or(PoolGroup::is_closed)
    }

    /// Asks all children to end, and takes no more: see [`PoolGroup::cancel_all`].
    pub fn cancel_all(&self) {
        let group = self.name.get().cast::<PoolGroup<E, S, N>>();
        if !group.is_null() {
            // SAFETY: the group, which is there now. What is called may be the end of it.
            unsafe { Circle::cancel_all(&raw const (*group).circle) };
        }
    }
}

impl<E, S, const N: usize> Clone for PoolGroupHandle<E, S, N> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), _group: PhantomData }
    }
}

impl<E, S, const N: usize> fmt::Debug for PoolGroupHandle<E, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolGroupHandle").field("closed", &self.is_closed()).finish()
    }
}
