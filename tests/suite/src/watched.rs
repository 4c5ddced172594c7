//! `Watch`: the last value, and those who wait for the next.

use core::pin::pin;

use corio::{Watch, yield_now};

use crate::World;
use crate::harness::{Bell, Count, Log, NoteOnDrop, Turns, counted, poll, poll_opt, run, spawn, turns};

pub(crate) fn a_receiver_sees_the_latest_and_each_change_once<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static LOOK: Bell = Bell::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let watch = Watch::new(0);
        let mut one = watch.subscribe();
        assert!(!one.has_changed() && one.get() == 0);
        watch.send(1);
        watch.send(2);
        assert!(one.has_changed() && watch.replace(3) == 2);
        assert!(loop_turns.of(one.changed()).await == 0);
        assert!(!one.has_changed() && one.get() == 3 && watch.get() == 3);
        watch.send(4);
        assert!(one.get() == 4 && !one.has_changed(), "what it has looked at it has seen");
        // Each receiver for itself.
        let (mut two, mut three) = (watch.subscribe(), one.clone());
        watch.send(5);
        two.changed().await;
        assert!(!two.has_changed() && one.has_changed() && three.has_changed());
        three.changed().await;
        three.mark_changed();
        assert!(three.has_changed() && loop_turns.of(three.changed()).await == 0 && !three.has_changed());
        // The value of now, and then each that is there when it looks.
        assert!(three.wait_for(|value| *value == 5).await == 5);
        watch.send(6);
        {
            let mut wait = pin!(three.wait_for(|value| *value > 7));
            assert!(poll(wait.as_mut(), &LOOK).is_none());
            watch.send(7);
            assert!(LOOK.rang() && poll(wait.as_mut(), &LOOK).is_none());
            watch.send(8);
            watch.send(9);
            assert!(LOOK.rang() && poll(wait.as_mut(), &LOOK) == Some(9));
        }
        assert!(!three.has_changed());
    });
}

pub(crate) fn a_change_is_seen_one_turn_later_by_all_in_order<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static POLLS: Count = Count::new();
    static LOG: Log = Log::new();
    static WATCH: Watch<u32> = Watch::new(0);
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let tasks = [b'a', b'b', b'c'].map(|letter| {
            spawn(async move {
                let mut receiver = WATCH.subscribe();
                for _ in 0..2 {
                    counted(&POLLS, receiver.changed()).await;
                    assert!(TURNS.get() == receiver.get() + 1);
                    LOG.note(letter);
                }
            })
        });
        turns(5).await;
        assert!(POLLS.get() == 3);
        WATCH.send(loop_turns.now());
        turns(5).await;
        LOG.expect("abc");
        assert!(POLLS.get() == 9, "one poll each to see it, and one to wait again");
        WATCH.modify(|value| *value = TURNS.get());
        for task in tasks {
            assert!(task.await.is_ok());
        }
        LOG.expect("abc");
    });
}

pub(crate) fn a_change_that_was_not_taken_up_is_still_to_be_seen<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    let watch = Watch::new(0);
    let mut one = watch.subscribe();
    {
        let mut changed = pin!(Some(one.changed()));
        assert!(poll_opt(changed.as_mut(), &BELLS[0]).is_none());
        watch.send(1);
        assert!(BELLS[0].rang());
        changed.set(None);
    }
    assert!(one.has_changed() && poll(pin!(one.changed()), &BELLS[1]).is_some());
    drop(one.changed());
    assert!(poll(pin!(one.changed()), &BELLS[1]).is_none());
    watch.send(2);
    assert!(!BELLS[0].rang() && !BELLS[1].rang() && one.get() == 2);
}

pub(crate) fn what_was_not_modified_wakes_nobody<W: World>(_: &mut W) {
    static BELL: Bell = Bell::new();
    let watch = Watch::new(3);
    let mut one = watch.subscribe();
    let mut changed = pin!(one.changed());
    assert!(poll(changed.as_mut(), &BELL).is_none());
    let even = |value: &mut i32| {
        *value += 1;
        *value % 2 == 1
    };
    assert!(!watch.send_if_modified(even) && watch.get() == 3, "it has worked on a copy");
    assert!(!BELL.rang() && poll(changed.as_mut(), &BELL).is_none());
    watch.send(4);
    assert!(BELL.rang() && watch.send_if_modified(even) && watch.get() == 5);
    assert!(!BELL.rang() && poll(changed, &BELL).is_some());
}

pub(crate) fn a_change_that_comes_in_between_is_not_lost<W: World>(_: &mut W) {
    let watch = Watch::new(1);
    let mut others = 3;
    let mut runs = 0;
    watch.modify(|value| {
        runs += 1;
        *value *= 10;
        // It may use the watch: it has its copy, and no lock.
        if others > 0 {
            others -= 1;
            watch.modify(|value| *value += 1);
        }
    });
    assert!(watch.get() == 40 && runs == 4);
}

/// Notes its letter when dropped; a copy notes one that is capital.
struct Noted(NoteOnDrop);

impl Clone for Noted {
    fn clone(&self) -> Self {
        Self(NoteOnDrop(self.0.0, self.0.1.to_ascii_uppercase()))
    }
}

pub(crate) fn a_value_that_is_replaced_is_dropped_once<W: World>(_: &mut W) {
    static LOG: Log = Log::new();
    let watch = Watch::new(Noted(NoteOnDrop(&LOG, b'a')));
    watch.send(Noted(NoteOnDrop(&LOG, b'b')));
    LOG.expect("a");
    drop(watch.get());
    LOG.expect("B");
    assert!(!watch.send_if_modified(|_| false));
    LOG.expect("B");
    watch.modify(|value| value.0.1 = b'c');
    LOG.expect("b");
    drop(watch);
    LOG.expect("c");
}

pub(crate) fn a_watch_is_changed_from_elsewhere<W: World>(world: &mut W) {
    static WATCH: Watch<u32> = Watch::new(0);
    run(world, async {
        let mut receiver = WATCH.subscribe();
        for round in 1..=10 {
            let task = spawn(async move {
                receiver.changed().await;
                receiver
            });
            yield_now().await;
            W::elsewhere(|| WATCH.modify(|value| *value += 1));
            receiver = match task.await {
                Ok(receiver) => receiver,
                Err(_) => panic!("nobody cancels it"),
            };
            assert!(receiver.get() == round);
        }
    });
}
