//! Counting permits.
//!
//! A released permit goes straight to the oldest waiter; the count rises only if nobody waits.
//! Invariant `Counted`: permits + grants + live `Permit`s == permits put in.

use crate::task::StoredWaker;
use crate::wait::{Guarded, Line, Lines, Turned, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

struct Count {
    permits: usize,
    /// Grants that are out: whoever holds one has not had their step or drop yet.
    granted: usize,
}

impl Guarded for Count {
    type Guard = ();
}

/// Permits that tasks take and give back, in order of arrival. asyncio: `Semaphore`.
///
/// ```
/// # corio_sim::run(async {
/// let seats = corio::Semaphore::new(2);
/// let seat = seats.acquire().await; // given back when `seat` drops
/// assert_eq!(seats.available(), 1);
/// # drop(seat); });
/// ```
///
/// Usable in a `static`, from tasks, threads and interrupts; waiting allocates nothing.
///
/// # Fairness
/// First come, first served: a newcomer never overtakes a waiter.
pub struct Semaphore {
    lines: Lines<Count, 1>,
}

impl Semaphore {
    crate::sync::const_fn! {
        /// A semaphore with `permits` to give.
        pub const fn new(permits: usize) -> Self {
            Self { lines: Lines::new(Count { permits, granted: 0 }) }
        }
    }

    /// Takes one permit, waiting in line until there is one.
    ///
    /// # Cancel safety
    /// **Loses nothing.** Dropping the future leaves the line. A permit already granted to it goes to the next waiter.
    #[inline]
    pub fn acquire(&self) -> AcquirePermit<'_> {
        AcquirePermit { semaphore: self, waiter: Waiter::new() }
    }

    /// Takes one permit if there is one and nobody waits.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        let taken = self.lines.with(|count, lines| {
            let free = is_for_newcomers(count, lines);
            if free {
                count.permits -= 1;
            }
            free
        });
        // Not `then_some`: a permit that is made and not given out would be given back.
        taken.then(|| Permit { semaphore: self })
    }

    /// Gives one permit to the oldest waiter, or keeps it if nobody waits. It need not have been acquired before.
    pub fn release(&self) {
        self.lines.with_wake(|count, lines| {
            count.permits = count.permits.saturating_add(1);
            ((), grant(count, lines))
        });
    }

    /// As `release`, unless `bound` permits are there to take already. True if it was done.
    pub(super) fn release_below(&self, bound: usize) -> bool {
        self.lines.with_wake(|count, lines| {
            if count.permits >= bound {
                return (false, StoredWaker::NONE);
            }
            count.permits += 1;
            (true, grant(count, lines))
        })
    }

    /// How many permits are there to take.
    pub fn available(&self) -> usize {
        self.lines.with(|count, _| count.permits)
    }

    /// True when `acquire` would wait. asyncio: `Semaphore.locked`.
    pub fn is_locked(&self) -> bool {
        self.lines.with(|count, lines| !is_for_newcomers(count, lines))
    }
}

#[inline]
fn is_for_newcomers(count: &Count, lines: &[Line; 1]) -> bool {
    count.permits > 0 && count.granted == 0 && (lines[0].is_empty() || lines[0].all_leaving())
}

/// Gives a permit to the next waiter, if there is a permit and a waiter.
#[inline]
fn grant(count: &mut Count, lines: &mut [Line; 1]) -> StoredWaker {
    if count.permits == 0 {
        return StoredWaker::NONE;
    }
    let waker = lines[0].grant_next();
    if !waker.is_none() {
        count.permits -= 1;
        count.granted += 1;
    }
    waker
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("available", &self.available()).finish()
    }
}

/// One permit of a [`Semaphore`]; its drop gives it back.
#[must_use = "the permit is given back when it drops"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
}

impl Permit<'_> {
    /// Keeps the permit for good: it is not given back, unless by [`Semaphore::release`].
    pub fn forget(self) {
        core::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.release();
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

pin_project_lite::pin_project! {
    /// A pending [`Semaphore::acquire`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct AcquirePermit<'a> {
        semaphore: &'a Semaphore,
        #[pin]
        waiter: Waiter,
    }

    impl PinnedDrop for AcquirePermit<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.waiter.is_idle() {
                return;
            }
            this.semaphore.lines.leave::<0>(this.waiter, |count, _, turned| {
                if turned == Turned::Granted {
                    count.granted -= 1;
                    count.permits = count.permits.saturating_add(1);
                }
                StoredWaker::NONE
            });
            this.semaphore.lines.wake_on(grant);
        }
    }
}

impl<'a> Future for AcquirePermit<'a> {
    type Output = Permit<'a>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit<'a>> {
        let this = self.project();
        let semaphore: &'a Semaphore = this.semaphore;
        let claim = |count: &mut Count, lines: &mut [Line; 1], turned| match turned {
            Turned::Granted => {
                count.granted -= 1;
                Some((true, StoredWaker::NONE))
            }
            Turned::New if is_for_newcomers(count, lines) => {
                count.permits -= 1;
                Some((false, StoredWaker::NONE))
            }
            _ => None,
        };
        semaphore.lines.poll::<0, _, _>(this.waiter, cx, claim, |pass_on| {
            let permit = Permit { semaphore };
            if pass_on {
                // Whoever came while a grant was out stands in line even if more permits are there: they are told now.
                semaphore.lines.wake_on(grant);
            }
            permit
        })
    }
}

impl fmt::Debug for AcquirePermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AcquirePermit")
    }
}
