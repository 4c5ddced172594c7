//! The clocks that scenarios run by: one that jumps, and SysTick.

use core::sync::atomic::{AtomicBool, Ordering};

use corio::{Instant, Reactor, Unpark};
use corio_cortex_m::{SysTickReactor, SysTickUnparker};
use cortex_m::peripheral::SYST;

/// Nothing is ready, and no deadline is left.
#[derive(Debug)]
pub(crate) struct Deadlock;

/// Virtual time: parking moves the clock to the deadline.
pub(crate) struct Jumping(Instant);

impl Jumping {
    pub(crate) fn new() -> Self {
        UNPARKED.store(false, Ordering::Relaxed);
        Self(Instant::ZERO)
    }
}

static UNPARKED: AtomicBool = AtomicBool::new(false);

#[derive(Clone)]
pub(crate) struct Unparker;

impl Unpark for Unparker {
    fn unpark(&self) {
        UNPARKED.store(true, Ordering::Relaxed);
    }
}

impl Reactor for Jumping {
    type Error = Deadlock;
    type Unparker = Unparker;

    fn now(&self) -> Instant {
        self.0
    }

    fn park(&mut self, until: Option<Instant>) -> Result<(), Deadlock> {
        // Nothing interrupts, so these are one step.
        if UNPARKED.load(Ordering::Relaxed) {
            UNPARKED.store(false, Ordering::Relaxed);
            return Ok(());
        }
        // A deadline of `MAX` never comes.
        let until = until.filter(|&until| until < Instant::MAX).ok_or(Deadlock)?;
        self.0 = self.0.max(until);
        Ok(())
    }

    fn unparker(&self) -> Unparker {
        Unparker
    }
}

/// SysTick, at the rate of the core's clock that QEMU gives the board.
pub(crate) type SysTick = SysTickReactor<{ if cfg!(feature = "small") { 12_500_000 } else { 25_000_000 } }>;

pub(crate) fn systick(registers: SYST) -> SysTick {
    SysTickReactor::new(registers)
}

/// Time by SysTick, in the steps of 10 ms that all times in scenarios are multiples of: what happens within one is
/// simultaneous.
pub(crate) struct Stepping<'a> {
    systick: &'a mut SysTick,
    start: Instant,
}

const STEP: u64 = 10;

impl<'a> Stepping<'a> {
    /// Starts at zero. A step begins with a tick: all that is due then is due when the loop wakes up.
    pub(crate) fn new(systick: &'a mut SysTick) -> Self {
        let start = Instant::from_millis(systick.now().as_millis());
        Self { systick, start }
    }
}

impl Reactor for Stepping<'_> {
    type Error = Deadlock;
    type Unparker = SysTickUnparker;

    fn now(&self) -> Instant {
        let passed = self.systick.now() - self.start;
        Instant::from_millis(passed.as_millis() as u64 / STEP * STEP)
    }

    fn park(&mut self, until: Option<Instant>) -> Result<(), Deadlock> {
        // Nothing comes from outside: a loop that waits for nothing waits for ever.
        let until = until.filter(|&until| until < Instant::MAX).ok_or(Deadlock)?;
        let Ok(()) = self.systick.park(Some(self.start + (until - Instant::ZERO)));
        Ok(())
    }

    fn unparker(&self) -> SysTickUnparker {
        self.systick.unparker()
    }
}
