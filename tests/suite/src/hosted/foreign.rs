//! corio's futures under wakers that are not corio's: combinators with wakers of their own, and an executor made by hand.

use core::cell::{Cell, RefCell};
use core::future::{Future, pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::rc::Rc;
use std::sync::Arc;

use corio::wait::WaitCell;
use corio::{
    Duration, DynQueue, Event, Group, Mutex, OneShot, Queue, RawLock, Semaphore, TimedOut, current_task, finally,
    generator, group, now, sleep, sleep_until, spawn, timeout, timeout_scope, yield_now,
};
use futures_util::future::{Either, FutureExt, join, join_all, select};
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::waker::{Move, witnessed};
use super::{Hosted, Trace, Wakes, rounds};
use crate::World;
use crate::harness::{MS, turns};

/// `future`, its polls counted.
fn counted<F: Future>(polls: &Cell<usize>, future: F) -> impl Future<Output = F::Output> {
    let mut future = Box::pin(future);
    poll_fn(move |cx| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(cx)
    })
}

pub(crate) fn locks_go_round_in_order_under_futures_unordered<W: World>(world: &mut W) {
    world.run(async {
        let mutex = Mutex::new(0);
        let mut futures: Vec<_> = (0..20)
            .map(|i| {
                let mutex = &mutex;
                Box::pin(async move {
                    let mut value = mutex.lock().await;
                    yield_now().await;
                    assert_eq!(*value, i);
                    *value += 1;
                })
            })
            .collect();
        for future in &mut futures {
            assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        // They stand in line, and are polled once more, in an order of its choosing and with wakers of its own.
        let mut all: FuturesUnordered<_> = futures.into_iter().collect();
        while all.next().await.is_some() {}
        assert_eq!(*mutex.lock().await, 20);
    });
}

pub(crate) fn sleeps_end_in_order_under_futures_unordered<W: World>(world: &mut W) {
    world.run(async {
        let start = now();
        let mut all: FuturesUnordered<_> = [5, 2, 4, 1, 3]
            .map(|n| async move {
                sleep_until(start + MS * n).await;
                n
            })
            .into_iter()
            .collect();
        let mut order = Vec::new();
        while let Some(n) = all.next().await {
            order.push(n);
        }
        // However late a real clock is: what is due together is woken in order.
        assert_eq!(order, [1, 2, 3, 4, 5]);
    });
}

pub(crate) fn idle_waiters_are_never_polled_under_futures_unordered<W: World>(world: &mut W) {
    world.run(async {
        let (polls, permits, event) = (Cell::new(0), Semaphore::new(0), Event::new());
        let queue = Queue::<u8, 1>::new();
        let mut all = FuturesUnordered::new();
        for _ in 0..10 {
            all.push(counted(&polls, async { permits.acquire().await.forget() }).boxed_local());
            all.push(counted(&polls, event.wait()).boxed_local());
            all.push(counted(&polls, async { assert!(queue.get().await.is_ok()) }).boxed_local());
        }
        assert!(all.next().now_or_never().is_none());
        assert_eq!(polls.get(), 30);
        for _ in 0..10 {
            sleep(Duration::from_micros(10)).await;
            assert!(all.next().now_or_never().is_none());
        }
        assert_eq!(polls.get(), 30, "idle");
        event.set();
        for _ in 0..10 {
            all.next().await;
        }
        assert_eq!(polls.get(), 40);
        for n in 1..=10 {
            permits.release();
            all.next().await;
            queue.put(1).await.expect("open");
            all.next().await;
            assert_eq!(polls.get(), 40 + 2 * n);
        }
        assert!(all.is_empty());
    });
}

pub(crate) fn join_all_of_few_and_of_many<W: World>(world: &mut W) {
    world.run(async {
        for n in [3, 100] {
            let (queue, permits) = (Queue::<usize, 2>::new(), Semaphore::new(2));
            let put = join_all((0..n).map(|i| queue.put(i).map(move |put| put.map(|()| i).expect("open"))));
            let got = join_all((0..n).map(|_| async {
                let _permit = permits.acquire().await;
                yield_now().await;
                queue.get().await.expect("open")
            }));
            let (put, mut got) = join(put, got).await;
            got.sort_unstable();
            assert_eq!(got, put);
            assert_eq!((queue.len(), permits.available()), (0, 2));
        }
    });
}

pub(crate) fn the_loser_of_a_select_loses_nothing<W: World>(world: &mut W) {
    world.run(async {
        let (permits, queue, mutex) = (Semaphore::new(0), DynQueue::new(0), Mutex::new(()));
        for i in 0..50 {
            // A permit and an item come while both are waited for: one of them is taken, the other left where it is.
            let (mut acquires, mut gets) = (pin!(permits.acquire()), pin!(queue.get()));
            let pending = select(&mut acquires, &mut gets).now_or_never();
            assert!(pending.is_none());
            permits.release();
            queue.put(i).await.expect("open");
            // Which one is not for us to say: the combinator may ask in any order.
            let item = match select(acquires, gets).await {
                Either::Left((permit, _)) => {
                    permit.forget();
                    false
                }
                Either::Right((item, _)) => {
                    assert_eq!(item, Ok(i));
                    true
                }
            };
            // The other is still there.
            if item {
                permits.try_acquire().expect("it was not taken").forget();
            } else {
                assert_eq!(queue.try_get(), Ok(i));
            }
            // A waiter that loses to time, and is granted and dropped after that.
            let held = mutex.lock().await;
            match select(pin!(mutex.lock()), pin!(yield_now())).await {
                Either::Left(_) => panic!("it is held"),
                // Granted by this; dropped, not having been polled, at the end of the statement.
                Either::Right(_) => drop(held),
            }
            assert!(mutex.try_lock().is_some());
        }
        assert_eq!((permits.available(), queue.len()), (0, 0));
    });
}

pub(crate) fn timeouts_and_tasks_are_awaited_under_foreign_wakers<W: World>(world: &mut W) {
    world.run(async {
        let mut all = FuturesUnordered::new();
        for i in 0..10_u32 {
            all.push(
                async move {
                    let task = spawn(async move {
                        sleep(MS * i).await;
                        i
                    });
                    timeout(Duration::from_secs(3600), task).await.expect("in time").expect("not cancelled")
                }
                .boxed_local(),
            );
            all.push(async move { timeout(MS, core::future::pending::<()>()).await.map_or(100, |()| 0) }.boxed_local());
        }
        let mut sum = 0;
        while let Some(value) = all.next().await {
            sum += value;
        }
        assert_eq!(sum, 1000 + 45);
    });
}

type ByHandTask<'a> = (Pin<Box<dyn Future<Output = ()> + 'a>>, Arc<Wakes>, Waker);

/// Polls each future whose waker has rung, until all are done; between rounds `idle` is called.
struct ByHand<'a> {
    futures: Vec<Option<ByHandTask<'a>>>,
    polls: usize,
}

impl<'a> ByHand<'a> {
    fn new() -> Self {
        Self { futures: Vec::new(), polls: 0 }
    }

    fn spawn(&mut self, future: impl Future<Output = ()> + 'a) {
        let (wakes, waker) = Wakes::new();
        waker.wake_by_ref();
        self.futures.push(Some((Box::pin(future), wakes, waker)));
    }

    /// Polls whoever was woken until nobody is; how many are left.
    fn run(&mut self) -> usize {
        loop {
            let mut any = false;
            for place in &mut self.futures {
                if let Some((future, wakes, waker)) = place
                    && wakes.take() > 0
                {
                    any = true;
                    self.polls += 1;
                    if future.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
                        *place = None;
                    }
                }
            }
            if !any {
                return self.futures.iter().flatten().count();
            }
        }
    }
}

pub(crate) fn primitives_work_under_an_executor_made_by_hand<W: Hosted>(_: &mut W) {
    // Outside of any loop.
    let (mutex, permits, event) = (Mutex::new(0), Semaphore::new(3), Event::new());
    let (queue, done, lock) = (Queue::<u32, 2>::new(), Cell::new(0), RawLock::new());
    let mut hand = ByHand::new();
    for i in 0..10 {
        let (mutex, permits, event, queue, done, lock) = (&mutex, &permits, &event, &queue, &done, &lock);
        hand.spawn(async move {
            event.wait().await;
            let _permit = permits.acquire().await;
            *mutex.lock().await += 1;
            queue.put(i).await.expect("open");
        });
        hand.spawn(async move {
            let item = queue.get().await.expect("open");
            lock.acquire().await;
            done.set(done.get() + item);
            lock.release().expect("held");
            queue.task_done().expect("one for each");
        });
    }
    hand.spawn(async {
        event.wait().await;
        queue.join().await;
    });
    assert_eq!(hand.run(), 21);
    assert_eq!(hand.polls, 21, "one each");
    event.set();
    assert_eq!(hand.run(), 0);
    assert_eq!((done.get(), permits.available(), queue.len()), (45, 3, 0));
    assert_eq!(*mutex.try_lock().expect("free"), 10);
}

pub(crate) fn no_lock_is_held_while_a_waker_is_cloned_woken_or_dropped<W: World>(world: &mut W) {
    // Each move of the waker comes back to the primitive: under its lock that would never end.
    struct All {
        mutex: Mutex<()>,
        lock: RawLock,
        event: Event,
        permits: Semaphore,
        queue: Queue<u8, 1>,
        cell: WaitCell,
        busy: Cell<bool>,
        calls: Cell<usize>,
    }
    impl All {
        fn meddle(&self) {
            if self.busy.replace(true) {
                return;
            }
            self.calls.set(self.calls.get() + 1);
            let _ = (self.mutex.is_locked(), self.lock.is_locked(), self.event.is_set(), self.permits.available());
            let _ = (self.queue.len(), self.cell.is_registered(), self.permits.try_acquire(), self.mutex.try_lock());
            // In and out of every line.
            let mut cx = Context::from_waker(Waker::noop());
            let _ = pin!(self.mutex.lock()).poll(&mut cx);
            let _ = pin!(self.permits.acquire()).poll(&mut cx);
            let _ = pin!(self.event.wait()).poll(&mut cx);
            let _ = pin!(self.queue.join()).poll(&mut cx);
            let _ = pin!(sleep(MS)).poll(&mut cx);
            self.busy.set(false);
        }
    }
    world.run(async {
        let all = Rc::new(All {
            mutex: Mutex::new(()),
            lock: RawLock::new(),
            event: Event::new(),
            permits: Semaphore::new(0),
            queue: Queue::new(),
            cell: WaitCell::new(),
            busy: Cell::new(false),
            calls: Cell::new(0),
        });
        let waker = {
            let all = all.clone();
            witnessed(move |_| all.meddle())
        };
        let cx = &mut Context::from_waker(&waker);
        for drop_it in [false, true] {
            let guard = all.mutex.try_lock().expect("free");
            assert!(all.lock.try_acquire());
            let mut locks = pin!(Some(all.mutex.lock()));
            let mut raw = pin!(Some(all.lock.acquire()));
            let mut waits = pin!(Some(all.event.wait()));
            let mut acquires = pin!(Some(all.permits.acquire()));
            let mut gets = pin!(Some(all.queue.get()));
            let mut naps = pin!(Some(sleep(MS)));
            let mut task = spawn(turns(3));
            macro_rules! each {
                ($($future:ident)*) => {$(
                    // Twice, for the second poll exchanges wakers.
                    assert!($future.as_mut().as_pin_mut().expect("there").poll(cx).is_pending());
                    assert!($future.as_mut().as_pin_mut().expect("there").poll(&mut Context::from_waker(&waker.clone())).is_pending());
                    if drop_it {
                        $future.set(None);
                    }
                )*};
            }
            each!(locks raw waits acquires gets naps);
            assert!(pin!(&mut task).poll(cx).is_pending());
            assert!(pin!(&mut task).poll(&mut Context::from_waker(&waker.clone())).is_pending());
            all.cell.register(&waker);
            all.cell.register(&waker);
            all.cell.wake();
            drop(guard);
            all.lock.release().expect("held");
            all.event.set();
            all.permits.release();
            all.queue.try_put(1).expect("room");
            if drop_it {
                drop(task);
            }
            sleep(MS * 3).await;
            // What was granted is there for the next round.
            locks.set(None);
            raw.set(None);
            waits.set(None);
            acquires.set(None);
            gets.set(None);
            all.event.clear();
            while all.queue.try_get().is_ok() {}
            while let Some(permit) = all.permits.try_acquire() {
                permit.forget();
            }
            if all.lock.is_locked() {
                all.lock.release().expect("held");
            }
        }
        assert!(all.calls.get() > 20, "the waker was at work");
    });
}

pub(crate) fn a_waker_may_let_the_next_one_through<W: Hosted>(_: &mut W) {
    // Each wake comes back to the same primitive, in the middle of the call that woke it.
    let permits = Rc::new(Semaphore::new(0));
    let woken = Rc::new(Cell::new(0));
    let waker = {
        let (permits, woken) = (permits.clone(), woken.clone());
        witnessed(move |what| {
            if what == Move::Wake {
                woken.set(woken.get() + 1);
                permits.release();
            }
        })
    };
    let cx = &mut Context::from_waker(&waker);
    let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(permits.acquire())).collect();
    for future in &mut waiting {
        assert!(future.as_mut().poll(cx).is_pending());
    }
    // One release: each waker that is woken lets the next through, and the last leaves a permit.
    permits.release();
    assert_eq!(woken.get(), 5);
    for future in &mut waiting {
        match future.as_mut().poll(cx) {
            Poll::Ready(permit) => permit.forget(),
            Poll::Pending => panic!("it was let through"),
        }
    }
    assert_eq!(permits.available(), 1);
}

pub(crate) fn a_waker_may_put_into_the_queue_that_wakes_it_and_set_the_event_again<W: Hosted>(_: &mut W) {
    let queue = Rc::new(DynQueue::<u32>::new(0));
    let refill = {
        let (queue, left) = (queue.clone(), Cell::new(10));
        witnessed(move |what| {
            if what == Move::Wake && left.get() > 0 {
                left.set(left.get() - 1);
                queue.try_put(left.get()).expect("no limit");
            }
        })
    };
    let cx = &mut Context::from_waker(&refill);
    let mut gets: Vec<_> = (0..11).map(|_| Box::pin(queue.get())).collect();
    for get in &mut gets {
        assert!(get.as_mut().poll(cx).is_pending());
    }
    queue.try_put(100).expect("no limit");
    let got = gets.iter_mut().map(|get| match get.as_mut().poll(cx) {
        Poll::Ready(item) => item.expect("open"),
        Poll::Pending => panic!("each wake has put an item"),
    });
    assert!(got.eq([100, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]));

    let event = Rc::new(Event::new());
    let (again, woken) = {
        let (event, woken) = (event.clone(), Rc::new(Cell::new(0)));
        let count = woken.clone();
        let again = witnessed(move |what| {
            if what == Move::Wake {
                count.set(count.get() + 1);
                event.clear();
                event.set();
            }
        });
        (again, woken)
    };
    let cx = &mut Context::from_waker(&again);
    let mut waits: Vec<_> = (0..6).map(|_| Box::pin(event.wait())).collect();
    for wait in &mut waits {
        assert!(wait.as_mut().poll(cx).is_pending());
    }
    event.set();
    event.clear();
    assert_eq!(woken.get(), 6, "each once");
    assert!(waits.iter_mut().all(|wait| wait.as_mut().poll(cx).is_ready()));
}

pub(crate) fn a_waker_kept_beyond_its_task_wakes_nobody_wrong<W: World>(world: &mut W) {
    world.run(async {
        let kept: Rc<RefCell<Vec<Waker>>> = Rc::default();
        for _ in 0..100 {
            let kept = kept.clone();
            spawn(poll_fn(move |cx| {
                kept.borrow_mut().push(cx.waker().clone());
                Poll::Ready(())
            }))
            .await
            .expect("it ends");
        }
        // New tasks, in the same slots. They may be polled once too often, and must not take that for an event.
        let (queue, order) = (Rc::new(DynQueue::new(0)), Trace::default());
        let tasks: Vec<_> = (0..20)
            .map(|i| {
                let (queue, order) = (queue.clone(), order.clone());
                spawn(async move {
                    let item: usize = queue.get().await.expect("open");
                    assert_eq!(item, i);
                    sleep(MS).await;
                    order.note(i.to_string());
                })
            })
            .collect();
        for round in 0..20 {
            for waker in kept.borrow().iter() {
                waker.wake_by_ref();
            }
            turns(2).await;
            queue.try_put(round).expect("no limit");
        }
        for task in tasks {
            task.await.expect("it ends");
        }
        for waker in kept.take() {
            waker.wake();
        }
    });
}

pub(crate) fn a_waker_called_in_the_drop_of_the_future_that_it_is_for<W: World>(world: &mut W) {
    world.run(async {
        struct WakesOnDrop(RefCell<Option<Waker>>);
        impl Drop for WakesOnDrop {
            fn drop(&mut self) {
                if let Some(waker) = self.0.take() {
                    waker.wake_by_ref();
                    waker.wake();
                }
            }
        }
        for cancel in [false, true] {
            for _ in 0..10 {
                let guard = WakesOnDrop(RefCell::new(None));
                let task = spawn(async move {
                    poll_fn(|cx| {
                        guard.0.replace(Some(cx.waker().clone()));
                        Poll::Ready(())
                    })
                    .await;
                    yield_now().await;
                    if cancel {
                        core::future::pending::<()>().await;
                    }
                    drop(guard);
                });
                turns(2).await;
                if cancel {
                    task.cancel();
                }
                assert_eq!(task.await.is_err(), cancel);
            }
        }
        turns(3).await;
    });
}

/// A future that several tasks may poll.
type Shared = Rc<RefCell<Pin<Box<dyn Future<Output = ()>>>>>;

fn share(future: impl Future<Output = ()> + 'static) -> Shared {
    Rc::new(RefCell::new(Box::pin(future)))
}

fn acquire(permits: &Rc<Semaphore>) -> Shared {
    let permits = permits.clone();
    share(async move { permits.acquire().await.forget() })
}

fn poll_shared(shared: &Shared) -> impl Future<Output = ()> + 'static {
    let shared = shared.clone();
    poll_fn(move |cx| shared.borrow_mut().as_mut().poll(cx))
}

pub(crate) fn a_future_that_moves_between_tasks_is_woken_where_it_was_polled_last<W: World>(world: &mut W) {
    world.run(async {
        let permits = Rc::new(Semaphore::new(0));
        let shared = acquire(&permits);
        let first = spawn(poll_shared(&shared));
        yield_now().await;
        let second = spawn(poll_shared(&shared));
        yield_now().await;
        permits.release();
        second.await.expect("it ends");
        assert!(!first.is_done());
        drop(first);
        // And a task that is cancelled while the future it has polled lives on elsewhere.
        let shared = acquire(&permits);
        let task = spawn(poll_shared(&shared));
        yield_now().await;
        task.cancel();
        permits.release();
        assert!(task.await.is_err());
        poll_shared(&shared).await;
        assert_eq!(permits.available(), 0);
    });
}

pub(crate) fn waiters_that_outlive_the_task_that_polled_them_are_not_forgotten<W: World>(world: &mut W) {
    world.run(async {
        let (permits, queue) = (Rc::new(Semaphore::new(0)), Rc::new(DynQueue::<u8>::new(0)));
        let get = || {
            let queue = queue.clone();
            share(async move { assert!(queue.get().await.is_ok()) })
        };
        let (first, second) = (acquire(&permits), acquire(&permits));
        let (first_get, second_get) = (get(), get());
        let polls_all = {
            let all = [&first, &second, &first_get, &second_get].map(poll_shared).map(Box::pin);
            let all = RefCell::new(all);
            spawn(poll_fn(move |cx| {
                for future in all.borrow_mut().iter_mut() {
                    assert!(future.as_mut().poll(cx).is_pending());
                }
                Poll::<()>::Pending
            }))
        };
        yield_now().await;
        polls_all.cancel();
        // Nobody who will stay is in line; then the task goes, and they stay after all.
        for item in 0..2 {
            permits.release();
            queue.try_put(item).expect("no limit");
        }
        assert!(polls_all.await.is_err());
        // The second of each line first, by a task of its own.
        let (permit, item) = (spawn(poll_shared(&second)), spawn(poll_shared(&second_get)));
        yield_now().await;
        poll_shared(&first).await;
        poll_shared(&first_get).await;
        permit.await.expect("there was one for it");
        item.await.expect("there was one for it");
    });
}

pub(crate) fn a_body_emits_from_a_set_of_futures<W: World>(world: &mut W) {
    world.run(async {
        // The set polls only those of its futures that were woken: the one that emits must be.
        let mut numbers = pin!(generator(async |y| {
            let y = &Mutex::new(y);
            let sleepers = (1..=5).map(|n| async move {
                sleep(MS * n).await;
                y.lock().await.emit(n).await;
                y.lock().await.emit(10 * n).await;
            });
            sleepers.collect::<FuturesUnordered<_>>().for_each(|()| async {}).await;
        }));
        let mut seen = Vec::new();
        while let Some(n) = numbers.next().await {
            seen.push(n);
        }
        seen.sort_unstable();
        assert_eq!(seen, [1, 2, 3, 4, 5, 10, 20, 30, 40, 50]);
    });
}

pub(crate) fn a_generator_fits_into_adapters_that_are_not_ours<W: World>(world: &mut W) {
    world.run(async {
        let numbers = |from: u32| {
            generator(async move |mut y| {
                for n in from.. {
                    yield_now().await;
                    y.emit(n).await;
                }
            })
        };
        let pairs = numbers(1).zip(numbers(10).skip(1)).take(3);
        assert_eq!(pairs.collect::<Vec<_>>().await, [(1, 11), (2, 12), (3, 13)]);
        let merged = futures_util::stream::select(numbers(1).take(3), numbers(10).take(3));
        assert_eq!(merged.collect::<Vec<_>>().await.len(), 6);
        let buffered = numbers(1).take(4).map(|n| async move { sleep(MS * n).await }).buffered(2);
        assert_eq!(buffered.count().await, 4);
    });
}

pub(crate) fn two_generators_in_a_race_lose_nothing<W: World>(world: &mut W) {
    world.run(async {
        let every = |n: u32, letter: char| {
            generator(async move |mut y| {
                for _ in 0..3 {
                    sleep(MS * n).await;
                    y.emit(letter).await;
                }
            })
        };
        let (mut a, mut b) = (pin!(every(20, 'a')), pin!(every(50, 'b')));
        let mut seen = String::new();
        loop {
            let either = select(a.next(), b.next()).await;
            match either {
                Either::Left((Some(letter), _)) | Either::Right((Some(letter), _)) => seen.push(letter),
                Either::Left((None, _)) | Either::Right((None, _)) => break,
            }
        }
        while let Some(letter) = b.next().await {
            seen.push(letter);
        }
        assert_eq!((seen.matches('a').count(), seen.matches('b').count()), (3, 3));
        if W::VIRTUAL {
            assert_eq!(seen, "aababb");
        }
    });
}

pub(crate) fn a_grant_while_a_waker_is_cloned_is_not_missed<W: World>(world: &mut W) {
    // Under the lock a foreign waker cannot be cloned: whatever happens while it is must reach it all the same.
    world.run(async {
        for again in [false, true] {
            for primitive in primitives() {
                let (cloned, woken) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
                let (seen, counted) = (cloned.clone(), woken.clone());
                let release = Rc::new(primitive.release);
                let waker = witnessed(move |what| match what {
                    Move::Clone if !seen.replace(true) => release(),
                    Move::Wake => counted.set(counted.get() + 1),
                    _ => {}
                });
                let wait = (primitive.wait)();
                let mut cx = Context::from_waker(&waker);
                // At once, or when it stands in line already.
                if again {
                    assert!(wait.borrow_mut().as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
                }
                let polled = wait.borrow_mut().as_mut().poll(&mut cx);
                assert!(cloned.get());
                if polled.is_pending() {
                    assert!(woken.get() > 0);
                    assert!(wait.borrow_mut().as_mut().poll(&mut cx).is_ready());
                }
            }
        }
    });
}

/// A primitive in the shape of the next test.
struct Primitive {
    /// A future that waits, and then passes on what it may.
    wait: Box<dyn Fn() -> Shared>,
    release: Box<dyn Fn()>,
    /// How many of so many have got it after so many releases.
    served: fn(waiting: usize, releases: usize) -> usize,
}

fn primitives() -> [Primitive; 6] {
    let lock = Rc::new(RawLock::new());
    assert!(lock.try_acquire());
    let released = lock.clone();
    let lock = Primitive {
        wait: Box::new(move || {
            let lock = lock.clone();
            share(async move {
                lock.acquire().await;
                lock.release().expect("it is held");
            })
        }),
        // Of those who have had it the last has given it back.
        release: Box::new(move || {
            let _ = released.release();
        }),
        served: |waiting, releases| if releases > 0 { waiting } else { 0 },
    };
    let permits = Rc::new(Semaphore::new(0));
    let released = permits.clone();
    let semaphore = Primitive {
        wait: Box::new(move || acquire(&permits)),
        release: Box::new(move || released.release()),
        served: usize::min,
    };
    let event = Rc::new(Event::new());
    let released = event.clone();
    let event = Primitive {
        wait: Box::new(move || {
            let event = event.clone();
            share(async move { event.wait().await })
        }),
        release: Box::new(move || released.set()),
        served: |waiting, releases| if releases > 0 { waiting } else { 0 },
    };
    let queue = Rc::new(Queue::<u8, 8>::new());
    let released = queue.clone();
    let getter = Primitive {
        wait: Box::new(move || {
            let queue = queue.clone();
            share(async move { assert!(queue.get().await.is_ok()) })
        }),
        release: Box::new(move || released.try_put(1).expect("room")),
        served: usize::min,
    };
    let queue = Rc::new(DynQueue::<u8>::new(8));
    for item in 0..8 {
        queue.try_put(item).expect("room");
    }
    let released = queue.clone();
    let putter = Primitive {
        wait: Box::new(move || {
            let queue = queue.clone();
            share(async move { assert!(queue.put(9).await.is_ok()) })
        }),
        release: Box::new(move || assert!(released.try_get().is_ok())),
        served: usize::min,
    };
    let shot = Rc::new(OneShot::new());
    let released = shot.clone();
    let receiver = Primitive {
        wait: Box::new(move || {
            let shot = shot.clone();
            share(async move { shot.recv().await })
        }),
        release: Box::new(move || {
            let _ = released.send(());
        }),
        served: |waiting, releases| waiting.min(releases).min(1),
    };
    [lock, semaphore, event, getter, putter, receiver]
}

/// All orders of four.
fn orders() -> Vec<[usize; 4]> {
    let all = (0..256).map(|n| [n >> 6, n >> 4 & 3, n >> 2 & 3, n & 3]);
    all.filter(|order| (0..4).all(|i| order.contains(&i))).collect()
}

pub(crate) fn waiters_that_outlive_their_task_lose_nothing_in_any_order<W: World>(world: &mut W) {
    world.run(async {
        let orders = orders();
        assert_eq!(orders.len(), 24);
        let orders: Vec<_> = orders.into_iter().take(rounds(24)).collect();
        // Who is dropped instead of polled again, and a release before the cancel, before the cancelled task's last step,
        // after it, and among the polls; and whether each is polled before the next comes.
        let cases = orders.iter().flat_map(|order| (0..16 * 32).map(move |n| (order, n / 32, n % 16, n % 32 < 16)));
        for (order, dropped, releases, at_once) in cases {
            for (which, primitive) in primitives().into_iter().enumerate() {
                let case =
                    format!("primitive {which}, {order:?}, dropped {dropped:b}, releases {releases:b}, {at_once}");
                let release = |when: u32| {
                    if releases & 1 << when != 0 {
                        (primitive.release)();
                    }
                };
                let mut waits: Vec<_> = (0..4).map(|_| Some((primitive.wait)())).collect();
                let all: Vec<_> = waits.iter().flatten().map(poll_shared).map(Box::pin).collect();
                let all = RefCell::new(all);
                let task = spawn(poll_fn(move |cx| {
                    for wait in all.borrow_mut().iter_mut() {
                        assert!(wait.as_mut().poll(cx).is_pending());
                    }
                    Poll::<()>::Pending
                }));
                yield_now().await;
                release(0);
                task.cancel();
                release(1);
                assert!(task.await.is_err());
                // A wake of the task that has gone is nobody's, not that of a task that polls one of them.
                let _in_its_slot = spawn(core::future::pending::<()>());
                release(2);
                let done = Rc::new(Cell::new(0));
                let mut tasks = Vec::new();
                for (nth, &i) in order.iter().enumerate() {
                    if nth == 3 {
                        release(3);
                    }
                    let wait = waits[i].take().expect("each is named once");
                    if dropped & 1 << i != 0 {
                        drop(wait);
                        continue;
                    }
                    let done = done.clone();
                    tasks.push(spawn(async move {
                        poll_shared(&wait).await;
                        done.set(done.get() + 1);
                    }));
                    if at_once || nth % 2 == 0 {
                        yield_now().await;
                    }
                }
                turns(10).await;
                let mut released = usize::try_from(u16::count_ones(releases)).expect("at most four");
                assert_eq!(done.get(), (primitive.served)(tasks.len(), released), "{case}");
                // Those who wait still are told of what comes later.
                while released < 4 {
                    (primitive.release)();
                    released += 1;
                    turns(10).await;
                    assert_eq!(done.get(), (primitive.served)(tasks.len(), released), "{case}, {released} in all");
                }
            }
        }
    });
}

/// Polls `future` once, and no more.
async fn once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

pub(crate) fn a_timeout_expires_also_if_it_is_put_aside_meanwhile<W: World>(world: &mut W) {
    world.run(async {
        for duration in [Duration::ZERO, MS] {
            let mut aside = pin!(timeout(duration, pending::<()>()));
            assert!(once(aside.as_mut()).await.is_pending());
            // Where its request comes to nothing, and in another scope, which goes on.
            sleep(2 * MS).await;
            assert_eq!(timeout(1000 * MS, turns(3)).await, Ok(()));
            assert_eq!(aside.await, Err(TimedOut));
            assert_eq!(current_task().unwrap().cancelling(), 0);

            let mut aside = pin!(timeout_scope(duration, async |_| pending::<()>().await));
            assert!(once(aside.as_mut()).await.is_pending());
            sleep(2 * MS).await;
            assert_eq!(aside.await, Err(TimedOut));

            // What waits as it unwinds is asked once.
            let asked = Cell::new(0);
            let mut aside = pin!(timeout(
                duration,
                finally(pending::<()>(), async {
                    asked.set(asked.get() + 1);
                    sleep(2 * MS).await;
                    turns(3).await;
                })
            ));
            assert!(once(aside.as_mut()).await.is_pending());
            sleep(2 * MS).await;
            assert_eq!(aside.await, Err(TimedOut));
            assert_eq!((asked.get(), current_task().unwrap().cancelling()), (1, 0));
        }
    });
}

pub(crate) fn a_timeout_that_has_expired_goes_on_in_another_task<W: World>(world: &mut W) {
    world.run(async {
        for expired in [false, true] {
            let mut moved = Box::pin(timeout(MS, pending::<()>()));
            assert!(once(moved.as_mut()).await.is_pending());
            if expired {
                sleep(2 * MS).await;
            }
            assert_eq!(spawn(moved).await, Ok(Err(TimedOut)));

            let mut moved = Box::pin(timeout(MS, pending::<()>()));
            assert!(once(moved.as_mut()).await.is_pending());
            if expired {
                sleep(2 * MS).await;
            }
            let mut all: FuturesUnordered<_> = [moved].into_iter().collect();
            assert_eq!(all.next().await, Some(Err(TimedOut)));
        }
    });
}

pub(crate) fn a_group_unwinds_also_if_it_is_put_aside_meanwhile<W: World>(world: &mut W) {
    world.run(async {
        let body = async |g: &Group<&'static str>| {
            g.spawn(async {
                sleep(MS).await;
                Err::<(), _>("failed")
            });
            pending::<Result<(), _>>().await
        };
        let mut aside = pin!(group(body));
        assert!(once(aside.as_mut()).await.is_pending());
        sleep(2 * MS).await;
        assert_eq!(timeout(1000 * MS, turns(3)).await, Ok(()));
        assert_eq!(aside.await.unwrap_err().errors(), ["failed"]);
        assert_eq!(current_task().unwrap().cancelling(), 0);

        let mut moved = Box::pin(group(body));
        assert!(once(moved.as_mut()).await.is_pending());
        sleep(2 * MS).await;
        assert_eq!(spawn(moved).await.unwrap().unwrap_err().errors(), ["failed"]);
    });
}

pub(crate) fn what_is_awaited_beside_a_scope_is_not_cancelled_for_it<W: World>(world: &mut W) {
    world.run(async {
        let (mut inner, mut other) = (spawn(pending::<()>()), spawn(sleep(3 * MS)));
        {
            let mut aside = pin!(timeout(MS, &mut inner));
            assert!(once(aside.as_mut()).await.is_pending());
            // So that what the task awaits next is all that it awaits.
            yield_now().await;
            assert_eq!((&mut other).await, Ok(()));
            assert_eq!(aside.await, Err(TimedOut));
        }
        assert_eq!((inner.is_done(), inner.cancelling()), (true, 1));

        let (mut inner, other) = (spawn(pending::<()>()), spawn(sleep(3 * MS)));
        {
            let mut aside = pin!(group(async |g| {
                g.spawn(async {
                    sleep(MS).await;
                    Err::<(), _>("failed")
                });
                (&mut inner).await.map_err(|_| "cancelled")
            }));
            assert!(once(aside.as_mut()).await.is_pending());
            yield_now().await;
            assert_eq!(other.await, Ok(()));
            assert_eq!(aside.await.unwrap_err().errors(), ["failed"]);
        }
        assert_eq!((inner.is_done(), inner.cancelling()), (true, 1));
    });
}
