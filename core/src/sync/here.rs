//! Which loop runs here: a pointer per thread on hosted targets, a single one on bare metal.
//!
//! On bare metal the pointer is one static word, saved and restored around each turn, so loops at several interrupt
//! priorities nest. It answers "which loop is ambient", never "may I touch the loop without a lock": an interrupt
//! handler sees the pointer of the loop that it interrupted. That second question has the answer *no* there
//! ([`is`] is always false), which sends each wake through the critical section.

#[cfg(any(feature = "std", loom))]
mod place {
    use core::cell::Cell;

    #[cfg(not(loom))]
    std::thread_local! {
        static HERE: Cell<*const ()> = const { Cell::new(core::ptr::null()) };
    }
    #[cfg(loom)]
    loom::thread_local! {
        static HERE: Cell<*const ()> = Cell::new(core::ptr::null());
    }

    #[inline]
    pub(crate) fn get() -> *const () {
        // A waker called while the thread ends finds no loop here, which is true.
        HERE.try_with(Cell::get).unwrap_or(core::ptr::null())
    }

    #[inline]
    pub(crate) fn replace(to: *const ()) -> *const () {
        HERE.with(|here| here.replace(to))
    }

    /// Something that no other thread has at the same time.
    pub(crate) fn context() -> *mut () {
        HERE.try_with(|here| core::ptr::from_ref(here).cast_mut().cast()).unwrap_or(core::ptr::null_mut())
    }

    /// True when the loop at `what` is the one running on this thread.
    #[inline]
    pub(crate) fn is(what: *const ()) -> bool {
        get() == what
    }
}

#[cfg(not(any(feature = "std", loom)))]
mod place {
    use crate::sync::atomic::{AtomicPtr, Ordering};

    static HERE: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

    #[inline]
    pub(crate) fn get() -> *const () {
        HERE.load(Ordering::Relaxed)
    }

    /// Not an atomic exchange: whoever interrupts between load and store puts back what it found.
    #[inline]
    pub(crate) fn replace(to: *const ()) -> *const () {
        let was = HERE.load(Ordering::Relaxed);
        HERE.store(to.cast_mut(), Ordering::Relaxed);
        was
    }

    /// For use within a critical section, where there is one context only.
    pub(crate) fn context() -> *mut () {
        core::ptr::dangling_mut()
    }

    /// Never certain: this may be an interrupt handler.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn is(_what: *const ()) -> bool {
        false
    }
}

pub(crate) use place::*;
