//! What only virtual time, or a reactor made for the purpose, can show.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex as StdMutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use corio::{
    Duration, DynQueue, Event, Instant, Mutex, Reactor, RunError, Runner, Semaphore, Sleep, TimeLimit, TimedOut,
    Unpark, now, sleep, sleep_until, spawn, timeout, timeout_at, yield_now,
};
use corio_sim::{Deadlock, SimReactor};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// splitmix64
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Divides large counts, for runs under an emulator: `CORIO_SUITE_DIVIDE=100`.
fn rounds(full: usize) -> usize {
    let divide = std::env::var("CORIO_SUITE_DIVIDE").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    (full / divide).max(1)
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn boom() -> ! {
    std::panic::resume_unwind(Box::new("boom"))
}

#[track_caller]
fn panics(f: impl FnOnce()) {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("no panic came through");
    assert!(payload.downcast_ref::<&str>() == Some(&"boom"), "another panic");
}

#[test]
fn a_hundred_thousand_time_limits_that_are_past_end_in_the_order_in_which_they_began() {
    let n = rounds(100_000);
    corio_sim::run(async {
        sleep(HOUR).await;
        let order = Rc::new(RefCell::new(Vec::with_capacity(n)));
        let tasks: Vec<_> = (0..n)
            .map(|i| {
                let order = order.clone();
                spawn(async move {
                    // The later it begins, the longer has it been past.
                    let late = timeout_at(Instant::from_micros((n - i) as u64), pending::<()>());
                    assert_eq!(late.await, Err(TimedOut));
                    order.borrow_mut().push(i);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(order.borrow().iter().copied().eq(0..n));
    });
}

#[test]
fn a_hundred_thousand_sleepers_go_on_at_their_times_and_in_order() {
    let n = rounds(100_000);
    corio_sim::run(async {
        let (mut random, order) = (Random(1), Rc::new(RefCell::new(Vec::with_capacity(n))));
        let mut expected: Vec<_> = (0..n).map(|i| (Instant::from_micros(random.below(n / 2 + 1) as u64), i)).collect();
        let tasks: Vec<_> = expected
            .iter()
            .map(|&(deadline, i)| {
                let order = order.clone();
                spawn(async move {
                    sleep_until(deadline).await;
                    assert!(now() >= deadline);
                    order.borrow_mut().push((deadline, i));
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("nobody cancels it");
        }
        expected.sort_unstable();
        assert!(*order.borrow() == expected, "by deadline, and by registration where that is equal");
    });
}

/// Notes which of many wakers was woken, in order.
struct Noting {
    order: Arc<StdMutex<Vec<usize>>>,
    name: usize,
}

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        self.order.lock().expect("nobody panics with it").push(self.name);
    }
}

#[test]
fn timers_agree_with_a_sorted_list_through_random_histories() {
    for seed in 0..rounds(30) as u64 {
        corio_sim::run(async {
            let mut random = Random(seed);
            let fired = Arc::new(StdMutex::new(Vec::new()));
            // By name, which is the order of registration; and those that wait, by deadline and name.
            let mut sleeps: Vec<Option<Pin<Box<Sleep>>>> = Vec::new();
            let mut waiting: BTreeSet<(Instant, usize)> = BTreeSet::new();
            let mut deadlines = Vec::new();
            // Few deadlines and many of one, or the other way round.
            let spread = [3, 50, 100_000][seed as usize % 3];
            for _ in 0..10_000 {
                match random.below(10) {
                    0..=4 => {
                        let name = sleeps.len();
                        // Some in the past, some at the end of time.
                        let deadline = match random.below(50) {
                            0 => Instant::ZERO,
                            1 => Instant::MAX,
                            _ => now() + MS * random.below(spread) as u32,
                        };
                        let waker = Waker::from(Arc::new(Noting { order: fired.clone(), name }));
                        let mut sleep = Box::pin(sleep_until(deadline));
                        assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                        sleeps.push(Some(sleep));
                        deadlines.push(deadline);
                        waiting.insert((deadline, name));
                    }
                    5..=7 => {
                        // A recent one, or any.
                        let n = sleeps.len();
                        if n > 0 {
                            let name =
                                if random.below(2) == 0 { random.below(n) } else { n - 1 - random.below(n.min(5)) };
                            sleeps[name] = None;
                            waiting.remove(&(deadlines[name], name));
                        }
                    }
                    8 => {
                        // Polled for another reason: no new registration.
                        let n = sleeps.len();
                        if n > 0 {
                            let name = random.below(n);
                            if let Some(sleep) = &mut sleeps[name] {
                                let waker = Waker::from(Arc::new(Noting { order: fired.clone(), name }));
                                let ended = sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
                                assert_eq!(ended, !waiting.contains(&(deadlines[name], name)));
                            }
                        }
                    }
                    _ => {
                        // Time goes on, to somewhere in the midst of them.
                        let until = now() + MS * random.below(spread / 2 + 1) as u32;
                        sleep_until(until).await;
                        let mut due = waiting.clone();
                        waiting = due.split_off(&(now() + Duration::from_nanos(1), 0));
                        let due: Vec<_> = due.into_iter().map(|(_, name)| name).collect();
                        let fired = std::mem::take(&mut *fired.lock().expect("nobody panics with it"));
                        assert_eq!(fired, due, "with the seed {seed}");
                    }
                }
            }
            // All the rest, in one go.
            sleep_until(Instant::from_nanos(u64::MAX - 1)).await;
            let due: Vec<_> = waiting.iter().filter(|(at, _)| *at < Instant::MAX).map(|(_, name)| *name).collect();
            assert_eq!(*fired.lock().expect("nobody panics with it"), due, "with the seed {seed}");
        });
    }
}

#[test]
fn a_sleep_that_was_dropped_holds_no_time() {
    let mut runner = Runner::new(SimReactor::new());
    runner
        .run(async {
            let hour = spawn(sleep(HOUR));
            let limited = timeout(HOUR, sleep(MS));
            limited.await.expect("in time");
            drop(hour);
            let kept = spawn(async {
                let _ = timeout(MS * 5, sleep(HOUR)).await;
            });
            kept.await.expect("it ends");
        })
        .expect("main ends");
    assert_eq!(runner.reactor().now(), Instant::from_millis(6));
    assert_eq!(runner.turn().next, None, "no deadline is left");
    runner.close().expect("nothing to wait for");
}

#[test]
fn nothing_left_to_happen_is_a_deadlock_and_main_is_dropped() {
    let mut runner = Runner::new(SimReactor::new());
    let dropped = Rc::new(Cell::new(0));
    for (round, endless) in
        [pending().boxed(), sleep(Duration::MAX).boxed(), never_set().boxed()].into_iter().enumerate()
    {
        let dropped_here = dropped.clone();
        let result = runner.run(async move {
            let _guard = OnDrop(move || dropped_here.set(dropped_here.get() + 1));
            endless.await;
        });
        assert_eq!(result, Err(RunError::Park(Deadlock)));
        assert_eq!(dropped.get(), round + 1);
    }
    // It is the program that is stuck, not the loop.
    assert_eq!(
        runner.run(async {
            sleep(HOUR).await;
            now()
        }),
        Ok(Instant::ZERO + HOUR)
    );

    async fn never_set() {
        Event::new().wait().await;
    }
    trait Boxed: Future<Output = ()> + Sized + 'static {
        fn boxed(self) -> Pin<Box<dyn Future<Output = ()>>> {
            Box::pin(self)
        }
    }
    impl<F: Future<Output = ()> + 'static> Boxed for F {}
}

#[test]
fn a_deadlock_leaves_the_tasks_for_the_next_run() {
    let mut runner = Runner::new(SimReactor::new());
    let event = Rc::new(Event::new());
    let waits = event.clone();
    let task = runner.spawn(async move {
        waits.wait().await;
        5
    });
    assert_eq!(runner.run(pending::<()>()), Err(RunError::Park(Deadlock)));
    assert!(!task.is_done());
    event.set();
    assert_eq!(runner.run(task), Ok(Ok(5)));
    assert_eq!(runner.run_all([pin!(pending::<()>())]), Err(RunError::Park(Deadlock)));
    assert_eq!(runner.run_all([pin!(async { sleep(MS).await })]), Ok(()));
}

#[test]
fn the_time_is_right_in_destructors_outside_of_a_turn() {
    let mut runner = Runner::new(SimReactor::new());
    runner.reactor_mut().advance(HOUR);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let note = || {
        let seen = seen.clone();
        OnDrop(move || seen.borrow_mut().push(now()))
    };
    // Main, that nothing can wake.
    let guard = note();
    let result = runner.run(async {
        assert_eq!(now(), Instant::ZERO + HOUR);
        let _guard = guard;
        pending::<()>().await;
    });
    assert_eq!(result, Err(RunError::Park(Deadlock)));
    // A leftover, and one that it spawns when it is dropped, which is not polled to its end.
    let (first, second) = (note(), Cell::new(Some(note())));
    runner
        .spawn(async move {
            let _guard = OnDrop(move || {
                let guard = second.take();
                spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                })
                .detach();
            });
            let _first = first;
            pending::<()>().await;
        })
        .detach();
    runner.turn();
    drop(runner);
    let seen = seen.take();
    assert!(seen.len() == 3 && seen.iter().all(|&at| at == Instant::ZERO + HOUR), "{seen:?}");
}

#[test]
fn a_panic_in_the_turn_of_a_timer_does_not_lose_it() {
    let mut runner = Runner::new(SimReactor::new());
    let done = Rc::new(Cell::new(0));
    for _ in 0..3 {
        let done = done.clone();
        runner
            .spawn(async move {
                sleep(MS).await;
                done.set(done.get() + 1);
            })
            .detach();
    }
    runner.turn();
    // They fall due in the very turn in which a task panics.
    runner.reactor_mut().advance(MS);
    runner.spawn(async { boom() }).detach();
    panics(|| {
        runner.turn();
    });
    assert!(runner.turn().next.is_some(), "there is more to do, and it says so");
    runner.run(async { yield_now().await }).expect("main ends");
    runner.turn();
    runner.turn();
    assert_eq!(done.get(), 3);
}

#[test]
fn a_sleep_dropped_by_the_batch_in_whose_turn_it_falls_due_does_not_fire() {
    let mut runner = Runner::new(SimReactor::new());
    let fired = Arc::new(StdMutex::new(Vec::new()));
    let sleeps: Rc<RefCell<Vec<Pin<Box<Sleep>>>>> = Rc::default();
    let (order, places) = (fired.clone(), sleeps.clone());
    runner
        .run(async move {
            for name in 0..4 {
                let waker = Waker::from(Arc::new(Noting { order: order.clone(), name }));
                let mut sleep = Box::pin(sleep(MS));
                assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                places.borrow_mut().push(sleep);
            }
        })
        .expect("main ends");
    runner.reactor_mut().advance(MS);
    let places = sleeps.clone();
    runner.spawn(async move { drop(places.borrow_mut().remove(1)) }).detach();
    assert_eq!(runner.turn().ran, 4, "a step and three timers");
    assert_eq!(*fired.lock().expect("nobody panics with it"), [0, 2, 3]);
    drop(sleeps.take());
}

#[test]
fn deadlines_are_met_to_the_nanosecond_however_far() {
    corio_sim::run(async {
        for nanos in [1, 999, 1_000_000_007, 3_600_000_000_001, u64::MAX / 2, u64::MAX - 1] {
            sleep_until(Instant::from_nanos(nanos)).await;
            assert_eq!(now().as_nanos(), nanos);
        }
    });
    corio_sim::run(async {
        for i in 1..=1000 {
            sleep(Duration::from_nanos(333)).await;
            assert_eq!(now().as_nanos(), i * 333);
        }
    });
}

/// A program of many parts that wait for each other and are cancelled; its trace, with times.
fn program(seed: u64) -> Vec<String> {
    let trace: Rc<RefCell<Vec<String>>> = Rc::default();
    let noted = trace.clone();
    corio_sim::run(async move {
        let random = Rc::new(RefCell::new(Random(seed)));
        let (mutex, permits) = (Rc::new(Mutex::new(0)), Rc::new(Semaphore::new(2)));
        let (queue, event) = (Rc::new(DynQueue::new(2)), Rc::new(Event::new()));
        let mut tasks = Vec::new();
        for i in 0..12 {
            let (random, mutex, permits) = (random.clone(), mutex.clone(), permits.clone());
            let (queue, event, trace) = (queue.clone(), event.clone(), noted.clone());
            tasks.push(spawn(async move {
                let name = format!("task {i}");
                let end = trace.clone();
                let end_name = name.clone();
                let _guard = OnDrop(move || end.borrow_mut().push(format!("{} {end_name} over", now().as_millis())));
                for step in 0..6 {
                    let dice = random.borrow_mut().below(7);
                    let ms = random.borrow_mut().below(10) as u32;
                    match dice {
                        0 => sleep(MS * ms).await,
                        1 => {
                            let mut value = mutex.lock().await;
                            yield_now().await;
                            *value += 1;
                        }
                        2 => {
                            let _permit = permits.acquire().await;
                            sleep(MS).await;
                        }
                        3 => drop(timeout(MS * 3, queue.put(i)).await),
                        4 => drop(timeout(MS * 4, queue.get()).await),
                        5 => drop(timeout(MS * 2, event.wait()).await),
                        _ => {
                            event.set();
                            event.clear();
                        }
                    }
                    trace.borrow_mut().push(format!("{} {name} step {step} was {dice}", now().as_millis()));
                }
            }));
        }
        for _ in 0..4 {
            sleep(MS * 2).await;
            let victim = random.borrow_mut().below(tasks.len());
            drop(tasks.swap_remove(victim));
        }
        for task in tasks {
            task.await.expect("it is not one of those that were cancelled");
        }
    });
    trace.take()
}

#[test]
fn the_same_program_leaves_the_same_trace_in_thousands_of_simulations_at_a_time() {
    let n = rounds(250) as u64;
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            thread::spawn(move || {
                // Each seed is run by two threads, in another order.
                let traces = |seed| program(seed / 2);
                if thread % 2 == 0 {
                    (0..n).map(traces).collect::<Vec<_>>()
                } else {
                    let mut reversed: Vec<_> = (0..n).rev().map(traces).collect();
                    reversed.reverse();
                    reversed
                }
            })
        })
        .collect();
    let mut results = threads.into_iter().map(|thread| thread.join().expect("a thread panicked"));
    let first = results.next().expect("there are eight");
    assert!(first.iter().all(|trace| trace.len() > 40));
    assert!(n < 4 || first[0] != first[2], "seeds make a difference");
    for other in results {
        assert!(other == first);
    }
}

/// A reactor that does as it is told, and counts.
struct Told {
    now: Instant,
    shared: Arc<Counts>,
    /// Ends parks early, now and then.
    random: Option<Random>,
    /// How late it comes.
    late: Duration,
}

#[derive(Default)]
struct Counts {
    unparks: AtomicUsize,
    parks: AtomicUsize,
    fail: AtomicUsize,
}

#[derive(Clone)]
struct ToldUnparker(Arc<Counts>);

impl Unpark for ToldUnparker {
    fn unpark(&self) {
        self.0.unparks.fetch_add(1, SeqCst);
    }
}

impl Told {
    fn new() -> (Self, Arc<Counts>) {
        let shared = Arc::new(Counts::default());
        (Self { now: Instant::ZERO, shared: shared.clone(), random: None, late: Duration::ZERO }, shared)
    }
}

impl Reactor for Told {
    type Error = &'static str;
    type Unparker = ToldUnparker;

    fn now(&self) -> Instant {
        self.now
    }

    fn park(&mut self, until: Option<Instant>) -> Result<(), &'static str> {
        self.shared.parks.fetch_add(1, SeqCst);
        if self.shared.fail.load(SeqCst) > 0 {
            self.shared.fail.fetch_sub(1, SeqCst);
            return Err("out of order");
        }
        if let Some(random) = &mut self.random
            && random.below(3) > 0
        {
            // Nothing happened; a little time went by.
            self.now += Duration::from_micros(random.below(300) as u64);
            return Ok(());
        }
        match until {
            Some(until) if until > self.now => self.now = until + self.late,
            Some(_) => {}
            None if self.shared.unparks.load(SeqCst) > 0 => {}
            None => return Err("deadlock"),
        }
        Ok(())
    }

    fn unparker(&self) -> ToldUnparker {
        ToldUnparker(self.shared.clone())
    }
}

#[test]
fn a_wake_from_elsewhere_unparks_a_loop_that_may_sleep_and_no_other() {
    let (reactor, counts) = Told::new();
    let mut runner = Runner::new(reactor);
    let event = Arc::new(Event::new());
    let waits = event.clone();
    let task = runner.spawn(async move {
        for _ in 0..3 {
            waits.wait().await;
            waits.clear();
        }
    });
    let elsewhere = |event: &Arc<Event>| {
        let event = event.clone();
        thread::spawn(move || event.set()).join().expect("the thread panicked");
    };
    let spawned = counts.unparks.load(SeqCst);
    assert_eq!(runner.turn().next, None);
    assert_eq!((spawned, counts.unparks.load(SeqCst)), (0, 0));
    // From another thread, and from this one outside of the loop.
    elsewhere(&event);
    assert_eq!(counts.unparks.load(SeqCst), 1);
    assert_eq!(runner.turn().next, None);
    event.set();
    assert_eq!(counts.unparks.load(SeqCst), 2);
    // While a step is under way there is nobody to unpark: the loop looks before it sleeps.
    let other = event.clone();
    runner
        .spawn(async move {
            thread::spawn(move || other.set()).join().expect("the thread panicked");
            yield_now().await;
            spawn(async {}).await.expect("it ends");
        })
        .detach();
    for _ in 0..4 {
        runner.turn();
    }
    assert_eq!(counts.unparks.load(SeqCst), 2);
    assert_eq!(task.is_done(), runner.run(task).is_ok());
}

#[test]
fn a_deadline_that_is_moved_between_turns_is_told() {
    let (reactor, counts) = Told::new();
    let mut runner = Runner::new(reactor);
    let limit = Rc::new(TimeLimit::new(HOUR));
    let limited = limit.clone();
    let task = runner.spawn(async move { limited.scope(std::future::pending::<()>()).await });
    runner.turn();
    let before = runner.turn().next.expect("there is a deadline");
    let unparks = counts.unparks.load(SeqCst);
    limit.reschedule(before - HOUR / 2).expect("it is in force");
    assert_eq!(counts.unparks.load(SeqCst), unparks + 1);
    assert_eq!(runner.turn().next, Some(before - HOUR / 2));
    drop(task);
}

#[test]
fn wakes_within_the_loop_cost_no_unpark_and_no_park() {
    let (reactor, counts) = Told::new();
    let mut runner = Runner::new(reactor);
    runner
        .run(async {
            let queue = Rc::new(DynQueue::new(1));
            let puts = queue.clone();
            let producer = spawn(async move {
                for i in 0..10 {
                    puts.put(i).await.expect("open");
                }
            });
            for i in 0..10 {
                assert_eq!(queue.get().await, Ok(i));
            }
            producer.await.expect("it ends");
        })
        .expect("main ends");
    assert_eq!(counts.unparks.load(SeqCst), 0);
    assert_eq!(counts.parks.load(SeqCst), 0, "never idle");
}

#[test]
fn a_loop_that_is_never_idle_asks_for_events_all_the_same() {
    let (reactor, counts) = Told::new();
    let mut runner = Runner::new(reactor);
    runner
        .run(async {
            for _ in 0..10_000 {
                yield_now().await;
            }
        })
        .expect("main ends");
    assert!(counts.parks.load(SeqCst) >= 10, "or sockets would starve");
}

#[test]
fn a_reactor_that_fails_ends_the_run_and_not_the_tasks() {
    let (reactor, counts) = Told::new();
    let mut runner = Runner::new(reactor);
    let task = runner.spawn(async {
        sleep(MS * 3).await;
        6
    });
    counts.fail.store(1, SeqCst);
    let dropped = Cell::new(false);
    let result = runner.run(async {
        let _guard = OnDrop(|| dropped.set(true));
        sleep(MS).await;
    });
    assert_eq!(result, Err(RunError::Park("out of order")));
    assert!(dropped.get());
    counts.fail.store(1, SeqCst);
    assert_eq!(runner.run_all([pin!(sleep(MS))]), Err(RunError::Park("out of order")));
    assert_eq!(runner.run(task), Ok(Ok(6)));
    // A task that cannot be cancelled at once would be waited for; whatever happens, all are dropped in the end.
    let dropped = Rc::new(Cell::new(false));
    let guard = dropped.clone();
    runner
        .spawn(async move {
            let _guard = OnDrop(move || guard.set(true));
            pending::<()>().await;
        })
        .detach();
    runner.turn();
    counts.fail.store(10, SeqCst);
    let _ = runner.close();
    assert!(dropped.get());
}

#[test]
fn parks_that_end_early_and_late_change_no_order() {
    for seed in 0..rounds(20) as u64 {
        let (mut reactor, _) = Told::new();
        reactor.random = Some(Random(seed));
        reactor.late = Duration::from_millis(seed % 5);
        let mut runner = Runner::new(reactor);
        let order = Rc::new(RefCell::new(Vec::new()));
        let noted = order.clone();
        runner
            .run(async move {
                let mut random = Random(seed);
                let tasks: Vec<_> = (0..200)
                    .map(|i| {
                        let (deadline, order) = (Instant::from_millis(random.below(40) as u64), noted.clone());
                        spawn(async move {
                            sleep_until(deadline).await;
                            assert!(now() >= deadline, "never early");
                            order.borrow_mut().push((deadline, i));
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("nobody cancels it");
                }
            })
            .expect("main ends");
        assert_eq!(order.borrow().len(), 200);
        assert!(order.borrow().is_sorted());
    }
}

#[test]
fn the_clock_is_read_once_for_all_timers_of_a_turn() {
    // A task that computes for long does not make a timer of the same turn due.
    let mut runner = Runner::new(SimReactor::new());
    let order = Rc::new(RefCell::new(Vec::new()));
    for (ms, name) in [(1, "one"), (2, "two"), (3, "three")] {
        let order = order.clone();
        runner
            .spawn(async move {
                sleep(MS * ms).await;
                order.borrow_mut().push(name);
            })
            .detach();
    }
    runner.turn();
    runner.reactor_mut().advance(MS * 2);
    let turn = runner.turn();
    assert_eq!((turn.ran, turn.next), (2, Some(Instant::ZERO)), "two timers; two steps to come");
    runner.reactor_mut().advance(MS);
    // The third falls due in the turn in which the first two go on, and goes on in the next.
    assert_eq!(runner.turn().ran, 3);
    assert_eq!(*order.borrow(), ["one", "two"]);
    assert_eq!(runner.turn().ran, 1);
    assert_eq!(*order.borrow(), ["one", "two", "three"]);
}

#[test]
fn a_foreign_waker_in_a_timer_is_woken_inside_the_loop() {
    struct Asks(StdMutex<Option<Instant>>);
    impl Wake for Asks {
        fn wake(self: Arc<Self>) {
            // `now` and `spawn` work here: the loop is the ambient one.
            *self.0.lock().expect("nobody panics with it") = Some(now());
            spawn(async {}).detach();
        }
    }
    corio_sim::run(async {
        let asks = Arc::new(Asks(StdMutex::new(None)));
        let mut nap = Box::pin(sleep(MS));
        let waker = Waker::from(asks.clone());
        assert!(matches!(nap.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending));
        sleep(MS * 2).await;
        assert_eq!(*asks.0.lock().expect("nobody panics with it"), Some(Instant::from_millis(1)));
    });
}

/// A reactor that calls something while it parks, when its clock has gone on.
struct Calls<F>(SimReactor, F);

impl<F: FnMut()> Reactor for Calls<F> {
    type Error = Deadlock;
    type Unparker = <SimReactor as Reactor>::Unparker;

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn park(&mut self, until: Option<Instant>) -> Result<(), Deadlock> {
        if until.is_none() {
            self.0.advance(HOUR);
            (self.1)();
            return Ok(());
        }
        self.0.park(until)
    }

    fn unparker(&self) -> Self::Unparker {
        self.0.unparker()
    }
}

#[test]
fn a_sleep_that_begins_while_the_reactor_parks_is_not_early() {
    // What the reactor calls polls the sleep first: no turn has read the clock since it went on.
    type Shared = (Option<Pin<Box<Sleep>>>, Option<Waker>);
    let shared: Rc<RefCell<Shared>> = Rc::default();
    let called = shared.clone();
    let begun = Rc::new(Cell::new(false));
    let first = begun.clone();
    let reactor = Calls(SimReactor::new(), move || {
        let mut shared = called.borrow_mut();
        if let (Some(sleep), Some(waker)) = &mut *shared
            && !first.replace(true)
        {
            assert!(sleep.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
    });
    let mut runner = Runner::new(reactor);
    let ended = runner.run(async {
        std::future::poll_fn(|cx| {
            let mut shared = shared.borrow_mut();
            let (sleeping, waker) = &mut *shared;
            *waker = Some(cx.waker().clone());
            let sleeping = sleeping.get_or_insert_with(|| Box::pin(sleep(HOUR / 2)));
            if begun.get() { sleeping.as_mut().poll(cx) } else { Poll::Pending }
        })
        .await;
        now()
    });
    assert_eq!(ended.expect("main ends").as_secs() % 3600, 1800, "half an hour after a full one");
    assert!(ended.expect("main ends") >= Instant::ZERO + HOUR + HOUR / 2);
}

#[test]
fn a_timeout_that_changes_tasks_cancels_nobody_else() {
    corio_sim::run(async {
        // Polled by a task that ends and leaves it, and whose slot is the next task's.
        for pending_beside in 0..40 {
            let beside: Vec<_> = (1..=pending_beside).map(|n| spawn(timeout(MS * n, pending::<()>()))).collect();
            let limited: Rc<RefCell<Pin<Box<corio::Timeout<_>>>>> =
                Rc::new(RefCell::new(Box::pin(timeout(MS * 20, pending::<()>()))));
            let first = limited.clone();
            spawn(std::future::poll_fn(move |cx| {
                assert!(first.borrow_mut().as_mut().poll(cx).is_pending());
                Poll::Ready(())
            }))
            .await
            .expect("it returns");
            let next = spawn(async {
                sleep(MS * 50).await;
                7
            });
            sleep(MS * 30).await;
            assert_eq!(next.await, Ok(7));
            // Whoever polls it now is told that its time is up.
            let late = spawn(std::future::poll_fn(move |cx| limited.borrow_mut().as_mut().poll(cx)));
            assert_eq!(late.await, Ok(Err(corio::TimedOut)));
            for task in beside {
                assert_eq!(task.await, Ok(Err(corio::TimedOut)));
            }
        }
    });
}

#[test]
fn any_number_of_timeouts_around_one_wait() {
    fn nested(depth: u32) -> Pin<Box<dyn Future<Output = u32>>> {
        Box::pin(async move {
            if depth == 0 {
                pending::<()>().await;
            }
            // The innermost is the first whose time is up; each outer one sees a body that returns.
            match timeout(MS * (30 - depth), nested(depth - 1)).await {
                Ok(caught) => caught,
                Err(corio::TimedOut) => depth,
            }
        })
    }
    let (caught, took) = corio_sim::run(async {
        let task = spawn(nested(20));
        (task.await, now())
    });
    assert_eq!((caught, took.as_millis()), (Ok(20), 10), "the outermost has the shortest time");
}
