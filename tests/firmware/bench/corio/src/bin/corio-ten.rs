//! Ten tasks, corio: four producers (timer, then a queue of 8), one consumer (queue, then a mutex), four blinkers
//! (timer, then the mutex), one monitor (timer, then the mutex).
#![no_std]
#![no_main]

use core::pin::pin;

use corio::{Duration, Mutex, Queue, Runner, now, sleep_until};
use corio_cortex_m::SysTickReactor;
use cortex_m_rt::entry;
use lm3s6965evb::{HZ, Led};

const MS: Duration = Duration::from_millis(1);

type Numbers = Queue<u32, 8>;
type Board = Mutex<(Led, u32)>;

async fn produce(numbers: &Numbers, period: Duration) {
    let mut next = now();
    let mut number = 0;
    loop {
        next += period;
        sleep_until(next).await;
        let _ = numbers.put(number).await;
        number += 1;
    }
}

async fn consume(numbers: &Numbers, board: &Board) {
    while let Ok(number) = numbers.get().await {
        board.lock().await.1 += number;
    }
}

async fn blink(board: &Board, period: Duration) {
    let mut next = now();
    loop {
        next += period;
        sleep_until(next).await;
        board.lock().await.0.toggle();
    }
}

async fn monitor(board: &Board) {
    let mut next = now();
    #[cfg(feature = "stack")]
    let mut left = 2;
    loop {
        next += Duration::from_millis(200);
        sleep_until(next).await;
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
    let core = cortex_m::Peripherals::take().expect("taken once");
    let numbers = Numbers::new();
    let board = Board::new((Led::new(), 0));
    let mut runner = Runner::new(SysTickReactor::<HZ>::new(core.SYST));
    let _ = runner.run_all([
        pin!(produce(&numbers, MS * 10)),
        pin!(produce(&numbers, MS * 11)),
        pin!(produce(&numbers, MS * 12)),
        pin!(produce(&numbers, MS * 13)),
        pin!(consume(&numbers, &board)),
        pin!(blink(&board, MS * 100)),
        pin!(blink(&board, MS * 110)),
        pin!(blink(&board, MS * 120)),
        pin!(blink(&board, MS * 130)),
        pin!(monitor(&board)),
    ]);
    unreachable!("without an allocator run_all does not return")
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
