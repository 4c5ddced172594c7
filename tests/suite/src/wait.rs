//! `WaitCell`, and wakes that come from elsewhere: another thread, or an interrupt handler.

use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use core::task::Poll;

use corio::wait::{WaitCell, WaitQueue};
use corio::{Event, Queue, Semaphore, sleep, yield_now};

use crate::World;
use crate::harness::{Bell, Count, LONG, Log, MS, counted, run, spawn, turns};

pub(crate) fn a_cell_wakes_once_and_forgets<W: World>(_: &mut W) {
    static BELL: Bell = Bell::new();
    let cell = WaitCell::new();
    cell.wake();
    cell.register(&BELL.waker());
    assert!(!BELL.rang(), "a wake before is not kept: look after registering");
    assert!(cell.is_registered());
    cell.wake();
    assert!(BELL.rang() && !cell.is_registered());
    cell.wake();
    assert!(!BELL.rang());
}

pub(crate) fn a_second_waker_takes_the_place_of_the_first<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    let cell = WaitCell::new();
    cell.register(&BELLS[0].waker());
    cell.register(&BELLS[1].waker());
    cell.wake();
    assert!(!BELLS[0].rang() && BELLS[1].rang());
}

pub(crate) fn a_waker_that_is_taken_out_is_the_one_that_was_registered<W: World>(_: &mut W) {
    static BELL: Bell = Bell::new();
    let cell = WaitCell::new();
    assert!(cell.take().is_none());
    cell.register(&BELL.waker());
    let taken = cell.take();
    assert!(taken.as_ref().is_some_and(|waker| waker.will_wake(&BELL.waker())));
    cell.wake();
    assert!(!BELL.rang() && cell.take().is_none());
    if let Some(waker) = taken {
        waker.wake();
    }
    assert!(BELL.rang());
}

pub(crate) fn a_task_waits_in_a_cell_at_the_cost_of_two_polls<W: World>(world: &mut W) {
    static CELL: WaitCell = WaitCell::new();
    static READY: AtomicBool = AtomicBool::new(false);
    static POLLS: Count = Count::new();
    run(world, async {
        let task = spawn(counted(&POLLS, until(&READY, &CELL)));
        turns(10).await;
        sleep(MS).await;
        assert!(POLLS.get() == 1);
        READY.store(true, SeqCst);
        CELL.wake();
        assert!(task.await.is_ok());
        assert!(POLLS.get() == 2);
    });
}

/// The pattern of a leaf future: look, register, look again.
async fn until(ready: &'static AtomicBool, cell: &'static WaitCell) {
    poll_fn(|cx| {
        if ready.load(SeqCst) {
            return Poll::Ready(());
        }
        cell.register(cx.waker());
        if ready.load(SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await
}

pub(crate) fn a_cell_is_woken_from_elsewhere<W: World>(world: &mut W) {
    static CELL: WaitCell = WaitCell::new();
    static READY: AtomicBool = AtomicBool::new(false);
    fn ready() {
        READY.store(true, SeqCst);
        CELL.wake();
    }
    run(world, async {
        for _ in 0..10 {
            READY.store(false, SeqCst);
            let task = spawn(until(&READY, &CELL));
            yield_now().await;
            W::elsewhere(ready);
            assert!(task.await.is_ok());
        }
    });
}

pub(crate) fn an_event_is_set_from_elsewhere<W: World>(world: &mut W) {
    static EVENT: Event = Event::new();
    run(world, async {
        let tasks = [0; 3].map(|_| spawn(EVENT.wait()));
        yield_now().await;
        W::elsewhere(|| EVENT.set());
        for task in tasks {
            assert!(task.await.is_ok());
        }
        assert!(EVENT.is_set());
    });
}

pub(crate) fn permits_are_released_from_elsewhere<W: World>(world: &mut W) {
    static PERMITS: Semaphore = Semaphore::new(0);
    static POLLS: Count = Count::new();
    run(world, async {
        for round in 1..=10 {
            W::elsewhere(|| PERMITS.release());
            counted(&POLLS, PERMITS.acquire()).await.forget();
            assert!(POLLS.get() <= 2 * round, "one poll to wait, one to take");
        }
        assert!(PERMITS.available() == 0);
    });
}

pub(crate) fn items_are_put_from_elsewhere_in_order<W: World>(world: &mut W) {
    static QUEUE: Queue<u8, 4> = Queue::new();
    static NEXT: Count = Count::new();
    static LOG: Log = Log::new();
    fn put() {
        // Counted first: as soon as the item is in, the next call may begin.
        let next = NEXT.get() as u8;
        NEXT.add();
        assert!(QUEUE.try_put(b'a' + next).is_ok());
    }
    run(world, async {
        for _ in 0..8 {
            W::elsewhere(put);
            LOG.note(QUEUE.get().await.unwrap_or(b'?'));
        }
        LOG.expect("abcdefgh");
    });
}

pub(crate) fn elsewhere_wakes_while_other_tasks_sleep_and_yield<W: World>(world: &mut W) {
    static PERMITS: Semaphore = Semaphore::new(0);
    run(world, async {
        let yielder = spawn(async {
            loop {
                yield_now().await;
            }
        });
        for _ in 0..4 {
            W::elsewhere(|| PERMITS.release());
            PERMITS.acquire().await.forget();
        }
        drop(yielder);
        let sleeper = spawn(sleep(LONG));
        for _ in 0..4 {
            W::elsewhere(|| PERMITS.release());
            PERMITS.acquire().await.forget();
        }
        assert!(!sleeper.is_done());
    });
}

/// Things that are taken one at a time, and those who wait for one.
struct Stock {
    left: AtomicU32,
    line: WaitQueue,
}

impl Stock {
    const fn new() -> Self {
        Self { left: AtomicU32::new(0), line: WaitQueue::new() }
    }

    fn add(&self) {
        self.left.store(self.left.load(SeqCst) + 1, SeqCst);
        self.line.wake_one();
    }

    async fn take(&self) {
        let one = || {
            let left = self.left.load(SeqCst).checked_sub(1)?;
            self.left.store(left, SeqCst);
            Some(())
        };
        self.line.wait_until(one).await
    }
}

pub(crate) fn a_queue_of_waiters_is_told_in_order_and_polled_no_more_than_told<W: World>(world: &mut W) {
    static STOCK: Stock = Stock::new();
    static POLLS: Count = Count::new();
    static LOG: Log = Log::new();
    run(world, async {
        let tasks = [b'a', b'b', b'c'].map(|name| {
            spawn(counted(&POLLS, async move {
                STOCK.take().await;
                LOG.note(name);
            }))
        });
        turns(5).await;
        assert!(POLLS.get() == 3);
        for _ in 0..3 {
            STOCK.add();
            turns(2).await;
        }
        LOG.expect("abc");
        assert!(POLLS.get() == 6 && STOCK.line.is_empty());
        assert!(!STOCK.line.wake_one());
        for task in tasks {
            assert!(task.await.is_ok());
        }
    });
}

pub(crate) fn a_waiter_that_was_told_and_is_dropped_tells_the_next<W: World>(world: &mut W) {
    static STOCK: Stock = Stock::new();
    run(world, async {
        let first = spawn(STOCK.take());
        let second = spawn(STOCK.take());
        yield_now().await;
        STOCK.add();
        first.cancel();
        assert!(second.await.is_ok());
        assert!(first.await.is_err());
    });
}

pub(crate) fn what_changes_while_a_waiter_joins_is_not_missed<W: World>(world: &mut W) {
    static LINE: WaitQueue = WaitQueue::new();
    run(world, async {
        // Between its two looks somebody comes and tells the line, in which it does not stand yet.
        let mut looks = 0;
        LINE.wait_until(|| {
            looks += 1;
            LINE.wake_all();
            (looks == 2).then_some(())
        })
        .await;
        assert!(looks == 2 && LINE.is_empty());
    });
}
