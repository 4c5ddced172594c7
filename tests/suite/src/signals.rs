//! `Signal`: the latest value, for one.

use core::pin::pin;

use corio::{Signal, yield_now};

use crate::World;
use crate::harness::{Bell, Count, Log, NoteOnDrop, Turns, counted, poll, poll_opt, run, spawn, turns};

pub(crate) fn the_last_value_wins<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let signal = Signal::new();
        assert!(!signal.is_signaled() && signal.try_take().is_none());
        signal.signal(1);
        signal.signal(2);
        assert!(signal.is_signaled() && signal.try_take() == Some(2) && !signal.is_signaled());
        signal.signal(3);
        assert!(loop_turns.of(async { assert!(signal.wait().await == 3) }).await == 0);
        signal.signal(4);
        signal.reset();
        assert!(!signal.is_signaled() && signal.try_take().is_none());
    });
}

pub(crate) fn a_signal_is_had_one_turn_later_and_once<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static POLLS: Count = Count::new();
    static SIGNAL: Signal<u32> = Signal::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let task = spawn(async {
            let mut sum = 0;
            for _ in 0..3 {
                let sent = counted(&POLLS, SIGNAL.wait()).await;
                assert!(TURNS.get() == sent + 1);
                sum += 1;
            }
            sum
        });
        for round in 1..=3 {
            turns(5).await;
            assert!(POLLS.get() == 2 * round - 1);
            SIGNAL.signal(0);
            SIGNAL.signal(loop_turns.now());
        }
        assert!(task.await == Ok(3) && POLLS.get() == 6);
    });
}

pub(crate) fn reset_takes_it_back_also_from_who_was_told<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    let signal = Signal::new();
    let mut a = pin!(signal.wait());
    assert!(poll(a.as_mut(), &BELLS[0]).is_none());
    signal.signal(1);
    assert!(BELLS[0].rang());
    signal.reset();
    signal.signal(2);
    assert!(!BELLS[0].rang() && signal.try_take().is_none(), "told once, and it is for who was told");
    signal.reset();
    assert!(poll(a.as_mut(), &BELLS[1]).is_none());
    signal.signal(3);
    assert!(BELLS[1].rang() && poll(a, &BELLS[1]) == Some(3) && !BELLS[0].rang());
}

pub(crate) fn each_value_goes_to_one_in_order_of_arrival<W: World>(world: &mut W) {
    static SIGNAL: Signal<u8> = Signal::new();
    static LOG: Log = Log::new();
    run(world, async {
        let tasks = [b'a', b'b', b'c', b'd'].map(|letter| {
            spawn(async move {
                assert!(SIGNAL.wait().await == 1);
                LOG.note(letter);
            })
        });
        yield_now().await;
        tasks[1].cancel();
        SIGNAL.signal(1);
        let late = spawn(async {
            assert!(SIGNAL.wait().await == 1);
            LOG.note(b'e');
        });
        turns(2).await;
        LOG.expect("a");
        for expected in ["c", "d", "e"] {
            SIGNAL.signal(1);
            yield_now().await;
            LOG.expect(expected);
        }
        assert!(late.is_done() && !SIGNAL.is_signaled());
    });
}

pub(crate) fn a_value_that_is_replaced_is_dropped_at_once<W: World>(_: &mut W) {
    static LOG: Log = Log::new();
    static BELL: Bell = Bell::new();
    let signal = Signal::new();
    signal.signal(NoteOnDrop(&LOG, b'a'));
    signal.signal(NoteOnDrop(&LOG, b'b'));
    LOG.expect("a");
    signal.reset();
    LOG.expect("b");
    let mut wait = pin!(Some(signal.wait()));
    assert!(poll_opt(wait.as_mut(), &BELL).is_none());
    signal.signal(NoteOnDrop(&LOG, b'c'));
    wait.set(None);
    LOG.expect("");
    drop(signal.try_take());
    LOG.expect("c");
    let owner = Signal::new();
    owner.signal(NoteOnDrop(&LOG, b'd'));
    drop(owner);
    LOG.expect("d");
}

pub(crate) fn it_is_signalled_from_elsewhere<W: World>(world: &mut W) {
    static SIGNAL: Signal<u8> = Signal::new();
    run(world, async {
        for _ in 0..10 {
            let task = spawn(SIGNAL.wait());
            yield_now().await;
            W::elsewhere(|| SIGNAL.signal(9));
            assert!(task.await == Ok(9));
        }
    });
}
