//! corio on Cortex-M: the clock is SysTick, idling is `WFI`, interrupts wake tasks.
//!
//! ```text
//! #[entry]
//! fn main() -> ! {
//!     let core = cortex_m::Peripherals::take().unwrap();
//!     let mut runner = corio::Runner::new(SysTickReactor::<12_500_000>::new(core.SYST));
//!     let _ = runner.run_all([pin!(blink(led)), pin!(read(button))]);
//!     panic!("both tasks run for ever")
//! }
//! ```
//!
//! The final program provides an implementation of `critical-section` (on one core: cortex-m's feature
//! `critical-section-single-core`) and a vector table with `SysTick` in it (cortex-m-rt's is one); the handler itself
//! is defined here. Cores without compare-and-swap (thumbv6m) work as those with it do.
//!
//! # From an interrupt to a task
//! [`Irq`] is the short way: the handler calls [`raise`](Irq::raise), a task awaits [`wait`](Irq::wait). Everything in
//! `corio` that is `Sync` may be used from handlers too: `Queue::try_put`, `Event::set`, `WaitCell::wake`. A handler has no
//! loop to ask for the time; it reads the reactor's [`SysTickClock`].
//!
//! # Features
//! - `systick` (default): [`SysTickReactor`]. A program with a reactor of its own, and its own use for SysTick, does
//!   without.
#![no_std]

#[cfg(test)]
extern crate std;

#[cfg(feature = "systick")]
mod clock;
mod irq;
#[cfg(feature = "systick")]
mod reactor;

pub use irq::{Irq, IrqWait};
#[cfg(feature = "systick")]
pub use reactor::{SysTickClock, SysTickReactor, SysTickUnparker};
