//! `OnceCell`: made once, by whoever needs it first.

use core::future::pending;
use core::pin::pin;

use corio::{Event, OnceCell, SetError, sleep, yield_now};

use crate::World;
use crate::harness::{Bell, Count, Log, MS, Turns, counted, poll, poll_opt, run, spawn, turns};

/// Makes `value` in two turns, and notes it.
async fn make(log: &'static Log, value: u8) -> u8 {
    log.note(value);
    turns(2).await;
    log.note(b'.');
    value
}

pub(crate) fn a_value_is_made_once_by_who_comes_first<W: World>(world: &mut W) {
    static CELL: OnceCell<u8> = OnceCell::new();
    static LOG: Log = Log::new();
    run(world, async {
        let tasks = [b'a', b'b', b'c'].map(|letter| spawn(CELL.get_or_init(move || make(&LOG, letter))));
        yield_now().await;
        assert!(CELL.get().is_none());
        for task in tasks {
            assert!(task.await == Ok(&b'a'));
        }
        LOG.expect("a.");
        assert!(CELL.get() == Some(&b'a'));
    });
}

pub(crate) fn what_is_there_is_had_without_waiting<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let mut cell = OnceCell::with_value(1);
        assert!(loop_turns.of(cell.wait()).await == 0);
        assert!(loop_turns.of(cell.get_or_init(async || 2)).await == 0);
        assert!(cell.get_or_try_init(async || Err(3)).await == Ok(&1));
        assert!(cell.set(4) == Err(SetError::Set(4)));
        if let Some(value) = cell.get_mut() {
            *value += 1;
        }
        assert!(cell.into_inner() == Some(2));
        let mut empty = OnceCell::<u8>::new();
        assert!(empty.get_mut().is_none() && empty.get().is_none() && empty.into_inner().is_none());
    });
}

pub(crate) fn idle_waiters_for_a_value_are_never_polled<W: World>(world: &mut W) {
    static CELL: OnceCell<u8> = OnceCell::new();
    static MAKING: Count = Count::new();
    static POLLS: Count = Count::new();
    static LOG: Log = Log::new();
    static GO: Event = Event::new();
    run(world, async {
        let maker = spawn(counted(&MAKING, async {
            GO.wait().await;
            7
        }));
        let first = spawn(CELL.get_or_init(async || maker.await.unwrap_or(0)));
        yield_now().await;
        let others = [b'a', b'b', b'c'].map(|letter| {
            spawn(async move {
                assert!(*counted(&POLLS, CELL.get_or_init(async || 8)).await == 7);
                LOG.note(letter);
            })
        });
        let waiters = [b'd', b'e'].map(|letter| {
            spawn(async move {
                assert!(*counted(&POLLS, CELL.wait()).await == 7);
                LOG.note(letter);
            })
        });
        turns(10).await;
        sleep(MS).await;
        assert!(POLLS.get() == 5);
        GO.set();
        assert!(first.await.is_ok());
        for task in others.into_iter().chain(waiters) {
            assert!(task.await.is_ok());
        }
        LOG.expect("abcde");
        assert!(POLLS.get() == 10 && MAKING.get() == 2);
    });
}

pub(crate) fn if_who_makes_it_is_dropped_the_next_makes_it<W: World>(world: &mut W) {
    static CELL: OnceCell<u8> = OnceCell::new();
    static LOG: Log = Log::new();
    run(world, async {
        let [a, b, c] = [b'a', b'b', b'c'].map(|letter| spawn(CELL.get_or_init(move || make(&LOG, letter))));
        yield_now().await;
        LOG.expect("a");
        drop(a);
        turns(2).await;
        LOG.expect("b");
        assert!(CELL.set(1) == Err(SetError::Making(1)));
        b.cancel();
        assert!(b.await.is_err());
        assert!(c.await == Ok(&b'c'));
        LOG.expect("c.");
    });
}

pub(crate) fn a_turn_granted_and_dropped_goes_to_the_next<W: World>(_: &mut W) {
    static BELLS: [Bell; 4] = [const { Bell::new() }; 4];
    static LOG: Log = Log::new();
    let cell = OnceCell::new();
    let mut first = pin!(Some(cell.get_or_init(pending::<u8>)));
    let [mut a, mut b, mut c] =
        [pin!(Some(one(&cell, b'a'))), pin!(Some(one(&cell, b'b'))), pin!(Some(one(&cell, b'c')))];
    assert!(poll_opt(first.as_mut(), &BELLS[0]).is_none());
    assert!(poll_opt(a.as_mut(), &BELLS[1]).is_none());
    assert!(poll_opt(b.as_mut(), &BELLS[2]).is_none());
    assert!(poll_opt(c.as_mut(), &BELLS[3]).is_none());
    // While waiting.
    b.set(None);
    first.set(None);
    assert!(BELLS[1].rang() && !BELLS[2].rang() && !BELLS[3].rang());
    // Told, not polled.
    assert!(matches!(cell.set(9), Err(SetError::Making(9))), "the turn is somebody's");
    a.set(None);
    assert!(BELLS[3].rang());
    // The last of them.
    c.set(None);
    assert!(cell.get().is_none() && cell.set(9).is_ok());
    assert!(poll(pin!(one(&cell, b'd')), &BELLS[0]) == Some(9));
    LOG.expect("");

    async fn one(cell: &OnceCell<u8>, letter: u8) -> u8 {
        *cell.get_or_init(async || make(&LOG, letter).await).await
    }
}

pub(crate) fn if_making_fails_the_next_makes_it<W: World>(world: &mut W) {
    static CELL: OnceCell<u8> = OnceCell::new();
    static LOG: Log = Log::new();
    async fn fails(letter: u8) -> Result<u8, u8> {
        Err(make(&LOG, letter).await)
    }
    run(world, async {
        let a = spawn(CELL.get_or_try_init(|| fails(b'a')));
        let b = spawn(CELL.get_or_try_init(|| fails(b'b')));
        let c = spawn(CELL.get_or_init(|| make(&LOG, b'c')));
        assert!(a.await == Ok(Err(b'a')));
        assert!(b.await == Ok(Err(b'b')));
        assert!(c.await == Ok(&b'c'));
        LOG.expect("a.b.c.");
    });
}

pub(crate) fn a_waiter_about_to_be_cancelled_does_not_get_the_turn<W: World>(world: &mut W) {
    static CELL: OnceCell<u8> = OnceCell::new();
    static LOG: Log = Log::new();
    run(world, async {
        let [a, b, c] = [b'a', b'b', b'c'].map(|letter| spawn(CELL.get_or_init(move || make(&LOG, letter))));
        yield_now().await;
        LOG.expect("a");
        // Both at the same turn: the one that gives up must not give it to the one that is about to go.
        b.cancel();
        a.cancel();
        turns(2).await;
        LOG.expect("c");
        assert!(c.await == Ok(&b'c'));
        LOG.expect(".");
    });
}

pub(crate) fn who_only_waits_is_never_asked_to_make_it<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    let cell = OnceCell::new();
    let mut waiter = pin!(cell.wait());
    assert!(poll(waiter.as_mut(), &BELLS[0]).is_none());
    let mut first = pin!(Some(cell.get_or_init(pending::<u8>)));
    assert!(poll_opt(first.as_mut(), &BELLS[1]).is_none());
    first.set(None);
    assert!(!BELLS[0].rang() && poll(waiter.as_mut(), &BELLS[0]).is_none());
    assert!(cell.set(3).is_ok());
    assert!(BELLS[0].rang() && poll(waiter, &BELLS[0]) == Some(&3) && !BELLS[1].rang());
}

pub(crate) fn a_value_is_set_from_elsewhere_and_once<W: World>(world: &mut W) {
    static CELL: OnceCell<u8> = OnceCell::new();
    run(world, async {
        let task = spawn(CELL.wait());
        turns(2).await;
        W::elsewhere(|| assert!(CELL.set(9).is_ok()));
        assert!(task.await == Ok(&9));
        assert!(CELL.set(8) == Err(SetError::Set(8)) && SetError::Set(8).into_inner() == 8);
    });
}
