//! A minimal program, embassy: one task, one periodic timer.
#![no_std]
#![no_main]

use bench_embassy as _;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::entry;
use embassy_executor::Executor;
use embassy_time::{Duration, Ticker};
use lm3s6965evb::{HZ, Led};

#[embassy_executor::task]
async fn blink(mut led: Led) {
    let mut ticker = Ticker::every(Duration::from_millis(20));
    #[cfg(feature = "stack")]
    let mut left = 10;
    loop {
        ticker.next().await;
        led.toggle();
        #[cfg(feature = "stack")]
        {
            left -= 1;
            if left == 0 {
                measure::report_stack()
            }
        }
    }
}

#[entry]
fn main() -> ! {
    let mut core = cortex_m::Peripherals::take().expect("taken once");
    core.SYST.set_clock_source(SystClkSource::Core);
    core.SYST.set_reload(HZ / 1_000 - 1);
    core.SYST.clear_current();
    core.SYST.enable_interrupt();
    core.SYST.enable_counter();
    let mut executor = Executor::new();
    // SAFETY: `main` never returns, so its locals live for ever.
    let executor: &'static mut Executor = unsafe { &mut *core::ptr::from_mut(&mut executor) };
    executor.run(|spawner| spawner.spawn(blink(Led::new()).unwrap()))
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
