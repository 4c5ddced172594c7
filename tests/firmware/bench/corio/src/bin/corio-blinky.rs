//! A minimal program, corio: one task, one periodic timer.
#![no_std]
#![no_main]

use core::pin::pin;

use corio::{Duration, Runner, now, sleep_until};
use corio_cortex_m::SysTickReactor;
use cortex_m_rt::entry;
use lm3s6965evb::{HZ, Led};

async fn blink(mut led: Led) {
    let mut next = now();
    #[cfg(feature = "stack")]
    let mut left = 10;
    loop {
        next += Duration::from_millis(20);
        sleep_until(next).await;
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
    let core = cortex_m::Peripherals::take().expect("taken once");
    let mut runner = Runner::new(SysTickReactor::<HZ>::new(core.SYST));
    let _ = runner.run_all([pin!(blink(Led::new()))]);
    unreachable!("without an allocator run_all does not return")
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
