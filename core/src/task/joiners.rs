//! Those who wait for the end of a task, in order: who awaits its handle, and who watches it.
//!
//! Nearly always there is one. With an allocator there may be more, in a list; without one there is one, who awaits the
//! handle.

use super::StoredWaker;
use super::slot::Slot;

#[cfg(feature = "alloc")]
mod flavour {
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec::Vec;

    /// Those who wait for the end of a task.
    pub(crate) enum Joiners {
        None,
        /// Who awaits the handle.
        Handle(StoredWaker),
        /// A task or a callback that watches the task.
        Watcher(&'static Slot),
        Many(Box<Vec<Joiner>>),
    }

    /// One of many.
    pub(crate) struct Joiner {
        waker: StoredWaker,
        /// Of a watcher, by which it is found again.
        key: Option<Key>,
    }

    /// What a watcher is found by: the address of its slot, or of itself if its waker is foreign.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Key(usize);

    impl Key {
        pub(crate) fn of_slot(slot: &'static Slot) -> Self {
            Self(core::ptr::from_ref(slot).addr())
        }

        pub(crate) fn of<T>(watcher: &T) -> Self {
            Self(core::ptr::from_ref(watcher).addr())
        }
    }

    impl Joiners {
        pub(crate) const NONE: Self = Self::None;

        /// Has `waker` woken for whoever awaits the handle, where the one before it stood, or at the end. That one is
        /// returned, to be dropped.
        pub(crate) fn set_handle(&mut self, waker: StoredWaker) -> StoredWaker {
            match self {
                Self::None => *self = Self::Handle(waker),
                Self::Handle(old) => return core::mem::replace(old, waker),
                Self::Watcher(_) => self.many().push(Joiner { waker, key: None }),
                Self::Many(list) => match list.iter_mut().find(|joiner| joiner.key.is_none()) {
                    Some(joiner) => return core::mem::replace(&mut joiner.waker, waker),
                    None => list.push(Joiner { waker, key: None }),
                },
            }
            StoredWaker::NONE
        }

        /// The slot of whoever awaits the handle, if it is one of ours.
        pub(crate) fn handle(&self) -> Option<&'static Slot> {
            match self {
                Self::None | Self::Watcher(_) => None,
                Self::Handle(waker) => waker.slot(),
                Self::Many(list) => {
                    list.iter().find(|joiner| joiner.key.is_none()).and_then(|joiner| joiner.waker.slot())
                }
            }
        }

        /// Has the one in `slot` woken too, at the end.
        pub(crate) fn watch(&mut self, slot: &'static Slot) {
            match self {
                Self::None => *self = Self::Watcher(slot),
                _ => self.watch_foreign(StoredWaker::of_slot(slot), Key::of_slot(slot)),
            }
        }

        /// Has `waker` woken too, at the end.
        pub(crate) fn watch_foreign(&mut self, waker: StoredWaker, key: Key) {
            self.many().push(Joiner { waker, key: Some(key) });
        }

        /// Takes one entry of `key` out, and returns its waker, to be dropped.
        pub(crate) fn unwatch(&mut self, key: Key) -> StoredWaker {
            match self {
                Self::Watcher(slot) if Key::of_slot(slot) == key => *self = Self::None,
                Self::Many(list) => {
                    if let Some(at) = list.iter().position(|joiner| joiner.key == Some(key)) {
                        return list.remove(at).waker;
                    }
                }
                _ => {}
            }
            StoredWaker::NONE
        }

        fn many(&mut self) -> &mut Vec<Joiner> {
            if !matches!(self, Self::Many(_)) {
                let first = match self.take() {
                    Self::Handle(waker) => Some(Joiner { waker, key: None }),
                    Self::Watcher(slot) => {
                        Some(Joiner { waker: StoredWaker::of_slot(slot), key: Some(Key::of_slot(slot)) })
                    }
                    Self::None | Self::Many(_) => None,
                };
                *self = Self::Many(Box::new(first.into_iter().collect()));
            }
            match self {
                Self::Many(list) => list,
                _ => unreachable!("made so just now"),
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

pub(crate) use flavour::*;
