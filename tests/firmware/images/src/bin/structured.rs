//! The behaviour suite on a Cortex-M: what needs no heap, of what holds other futures.
//!
//! Calls from elsewhere come from an interrupt handler.
#![no_std]
#![no_main]

#[path = "../board.rs"]
mod board;

use board::Board;
use cortex_m_rt::entry;
use firmware_tests::{all_passed, passed};

#[entry]
fn main() -> ! {
    corio_suite::no_heap_structured(&mut Board::take(), passed);
    all_passed()
}
