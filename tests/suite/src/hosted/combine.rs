//! Tasks waited for together: `gather`, `wait`, `as_completed`, `shield`, `cancel_and_wait`.

use core::cell::RefCell;
use core::future::{Future, pending, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

use corio::{
    Cancelled, Duration, GatherError, Task, TimedOut, Until, as_completed, cancel_and_wait, gather, select, shield,
    sleep, spawn, timeout, try_gather, wait, yield_now,
};
use futures_util::future::join_all;

use super::{Hosted, Trace, Wakes, leak, runner};
use crate::World;
use crate::harness::{Count, MS, Turns, turns};

/// A task that ends after `n` turns, with `n`.
fn after(n: usize) -> Task<usize> {
    spawn(async move {
        turns(n).await;
        n
    })
}

fn fallible<T: 'static, E: 'static>(n: usize, result: Result<T, E>) -> Task<Result<T, E>> {
    spawn(async move {
        turns(n).await;
        result
    })
}

/// A task that stays, with a guard.
fn stays(trace: &Trace, name: &str) -> Task<()> {
    let guard = trace.on_drop(name);
    spawn(async move {
        let _guard = guard;
        pending().await
    })
}

pub(crate) fn gather_gives_all_values_two_turns_after_the_last_has_ended<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    world.run(async {
        let loop_turns = Turns::start(&TURNS).await;
        // One turn for the first step, four, and two for the callback and the one who waits.
        let before = loop_turns.now();
        assert_eq!(gather([after(4), after(0), after(2)]).await, Ok([4, 0, 2]));
        assert_eq!(loop_turns.now() - before, 7);
        assert_eq!(gather((after(1), spawn(async { "one" }))).await, Ok((1, "one")));
        assert_eq!(gather(Vec::<Task<u8>>::new()).await, Ok(vec![]));
        let mut lent = [after(1), after(2)];
        assert_eq!(gather(lent.iter().collect::<Vec<_>>()).await, Ok(vec![&1, &2]));
        // All have ended: no turn at all, even for one that is there twice.
        let before = loop_turns.now();
        assert_eq!(gather((&lent[0], &lent[1], &lent[0])).await, Ok((&1, &2, &1)));
        assert_eq!(gather(lent.iter_mut().collect::<Vec<_>>()).await, Ok(vec![1, 2]));
        assert_eq!(loop_turns.now() - before, 0);
    });
}

pub(crate) fn a_gather_is_polled_twice_however_many_tasks_it_has<W: World>(world: &mut W) {
    world.run(async {
        let mut polls = 0;
        let mut all = gather((0..100).map(after).collect::<Vec<_>>());
        let values = poll_fn(|cx| {
            polls += 1;
            Pin::new(&mut all).poll(cx)
        });
        assert_eq!(values.await, Ok((0..100).collect()));
        assert_eq!(polls, 2);
    });
}

pub(crate) fn the_first_that_is_cancelled_ends_a_gather_and_the_others_go_on<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let (a, b) = (stays(&trace, "a"), stays(&trace, "b"));
        let (first, second) = (a.id(), b.id());
        let canceller = spawn(async move { first.cancel() });
        assert_eq!(gather((a, b)).await, Err(Cancelled));
        trace.expect(&["a"]);
        assert!(canceller.is_done() && !second.is_done());
        second.cancel();
        turns(2).await;
        trace.expect(&["b"]);
    });
}

pub(crate) fn the_first_error_ends_a_try_gather_and_the_others_go_on<W: World>(world: &mut W) {
    world.run(async {
        let late = fallible(9, Ok('l'));
        let id = late.id();
        let outcome = try_gather((fallible(3, Err::<u8, _>("late")), fallible(1, Err::<(), _>("early")), late)).await;
        assert_eq!(outcome, Err(GatherError::Failed("early")));
        assert!(!id.is_done() && id.cancelling() == 0);
        assert_eq!(try_gather([fallible(1, Ok::<_, u8>('a')), fallible(0, Ok('b'))]).await, Ok(['a', 'b']));
        let cancelled = fallible(9, Ok::<u8, u8>(1));
        cancelled.cancel();
        assert_eq!(try_gather(vec![fallible(9, Err(2)), cancelled]).await, Err(GatherError::Cancelled));
        let both = [fallible(1, Ok::<u8, u8>(1)), fallible(2, Err(2))];
        assert_eq!(try_gather([&both[0], &both[1]]).await, Err(GatherError::Failed(&2)));
        assert_eq!(gather(both).outcomes().await, [Ok(Ok(1)), Ok(Err(2))]);
    });
}

pub(crate) fn a_cancelled_gather_cancels_its_tasks_and_waits_for_them<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    world.run(async {
        let loop_turns = Turns::start(&TURNS).await;
        let trace = Trace::default();
        let (lent, given) = (Rc::new(stays(&trace, "lent")), stays(&trace, "given"));
        let guard = trace.on_drop("outer");
        let outer = spawn({
            let lent = lent.clone();
            async move {
                let _guard = guard;
                let _ = gather((&*lent, given)).outcomes().await;
                unreachable!("it unwinds");
            }
        });
        yield_now().await;
        let before = loop_turns.now();
        assert!(outer.cancel());
        assert_eq!(outer.await, Err(Cancelled));
        // The tasks in the first turn, the callback in the second, the task that waits in the third, and then its awaiter.
        assert_eq!(loop_turns.now() - before, 4);
        trace.expect(&["lent", "given", "outer"]);
        assert_eq!(lent.outcome(), Some(Err(Cancelled)));
    });
}

pub(crate) fn a_gather_that_is_dropped_drops_what_it_was_given<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let lent = after(3);
        drop(gather((stays(&trace, "never polled"), &lent)));
        turns(2).await;
        trace.expect(&["never polled"]);
        assert_eq!(
            timeout(MS, select((gather((stays(&trace, "polled"), &lent)), yield_now()))).await.map(drop),
            Ok(())
        );
        turns(2).await;
        trace.expect(&["polled"]);
        assert_eq!(lent.await, Ok(3));
    });
}

pub(crate) fn what_is_leaked_looks_at_no_task_that_is_gone<W: World>(world: &mut W) {
    world.run(async {
        for _ in 0..3 {
            let (a, b) = (after(2), fallible(2, Err::<String, _>("gone".to_owned())));
            {
                let mut leaked: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = vec![
                    Box::pin(async {
                        let _ = gather((&a, &b)).await;
                    }),
                    Box::pin(async {
                        let _ = try_gather([&b]).await;
                    }),
                    Box::pin(async {
                        let _ = wait([&b, &b], Until::first_error(), MS).await;
                    }),
                    Box::pin(async {
                        let _ = as_completed([&a]).within(MS).next().await;
                    }),
                    Box::pin(async {
                        let _ = shield(&b).await;
                    }),
                ];
                for future in &mut leaked {
                    let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
                    assert!(polled.is_pending());
                }
                leak(leaked);
            }
            // They end, are freed, and their slots are used again before the callbacks are run.
            turns(3).await;
            drop((a, b));
            let others: Vec<_> = (0..4).map(|n| fallible(n, Ok::<usize, ()>(n))).collect();
            assert_eq!(try_gather(others).await, Ok(vec![0, 1, 2, 3]));
            sleep(MS * 2).await;
        }
    });
}

pub(crate) fn combinators_of_tasks_work_under_foreign_wakers<W: World>(world: &mut W) {
    world.run(async {
        let gathers = (0..40).map(|n| gather([after(n % 7), after(n % 3)]));
        for (n, values) in join_all(gathers).await.into_iter().enumerate() {
            assert_eq!(values, Ok([n % 7, n % 3]));
        }
        let waits = (0..40).map(|n| wait([after(n % 7), after(9)], Until::FirstCompleted, None));
        for waited in join_all(waits).await {
            assert_eq!((waited.done.len(), waited.pending.len()), (1, 1));
        }
        let (wakes, waker) = Wakes::new();
        let mut shielded = shield(after(1));
        assert!(Pin::new(&mut shielded).poll(&mut Context::from_waker(&waker)).is_pending());
        turns(3).await;
        assert_eq!(wakes.take(), 1);
        assert_eq!(Pin::new(&mut shielded).poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(1)));
    });
}

pub(crate) fn a_gather_dropped_by_the_waker_that_it_calls<W: World>(world: &mut W) {
    /// Drops what is in it when woken.
    struct Drops(std::thread::ThreadId, RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>);

    // It is woken on its own thread, as it asserts.
    struct Checked(Drops);
    #[expect(unsafe_code, reason = "a waker that stays on its thread")]
    // SAFETY: `wake` looks at the thread first.
    unsafe impl Send for Checked {}
    #[expect(unsafe_code, reason = "a waker that stays on its thread")]
    // SAFETY: as above.
    unsafe impl Sync for Checked {}

    impl Wake for Checked {
        fn wake(self: Arc<Self>) {
            assert_eq!(self.0.0, std::thread::current().id());
            drop(self.0.1.take());
        }
    }

    world.run(async {
        let futures: [Pin<Box<dyn Future<Output = ()>>>; 3] = [
            Box::pin(async {
                let _ = gather([after(1), after(0)]).await;
            }),
            Box::pin(async {
                let _ = wait([after(1)], Until::All, None).await;
            }),
            Box::pin(async {
                let _ = as_completed([after(1), after(1)]).within(MS).next().await;
            }),
        ];
        for future in futures {
            let drops = Arc::new(Checked(Drops(std::thread::current().id(), RefCell::new(Some(future)))));
            let waker = drops.clone().into();
            let polled =
                drops.0.1.borrow_mut().as_mut().map(|future| future.as_mut().poll(&mut Context::from_waker(&waker)));
            assert_eq!(polled, Some(Poll::Pending));
            turns(5).await;
            assert!(drops.0.1.borrow().is_none());
        }
    });
}

pub(crate) fn what_was_waited_for_on_a_loop_that_has_ended_is_had_on_the_next<W: Hosted>(_: &mut W) {
    let mut first = runner::<W>();
    let (done, stayed) = (first.handle().spawn(async { 5 }), first.handle().spawn(pending::<u8>()));
    let mut all = gather((&done, &stayed)).outcomes();
    let any = wait([&stayed], Until::All, None);
    let mut shielded = shield(&stayed);
    let mut ended = None;
    let mut any = core::pin::pin!(any);
    first
        .run(poll_fn(|cx| {
            assert!(Pin::new(&mut all).poll(cx).is_pending());
            assert!(any.as_mut().poll(cx).is_pending());
            assert!(Pin::new(&mut shielded).poll(cx).is_pending());
            ended = Some(as_completed([&stayed]).within(Duration::from_secs(1000)));
            Poll::Ready(())
        }))
        .unwrap();
    drop(first);
    runner::<W>()
        .run(async {
            assert_eq!(all.await, (Ok(&5), Err(Cancelled)));
            assert_eq!(any.await.done.len(), 1);
            assert_eq!(shielded.await, Err(Cancelled));
            let mut ended = ended.take().expect("made above");
            assert!(matches!(ended.next().await, Some(Ok(_))));
            assert!(ended.next().await.is_none());
        })
        .unwrap();
}

pub(crate) fn wait_tells_who_has_ended_and_cancels_nobody<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    world.run(async {
        let loop_turns = Turns::start(&TURNS).await;
        let names =
            |tasks: &[Task<usize>]| tasks.iter().filter_map(|task| task.outcome()?.ok().copied()).collect::<Vec<_>>();
        let before = loop_turns.now();
        let waited = wait([after(5), after(1), after(2)], Until::FirstCompleted, None).await;
        assert_eq!(loop_turns.now() - before, 4);
        // Judged when the one who waits goes on: the third has ended meanwhile.
        assert_eq!((names(&waited.done), waited.pending.len()), (vec![1, 2], 1));
        let waited = wait(waited.pending, Until::All, None).await;
        assert_eq!((names(&waited.done), waited.pending.len()), (vec![5], 0));
        // Even for those that have ended it takes two turns.
        let before = loop_turns.now();
        assert_eq!(wait(&waited.done, Until::All, None).await.done.len(), 1);
        assert_eq!(loop_turns.now() - before, 2);
        let twice = [&waited.done[0], &waited.done[0]];
        assert_eq!(wait(twice, Until::All, None).await.done.len(), 1);
        assert!(wait(Vec::<Task<u8>>::new(), Until::All, None).await.done.is_empty());
    });
}

pub(crate) fn wait_ends_with_the_first_error_or_in_time<W: World>(world: &mut W) {
    world.run(async {
        let tasks = [fallible(1, Ok(1)), fallible(3, Err("no")), spawn(pending())];
        let waited = wait(&tasks, Until::first_error(), None).await;
        assert_eq!((waited.done.len(), waited.pending.len()), (2, 1));
        let waited = wait(&tasks[2..], Until::first_error(), MS).await;
        assert_eq!((waited.done.len(), waited.pending.len()), (0, 1));
        let waited = wait(&tasks[2..], Until::All, Duration::ZERO).await;
        assert_eq!((waited.done.len(), waited.pending.len()), (0, 1));
        let long = wait(&tasks[..2], Until::First(|outcome| outcome == Ok(&Err("no"))), Duration::MAX).await;
        assert_eq!((long.done.len(), long.pending.len()), (2, 0));
    });
}

pub(crate) fn a_cancelled_wait_leaves_its_tasks_alone<W: World>(world: &mut W) {
    world.run(async {
        let task = Rc::new(after(9));
        let lent = task.clone();
        let waiter = spawn(async move { wait([&*lent], Until::All, None).await.done.len() });
        turns(2).await;
        waiter.cancel();
        yield_now().await;
        assert!(waiter.is_done() && !task.is_done());
        assert_eq!(wait([&*task], Until::All, None).await.done.len(), 1);
        assert_eq!(task.outcome(), Some(Ok(&9)));
    });
}

pub(crate) fn as_completed_hands_tasks_out_as_they_end<W: World>(world: &mut W) {
    world.run(async {
        let mut order = Vec::new();
        let mut ended = as_completed([after(5), after(1), after(3)]);
        while let Some(task) = ended.next().await {
            order.push(task.await);
            // A slow one finds the next in the line.
            turns(3).await;
        }
        assert_eq!(order, [Ok(1), Ok(3), Ok(5)]);
        assert!(ended.next().await.is_none());
        let lent = [after(2), after(1)];
        let mut ended = as_completed(lent.iter().chain(&lent));
        assert_eq!(ended.next().await.and_then(Task::outcome), Some(Ok(&1)));
        assert_eq!(ended.next().await.and_then(Task::outcome), Some(Ok(&2)));
        assert!(ended.next().await.is_none());
    });
}

pub(crate) fn a_next_that_is_dropped_loses_no_task<W: World>(world: &mut W) {
    world.run(async {
        let mut ended = as_completed([after(2), after(4)]);
        assert!(timeout(Duration::ZERO, ended.next()).await.is_err());
        let mut names = Vec::new();
        for _ in 0..20 {
            select((async { names.push(ended.next().await.map(|task| task.outcome().is_some())) }, turns(1))).await;
        }
        names.retain(Option::is_some);
        assert_eq!(names, [Some(true), Some(true)]);
    });
}

pub(crate) fn the_time_is_up_for_each_task_that_has_not_ended<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        // The first has ended before the time begins to run.
        let over = spawn(async {});
        turns(2).await;
        let mut ended = as_completed([over, stays(&trace, "a"), stays(&trace, "b")]).within(MS);
        assert!(matches!(ended.next().await, Some(Ok(_))));
        // It is up while nobody asks.
        sleep(MS * 3).await;
        for _ in 0..2 {
            assert!(matches!(ended.next().await, Some(Err(TimedOut))));
        }
        assert!(ended.next().await.is_none());
        trace.expect(&[]);
        drop(ended);
        turns(2).await;
        trace.expect(&["a", "b"]);
        let mut all = as_completed([after(1)]).within(Duration::MAX);
        assert!(matches!(all.next().await, Some(Ok(_))));
        assert!(all.next().await.is_none());
    });
}

pub(crate) fn a_shield_keeps_a_cancellation_from_the_task<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let guard = trace.on_drop("outer");
        let mut task = after(6);
        let inner = task.id();
        let outer = spawn(async move {
            let _guard = guard;
            shield(task).await
        });
        turns(2).await;
        outer.cancel();
        yield_now().await;
        trace.expect(&["outer"]);
        assert!(!inner.is_done() && inner.cancelling() == 0);
        task = after(2);
        assert_eq!(timeout(Duration::ZERO, shield(&task)).await, Err(TimedOut));
        assert_eq!(shield(&mut task).await, Ok(2));
        let cancelled = spawn(pending::<()>());
        cancelled.cancel();
        assert_eq!(shield(&cancelled).await, Err(Cancelled));
        // At once, for one that has ended.
        assert_eq!(shield(cancelled).await, Err(Cancelled));
    });
}

pub(crate) fn cancel_and_wait_is_over_when_the_guards_have_run<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let task = stays(&trace, "guard");
        yield_now().await;
        assert_eq!(cancel_and_wait(&task).await, Err(Cancelled));
        trace.expect(&["guard"]);
        // What has ended is left as it is, and what has not begun never does.
        let mut done = after(0);
        done.ended().await;
        assert_eq!(cancel_and_wait(&mut done).await, Ok(0));
        assert_eq!(cancel_and_wait(spawn(async { unreachable!("it was cancelled") })).await, Err::<(), _>(Cancelled));
    });
}
