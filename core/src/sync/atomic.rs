//! Atomics: core's, or loom's in a model. Where the target has no compare-and-swap, these load and store and no more; what
//! else there is to be done takes those in `swap`, which are portable-atomic's there. (Theirs put a critical section
//! around each load and store too.)

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU8, Ordering};

/// Atomics that swap, on every target.
pub(crate) mod swap {
    #[cfg(any(loom, target_has_atomic = "ptr"))]
    pub(crate) use super::{AtomicBool, AtomicU8};
    #[cfg(all(not(loom), not(target_has_atomic = "ptr")))]
    pub(crate) use portable_atomic::{AtomicBool, AtomicU8};
}

#[cfg(loom)]
pub(crate) use sequential::{AtomicBool, AtomicPtr};

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::fence;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::fence;

/// Loads and stores only, on every target and in a model.
pub(crate) use core::sync::atomic::AtomicU32;

#[cfg(all(feature = "alloc", not(loom), target_has_atomic = "ptr"))]
pub(crate) use core::sync::atomic::AtomicUsize;
#[cfg(all(feature = "alloc", loom))]
pub(crate) use loom::sync::atomic::AtomicUsize;
#[cfg(all(feature = "alloc", not(loom), not(target_has_atomic = "ptr")))]
pub(crate) use portable_atomic::AtomicUsize;

/// Two things that loom takes too lightly, so that it would find faults where there are none: a sequentially consistent
/// load is to it one that acquires (its fences are what they should be), and a store may come between the two halves of
/// another thread's swap (but a swap may not).
#[cfg(loom)]
mod sequential {
    use super::Ordering;
    use core::ops::Deref;
    use loom::sync::atomic::{self, fence};

    pub(crate) struct AtomicBool(atomic::AtomicBool);
    pub(crate) struct AtomicPtr<T>(atomic::AtomicPtr<T>);

    impl AtomicBool {
        pub(crate) fn new(value: bool) -> Self {
            Self(atomic::AtomicBool::new(value))
        }

        pub(crate) fn load(&self, order: Ordering) -> bool {
            fence_before(order);
            self.0.load(order)
        }

        pub(crate) fn store(&self, value: bool, order: Ordering) {
            // It goes on with whatever release it overwrites. No two of ours follow each other that differ in that.
            self.0.swap(value, order);
        }
    }

    impl<T> AtomicPtr<T> {
        pub(crate) fn new(value: *mut T) -> Self {
            Self(atomic::AtomicPtr::new(value))
        }

        pub(crate) fn load(&self, order: Ordering) -> *mut T {
            fence_before(order);
            self.0.load(order)
        }
    }

    /// Whatever this thread wrote before such a load, and whatever others did before theirs, is in one order.
    fn fence_before(load: Ordering) {
        if load == Ordering::SeqCst {
            fence(Ordering::SeqCst);
        }
    }

    // All the rest is loom's.

    impl Deref for AtomicBool {
        type Target = atomic::AtomicBool;
        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }

    impl<T> Deref for AtomicPtr<T> {
        type Target = atomic::AtomicPtr<T>;
        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }
}
