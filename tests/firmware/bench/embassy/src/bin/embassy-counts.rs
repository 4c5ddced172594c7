//! Instructions an operation, embassy. See `measure`.
#![no_std]
#![no_main]

use bench_embassy as _;
use cortex_m_rt::entry;
use embassy_executor::{Spawner, raw::Executor};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::{CriticalSectionRawMutex, NoopRawMutex};
use embassy_sync::channel::Channel;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use embassy_time::{Instant, Timer};
use lm3s6965evb::interrupt;
use measure::{done, irq, start};

#[embassy_executor::task(pool_size = 32)]
async fn yielder(name: &'static str, each: u32, operations: u32) {
    for _ in 0..each {
        yield_now().await;
    }
    done(name, operations);
}

#[embassy_executor::task]
async fn sender1(channel: &'static Channel<NoopRawMutex, u32, 1>, messages: u32) {
    for message in 0..messages {
        channel.send(message).await;
    }
}

#[embassy_executor::task]
async fn receiver1(channel: &'static Channel<NoopRawMutex, u32, 1>, messages: u32) {
    for message in 0..messages {
        assert!(channel.receive().await == message);
    }
    done("queue1", messages);
}

#[embassy_executor::task]
async fn sender16(channel: &'static Channel<NoopRawMutex, u32, 16>, messages: u32) {
    for message in 0..messages {
        channel.send(message).await;
    }
}

#[embassy_executor::task]
async fn receiver16(channel: &'static Channel<NoopRawMutex, u32, 16>, messages: u32) {
    for message in 0..messages {
        assert!(channel.receive().await == message);
    }
    done("queue16", messages);
}

#[embassy_executor::task]
async fn locker_alone(mutex: &'static Mutex<NoopRawMutex, u32>, operations: u32) {
    for _ in 0..operations {
        *mutex.lock().await += 1;
    }
    done("mutex_free", operations);
}

#[embassy_executor::task(pool_size = 8)]
async fn locker(mutex: &'static Mutex<NoopRawMutex, u32>, name: &'static str, yields: u32, each: u32, operations: u32) {
    for _ in 0..each {
        let mut guard = mutex.lock().await;
        *guard += 1;
        for _ in 0..yields {
            yield_now().await;
        }
        drop(guard);
        yield_now().await; // or a barging mutex would never be contended: its holder would keep it to the end
    }
    done(name, operations);
}

#[embassy_executor::task(pool_size = 64)]
async fn sleeper(name: &'static str, first: u32, every: u32, each: u32, operations: u32) {
    let mut at = u64::from(first);
    for _ in 0..each {
        Timer::at(Instant::from_ticks(at)).await;
        at += u64::from(every);
    }
    done(name, operations);
}

static SIGNAL: Signal<CriticalSectionRawMutex, ()> = Signal::new();

#[interrupt]
fn GPIOA() {
    SIGNAL.signal(());
}

#[embassy_executor::task]
async fn interrupted() {
    for _ in 0..irq::WAKES {
        SIGNAL.wait().await;
        irq::arrived();
    }
    irq::report("irq_wake")
}

#[entry]
fn main() -> ! {
    let core = cortex_m::Peripherals::take().expect("taken once");
    measure::init(core.SYST);
    let executor = Executor::new(usize::MAX as *mut ()); // the thread-mode pender
    let (channel1, channel16, mutex) = (Channel::new(), Channel::new(), Mutex::new(0));
    // SAFETY: `main` never returns, so its locals live for ever.
    let (executor, channel1, channel16, mutex) =
        unsafe { (forever(&executor), forever(&channel1), forever(&channel16), forever(&mutex)) };
    let spawner: Spawner = executor.spawner();

    let mut buffer = [0; 32];
    match lm3s6965evb::argument(&mut buffer) {
        "calib" => measure::calib(),
        "yield2" => yielders(spawner, "yield2", 2, 32_000),
        "yield32" => yielders(spawner, "yield32", 32, 2_000),
        "queue1" => {
            start(1);
            spawner.spawn(sender1(channel1, 16_000).unwrap());
            spawner.spawn(receiver1(channel1, 16_000).unwrap());
        }
        "queue16" => {
            start(1);
            spawner.spawn(sender16(channel16, 64_000).unwrap());
            spawner.spawn(receiver16(channel16, 64_000).unwrap());
        }
        "mutex_free" => {
            start(1);
            spawner.spawn(locker_alone(mutex, 64_000).unwrap());
        }
        "mutex_contended" => lockers(spawner, mutex, "mutex_contended", 2, 1, 8_000),
        "mutex8" => lockers(spawner, mutex, "mutex8", 8, 16, 1_000),
        "timer1" => sleepers(spawner, executor, "timer1", 1, 1, 16_000),
        "timer64" => sleepers(spawner, executor, "timer64", 64, 1, 250),
        "stagger64" => sleepers(spawner, executor, "stagger64", 64, 64, 250),
        "irq_wake" => {
            irq::enable();
            spawner.spawn(interrupted().unwrap());
            run(executor, irq::pend)
        }
        other => measure::unknown(other),
    }
    run(executor, cortex_m::asm::wfe)
}

/// # Safety
/// `local` is never dropped nor moved.
unsafe fn forever<T>(local: &T) -> &'static T {
    // SAFETY: the caller's promise.
    unsafe { &*core::ptr::from_ref(local) }
}

fn yielders(spawner: Spawner, name: &'static str, tasks: u32, each: u32) {
    start(tasks);
    for _ in 0..tasks {
        spawner.spawn(yielder(name, each, tasks * each).unwrap());
    }
}

fn lockers(
    spawner: Spawner,
    mutex: &'static Mutex<NoopRawMutex, u32>,
    name: &'static str,
    tasks: u32,
    yields: u32,
    each: u32,
) {
    start(tasks);
    for _ in 0..tasks {
        spawner.spawn(locker(mutex, name, yields, each, tasks * each).unwrap());
    }
}

/// All due together where `every` is 1; else one in each tick, in turn.
fn sleepers(spawner: Spawner, executor: &'static Executor, name: &'static str, tasks: u32, every: u32, each: u32) -> ! {
    start(tasks);
    for task in 0..tasks {
        let first = if every == 1 { 1 } else { 1 + task };
        spawner.spawn(sleeper(name, first, every, each, tasks * each).unwrap());
    }
    run(executor, measure::next_tick)
}

/// `Executor::run` with something else in the place of `wfe`.
#[inline(always)]
fn run(executor: &'static Executor, idle: impl Fn()) -> ! {
    loop {
        // SAFETY: not called from within itself.
        unsafe { executor.poll() };
        idle();
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    lm3s6965evb::fail(info)
}
