//! How late sleepers woke.

use std::time::{Duration, Instant};

/// The deadlines of N sleeps spread evenly over a second, and how late each was met.
///
/// The first deadline lies half a second ahead, so that all tasks have started to sleep before it. The order of the
/// deadlines is scattered: neighbours in time are not neighbours in order of creation.
pub struct Lateness {
    start: Instant,
    n: u64,
    late: Vec<u64>,
}

impl Lateness {
    const LEAD: Duration = Duration::from_millis(500);
    /// A prime, so that it visits every place of any N that is not a multiple of it.
    const SCATTER: u64 = 7919;

    pub fn new(n: u64) -> Self {
        Self { start: Instant::now(), n, late: Vec::with_capacity(n as usize) }
    }

    /// The time that offsets count from.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// When the `i`-th sleep ends, after `start`.
    pub fn offset(&self, i: u64) -> Duration {
        let place = i * Self::SCATTER % self.n;
        Self::LEAD + Duration::from_nanos(place * 1_000_000_000 / self.n)
    }

    /// Notes when the `i`-th sleep ended.
    pub fn woke(&mut self, i: u64, at: Instant) {
        let passed = at - self.start;
        assert!(passed >= self.offset(i), "a sleep ended before its deadline");
        self.late.push((passed - self.offset(i)).as_nanos() as u64);
    }

    /// Prints the distribution.
    pub fn report(&mut self) {
        self.late.sort_unstable();
        let at = |percent: usize| self.late[(self.late.len() - 1) * percent / 100];
        println!("late_p50_ns={} late_p99_ns={} late_max_ns={}", at(50), at(99), at(100));
    }
}
