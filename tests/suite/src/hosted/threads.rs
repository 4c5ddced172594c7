//! Wakes from other threads: none is lost, whatever else goes on.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex as StdMutex, mpsc};
use std::task::Wake;
use std::thread;

use corio::wait::WaitCell;
use corio::{Barrier, Condition, DynQueue, Event, Mutex, Queue, Semaphore, Shutdown, sleep, spawn, yield_now};

use super::{Awake, Random, rounds};
use crate::World;
use crate::harness::MS;

/// Drives a future by parking its thread: what a thread without a loop does.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = core::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut core::task::Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

pub(crate) fn four_threads_play_ping_pong_with_the_loop<W: World>(world: &mut W) {
    #[derive(Default)]
    struct Table {
        ball: AtomicBool,
        cell: WaitCell,
    }
    world.run(async {
        let _awake = Awake::where_time_is_virtual::<W>();
        let n = rounds(5_000);
        let mut players = Vec::new();
        let mut threads = Vec::new();
        for _ in 0..4 {
            let table = Arc::new(Table::default());
            let (back, returned) = mpsc::channel();
            let here = table.clone();
            players.push(spawn(async move {
                for _ in 0..n {
                    poll_fn(|cx| {
                        if here.ball.swap(false, SeqCst) {
                            return Poll::Ready(());
                        }
                        here.cell.register(cx.waker());
                        if here.ball.swap(false, SeqCst) { Poll::Ready(()) } else { Poll::Pending }
                    })
                    .await;
                    back.send(()).expect("the thread waits for it");
                }
            }));
            threads.push(thread::spawn(move || {
                for _ in 0..n {
                    table.ball.store(true, SeqCst);
                    table.cell.wake();
                    returned.recv().expect("the ball comes back");
                }
            }));
        }
        for player in players {
            player.await.expect("nobody cancels it");
        }
        for thread in threads {
            thread.join().expect("a thread panicked");
        }
    });
}

pub(crate) fn a_storm_of_wakes_while_tasks_end_and_slots_are_used_again<W: World>(world: &mut W) {
    // Wakers by the hundred, of tasks alive and long gone, in the hands of four threads that call them all the time.
    struct Storm {
        wakers: StdMutex<Vec<Waker>>,
        over: AtomicBool,
        gusts: AtomicUsize,
    }
    world.run(async {
        // A task whose wake is on its way from a thread is not ready before it arrives, even if it yields meanwhile.
        let _awake = Awake::where_time_is_virtual::<W>();
        let storm =
            Arc::new(Storm { wakers: StdMutex::default(), over: AtomicBool::new(false), gusts: AtomicUsize::new(0) });
        let threads: Vec<_> = (0..4)
            .map(|seed| {
                let storm = storm.clone();
                thread::spawn(move || {
                    let mut random = Random(seed);
                    while !storm.over.load(SeqCst) {
                        let waker = {
                            let wakers = storm.wakers.lock().expect("nobody panics with it");
                            (!wakers.is_empty()).then(|| wakers[random.below(wakers.len())].clone())
                        };
                        if let Some(waker) = waker {
                            waker.wake();
                            storm.gusts.fetch_add(1, SeqCst);
                        } else {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let total = rounds(20_000);
        let mut random = Random(7);
        let mut ended = 0;
        let mut running = Vec::new();
        while ended < total {
            while running.len() < 20 {
                let (storm, yields) = (storm.clone(), random.below(4));
                running.push(spawn(async move {
                    poll_fn(|cx| {
                        let mut wakers = storm.wakers.lock().expect("nobody panics with it");
                        if wakers.len() >= 200 {
                            wakers.swap_remove(yields * 31);
                        }
                        wakers.push(cx.waker().clone());
                        Poll::Ready(())
                    })
                    .await;
                    for _ in 0..yields {
                        yield_now().await;
                    }
                    yields
                }));
            }
            let task = running.swap_remove(random.below(running.len()));
            if random.below(5) == 0 {
                drop(task);
            } else {
                task.await.expect("nobody cancelled it");
            }
            ended += 1;
        }
        drop(running);
        // The storm has blown, not just been announced.
        while storm.gusts.load(SeqCst) < rounds(2_000) {
            yield_now().await;
        }
        storm.over.store(true, SeqCst);
        for thread in threads {
            thread.join().expect("a thread panicked");
        }
    });
}

pub(crate) fn slots_used_a_million_times_with_stale_wakers_called<W: World>(world: &mut W) {
    world.run(async {
        let mut stale: Vec<Waker> = vec![Waker::noop().clone(); 16];
        let place = std::rc::Rc::new(std::cell::RefCell::new(None));
        for i in 0..rounds(1_000_000) {
            let keep = place.clone();
            let task = spawn(poll_fn(move |cx| {
                *keep.borrow_mut() = Some(cx.waker().clone());
                Poll::Ready(i)
            }));
            // Wakers of tasks that have ended, in slots that serve others by now.
            stale[i % 16].wake_by_ref();
            stale[(i * 7) % 16].wake_by_ref();
            assert_eq!(task.await, Ok(i));
            if let Some(waker) = place.borrow_mut().take() {
                stale[(i * 5) % 16] = waker;
            }
        }
    });
}

pub(crate) fn threads_without_a_loop_share_primitives_with_the_tasks_of_one<W: World>(world: &mut W) {
    struct Shared {
        jobs: Queue<usize, 4>,
        results: DynQueue<usize>,
        permits: Semaphore,
        total: Mutex<usize>,
        start: Event,
    }
    world.run(async {
        let _awake = Awake::where_time_is_virtual::<W>();
        let n = rounds(2_000);
        let shared = Arc::new(Shared {
            jobs: Queue::new(),
            results: DynQueue::new(0),
            permits: Semaphore::new(2),
            total: Mutex::new(0),
            start: Event::new(),
        });
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let shared = shared.clone();
                thread::spawn(move || {
                    block_on(async {
                        shared.start.wait().await;
                        while let Ok(job) = shared.jobs.get().await {
                            let _permit = shared.permits.acquire().await;
                            *shared.total.lock().await += job;
                            shared.results.put(job).await.expect("open");
                            shared.jobs.task_done().expect("one for each");
                        }
                    })
                })
            })
            .collect();
        shared.start.set();
        let producers: Vec<_> = (0..2)
            .map(|producer| {
                let shared = shared.clone();
                spawn(async move {
                    for job in (producer..n).step_by(2) {
                        shared.jobs.put(job).await.expect("open");
                    }
                })
            })
            .collect();
        for producer in producers {
            producer.await.expect("nobody cancels it");
        }
        shared.jobs.join().await;
        shared.jobs.shutdown(Shutdown::Drain);
        for thread in threads {
            thread.join().expect("a thread panicked");
        }
        let mut results: Vec<_> = core::iter::from_fn(|| shared.results.try_get().ok()).collect();
        results.sort_unstable();
        assert!(results.into_iter().eq(0..n), "each once");
        assert_eq!(*shared.total.lock().await, n * (n - 1) / 2);
        assert_eq!(shared.permits.available(), 2);
    });
}

pub(crate) fn waiters_in_threads_are_cancelled_at_random_and_no_permit_is_lost<W: World>(world: &mut W) {
    world.run(async {
        let _awake = Awake::where_time_is_virtual::<W>();
        let (permits, n) = (Arc::new(Semaphore::new(2)), rounds(3_000));
        let threads: Vec<_> = (0..3)
            .map(|seed| {
                let permits = permits.clone();
                thread::spawn(move || {
                    let mut random = Random(seed);
                    for _ in 0..n {
                        if random.below(3) == 0 {
                            drop(block_on(permits.acquire()));
                            continue;
                        }
                        // In line for a while, then gone, with a grant or without.
                        let mut acquires = Box::pin(permits.acquire());
                        let mut cx = core::task::Context::from_waker(Waker::noop());
                        for _ in 0..random.below(3) {
                            if acquires.as_mut().poll(&mut cx).is_ready() {
                                break;
                            }
                        }
                    }
                })
            })
            .collect();
        for _ in 0..n {
            drop(permits.acquire().await);
            yield_now().await;
        }
        for thread in threads {
            thread.join().expect("a thread panicked");
        }
        assert_eq!(permits.available(), 2);
        assert!(!permits.is_locked());
    });
}

pub(crate) fn wakes_under_somebodys_lock_do_not_block_each_other<W: World>(world: &mut W) {
    // A lock of the user's is taken by the waker when it wakes and when it drops, and held by another thread while that
    // calls the primitive: whoever called a waker under a lock of its own would meet it the wrong way round.
    struct Locking {
        lock: Arc<StdMutex<usize>>,
        inner: Waker,
    }
    impl Wake for Locking {
        fn wake(self: Arc<Self>) {
            *self.lock.lock().expect("nobody panics with it") += 1;
            self.inner.wake_by_ref();
        }
    }
    impl Drop for Locking {
        fn drop(&mut self) {
            *self.lock.lock().expect("nobody panics with it") += 1;
        }
    }
    world.run(async {
        let _awake = Awake::where_time_is_virtual::<W>();
        let (lock, n) = (Arc::new(StdMutex::new(0)), rounds(5_000));
        let (permits, event) = (Arc::new(Semaphore::new(0)), Arc::new(Event::new()));
        let thread = {
            let (lock, permits, event) = (lock.clone(), permits.clone(), event.clone());
            thread::spawn(move || {
                for _ in 0..n {
                    // These wake, and so take the lock: not while it is held.
                    permits.release();
                    event.set();
                    // These only look and take.
                    let _held = lock.lock().expect("nobody panics with it");
                    event.clear();
                    let _ = (permits.available(), permits.is_locked(), event.is_set());
                    if let Some(permit) = permits.try_acquire() {
                        permit.forget();
                    }
                }
            })
        };
        while !thread.is_finished() {
            poll_fn(|cx| {
                let waker = Waker::from(Arc::new(Locking { lock: lock.clone(), inner: cx.waker().clone() }));
                let mut cx = core::task::Context::from_waker(&waker);
                let mut acquires = Box::pin(permits.acquire());
                let mut waits = Box::pin(event.wait());
                for _ in 0..3 {
                    if let Poll::Ready(permit) = acquires.as_mut().poll(&mut cx) {
                        permit.forget();
                        acquires = Box::pin(permits.acquire());
                    }
                    let _ = waits.as_mut().poll(&mut cx);
                    waits = Box::pin(event.wait());
                }
                Poll::Ready(())
            })
            .await;
            yield_now().await;
        }
        thread.join().expect("the thread panicked");
    });
}

pub(crate) fn a_parked_loop_is_woken_however_short_it_sleeps<W: World>(world: &mut W) {
    static GO: Event = Event::new();
    world.run(async {
        let _awake = Awake::where_time_is_virtual::<W>();
        let n = rounds(500);
        let (permits, acks) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let thread = {
            let (permits, acks) = (permits.clone(), acks.clone());
            thread::spawn(move || {
                block_on(GO.wait());
                for _ in 0..n {
                    permits.release();
                    block_on(acks.acquire()).forget();
                }
            })
        };
        GO.set();
        // Sleeps of all lengths around it, so that the loop parks now with a deadline, now without.
        let sleeper = spawn(async {
            loop {
                sleep(MS / 50).await;
                sleep(MS / 7).await;
                yield_now().await;
            }
        });
        for _ in 0..n / 2 {
            permits.acquire().await.forget();
            acks.release();
        }
        drop(sleeper);
        for _ in n / 2..n {
            permits.acquire().await.forget();
            acks.release();
        }
        thread.join().expect("the thread panicked");
    });
}

pub(crate) fn tasks_and_threads_take_turns_by_a_condition<W: World>(world: &mut W) {
    const WHO: usize = 4;
    async fn turns(count: &Condition<usize>, me: usize, n: usize) {
        for _ in 0..n {
            let mut count = count.lock().await.wait_for(|count| *count % WHO == me).await;
            *count += 1;
            count.notify_all();
        }
    }
    let n = rounds(2_000);
    world.run(async {
        let _awake = Awake::where_time_is_virtual::<W>();
        let count = Arc::new(Condition::new(0));
        let own = |me: usize| {
            let count = count.clone();
            async move { turns(&count, me, n).await }
        };
        let tasks = [0, 1].map(|me| spawn(own(me)));
        let threads = [2, 3].map(|me| {
            let turns = own(me);
            thread::spawn(move || block_on(turns))
        });
        for task in tasks {
            task.await.expect("nobody cancels it");
        }
        for thread in threads {
            thread.join().expect("a thread panicked");
        }
        assert_eq!(*count.lock().await, WHO * n);
    });
}

pub(crate) fn tasks_and_threads_meet_at_a_barrier<W: World>(world: &mut W) {
    const WHO: usize = 4;
    async fn meet(barrier: &Barrier, arrived: &AtomicUsize, n: usize) {
        for round in 1..=n {
            arrived.fetch_add(1, SeqCst);
            barrier.wait().await.expect("nobody breaks it");
            let arrived = arrived.load(SeqCst);
            assert!((round * WHO..=round * WHO + WHO - 1).contains(&arrived), "{arrived} in round {round}");
        }
    }
    let n = rounds(2_000);
    world.run(async {
        let _awake = Awake::where_time_is_virtual::<W>();
        let shared = Arc::new((Barrier::new(WHO), AtomicUsize::new(0)));
        let own = || {
            let shared = shared.clone();
            async move { meet(&shared.0, &shared.1, n).await }
        };
        let tasks = [0; 2].map(|_| spawn(own()));
        let threads = [0; 2].map(|_| {
            let meet = own();
            thread::spawn(move || block_on(meet))
        });
        for task in tasks {
            task.await.expect("nobody cancels it");
        }
        for thread in threads {
            thread.join().expect("a thread panicked");
        }
        assert_eq!(shared.0.waiting(), 0);
    });
}

pub(crate) fn a_million_tasks_are_each_woken_in_a_storm_of_stale_wakes<W: World>(world: &mut W) {
    // A task waits for one wake by another thread. The threads keep the wakers of those they have served, in whose slots
    // other tasks are by now, and call them all the time. Such a wake is a poll for nothing at most.
    const AT_A_TIME: usize = 512;
    const PLACES: usize = 1024;
    struct Storm {
        requests: [StdMutex<Vec<(usize, Waker)>>; 4],
        served: Vec<AtomicUsize>,
        over: AtomicBool,
        gusts: AtomicUsize,
    }
    fn blow(storm: &Storm, which: usize) {
        let mut random = Random(which as u64);
        let (mut batch, mut stale) = (Vec::new(), Vec::with_capacity(256));
        while !storm.over.load(SeqCst) {
            core::mem::swap(&mut batch, &mut *storm.requests[which].lock().expect("nobody panics with it"));
            if batch.is_empty() {
                thread::yield_now();
            }
            for (ticket, waker) in batch.drain(..) {
                storm.served[ticket % PLACES].store(ticket + 1, SeqCst);
                waker.wake_by_ref();
                if stale.len() < 256 {
                    stale.push(waker);
                } else {
                    stale[random.below(256)] = waker;
                }
                stale[random.below(stale.len())].wake_by_ref();
            }
            if !stale.is_empty() {
                stale[random.below(stale.len())].wake_by_ref();
                storm.gusts.fetch_add(1, SeqCst);
            }
        }
    }
    world.run(async {
        let _awake = Awake::where_time_is_virtual::<W>();
        let storm = Arc::new(Storm {
            requests: Default::default(),
            served: (0..PLACES).map(|_| AtomicUsize::new(0)).collect(),
            over: AtomicBool::new(false),
            gusts: AtomicUsize::new(0),
        });
        let threads = [0, 1, 2, 3].map(|which| {
            let storm = storm.clone();
            thread::spawn(move || blow(&storm, which))
        });
        let (total, mut live) = (rounds(1_000_000), std::collections::VecDeque::new());
        for ticket in 0..total {
            let storm = storm.clone();
            let mut asked = false;
            live.push_back(spawn(poll_fn(move |cx| {
                if !core::mem::replace(&mut asked, true) {
                    let mut requests = storm.requests[ticket % 4].lock().expect("nobody panics with it");
                    requests.push((ticket, cx.waker().clone()));
                }
                if storm.served[ticket % PLACES].load(SeqCst) == ticket + 1 {
                    Poll::Ready(ticket)
                } else {
                    Poll::Pending
                }
            })));
            if live.len() == AT_A_TIME || ticket + 1 == total {
                // All of them, and in the end the last too.
                for (task, ticket) in live.drain(..).zip(ticket + 1 - AT_A_TIME.min(ticket % AT_A_TIME + 1)..) {
                    assert_eq!(task.await, Ok(ticket));
                }
            }
        }
        assert!(storm.gusts.load(SeqCst) > 0);
        storm.over.store(true, SeqCst);
        for thread in threads {
            thread.join().expect("a thread panicked");
        }
    });
}
