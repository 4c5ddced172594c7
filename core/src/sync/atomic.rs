//! Atomics: core's, loom's in a model, and portable-atomic's where the target has no compare-and-swap.

#[cfg(all(not(loom), target_has_atomic = "ptr"))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};
#[cfg(all(not(loom), not(target_has_atomic = "ptr")))]
pub(crate) use portable_atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};

#[cfg(all(feature = "alloc", not(loom), target_has_atomic = "ptr"))]
pub(crate) use core::sync::atomic::AtomicUsize;
#[cfg(all(feature = "alloc", loom))]
pub(crate) use loom::sync::atomic::AtomicUsize;
#[cfg(all(feature = "alloc", not(loom), not(target_has_atomic = "ptr")))]
pub(crate) use portable_atomic::AtomicUsize;
