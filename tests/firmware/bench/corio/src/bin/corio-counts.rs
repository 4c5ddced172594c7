//! Instructions an operation, corio. See `measure`.
#![no_std]
#![no_main]

use core::future::Future;
use core::pin::{Pin, pin};

use bench_corio::Ticks;
use corio::{Instant, Mutex, Queue, Runner, TaskPool, sleep_until, yield_now};
use corio_cortex_m::Irq;
use cortex_m_rt::entry;
use lm3s6965evb::interrupt;
use measure::{done, irq, start};

async fn yielder(name: &str, each: u32, operations: u32) {
    for _ in 0..each {
        yield_now().await;
    }
    done(name, operations);
}

async fn sender<const N: usize>(queue: &Queue<u32, N>, messages: u32) {
    for message in 0..messages {
        queue.put(message).await.expect("not shut down");
    }
}

async fn receiver<const N: usize>(queue: &Queue<u32, N>, name: &str, messages: u32) {
    for message in 0..messages {
        assert!(queue.get().await == Ok(message));
    }
    done(name, messages);
}

async fn locker_alone(mutex: &Mutex<u32>, operations: u32) {
    for _ in 0..operations {
        *mutex.lock().await += 1;
    }
    done("mutex_free", operations);
}

async fn locker(mutex: &Mutex<u32>, name: &str, yields: u32, each: u32, operations: u32) {
    for _ in 0..each {
        let mut guard = mutex.lock().await;
        *guard += 1;
        for _ in 0..yields {
            yield_now().await;
        }
        drop(guard);
        yield_now().await; // see the peer's
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

static RAISED: Irq = Irq::new();

#[interrupt]
fn GPIOA() {
    RAISED.raise();
}

async fn interrupted() {
    for _ in 0..irq::WAKES {
        RAISED.wait().await;
        irq::arrived();
    }
    irq::report("irq_wake")
}

#[entry]
fn main() -> ! {
    let core = cortex_m::Peripherals::take().expect("taken once");
    measure::init(core.SYST);
    let mutex = Mutex::new(0);
    let mut buffer = [0; 32];
    match lm3s6965evb::argument(&mut buffer) {
        "calib" => measure::calib(),
        "yield2" => run(2, || (), each::<2, _>(|_| yielder("yield2", 32_000, 64_000))),
        "yield32" => run(32, || (), each::<32, _>(|_| yielder("yield32", 2_000, 64_000))),
        "queue1" => queue::<1>("queue1", 16_000),
        "queue16" => queue::<16>("queue16", 64_000),
        "mutex_free" => run(1, || (), [locker_alone(&mutex, 64_000)]),
        "mutex_contended" => run(2, || (), each::<2, _>(|_| locker(&mutex, "mutex_contended", 1, 8_000, 16_000))),
        "mutex8" => run(8, || (), each::<8, _>(|_| locker(&mutex, "mutex8", 16, 1_000, 8_000))),
        "timer1" => run(1, measure::next_tick, [sleeper("timer1", 1, 1, 16_000, 16_000)]),
        "timer64" => run(64, measure::next_tick, each::<64, _>(|_| sleeper("timer64", 1, 1, 250, 16_000))),
        "stagger64" => {
            run(64, measure::next_tick, each::<64, _>(|task| sleeper("stagger64", 1 + task, 64, 250, 16_000)))
        }
        "irq_wake" => {
            irq::enable();
            run(1, irq::pend, [interrupted()])
        }
        "pool_yield2" => pool_yield2(),
        other => measure::unknown(other),
    }
}

fn each<const N: usize, F>(mut make: impl FnMut(u32) -> F) -> [F; N] {
    let mut task = 0;
    [(); N].map(|()| {
        task += 1;
        make(task - 1)
    })
}

/// Runs the tasks until one of them ends the program.
#[inline(always)]
fn run<F: Future<Output = ()>, const N: usize>(ending: u32, idle: impl Fn(), mut futures: [F; N]) -> ! {
    start(ending);
    let mut runner = Runner::new(Ticks(idle));
    // SAFETY: the array is not used again but through these, and is never moved.
    let futures =
        futures.each_mut().map(|future| unsafe { Pin::new_unchecked(future) as Pin<&mut dyn Future<Output = ()>> });
    let _ = runner.run_all(futures);
    unreachable!("without an allocator run_all does not return")
}

fn queue<const N: usize>(name: &str, messages: u32) -> ! {
    let queue = Queue::<u32, N>::new();
    start(1);
    let _ = Runner::new(Ticks(|| ())).run_all([pin!(sender(&queue, messages)), pin!(receiver(&queue, name, messages))]);
    unreachable!("without an allocator run_all does not return")
}

/// As `yield2`, with tasks that can be joined, cancelled and named, from a pool.
fn pool_yield2() -> ! {
    static POOL: TaskPool<[u64; 8], 2> = TaskPool::new();
    start(2);
    let _ = Runner::new(Ticks(|| ())).run(async {
        for _ in 0..2 {
            POOL.spawn(yielder("pool_yield2", 32_000, 64_000)).expect("room for two").detach();
        }
        core::future::pending::<()>().await;
    });
    unreachable!("the main future is pending for ever")
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    lm3s6965evb::fail(info)
}
