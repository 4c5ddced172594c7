//! Ten tasks, embassy: four producers (timer, then a queue of 8), one consumer (queue, then a mutex), four blinkers
//! (timer, then the mutex), one monitor (timer, then the mutex).
#![no_std]
#![no_main]

use bench_embassy as _;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::entry;
use embassy_executor::Executor;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::mutex::Mutex;
use embassy_time::{Duration, Ticker};
use lm3s6965evb::{HZ, Led};

type Numbers = Channel<NoopRawMutex, u32, 8>;
type Board = Mutex<NoopRawMutex, (Led, u32)>;

#[embassy_executor::task(pool_size = 4)]
async fn produce(numbers: &'static Numbers, period: u64) {
    let mut ticker = Ticker::every(Duration::from_millis(period));
    let mut number = 0;
    loop {
        ticker.next().await;
        numbers.send(number).await;
        number += 1;
    }
}

#[embassy_executor::task]
async fn consume(numbers: &'static Numbers, board: &'static Board) {
    loop {
        let number = numbers.receive().await;
        board.lock().await.1 += number;
    }
}

#[embassy_executor::task(pool_size = 4)]
async fn blink(board: &'static Board, period: u64) {
    let mut ticker = Ticker::every(Duration::from_millis(period));
    loop {
        ticker.next().await;
        board.lock().await.0.toggle();
    }
}

#[embassy_executor::task]
async fn monitor(board: &'static Board) {
    let mut ticker = Ticker::every(Duration::from_millis(200));
    #[cfg(feature = "stack")]
    let mut left = 2;
    loop {
        ticker.next().await;
        measure::show(board.lock().await.1);
        #[cfg(feature = "stack")]
        {
            left -= 1;
            if left == 0 {
                measure::report_stack()
            }
        }
    }
}

#[entry]
fn main() -> ! {
    let mut core = cortex_m::Peripherals::take().expect("taken once");
    core.SYST.set_clock_source(SystClkSource::Core);
    core.SYST.set_reload(HZ / 1_000 - 1);
    core.SYST.clear_current();
    core.SYST.enable_interrupt();
    core.SYST.enable_counter();
    let (mut executor, numbers, board) = (Executor::new(), Channel::new(), Mutex::new((Led::new(), 0)));
    // SAFETY: `main` never returns, so its locals live for ever.
    let executor: &'static mut Executor = unsafe { &mut *core::ptr::from_mut(&mut executor) };
    // SAFETY: as above.
    let (numbers, board): (&'static Numbers, &'static Board) =
        unsafe { (&*core::ptr::from_ref(&numbers), &*core::ptr::from_ref(&board)) };
    executor.run(|spawner| {
        for task in 0..4 {
            spawner.spawn(produce(numbers, 10 + task).unwrap());
            spawner.spawn(blink(board, 100 + 10 * task).unwrap());
        }
        spawner.spawn(consume(numbers, board).unwrap());
        spawner.spawn(monitor(board).unwrap());
    })
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
