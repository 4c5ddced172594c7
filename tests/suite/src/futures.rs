//! `Future`: one value, for all who await it.

use core::pin::pin;

use corio::{Cancelled, Event, Future, TimedOut, timeout, yield_now};

use crate::World;
use crate::harness::{Bell, Count, Local, Log, MS, NoteOnDrop, Turns, counted, poll, poll_opt, run, spawn, turns};

pub(crate) fn a_value_is_set_once_and_seen_by_all<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let future = Future::new();
        assert!(!future.is_done() && future.outcome().is_none());
        assert!(future.set(1) == Ok(()));
        assert!(future.set(2) == Err(2), "it comes back");
        assert!(!future.cancel() && future.is_done() && !future.is_cancelled());
        assert!(loop_turns.of(async { assert!((&future).await == Ok(&1)) }).await == 0);
        assert!(future.wait().await == Ok(&1) && future.outcome() == Some(Ok(&1)));
        assert!(future.into_outcome() == Some(Ok(1)));
    });
}

pub(crate) fn a_future_that_was_cancelled_has_no_value<W: World>(world: &mut W) {
    run(world, async {
        let future = Future::new();
        assert!(future.cancel() && !future.cancel());
        assert!(future.is_done() && future.is_cancelled());
        assert!(future.set(1) == Err(1));
        assert!((&future).await == Err(Cancelled) && future.into_outcome() == Some(Err(Cancelled)));
        assert!(Future::<u8>::new().into_outcome().is_none());
    });
}

pub(crate) fn awaiters_go_on_in_order_of_arrival_one_turn_later<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static POLLS: [Count; 3] = [const { Count::new() }; 3];
    static LOG: Log = Log::new();
    static FUTURE: Local<Future<u32>> = Local(Future::new());
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let tasks = [0, 1, 2].map(|i| {
            spawn(async move {
                let set = counted(&POLLS[usize::from(i)], FUTURE.0.wait()).await;
                LOG.note(b'a' + i);
                TURNS.get() - set.unwrap_or(&0)
            })
        });
        turns(10).await;
        assert!(FUTURE.0.set(loop_turns.now()).is_ok());
        for task in tasks {
            assert!(task.await == Ok(1));
        }
        LOG.expect("abc");
        assert!(POLLS.iter().all(|polls| polls.get() == 2));
    });
}

pub(crate) fn cancelling_an_awaiter_cancels_the_future_for_all<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static FUTURE: Local<Future<u8>> = Local(Future::new());
    run(world, async {
        let [a, b] = [b'a', b'b'].map(|letter| {
            spawn(async move {
                let _guard = NoteOnDrop(&LOG, letter - 32);
                let outcome = (&FUTURE.0).await;
                LOG.note(letter);
                outcome.copied()
            })
        });
        yield_now().await;
        assert!(b.cancel());
        assert!(FUTURE.0.is_cancelled(), "at once");
        // In order of arrival: who is not cancelled itself sees it and goes on.
        assert!(a.await == Ok(Err(Cancelled)));
        assert!(b.await == Err(Cancelled));
        LOG.expect("aAB");
    });
}

pub(crate) fn a_cancel_behind_the_set_unwinds_the_awaiter_and_leaves_the_value<W: World>(world: &mut W) {
    static FUTURE: Local<Future<u8>> = Local(Future::new());
    run(world, async {
        let task = spawn(async { FUTURE.0.wait().await.copied() });
        yield_now().await;
        assert!(FUTURE.0.set(5).is_ok() && task.cancel());
        assert!(task.await == Err(Cancelled));
        assert!((&FUTURE.0).await == Ok(&5));
    });
}

pub(crate) fn a_timeout_around_an_await_cancels_the_future<W: World>(world: &mut W) {
    run(world, async {
        let future = Future::<u8>::new();
        assert!(timeout(MS, &future).await == Err(TimedOut));
        assert!(future.is_cancelled());
    });
}

pub(crate) fn an_awaiter_that_waits_for_something_else_meanwhile_leaves_the_future_be<W: World>(world: &mut W) {
    static FUTURE: Local<Future<u8>> = Local(Future::new());
    static EVENT: Event = Event::new();
    static BELL: Bell = Bell::new();
    run(world, async {
        let task = spawn(async {
            let mut wait = pin!(Some(FUTURE.0.wait()));
            core::future::poll_fn(|cx| {
                assert!(
                    wait.as_mut().as_pin_mut().is_some_and(|wait| core::future::Future::poll(wait, cx).is_pending())
                );
                core::task::Poll::Ready(())
            })
            .await;
            wait.set(None);
            EVENT.wait().await;
        });
        yield_now().await;
        assert!(task.cancel());
        assert!(task.await == Err(Cancelled));
        assert!(!FUTURE.0.is_done());
        assert!(poll(pin!(FUTURE.0.wait()), &BELL).is_none());
        assert!(FUTURE.0.set(1).is_ok() && !BELL.rang());
    });
}

pub(crate) fn an_awaiter_dropped_at_any_stage_leaves_the_others_be<W: World>(_: &mut W) {
    static BELLS: [Bell; 3] = [const { Bell::new() }; 3];
    let future = Future::new();
    let mut a = pin!(Some(future.wait()));
    let mut b = pin!(Some(future.wait()));
    let mut c = pin!(Some(future.wait()));
    drop(future.wait());
    assert!(poll_opt(a.as_mut(), &BELLS[0]).is_none());
    assert!(poll_opt(b.as_mut(), &BELLS[1]).is_none());
    assert!(poll_opt(c.as_mut(), &BELLS[2]).is_none());
    // While waiting.
    a.set(None);
    assert!(future.set(7).is_ok());
    assert!(!BELLS[0].rang() && BELLS[1].rang() && BELLS[2].rang());
    // Woken, not polled.
    b.set(None);
    assert!(poll_opt(c.as_mut(), &BELLS[2]) == Some(Ok(&7)));
}

pub(crate) fn the_value_is_dropped_once_wherever_it_is<W: World>(_: &mut W) {
    static LOG: Log = Log::new();
    let future = Future::new();
    assert!(future.set(NoteOnDrop(&LOG, b'a')).is_ok());
    drop(future.set(NoteOnDrop(&LOG, b'b')));
    LOG.expect("b");
    drop(future);
    LOG.expect("a");
    let future = Future::new();
    assert!(future.set(NoteOnDrop(&LOG, b'c')).is_ok());
    let value = future.into_outcome();
    LOG.expect("");
    drop(value);
    LOG.expect("c");
    drop(Future::<NoteOnDrop>::new());
    LOG.expect("");
}
