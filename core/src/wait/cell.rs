#![allow(unsafe_code)] // keeps a waker as a word in an atomic
//! `WaitCell`: one waker, to be woken from a thread or an interrupt.

use crate::task::StoredWaker;
use core::fmt;
use core::task::Waker;

/// The place of one waker: a task waits here for something outside of the loop.
///
/// A leaf future looks, registers, and looks again; whatever happened between the two looks is then seen by the
/// second:
///
/// ```
/// use core::{future::poll_fn, sync::atomic::{AtomicBool, Ordering}, task::Poll};
/// use corio::wait::WaitCell;
///
/// static PRESSED: AtomicBool = AtomicBool::new(false);
/// static BUTTON: WaitCell = WaitCell::new();
///
/// fn interrupt() {
///     PRESSED.store(true, Ordering::Release);
///     BUTTON.wake();
/// }
///
/// async fn pressed() {
///     poll_fn(|cx| {
///         if PRESSED.swap(false, Ordering::Acquire) {
///             return Poll::Ready(());
///         }
///         BUTTON.register(cx.waker());
///         if PRESSED.swap(false, Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
///     })
///     .await
/// }
///
/// # corio_sim::run(async {
/// # let task = corio::spawn(pressed());
/// # corio::yield_now().await;
/// interrupt();
/// # task.await.unwrap();
/// # });
/// ```
///
/// A second waker takes the place of the first, which is not woken: one task waits at a time. Usable in a `static`, from
/// tasks, threads and interrupts.
pub struct WaitCell {
    place: Place,
}

impl WaitCell {
    crate::sync::const_fn! {
        /// An empty cell.
        pub const fn new() -> Self {
            Self { place: Place::new() }
        }
    }

    /// Has `waker` woken by the next [`wake`](Self::wake), in place of any other. Look again after it.
    #[inline]
    pub fn register(&self, waker: &Waker) {
        drop(self.place.replace(StoredWaker::of(waker)));
    }

    /// Wakes the waker that is registered, if any, and forgets it.
    #[inline]
    pub fn wake(&self) {
        self.place.take().wake();
    }

    /// Takes the waker out without waking it.
    pub fn take(&self) -> Option<Waker> {
        self.place.take().into_waker()
    }

    /// True when a waker is registered.
    pub fn is_registered(&self) -> bool {
        self.place.is_filled()
    }
}

impl Default for WaitCell {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitCell").field("registered", &self.is_registered()).finish()
    }
}

/// With an allocator a stored waker is a word, and the cell an atomic one.
#[cfg(feature = "alloc")]
mod flavour {
    use super::StoredWaker;
    use crate::sync::atomic::{AtomicUsize, Ordering};

    /// Invariant `OneOwner`: the word in the atomic was made by `into_word`; who swaps it out owns it.
    pub(super) struct Place(AtomicUsize);

    impl Place {
        crate::sync::const_fn! {
            pub(super) const fn new() -> Self {
                Self(AtomicUsize::new(0))
            }
        }

        // AcqRel (both): who wakes and then is looked at, or registers and then looks, is ordered by the swaps: of a
        // `register` and a `wake` one comes first in the cell, and hands on what was written before it.
        #[inline]
        pub(super) fn replace(&self, waker: StoredWaker) -> StoredWaker {
            // SAFETY: `OneOwner`.
            unsafe { StoredWaker::from_word(self.0.swap(waker.into_word(), Ordering::AcqRel)) }
        }

        #[inline]
        pub(super) fn take(&self) -> StoredWaker {
            // SAFETY: `OneOwner`.
            unsafe { StoredWaker::from_word(self.0.swap(0, Ordering::AcqRel)) }
        }

        pub(super) fn is_filled(&self) -> bool {
            self.0.load(Ordering::Relaxed) != 0
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            drop(self.take());
        }
    }
}

/// Without one it is two words, and the cell a short lock.
#[cfg(not(feature = "alloc"))]
mod flavour {
    use super::StoredWaker;
    use crate::sync::Short;

    pub(super) struct Place(Short<StoredWaker>);

    impl Place {
        crate::sync::const_fn! {
            pub(super) const fn new() -> Self {
                Self(Short::new(StoredWaker::NONE))
            }
        }

        #[inline]
        pub(super) fn replace(&self, waker: StoredWaker) -> StoredWaker {
            self.0.with(|place| core::mem::replace(place, waker))
        }

        #[inline]
        pub(super) fn take(&self) -> StoredWaker {
            self.0.with(StoredWaker::take)
        }

        pub(super) fn is_filled(&self) -> bool {
            self.0.with(|place| !place.is_none())
        }
    }
}

use flavour::Place;
