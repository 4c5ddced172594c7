//! The board that the suite runs on: one runner, and calls from elsewhere by an interrupt.

use core::cell::Cell;
use core::future::Future;
use core::pin::{Pin, pin};

use corio::Runner;
use corio_cortex_m::SysTickReactor;
use corio_suite::World;
use cortex_m::interrupt::{Mutex, free};
use cortex_m::peripheral::NVIC;
use lm3s6965evb::{HZ, Interrupt, interrupt};

pub(crate) struct Board(Runner<SysTickReactor<HZ>>);

/// What the handler is to call.
static CALL: Mutex<Cell<Call>> = Mutex::new(Cell::new(None));

type Call = Option<fn()>;

#[interrupt]
fn GPIOA() {
    if let Some(call) = free(|cs| CALL.borrow(cs).take()) {
        call();
    }
}

impl World for Board {
    const VIRTUAL: bool = false;

    fn run<F: Future>(&mut self, main: F) -> F::Output {
        let mut output = None;
        {
            let main = pin!(async { output = Some(main.await) });
            // One `Runner::run` for all: one for each test would not fit 256 KiB of flash.
            let _ = self.0.run(main as Pin<&mut dyn Future<Output = ()>>);
        }
        output.expect("nobody has a handle of main")
    }

    fn elsewhere(call: fn()) {
        free(|cs| CALL.borrow(cs).set(Some(call)));
        NVIC::pend(Interrupt::GPIOA);
    }
}

impl Board {
    pub(crate) fn take() -> Self {
        let core = cortex_m::Peripherals::take().expect("taken once");
        // SAFETY: the handler shares nothing but `CALL`.
        unsafe { NVIC::unmask(Interrupt::GPIOA) };
        Self(Runner::new(SysTickReactor::new(core.SYST)))
    }
}
