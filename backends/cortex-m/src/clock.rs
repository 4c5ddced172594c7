//! Cycles to nanoseconds, exactly: what SysTick's numbers mean, apart from its registers.
//!
//! SysTick counts down from `cycles - 1` to 0 and starts again; reaching 0 is the *wrap* that ends a tick. So that no
//! time is lost however long the program runs, a tick is a whole number of cycles **and** of nanoseconds: with 1 s
//! = 10^9 ns = `hz` cycles, the shortest such stretch is `hz / gcd(hz, 10^9)` cycles, and a tick is a multiple of it.
//! Only the part of a tick that has passed is rounded, down, by less than 2 ns, and that rounding does not add up.
//!
//! ```text
//! counter   3   2   1   0   3   2   1   0   3        cycles = 4
//! ticks     ────── 0 ──────│────── 1 ──────│── 2
//! elapsed   1   2   3   ·   1   2   3   ·   1        elapsed = cycles - counter
//! ```

/// SysTick's counter has 24 bits.
const MAX_CYCLES: u64 = 1 << 24;

/// The length of one tick, and the length of a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Cycles in a tick.
    pub(crate) cycles: u32,
    /// Nanoseconds in a tick.
    pub(crate) nanos: u32,
    /// Whole nanoseconds in a cycle.
    whole: u32,
    /// The rest of a cycle, in units of 2^-32 ns.
    fraction: u32,
}

impl Clock {
    /// The tick nearest to `1 / tick_hz` seconds that a counter running at `hz` can measure without error.
    ///
    /// # Panics
    /// Where there is none. This is evaluated by the compiler, so it is an error of the build.
    pub(crate) const fn new(hz: u32, tick_hz: u32) -> Self {
        assert!(hz > 0 && tick_hz > 0, "corio-cortex-m: a clock rate of zero");
        const NANOS: u64 = 1_000_000_000;
        let hz = hz as u64;
        let gcd = gcd(hz, NANOS);
        let (exact_cycles, exact_nanos) = (hz / gcd, NANOS / gcd);
        let wanted = exact_cycles * tick_hz as u64;
        let nearest = (hz + wanted / 2) / wanted;
        let steps = if nearest == 0 { 1 } else { nearest };
        let (cycles, nanos) = (steps * exact_cycles, steps * exact_nanos);
        assert!(cycles > 1 && cycles <= MAX_CYCLES, "corio-cortex-m: such a tick does not fit SysTick's 24 bits");
        assert!(nanos <= u32::MAX as u64, "corio-cortex-m: a tick must be shorter than 4.29 s");
        Self {
            cycles: cycles as u32,
            nanos: nanos as u32,
            whole: (exact_nanos / exact_cycles) as u32,
            fraction: (((exact_nanos % exact_cycles) << 32) / exact_cycles) as u32,
        }
    }

    /// Nanoseconds in `ticks` ticks and `elapsed` cycles, at most one tick of them.
    pub(crate) const fn nanos(&self, ticks: u64, elapsed: u32) -> u64 {
        let part = elapsed as u64 * self.whole as u64 + ((elapsed as u64 * self.fraction as u64) >> 32);
        ticks * self.nanos as u64 + part
    }
}

/// Reads the counter so that the value belongs to the wraps counted so far.
///
/// `read` reads the counter; `count` counts the wrap if there was one since it last looked, and says so. A value read
/// before a wrap that `count` finds may be from either side of it, so it is read again. Zero is not taken for an
/// answer either: silicon shows it in the first cycle after a wrap, counted or not, and QEMU also in the last moments
/// before, until it announces the wrap. One more turn of the loop, and it is over.
pub(crate) fn settled(mut read: impl FnMut() -> u32, mut count: impl FnMut() -> bool) -> u32 {
    loop {
        let counter = read();
        if !count() && counter != 0 {
            return counter;
        }
    }
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::RefCell;
    use core::mem::take;

    /// SysTick as the Arm manual describes it, and the reader's part of `reactor.rs`.
    struct Model {
        clock: Clock,
        counter: u32,
        flag: bool,
        ticks: u64,
        /// Cycles since the start: the truth.
        age: u64,
    }

    impl Model {
        fn new(hz: u32, tick_hz: u32) -> Self {
            let clock = Clock::new(hz, tick_hz);
            Self { clock, counter: clock.cycles - 1, flag: false, ticks: 0, age: 1 }
        }

        fn step(&mut self) {
            self.age += 1;
            self.counter = if self.counter == 0 { self.clock.cycles - 1 } else { self.counter - 1 };
            self.flag |= self.counter == 0;
        }

        fn count(&mut self) -> bool {
            let wrapped = take(&mut self.flag);
            self.ticks += u64::from(wrapped);
            wrapped
        }

        /// Reads the time; every register access takes `gap` cycles.
        fn now(this: &RefCell<Self>, gap: u32) -> u64 {
            let wait = || (0..gap).for_each(|_| this.borrow_mut().step());
            let read = || {
                wait();
                this.borrow().counter
            };
            let count = || {
                wait();
                this.borrow_mut().count()
            };
            let counter = settled(read, count);
            let this = this.borrow();
            this.clock.nanos(this.ticks, this.clock.cycles - counter)
        }
    }

    #[test]
    fn a_tick_is_whole_cycles_and_whole_nanoseconds() {
        for (hz, cycles, nanos) in [
            (50_000_000, 50_000, 1_000_000),
            (12_000_000, 12_000, 1_000_000),
            (72_000_000, 72_000, 1_000_000),
            (200_000_000, 200_000, 1_000_000),
            (32_768, 64, 1_953_125),
            (11_059_200, 11_232, 1_015_625),
        ] {
            let clock = Clock::new(hz, 1_000);
            assert_eq!((clock.cycles, clock.nanos), (cycles, nanos), "{hz} Hz");
            assert_eq!(u64::from(cycles) * 1_000_000_000, u64::from(nanos) * u64::from(hz), "{hz} Hz");
        }
    }

    #[test]
    fn a_slow_tick_uses_all_24_bits() {
        assert_eq!(Clock::new(16_777_216, 1).cycles, 1 << 24);
    }

    #[test]
    #[should_panic(expected = "24 bits")]
    fn a_tick_longer_than_the_counter_is_refused() {
        Clock::new(50_000_000, 2);
    }

    #[test]
    fn the_part_of_a_tick_never_reaches_the_next_one() {
        for hz in [32_768, 1_000_000, 11_059_200, 12_000_000, 66_666_000, 72_000_000, 480_000_000] {
            let clock = Clock::new(hz, 1_000);
            let last = clock.nanos(0, clock.cycles - 1);
            assert!(last < u64::from(clock.nanos), "{hz} Hz: {last} ns");
            let exact = |elapsed: u32| u64::from(elapsed) * u64::from(clock.nanos) / u64::from(clock.cycles);
            for elapsed in 0..clock.cycles.min(100_000) {
                assert!(exact(elapsed) - clock.nanos(0, elapsed) <= 1, "{hz} Hz, cycle {elapsed}");
            }
        }
    }

    #[test]
    fn time_is_right_however_the_reads_straddle_a_wrap() {
        // Every alignment of the register reads to the wrap, the handler having counted it or not.
        for gap in 1..8 {
            for start in 0..140 {
                for served in [false, true] {
                    let mut model = Model::new(32_768, 1_000);
                    for _ in 0..start {
                        model.step();
                        // A handler that runs at once, or one kept off for half a tick.
                        if served || model.counter == 32 {
                            model.count();
                        }
                    }
                    let clock = model.clock;
                    let earliest = model.age;
                    let model = RefCell::new(model);
                    let nanos = Model::now(&model, gap);
                    let latest = model.borrow().age;
                    let at = |age: u64| u64::from(clock.nanos) * age / u64::from(clock.cycles);
                    assert!(
                        at(earliest) < nanos && nanos <= at(latest),
                        "gap {gap}, start {start}, served {served}: {nanos} not in {}..={}",
                        at(earliest),
                        at(latest)
                    );
                }
            }
        }
    }

    #[test]
    fn a_million_wraps_later_not_a_nanosecond_is_missing() {
        let clock = Clock::new(11_059_200, 1_000);
        let ticks = 1_000_000u64;
        let cycles = u128::from(ticks) * u128::from(clock.cycles);
        assert_eq!(u128::from(clock.nanos(ticks, 0)), cycles * 1_000_000_000 / 11_059_200);
    }

    #[test]
    fn a_counter_that_rests_at_zero_until_its_wrap_is_announced_is_waited_for() {
        // QEMU: zero, three times, before the flag; then zero with the flag; then the new tick.
        let mut reads = [0, 0, 0, 0, 0, 9].into_iter();
        let mut flags = [false, false, false, true, false, false].into_iter();
        assert_eq!(settled(|| reads.next().unwrap(), || flags.next().unwrap()), 9);
        assert_eq!(reads.next(), None);
    }
}
