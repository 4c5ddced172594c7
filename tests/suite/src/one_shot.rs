//! `OneShot`: one value, once.

use core::pin::pin;

use corio::OneShot;

use crate::World;
use crate::harness::{Bell, Count, Log, NoteOnDrop, Turns, counted, poll, poll_opt, run, spawn, turns};

pub(crate) fn a_value_is_received_once_and_sent_once<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let shot = OneShot::new();
        assert!(shot.try_recv().is_none());
        assert!(shot.send(1) == Ok(()));
        assert!(shot.send(2) == Err(2), "it comes back");
        assert!(loop_turns.of(async { assert!(shot.recv().await == 1) }).await == 0);
        assert!(shot.try_recv().is_none() && shot.send(3) == Err(3));
    });
}

pub(crate) fn a_receiver_waits_at_the_cost_of_two_polls_and_goes_on_one_turn_later<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static POLLS: Count = Count::new();
    static SHOT: OneShot<u32> = OneShot::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let receiver = spawn(async {
            let sent = counted(&POLLS, SHOT.recv()).await;
            TURNS.get() - sent
        });
        turns(10).await;
        assert!(POLLS.get() == 1);
        assert!(SHOT.send(loop_turns.now()).is_ok());
        assert!(receiver.await == Ok(1));
        assert!(POLLS.get() == 2);
    });
}

pub(crate) fn a_receiver_dropped_at_any_stage_leaves_the_value_to_the_next<W: World>(_: &mut W) {
    static BELLS: [Bell; 4] = [const { Bell::new() }; 4];
    let shot = OneShot::new();
    let mut a = pin!(Some(shot.recv()));
    let mut b = pin!(Some(shot.recv()));
    let mut c = pin!(Some(shot.recv()));
    drop(shot.recv());
    assert!(poll_opt(a.as_mut(), &BELLS[0]).is_none());
    assert!(poll_opt(b.as_mut(), &BELLS[1]).is_none());
    assert!(poll_opt(c.as_mut(), &BELLS[2]).is_none());
    // While waiting.
    a.set(None);
    assert!(shot.send(7).is_ok());
    assert!(!BELLS[0].rang() && BELLS[1].rang() && !BELLS[2].rang());
    // Woken, not polled.
    b.set(None);
    assert!(BELLS[2].rang());
    c.set(None);
    // With nobody there.
    assert!(poll(pin!(shot.recv()), &BELLS[3]) == Some(7));
}

pub(crate) fn the_value_is_dropped_once_wherever_it_is<W: World>(_: &mut W) {
    static LOG: Log = Log::new();
    static BELL: Bell = Bell::new();
    let shot = OneShot::new();
    assert!(shot.send(NoteOnDrop(&LOG, b'a')).is_ok());
    drop(shot.send(NoteOnDrop(&LOG, b'b')));
    LOG.expect("b");
    drop(shot);
    LOG.expect("a");
    let shot = OneShot::new();
    let mut receiver = pin!(shot.recv());
    assert!(poll(receiver.as_mut(), &BELL).is_none());
    assert!(shot.send(NoteOnDrop(&LOG, b'c')).is_ok());
    let value = poll(receiver, &BELL);
    LOG.expect("");
    drop(value);
    LOG.expect("c");
}

pub(crate) fn requests_are_answered_in_turn<W: World>(world: &mut W) {
    static REQUESTS: corio::Queue<u8, 2> = corio::Queue::new();
    static ANSWERS: [OneShot<u8>; 4] = [const { OneShot::new() }; 4];
    static LOG: Log = Log::new();
    run(world, async {
        let server = spawn(async {
            for _ in 0..4 {
                let request = REQUESTS.get().await.unwrap_or(0);
                assert!(ANSWERS[usize::from(request)].send(b'a' + request).is_ok());
            }
        });
        for request in 0..4 {
            assert!(REQUESTS.put(request).await.is_ok());
            LOG.note(ANSWERS[usize::from(request)].recv().await);
        }
        assert!(server.await.is_ok());
        LOG.expect("abcd");
    });
}

pub(crate) fn a_value_is_sent_from_elsewhere<W: World>(world: &mut W) {
    static SHOT: OneShot<u8> = OneShot::new();
    run(world, async {
        let receiver = spawn(SHOT.recv());
        turns(2).await;
        W::elsewhere(|| assert!(SHOT.send(9).is_ok()));
        assert!(receiver.await == Ok(9));
    });
}
