#![allow(unsafe_code)] // erases the type of the reactor's unparker
//! `Ready`: the part of a loop that wakers reach, from anywhere and at any time: its queue and its unparker.
//!
//! Like a slot it is `Immortal`: a loop that ends gives it back to be used by a later loop, never to the allocator. So
//! a stale waker always has somewhere to push.

use super::slot::Slot;
use crate::Unpark;
use crate::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use crate::sync::{Short, Wakes};
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::task::Waker;

/// The task whose step is under way was cancelled in it.
const CANCELLED: usize = 1;
/// It has come to a scope that is pending.
const IN_SCOPE: usize = 2;
const NOTES: usize = CANCELLED | IN_SCOPE;

/// A step that was put aside, with what was noted in it.
#[cfg(feature = "alloc")]
pub(crate) struct Suspended(*mut Slot);

/// The queue of one loop and the handle that ends its sleep.
pub(crate) struct Ready {
    wakes: Wakes<Slot>,
    /// An `Unparks`, or null.
    unparks: AtomicPtr<()>,
    unparker: Short<Option<Erased>>,
    /// The slot whose step is under way, and in the lowest bits what happened in it. Only the loop's own thread uses it.
    running: AtomicPtr<Slot>,
    /// The slot whose step has come to several futures that are polled side by side, while it is among them.
    among: AtomicPtr<Slot>,
    /// How many leases of the loop have ended: who names the loop, or a task of it, sees by it whether it is the same.
    leases: AtomicU32,
    #[cfg(feature = "alloc")]
    slots: super::heap::Slots,
}

impl Ready {
    crate::sync::const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                wakes: Wakes::new(),
                unparks: AtomicPtr::new(ptr::null_mut()),
                unparker: Short::new(None),
                running: AtomicPtr::new(ptr::null_mut()),
                among: AtomicPtr::new(ptr::null_mut()),
                leases: AtomicU32::new(0),
                #[cfg(feature = "alloc")]
                slots: super::heap::Slots::new(),
            }
        }
    }

    /// The number of the present lease.
    pub(crate) fn lease(&self) -> u32 {
        // Relaxed: who asks is on the thread of some lease; that the same has ended was written on that thread.
        self.leases.load(Ordering::Relaxed)
    }

    /// The present lease has ended.
    pub(crate) fn end_lease(&self) {
        self.leases.store(self.lease().wrapping_add(1), Ordering::Relaxed);
    }

    /// Notes whose step is under way.
    #[inline]
    pub(crate) fn set_running(&self, slot: &'static Slot) {
        self.running.store(ptr::from_ref(slot).cast_mut(), Ordering::Relaxed);
    }

    /// No step is under way.
    #[inline]
    pub(crate) fn clear_running(&self) {
        self.running.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// Whose step is under way.
    pub(crate) fn running(&self) -> Option<&'static Slot> {
        let running = self.running.load(Ordering::Relaxed).map_addr(|address| address & !NOTES);
        // SAFETY: null or a slot, and slots are `Immortal`.
        unsafe { running.as_ref() }
    }

    /// Whose step is under way, if nothing was noted in it, and its task waits for nothing that it is to be told of.
    #[inline]
    pub(crate) fn running_plainly(&self) -> Option<&'static Slot> {
        let running = self.running.load(Ordering::Relaxed);
        // SAFETY: without notes it is null or a slot, and slots are `Immortal`.
        let slot = if running.addr() & NOTES == 0 { unsafe { running.as_ref() } } else { None };
        slot.filter(|slot| !slot.is_waiting())
    }

    /// True when the step of `slot` is under way.
    #[inline]
    pub(crate) fn is_running(&self, slot: &Slot) -> bool {
        self.running.load(Ordering::Relaxed).addr() & !NOTES == ptr::from_ref(slot).addr()
    }

    /// The task whose step is under way, if `waker` is its own, and what is polled speaks for it.
    pub(crate) fn running_task(&self, waker: &Waker) -> Option<&'static Slot> {
        super::waker::slot(waker).filter(|slot| self.speaks_for(slot))
    }

    /// True when the step of `slot` is under way, and what is polled is all that its task does: one of several futures
    /// side by side cannot speak for it.
    #[inline]
    pub(crate) fn speaks_for(&self, slot: &Slot) -> bool {
        self.is_running(slot) && !ptr::eq(self.among.load(Ordering::Relaxed), slot)
    }

    /// Notes that the step that is under way polls one of several futures side by side, until the guard drops.
    pub(crate) fn enter_branch(&self) -> InBranch<'_> {
        let running = self.running().map_or(ptr::null_mut(), |slot| ptr::from_ref(slot).cast_mut());
        let before = self.among.load(Ordering::Relaxed);
        self.among.store(running, Ordering::Relaxed);
        InBranch { ready: self, before }
    }

    /// True when nothing was noted in the step of `slot`, which is under way.
    #[inline]
    pub(crate) fn is_plain(&self, slot: &Slot) -> bool {
        ptr::eq(self.running.load(Ordering::Relaxed), slot)
    }

    /// If the step of `slot` is under way, notes that its task was cancelled in it.
    pub(crate) fn cancel_running(&self, slot: &Slot) -> bool {
        let running = self.running.load(Ordering::Relaxed);
        let is_running = self.is_running(slot);
        if is_running {
            self.running.store(running.map_addr(|address| address | CANCELLED), Ordering::Relaxed);
        }
        is_running
    }

    /// Puts the step that is under way aside, if there is one, for that of another task within it. `resume` is given what
    /// this returns.
    #[cfg(feature = "alloc")]
    pub(crate) fn suspend(&self) -> Suspended {
        let outer = Suspended(self.running.load(Ordering::Relaxed));
        if let Some(slot) = self.running() {
            slot.set_suspended(true);
        }
        self.clear_running();
        outer
    }

    /// Goes on with the step that was put aside.
    #[cfg(feature = "alloc")]
    pub(crate) fn resume(&self, outer: &Suspended) {
        self.running.store(outer.0, Ordering::Relaxed);
        if let Some(slot) = self.running() {
            slot.set_suspended(false);
            if slot.is_cancelled() {
                self.cancel_running(slot);
            }
        }
    }

    /// Notes whether the step that is under way, if any, has come to a pending scope; returns what was noted before.
    pub(crate) fn set_scoped(&self, scoped: bool) -> bool {
        let running = self.running.load(Ordering::Relaxed);
        let noted = running.map_addr(|address| address & !IN_SCOPE | if scoped { IN_SCOPE } else { 0 });
        self.running.store(noted, Ordering::Relaxed);
        running.addr() & IN_SCOPE != 0
    }

    /// One of the loop's slots, claimed for the caller.
    ///
    /// # Safety
    /// `OwnThread` (see `sync::Local`).
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) unsafe fn claim(&'static self) -> &'static Slot {
        // SAFETY: by the caller's word.
        unsafe { self.slots.claim() }
    }

    /// Calls `f` with each of the loop's slots from the heap, in use or not.
    ///
    /// # Safety
    /// `OwnThread`.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn each_slot(&self, f: impl FnMut(&'static Slot)) {
        // SAFETY: by the caller's word.
        unsafe { self.slots.each(f) };
    }

    /// Takes back a slot that came from `claim`.
    #[cfg(feature = "alloc")]
    pub(crate) fn give_back(&self, slot: &'static Slot) {
        self.slots.give_back(slot, self.is_here());
    }

    /// The queue itself, for the loop that pops.
    #[inline]
    pub(crate) fn wakes(&self) -> &Wakes<Slot> {
        &self.wakes
    }

    /// True on the thread that runs this loop, while it runs. (Never on bare metal: see `sync::here`.)
    #[cfg(any(feature = "alloc", loom))]
    #[inline]
    pub(crate) fn is_here(&self) -> bool {
        crate::sync::here::is(ptr::from_ref(self).cast())
    }

    /// Lets `unparker` end the sleep of the loop.
    pub(crate) fn set_unparker<U: Unpark + Clone + Send + Sync + 'static>(&self, unparker: U) {
        const { assert!(size_of::<U>() <= size_of::<Words>() && align_of::<U>() <= align_of::<Words>()) };
        let unparks: Unparks = if size_of::<U>() == 0 {
            // One value is kept for good, so that one may always be conjured from nowhere.
            core::mem::forget(unparker);
            |_| unpark_anywhere::<U>()
        } else {
            let erased = Erased::new(unparker);
            let old = self.unparker.with(|place| place.replace(erased));
            drop(old);
            Ready::unpark_stored
        };
        // Release: the place is filled before anyone looks there.
        self.unparks.store(unparks as *mut (), Ordering::Release);
    }

    /// From now on there is nothing to unpark.
    pub(crate) fn clear_unparker(&self) {
        self.unparks.store(ptr::null_mut(), Ordering::Relaxed);
        let old = self.unparker.with(Option::take);
        drop(old); // outside of the lock: it may free memory or close a descriptor
    }

    /// Ends the sleep of the loop.
    #[cold]
    pub(crate) fn unpark(&self) {
        // Acquire: pairs with the release in `set_unparker`.
        let unparks = self.unparks.load(Ordering::Acquire);
        if !unparks.is_null() {
            // SAFETY: not null, so it was stored by `set_unparker`, made of an `Unparks`.
            let unparks = unsafe { core::mem::transmute::<*mut (), Unparks>(unparks) };
            unparks(self);
        }
    }

    fn unpark_stored(&self) {
        // The copy, not the original: the loop may end meanwhile, and an unpark runs under no lock of ours.
        if let Some(copy) = self.unparker.with(|place| place.clone()) {
            copy.unpark();
        }
    }
}

/// Until it drops, the step that is under way is among futures side by side.
pub(crate) struct InBranch<'a> {
    ready: &'a Ready,
    before: *mut Slot,
}

impl Drop for InBranch<'_> {
    fn drop(&mut self) {
        self.ready.among.store(self.before, Ordering::Relaxed);
    }
}

/// Ends the sleep of a loop that has an unparker of some type. One of no size needs no place and no lock, and links
/// neither.
type Unparks = fn(&Ready);

type Words = [usize; 2];

fn unpark_anywhere<U: Unpark>() {
    assert!(size_of::<U>() == 0);
    // SAFETY: a value of no size, one of which was forgotten in `set_unparker`, is anywhere.
    unsafe { NonNull::<U>::dangling().as_ref() }.unpark();
}

struct VTable {
    clone: unsafe fn(*const (), *mut ()),
    unpark: unsafe fn(*const ()),
    drop: unsafe fn(*mut ()),
}

impl VTable {
    fn of<U: Unpark + Clone + Send + Sync + 'static>() -> &'static Self {
        struct For<U>(U);
        impl<U: Unpark + Clone> For<U> {
            const VTABLE: VTable = VTable {
                // SAFETY: `Erased` calls these with its own words, which hold a `U`; `to` has room for one.
                clone: |from, to| unsafe { to.cast::<U>().write((*from.cast::<U>()).clone()) },
                // SAFETY: as above.
                unpark: |it| unsafe { (*it.cast::<U>()).unpark() },
                // SAFETY: as above, and once only.
                drop: |it| unsafe { it.cast::<U>().drop_in_place() },
            };
        }
        &For::<U>::VTABLE
    }
}

/// An unparker of some type, in two words.
struct Erased {
    words: MaybeUninit<Words>,
    vtable: &'static VTable,
}

// SAFETY: made from types that are `Send` and `Sync` only.
unsafe impl Send for Erased {}

impl Erased {
    fn new<U: Unpark + Clone + Send + Sync + 'static>(unparker: U) -> Self {
        let mut words = MaybeUninit::<Words>::uninit();
        // SAFETY: `set_unparker` has checked that it fits.
        unsafe { words.as_mut_ptr().cast::<U>().write(unparker) };
        Self { words, vtable: VTable::of::<U>() }
    }

    fn unpark(&self) {
        // SAFETY: the words hold what the table is for.
        unsafe { (self.vtable.unpark)(self.words.as_ptr().cast()) }
    }
}

impl Clone for Erased {
    fn clone(&self) -> Self {
        let mut words = MaybeUninit::<Words>::uninit();
        // SAFETY: the words hold what the table is for.
        unsafe { (self.vtable.clone)(self.words.as_ptr().cast(), words.as_mut_ptr().cast()) };
        Self { words, vtable: self.vtable }
    }
}

impl Drop for Erased {
    fn drop(&mut self) {
        // SAFETY: the words hold what the table is for, and are not used again.
        unsafe { (self.vtable.drop)(self.words.as_mut_ptr().cast()) }
    }
}
