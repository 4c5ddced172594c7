#![allow(unsafe_code)] // a future and its output share one place, behind an erased type
//! `Body`: the future of a task and then, in the same place, its output.
//!
//! The loop sees a [`Header`] and a table of functions; only the handle knows the output's type. A body is freed when
//! its task has ended *and* its handle is gone, by whichever comes last.
//!
//! Invariants:
//! - `Stage`: the slot's flags say what the place holds: not `DEAD` a future, `OUTPUT` an output, else nothing.
//!   A stage is left *before* what it held is dropped, so a panic in that drop leaves nothing to be dropped twice.
//! - `Pinned`: a body does not move from `start` until it is freed.
//! - `OwnerOnly`: see `slot`.

use super::awaited::{Awaits, Mark};
use super::joiners::Joiners;
use super::slot::Slot;
use super::waker;
use crate::sched::Loop;
use core::cell::{Cell, UnsafeCell};
use core::future::Future;
use core::mem::ManuallyDrop;
#[cfg(feature = "alloc")]
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll};

/// What the loop knows of a body.
pub(crate) struct Header {
    vtable: &'static VTable,
    /// Who waits for the end.
    join: UnsafeCell<Joiners>,
    /// What the task waits for, while its slot says so.
    awaits: Cell<Awaits>,
}

struct VTable {
    /// One step of the task on its loop: polls the future. True: it goes on.
    step: unsafe fn(NonNull<Header>, &'static Slot, &'static Loop) -> bool,
    /// A step of a task that was cancelled, or waited for another, or stands in a scope.
    special: unsafe fn(NonNull<Header>, &'static Slot, &'static Loop),
    /// Cancels what is in a timeout in the task, whose time is up.
    expire: fn(&'static Slot, Mark),
    /// Tells the group of the task that it has ended.
    tell: Option<unsafe fn(NonNull<Header>, &'static Slot)>,
    drop_future: unsafe fn(NonNull<Header>),
    /// Moves the output to a place for it, or drops it where that is null.
    output: unsafe fn(NonNull<Header>, *mut ()),
    /// Where the value in the output is.
    #[cfg(feature = "alloc")]
    value: unsafe fn(NonNull<Header>) -> *const (),
    /// Gives the storage back, and the slot.
    free: unsafe fn(NonNull<Header>, &'static Slot),
    name: unsafe fn(NonNull<Header>) -> Option<&'static str>,
}

/// A future, then its output, with the header in front.
#[repr(C)]
pub(crate) struct Body<F: Future, N> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
    name: N,
}

union Stage<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<F::Output>,
}

/// The name of a task, or that it has none: then it takes no room.
pub(crate) trait Name {
    fn name(&self) -> Option<&'static str>;

    /// What tells the group of the task that it has ended, if it has one.
    const TELL: Option<unsafe fn(NonNull<Header>, &'static Slot)> = None;

    /// Where the value in the output at `output` is; null if that is an error which is not for the handle.
    #[cfg(feature = "alloc")]
    fn value(&self, output: *const ()) -> *const () {
        output
    }

    /// True when the output at `output` counts though the task was cancelled in the step in which it returned it.
    fn stands(&self, output: *const ()) -> bool {
        let _ = output;
        false
    }
}

impl Name for () {
    fn name(&self) -> Option<&'static str> {
        None
    }
}

impl Name for &'static str {
    fn name(&self) -> Option<&'static str> {
        Some(self)
    }
}

impl<F: Future, N: Name> Body<F, N> {
    /// A body whose storage `free` gives back.
    pub(crate) fn new(future: F, name: N, free: Free) -> Self {
        let vtable = match free {
            Free::Nothing => &Self::VTABLE_NOTHING,
            #[cfg(feature = "alloc")]
            Free::Heap => &Self::VTABLE_HEAP,
            Free::Pool => &Self::VTABLE_POOL,
        };
        Self {
            header: Header { vtable, join: UnsafeCell::new(Joiners::NONE), awaits: Cell::new(Awaits::NOTHING) },
            stage: UnsafeCell::new(Stage { future: ManuallyDrop::new(future) }),
            name,
        }
    }

    /// What it is named by.
    ///
    /// # Safety
    /// `this` is the place of a body.
    pub(crate) unsafe fn name_of(this: *mut Self) -> *const N {
        // SAFETY: by the caller's word.
        unsafe { &raw const (*this).name }
    }

    /// Where its output is, if that is there.
    ///
    /// # Safety
    /// `header` is that of a body of this very type.
    pub(super) unsafe fn output_of(header: NonNull<Header>) -> *mut ManuallyDrop<F::Output> {
        // SAFETY: by the caller's word.
        unsafe { &raw mut (*Self::stage(header)).output }
    }

    const VTABLE_NOTHING: VTable = Self::vtable(|_, _| {});
    #[cfg(feature = "alloc")]
    const VTABLE_HEAP: VTable = Self::vtable(|header, slot| {
        // Nothing in it is left to be dropped: future and output are gone, and nobody waits for a settled task.
        // SAFETY: such a body was boxed as exactly this type, and is freed once.
        drop(unsafe { alloc::boxed::Box::from_raw(header.cast::<MaybeUninit<Self>>().as_ptr()) });
        slot.owner().give_back(slot);
    });
    const VTABLE_POOL: VTable = Self::vtable(|_, slot| {
        // Nothing in it is left to be dropped: future and output are gone, and nobody waits for a settled task.
        // SAFETY: such a body stands in a place of a pool, and is freed once; then nobody looks at it again.
        unsafe { super::pool::give_back(slot) };
    });

    const fn vtable(free: unsafe fn(NonNull<Header>, &'static Slot)) -> VTable {
        VTable {
            step: Self::step,
            // SAFETY: by the word of the caller of `Header::special`.
            special: |header, slot, running| unsafe { running.special(header, slot) },
            expire: Slot::expire,
            tell: N::TELL,
            drop_future: Self::drop_future,
            output: Self::output,
            #[cfg(feature = "alloc")]
            value: Self::value,
            free,
            name: Self::name,
        }
    }

    /// # Safety
    /// (This one and the next four) `header` is that of a body of this very type.
    #[inline]
    unsafe fn stage(header: NonNull<Header>) -> *mut Stage<F> {
        // SAFETY: by the caller's word; `header` is the first field of a `repr(C)` body.
        unsafe { header.cast::<Self>().as_ref() }.stage.get()
    }

    unsafe fn step(header: NonNull<Header>, slot: &'static Slot, running: &'static Loop) -> bool {
        let ready = running.ready();
        ready.set_running(slot);
        let waker = waker::of(slot);
        // SAFETY: `Stage`: the caller has seen that the slot is alive, so the place holds the future; it is `Pinned`.
        let future = unsafe { Pin::new_unchecked(&mut *(*Self::stage(header)).future) };
        let Poll::Ready(output) = future.poll(&mut Context::from_waker(&waker)) else {
            let plain = ready.is_plain(slot);
            let scoped = !plain && ready.set_scoped(false);
            let cancelled = !plain && !ready.is_plain(slot);
            ready.clear_running();
            if scoped {
                slot.set_in_scope();
            }
            if cancelled || scoped && running.is_unwinding() {
                // SAFETY: `OwnerOnly` by the caller's word; it has not ended.
                unsafe { running.after(slot) };
            }
            return true;
        };
        let cancelled = slot.end();
        // SAFETY: `Stage`: the future is dropped once, its slot no longer alive; then the place is free.
        unsafe { ManuallyDrop::drop(&mut (*Self::stage(header)).future) };
        // A task that was cancelled in the step in which it returns ends cancelled, as in asyncio.
        // SAFETY: by the caller's word the body is there.
        if !cancelled || unsafe { &header.cast::<Self>().as_ref().name }.stands((&raw const output).cast()) {
            // SAFETY: as above.
            unsafe { (*Self::stage(header)).output = ManuallyDrop::new(output) };
            slot.set_output();
        }
        ready.clear_running();
        // SAFETY: `OwnerOnly` by the caller's word; it has ended just now.
        unsafe { running.settle(slot) };
        false
    }

    unsafe fn drop_future(header: NonNull<Header>) {
        // SAFETY: `Stage`: the caller has just ended the slot, so the future is there and dropped only here.
        unsafe { ManuallyDrop::drop(&mut (*Self::stage(header)).future) }
    }

    unsafe fn output(header: NonNull<Header>, to: *mut ()) {
        // SAFETY: `Stage`: the caller has taken the mark that the output is there; `to` is null or fits an output.
        unsafe {
            let output = &mut (*Self::stage(header)).output;
            if to.is_null() {
                ManuallyDrop::drop(output);
            } else {
                to.cast::<F::Output>().write(ManuallyDrop::take(output));
            }
        }
    }

    #[cfg(feature = "alloc")]
    unsafe fn value(header: NonNull<Header>) -> *const () {
        // SAFETY: by the caller's word, and the output is there.
        unsafe {
            let output = (&raw const (*Self::stage(header)).output).cast();
            header.cast::<Self>().as_ref().name.value(output)
        }
    }

    unsafe fn name(header: NonNull<Header>) -> Option<&'static str> {
        // SAFETY: by the caller's word.
        unsafe { header.cast::<Self>().as_ref() }.name.name()
    }
}

/// Where the storage of a body goes when it is done with.
pub(crate) enum Free {
    /// It is somebody's frame.
    Nothing,
    #[cfg(feature = "alloc")]
    Heap,
    Pool,
}

impl Header {
    /// One step of a task that is alive, on `running`, which owns it: polls its future, and settles the task if it ends by
    /// that. Nothing but a body's table leads to that code, so it takes no flash where `run_all` is all that is used.
    ///
    /// # Safety
    /// (This one and the next six) `OwnerOnly`, and the body was not freed.
    #[inline]
    pub(crate) unsafe fn step(this: NonNull<Self>, slot: &'static Slot, running: &'static Loop) -> bool {
        // SAFETY: the table is the body's own.
        unsafe { (this.as_ref().vtable.step)(this, slot, running) }
    }

    /// One step of a task that is alive, and was cancelled, or waited for another, or stands in a scope.
    #[inline]
    pub(crate) unsafe fn special(this: NonNull<Self>, slot: &'static Slot, running: &'static Loop) {
        // SAFETY: the table is the body's own.
        unsafe { (this.as_ref().vtable.special)(this, slot, running) }
    }

    /// Cancels what is in a timeout in the task, as `Slot::expire` does, of which nothing is linked where there are no tasks.
    pub(crate) unsafe fn expire(this: NonNull<Self>, slot: &'static Slot, awaits: Mark) {
        // SAFETY: the table is the body's own.
        unsafe { (this.as_ref().vtable.expire)(slot, awaits) };
    }

    /// True when the task is one of a group, which is to be told of its end.
    #[inline]
    pub(crate) unsafe fn is_child(this: NonNull<Self>) -> bool {
        // SAFETY: by the caller's word.
        unsafe { this.as_ref() }.vtable.tell.is_some()
    }

    /// Tells the group of the task, which was in `slot`, that it has ended.
    #[inline]
    pub(crate) unsafe fn tell(this: NonNull<Self>, slot: &'static Slot) {
        // SAFETY: by the caller's word.
        if let Some(tell) = unsafe { this.as_ref() }.vtable.tell {
            // SAFETY: the table is the body's own.
            unsafe { tell(this, slot) }
        }
    }

    /// Ends the task, if it is alive, by dropping its future.
    pub(crate) unsafe fn abandon(this: NonNull<Self>, slot: &'static Slot) {
        if slot.is_alive() {
            slot.end();
            // SAFETY: `Stage`: alive until just now, so the future is there; the table is the body's own.
            unsafe { (this.as_ref().vtable.drop_future)(this) };
        }
    }

    /// Takes the output to `to`, which fits it; false if the task ended without one.
    pub(crate) unsafe fn take_output(this: NonNull<Self>, slot: &'static Slot, to: *mut ()) -> bool {
        let there = slot.take_output();
        if there {
            // SAFETY: `Stage`: the output was marked as there; the table is the body's own.
            unsafe { (this.as_ref().vtable.output)(this, to) };
        }
        there
    }

    /// Where the value in the output, which is there, is; null if it is the error of a group's child.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn value(this: NonNull<Self>) -> *const () {
        // SAFETY: by the caller's word; the table is the body's own.
        unsafe { (this.as_ref().vtable.value)(this) }
    }

    /// Drops the output, if there is one, and frees the body. The task is settled and its handle is gone.
    pub(crate) unsafe fn free(this: NonNull<Self>, slot: &'static Slot) {
        /// Also when the drop of the output panics.
        struct Release(NonNull<Header>, &'static Slot);
        impl Drop for Release {
            fn drop(&mut self) {
                // SAFETY: by the word of the caller of `free`; the output has been left, if not dropped.
                unsafe { Header::release(self.0, self.1) }
            }
        }
        let release = Release(this, slot);
        // SAFETY: by the caller's word. Null: drop the output.
        unsafe { Self::take_output(this, slot, ptr::null_mut()) };
        drop(release);
    }

    /// Frees the body, which holds neither future nor output.
    #[inline]
    pub(crate) unsafe fn release(this: NonNull<Self>, slot: &'static Slot) {
        // SAFETY: by the caller's word; the table is the body's own.
        unsafe { (this.as_ref().vtable.free)(this, slot) }
    }

    pub(crate) unsafe fn name(this: NonNull<Self>) -> Option<&'static str> {
        // SAFETY: by the caller's word; the table is the body's own.
        unsafe { (this.as_ref().vtable.name)(this) }
    }

    /// Whoever is waiting for the end of the task, to be woken by the caller.
    ///
    /// # Safety
    /// `OwnerOnly`.
    pub(crate) unsafe fn take_join(&self) -> Joiners {
        // SAFETY: `OwnerOnly`, and the reference does not leave this line.
        unsafe { (*self.join.get()).take() }
    }

    /// Runs `f` with those who wait for the end of the task.
    ///
    /// # Safety
    /// `OwnerOnly`; `f` calls nothing outside of `joiners`.
    pub(crate) unsafe fn with_join<R>(&self, f: impl FnOnce(&mut Joiners) -> R) -> R {
        // SAFETY: `OwnerOnly`, and by the caller's word no other reference is made meanwhile.
        f(unsafe { &mut *self.join.get() })
    }

    /// What the task waits for, if its slot says that it does.
    pub(crate) fn awaits(&self) -> Awaits {
        self.awaits.get()
    }

    pub(crate) fn set_awaits(&self, awaits: Awaits) {
        self.awaits.set(awaits);
    }
}
