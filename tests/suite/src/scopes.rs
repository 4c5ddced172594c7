//! Scopes: timeouts in branches of one task, time limits that are moved, and clean-up that waits.

use core::future::{Future, pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::Poll;

use corio::{
    Cancelled, Duration, Event, NotInForce, Overrun, Task, TimeLimit, TimedOut, finally, now, sleep, timeout,
    timeout_scope, yield_now,
};

use crate::World;
use crate::harness::{Count, LONG, Log, MS, NoteOnDrop, Own, Turns, run, spawn, turns};

/// Both, in one task, polled with its waker.
async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    fn step<F: Future>(future: Pin<&mut F>, done: &mut Option<F::Output>, cx: &mut core::task::Context<'_>) -> bool {
        if done.is_none()
            && let Poll::Ready(output) = future.poll(cx)
        {
            *done = Some(output);
        }
        done.is_some()
    }
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    poll_fn(|cx| {
        let ended = step(a.as_mut(), &mut first, cx) & step(b.as_mut(), &mut second, cx);
        if ended { first.take().zip(second.take()).map_or(Poll::Pending, Poll::Ready) } else { Poll::Pending }
    })
    .await
}

/// Whichever is first; the other is dropped.
async fn either<A: Future, B: Future>(a: A, b: B) -> Result<A::Output, B::Output> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| {
        if let Poll::Ready(output) = a.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        b.as_mut().poll(cx).map(Err)
    })
    .await
}

pub(crate) fn timeouts_in_branches_of_one_task_expire_each_alone<W: World>(world: &mut W) {
    run(world, async {
        let long = || {
            timeout(LONG, async {
                sleep(MS * 2).await;
                1
            })
        };
        let short = || timeout(MS, pending::<u8>());
        assert_eq!(both(long(), short()).await, (Ok(1), Err(TimedOut)));
        assert_eq!(both(short(), long()).await, (Err(TimedOut), Ok(1)));
        assert_eq!(both(short(), short()).await, (Err(TimedOut), Err(TimedOut)));
        assert_eq!(
            both(timeout(LONG, both(long(), short())), short()).await,
            (Ok((Ok(1), Err(TimedOut))), Err(TimedOut))
        );
        yield_now().await;
    });
}

pub(crate) fn a_timeout_that_loses_a_race_as_it_expires_cancels_nobody<W: World>(world: &mut W) {
    run(world, async {
        for zero in [false, true] {
            let deadline = now() + MS;
            let limit = if zero { Duration::ZERO } else { MS };
            let won = if zero {
                either(yield_now(), timeout(limit, pending::<()>())).await
            } else {
                either(corio::sleep_until(deadline), corio::timeout_at(deadline, pending::<()>())).await
            };
            assert_eq!(won, Ok(()));
            turns(2).await;
        }
    });
}

pub(crate) fn a_task_awaited_beside_a_timeout_is_left_alone_when_that_expires<W: World>(world: &mut W) {
    run(world, async {
        for swap in [false, true] {
            let task = spawn(async {
                sleep(MS * 3).await;
                5
            });
            let expires = timeout(MS, pending::<()>());
            let (outcome, expired) = if swap {
                let (expired, outcome) = both(expires, task).await;
                (outcome, expired)
            } else {
                both(task, expires).await
            };
            assert_eq!((outcome, expired), (Ok(5), Err(TimedOut)));
        }
        // And with a task awaited within.
        let (one, two) = (
            spawn(async {
                sleep(MS * 3).await;
                6
            }),
            spawn(pending::<()>()),
        );
        assert_eq!(both(one, timeout(MS, two)).await, (Ok(6), Err(TimedOut)));
    });
}

pub(crate) fn a_request_from_outside_unwinds_all_branches<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let branch = |letter| async move {
            let _left = NoteOnDrop(&LOG, letter);
            pending::<()>().await
        };
        let task = spawn(both(branch(b'a'), branch(b'b')));
        yield_now().await;
        task.cancel();
        assert_eq!(task.await.err(), Some(Cancelled));
        LOG.expect("ba");
        // A timeout around branches is outside of each.
        let branches = both(timeout(LONG, branch(b'c')), timeout(LONG, branch(b'd')));
        assert!(timeout(MS, branches).await.is_err());
        LOG.expect("cd");
    });
}

pub(crate) fn a_time_limit_is_moved_by_its_body<W: World>(world: &mut W) {
    run(world, async {
        let start = now();
        let first = if W::VIRTUAL { MS * 2 } else { LONG };
        let extended = timeout_scope(first, async |t| {
            assert!(t.when().is_some_and(|when| when >= start + first && (!W::VIRTUAL || when == start + first)));
            for _ in 0..3 {
                sleep(MS).await;
                assert_eq!(t.reschedule(now() + LONG), Ok(()));
            }
            assert!(!t.has_expired());
            7
        });
        assert_eq!(extended.await, Ok(7));

        let hurried = timeout_scope(None, async |t| {
            assert_eq!(t.when(), None);
            t.reschedule(now() + MS).unwrap();
            pending::<()>().await
        });
        assert_eq!(hurried.await, Err(TimedOut));

        let past = timeout_scope(LONG, async |t| {
            t.reschedule(now()).unwrap();
            assert!(!t.has_expired());
            yield_now().await;
            unreachable!("its time is up")
        });
        assert_eq!(past.await, Err::<(), _>(TimedOut));

        let free = timeout_scope(MS, async |t| {
            t.reschedule(None).unwrap();
            sleep(MS * 3).await;
            t.when()
        });
        assert_eq!(free.await, Ok(None));
    });
}

pub(crate) fn a_time_limit_is_moved_from_elsewhere<W: World>(world: &mut W) {
    run(world, async {
        // Later, then none at all, then soon, by somebody who only borrows it.
        let limit = TimeLimit::new(if W::VIRTUAL { MS } else { LONG });
        let mover = async {
            assert_eq!(limit.reschedule(now() + LONG), Ok(()));
            turns(1).await;
            assert_eq!(limit.reschedule(None), Ok(()));
            sleep(MS * 2).await;
            assert!(!limit.has_expired());
            assert_eq!(limit.reschedule(now() + MS), Ok(()));
        };
        let (ended, ()) = both(limit.scope(pending::<()>()), mover).await;
        assert_eq!((ended, limit.has_expired()), (Err(TimedOut), true));
        assert_eq!(limit.reschedule(now()), Err(NotInForce));

        let limit = TimeLimit::at(now() + LONG);
        assert_eq!(limit.reschedule(None), Err(NotInForce));
        assert_eq!(limit.scope(async { 4 }).await, Ok(4));
        assert_eq!((limit.has_expired(), limit.reschedule(None)), (false, Err(NotInForce)));
    });
}

pub(crate) fn a_time_limit_whose_scope_is_dropped_is_over<W: World>(world: &mut W) {
    run(world, async {
        let limit = TimeLimit::new(if W::VIRTUAL { MS } else { LONG });
        assert!(either(yield_now(), limit.scope(pending::<()>())).await.is_ok());
        assert_eq!(limit.reschedule(now()), Err(NotInForce));
        sleep(MS * 2).await;
        assert!(!limit.has_expired());
    });
}

/// Clean-up that notes when it begins and ends.
async fn clean(log: &'static Log, waits: usize) {
    log.note(b'(');
    turns(waits).await;
    log.note(b')');
}

pub(crate) fn clean_up_runs_behind_the_body_and_its_output_is_given<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        for waits in [0, 2] {
            let body = async {
                yield_now().await;
                LOG.note(b'b');
                5
            };
            assert_eq!(finally(body, clean(&LOG, waits)).await, 5);
            LOG.expect("b()");
        }
        assert_eq!(finally(async { 6 }, clean(&LOG, 1)).within(LONG).await, Ok(6));
        LOG.expect("()");
    });
}

pub(crate) fn a_cancelled_task_ends_when_its_clean_up_has<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        for times in 1..4 {
            let task = spawn(async {
                let _task = NoteOnDrop(&LOG, b't');
                let body = async {
                    let _body = NoteOnDrop(&LOG, b'b');
                    pending::<()>().await
                };
                finally(body, clean(&LOG, 5)).await;
                LOG.note(b'!');
            });
            yield_now().await;
            // More than one request changes nothing, whenever it comes.
            for _ in 0..times {
                assert!(task.cancel());
                yield_now().await;
            }
            assert_eq!(task.await, Err(Cancelled));
            LOG.expect("b()t");
        }
    });
}

pub(crate) fn clean_ups_nest_and_run_from_the_inside<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let cleanup = finally(clean(&LOG, 1), clean(&LOG, 2));
        let nested = finally(finally(pending::<()>(), clean(&LOG, 2)), cleanup);
        assert_eq!(timeout(MS, nested).await, Err(TimedOut));
        LOG.expect("()()()");
    });
}

pub(crate) fn what_a_clean_up_awaits_is_not_cancelled<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static WORK: Own<Task<()>> = Own::new();
    run(world, async {
        WORK.put(spawn(async {
            turns(4).await;
            LOG.note(b'w');
        }));
        let task = spawn(finally(pending::<()>(), async {
            assert_eq!(WORK.take().await, Ok(()));
            LOG.note(b'c');
        }));
        yield_now().await;
        for _ in 0..3 {
            task.cancel();
            yield_now().await;
        }
        assert_eq!(task.await, Err(Cancelled));
        LOG.expect("wc");
    });
}

pub(crate) fn a_clean_up_that_takes_too_long_is_dropped_and_reported<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static REPORTS: Count = Count::new();
    run(world, async {
        let endless = || async {
            let _left = NoteOnDrop(&LOG, b'x');
            pending::<()>().await
        };
        assert_eq!(finally(async { 5 }, endless()).within(MS).await, Err(Overrun(5)));
        LOG.expect("x");
        let reported = finally(async { 6 }, endless()).within(Duration::ZERO).or_report(|| REPORTS.add());
        assert_eq!((reported.await, REPORTS.get()), (Err(Overrun(6)), 1));
        LOG.expect("x");
        // In a task that is cancelled nobody sees the output.
        let task = spawn(finally(pending::<()>(), endless()).within(MS * 2).or_report(|| REPORTS.add()));
        yield_now().await;
        task.cancel();
        yield_now().await;
        task.cancel();
        assert!(task.await.is_err());
        assert_eq!(REPORTS.get(), 2);
        LOG.expect("x");
        // And in time it is not reported.
        let quick = finally(async { 7 }, turns(1)).within(LONG).or_report(|| REPORTS.add());
        assert_eq!((quick.await, REPORTS.get()), (Ok(7), 2));
    });
}

pub(crate) fn a_cancelled_task_counts_the_turns_of_its_clean_up<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static GO: Event = Event::new();
    run(world, async {
        let turns_ = Turns::start(&TURNS).await;
        let task = spawn(finally(GO.wait(), turns(3)));
        yield_now().await;
        task.cancel();
        // One to unwind, three of the clean-up, one for the join.
        assert_eq!(turns_.of(task).await, 5);
    });
}
