//! General-purpose timer 0: counts the core's clock, independently of SysTick.

use cortex_m::peripheral::NVIC;

use crate::Interrupt;

const BASE: usize = 0x4003_0000;
const CONFIG: *mut u32 = BASE as *mut u32;
const MODE_A: *mut u32 = (BASE + 0x04) as *mut u32;
const CONTROL: *mut u32 = (BASE + 0x0c) as *mut u32;
const INTERRUPT_MASK: *mut u32 = (BASE + 0x18) as *mut u32;
const RAW_STATUS: *mut u32 = (BASE + 0x1c) as *mut u32;
const CLEAR: *mut u32 = (BASE + 0x24) as *mut u32;
const LOAD_A: *mut u32 = (BASE + 0x28) as *mut u32;

const ENABLE_A: u32 = 1;
const TIMEOUT_A: u32 = 1;

/// The timer. There is one, but its registers bear any order of calls.
#[derive(Debug)]
pub struct Timer(());

impl Timer {
    /// The timer, stopped.
    pub fn new() -> Self {
        const RCGC1: *mut u32 = 0x400f_e104 as *mut u32;
        const ONE_SHOT: u32 = 1;
        // SAFETY: registers of the clock gates and of timer 0, in the data sheet's order; any value is allowed.
        unsafe {
            RCGC1.write_volatile(1 << 16);
            CONTROL.write_volatile(0);
            CONFIG.write_volatile(0);
            MODE_A.write_volatile(ONE_SHOT);
        }
        Self(())
    }

    /// Lets expiry interrupt.
    pub fn listen(&mut self) {
        // SAFETY: a register of timer 0; and the handler is there, by the vector table.
        unsafe {
            INTERRUPT_MASK.write_volatile(TIMEOUT_A);
            NVIC::unmask(Interrupt::TIMER0A);
        }
    }

    /// Expires once, `cycles` of the core's clock from now.
    #[inline(always)]
    pub fn start(&mut self, cycles: u32) {
        // SAFETY: registers of timer 0.
        unsafe {
            CONTROL.write_volatile(0);
            LOAD_A.write_volatile(cycles);
            CONTROL.write_volatile(ENABLE_A);
        }
    }

    /// Whether it has expired since the last [`clear`](Self::clear).
    pub fn has_expired(&self) -> bool {
        // SAFETY: a register of timer 0; reading changes nothing.
        unsafe { RAW_STATUS.read_volatile() & TIMEOUT_A != 0 }
    }

    /// Acknowledges an expiry; what its handler does.
    #[inline(always)]
    pub fn clear() {
        // SAFETY: a register of timer 0.
        unsafe { CLEAR.write_volatile(TIMEOUT_A) };
    }
}

impl Default for Timer {
    fn default() -> Self {
        Self::new()
    }
}
