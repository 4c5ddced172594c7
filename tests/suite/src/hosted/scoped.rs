//! Scopes whose children borrow: who is polled when, who is dropped when, and that nobody is left.

use core::cell::{Cell, RefCell};
use core::future::{Future, pending, poll_fn};
use core::mem::ManuallyDrop;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

use corio::{
    Cancelled, Event, GroupError, Scope, TimedOut, all_tasks, current_task, finally, group, scope, sleep, spawn,
    timeout, yield_now,
};
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::{Trace, Wakes};
use crate::World;
use crate::harness::{LONG, MS, turns};

type Failed = GroupError<&'static str>;

async fn stays(trace: &Trace, name: &'static str) -> Result<(), &'static str> {
    let _left = trace.on_drop(format!("{name} left"));
    trace.note(name);
    pending().await
}

async fn fails(after: usize, error: &'static str) -> Result<(), &'static str> {
    turns(after).await;
    Err(error)
}

pub(crate) fn children_borrow_and_bring_more<W: World>(world: &mut W) {
    world.run(async {
        let words = [String::from("a"), String::from("bc")];
        let (mut last, seen) = (String::new(), RefCell::new(Vec::new()));
        let sum = scope(async |s| {
            let lengths = words.each_ref().map(|word| {
                s.spawn(async {
                    seen.borrow_mut().push(word.as_str());
                    sleep(MS).await;
                    Ok(word.len())
                })
            });
            let (more, seen, last) = (s.handle(), &seen, &mut last);
            s.spawn(async move {
                more.spawn(async {
                    seen.borrow_mut().push("within");
                    Ok(())
                });
                last.push_str("end");
                yield_now().await;
                Ok(())
            });
            seen.borrow_mut().push("body");
            let mut sum = 0;
            for length in lengths {
                sum += length.await.unwrap();
            }
            Ok::<_, &str>(sum)
        });
        assert_eq!(sum.await, Ok(3));
        assert_eq!((last.as_str(), seen.into_inner()), ("end", vec!["body", "a", "bc", "within"]));
    });
}

pub(crate) fn the_first_failure_unwinds_the_others_in_order_and_then_the_body<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let failed: Result<(), Failed> = scope(async |s| {
            s.spawn(stays(&trace, "a"));
            let bad = s.spawn(fails(2, "e"));
            s.spawn(async {
                // It has begun to wait for the other, which does not fail twice.
                assert_eq!(bad.await, Err(Cancelled));
                Ok(())
            });
            s.spawn(stays(&trace, "b"));
            s.spawn(fails(2, "beside it is unwound"));
            let _left = trace.on_drop("body left");
            pending().await
        })
        .await;
        assert_eq!(failed.unwrap_err().errors(), ["e"]);
        trace.expect(&["a", "b", "a left", "b left", "body left"]);
        let failed: Result<(), Failed> = scope(async |s| {
            s.spawn(fails(0, "unwound before its first step"));
            Err("body")
        })
        .await;
        assert_eq!(failed.unwrap_err().errors(), ["body"]);
    });
}

pub(crate) fn what_waits_as_it_unwinds_is_waited_for<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let body_left = Event::new();
        let failed: Result<(), Failed> = scope(async |s| {
            let rest = async {
                body_left.wait().await;
                sleep(MS * 2).await;
            };
            s.spawn(finally(pending::<Result<(), &str>>(), rest).noting(&trace, "child"));
            s.spawn(async {
                sleep(MS).await;
                Err::<(), _>("e")
            });
            let rest = async {
                sleep(MS * 2).await;
                body_left.set();
            };
            finally(pending::<Result<(), &str>>(), rest).noting(&trace, "body").await
        })
        .await;
        assert_eq!(failed.unwrap_err().errors(), ["e"]);
        trace.note("over");
        trace.expect(&["body", "child", "over"]);
    });
}

/// Notes when a future is gone.
trait Noting: Sized {
    async fn noting(self, trace: &Trace, name: &'static str) -> Result<(), &'static str>;
}

impl<F: Future> Noting for F {
    async fn noting(self, trace: &Trace, name: &'static str) -> Result<(), &'static str> {
        let _left = trace.on_drop(name);
        self.await;
        Ok(())
    }
}

/// Children that end, fail, wait for each other; a group in one, and a scope in another.
async fn program(alive: &Cell<usize>, fail: &bool) -> Result<usize, Failed> {
    struct Alive<'a>(&'a Cell<usize>);
    impl Drop for Alive<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let begins = || {
        alive.set(alive.get() + 1);
        Alive(alive)
    };
    scope(async |s: &Scope<'_, &'static str>| {
        let (one, two, three, body) = (begins(), begins(), begins(), begins());
        let first = s.spawn(async move {
            let _alive = one;
            group(async |g| {
                g.spawn(async {
                    turns(1).await;
                    Ok::<_, &str>(())
                });
                turns(1).await;
                Ok(())
            })
            .await
            .map_err(|_| "inner")?;
            Ok(1)
        });
        let second = s.spawn(async move {
            let _alive = two;
            Ok(first.await.unwrap_or(0) + 1)
        });
        s.spawn(async move {
            let _alive = three;
            let inner = scope(async |s| {
                s.spawn(async {
                    turns(3).await;
                    if *fail { Err("e") } else { Ok(()) }
                });
                Ok(())
            });
            inner.await.map_err(|failed| failed.into_first())
        });
        let sum = second.await.unwrap_or(0);
        turns(2).await;
        drop(body);
        Ok(sum)
    })
    .await
}

pub(crate) fn cancelled_at_each_turn_the_task_waits_for_all<W: World>(world: &mut W) {
    world.run(async {
        for fail in [false, true] {
            for after in 0..24 {
                let alive = Rc::new(Cell::new(0));
                let within = alive.clone();
                let parent = spawn(async move {
                    let outcome = program(&within, &fail).await;
                    assert_eq!(within.get(), 0, "a child is left");
                    yield_now().await;
                    outcome
                });
                turns(after).await;
                let cancelled = parent.cancel();
                let outcome = parent.await;
                assert_eq!((alive.get(), Rc::strong_count(&alive)), (0, 1));
                match outcome {
                    Err(Cancelled) => assert!(cancelled),
                    Ok(Ok(sum)) => assert!(!cancelled && !fail && sum == 2),
                    Ok(Err(failed)) => {
                        assert!(!cancelled && fail && failed.errors() == ["e"], "{after} {cancelled} {fail} {failed:?}")
                    }
                }
                turns(3).await;
                assert_eq!(all_tasks().len(), 1);
            }
        }
    });
}

pub(crate) fn dropped_at_each_poll_it_drops_the_body_and_then_the_children<W: World>(world: &mut W) {
    world.run(async {
        for fail in [false, true] {
            for after in 0..16 {
                let alive = Cell::new(0);
                {
                    let mut running = pin!(program(&alive, &fail));
                    for _ in 0..after {
                        if poll_fn(|cx| Poll::Ready(running.as_mut().poll(cx).is_ready())).await {
                            break;
                        }
                        yield_now().await;
                    }
                }
                assert_eq!(alive.get(), 0);
                turns(3).await;
                assert_eq!(all_tasks().len(), 1);
            }
        }
        let trace = Trace::default();
        timeout(MS, async {
            scope(async |s| {
                s.spawn(stays(&trace, "a"));
                s.spawn(stays(&trace, "b"));
                let _left = trace.on_drop("body left");
                pending::<Result<(), &str>>().await
            })
            .await
        })
        .await
        .unwrap_err();
        trace.expect(&["a", "b", "body left", "a left", "b left"]);
    });
}

pub(crate) fn an_idle_child_is_not_polled<W: World>(world: &mut W) {
    world.run(async {
        let (polls, gate) = (Cell::new(0), Event::new());
        let done = scope(async |s| {
            s.spawn(async {
                let mut wait = pin!(gate.wait());
                poll_fn(|cx| {
                    polls.set(polls.get() + 1);
                    wait.as_mut().poll(cx)
                })
                .await;
                Ok(())
            });
            s.spawn(async {
                turns(9).await;
                gate.set();
                Ok(())
            });
            turns(9).await;
            Ok::<_, ()>(())
        });
        done.await.unwrap();
        assert_eq!(polls.get(), 2);
    });
}

pub(crate) fn children_are_the_task_and_their_timeouts_are_their_own<W: World>(world: &mut W) {
    world.run(async {
        let me = current_task();
        let done = scope(async |s| {
            let late = s.spawn(async {
                assert_eq!(current_task(), me);
                Ok(timeout(MS, pending::<()>()).await)
            });
            let in_time = s.spawn(async { Ok(timeout(LONG, sleep(MS * 2)).await) });
            assert_eq!(late.await, Ok(Err(TimedOut)));
            assert_eq!(in_time.await, Ok(Ok(())));
            Ok::<_, ()>(())
        });
        done.await.unwrap();
        assert_eq!(me.map(|me| me.cancelling()), Some(0));
    });
}

pub(crate) fn a_cancelled_child_of_a_scope_has_not_failed<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let left = scope(async |s| {
            let child = s.spawn(stays(&trace, "c"));
            turns(2).await;
            assert!(child.cancel() && !child.is_done());
            assert_eq!(child.await, Err(Cancelled));
            let all = s.spawn(stays(&trace, "d"));
            turns(2).await;
            s.cancel_all();
            assert!(s.is_closed() && s.spawn(stays(&trace, "e")).is_done());
            assert_eq!(all.await, Err(Cancelled));
            assert!(s.is_empty());
            Ok::<_, &str>("fine")
        });
        assert_eq!(left.await, Ok("fine"));
        trace.expect(&["c", "c left", "d", "d left"]);
    });
}

pub(crate) fn a_forgotten_scope_runs_no_child_again<W: World>(world: &mut W) {
    world.run(async {
        let (polls, gate) = (Rc::new(Cell::new(0)), Rc::new(Event::new()));
        let mut forgotten = {
            let (polls, gate) = (polls.clone(), gate.clone());
            // As good as forgotten, until the end of the test.
            ManuallyDrop::new(Box::pin(async move {
                scope(async |s| {
                    s.spawn(async {
                        gate.wait().await;
                        polls.set(polls.get() + 1);
                        Ok::<_, ()>(())
                    });
                    pending::<Result<(), ()>>().await
                })
                .await
            }))
        };
        let (wakes, waker) = Wakes::new();
        for _ in 0..3 {
            assert!(forgotten.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            turns(2).await;
        }
        gate.set();
        turns(5).await;
        assert_eq!(polls.get(), 0);
        drop(wakes);
        drop(ManuallyDrop::into_inner(forgotten));
        assert_eq!((Rc::strong_count(&polls), Rc::strong_count(&gate)), (1, 1));
    });
}

pub(crate) fn scopes_work_under_foreign_wakers_and_without_a_loop<W: World>(world: &mut W) {
    let brief = || {
        scope(async |s: &Scope<'_, &str>| {
            let one = s.spawn(async {
                let mut polled = false;
                poll_fn(move |cx| {
                    cx.waker().wake_by_ref();
                    if core::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                Ok(1)
            });
            Ok(one.await.unwrap() + 1)
        })
    };
    {
        let waker = Wakes::new().1;
        let mut outside = pin!(brief());
        let mut polls = 0;
        loop {
            polls += 1;
            if let Poll::Ready(value) = outside.as_mut().poll(&mut Context::from_waker(&waker)) {
                assert_eq!(value, Ok(2));
                break;
            }
            assert!(polls < 9);
        }
        let mut failing = pin!(scope(async |s| {
            s.spawn(async { Err::<(), _>("e") });
            pending::<Result<(), &str>>().await
        }));
        assert!(failing.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    }
    world.run(async {
        let mut set: FuturesUnordered<_> = (0..3).map(|_| program_alone()).collect();
        while let Some(outcome) = set.next().await {
            assert_eq!(outcome, Ok(2));
        }
        assert_eq!(brief().await, Ok(2));
    });
}

async fn program_alone() -> Result<usize, Failed> {
    program(&Cell::new(0), &false).await
}

pub(crate) fn what_the_body_awaits_is_cancelled_with_the_task<W: World>(world: &mut W) {
    world.run(async {
        let other = Rc::new(spawn(pending::<()>()));
        let within = other.clone();
        let parent = spawn(async move {
            scope(async |s| {
                s.spawn(pending::<Result<(), ()>>());
                within.ended().await;
                Ok(())
            })
            .await
        });
        turns(3).await;
        parent.cancel();
        assert_eq!(parent.await.unwrap_err(), Cancelled);
        assert_eq!(other.outcome(), Some(Err(Cancelled)));
    });
}

pub(crate) fn who_awaits_a_child_from_outside_hears_of_it_when_the_scope_is_dropped<W: World>(world: &mut W) {
    world.run(async {
        let child = Rc::new(Cell::new(None));
        let within = child.clone();
        let mut dropped = Box::pin(scope::<(), (), _>(async move |s| {
            within.set(Some(s.spawn(pending::<Result<(), ()>>())));
            pending().await
        }));
        assert!(poll_fn(|cx| Poll::Ready(dropped.as_mut().poll(cx))).await.is_pending());
        let waits = spawn(child.take().unwrap());
        turns(2).await;
        assert!(!waits.is_done());
        drop(dropped);
        assert_eq!(waits.await, Ok(Err(Cancelled)));
    });
}

std::thread_local! {
    /// A scope that goes when its waker is called.
    static GOES: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>> = const { RefCell::new(None) };
}

struct Goes;

impl Wake for Goes {
    fn wake(self: Arc<Self>) {
        drop(GOES.take());
    }
}

pub(crate) fn a_waker_that_is_the_end_of_its_scope<W: World>(world: &mut W) {
    world.run(async {
        for by_cancel in [false, true] {
            let (event, child) = (Rc::new(Event::new()), Rc::new(Cell::new(None)));
            let (waits, within) = (event.clone(), child.clone());
            let mut goes: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
                let _never: Result<(), GroupError<()>> = scope(async |s| {
                    within.set(Some(s.spawn(async move {
                        waits.wait().await;
                        Ok(())
                    })));
                    pending().await
                })
                .await;
            });
            let waker = Arc::new(Goes).into();
            assert!(goes.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            // The first wake, of the new child, is over.
            assert!(goes.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            GOES.set(Some(goes));
            let child = child.take();
            if by_cancel {
                assert!(child.is_some_and(|child| child.cancel()));
            } else {
                drop(child);
                event.set();
                turns(2).await;
            }
            assert!(GOES.take().is_none());
        }
    });
}
