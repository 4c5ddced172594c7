//! It boots: tasks run, time passes, an interrupt wakes a task, and the end is reported.
#![no_std]
#![no_main]

use core::pin::pin;

use corio::{Instant, Runner, now, sleep_until};
use corio_cortex_m::{Irq, SysTickReactor};
use cortex_m::peripheral::NVIC;
use cortex_m_rt::entry;
use firmware_tests::{all_passed, passed};
use lm3s6965evb::{HZ, Interrupt, interrupt};

static PINGED: Irq = Irq::new();

#[interrupt]
fn GPIOA() {
    PINGED.raise();
}

async fn pong() {
    for _ in 0..10 {
        PINGED.wait().await;
    }
    passed("ten_interrupts_wake_a_task_ten_times");
    assert_eq!(now().as_millis(), 30);
    passed("the_tenth_of_every_third_millisecond_is_the_30th");
    all_passed()
}

async fn ping() {
    // SAFETY: the handler touches nothing but `PINGED`.
    unsafe { NVIC::unmask(Interrupt::GPIOA) };
    for ping in 1..=10 {
        sleep_until(Instant::from_millis(3 * ping)).await;
        NVIC::pend(Interrupt::GPIOA);
    }
}

#[entry]
fn main() -> ! {
    let core = cortex_m::Peripherals::take().expect("taken once");
    let mut runner = Runner::new(SysTickReactor::<HZ>::new(core.SYST));
    let _ = runner.run_all([pin!(pong()), pin!(ping())]);
    unreachable!("without an allocator run_all does not return")
}
