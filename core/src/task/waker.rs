#![allow(unsafe_code)] // a `RawWaker` is made of a slot's address
//! A waker is the address of a slot: a clone copies it, a drop does nothing, a wake makes the slot's task ready.

use super::slot::Slot;
use core::mem::ManuallyDrop;
use core::ptr;
use core::task::{RawWaker, RawWakerVTable, Waker};

/// One static, so that its address tells our wakers from all others.
static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |slot| RawWaker::new(slot, &VTABLE),
    // The data of a waker with this table is a slot.
    Slot::wake_at,
    Slot::wake_at,
    |_| {},
);

/// The waker of a slot. Nothing is to be dropped, so it comes as a `ManuallyDrop` and costs two words.
#[inline]
pub(crate) fn of(slot: &'static Slot) -> ManuallyDrop<Waker> {
    // SAFETY: the table keeps the contract of `RawWaker`: slots are `Sync` and `Immortal`.
    ManuallyDrop::new(unsafe { Waker::new(ptr::from_ref(slot).cast(), &VTABLE) })
}

/// True for the table of our wakers.
#[inline]
pub(crate) fn is_ours(vtable: &'static RawWakerVTable) -> bool {
    ptr::eq(vtable, &VTABLE)
}

/// The slot that a waker names, if it is one of ours.
#[cfg(feature = "alloc")]
#[inline]
pub(crate) fn slot(waker: &Waker) -> Option<&'static Slot> {
    if is_ours(waker.vtable()) {
        // SAFETY: the data of a waker with this table is a slot, and slots are `Immortal`.
        Some(unsafe { &*waker.data().cast::<Slot>() })
    } else {
        None
    }
}
