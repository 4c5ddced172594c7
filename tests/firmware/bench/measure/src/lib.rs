//! Counting instructions under QEMU: what both sides of a firmware bench share.
//!
//! With `-icount shift=0` one guest instruction takes 1 ns of virtual time. The core's clock is set to 5 ns, so SysTick
//! counts one in five instructions, exactly and repeatably; enough operations make the five, and the start and end of
//! a test, disappear. What is counted is not cycles: compare ratios.
//!
//! An image runs one test, named by its command line (`-semihosting-config enable=on,target=native,arg=NAME`), and
//! prints `NAME VALUE` lines: instructions an operation, with two digits.
//!
//! Time is virtual: when nothing is ready, the idle hook of either runtime calls [`next_tick`], which pends the
//! *exception* of SysTick (its interrupt is off, for its counter is the stopwatch). The handler adds one tick to a
//! counter in RAM. So every expiry passes through a real handler, and idling costs nothing.
#![no_std]

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{NVIC, SCB, SYST};
use cortex_m_semihosting::hprintln;
use lm3s6965evb::Interrupt;

const MASK: u32 = 0x00ff_ffff;
/// Instructions in one count of SysTick.
const SCALE: u32 = 5;

/// Starts the counter. Once, before anything else.
pub fn init(mut syst: SYST) {
    lm3s6965evb::set_clock_divider(1);
    syst.set_clock_source(SystClkSource::Core);
    syst.set_reload(MASK);
    syst.clear_current();
    syst.enable_counter();
}

/// The counter; counts down.
#[inline(always)]
pub fn counter() -> u32 {
    SYST::get_current()
}

/// Counts between two readings.
#[inline(always)]
pub fn between(start: u32, end: u32) -> u32 {
    start.wrapping_sub(end) & MASK
}

static START: AtomicU32 = AtomicU32::new(0);
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// Starts the stopwatch for a test of `tasks` tasks.
pub fn start(tasks: u32) {
    RUNNING.store(tasks, Ordering::Relaxed);
    START.store(counter(), Ordering::Relaxed);
}

/// One of the tasks is through; the last one stops the watch, reports and ends the program.
pub fn done(name: &str, operations: u32) {
    let end = counter();
    let left = RUNNING.load(Ordering::Relaxed) - 1;
    RUNNING.store(left, Ordering::Relaxed);
    if left == 0 {
        report(name, between(START.load(Ordering::Relaxed), end), operations);
    }
}

/// Prints `name` with the instructions an operation, and ends the program.
#[cold]
#[inline(never)]
pub fn report(name: &str, counts: u32, operations: u32) -> ! {
    let hundredths = u64::from(counts) * u64::from(SCALE) * 100 / u64::from(operations);
    hprintln!("{} {}.{:02}", name, hundredths / 100, hundredths % 100);
    lm3s6965evb::exit(true)
}

/// Ends the program: there is no such test.
pub fn unknown(name: &str) -> ! {
    hprintln!("unknown test: {}", name);
    lm3s6965evb::exit(false)
}

/// Two instructions a turn, to prove that what is counted is instructions.
pub fn calib() -> ! {
    const TURNS: u32 = 1_000_000;
    let start = counter();
    // SAFETY: a loop over one register.
    unsafe { core::arch::asm!("2:", "subs {0}, {0}, #1", "bne 2b", inout(reg) TURNS => _) };
    report("calib", between(start, counter()), TURNS)
}

/// Lets virtual time go on by one tick.
#[inline(always)]
pub fn next_tick() {
    SCB::set_pendst();
    cortex_m::asm::isb();
}

/// Wakes for a test of the way from an interrupt to a task. The handler is `GPIOA`'s.
pub mod irq {
    use super::*;

    /// How many wakes.
    pub const WAKES: u32 = 8_192;
    static PENDED: AtomicU32 = AtomicU32::new(0);
    static TOTAL: AtomicU32 = AtomicU32::new(0);
    static SEED: AtomicU32 = AtomicU32::new(1);

    /// Unmasks the interrupt.
    pub fn enable() {
        // SAFETY: the handler is there, and no critical section relies on this mask.
        unsafe { NVIC::unmask(Interrupt::GPIOA) };
    }

    /// Pends the interrupt after a pseudo-random delay, so that the five instructions of a count average out.
    #[inline(always)]
    pub fn pend() {
        let seed = SEED.load(Ordering::Relaxed).wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        SEED.store(seed, Ordering::Relaxed);
        for _ in 0..seed >> 28 {
            cortex_m::asm::nop();
        }
        PENDED.store(counter(), Ordering::Relaxed);
        NVIC::pend(Interrupt::GPIOA);
        cortex_m::asm::isb();
    }

    /// The task's first act when it runs again.
    #[inline(always)]
    pub fn arrived() {
        let now = counter();
        TOTAL.store(TOTAL.load(Ordering::Relaxed) + between(PENDED.load(Ordering::Relaxed), now), Ordering::Relaxed);
    }

    /// Prints the mean, and ends the program.
    pub fn report(name: &str) -> ! {
        super::report(name, TOTAL.load(Ordering::Relaxed), WAKES)
    }
}

/// The most stack that was ever used: cortex-m-rt painted it (feature `paint-stack`), and this looks how far the paint
/// is gone, with registers only. Prints it and ends the program.
#[inline(always)]
pub fn report_stack() -> ! {
    let peak: u32;
    // SAFETY: reads words between the two ends of the stack, which the linker script names.
    unsafe {
        core::arch::asm!(
            "ldr {p}, =_stack_end",
            "ldr {w}, =0xcccccccc",
            "3:",
            "ldr {v}, [{p}]",
            "adds {p}, #4",
            "cmp {v}, {w}",
            "beq 3b",
            "subs {p}, #4",
            "ldr {v}, =_stack_start",
            "subs {p}, {v}, {p}",
            p = out(reg) peak, w = out(reg) _, v = out(reg) _,
            options(readonly, nostack)
        );
    }
    print_stack(peak)
}

#[cold]
#[inline(never)]
fn print_stack(bytes: u32) -> ! {
    hprintln!("stack {}", bytes);
    lm3s6965evb::exit(true)
}

/// Somewhere for a program to show a number, so that its making is not optimized away.
pub fn show(number: u32) {
    static SHOWN: AtomicU32 = AtomicU32::new(0);
    SHOWN.store(number, Ordering::Relaxed);
}
