#![allow(unsafe_code)] // reads a processor register
//! Which loop runs here: a pointer per thread on hosted targets, one for each context on bare metal.
//!
//! On bare metal the pointer is one static word, saved and restored around each turn, so loops at several interrupt
//! priorities nest. Beside it stands the context that put it there: on ARM's M profile the number of the exception that
//! is being handled, 0 for none. Whoever runs in another context finds no loop: an interrupt handler has none but its own,
//! and so it cannot spawn on the loop that it interrupted, nor touch what belongs to that loop alone.
//!
//! Elsewhere on bare metal one context cannot be told from another, and neither can two cores; the crate's
//! documentation says what must not be done there.

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

    /// What was here before, to be put back by `restore`.
    pub(crate) struct Before(*const ());

    #[inline]
    pub(crate) fn replace(to: *const ()) -> Before {
        Before(HERE.with(|here| here.replace(to)))
    }

    #[inline]
    pub(crate) fn restore(before: &Before) {
        HERE.with(|here| here.set(before.0));
    }

    /// Something that no other thread has at the same time.
    pub(crate) fn context() -> *mut () {
        HERE.try_with(|here| core::ptr::from_ref(here).cast_mut().cast()).unwrap_or(core::ptr::null_mut())
    }
}

#[cfg(not(any(feature = "std", loom)))]
mod place {
    use crate::sync::atomic::{AtomicPtr, Ordering};

    /// Together, so that who looks at both needs one address.
    struct Place {
        here: AtomicPtr<()>,
        /// Who put the pointer there, as `context` has it.
        by: AtomicPtr<()>,
    }

    static PLACE: Place =
        Place { here: AtomicPtr::new(core::ptr::null_mut()), by: AtomicPtr::new(core::ptr::null_mut()) };

    /// The two words are not read in one piece. They need not be: a handler that comes between leaves both as it found
    /// them, and what a handler of the same number put there is its own.
    #[inline]
    pub(crate) fn get() -> *const () {
        if PLACE.by.load(Ordering::Relaxed) == context() {
            PLACE.here.load(Ordering::Relaxed)
        } else {
            core::ptr::null()
        }
    }

    /// What is here, of whichever context, to be put back by `restore`.
    pub(crate) struct Before {
        here: *mut (),
        by: *mut (),
    }

    /// Not an atomic exchange: whoever interrupts between the words puts back what it found, and while they do not
    /// belong together, `by` names a context that is not running.
    #[inline]
    pub(crate) fn replace(to: *const ()) -> Before {
        let before = Before { here: PLACE.here.load(Ordering::Relaxed), by: PLACE.by.load(Ordering::Relaxed) };
        PLACE.here.store(to.cast_mut(), Ordering::Relaxed);
        PLACE.by.store(context(), Ordering::Relaxed);
        before
    }

    #[inline]
    pub(crate) fn restore(before: &Before) {
        PLACE.by.store(before.by, Ordering::Relaxed);
        PLACE.here.store(before.here, Ordering::Relaxed);
    }

    /// The same for whatever runs in one context; no other has it at the same time. Never null, which is nobody's.
    #[cfg(mclass)]
    #[inline]
    pub(crate) fn context() -> *mut () {
        let exception: usize;
        // SAFETY: reads a register that is there on each core of the M profile, and changes nothing.
        unsafe {
            core::arch::asm!("mrs {}, IPSR", out(reg) exception, options(nomem, nostack, preserves_flags));
        }
        core::ptr::without_provenance_mut(exception + 1)
    }

    #[cfg(not(mclass))]
    #[inline]
    pub(crate) fn context() -> *mut () {
        core::ptr::dangling_mut()
    }
}

pub(crate) use place::*;

/// True when the loop at `what` is the one that runs here.
#[cfg(any(feature = "alloc", loom))]
#[inline]
pub(crate) fn is(what: *const ()) -> bool {
    get() == what
}
