//! The clock: right to the cycle across wraps, in tasks and handlers, with interrupts masked or not, and for long.
//!
//! Run with `-icount shift=0,sleep=off`: then time is a count of instructions, idling takes no real time, and every run
//! is the same. General-purpose timer 0 is the independent clock. Without `-icount` the bounds on how long things take
//! mean nothing; with the argument `real` only what never depends on that is asserted.
#![no_std]
#![no_main]

use core::cell::Cell;
use core::hint::black_box;

use corio::{Duration, Instant, Reactor, Runner, now, sleep_until};
use corio_cortex_m::{SysTickClock, SysTickReactor};
use cortex_m::interrupt::{Mutex, free};
use cortex_m::peripheral::{NVIC, SCB, SYST};
use cortex_m_rt::entry;
use firmware_tests::{all_passed, passed};
use lm3s6965evb::{HZ, Interrupt, Timer, argument, interrupt};

type Clock = SysTickReactor<HZ>;
type Loop = Runner<Clock>;

const MS: u64 = 1_000_000;
/// More than any of the readings here take, much less than a tick.
const SOON: u64 = MS / 20;

/// What the handler below saw.
static SEEN: Mutex<Cell<Option<Instant>>> = Mutex::new(Cell::new(None));
/// What it sees it by.
static CLOCK: Mutex<Cell<Option<SysTickClock<HZ>>>> = Mutex::new(Cell::new(None));

#[interrupt]
fn GPIOA() {
    let clock = free(|cs| CLOCK.borrow(cs).get());
    let seen = clock.map(|clock| clock.now());
    free(|cs| SEEN.borrow(cs).set(seen));
}

fn dither(turns: u32) {
    for turn in 0..turns {
        black_box(turn);
    }
}

fn pended() -> bool {
    SCB::is_pendst_pending()
}

/// Spins until the counter has at most `cycles` to go before it wraps.
fn near_the_wrap(cycles: u32) {
    while !(1..cycles).contains(&SYST::get_current()) {}
}

fn never_back_and_never_a_leap(clock: &Clock, leap: u64) {
    let mut last = clock.now();
    for round in 0..10_000 {
        dither(round % 97);
        let next = clock.now();
        assert!(next >= last, "{next:?} after {last:?}");
        assert!((next - last).as_nanos() < u128::from(leap), "{next:?} after {last:?}");
        last = next;
    }
}

fn right_while_a_wrap_is_pending(clock: &Clock) {
    for round in 0..100 {
        near_the_wrap(40);
        free(|_| {
            let before = clock.now();
            assert!(!pended(), "too slow to see the wrap from before it");
            dither(round);
            let mut last = before;
            while !pended() {
                last = clock.now();
            }
            // The wrap is counted by the next call here, long before the handler runs.
            for _ in 0..20 {
                let next = clock.now();
                assert!(next >= last && (next - last).as_nanos() < u128::from(SOON), "{next:?} after {last:?}");
                last = next;
            }
        });
        let after = clock.now(); // the handler has run: no second count
        dither(100);
        assert!((clock.now() - after).as_nanos() < u128::from(SOON));
    }
}

async fn right_in_a_handler_before_the_wrap_is_served() {
    let see = || free(|cs| SEEN.borrow(cs).take());
    for round in 0..100 {
        near_the_wrap(40);
        let before = now();
        free(|_| {
            dither(round / 2);
            while round % 2 == 0 && !pended() {}
            NVIC::pend(Interrupt::GPIOA);
        });
        // GPIOA has the higher priority: its handler ran first, with the wrap pending in every other round.
        let after = now();
        let seen = see().expect("the handler has run");
        assert!(before <= seen && seen <= after, "{before:?}, {seen:?}, {after:?}");
        assert!((after - before).as_nanos() < u128::from(SOON), "{before:?}, {after:?}");
    }
}

async fn a_deadline_is_served_by_the_next_tick() {
    for round in 0..300u64 {
        let deadline = now() + Duration::from_nanos(round * 37_129 % (5 * MS));
        sleep_until(deadline).await;
        let late = now().as_nanos().checked_sub(deadline.as_nanos()).expect("never early");
        assert!(late <= MS + SOON, "{late} ns late");
    }
}

/// By the other clock. Never idle: QEMU, when nothing runs, lets time leap further than a tick before it serves one, which
/// no core would do.
fn ten_times_20_ms_are_200_ms(clock: &Clock) {
    let mut timer = Timer::new();
    for _ in 0..10 {
        let start = clock.now();
        timer.start(HZ / 50);
        while !timer.has_expired() {
            black_box(clock.now());
        }
        Timer::clear();
        let took = (clock.now() - start).as_nanos() as u64;
        assert!((20 * MS..20 * MS + SOON).contains(&took), "20 ms took {took} ns");
    }
}

#[entry]
fn main() -> ! {
    let mut core = cortex_m::Peripherals::take().expect("taken once");
    // SAFETY: no critical section relies on priorities.
    unsafe {
        core.SCB.set_priority(cortex_m::peripheral::scb::SystemHandler::SysTick, 0xc0);
        core.NVIC.set_priority(Interrupt::GPIOA, 0x40);
        NVIC::unmask(Interrupt::GPIOA);
    }
    let mut runner: Loop = Runner::new(SysTickReactor::new(core.SYST));
    free(|cs| CLOCK.borrow(cs).set(Some(runner.reactor().clock())));
    assert!(runner.reactor().now() < Instant::from_micros(100));
    passed("time_starts_at_zero");
    if argument(&mut [0; 32]) == "real" {
        never_back_and_never_a_leap(runner.reactor(), u64::MAX);
        passed("never_back");
        all_passed()
    }
    never_back_and_never_a_leap(runner.reactor(), SOON);
    passed("never_back_and_never_a_leap");
    right_while_a_wrap_is_pending(runner.reactor());
    passed("right_while_a_wrap_is_pending");
    ten_times_20_ms_are_200_ms(runner.reactor());
    passed("ten_times_20_ms_are_200_ms");
    let _ = runner.run(right_in_a_handler_before_the_wrap_is_served());
    passed("right_in_a_handler_before_the_wrap_is_served");
    let _ = runner.run(a_deadline_is_served_by_the_next_tick());
    passed("a_deadline_is_served_by_the_next_tick");
    all_passed()
}
