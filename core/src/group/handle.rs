#![allow(unsafe_code)] // a name leads to a group in its pinned frame
//! `GroupHandle`: a group by name.

use super::name::Reference;
use super::{Circle, Group};
use crate::sched::Spawn;
use crate::task::Child;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;

/// A [`Group`] by name. It may outlive the group, which then takes no more.
pub struct GroupHandle<E> {
    name: Reference,
    _group: PhantomData<*const Group<E>>,
}

impl<E> GroupHandle<E> {
    /// # Safety
    /// The name is that of a `Group<E>`.
    pub(super) unsafe fn new(name: Reference) -> Self {
        Self { name, _group: PhantomData }
    }

    fn get(&self) -> Option<&Group<E>> {
        // SAFETY: null, or the group, which is there until its drop has taken the name back; this is not `Send`.
        unsafe { self.name.get().cast::<Group<E>>().as_ref() }
    }

    /// Starts a task in the group: see [`Group::spawn`].
    ///
    /// # Panics
    /// Outside a loop.
    #[track_caller]
    pub fn spawn<T, F>(&self, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        match self.get() {
            Some(group) => group.spawn(future),
            None => Child::refused(),
        }
    }

    /// Starts a task with options: see [`Group::spawn_with`].
    ///
    /// # Panics
    /// Outside a loop.
    #[track_caller]
    pub fn spawn_with<T, F>(&self, options: Spawn, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        let group = self.name.get().cast::<Group<E>>();
        // SAFETY: null, or the group, which is there now. A child that is started eagerly may be the end of it.
        if group.is_null() { Child::refused() } else { unsafe { Group::spawn_at(group, options, future) } }
    }

    /// True when the group takes no more children: see [`Group::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.get().is_none_or(Group::is_closed)
    }

    /// Asks all children to end, and takes no more: see [`Group::cancel_all`].
    pub fn cancel_all(&self) {
        let group = self.name.get().cast::<Group<E>>();
        if !group.is_null() {
            // SAFETY: the group, which is there now. What is called may be the end of it.
            unsafe { Circle::cancel_all(&raw const (*group).0) };
        }
    }
}

impl<E> Clone for GroupHandle<E> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), _group: PhantomData }
    }
}

impl<E> fmt::Debug for GroupHandle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupHandle").field("closed", &self.is_closed()).finish()
    }
}
