//! No wake-up is lost, at whatever instruction of the idle path the interrupt arrives.
//!
//! Run with `-icount shift=0,sleep=off`. The core's clock is 200 MHz, so a count of a timer is five instructions, and up
//! to four `nop`s choose among the five: over all rounds an interrupt arrives before every single instruction between a
//! task's last one and `WFI`, and well after. A wake-up that is lost waits for the next tick, 100 us: too late.
#![no_std]
#![no_main]

use corio::{Duration, Instant, Runner, now, sleep_until};
use corio_cortex_m::{Irq, SysTickReactor};
use cortex_m::asm::nop;
use cortex_m_rt::entry;
use firmware_tests::{all_passed, passed};
use lm3s6965evb::{Timer, interrupt};

const HZ: u32 = 200_000_000;
const NANOS_A_CYCLE: u64 = 5;
/// 100 us.
const TICK_HZ: u32 = 10_000;
/// Twice the longest way from an interrupt to its task, and far less than a tick.
const SOON: u64 = 10_000;
/// Cycles between a task's last instruction and the interrupt, at most: some three times the idle path.
const FAR: u32 = 400;

static EXPIRED: Irq = Irq::new();

#[interrupt]
fn TIMER0A() {
    Timer::clear();
    EXPIRED.raise();
}

async fn an_interrupt_at_any_instruction_wakes_its_task() {
    let mut timer = Timer::new();
    timer.listen();
    for nops in 0..5 {
        for cycles in 1..FAR {
            let start = now();
            timer.start(cycles);
            for _ in 0..nops {
                nop();
            }
            EXPIRED.wait().await;
            let took = (now() - start).as_nanos() as u64;
            let late = took.saturating_sub(u64::from(cycles) * NANOS_A_CYCLE);
            assert!(late < SOON, "{late} ns late after {cycles} cycles and {nops} nops");
        }
    }
}

async fn a_tick_at_any_instruction_serves_its_deadline() {
    for nops in 0..5 {
        for cycles in 0..FAR {
            let deadline = Instant::from_micros((now().as_micros() / 100 + 1) * 100);
            let start = deadline - Duration::from_nanos(u64::from(cycles) * NANOS_A_CYCLE);
            while now() < start {}
            for _ in 0..nops {
                nop();
            }
            sleep_until(deadline).await;
            let late = now().as_nanos().checked_sub(deadline.as_nanos()).expect("never early");
            assert!(late < SOON, "{late} ns late, begun {cycles} cycles and {nops} nops before");
        }
    }
}

#[entry]
fn main() -> ! {
    let core = cortex_m::Peripherals::take().expect("taken once");
    lm3s6965evb::set_clock_divider(1);
    let mut runner = Runner::new(SysTickReactor::<HZ, TICK_HZ>::with_tick(core.SYST));
    let _ = runner.run(an_interrupt_at_any_instruction_wakes_its_task());
    passed("an_interrupt_at_any_instruction_wakes_its_task");
    let _ = runner.run(a_tick_at_any_instruction_serves_its_deadline());
    passed("a_tick_at_any_instruction_serves_its_deadline");
    all_passed()
}
