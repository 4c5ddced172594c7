//! Instructions an operation, corio. See `measure`.
#![no_std]
#![no_main]

use core::future::Future;
use core::pin::Pin;

use bench_corio::Ticks;
use corio::{Instant, Runner, sleep_until, yield_now};
use cortex_m_rt::entry;
use measure::{done, start};

async fn yielder(name: &str, each: u32, operations: u32) {
    for _ in 0..each {
        yield_now().await;
    }
    done(name, operations);
}

async fn sleeper(name: &str, first: u32, every: u32, each: u32, operations: u32) {
    let mut at = u64::from(first);
    for _ in 0..each {
        sleep_until(Instant::from_millis(at)).await;
        at += u64::from(every);
    }
    done(name, operations);
}

#[entry]
fn main() -> ! {
    let core = cortex_m::Peripherals::take().expect("taken once");
    measure::init(core.SYST);
    let mut buffer = [0; 32];
    match measure::name(&mut buffer) {
        "calib" => measure::calib(),
        "yield2" => yielders::<2>("yield2", 32_000),
        "yield32" => yielders::<32>("yield32", 2_000),
        "timer1" => sleepers::<1>("timer1", 1, 16_000),
        "timer64" => sleepers::<64>("timer64", 1, 250),
        "stagger64" => sleepers::<64>("stagger64", 64, 250),
        other => measure::unknown(other),
    }
}

fn yielders<const N: usize>(name: &str, each: u32) -> ! {
    run([(); N].map(|()| yielder(name, each, N as u32 * each)), || ())
}

/// All due together where `every` is 1; else one in each tick, in turn.
fn sleepers<const N: usize>(name: &str, every: u32, each: u32) -> ! {
    let mut task = 0;
    let futures = [(); N].map(|()| {
        task += 1;
        sleeper(name, if every == 1 { 1 } else { task }, every, each, N as u32 * each)
    });
    run(futures, measure::next_tick)
}

/// Runs the tasks until one of them ends the program.
#[inline(always)]
fn run<F: Future<Output = ()>, const N: usize>(mut futures: [F; N], idle: impl Fn()) -> ! {
    start(N as u32);
    let mut runner = Runner::new(Ticks(idle));
    // SAFETY: the array is not used again but through these, and is never moved.
    let futures =
        futures.each_mut().map(|future| unsafe { Pin::new_unchecked(future) as Pin<&mut dyn Future<Output = ()>> });
    let _ = runner.run_all(futures);
    unreachable!()
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    lm3s6965evb::fail(info)
}
