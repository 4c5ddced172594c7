//! `Instant`: a point in the time of one reactor.
//!
//! A `u64` of nanoseconds since the reactor's start: 584 years, one register pair on a microcontroller. There is no
//! global clock; an instant means something only to the loop it came from. Arithmetic saturates, so a timeout of
//! `Duration::MAX` is a deadline that never comes, not an overflow.

use core::fmt;
use core::ops::{Add, AddAssign, Sub, SubAssign};
use core::time::Duration;

/// A point in time: nanoseconds since the reactor's start. asyncio: what `loop.time()` returns.
///
/// ```
/// use corio::{Duration, Instant};
/// let later = Instant::ZERO + Duration::from_millis(1500);
/// assert_eq!(later.as_millis(), 1500);
/// assert_eq!(Instant::ZERO - later, Duration::ZERO); // saturates
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The start of the reactor's time.
    pub const ZERO: Self = Self(0);
    /// The end of time: a deadline here never comes.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant `micros` microseconds after the start; saturates.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// The instant `millis` milliseconds after the start; saturates.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The instant `secs` seconds after the start; saturates.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole milliseconds since the start.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole seconds since the start.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// This instant moved by `by`, or [`Instant::MAX`] if that is out of range. `+` does the same.
    #[inline]
    pub const fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(by)))
    }

    /// This instant moved by `by`, or none if that is out of range.
    pub const fn checked_add(self, by: Duration) -> Option<Self> {
        match self.0.checked_add(nanos(by)) {
            Some(sum) if by.as_nanos() <= u64::MAX as u128 => Some(Self(sum)),
            _ => None,
        }
    }

    /// The time from `earlier` to here, zero if `earlier` is later. `-` does the same.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Saturates at 584 years. Written so that it costs no 128-bit arithmetic, and no look at the carry of a product.
#[inline]
pub(crate) const fn nanos(of: Duration) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    if of.as_secs() > u64::MAX / SECOND {
        return u64::MAX;
    }
    (of.as_secs() * SECOND).saturating_add(of.subsec_nanos() as u64)
}

impl Add<Duration> for Instant {
    type Output = Self;
    #[inline]
    fn add(self, by: Duration) -> Self {
        self.saturating_add(by)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, by: Duration) {
        *self = *self + by;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(by)))
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, by: Duration) {
        *self = *self - by;
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({}.{:09} s)", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Instant::MAX + Duration::from_nanos(1), Instant::MAX);
        assert_eq!(Instant::from_secs(1) + Duration::MAX, Instant::MAX);
        assert_eq!(Instant::ZERO - Duration::from_secs(1), Instant::ZERO);
        assert_eq!(Instant::ZERO - Instant::MAX, Duration::ZERO);
        assert_eq!(Instant::from_secs(u64::MAX), Instant::MAX);
    }

    #[test]
    fn checked_add_knows_the_edge() {
        assert_eq!(Instant::ZERO.checked_add(Duration::from_nanos(u64::MAX)), Some(Instant::MAX));
        assert_eq!(Instant::from_nanos(1).checked_add(Duration::from_nanos(u64::MAX)), None);
        assert_eq!(Instant::ZERO.checked_add(Duration::MAX), None);
    }
}
