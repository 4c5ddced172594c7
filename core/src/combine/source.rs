//! What a combinator watches: a task, or a settable future.

use crate::future::{Future, Place};
use crate::task::slot::Slot;
use crate::task::waker;
use crate::task::watched::{End, Kept, Watched};
use alloc::rc::Rc;
use core::pin::Pin;
use core::task::Context;

/// Something that ends, and may be watched and cancelled until then. It stays on its thread.
pub enum Source {
    /// A task, which is looked at only while it is there.
    #[doc(hidden)]
    Task(Watched),
    /// A future, which this keeps.
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "made and used in here only")]
    Future(Rc<dyn Ends>),
}

/// A settable future, whatever its type.
pub(super) trait Ends {
    fn watch(&self, place: Pin<&mut Place>, slot: &'static Slot);
    fn unwatch(&self, place: Pin<&mut Place>);
    fn end_by_cancel(&self) -> bool;
    fn end(&self) -> Option<End>;
}

impl<T: 'static> Ends for Future<T> {
    fn watch(&self, place: Pin<&mut Place>, slot: &'static Slot) {
        if self.poll_end(place, &mut Context::from_waker(&waker::of(slot))).is_ready() {
            slot.wake();
        }
    }

    fn unwatch(&self, place: Pin<&mut Place>) {
        self.leave(place);
    }

    fn end_by_cancel(&self) -> bool {
        self.cancel()
    }

    fn end(&self) -> Option<End> {
        Some(match self.outcome()? {
            Ok(value) => End::Output(core::ptr::from_ref(value).cast()),
            Err(_) => End::Cancelled,
        })
    }
}

impl Source {
    /// Has `slot` woken when it ends, behind all who wait for that already. A future stands at `place`, which is
    /// nowhere yet, until `unwatch`.
    pub(super) fn watch(&self, slot: &'static Slot, place: Pin<&mut Place>) {
        match self {
            Self::Task(task) => task.watch(slot),
            Self::Future(future) => future.watch(place, slot),
        }
    }

    /// Has `slot` not woken, if it still is to be.
    pub(super) fn unwatch(&self, slot: &'static Slot, place: Pin<&mut Place>) {
        match self {
            Self::Task(task) => task.unwatch(slot),
            Self::Future(future) => future.unwatch(place),
        }
    }

    /// Asks it to end. False: it has ended.
    pub(super) fn cancel(&self) -> bool {
        match self {
            Self::Task(task) => task.cancel(),
            Self::Future(future) => future.end_by_cancel(),
        }
    }

    /// How it has ended, if it has.
    pub(super) fn end(&self) -> Option<End> {
        match self {
            Self::Task(task) => task.end(),
            Self::Future(future) => future.end(),
        }
    }

    /// Keeps what it has ended with, if that is something, even if its handle goes. A future is kept by this in any case.
    pub(super) fn keep(&self) -> Option<Kept> {
        match self {
            Self::Task(task) => task.keep(),
            Self::Future(_) => None,
        }
    }

    /// Something that no other has while both are there; none for what has never begun.
    pub(super) fn name(&self) -> Option<(usize, u32)> {
        match self {
            Self::Task(task) => task.name(),
            Self::Future(future) => Some((Rc::as_ptr(future).cast::<()>().addr(), 0)),
        }
    }
}
