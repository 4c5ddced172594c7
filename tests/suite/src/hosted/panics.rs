//! Panics go through the loop to whoever runs it, and leave it usable.

use core::future::{Future, pending};
use core::mem::ManuallyDrop;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;

use corio::{
    Cancelled, DynPriorityQueue, DynQueue, Event, Mutex, PriorityQueue, Queue, RawLock, Semaphore, Shutdown, Task,
    TaskPool, generator, sleep, spawn, yield_now,
};
use futures_util::future::FutureExt;

use super::waker::{Move, witnessed};
use super::{Hosted, Trace, on_drop, runner};
use crate::harness::{MS, turns};

/// What the tests panic with; it makes no noise.
struct Boom;

fn boom() -> ! {
    std::panic::resume_unwind(Box::new(Boom))
}

#[track_caller]
fn panics(f: impl FnOnce()) {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(()) => panic!("no panic came through"),
        Err(payload) if payload.is::<Boom>() => {}
        Err(payload) => panic_any(payload),
    }
}

pub(crate) fn a_panic_in_a_task_goes_through_run_and_the_task_counts_as_cancelled<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    let handle: Rc<RefCell<Option<Task<()>>>> = Rc::default();
    panics(|| {
        let _ = runner.run(async {
            let guard = trace.on_drop("future dropped");
            *handle.borrow_mut() = Some(spawn(async move {
                let _guard = guard;
                yield_now().await;
                boom()
            }));
            pending::<()>().await;
        });
    });
    trace.expect(&["future dropped"]);
    let task = handle.take().expect("put there by main");
    assert!(task.is_done() && !task.cancel());
    assert_eq!(runner.run(task).expect("the loop goes on"), Err(Cancelled));
}

pub(crate) fn after_a_panic_the_other_tasks_go_on_in_the_next_run<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    panics(|| {
        let _ = runner.run(async {
            let (before, after) = (trace.clone(), trace.clone());
            // In one batch: the first has had its step, the panic comes, the third's is still to come.
            spawn(async move {
                yield_now().await;
                before.note("before");
                sleep(MS).await;
                before.note("before, later");
            })
            .detach();
            spawn(async {
                yield_now().await;
                boom()
            })
            .detach();
            spawn(async move {
                yield_now().await;
                after.note("after");
                sleep(MS).await;
                after.note("after, later");
            })
            .detach();
            pending::<()>().await;
        });
    });
    trace.expect(&["before"]);
    runner.run(sleep(MS * 5)).expect("the loop goes on");
    trace.expect(&["after", "before, later", "after, later"]);
}

pub(crate) fn a_panic_in_main_leaves_the_tasks_for_the_next_run<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    for round in 0..3 {
        let trace = trace.clone();
        panics(|| {
            let _ = runner.run(async move {
                spawn(async move {
                    turns(3).await;
                    trace.note(format!("task {round}"));
                })
                .detach();
                yield_now().await;
                boom()
            });
        });
    }
    assert_eq!(
        runner
            .run(async {
                turns(6).await;
                1
            })
            .ok(),
        Some(1)
    );
    trace.expect(&["task 0", "task 1", "task 2"]);
}

pub(crate) fn a_panic_in_a_lent_future_leaves_no_trace_of_the_others<W: Hosted>(_: &mut W) {
    use core::pin::pin;
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    panics(|| {
        let other = async {
            let _guard = trace.on_drop("other dropped");
            sleep(MS).await;
            trace.note("never");
        };
        let panicking = async {
            yield_now().await;
            boom()
        };
        let _ = runner.run_all([pin!(other), pin!(panicking)]);
    });
    trace.expect(&["other dropped"]);
    runner.run(sleep(MS * 3)).expect("the loop goes on");
    runner.run_all([pin!(async { trace.note("lent again") })]).expect("lends again");
    trace.expect(&["lent again"]);
}

pub(crate) fn a_panic_in_the_drop_of_a_cancelled_future_ends_that_task_alone<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    let handle: Rc<RefCell<Option<Task<()>>>> = Rc::default();
    panics(|| {
        let _ = runner.run(async {
            let task = spawn(async {
                let _guard = on_drop(|| boom());
                pending::<()>().await;
            });
            let other = trace.clone();
            spawn(async move {
                turns(6).await;
                other.note("other");
            })
            .detach();
            yield_now().await;
            task.cancel();
            *handle.borrow_mut() = Some(task);
            pending::<()>().await;
        });
    });
    let task = handle.take().expect("put there by main");
    assert!(task.is_done());
    assert_eq!(runner.run(task).expect("the loop goes on"), Err(Cancelled));
    runner.run(turns(8)).expect("the loop goes on");
    trace.expect(&["other"]);
}

pub(crate) fn a_panic_in_the_drop_of_a_finished_future_drops_its_output<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    panics(|| {
        let guard = trace.on_drop("output dropped");
        let _ = runner.run(async {
            let panicking = on_drop(|| boom());
            spawn(async move {
                let keep = panicking;
                yield_now().await;
                // The future's own at its end.
                let _ = &keep;
                core::mem::forget(keep);
                guard
            })
            .detach();
            let panicking = on_drop(|| boom());
            let mut output = Some(trace.on_drop("second output dropped"));
            spawn(core::future::poll_fn(move |_| {
                let _ = &panicking;
                core::task::Poll::Ready(output.take())
            }))
            .detach();
            pending::<()>().await;
        });
    });
    trace.expect(&["second output dropped"]);
    runner.run(turns(4)).expect("the loop goes on");
    trace.expect(&["output dropped"]);
}

pub(crate) fn a_panic_in_the_drop_of_an_output_harms_nobody<W: Hosted>(_: &mut W) {
    let mut runner = runner::<W>();
    panics(|| {
        let _ = runner.run(async {
            spawn(async { on_drop(|| boom()) }).detach();
            pending::<()>().await;
        });
    });
    panics(|| {
        let _ = runner.run(async {
            let task = spawn(async { on_drop(|| boom()) });
            turns(3).await;
            drop(task);
        });
    });
    assert_eq!(runner.run(async { spawn(async { 3 }).await }).ok(), Some(Ok(3)));
}

pub(crate) fn a_panic_in_the_drop_of_an_output_leaves_the_place_free<W: Hosted>(_: &mut W) {
    static POOL: TaskPool<[usize; 8], 1> = TaskPool::new();
    let mut runner = runner::<W>();
    for detached in [true, false] {
        panics(|| {
            let _ = runner.run(async {
                let task = POOL.spawn(async { on_drop(|| boom()) }).expect("the place is free");
                if detached {
                    task.detach();
                }
                turns(3).await;
            });
        });
    }
    let again = runner.run(async { POOL.spawn(async { 3 }).expect("the place is free").await });
    assert_eq!(again.ok(), Some(Ok(3)));
}

pub(crate) fn a_task_that_panics_while_it_holds_a_lock_gives_it_back<W: Hosted>(_: &mut W) {
    let mut runner = runner::<W>();
    let (mutex, permits) = (Rc::new(Mutex::new(1)), Rc::new(Semaphore::new(1)));
    panics(|| {
        let (mutex, permits) = (mutex.clone(), permits.clone());
        let _ = runner.run(async move {
            spawn(async move {
                let _guard = mutex.lock().await;
                let _permit = permits.acquire().await;
                yield_now().await;
                boom()
            })
            .detach();
            pending::<()>().await;
        });
    });
    let both = runner.run(async {
        let guard = mutex.lock().await;
        let _permit = permits.acquire().await;
        *guard
    });
    assert_eq!(both.ok(), Some(1));
}

pub(crate) fn a_waker_that_panics_in_a_timer_does_not_lose_the_other_timers<W: Hosted>(_: &mut W) {
    use core::task::{Context, Waker};
    use std::sync::Arc;
    struct Panicking;
    impl std::task::Wake for Panicking {
        fn wake(self: Arc<Self>) {
            boom()
        }
    }
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    panics(|| {
        let _ = runner.run(async {
            let deadline = corio::now() + MS;
            let tasks = ["one", "two"].map(|name| {
                let trace = trace.clone();
                async move {
                    corio::sleep_until(deadline).await;
                    trace.note(name);
                }
            });
            let [one, two] = tasks;
            spawn(one).detach();
            yield_now().await;
            let mut nap = Box::pin(corio::sleep_until(deadline));
            let waker = Waker::from(Arc::new(Panicking));
            assert!(nap.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            spawn(two).detach();
            sleep(MS * 5).await;
            // Kept to here: its timer must fire.
            drop(nap);
        });
    });
    trace.expect(&[]);
    runner.run(sleep(MS * 5)).expect("the loop goes on");
    trace.expect(&["one", "two"]);
}

pub(crate) fn a_leftover_that_panics_when_the_runner_goes_does_not_spoil_the_next_runner<W: Hosted>(_: &mut W) {
    for close in [false, true] {
        let (mut panicking, trace) = (runner::<W>(), Trace::default());
        panicking
            .run(async {
                let (first, third) = (trace.on_drop("first"), trace.on_drop("third"));
                spawn(async move {
                    let _guard = first;
                    pending::<()>().await;
                })
                .detach();
                spawn(async {
                    let _guard = on_drop(|| boom());
                    pending::<()>().await;
                })
                .detach();
                spawn(async move {
                    let _guard = third;
                    pending::<()>().await;
                })
                .detach();
                yield_now().await;
            })
            .expect("main ends");
        panics(move || if close { drop(panicking.close()) } else { drop(panicking) });
        trace.expect(&["first", "third"]);
        // The loop is used again, by these or by others.
        let mut next = [runner::<W>(), runner::<W>()];
        for runner in &mut next {
            assert_eq!(runner.run(async { spawn(async { 5 }).await }).expect("main ends"), Ok(5));
        }
    }
}

/// A waker that panics, and one that counts.
fn panicking() -> Waker {
    witnessed(|what| {
        if what == Move::Wake {
            boom()
        }
    })
}

fn counting(count: &Rc<Cell<usize>>) -> Waker {
    let count = count.clone();
    witnessed(move |what| {
        if what == Move::Wake {
            count.set(count.get() + 1)
        }
    })
}

/// One step under `waker`.
fn step<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

pub(crate) fn an_event_releases_those_behind_a_waker_that_panics<W: Hosted>(_: &mut W) {
    let (event, woken) = (Event::new(), Rc::new(Cell::new(0)));
    let mut waits: Vec<_> = (0..4).map(|_| Box::pin(event.wait())).collect();
    for (i, wait) in waits.iter_mut().enumerate() {
        let waker = if i == 1 { panicking() } else { counting(&woken) };
        assert!(step(wait.as_mut(), &waker).is_pending());
    }
    panics(|| event.set());
    assert!(event.is_set());
    assert_eq!(woken.get(), 3);
    // Released for good.
    event.clear();
    for wait in &mut waits {
        assert!(step(wait.as_mut(), Waker::noop()).is_ready());
    }
}

pub(crate) fn the_last_task_done_tells_those_behind_a_waker_that_panics<W: Hosted>(_: &mut W) {
    let (queue, woken) = (DynQueue::new(0), Rc::new(Cell::new(0)));
    queue.try_put(1).expect("room");
    let mut joins: Vec<_> = (0..3).map(|_| Box::pin(queue.join())).collect();
    for (i, join) in joins.iter_mut().enumerate() {
        let waker = if i == 0 { panicking() } else { counting(&woken) };
        assert!(step(join.as_mut(), &waker).is_pending());
    }
    panics(|| queue.task_done().expect("one was put"));
    assert_eq!(woken.get(), 2);
    queue.try_put(2).expect("room");
    for join in &mut joins {
        assert!(step(join.as_mut(), Waker::noop()).is_ready());
    }
}

pub(crate) fn shutdown_tells_all_though_wakers_panic<W: Hosted>(_: &mut W) {
    // Whichever of them panics.
    for bad in 0..6 {
        let woken = Rc::new(Cell::new(0));
        let waker = |i| if i == bad { panicking() } else { counting(&woken) };
        let (empty, full) = (Queue::<u32, 1>::new(), Queue::<u32, 1>::new());
        full.try_put(1).expect("room");
        let mut gets: Vec<_> = (0..2).map(|_| Box::pin(empty.get())).collect();
        let mut puts: Vec<_> = (2..4).map(|i| Box::pin(full.put(i))).collect();
        let mut joins: Vec<_> = (0..2).map(|_| Box::pin(full.join())).collect();
        for (i, get) in gets.iter_mut().enumerate() {
            assert!(step(get.as_mut(), &waker(i)).is_pending());
        }
        for (i, join) in joins.iter_mut().enumerate() {
            assert!(step(join.as_mut(), &waker(2 + i)).is_pending());
        }
        for (i, put) in puts.iter_mut().enumerate() {
            assert!(step(put.as_mut(), &waker(4 + i)).is_pending());
        }
        for (queue, its_own) in [(&empty, bad < 2), (&full, bad >= 2)] {
            let outcome = catch_unwind(AssertUnwindSafe(|| queue.shutdown(Shutdown::Immediate)));
            assert_eq!(outcome.is_err(), its_own);
        }
        assert_eq!(woken.get(), 5);
        assert!(full.is_empty());
        for get in &mut gets {
            assert!(step(get.as_mut(), Waker::noop()).is_ready());
        }
        for put in &mut puts {
            assert!(step(put.as_mut(), Waker::noop()).is_ready());
        }
        for join in &mut joins {
            assert!(step(join.as_mut(), Waker::noop()).is_ready());
        }
    }
}

pub(crate) fn shutdown_drops_the_items_behind_one_whose_drop_panics<W: Hosted>(_: &mut W) {
    let (trace, woken) = (Trace::default(), Rc::new(Cell::new(0)));
    let queue: DynQueue<Box<dyn Anything>> = DynQueue::new(3);
    for name in ["first", "boom", "third"] {
        let guard = trace.on_drop(name);
        let item: Box<dyn Anything> =
            if name == "boom" { Box::new((guard, on_drop(|| boom()))) } else { Box::new(guard) };
        assert!(queue.try_put(item).is_ok());
    }
    let mut put = Box::pin(queue.put(Box::new(())));
    let mut join = Box::pin(queue.join());
    assert!(step(put.as_mut(), &counting(&woken)).is_pending());
    assert!(step(join.as_mut(), &counting(&woken)).is_pending());
    panics(|| queue.shutdown(Shutdown::Immediate));
    trace.expect(&["first", "boom", "third"]);
    assert!(queue.is_empty() && queue.is_shut_down());
    assert_eq!(woken.get(), 2);
    assert!(step(join.as_mut(), Waker::noop()).is_ready());
    assert!(matches!(step(put.as_mut(), Waker::noop()), Poll::Ready(Err(_))));
    assert!(queue.task_done().is_err(), "what was dropped is done");
}

/// Anything, in a box.
trait Anything {}
impl<T> Anything for T {}

/// A number that panics when it is compared, while `armed`.
struct Touchy<'a>(u32, &'a Cell<bool>);

impl Ord for Touchy<'_> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        if self.1.get() {
            boom()
        }
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Touchy<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Touchy<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Touchy<'_> {}

/// What must be so whatever store the queue has: `$queue` for three items.
macro_rules! comparisons {
    ($queue:expr) => {
        for later in [false, true] {
            let (armed, woken) = (Cell::new(false), Rc::new(Cell::new(0)));
            let queue = $queue;
            let mut gets: Vec<_> = (0..2).map(|_| Box::pin(queue.get())).collect();
            for get in &mut gets {
                assert!(step(get.as_mut(), &counting(&woken)).is_pending());
            }
            assert!(queue.try_put(Touchy(3, &armed)).is_ok());
            assert_eq!(woken.get(), 1);
            armed.set(true);
            // It is compared when it is in already, and stays in: the second is told, and it counts.
            if later {
                let mut put = Box::pin(queue.put(Touchy(2, &armed)));
                panics(|| drop(step(put.as_mut(), Waker::noop())));
            } else {
                panics(|| drop(queue.try_put(Touchy(2, &armed))));
            }
            armed.set(false);
            assert_eq!((queue.len(), woken.get()), (2, 2));
            for get in &mut gets {
                assert!(matches!(step(get.as_mut(), Waker::noop()), Poll::Ready(Ok(_))));
            }
            assert!(queue.task_done().is_ok() && queue.task_done().is_ok() && queue.task_done().is_err());

            // One that is taken is compared, or its place is: it is gone, and whoever waits for room is told.
            for n in [6, 5, 4] {
                assert!(queue.try_put(Touchy(n, &armed)).is_ok());
            }
            woken.set(0);
            let mut put = Box::pin(queue.put(Touchy(1, &armed)));
            assert!(step(put.as_mut(), &counting(&woken)).is_pending());
            armed.set(true);
            if later {
                let mut get = Box::pin(queue.get());
                panics(|| drop(step(get.as_mut(), Waker::noop())));
            } else {
                panics(|| drop(queue.try_get()));
            }
            armed.set(false);
            assert_eq!((queue.len(), woken.get()), (2, 1));
            assert!(matches!(step(put.as_mut(), Waker::noop()), Poll::Ready(Ok(()))));
            assert_eq!(queue.try_get().map(|item| item.0), Ok(1));
        }
    };
}

pub(crate) fn a_comparison_that_panics_leaves_a_queue_whole<W: Hosted>(_: &mut W) {
    comparisons!(PriorityQueue::<_, 3>::new());
    comparisons!(DynPriorityQueue::new(3));
}

pub(crate) fn a_waker_that_panics_in_get_takes_that_item_and_no_more<W: Hosted>(_: &mut W) {
    for later in [false, true] {
        let (trace, woken) = (Trace::default(), Rc::new(Cell::new(0)));
        let queue = DynQueue::new(1);
        assert!(queue.try_put(trace.on_drop("taken")).is_ok());
        let mut puts: Vec<_> = ["second", "third"].map(|name| Box::pin(queue.put(trace.on_drop(name)))).into();
        for (i, put) in puts.iter_mut().enumerate() {
            let waker = if i == 0 { panicking() } else { counting(&woken) };
            assert!(step(put.as_mut(), &waker).is_pending());
        }
        if later {
            let mut get = Box::pin(queue.get());
            panics(|| drop(step(get.as_mut(), Waker::noop())));
        } else {
            panics(|| drop(queue.try_get()));
        }
        trace.expect(&["taken"]);
        // There is room, for the one that was told of it.
        assert!(queue.is_empty());
        assert!(matches!(step(puts[0].as_mut(), Waker::noop()), Poll::Ready(Ok(()))));
        assert_eq!(woken.get(), 0);
        drop(queue.try_get());
        assert_eq!(woken.get(), 1);
        trace.expect(&["second"]);
    }
}

pub(crate) fn a_waker_that_panics_when_it_is_dropped_takes_no_lock_with_it<W: Hosted>(_: &mut W) {
    let copies = Rc::new(());
    let copy = copies.clone();
    let dropped_badly = witnessed(move |what| {
        let _copy = &copy;
        if what == Move::Drop {
            boom()
        }
    });
    let (mutex, permits, raw) = (Mutex::new(1), Semaphore::new(0), RawLock::new());

    // In line first, with a waker that panics when it goes (and that no failing assertion drops); free when it is looked at for another reason.
    let held = mutex.try_lock().expect("free");
    let mut lock = Box::pin(mutex.lock());
    let waker = ManuallyDrop::new(dropped_badly);
    assert!(step(lock.as_mut(), &waker).is_pending());
    panics(|| drop(step(lock.as_mut(), Waker::noop())));
    assert!(step(lock.as_mut(), Waker::noop()).is_pending());
    drop(held);
    assert!(step(lock.as_mut(), Waker::noop()).is_ready());
    assert!(mutex.try_lock().is_some());

    // Granted since, and polled with a waker of that kind, whose copy is not needed then.
    let (mut acquire, mut permit) = (Box::pin(raw.acquire()), Box::pin(permits.acquire()));
    assert!(raw.try_acquire());
    assert!(step(acquire.as_mut(), Waker::noop()).is_pending());
    assert!(step(permit.as_mut(), Waker::noop()).is_pending());
    raw.release().expect("held");
    permits.release();
    assert!(step(acquire.as_mut(), &waker).is_ready());
    assert!(matches!(step(permit.as_mut(), &waker), Poll::Ready(_)));
    assert!(raw.is_locked());
    assert_eq!(permits.available(), 1);
    // It is the last: no copy of it was forgotten, or lost where one has panicked.
    panics(|| drop(ManuallyDrop::into_inner(waker)));
    assert_eq!(Rc::strong_count(&copies), 1);
}

pub(crate) fn a_panic_does_not_break_the_ambient_loop<W: Hosted>(_: &mut W) {
    let (mut outer, event) = (runner::<W>(), Event::new());
    let seen = Cell::new(false);
    let result = outer.run(async {
        panics(|| {
            let mut inner = runner::<W>();
            let _ = inner.run(async { boom() });
        });
        // Back on the outer loop: a task of it runs, a sleep ends.
        let task = spawn(async { sleep(MS).await });
        event.set();
        event.wait().await;
        seen.set(task.await.is_ok());
    });
    assert!(result.is_ok() && seen.get());
    assert!(catch_unwind(corio::now).is_err(), "outside again");
}

pub(crate) fn a_panic_in_the_body_of_a_generator_goes_through_next_and_ends_it<W: Hosted>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let mut breaks = pin!(generator(async |mut y| {
            let _guard = trace.on_drop("body left");
            y.emit(1).await;
            yield_now().await;
            boom()
        }));
        assert_eq!(breaks.next().await, Some(1));
        let payload = AssertUnwindSafe(breaks.next()).catch_unwind().await.expect_err("it panics");
        assert!(payload.is::<Boom>());
        trace.expect(&["body left"]);
        assert_eq!(breaks.next().await, None::<i32>);
    });
}

pub(crate) fn the_end_of_a_task_is_told_to_those_behind_a_waker_that_panics<W: Hosted>(_: &mut W) {
    let mut runner = runner::<W>();
    let (told, waker) = super::Wakes::new();
    let panicking = witnessed(|what| {
        if what == Move::Wake {
            boom()
        }
    });
    let task = runner.spawn(yield_now());
    let mut ends = [pin!(task.ended()), pin!(task.ended())];
    for (end, waker) in ends.iter_mut().zip([&panicking, &waker]) {
        assert!(end.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    panics(|| {
        let _ = runner.run(pending::<()>());
    });
    assert_eq!(told.take(), 1);
}

pub(crate) fn a_group_that_is_dropped_lets_all_children_go_though_a_waker_panics<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    let panicking = witnessed(|what| {
        if what == Move::Wake {
            boom()
        }
    });
    runner
        .run(async {
            let answer = Rc::new(corio::Future::<()>::new());
            let mut first = Box::pin(answer.wait());
            assert!(first.as_mut().poll(&mut Context::from_waker(&panicking)).is_pending());
            let mut group = Box::pin(corio::group(async |g| {
                // To cancel this one is to tell who waits for the answer beside it.
                let (answer, guard) = (answer.clone(), trace.on_drop("waits"));
                g.spawn(async move {
                    let _guard = guard;
                    let _ended = answer.wait().await;
                    Ok(())
                });
                for name in ["fails", "fails too"] {
                    let guard = trace.on_drop(name);
                    g.spawn(async move {
                        let _guard = guard;
                        sleep(MS).await;
                        Err::<(), _>("no group")
                    });
                }
                pending::<Result<(), &str>>().await
            }));
            assert!(group.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            turns(2).await;
            panics(|| drop(group));
            turns(2).await;
            trace.expect(&["waits", "fails", "fails too"]);
            sleep(MS * 3).await;
        })
        .expect("main ends");
}
