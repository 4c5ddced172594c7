//! `Runner`: what it keeps between runs, in which order it closes, and how it lives inside other loops.

use core::future::{Future, pending};
use core::pin::pin;
use core::task::{Context, Waker};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use corio::{Cancelled, Duration, Event, Reactor, Runner, Sleep, Task, TaskPool, now, sleep, spawn, yield_now};

use super::{Hosted, Trace, runner};
use crate::harness::{MS, turns};

pub(crate) fn what_is_left_after_a_run_goes_on_in_the_next<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    let noted = trace.clone();
    let task = runner.spawn(async move {
        for i in 0..3 {
            noted.note(i.to_string());
            sleep(MS).await;
        }
        9
    });
    runner.run(yield_now()).expect("main ends");
    assert!(!task.is_done());
    assert_eq!(runner.run(async { 1 }).ok(), Some(1));
    runner.run(sleep(MS * 2)).expect("main ends");
    assert_eq!(runner.run(task).expect("main ends"), Ok(9));
    trace.expect(&["0", "1", "2"]);
}

pub(crate) fn main_may_borrow<W: Hosted>(_: &mut W) {
    let mut runner = runner::<W>();
    let mut count = 0;
    for _ in 0..3 {
        let count = &mut count;
        runner
            .run(async {
                yield_now().await;
                *count += 1;
            })
            .expect("main ends");
    }
    assert_eq!(count, 3);
}

pub(crate) fn when_main_has_ended_one_more_batch_runs<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    let noted = trace.clone();
    runner
        .run(async {
            spawn(async move {
                for i in 1..10 {
                    noted.note(i.to_string());
                    yield_now().await;
                }
            })
            .detach();
        })
        .expect("main ends");
    // asyncio's loop stops by a callback, one iteration after main.
    trace.expect(&["1"]);
}

/// They are cancelled in order of creation. The one that yields is queued for its next step already, and is first.
const CLOSING: &[&str] = &["2", "0", "1", "3", "4"];

fn leave_five<W: Hosted>(runner: &mut Runner<W::Reactor>, trace: &Trace) {
    static POOL: TaskPool<[usize; 32], 64> = TaskPool::new();
    runner
        .run(async {
            for i in 0..5 {
                let guard = trace.on_drop(i.to_string());
                let task = async move {
                    let _guard = guard;
                    match i {
                        0 => sleep(Duration::from_secs(3600)).await,
                        1 => pending().await,
                        2 => loop {
                            yield_now().await;
                        },
                        _ => Event::new().wait().await,
                    }
                };
                if i == 3 {
                    POOL.spawn(task).expect("there is room for all tests at a time").detach();
                } else {
                    spawn(task).detach();
                }
            }
            turns(3).await;
        })
        .expect("main ends");
    trace.expect(&[]);
}

pub(crate) fn leftovers_are_cancelled_in_order_of_creation_by_close<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    leave_five::<W>(&mut runner, &trace);
    runner.close().expect("closes");
    trace.expect(CLOSING);
}

pub(crate) fn leftovers_are_cancelled_in_order_of_creation_by_drop<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    leave_five::<W>(&mut runner, &trace);
    drop(runner);
    trace.expect(CLOSING);
}

pub(crate) fn leftovers_that_never_began_are_dropped_in_order_of_creation<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    for i in 0..4 {
        let guard = trace.on_drop(i.to_string());
        runner
            .spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            })
            .detach();
        if i == 0 {
            runner.turn();
        }
    }
    drop(runner);
    // The first waits; the others are queued for their first steps, before the cancel queues it.
    trace.expect(&["1", "2", "3", "0"]);
}

pub(crate) fn what_was_woken_outside_of_the_loop_goes_before_what_comes_later<W: Hosted>(_: &mut W) {
    let (mut runner, trace, event) = (runner::<W>(), Trace::default(), Rc::new(Event::new()));
    let wait = |name: &'static str| {
        let (guard, event) = (trace.on_drop(name), event.clone());
        async move {
            let _guard = guard;
            event.wait().await;
        }
    };
    runner.spawn(wait("woken")).detach();
    runner.turn();
    event.set();
    runner.spawn(wait("spawned")).detach();
    runner.run(async { trace.note("main") }).expect("main ends");
    trace.expect(&["woken", "spawned", "main"]);
    event.clear();
    for name in ["a", "b", "c"] {
        runner.spawn(wait(name)).detach();
    }
    runner.turn();
    event.set();
    event.clear();
    runner.spawn(wait("d")).detach();
    drop(runner);
    trace.expect(&["a", "b", "c", "d"]);
}

pub(crate) fn lent_futures_run_together_and_may_borrow<W: Hosted>(_: &mut W) {
    let mut runner = runner::<W>();
    let (trace, event) = (Trace::default(), Event::new());
    for _ in 0..3 {
        event.clear();
        runner
            .run_all([
                pin!(async {
                    trace.note("a begins");
                    event.wait().await;
                    trace.note("a ends");
                }),
                pin!(async {
                    trace.note("b begins");
                    sleep(MS).await;
                    event.set();
                    trace.note("b ends");
                }),
                pin!(async { trace.note("c") }),
            ])
            .expect("they end");
        trace.expect(&["a begins", "b begins", "c", "b ends", "a ends"]);
    }
    runner.run_all([]).expect("nothing ends at once");
}

pub(crate) fn lent_futures_spawn_and_await_tasks<W: Hosted>(_: &mut W) {
    let mut runner = runner::<W>();
    let sum = Cell::new(0);
    let add = |n| {
        let sum = &sum;
        async move {
            let task = spawn(async move {
                turns(n).await;
                n
            });
            let n = task.await.unwrap_or(0);
            sum.set(sum.get() + n);
        }
    };
    runner.run_all([pin!(add(1)), pin!(add(2)), pin!(add(3))]).expect("they end");
    assert_eq!(sum.get(), 6);
}

pub(crate) fn runners_nest<W: Hosted>(_: &mut W) {
    let (mut outer, trace) = (runner::<W>(), Trace::default());
    outer
        .run(async {
            let noted = trace.clone();
            let bystander = spawn(async move {
                yield_now().await;
                noted.note("bystander");
            });
            let outer_event = Rc::new(Event::new());
            let waits = {
                let (event, noted) = (outer_event.clone(), trace.clone());
                spawn(async move {
                    event.wait().await;
                    noted.note("woken by the inner loop");
                })
            };
            yield_now().await;
            let mut inner = runner::<W>();
            let (event, noted) = (outer_event.clone(), trace.clone());
            let answer = inner.run(async move {
                let task = spawn(async move {
                    sleep(MS).await;
                    // A task of the outer loop, from within the inner.
                    event.set();
                    noted.note("inner");
                    3
                });
                task.await
            });
            assert_eq!(answer.expect("main ends"), Ok(3));
            // The outer stood still meanwhile.
            trace.expect(&["inner"]);
            drop(inner);
            // And is the ambient one again.
            sleep(MS).await;
            assert!(bystander.await.is_ok() && waits.await.is_ok());
            trace.expect(&["bystander", "woken by the inner loop"]);
        })
        .expect("main ends");
}

pub(crate) fn a_task_of_the_outer_loop_is_cancelled_and_dropped_from_the_inner<W: Hosted>(_: &mut W) {
    let (mut outer, trace) = (runner::<W>(), Trace::default());
    outer
        .run(async {
            let tasks = ["a", "b"].map(|name| {
                let guard = trace.on_drop(name);
                spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                })
            });
            let ended = spawn(async { 5 });
            turns(2).await;
            let [a, b] = tasks;
            let mut inner = runner::<W>();
            let ended = inner.run(async move {
                a.cancel();
                drop(b);
                let outcome = ended.await;
                yield_now().await;
                assert!(!a.is_done(), "its loop has not turned");
                (outcome, a)
            });
            let (outcome, a) = ended.expect("main ends");
            assert_eq!(outcome, Ok(5));
            trace.expect(&[]);
            assert_eq!(a.await, Err(Cancelled));
            trace.expect(&["a", "b"]);
        })
        .expect("main ends");
}

pub(crate) fn turns_are_taken_inside_another_loop<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    let noted = trace.clone();
    let task = runner.spawn(async move {
        noted.note("begins");
        yield_now().await;
        noted.note("yielded");
        sleep(MS * 2).await;
        noted.note("slept");
        7
    });
    trace.expect(&[]);
    let first = runner.turn();
    assert_eq!(first.ran, 1);
    assert!(first.next.is_some_and(|next| next <= runner.reactor().now()), "at once: more is ready");
    trace.expect(&["begins"]);
    let second = runner.turn();
    assert_eq!(second.ran, 1);
    trace.expect(&["yielded"]);
    let mut next = second.next;
    assert!(next.is_some_and(|next| next.as_nanos() > 0));
    // Nothing to do: it says so again.
    if W::VIRTUAL {
        assert_eq!(runner.turn(), corio::Turn { next, ran: 0 });
    }
    // The outer loop: it waits as it is told, and comes back.
    let mut entries = 0;
    while !task.is_done() {
        runner.reactor_mut().park(next).expect("it can wait");
        let turn = runner.turn();
        (entries, next) = (entries + turn.ran, turn.next);
    }
    trace.expect(&["slept"]);
    assert_eq!(entries, 2, "the timer and the step");
    assert_eq!(next, None, "nothing is left to do");
    assert_eq!(runner.run(task).expect("main ends"), Ok(7));
}

pub(crate) fn a_turn_runs_exactly_what_is_ready_when_it_begins<W: Hosted>(_: &mut W) {
    let mut runner = runner::<W>();
    let steps = Rc::new(Cell::new(0));
    for _ in 0..3 {
        let steps = steps.clone();
        runner
            .spawn(async move {
                loop {
                    steps.set(steps.get() + 1);
                    let more = steps.clone();
                    spawn(async move { more.set(more.get() + 100) }).detach();
                    yield_now().await;
                }
            })
            .detach();
    }
    assert_eq!((runner.turn().ran, steps.get()), (3, 3));
    assert_eq!((runner.turn().ran, steps.get()), (6, 306));
    assert_eq!((runner.turn().ran, steps.get()), (6, 609));
}

pub(crate) fn a_wake_between_turns_is_a_reason_to_come_back<W: Hosted>(_: &mut W) {
    let mut runner = runner::<W>();
    let event = Rc::new(Event::new());
    let waits = event.clone();
    let task = runner.spawn(async move { waits.wait().await });
    assert_eq!(runner.turn().next, None);
    // From this thread, but not from within the loop: it may be asleep, so it must be unparked.
    event.set();
    runner.reactor_mut().park(None).expect("it does not wait: it was unparked");
    assert_eq!(runner.turn().ran, 1);
    assert!(task.is_done());
}

pub(crate) fn a_handle_outlives_its_runner<W: Hosted>(_: &mut W) {
    let trace = Trace::default();
    let (mut runner, guard) = (runner::<W>(), trace.on_drop("output"));
    let (ended, waiting, never) = runner
        .run(async {
            let tasks = (spawn(async { guard }), spawn(pending::<u8>()), spawn(async { 1 }));
            yield_now().await;
            tasks
        })
        .expect("main ends");
    let unbegun = runner.spawn(async { 2 });
    drop(runner);
    assert!(ended.is_done() && waiting.is_done() && unbegun.is_done());
    assert!(!waiting.cancel());
    trace.expect(&[]);
    // The loop serves somebody else by now, in another thread, while the handles go in this one.
    std::thread::scope(|scope| {
        let (to_other, other) = std::sync::mpsc::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            let mut runners: Vec<_> = (0..4).map(|_| super::runner::<W>()).collect();
            for runner in &mut runners {
                runner.spawn(pending::<()>()).detach();
                runner.turn();
            }
            let _ = ready.send(());
            let _ = other.recv();
            for mut runner in runners {
                assert_eq!(runner.run(async { spawn(async { 4 }).await }).expect("main ends"), Ok(4));
            }
        });
        is_ready.recv().expect("the other thread is at work");
        drop(ended);
        trace.expect(&["output"]);
        let mut own = super::runner::<W>();
        let outcomes = own.run(async { (waiting.await, unbegun.await) }).expect("main ends");
        assert_eq!(outcomes, (Err(Cancelled), Err(Cancelled)));
        drop(never);
        drop(to_other);
    });
}

pub(crate) fn a_sleep_outlives_its_loop_and_goes_on_in_the_next<W: Hosted>(_: &mut W) {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut nap, mut dropped): (core::pin::Pin<Box<Sleep>>, _) = (Box::pin(sleep(MS * 2)), Box::pin(sleep(MS)));
    let mut first = runner::<W>();
    first
        .run(async {
            assert!(nap.as_mut().poll(&mut cx).is_pending());
            assert!(dropped.as_mut().poll(&mut cx).is_pending());
        })
        .expect("main ends");
    drop(first);
    // Its loop has gone: there is nothing to leave.
    drop(dropped);
    let mut second = runner::<W>();
    second
        .run(async {
            nap.as_mut().await;
            // (Elsewhere it may be due already while the first loop ends.)
            assert!(
                !W::VIRTUAL || now().as_millis() == 2,
                "the deadline stands, by the clock of the loop that polls it"
            );
        })
        .expect("main ends");
    drop(second);
    // After its end it is no concern of any loop.
    assert!(nap.as_mut().poll(&mut cx).is_ready());
}

pub(crate) fn a_sleep_is_polled_and_dropped_by_another_loop_while_its_own_lives<W: Hosted>(_: &mut W) {
    let mut outer = runner::<W>();
    outer
        .run(async {
            let mut nap = Box::pin(sleep(MS));
            let mut other = Box::pin(sleep(MS));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(nap.as_mut().poll(&mut cx).is_pending());
            assert!(other.as_mut().poll(&mut cx).is_pending());
            let mut inner = runner::<W>();
            inner
                .run(async {
                    drop(other);
                    core::future::poll_fn(|cx| {
                        assert!(nap.as_mut().poll(cx).is_pending(), "its loop stands still");
                        core::task::Poll::Ready(())
                    })
                    .await;
                })
                .expect("main ends");
            drop(inner);
            // Its last waker was that of a loop that is gone.
            sleep(MS * 3).await;
            assert!(nap.as_mut().poll(&mut cx).is_ready());
        })
        .expect("main ends");
}

pub(crate) fn what_is_spawned_on_a_closing_loop_is_dropped_at_once_and_counts_as_cancelled<W: Hosted>(_: &mut W) {
    static POOL: TaskPool<[usize; 32], 2> = TaskPool::new();
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    type Late = Rc<RefCell<Vec<Task<()>>>>;
    let late: Late = Rc::default();
    // Each destructor spawns again: the chain must come to an end, for the loop takes no more in the end.
    fn chain(trace: &Trace, late: &Late, depth: u32) -> impl Future<Output = ()> + 'static {
        let (trace, late) = (trace.clone(), late.clone());
        let guard = super::on_drop(move || {
            trace.note(format!("depth {depth}"));
            if depth < 100 {
                let task = spawn(chain(&trace, &late, depth + 1));
                late.borrow_mut().push(task);
                if let Ok(task) = POOL.spawn(async {}) {
                    task.detach();
                }
            }
        });
        async move {
            let _guard: Box<dyn core::any::Any> = Box::new(guard);
            pending::<()>().await;
        }
    }
    runner
        .run(async {
            spawn(chain(&trace, &late, 0)).detach();
            yield_now().await;
        })
        .expect("main ends");
    drop(runner);
    let noted = trace.0.take();
    assert_eq!(noted.len(), 101, "each was dropped, the refused ones where they were spawned");
    let late = late.take();
    assert_eq!(late.len(), 100);
    for task in &late {
        assert!(task.is_done() && !task.cancel());
    }
    let mut next = super::runner::<W>();
    for task in late {
        assert_eq!(next.run(task).expect("main ends"), Err(Cancelled));
    }
    assert!(next.run(async { POOL.spawn(async {}).is_ok() && POOL.spawn(async {}).is_ok() }).expect("main ends"));
}

pub(crate) fn outside_of_a_loop_a_call_says_what_it_needs<W: Hosted>(_: &mut W) {
    static POOL: TaskPool<[usize; 16], 1> = TaskPool::new();
    #[track_caller]
    fn says(what: &str, f: impl FnOnce()) {
        // The message goes to the hook; the test reads it from the payload.
        let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it needs a loop");
        let text = payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string))
            .expect("a panic with a sentence");
        assert!(text.contains(what) && text.contains("loop"), "{text}");
    }
    let mut cx = Context::from_waker(Waker::noop());
    says("now()", || {
        now();
    });
    says("spawn()", || drop(spawn(async {})));
    says("spawn", || drop(POOL.spawn(async {})));
    says("sleep", || assert!(pin!(sleep(MS)).poll(&mut cx).is_pending()));
    says("sleep_until()", || assert!(pin!(corio::sleep_until(corio::Instant::MAX)).poll(&mut cx).is_pending()));
    // What needs no loop: primitives, and a future that is only made.
    drop(sleep(MS));
    assert!(pin!(Event::new().wait()).poll(&mut cx).is_pending());
    assert!(pin!(yield_now()).poll(&mut cx).is_pending());
    // The pool's place is free after the failed attempt.
    let mut runner = runner::<W>();
    assert!(runner.run(async { POOL.spawn(async {}).is_ok() }).expect("main ends"));
}

pub(crate) fn a_thousand_runners_one_after_the_other_and_a_hundred_at_a_time<W: Hosted>(_: &mut W) {
    for i in 0..super::rounds(1000) {
        let mut runner = runner::<W>();
        assert_eq!(runner.run(async move { spawn(async move { i }).await }).expect("main ends"), Ok(i));
    }
    let mut runners: Vec<_> = (0..super::rounds(100)).map(|_| runner::<W>()).collect();
    for round in 0..3 {
        for runner in &mut runners {
            runner.run(async move { turns(round).await }).expect("main ends");
        }
    }
}
