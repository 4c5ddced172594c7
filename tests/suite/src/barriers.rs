//! Barriers: who goes on when, and what an abort, a reset or a waiter that goes away does to the others.

use core::pin::pin;

use corio::{Barrier, BrokenBarrier, Task, sleep, timeout, yield_now};

use crate::World;
use crate::harness::{Bell, Count, Log, MS, Turns, poll, poll_opt, run, spawn, turns};

/// Waits at `barrier`, and notes the letter then.
fn waits(barrier: &'static Barrier, log: &'static Log, letter: u8) -> Task<Result<usize, BrokenBarrier>> {
    spawn(async move {
        let place = barrier.wait().await;
        log.note(letter);
        place
    })
}

pub(crate) fn the_last_goes_on_at_once_and_the_others_in_order_one_turn_later<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static LOG: Log = Log::new();
    static BARRIER: Barrier = Barrier::new(3);
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let tasks = [b'a', b'b'].map(|letter| waits(&BARRIER, &LOG, letter));
        turns(2).await;
        assert!(BARRIER.waiting() == 2 && BARRIER.parties() == 3 && !BARRIER.is_broken());
        LOG.expect("");
        assert!(loop_turns.of(async { assert!(BARRIER.wait().await == Ok(2)) }).await == 0);
        LOG.expect("");
        yield_now().await;
        LOG.expect("ab");
        for (index, task) in tasks.into_iter().enumerate() {
            assert!(task.await == Ok(Ok(index)));
        }
        assert!(BARRIER.waiting() == 0);
    });
}

pub(crate) fn a_barrier_is_used_again_and_again<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static BARRIER: Barrier = Barrier::new(2);
    run(world, async {
        let tasks = [b'a', b'b'].map(|letter| {
            spawn(async move {
                for _ in 0..3 {
                    assert!(BARRIER.wait().await.is_ok());
                    LOG.note(letter);
                }
            })
        });
        for task in tasks {
            assert!(task.await.is_ok());
        }
        LOG.expect("bababa");
    });
}

pub(crate) fn who_comes_while_it_drains_belongs_to_the_next_round<W: World>(_: &mut W) {
    static BELLS: [Bell; 3] = [const { Bell::new() }; 3];
    let barrier = Barrier::new(2);
    let mut first = pin!(barrier.wait());
    assert!(poll(first.as_mut(), &BELLS[0]).is_none());
    assert!(poll(pin!(barrier.wait()), &BELLS[1]) == Some(Ok(1)));
    assert!(BELLS[0].rang() && barrier.waiting() == 0);
    let mut newcomer = pin!(barrier.wait());
    assert!(poll(newcomer.as_mut(), &BELLS[2]).is_none() && barrier.waiting() == 0);
    assert!(poll(first, &BELLS[0]) == Some(Ok(0)));
    assert!(BELLS[2].rang() && poll(newcomer.as_mut(), &BELLS[2]).is_none() && barrier.waiting() == 1);
    assert!(poll(pin!(barrier.wait()), &BELLS[1]) == Some(Ok(1)));
    assert!(BELLS[2].rang() && poll(newcomer, &BELLS[2]) == Some(Ok(0)));
}

pub(crate) fn a_barrier_for_one_never_waits<W: World>(_: &mut W) {
    static BELL: Bell = Bell::new();
    let barrier = Barrier::new(1);
    for _ in 0..3 {
        assert!(poll(pin!(barrier.wait()), &BELL) == Some(Ok(0)));
    }
    assert!(barrier.waiting() == 0);
}

pub(crate) fn an_abort_ends_all_waits_until_a_reset<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static BARRIER: Barrier = Barrier::new(3);
    run(world, async {
        let tasks = [b'a', b'b'].map(|letter| waits(&BARRIER, &LOG, letter));
        yield_now().await;
        BARRIER.abort();
        assert!(BARRIER.is_broken() && BARRIER.waiting() == 0);
        for task in tasks {
            assert!(task.await == Ok(Err(BrokenBarrier)));
        }
        LOG.expect("ab");
        assert!(BARRIER.wait().await == Err(BrokenBarrier));
        BARRIER.reset();
        assert!(!BARRIER.is_broken());
        let tasks = [b'a', b'b', b'c'].map(|letter| waits(&BARRIER, &LOG, letter));
        for (index, task) in tasks.into_iter().enumerate() {
            assert!(task.await == Ok(Ok(index)));
        }
        LOG.expect("cab");
    });
}

pub(crate) fn a_reset_ends_the_waits_of_those_inside_and_newcomers_wait_for_them<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    let barrier = Barrier::new(2);
    let mut inside = pin!(barrier.wait());
    assert!(poll(inside.as_mut(), &BELLS[0]).is_none());
    barrier.reset();
    assert!(BELLS[0].rang());
    let mut newcomer = pin!(barrier.wait());
    assert!(poll(newcomer.as_mut(), &BELLS[1]).is_none() && barrier.waiting() == 0);
    assert!(poll(inside, &BELLS[0]) == Some(Err(BrokenBarrier)));
    assert!(BELLS[1].rang() && poll(newcomer.as_mut(), &BELLS[1]).is_none() && barrier.waiting() == 1);
    // Nobody inside: nothing to end.
    let empty = Barrier::new(1);
    empty.reset();
    assert!(poll(pin!(empty.wait()), &BELLS[0]) == Some(Ok(0)));
}

pub(crate) fn a_place_that_is_given_up_is_to_be_taken_by_another<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static BARRIER: Barrier = Barrier::new(3);
    run(world, async {
        let tasks = [b'a', b'b'].map(|letter| waits(&BARRIER, &LOG, letter));
        yield_now().await;
        assert!(timeout(MS, BARRIER.wait()).await == Ok(Ok(2)));
        turns(2).await;
        LOG.expect("ab");
        for task in tasks {
            assert!(task.await.is_ok());
        }
        let leaves = waits(&BARRIER, &LOG, b'c');
        let stays = waits(&BARRIER, &LOG, b'd');
        yield_now().await;
        leaves.cancel();
        assert!(leaves.await.is_err() && BARRIER.waiting() == 1);
        assert!(timeout(MS, BARRIER.wait()).await.is_err() && BARRIER.waiting() == 1);
        let more = waits(&BARRIER, &LOG, b'e');
        sleep(MS).await;
        assert!(BARRIER.wait().await == Ok(2));
        assert!(stays.await == Ok(Ok(1)) && more.await == Ok(Ok(1)));
        LOG.expect("de");
    });
}

pub(crate) fn dropped_at_any_stage_a_wait_at_a_barrier_leaves_it_as_it_was<W: World>(_: &mut W) {
    static BELLS: [Bell; 3] = [const { Bell::new() }; 3];
    let barrier = Barrier::new(2);
    drop(barrier.wait());
    // Inside.
    let mut inside = pin!(Some(barrier.wait()));
    assert!(poll_opt(inside.as_mut(), &BELLS[0]).is_none() && barrier.waiting() == 1);
    inside.set(None);
    assert!(barrier.waiting() == 0);
    // Let go, with a newcomer outside.
    inside.set(Some(barrier.wait()));
    assert!(poll_opt(inside.as_mut(), &BELLS[0]).is_none());
    assert!(poll(pin!(barrier.wait()), &BELLS[1]) == Some(Ok(1)));
    let mut outside = pin!(Some(barrier.wait()));
    assert!(BELLS[0].rang() && poll_opt(outside.as_mut(), &BELLS[1]).is_none());
    inside.set(None);
    assert!(BELLS[1].rang() && poll_opt(outside.as_mut(), &BELLS[1]).is_none() && barrier.waiting() == 1);
    // Outside.
    assert!(poll(pin!(barrier.wait()), &BELLS[2]) == Some(Ok(1)));
    inside.set(Some(barrier.wait()));
    assert!(poll_opt(inside.as_mut(), &BELLS[0]).is_none());
    inside.set(None);
    assert!(BELLS[1].rang() && poll_opt(outside.as_mut(), &BELLS[1]) == Some(Ok(0)) && barrier.waiting() == 0);
}
