//! `BoundedSemaphore`: a semaphore that notices permits which were never taken.

use super::semaphore::{AcquirePermit, Semaphore};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// A [`Semaphore`] that never has more permits to give than it began with: a release too many is an error. asyncio:
/// `BoundedSemaphore`.
///
/// ```
/// # corio_sim::run(async {
/// static SEATS: corio::BoundedSemaphore = corio::BoundedSemaphore::new(2);
/// let seat = SEATS.acquire().await; // given back when `seat` drops
/// assert_eq!(SEATS.available(), 1);
/// drop(seat);
/// assert_eq!(SEATS.release(), Err(corio::ReleasedTooOften));
/// # });
/// ```
///
/// Usable in a `static`, from tasks, threads and interrupts; waiting allocates nothing.
///
/// # Fairness
/// First come, first served: a newcomer never overtakes a waiter.
pub struct BoundedSemaphore {
    permits: Semaphore,
    bound: usize,
}

/// A release of more permits than were taken. asyncio: the `ValueError` of `BoundedSemaphore.release`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleasedTooOften;

impl fmt::Display for ReleasedTooOften {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a permit was released that had not been taken")
    }
}

impl core::error::Error for ReleasedTooOften {}

impl BoundedSemaphore {
    crate::sync::const_fn! {
        /// A semaphore with `permits` to give, and never more.
        pub const fn new(permits: usize) -> Self {
            Self { permits: Semaphore::new(permits), bound: permits }
        }
    }

    /// Takes one permit, waiting in line until there is one.
    ///
    /// # Cancel safety
    /// **Loses nothing.** Dropping the future leaves the line. A permit already granted to it goes to the next waiter.
    #[inline]
    pub fn acquire(&self) -> AcquireBounded<'_> {
        AcquireBounded { semaphore: self, acquire: self.permits.acquire() }
    }

    /// Takes one permit if there is one and nobody waits.
    pub fn try_acquire(&self) -> Option<BoundedPermit<'_>> {
        let permit = self.permits.try_acquire()?;
        permit.forget();
        Some(BoundedPermit { semaphore: self })
    }

    /// Gives one permit to the oldest waiter, or keeps it if nobody waits: for a permit that was
    /// [forgotten](BoundedPermit::forget), since others give themselves back.
    ///
    /// # Errors
    /// When as many permits as the semaphore began with are there to take; nothing is changed then.
    pub fn release(&self) -> Result<(), ReleasedTooOften> {
        if self.permits.release_below(self.bound) { Ok(()) } else { Err(ReleasedTooOften) }
    }

    /// How many permits are there to take.
    pub fn available(&self) -> usize {
        self.permits.available()
    }

    /// How many permits it began with.
    pub fn bound(&self) -> usize {
        self.bound
    }

    /// True when `acquire` would wait. asyncio: `BoundedSemaphore.locked`.
    pub fn is_locked(&self) -> bool {
        self.permits.is_locked()
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedSemaphore").field("available", &self.available()).field("bound", &self.bound).finish()
    }
}

/// One permit of a [`BoundedSemaphore`]; its drop gives it back.
#[must_use = "the permit is given back when it drops"]
pub struct BoundedPermit<'a> {
    semaphore: &'a BoundedSemaphore,
}

impl BoundedPermit<'_> {
    /// Keeps the permit for good: it is not given back, unless by [`BoundedSemaphore::release`].
    pub fn forget(self) {
        core::mem::forget(self);
    }
}

impl Drop for BoundedPermit<'_> {
    fn drop(&mut self) {
        // It fails if somebody released this permit by hand: then it is back already.
        let _ = self.semaphore.release();
    }
}

impl fmt::Debug for BoundedPermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundedPermit")
    }
}

pin_project_lite::pin_project! {
    /// A pending [`BoundedSemaphore::acquire`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct AcquireBounded<'a> {
        semaphore: &'a BoundedSemaphore,
        #[pin]
        acquire: AcquirePermit<'a>,
    }
}

impl<'a> Future for AcquireBounded<'a> {
    type Output = BoundedPermit<'a>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BoundedPermit<'a>> {
        let this = self.project();
        let semaphore: &'a BoundedSemaphore = this.semaphore;
        this.acquire.poll(cx).map(|permit| {
            permit.forget();
            BoundedPermit { semaphore }
        })
    }
}

impl fmt::Debug for AcquireBounded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AcquireBounded")
    }
}
