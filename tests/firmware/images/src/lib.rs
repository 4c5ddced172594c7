//! What the test images share: a report by semihosting, and an end that QEMU turns into its exit code.
//!
//! An image runs its tests one after the other on one runner. A failed assertion prints its place and ends QEMU with 1;
//! reaching the end ends it with 0. An image that hangs is ended by the `timeout` that QEMU is run under.
#![no_std]

use cortex_m_rt::{ExceptionFrame, exception};
use cortex_m_semihosting::hprintln;

/// Says that a test has passed.
pub fn passed(name: &str) {
    hprintln!("test {} ... ok", name);
}

/// Ends the image: all tests have passed.
pub fn all_passed() -> ! {
    lm3s6965evb::exit(true)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    lm3s6965evb::fail(info)
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    hprintln!("{:?}", frame);
    lm3s6965evb::exit(false)
}
