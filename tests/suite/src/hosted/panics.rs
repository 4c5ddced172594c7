//! Panics go through the loop to whoever runs it, and leave it usable.

use core::future::pending;
use core::pin::pin;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;

use corio::{Cancelled, Event, Mutex, Semaphore, Task, TaskPool, generator, sleep, spawn, yield_now};
use futures_util::future::FutureExt;

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
