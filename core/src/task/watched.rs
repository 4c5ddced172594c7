#![allow(unsafe_code)] // looks at a task that somebody else owns
//! `Watched`: something that ends, as a combinator sees it: a task, whatever its type.
//!
//! A combinator borrows or owns what it watches. But it may be leaked, and then its callbacks may run when what they watch is
//! long gone. So nothing is taken on trust: a task is looked at only while its slot says that the very task is in it, with
//! its handle (`Same`).

use super::body::Header;
use super::handle::header;
use super::joiners::Key;
use super::ready::Ready;
use super::slot::Slot;
use core::marker::PhantomData;
use core::ptr;

/// Something that ends, and may be watched and cancelled until then. It stays on its thread.
#[derive(Clone, Copy)]
pub struct Watched {
    table: &'static Table,
    what: *const (),
    owner: *const Ready,
    lease: u32,
    id: u32,
}

/// What can be done with something that ends.
struct Table {
    watch: fn(&Watched, &'static Slot),
    unwatch: fn(&Watched, &'static Slot),
    cancel: fn(&Watched) -> bool,
    end: fn(&Watched) -> Option<End>,
}

/// How something has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Cancelled,
    /// With an output, which is there, of the type that the handle gives.
    Output(*const ()),
}

static TASK: Table = Table {
    watch: |this, watcher| {
        if let Some(slot) = this.slot() {
            // SAFETY: `Same`: the handle is there, on this thread, and so the header is.
            unsafe { header(slot).as_ref().with_join(|join| join.watch(watcher)) };
        }
    },
    unwatch: |this, watcher| {
        if let Some(slot) = this.slot() {
            // SAFETY: as above.
            drop(unsafe { header(slot).as_ref().with_join(|join| join.unwatch(Key::of_slot(watcher))) });
        }
    },
    cancel: |this| this.slot().is_some_and(Slot::cancel),
    end: |this| match this.slot() {
        Some(slot) if !slot.is_settled() => None,
        // SAFETY: `Same`, and settled: the body is the handle's, which is there.
        Some(slot) if slot.has_output() => Some(match unsafe { Header::value(header(slot)) } {
            // An error, which is the group's.
            value if value.is_null() => End::Cancelled,
            value => End::Output(value),
        }),
        // Its outcome was taken, or it is gone.
        _ => Some(End::Cancelled),
    },
};

impl Watched {
    /// The task in `slot`; without one, what has never begun. Its handle is there.
    pub(crate) fn task(slot: Option<&'static Slot>) -> Self {
        match slot {
            None => Self { table: &TASK, what: ptr::null(), owner: ptr::null(), lease: 0, id: 0 },
            Some(slot) => Self {
                table: &TASK,
                what: ptr::from_ref(slot).cast(),
                owner: slot.owner(),
                lease: slot.owner().lease(),
                id: slot.id(),
            },
        }
    }

    /// Has `watcher` woken when it ends, behind all who wait for that already. It has not ended.
    pub(crate) fn watch(&self, watcher: &'static Slot) {
        (self.table.watch)(self, watcher);
    }

    /// Has `watcher` not woken, if it still is to be.
    pub(crate) fn unwatch(&self, watcher: &'static Slot) {
        (self.table.unwatch)(self, watcher);
    }

    /// Asks it to end. False: it has ended.
    pub(crate) fn cancel(&self) -> bool {
        (self.table.cancel)(self)
    }

    /// How it has ended, if it has.
    pub(crate) fn end(&self) -> Option<End> {
        (self.table.end)(self)
    }

    /// Keeps the output, if it is there, whatever becomes of the handle: until what is returned is dropped the task is as
    /// between its end and where its loop is done with it.
    pub(crate) fn keep(&self) -> Option<Kept> {
        let slot = self.slot().filter(|slot| slot.is_settled() && slot.has_output())?;
        slot.unsettle();
        Some(Kept(slot, PhantomData))
    }

    /// Something that no other has while both are there; none for what has never begun.
    pub(crate) fn name(&self) -> Option<(usize, u32)> {
        (!self.what.is_null()).then(|| (self.what.addr(), self.id))
    }

    /// The task, with its handle. `Same`: the loop is this thread's as long as its lease is the same; the slot is that
    /// loop's as long as it says so; and the number tells the task from others in the same slot.
    fn slot(&self) -> Option<&'static Slot> {
        // SAFETY: null, or a slot and its owner; both are `Immortal`.
        let (slot, owner) = unsafe { (self.what.cast::<Slot>().as_ref()?, self.owner.as_ref()?) };
        let same = owner.lease() == self.lease && ptr::eq(slot.owner(), owner);
        (same && slot.id() == self.id && slot.has_handle()).then_some(slot)
    }
}

/// A task that has ended, whose output is kept. It stays on its thread.
pub(crate) struct Kept(&'static Slot, PhantomData<*const ()>);

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: `OwnThread`: this is not `Send`. Nobody has freed the body: it was not settled.
        unsafe {
            if self.0.has_handle() {
                self.0.set_settled();
                // Who has come to wait for the end meanwhile.
                let join = header(self.0).as_ref().take_join();
                join.wake();
            } else {
                Header::free(header(self.0), self.0);
            }
        }
    }
}
