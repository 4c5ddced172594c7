//! Conditions: who is notified, who has the lock when, and what becomes of both when a wait is given up.

use core::pin::pin;

use corio::{Condition, Event, NotLocked, RawCondition, RawLock, TimedOut, sleep, timeout, yield_now};

use crate::World;
use crate::harness::{Bell, Count, Log, MS, NoteOnDrop, Own, Turns, poll, poll_opt, run, spawn, turns};

pub(crate) fn those_who_are_notified_go_on_in_order_of_arrival<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static CONDITION: Condition = Condition::new(());
    run(world, async {
        let tasks = [b'a', b'b', b'c', b'd', b'e'].map(|letter| {
            spawn(async move {
                let _guard = CONDITION.lock().await.wait().await;
                LOG.note(letter);
            })
        });
        turns(2).await;
        CONDITION.lock().await.notify(1);
        turns(3).await;
        LOG.expect("a");
        CONDITION.lock().await.notify(2);
        turns(3).await;
        LOG.expect("bc");
        CONDITION.lock().await.notify(0);
        turns(3).await;
        LOG.expect("");
        CONDITION.lock().await.notify_all();
        turns(3).await;
        LOG.expect("de");
        assert!(tasks.iter().all(|task| task.is_done()));
        CONDITION.lock().await.notify(7);
    });
}

pub(crate) fn a_wait_gives_the_lock_back_and_ends_with_it<W: World>(world: &mut W) {
    static CONDITION: Condition<u32> = Condition::new(0);
    run(world, async {
        let task = spawn(async {
            let mut value = CONDITION.lock().await;
            *value = 1;
            value = value.wait().await;
            assert!(*value == 2 && CONDITION.is_locked());
            *value = 3;
        });
        yield_now().await;
        assert!(!CONDITION.is_locked() && !task.is_done());
        let mut value = CONDITION.lock().await;
        assert!(*value == 1);
        value.notify(1);
        *value = 2;
        turns(3).await;
        assert!(*value == 2 && !task.is_done(), "the lock is held");
        drop(value);
        assert!(task.await.is_ok());
        assert!(*CONDITION.lock().await == 3);
    });
}

pub(crate) fn from_a_notification_to_the_waiter_is_one_turn_if_the_lock_is_free_then<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static NOTIFIED: Count = Count::new();
    static CONDITION: Condition = Condition::new(());
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let task = spawn(async {
            turns(2).await;
            CONDITION.lock().await.notify_all();
            NOTIFIED.set(TURNS.get());
        });
        let _guard = CONDITION.lock().await.wait().await;
        assert!(loop_turns.now() == NOTIFIED.get() + 1);
        assert!(task.await.is_ok());
    });
}

pub(crate) fn waiting_for_something_looks_again_after_each_notification<W: World>(world: &mut W) {
    static LOOKS: Count = Count::new();
    static CONDITION: Condition<u32> = Condition::new(0);
    run(world, async {
        let task = spawn(async {
            let mut value = CONDITION
                .lock()
                .await
                .wait_for(|value| {
                    LOOKS.add();
                    *value == 3
                })
                .await;
            *value = 0;
        });
        for _ in 0..3 {
            turns(2).await;
            let mut value = CONDITION.lock().await;
            *value += 1;
            value.notify_all();
        }
        assert!(task.await.is_ok());
        assert!(LOOKS.get() == 4 && *CONDITION.lock().await == 0);
        let _at_once = CONDITION.lock().await.wait_for(|value| *value == 0).await;
    });
}

pub(crate) fn cancelled_in_a_wait_it_unwinds_with_the_lock<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static LOCK: RawLock = RawLock::new();
    static CONDITION: RawCondition<&RawLock> = RawCondition::new(&LOCK);
    struct Release;
    impl Drop for Release {
        fn drop(&mut self) {
            LOG.note(if LOCK.release().is_ok() { b'r' } else { b'!' });
        }
    }
    run(world, async {
        let task = spawn(async {
            LOCK.acquire().await;
            let _release = Release;
            let _inner = NoteOnDrop(&LOG, b'd');
            let _ = CONDITION.wait().await;
        });
        yield_now().await;
        LOCK.acquire().await;
        assert!(task.cancel());
        turns(3).await;
        LOG.expect("");
        assert!(!task.is_done(), "it needs the lock before it unwinds further");
        assert!(LOCK.release() == Ok(()));
        assert!(task.await.is_err());
        LOG.expect("dr");
        assert!(!LOCK.is_locked());
    });
}

pub(crate) fn cancelled_in_a_wait_with_the_lock_free_it_ends_in_the_next_turn<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static CONDITION: Condition = Condition::new(());
    run(world, async {
        let task = spawn(async { drop(CONDITION.lock().await.wait().await) });
        let loop_turns = Turns::start(&TURNS).await;
        task.cancel();
        assert!(loop_turns.of(task).await == 2, "one for the step, one for the end");
        assert!(!CONDITION.is_locked());
    });
}

pub(crate) fn cancelled_after_it_was_notified_it_notifies_another<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static CONDITION: Condition = Condition::new(());
    run(world, async {
        let tasks = [b'a', b'b', b'c'].map(|letter| {
            spawn(async move {
                let _guard = CONDITION.lock().await.wait().await;
                LOG.note(letter);
            })
        });
        yield_now().await;
        CONDITION.lock().await.notify(1);
        tasks[0].cancel();
        turns(5).await;
        LOG.expect("b");
        tasks[2].cancel();
        turns(3).await;
        LOG.expect("");
        assert!(tasks.iter().all(|task| task.is_done()));
    });
}

pub(crate) fn a_notification_passes_over_who_is_cancelled<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static CONDITION: Condition = Condition::new(());
    run(world, async {
        let tasks = [b'a', b'b'].map(|letter| {
            spawn(async move {
                let _guard = CONDITION.lock().await.wait().await;
                LOG.note(letter);
            })
        });
        yield_now().await;
        tasks[0].cancel();
        CONDITION.lock().await.notify(1);
        turns(3).await;
        LOG.expect("b");
        assert!(tasks.iter().all(|task| task.is_done()));
    });
}

pub(crate) fn cancelled_again_while_it_takes_the_lock_it_queues_anew<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static CONDITION: Condition = Condition::new(());
    run(world, async {
        let task = spawn(async {
            let _noted = NoteOnDrop(&LOG, b'a');
            drop(CONDITION.lock().await.wait().await);
        });
        yield_now().await;
        let guard = CONDITION.lock().await;
        task.cancel();
        turns(2).await;
        let other = spawn(async {
            let _guard = CONDITION.lock().await;
            LOG.note(b'b');
        });
        turns(2).await;
        task.cancel();
        turns(2).await;
        assert!(!task.is_done());
        drop(guard);
        assert!(task.await.is_err() && other.await.is_ok());
        LOG.expect("ba");
        assert!(!CONDITION.is_locked());
    });
}

pub(crate) fn a_timeout_around_a_wait_ends_it_when_it_has_the_lock<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static LOCK: RawLock = RawLock::new();
    static CONDITION: RawCondition<&RawLock> = RawCondition::new(&LOCK);
    run(world, async {
        let task = spawn(async {
            LOCK.acquire().await;
            assert!(timeout(MS, CONDITION.wait()).await == Err(TimedOut));
            LOG.note(b't');
            assert!(LOCK.release() == Ok(()));
            // Nobody has asked for its end.
            yield_now().await;
        });
        yield_now().await;
        LOCK.acquire().await;
        sleep(3 * MS).await;
        LOG.expect("");
        assert!(LOCK.release() == Ok(()));
        assert!(task.await.is_ok());
        LOG.expect("t");
    });
}

pub(crate) fn a_task_may_wait_again_after_a_timeout_around_a_wait<W: World>(world: &mut W) {
    static CONDITION: Condition<u32> = Condition::new(0);
    static AGAIN: Event = Event::new();
    run(world, async {
        let task = spawn(async {
            for _ in 0..2 {
                let value = CONDITION.lock().await;
                assert!(timeout(MS, value.wait()).await.is_err());
            }
            let value = CONDITION.lock().await;
            AGAIN.set();
            *value.wait().await
        });
        AGAIN.wait().await;
        let mut value = CONDITION.lock().await;
        *value = 5;
        value.notify(1);
        drop(value);
        assert!(task.await == Ok(5));
    });
}

pub(crate) fn dropped_at_any_stage_a_wait_leaves_lock_and_notification_to_others<W: World>(_: &mut W) {
    static BELLS: [Bell; 3] = [const { Bell::new() }; 3];
    static CONDITION: Condition<u32> = Condition::new(0);
    let take = || CONDITION.try_lock().expect("the lock is free");
    // Before its first poll it still has the lock.
    let wait = take().wait();
    assert!(CONDITION.is_locked());
    drop(wait);
    assert!(!CONDITION.is_locked());
    // While it waits.
    let (mut first, mut second, mut third) = (pin!(None), pin!(None), pin!(None));
    for (mut wait, bell) in [first.as_mut(), second.as_mut(), third.as_mut()].into_iter().zip(&BELLS) {
        wait.set(Some(take().wait()));
        assert!(poll_opt(wait, bell).is_none() && !CONDITION.is_locked());
    }
    first.set(None);
    assert!(BELLS.iter().all(|bell| !bell.rang()));
    // Notified.
    take().notify(1);
    assert!(BELLS[1].rang());
    second.set(None);
    assert!(BELLS[2].rang());
    // While it takes the lock.
    let guard = take();
    assert!(poll_opt(third.as_mut(), &BELLS[2]).is_none());
    let mut fourth = pin!(CONDITION.lock());
    assert!(poll(fourth.as_mut(), &BELLS[0]).is_none());
    drop(guard);
    assert!(BELLS[2].rang());
    third.set(None);
    assert!(BELLS[0].rang());
    let guard = poll(fourth, &BELLS[0]);
    assert!(guard.is_some());
    drop(guard);
    assert!(!CONDITION.is_locked());
}

pub(crate) fn a_notification_dropped_in_the_line_for_the_lock_goes_to_another<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    static CONDITION: Condition = Condition::new(());
    let take = || CONDITION.try_lock().expect("the lock is free");
    let mut first = pin!(Some(take().wait()));
    assert!(poll_opt(first.as_mut(), &BELLS[0]).is_none());
    let mut second = pin!(Some(take().wait()));
    assert!(poll_opt(second.as_mut(), &BELLS[1]).is_none());
    let guard = take();
    guard.notify(1);
    assert!(BELLS[0].rang() && poll_opt(first.as_mut(), &BELLS[0]).is_none());
    first.set(None);
    assert!(BELLS[1].rang());
    drop(guard);
    assert!(poll_opt(second.as_mut(), &BELLS[1]).is_some());
}

pub(crate) fn a_raw_condition_needs_its_lock_held<W: World>(_: &mut W) {
    static BELL: Bell = Bell::new();
    let lock = RawLock::new();
    let condition = RawCondition::new(&lock);
    assert!(condition.notify(1) == Err(NotLocked) && condition.notify_all() == Err(NotLocked));
    assert!(poll(pin!(condition.wait()), &BELL) == Some(Err(NotLocked)));
    assert!(lock.try_acquire());
    assert!(condition.notify(1) == Ok(()));
    let mut wait = pin!(condition.wait());
    assert!(poll(wait.as_mut(), &BELL).is_none() && !lock.is_locked());
    assert!(condition.lock().try_acquire() && condition.notify_all() == Ok(()) && lock.release() == Ok(()));
    assert!(BELL.rang() && poll(wait, &BELL) == Some(Ok(())) && lock.is_locked());
}

pub(crate) fn two_conditions_may_share_a_lock<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static LOCK: RawLock = RawLock::new();
    static CONDITIONS: [RawCondition<&RawLock>; 2] = [const { RawCondition::new(&LOCK) }; 2];
    run(world, async {
        let tasks = [(b'a', &CONDITIONS[0]), (b'b', &CONDITIONS[1])].map(|(letter, condition)| {
            spawn(async move {
                LOCK.acquire().await;
                let waited = condition.wait().await;
                LOG.note(letter);
                waited.and(LOCK.release())
            })
        });
        yield_now().await;
        for condition in [&CONDITIONS[1], &CONDITIONS[0]] {
            LOCK.acquire().await;
            assert!(condition.notify_all() == Ok(()) && LOCK.release() == Ok(()));
            turns(2).await;
        }
        for task in tasks {
            assert!(task.await == Ok(Ok(())));
        }
        LOG.expect("ba");
    });
}

pub(crate) fn a_task_that_cancels_itself_and_waits_unwinds_with_the_lock<W: World>(world: &mut W) {
    static OWN: Own<corio::Task<()>> = Own::new();
    static CONDITION: Condition = Condition::new(());
    run(world, async {
        OWN.put(spawn(async {
            let guard = CONDITION.lock().await;
            OWN.with(|task| task.cancel());
            drop(guard.wait().await);
        }));
        yield_now().await;
        assert!(OWN.take().await.is_err());
        assert!(!CONDITION.is_locked());
    });
}
