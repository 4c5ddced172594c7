//! Runs conformance scenarios on a Cortex-M, many in one boot, and prints their traces by semihosting.
//!
//! The argument is `CLOCK FILE`: a file of the host's that names a scenario in each line, and `virtual` or `systick`.
//! For each scenario the image prints what follows; the host compares (`cargo xtask test --only conformance-firmware`).
//!
//! ```text
//! == lock_fifo                   the file's name, without its folder and ending
//! t=0 main: one                  the trace, if there is one
//! -- trace, 4312 bytes           and what it took of the heap; or `needs …`, `mistake: …`, `leaks … bytes`, `runs differently the second time`
//! ```
//!
//! Every scenario runs twice. What corio keeps for the next runner, its loop and its slots, the first run has made; so
//! after the second one the heap must be where it was before it.
#![no_std]
#![no_main]

extern crate alloc;

mod clock;
mod heap;
mod host;

use alloc::{format, string::String, vec::Vec};
use core::fmt::Write as _;

use clock::{Jumping, Stepping};
use corio_conformance::{Mistake, run_on};
use cortex_m_rt::{ExceptionFrame, entry, exception};
use host::Output;

#[entry]
fn main() -> ! {
    heap::begin();
    let mut out = Output::open();
    let argument = host::argument();
    let Some((clock, list)) = argument.split_once(' ') else { panic!("no clock and file in {argument:?}") };
    match clock {
        "virtual" => all(list, &mut out, |json| run_on(Jumping::new(), json)),
        "systick" => {
            let core = cortex_m::Peripherals::take().expect("taken once");
            let mut systick = clock::systick(core.SYST);
            all(list, &mut out, |json| run_on(Stepping::new(&mut systick), json));
        }
        other => panic!("no clock {other:?}"),
    }
    let _ = writeln!(out, "== end");
    out.flush();
    host::exit(true)
}

fn all(list: &str, out: &mut Output, mut run: impl FnMut(&str) -> Result<Vec<String>, Mistake>) {
    for file in host::lines(list) {
        let name = file.rsplit('/').next().and_then(|name| name.strip_suffix(".json")).unwrap_or(&file);
        let _ = writeln!(out, "== {name}");
        out.flush();
        let json = host::read(&file);
        twice(&json, out, &mut run);
    }
}

fn twice(json: &str, out: &mut Output, run: &mut impl FnMut(&str) -> Result<Vec<String>, Mistake>) {
    let before = heap::used();
    heap::forget_peak();
    let first = run(json);
    let held = heap::used();
    let second = run(json);
    let change = change(&first, &second);
    drop(second);
    // What the first answer holds, both levels have.
    let left = heap::used() as isize - held as isize;
    let peak = heap::peak() - before;

    let printed = match first {
        _ if change.is_some() => writeln!(out, "-- runs differently the second time{}", change.unwrap_or_default()),
        _ if left != 0 => writeln!(out, "-- leaks {left} bytes"),
        Err(mistake) => writeln!(out, "-- mistake: {mistake}"),
        Ok(lines) => {
            let lines = lines.iter().try_for_each(|line| writeln!(out, "{line}"));
            lines.and_then(|()| writeln!(out, "-- trace, {peak} bytes"))
        }
    };
    printed.expect("writing to the buffer or to the host");
}

/// Where the second run parts from the first.
fn change(first: &Result<Vec<String>, Mistake>, second: &Result<Vec<String>, Mistake>) -> Option<String> {
    if first == second {
        return None;
    }
    let (Ok(first), Ok(second)) = (first, second) else { return Some(String::new()) };
    let place = first.iter().zip(second).take_while(|(first, second)| first == second).count();
    Some(format!(": {:?}, then {:?}", first.get(place), second.get(place)))
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    host::fail(format_args!("{info}"))
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    host::fail(format_args!("{frame:?}"))
}
