//! The LM3S6965 evaluation board under corio's firmware, as QEMU models it: vectors, clock, LED, an end.
//!
//! A program of this board links with `-Tlink.x` (see any `build.rs` beside) and runs on
//! `qemu-system-arm -machine lm3s6965evb`, with `-cpu cortex-m3`, or with `-cpu cortex-m0` when built for thumbv6m.
#![no_std]

use cortex_m_semihosting::nr::GET_CMDLINE;
use cortex_m_semihosting::{debug, hprintln, syscall1};

/// The rate of the core's clock out of reset.
pub const HZ: u32 = 12_500_000;

#[cfg(feature = "timer")]
mod timer;
mod vectors;

#[cfg(feature = "timer")]
pub use timer::Timer;
#[doc(hidden)]
pub use vectors::__INTERRUPTS;
pub use vectors::{Interrupt, interrupt};

/// Sets the core's clock to 200 MHz / `divider`, 1 to 16. (QEMU does not mind what silicon would.)
pub fn set_clock_divider(divider: u32) {
    const RCC: *mut u32 = 0x400f_e060 as *mut u32;
    const USESYSDIV: u32 = 1 << 22;
    // SAFETY: the run-mode clock configuration register; the value only selects the divider.
    unsafe { RCC.write_volatile(0x0780_3ad1 & !(0xf << 23) | USESYSDIV | ((divider - 1) & 0xf) << 23) };
}

/// The board's one LED, on pin 0 of port F.
#[derive(Debug)]
pub struct Led(());

impl Led {
    /// The LED, off.
    pub fn new() -> Self {
        const RCGC2: *mut u32 = 0x400f_e108 as *mut u32;
        const DIRECTION: *mut u32 = 0x4002_5400 as *mut u32;
        const DIGITAL: *mut u32 = 0x4002_551c as *mut u32;
        // SAFETY: registers of the clock gates and of port F, which nothing else here uses.
        unsafe {
            RCGC2.write_volatile(1 << 5);
            DIRECTION.write_volatile(1);
            DIGITAL.write_volatile(1);
        }
        Self(())
    }

    /// Turns it from on to off or from off to on.
    pub fn toggle(&mut self) {
        const PIN0: *mut u32 = 0x4002_5004 as *mut u32; // the address masks the other pins
        // SAFETY: port F is ours (`new`).
        unsafe { PIN0.write_volatile(PIN0.read_volatile() ^ 1) };
    }
}

impl Default for Led {
    fn default() -> Self {
        Self::new()
    }
}

/// The program's argument, by semihosting: QEMU's `-semihosting-config enable=on,target=native,arg=ARGUMENT`.
pub fn argument(buffer: &mut [u8; 32]) -> &str {
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    // SAFETY: SYS_GET_CMDLINE takes the address of a buffer's address and length, and leaves there what it filled in.
    let status = unsafe { syscall1(GET_CMDLINE, block.as_mut_ptr() as usize) };
    let length = if status == 0 { block[1].min(buffer.len()) } else { 0 };
    core::str::from_utf8(&buffer[..length]).unwrap_or("").trim_end_matches('\0')
}

/// Ends the program, and QEMU with it, successfully or not.
pub fn exit(success: bool) -> ! {
    debug::exit(if success { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

/// Prints why the program cannot go on, by semihosting, and ends it unsuccessfully. For panic and fault handlers.
pub fn fail(reason: &dyn core::fmt::Display) -> ! {
    hprintln!("{}", reason);
    exit(false)
}
