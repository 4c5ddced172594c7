//! Those who wait for the end of a task, in order: who awaits its handle, and who watches it.
//!
//! Nearly always there is one. With an allocator there may be more, in a list; without one the last to come is it.

use super::StoredWaker;

#[cfg(feature = "alloc")]
mod flavour {
    use super::*;
    use crate::task::slot::Slot;
    use alloc::boxed::Box;
    use alloc::vec::Vec;

    /// Those who wait for the end of a task. One word, but for a tag.
    pub(crate) enum Joiners {
        None,
        /// Who awaits the handle.
        Handle(StoredWaker),
        /// A callback, which watches the task.
        Watcher(&'static Slot),
        Many(Box<Vec<Joiner>>),
    }

    /// One of many.
    pub(crate) struct Joiner {
        waker: StoredWaker,
        is_handle: bool,
    }

    impl Joiners {
        pub(crate) const NONE: Self = Self::None;

        /// Has `waker` woken for whoever awaits the handle, where the one before it stood, or at the end. That one is returned,
        /// to be dropped.
        pub(crate) fn set_handle(&mut self, waker: StoredWaker) -> StoredWaker {
            match self {
                Self::None => *self = Self::Handle(waker),
                Self::Handle(old) => return core::mem::replace(old, waker),
                Self::Watcher(_) => self.many().push(Joiner { waker, is_handle: true }),
                Self::Many(list) => match list.iter_mut().find(|joiner| joiner.is_handle) {
                    Some(joiner) => return core::mem::replace(&mut joiner.waker, waker),
                    None => list.push(Joiner { waker, is_handle: true }),
                },
            }
            StoredWaker::NONE
        }

        /// The slot of whoever awaits the handle, if it is one of ours.
        pub(crate) fn handle(&self) -> Option<&'static Slot> {
            match self {
                Self::None | Self::Watcher(_) => None,
                Self::Handle(waker) => waker.slot(),
                Self::Many(list) => list.iter().find(|joiner| joiner.is_handle).and_then(|joiner| joiner.waker.slot()),
            }
        }

        /// Has the callback in `slot` run too.
        pub(crate) fn watch(&mut self, slot: &'static Slot) {
            match self {
                Self::None => *self = Self::Watcher(slot),
                _ => self.many().push(Joiner { waker: StoredWaker::of_slot(slot), is_handle: false }),
            }
        }

        /// Takes one entry of `slot` out.
        pub(crate) fn unwatch(&mut self, slot: &'static Slot) {
            match self {
                Self::Watcher(watcher) if core::ptr::eq(*watcher, slot) => *self = Self::None,
                Self::Many(list) => {
                    if let Some(at) = list.iter().position(|it| !it.is_handle && it.waker.is_of(slot)) {
                        list.remove(at);
                    }
                }
                _ => {}
            }
        }

        fn many(&mut self) -> &mut Vec<Joiner> {
            let list = match self.take() {
                Self::None => Box::default(),
                Self::Handle(waker) => Box::new(alloc::vec![Joiner { waker, is_handle: true }]),
                Self::Watcher(slot) => {
                    Box::new(alloc::vec![Joiner { waker: StoredWaker::of_slot(slot), is_handle: false }])
                }
                Self::Many(list) => list,
            };
            *self = Self::Many(list);
            match self {
                Self::Many(list) => list,
                _ => unreachable!("set just now"),
            }
        }

        #[inline]
        pub(crate) fn take(&mut self) -> Self {
            core::mem::replace(self, Self::None)
        }

        /// Wakes all, in order.
        #[inline]
        pub(crate) fn wake(self) {
            match self {
                Self::None => {}
                Self::Handle(waker) => waker.wake(),
                Self::Watcher(slot) => slot.wake(),
                Self::Many(list) => Self::wake_many(*list),
            }
        }

        #[cold]
        fn wake_many(list: Vec<Joiner>) {
            for joiner in list {
                joiner.waker.wake();
            }
        }
    }
}

#[cfg(not(feature = "alloc"))]
mod flavour {
    use super::*;
    use crate::task::slot::Slot;

    /// Who awaits the handle of a task.
    pub(crate) struct Joiners(StoredWaker);

    impl Joiners {
        pub(crate) const NONE: Self = Self(StoredWaker::NONE);

        /// Has `waker` woken, in place of the one before it, which is returned, to be dropped.
        pub(crate) fn set_handle(&mut self, waker: StoredWaker) -> StoredWaker {
            core::mem::replace(&mut self.0, waker)
        }

        /// The slot of whoever awaits the handle, if it is one of ours.
        pub(crate) fn handle(&self) -> Option<&'static Slot> {
            self.0.slot()
        }

        #[inline]
        pub(crate) fn take(&mut self) -> Self {
            Self(self.0.take())
        }

        #[inline]
        pub(crate) fn wake(self) {
            self.0.wake();
        }
    }
}

pub(crate) use flavour::Joiners;
