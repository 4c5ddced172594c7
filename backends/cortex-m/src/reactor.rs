//! The clock and the idle loop.
//!
//! SysTick wraps once a tick, and each wrap must be counted exactly once, whoever sees it first: the handler, or a
//! reader with interrupts masked or at a higher priority than the handler's. The hardware helps: `COUNTFLAG` in
//! `SYST_CSR` is set by a wrap and cleared by the read that reports it. Invariant `Counted`: `SYST_CSR` is read only in
//! `count`, with interrupts masked, and every read that sees the flag adds one to `TICKS`. The exception's pending bit
//! plays no part in counting, so it does not matter whether the handler is yet to run, has just been entered, or finds
//! that its wrap was counted already. It exists to look once a tick, and to end a `WFI`.
#![allow(unsafe_code)] // a register of SysTick read from where its owner is not; PRIMASK; the exception's symbol

use core::cell::Cell;
use core::convert::Infallible;
use core::sync::atomic::{AtomicBool, Ordering, compiler_fence};

use corio::{Instant, Reactor, Unpark};
use cortex_m::interrupt::{self, CriticalSection, Mutex};
use cortex_m::peripheral::SYST;

use crate::clock::{Clock, settled};

/// Wraps of SysTick since the reactor was made.
static TICKS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

/// Whether somebody unparked the loop since it last woke up.
static UNPARKED: AtomicBool = AtomicBool::new(false);

const ENABLE: u32 = 1 << 0;
const TICKINT: u32 = 1 << 1;
const CLKSOURCE_CORE: u32 = 1 << 2;
const COUNTFLAG: u32 = 1 << 16;

/// The loop's place on a Cortex-M: time from SysTick, sleep by `WFI`.
///
/// `HZ` is the rate at which SysTick counts, that of the core's clock, and must be what the hardware was set to. The
/// tick is 1 / `TICK_HZ` of a second (1 ms unless [`with_tick`](Self::with_tick) says otherwise), or the nearest
/// stretch that is a whole number of both cycles and nanoseconds, so the clock never drifts from the crystal, in 584
/// years. A pair that SysTick's 24 bits cannot serve does not compile.
///
/// # Accuracy
/// `now()` is right to the cycle. A deadline is served by the first tick at or after it, so up to one tick late,
/// never early; the core sleeps in between, waking once a tick. Interrupts that wake tasks are served at once.
/// Ticks are lost only if interrupts stay masked, or handlers of the same or a higher priority run, for longer than a
/// whole tick; give SysTick a high priority where that is near.
#[derive(Debug)]
pub struct SysTickReactor<const HZ: u32, const TICK_HZ: u32 = 1_000> {
    /// Held so that nobody else programs it.
    _syst: Owned,
}

struct Owned(SYST);

impl core::fmt::Debug for Owned {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SYST")
    }
}

impl<const HZ: u32> SysTickReactor<HZ> {
    /// Starts the clock, at zero, with a tick of 1 ms.
    pub fn new(syst: SYST) -> Self {
        Self::with_tick(syst)
    }
}

impl<const HZ: u32, const TICK_HZ: u32> SysTickReactor<HZ, TICK_HZ> {
    const CLOCK: Clock = Clock::new(HZ, TICK_HZ);

    /// Starts the clock, at zero, with `TICK_HZ` ticks a second: more for finer deadlines, fewer for longer sleep.
    pub fn with_tick(syst: SYST) -> Self {
        // SAFETY: `syst` is ours, and any value may be written to these registers.
        unsafe {
            syst.rvr.write(Self::CLOCK.cycles - 1);
            syst.cvr.write(0);
            syst.csr.write(ENABLE | TICKINT | CLKSOURCE_CORE);
        }
        Self { _syst: Owned(syst) }
    }

    /// The clock alone, for interrupt handlers, which have no loop to ask: it counts from the same start.
    pub fn clock(&self) -> SysTickClock<HZ, TICK_HZ> {
        SysTickClock(())
    }
}

/// The clock of a [`SysTickReactor`], to be read from anywhere: tasks and handlers, interrupts masked or not. It takes no room.
#[derive(Clone, Copy, Debug)]
pub struct SysTickClock<const HZ: u32, const TICK_HZ: u32 = 1_000>(());

impl<const HZ: u32, const TICK_HZ: u32> SysTickClock<HZ, TICK_HZ> {
    /// The time since the reactor was made.
    pub fn now(&self) -> Instant {
        let clock = SysTickReactor::<HZ, TICK_HZ>::CLOCK;
        interrupt::free(|cs| {
            let counter = settled(SYST::get_current, || count(cs));
            let elapsed = clock.cycles - counter;
            Instant::from_nanos(clock.nanos(TICKS.borrow(cs).get(), elapsed))
        })
    }
}

impl<const HZ: u32, const TICK_HZ: u32> Reactor for SysTickReactor<HZ, TICK_HZ> {
    type Error = Infallible;
    type Unparker = SysTickUnparker;

    /// The time since the reactor was made.
    fn now(&self) -> Instant {
        self.clock().now()
    }

    /// Sleeps until an interrupt, an unpark, or the tick at or after `until`; every interrupt ends it.
    ///
    /// No wake-up is lost. A wake makes its task ready first and unparks second, and comes from a handler, this being
    /// the only thread. Such a handler may run at one of four moments:
    ///
    /// 1. before interrupts are masked: `UNPARKED` is set, `WFI` is skipped;
    /// 2. while they are masked: it becomes pending, and a pending interrupt ends `WFI`, whatever PRIMASK says, also
    ///    when it was pending before;
    /// 3. when they are unmasked, before `UNPARKED` is cleared: the task is ready already, and the loop looks for
    ///    ready tasks after this returns;
    /// 4. after that: `UNPARKED` is set for the next park, as in 1.
    ///
    /// A deadline is like an unpark by the SysTick handler: if it has not passed while interrupts are masked, the wrap
    /// after it is still to come, and pends.
    fn park(&mut self, until: Option<Instant>) -> Result<(), Self::Error> {
        interrupt::disable();
        if !UNPARKED.load(Ordering::Relaxed) && until.is_none_or(|until| self.now() < until) {
            cortex_m::asm::wfi();
        }
        // SAFETY: the loop runs in thread mode outside any critical section: whoever masks interrupts does not park.
        unsafe { interrupt::enable() };
        // Pending handlers run here, not one or two instructions later.
        cortex_m::asm::isb();
        UNPARKED.store(false, Ordering::Relaxed);
        // Keeps the store before the loop's look at its ready queue (3. above). The other side is a handler on this
        // core, so holding back the compiler is enough.
        compiler_fence(Ordering::SeqCst);
        Ok(())
    }

    fn unparker(&self) -> SysTickUnparker {
        SysTickUnparker
    }
}

/// Ends a sleep of the [`SysTickReactor`], or prevents the next one. From tasks and handlers.
#[derive(Clone, Copy, Debug)]
pub struct SysTickUnparker;

impl Unpark for SysTickUnparker {
    fn unpark(&self) {
        // Pairs with the fence in `park`: what was made ready before stays before.
        compiler_fence(Ordering::SeqCst);
        UNPARKED.store(true, Ordering::Relaxed);
    }
}

/// Adds the wrap to `TICKS` if there was one since the last call. See `Counted`.
fn count(cs: &CriticalSection) -> bool {
    // SAFETY: the read clears COUNTFLAG and nothing else, and by `Counted` nobody else wants it.
    let csr = unsafe { (*SYST::PTR).csr.read() };
    let wrapped = csr & COUNTFLAG != 0;
    if wrapped {
        let ticks = TICKS.borrow(cs);
        ticks.set(ticks.get() + 1);
    }
    wrapped
}

/// The exception handler, by the name that cortex-m-rt's vector table refers to.
// SAFETY: the name belongs to the exception of the peripheral that this crate owns.
#[unsafe(no_mangle)]
extern "C" fn SysTick() {
    interrupt::free(count);
}
