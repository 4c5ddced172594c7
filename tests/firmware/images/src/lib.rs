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

/// The image's argument (`-semihosting-config ...,arg=NAME`).
pub fn argument(buffer: &mut [u8; 32]) -> &str {
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    // SAFETY: SYS_GET_CMDLINE takes a buffer and its length, and leaves there what it filled in.
    let status = unsafe { cortex_m_semihosting::syscall(cortex_m_semihosting::nr::GET_CMDLINE, &mut block) };
    let length = if status == 0 { block[1].min(buffer.len()) } else { 0 };
    core::str::from_utf8(&buffer[..length]).unwrap_or("").trim_end_matches('\0')
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
