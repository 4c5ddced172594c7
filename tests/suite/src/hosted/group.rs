//! Groups: who is cancelled when, who waits for whom, and that nobody is left.

use core::future::{Future, pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corio::{
    Cancelled, Child, Event, Group, GroupError, GroupHandle, Spawn, Until, all_tasks, as_completed, cancel_and_wait,
    current_task, finally, gather, group, shield, sleep, spawn, timeout, wait, yield_now,
};
use futures_util::future::{Either, join, select};
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::{Hosted, Trace, Wakes, runner};
use crate::World;
use crate::harness::{LONG, MS, turns};

type Failed = GroupError<&'static str>;

/// Notes that it begins and, when it is left, that; in between it waits for ever.
fn stays(trace: &Trace, name: &'static str) -> impl Future<Output = Result<(), &'static str>> + use<> {
    let trace = trace.clone();
    async move {
        let _left = trace.on_drop(format!("{name} left"));
        trace.note(name);
        pending().await
    }
}

async fn fails(after: usize, error: &'static str) -> Result<(), &'static str> {
    turns(after).await;
    Err(error)
}

async fn gives<T>(after: usize, value: T) -> Result<T, &'static str> {
    turns(after).await;
    Ok(value)
}

pub(crate) fn the_exit_waits_for_all_and_values_can_be_awaited<W: World>(world: &mut W) {
    world.run(async {
        let ended = Rc::new(Cell::new(0));
        let sum = group(async |g| {
            for n in 1..4 {
                let ended = ended.clone();
                g.spawn(async move {
                    sleep(MS * n).await;
                    ended.set(ended.get() + 1);
                    Ok(())
                });
            }
            let (mut a, b) = (g.spawn(gives(1, 20)), g.spawn(gives(2, Box::new(22))));
            b.ended().await;
            assert!(a.is_done() && matches!(a.outcome(), Some(Ok(20))));
            Ok::<_, &str>((&mut a).await.unwrap() + *b.await.unwrap())
        });
        assert_eq!(sum.await, Ok(42));
        assert_eq!(ended.get(), 3);
    });
}

pub(crate) fn a_group_without_children_does_not_wait<W: World>(world: &mut W) {
    world.run(async {
        let waker = Wakes::new().1;
        let mut group = pin!(group(async |_| Ok::<_, ()>(5)));
        assert_eq!(group.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(5)));
    });
}

pub(crate) fn the_first_failure_cancels_the_others_in_order_and_then_the_body<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let failed: Result<(), Failed> = group(async |g| {
            g.spawn(stays(&trace, "a"));
            g.spawn(fails(2, "e"));
            g.spawn(stays(&trace, "b"));
            let _left = trace.on_drop("body left");
            pending().await
        })
        .await;
        assert_eq!(failed.unwrap_err().errors(), ["e"]);
        trace.expect(&["a", "b", "a left", "b left", "body left"]);
    });
}

pub(crate) fn all_errors_are_given_the_bodys_last<W: World>(world: &mut W) {
    world.run(async {
        let failed: Result<(), Failed> = group(async |g| {
            g.spawn(fails(2, "two"));
            g.spawn(fails(1, "one"));
            g.spawn(fails(1, "one more"));
            g.spawn(fails(9, "never"));
            turns(2).await;
            Err("body")
        })
        .await;
        let failed = failed.unwrap_err();
        assert_eq!(failed.errors(), ["one", "one more", "body"]);
        assert_eq!(failed.to_string(), "failed in a group: one; one more; body");
        assert_eq!(failed.into_first(), "one");
    });
}

pub(crate) fn groups_nest_and_a_group_may_be_an_error<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let outer: Result<(), GroupError<Failed>> = group(async |g| {
            let inner = trace.clone();
            g.spawn(async move {
                group(async |g| {
                    g.spawn(stays(&inner, "inner"));
                    g.spawn(fails(3, "deep"));
                    Ok(())
                })
                .await
            });
            let beside = trace.clone();
            g.spawn(async move {
                let waits: Result<(), Failed> = group(async |g| {
                    g.spawn(stays(&beside, "beside"));
                    pending().await
                })
                .await;
                waits
            });
            pending().await
        })
        .await;
        let outer = outer.unwrap_err();
        assert_eq!(outer.errors().len(), 1);
        assert_eq!(outer.errors()[0].errors(), ["deep"]);
        trace.expect(&["inner", "beside", "inner left", "beside left"]);
    });
}

pub(crate) fn a_cancelled_child_has_not_failed<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let outcome = group(async |g| {
            let child = g.spawn(stays(&trace, "c"));
            yield_now().await;
            assert!(child.cancel());
            assert_eq!(child.await, Err(Cancelled));
            let all = g.spawn(stays(&trace, "d"));
            yield_now().await;
            g.cancel_all();
            assert!(g.is_closed() && g.spawn(stays(&trace, "e")).is_done());
            assert_eq!(all.await, Err(Cancelled));
            Ok::<_, &str>("fine")
        });
        assert_eq!(outcome.await, Ok("fine"));
        trace.expect(&["c", "c left", "d", "d left"]);
    });
}

/// A program of many waits: a group in a group, children that end, fail, wait for each other.
async fn program(alive: Rc<Cell<usize>>, fail_at: Option<usize>) -> Result<usize, GroupError<Failed>> {
    let child = move |n: usize| {
        let alive = alive.clone();
        alive.set(alive.get() + 1);
        let guard = super::on_drop(move || alive.set(alive.get() - 1));
        async move {
            let _guard = guard;
            turns(n).await;
            if fail_at == Some(n) { Err("failed") } else { Ok(n) }
        }
    };
    group(async |g| {
        let (first, second) = (child.clone(), child.clone());
        let a = g.spawn(async move {
            group(async |g| {
                let one = g.spawn(first(1));
                g.spawn(first(4));
                Ok(one.await.unwrap_or(0))
            })
            .await
        });
        let outside = second.clone();
        g.spawn(async move {
            group(async |g| {
                g.spawn(second(3));
                outside(5).await
            })
            .await
        });
        yield_now().await;
        Ok(a.await.unwrap_or(0) + 1)
    })
    .await
}

pub(crate) fn cancelled_at_each_turn_the_parent_waits_for_all<W: World>(world: &mut W) {
    world.run(async {
        for fail_at in [None, Some(1), Some(3), Some(4), Some(5)] {
            for after in 0..16 {
                for times in 1..3 {
                    let alive = Rc::new(Cell::new(0));
                    let parent = spawn(program(alive.clone(), fail_at));
                    turns(after).await;
                    let mut running = true;
                    for _ in 0..times {
                        running = parent.cancel();
                        yield_now().await;
                    }
                    let outcome = parent.await;
                    assert_eq!(alive.get(), 0, "somebody was left, after {after}");
                    match outcome {
                        Ok(Ok(sum)) => assert!(!running && fail_at.is_none() && sum == 2),
                        Ok(Err(_)) => assert!(fail_at.is_some()),
                        Err(Cancelled) => {}
                    }
                    assert_eq!(all_tasks().len(), 1);
                }
            }
        }
    });
}

pub(crate) fn dropped_at_each_poll_it_cancels_all_and_leaves_nothing<W: World>(world: &mut W) {
    world.run(async {
        for fail_at in [None, Some(1), Some(4)] {
            for polls in 0..12 {
                let alive = Rc::new(Cell::new(0));
                let mut whole = Box::pin(program(alive.clone(), fail_at));
                let mut left = polls;
                poll_fn(|cx| {
                    if left == 0 || whole.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(());
                    }
                    left -= 1;
                    // Polled in every turn, whether or not it is woken.
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
                drop(whole);
                turns(4).await;
                assert_eq!((alive.get(), Rc::strong_count(&alive)), (0, 1), "after {polls} polls");
                assert_eq!(all_tasks().len(), 1);
            }
        }
    });
}

pub(crate) fn cancelled_before_its_first_step_the_body_never_runs<W: World>(world: &mut W) {
    world.run(async {
        let parent = spawn(group(async |_| -> Result<(), ()> { unreachable!("it was cancelled before") }));
        parent.cancel();
        assert_eq!(parent.await, Err(Cancelled));
    });
}

pub(crate) fn an_error_and_a_request_from_outside_both_count<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let noted = trace.clone();
        let parent = spawn(async move {
            let failed: Result<(), Failed> = group(async |g| {
                g.spawn(fails(1, "e"));
                pending().await
            })
            .await;
            noted.note(format!("{:?}", failed.unwrap_err()));
            yield_now().await;
            noted.note("never");
        });
        turns(2).await;
        parent.cancel();
        assert_eq!(parent.await, Err(Cancelled));
        trace.expect(&["GroupError([\"e\"])"]);
    });
}

pub(crate) fn children_bring_more_of_their_kind_until_the_group_is_left<W: World>(world: &mut W) {
    fn brood(handle: &corio::GroupHandle<&'static str>, born: &Rc<Cell<u32>>, generations: u32) {
        let (more, count) = (handle.clone(), born.clone());
        handle.spawn(async move {
            yield_now().await;
            count.set(count.get() + 1);
            if generations > 1 {
                brood(&more, &count, generations - 1);
                brood(&more, &count, generations - 1);
            }
            Ok(())
        });
    }
    world.run(async {
        let born = Rc::new(Cell::new(0));
        let handle = group(async |g| {
            brood(&g.handle(), &born, 5);
            Ok::<_, &str>(g.handle())
        });
        let handle = handle.await.unwrap();
        assert_eq!(born.get(), 31);
        assert!(handle.is_closed());
        let late = handle.spawn(gives(0, ()));
        assert_eq!((late.is_done(), late.await), (true, Err(Cancelled)));
        assert_eq!(Rc::strong_count(&born), 1);
    });
}

pub(crate) fn a_child_may_outlive_its_group_as_a_handle<W: World>(world: &mut W) {
    world.run(async {
        let kept: RefCell<Vec<Child<String>>> = RefCell::default();
        let failed: Result<(), Failed> = group(async |g| {
            kept.borrow_mut().push(g.spawn(gives(0, "kept".to_owned())));
            kept.borrow_mut().push(g.spawn(async { Err("failed") }));
            kept.borrow_mut().push(g.spawn(pending()));
            pending().await
        })
        .await;
        assert_eq!(failed.unwrap_err().errors(), ["failed"]);
        let [one, two, three] = <[_; 3]>::try_from(kept.take()).unwrap();
        assert!(one.outcome().is_some_and(|outcome| outcome.is_ok_and(|text| text == "kept")));
        assert_eq!(two.outcome(), Some(Err(Cancelled)));
        assert_eq!((one.await, two.await, three.await), (Ok("kept".into()), Err(Cancelled), Err(Cancelled)));
    });
}

pub(crate) fn a_child_is_awaited_by_many_and_by_one_who_goes<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let done = group(async |g| {
            let child = Rc::new(g.spawn(gives(3, 1)));
            for name in ["a", "b"] {
                let (child, trace) = (child.clone(), trace.clone());
                g.spawn(async move {
                    child.ended().await;
                    trace.note(name);
                    Ok(())
                });
            }
            let mut other = g.spawn(gives(5, 2));
            // Who awaits it goes; the child does not.
            assert!(timeout(core::time::Duration::ZERO, &mut other).await.is_err());
            Ok::<_, &str>(other)
        });
        let other = done.await.unwrap();
        // It was cancelled with its waiter, as in asyncio.
        assert_eq!(other.await, Err(Cancelled));
        trace.expect(&["a", "b"]);
    });
}

pub(crate) fn names_are_given_and_seen<W: World>(world: &mut W) {
    world.run(async {
        let named = group(async |g: &Group<()>| {
            let child = g.spawn_with(Spawn::new().name("rx"), async { Ok(()) });
            assert_eq!((child.name(), child.id().name()), (Some("rx"), Some("rx")));
            child.ended().await;
            assert_eq!((child.name(), child.id().is_done()), (Some("rx"), true));
            Ok(())
        });
        named.await.unwrap();
    });
}

const EAGER: Spawn = Spawn::new().eager();

pub(crate) fn an_eager_child_begins_at_once_and_its_end_is_told_later<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let failed = group(async |g| {
            g.spawn(stays(&trace, "a"));
            let me = current_task();
            let (within, of_child) = (trace.clone(), Rc::new(Cell::new(None)));
            let tell = of_child.clone();
            let quick = g.spawn_with(EAGER, async move {
                tell.set(current_task());
                within.note("quick");
                Ok(7)
            });
            assert_eq!((quick.outcome(), g.is_empty(), current_task()), (Some(Ok(&7)), false, me));
            assert!(of_child.get() == Some(quick.id()) && of_child.get() != me);
            assert_eq!(quick.await, Ok(7));
            let bad = g.spawn_with(EAGER, async { Err::<(), _>("e") });
            assert!(bad.is_done() && !g.is_closed());
            assert_eq!(bad.await, Err(Cancelled));
            trace.note("body");
            turns(1).await;
            trace.note("never");
            Ok(())
        });
        assert_eq!(failed.await.unwrap_err().errors(), ["e"]);
        trace.expect(&["quick", "body", "a", "a left"]);
    });
}

pub(crate) fn an_eager_child_may_leave_its_group_behind<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let kept = Rc::new(Cell::new(None));
        let keep = kept.clone();
        let beside = trace.clone();
        let mut it = Box::pin(async move {
            let left: Result<(), Failed> = group(async |g| {
                g.spawn(stays(&beside, "beside"));
                keep.set(Some(g.handle()));
                pending().await
            })
            .await;
            left
        });
        let waker = Wakes::new().1;
        assert!(it.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        yield_now().await;
        let handle: GroupHandle<&str> = kept.take().unwrap();
        let within = trace.clone();
        let child = handle.spawn_with(EAGER, async move {
            drop(it);
            within.note("alone");
            let _left = within.on_drop("alone left");
            pending::<Result<(), _>>().await
        });
        assert!(!child.is_done() && handle.is_closed());
        assert_eq!(child.await, Err(Cancelled));
        assert!(handle.spawn_with(EAGER, fails(0, "it takes no more")).is_done());
        trace.expect(&["beside", "alone", "beside left", "alone left"]);
    });
}

pub(crate) fn what_takes_tasks_takes_children<W: World>(world: &mut W) {
    world.run(async {
        let all = group(async |g| {
            let (a, mut b, c) = (g.spawn(gives(7, "a")), g.spawn(gives(1, "b")), g.spawn(gives(9, "c")));
            let waited = wait([&a, &b, &c, &a], Until::FirstCompleted, None).await;
            assert_eq!(waited.done.iter().map(|child| child.outcome()).collect::<Vec<_>>(), [Some(Ok(&"b"))]);
            assert_eq!(waited.pending.len(), 2);
            let mut order = Vec::new();
            let mut ended = as_completed([&a, &b, &c]);
            while let Some(child) = ended.next().await {
                order.push(*child.outcome().unwrap().unwrap());
            }
            assert_eq!(order, ["b", "a", "c"]);
            assert_eq!(gather((&mut b, a)).await, Ok(("b", "a")));
            assert_eq!(shield(c).await, Ok("c"));
            let stuck = g.spawn(pending::<Result<(), _>>());
            assert_eq!(cancel_and_wait(&stuck).await, Err(Cancelled));
            // Given away and dropped, it goes on: it is the group's.
            let on = g.spawn(gives(5, ()));
            let id = on.id();
            timeout(MS, gather([on, g.spawn(pending())])).await.unwrap_err();
            assert!(id.is_done());
            let on = g.spawn(gives(5, ()));
            let id = on.id();
            drop(wait([on], Until::All, None));
            assert!(!id.is_done());
            Ok::<_, &str>(())
        });
        all.await.unwrap();
    });
}

pub(crate) fn a_child_that_fails_counts_as_cancelled_to_who_waits<W: World>(world: &mut W) {
    world.run(async {
        for lag in 0..5 {
            let failed: Result<(), Failed> = group(async |g| {
                let bad = Rc::new(g.spawn(fails(2, "e")));
                let (seen, good) = (bad.clone(), g.spawn(gives(1, ())));
                let watcher = spawn(async move {
                    turns(lag).await;
                    let outcomes = gather([&*seen, &good]).outcomes().await;
                    assert_eq!(outcomes, [Err(Cancelled), Ok(&())]);
                });
                watcher.detach();
                pending().await
            })
            .await;
            assert_eq!(failed.unwrap_err().errors(), ["e"]);
            turns(4).await;
        }
    });
}

pub(crate) fn a_failure_in_one_branch_leaves_the_other_alone<W: World>(world: &mut W) {
    world.run(async {
        for swap in [false, true] {
            let bad = group(async |g| {
                g.spawn(fails(2, "e"));
                pending::<Result<(), _>>().await
            });
            let good = group(async |g| Ok::<_, &str>(g.spawn(gives(4, 7)).await.unwrap()));
            let (bad, good) = if swap {
                let (good, bad) = join(good, bad).await;
                (bad, good)
            } else {
                join(bad, good).await
            };
            assert_eq!((bad.unwrap_err().errors(), good), (&["e"][..], Ok(7)));
            yield_now().await;
        }
    });
}

pub(crate) fn a_group_that_loses_a_race_as_it_fails_cancels_nobody<W: World>(world: &mut W) {
    world.run(async {
        for after in 0..6 {
            let failing = pin!(group(async |g| {
                g.spawn(fails(2, "e"));
                pending::<Result<(), _>>().await
            }));
            if let Either::Left((failed, _)) = select(failing, pin!(turns(after))).await {
                assert_eq!(failed.unwrap_err().errors(), ["e"]);
            }
            turns(3).await;
            assert_eq!(all_tasks().len(), 1);
        }
    });
}

pub(crate) fn groups_work_under_foreign_wakers<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let mut all: FuturesUnordered<_> = (0..4)
            .map(|n| {
                let trace = trace.clone();
                group(async move |g| {
                    let child = g.spawn(gives(n, n));
                    if n == 2 {
                        g.spawn(fails(1, "two"));
                        g.spawn(stays(&trace, "stays"));
                    }
                    Ok(child.await.unwrap_or(99))
                })
            })
            .collect();
        let mut outcomes = Vec::new();
        while let Some(outcome) = all.next().await {
            outcomes.push(outcome.map_err(GroupError::into_first));
        }
        outcomes.sort();
        assert_eq!(outcomes, [Ok(0), Ok(1), Ok(3), Err("two")]);
        trace.expect(&["stays", "stays left"]);
    });
}

pub(crate) fn many_failures_under_a_foreign_waker_are_all_told_of<W: World>(world: &mut W) {
    world.run(async {
        let mut set = FuturesUnordered::new();
        set.push(group(async |g| {
            for (after, error) in [(1, "a"), (1, "b"), (2, "c"), (3, "never")] {
                g.spawn(fails(after, error));
            }
            g.spawn(async {
                let _: Result<(), Failed> = group(async |_| pending().await).await;
                Ok(())
            });
            pending::<Result<(), _>>().await
        }));
        let failed = set.next().await.unwrap().unwrap_err();
        assert_eq!(failed.errors()[..2], ["a", "b"]);
    });
}

/// A set of futures polls only what was woken, so the task does not know in each step that a scope is in it.
pub(crate) fn what_goes_on_unwinding_under_foreign_wakers_takes_its_own_task_along_and_no_other<W: World>(
    world: &mut W,
) {
    type Held = Pin<Box<dyn Future<Output = ()>>>;
    world.run(async {
        for shape in ["finally", "group", "scope"] {
            let (go, tick) = (Rc::new(Event::new()), Rc::new(Event::new()));
            let (goes, ticks) = (go.clone(), tick.clone());
            let body = async move {
                goes.wait().await;
                goes.clear();
                goes.wait().await;
                pending::<()>().await;
            };
            let held: Held = match shape {
                "scope" => Box::pin(async move {
                    let left: Result<(), GroupError<()>> = corio::scope(async |s| {
                        s.spawn(async {
                            finally(pending::<()>(), turns(6)).await;
                            Ok(())
                        });
                        body.await;
                        Ok(())
                    })
                    .await;
                    drop(left);
                }),
                "group" => Box::pin(async move {
                    let left: Result<(), GroupError<()>> = group(async |g| {
                        g.spawn(async {
                            finally(pending::<()>(), turns(6)).await;
                            Ok(())
                        });
                        body.await;
                        Ok(())
                    })
                    .await;
                    drop(left);
                }),
                _ => Box::pin(finally(body, turns(9))),
            };
            let task = spawn(async move {
                let ticker: Held = Box::pin(async move {
                    loop {
                        ticks.wait().await;
                        ticks.clear();
                    }
                });
                FuturesUnordered::from_iter([held, ticker]).for_each(async |()| {}).await;
            });
            // Comes to a scope in one step and leaves it in the next.
            let beside = async |from: usize| {
                turns(from).await;
                for _ in 0..12 {
                    yield_now().await;
                    assert_eq!(timeout(LONG, yield_now()).await, Ok(()));
                }
            };
            let others = [spawn(beside(0)), spawn(beside(1))];
            turns(3).await;
            go.set();
            turns(1).await;
            go.set();
            task.cancel();
            for _ in 0..10 {
                turns(2).await;
                tick.set();
            }
            turns(10).await;
            assert!(task.is_done(), "{shape}");
            for other in others {
                assert!(other.is_done(), "{shape}");
                other.await.unwrap();
            }
        }
    });
}

pub(crate) fn a_child_that_panics_counts_as_cancelled<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    let noted = trace.clone();
    let mut parent = None;
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = runner.run(async {
            parent = Some(spawn(async move {
                let left = group(async |g| {
                    g.spawn(stays(&noted, "beside"));
                    let bad: Child<()> = g.spawn(async { std::panic::resume_unwind(Box::new("boom")) });
                    assert_eq!(bad.await, Err(Cancelled));
                    g.cancel_all();
                    Ok::<_, &str>(5)
                });
                left.await
            }));
            turns(5).await;
        });
    }));
    assert!(panicked.is_err());
    let parent = parent.take().unwrap();
    assert_eq!(runner.run(parent).unwrap(), Ok(Ok(5)));
    trace.expect(&["beside", "beside left"]);
}

pub(crate) fn an_eager_child_that_panics_panics_in_the_call<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let left = group(async |g| {
            let panics = || g.spawn_with(EAGER, async { panic!("at once") }) as Child<()>;
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
            g.spawn(gives(1, ()));
            trace.note("goes on");
            Ok::<_, &str>(5)
        });
        assert_eq!(left.await, Ok(5));
        assert_eq!(all_tasks().len(), 1);
        trace.expect(&["goes on"]);
    });
}

pub(crate) fn a_runner_that_goes_takes_groups_and_children_with_it<W: Hosted>(_: &mut W) {
    for after in 0..6 {
        let alive = Rc::new(Cell::new(0));
        for close in [false, true] {
            let mut runner = runner::<W>();
            runner
                .run(async {
                    spawn(program(alive.clone(), None)).detach();
                    turns(after).await;
                })
                .unwrap();
            if close {
                runner.close().unwrap();
            } else {
                drop(runner);
            }
            assert_eq!((alive.get(), Rc::strong_count(&alive)), (0, 1));
        }
    }
}
