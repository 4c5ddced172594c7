//! Two tasks on a Cortex-M3, without an allocator: one blinks, one counts with it.
//!
//! The futures live in the frame of `main` and borrow from it: no `static`, no macro, no `unsafe`. In QEMU:
//! `cargo xtask qemu blinky`, or see tools/embedded-toolchain.sh.
#![no_std]
#![no_main]

use core::pin::pin;

use corio::{Duration, Event, Runner, now, sleep, sleep_until};
use corio_cortex_m::SysTickReactor;
use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use lm3s6965evb::{HZ, Led};

/// On for half a second, off for half a second, without drifting.
async fn blink(mut led: Led, done: &Event) {
    let mut next = now();
    while !done.is_set() {
        led.toggle();
        next += Duration::from_millis(500);
        sleep_until(next).await;
    }
}

/// Says each second that it has passed.
async fn count(done: &Event) {
    for second in 1..=3 {
        sleep(Duration::from_secs(1)).await;
        hprintln!("{} s", second);
    }
    done.set();
}

/// Ends QEMU. On a board, nothing would.
async fn end(done: &Event) {
    done.wait().await;
    lm3s6965evb::exit(true)
}

#[entry]
fn main() -> ! {
    let core = cortex_m::Peripherals::take().expect("this is the only call");
    let done = Event::new();
    let mut runner = Runner::new(SysTickReactor::<HZ>::new(core.SYST));
    let _ = runner.run_all([pin!(blink(Led::new(), &done)), pin!(count(&done)), pin!(end(&done))]);
    unreachable!("without an allocator run_all does not return")
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    lm3s6965evb::fail(info)
}
