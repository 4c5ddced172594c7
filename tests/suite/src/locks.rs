//! Mutex, raw lock, event and semaphore: what they do beyond the two laws of [`gate`](crate::gate).

use core::pin::pin;

use corio::{Event, Mutex, NotLocked, RawLock, Semaphore, yield_now};

use crate::World;
use crate::harness::{Bell, Count, Log, Turns, poll, poll_opt, run, spawn, turns};

pub(crate) fn a_mutex_is_one_tasks_across_its_waits<W: World>(world: &mut W) {
    static MUTEX: Mutex<u32> = Mutex::new(0);
    run(world, async {
        let tasks = [0; 4].map(|_| {
            spawn(async {
                for _ in 0..5 {
                    let mut value = MUTEX.lock().await;
                    let before = *value;
                    turns(2).await;
                    *value = before + 1;
                }
            })
        });
        for task in tasks {
            assert!(task.await.is_ok());
        }
        assert!(*MUTEX.lock().await == 20);
    });
}

pub(crate) fn a_free_lock_is_taken_without_waiting<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static MUTEX: Mutex<()> = Mutex::new(());
    static LOCK: RawLock = RawLock::new();
    static PERMITS: Semaphore = Semaphore::new(2);
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        assert!(loop_turns.of(MUTEX.lock()).await == 0);
        assert!(loop_turns.of(LOCK.acquire()).await == 0);
        assert!(loop_turns.of(PERMITS.acquire()).await == 0);
        assert!(!MUTEX.is_locked() && LOCK.is_locked() && PERMITS.available() == 2);
    });
}

pub(crate) fn a_lock_that_is_released_is_had_one_turn_later<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static RELEASED: Count = Count::new();
    static MUTEX: Mutex<()> = Mutex::new(());
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let holder = spawn(async {
            let _guard = MUTEX.lock().await;
            turns(3).await;
            RELEASED.set(TURNS.get());
        });
        yield_now().await;
        let _guard = MUTEX.lock().await;
        assert!(loop_turns.now() == RELEASED.get() + 1);
        assert!(holder.await.is_ok());
    });
}

pub(crate) fn locks_go_round_in_order_of_arrival<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static MUTEX: Mutex<()> = Mutex::new(());
    run(world, async {
        let tasks = [b'a', b'b', b'c', b'd'].map(|letter| {
            spawn(async move {
                for _ in 0..3 {
                    let _guard = MUTEX.lock().await;
                    LOG.note(letter);
                    yield_now().await;
                }
            })
        });
        for task in tasks {
            assert!(task.await.is_ok());
        }
        LOG.expect("abcdabcdabcd");
    });
}

pub(crate) fn a_newcomer_does_not_overtake_who_was_handed_the_lock<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    static MUTEX: Mutex<()> = Mutex::new(());
    let first = MUTEX.try_lock();
    let mut waiter = pin!(MUTEX.lock());
    assert!(poll(waiter.as_mut(), &BELLS[0]).is_none());
    drop(first);
    // Free to look at, but not to take.
    assert!(!MUTEX.is_locked());
    assert!(MUTEX.try_lock().is_none());
    let mut newcomer = pin!(MUTEX.lock());
    assert!(poll(newcomer.as_mut(), &BELLS[1]).is_none());
    assert!(BELLS[0].rang() && !BELLS[1].rang());
    let guard = poll(waiter, &BELLS[0]);
    assert!(guard.is_some() && MUTEX.is_locked());
    drop(guard);
    assert!(BELLS[1].rang() && poll(newcomer, &BELLS[1]).is_some());
}

pub(crate) fn a_mutex_gives_its_value_to_who_owns_it<W: World>(_: &mut W) {
    let mut mutex = Mutex::new(3);
    *mutex.get_mut() += 1;
    let locked = mutex.try_lock().map(|mut value| {
        *value += 1;
        mutex.is_locked() && mutex.try_lock().is_none()
    });
    assert!(locked == Some(true));
    assert!(mutex.into_inner() == 5);
}

pub(crate) fn a_raw_lock_counts_as_free_between_release_and_the_step_of_the_next<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    let lock = RawLock::new();
    assert!(lock.release() == Err(NotLocked));
    assert!(lock.try_acquire() && !lock.try_acquire());
    let mut waiter = pin!(lock.acquire());
    assert!(poll(waiter.as_mut(), &BELLS[0]).is_none());
    assert!(lock.release() == Ok(()));
    assert!(!lock.is_locked());
    assert!(lock.release() == Err(NotLocked), "a second release has nothing to give back");
    assert!(!lock.try_acquire());
    assert!(BELLS[0].rang() && poll(waiter, &BELLS[0]).is_some());
    assert!(lock.is_locked() && lock.release() == Ok(()) && lock.try_acquire());
}

pub(crate) fn an_event_lets_all_through_even_if_it_is_cleared_before_they_run<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static EVENT: Event = Event::new();
    run(world, async {
        let tasks = [b'a', b'b', b'c'].map(|letter| {
            spawn(async move {
                EVENT.wait().await;
                LOG.note(letter);
            })
        });
        yield_now().await;
        EVENT.set();
        EVENT.clear();
        let late = spawn(EVENT.wait());
        turns(2).await;
        LOG.expect("abc");
        assert!(tasks.iter().all(|task| task.is_done()) && !late.is_done());
        EVENT.set();
        assert!(late.await.is_ok());
    });
}

pub(crate) fn an_event_that_is_set_lets_pass_without_waiting_until_it_is_cleared<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static EVENT: Event = Event::new();
    static BELL: Bell = Bell::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        EVENT.set();
        EVENT.set();
        assert!(EVENT.is_set());
        assert!(loop_turns.of(EVENT.wait()).await == 0);
        EVENT.clear();
        assert!(!EVENT.is_set());
        let mut waits = pin!(EVENT.wait());
        assert!(poll(waits.as_mut(), &BELL).is_none());
        EVENT.set();
        assert!(BELL.rang() && poll(waits, &BELL).is_some());
        EVENT.set();
        assert!(!BELL.rang());
    });
}

pub(crate) fn an_event_may_be_waited_for_again_and_again<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static EVENT: Event = Event::new();
    run(world, async {
        let task = spawn(async {
            for letter in b'a'..=b'e' {
                EVENT.wait().await;
                EVENT.clear();
                LOG.note(letter);
            }
        });
        for _ in 0..5 {
            turns(2).await;
            EVENT.set();
        }
        assert!(task.await.is_ok());
        LOG.expect("abcde");
    });
}

pub(crate) fn a_semaphore_lets_as_many_in_as_it_has_permits<W: World>(world: &mut W) {
    static PERMITS: Semaphore = Semaphore::new(3);
    static INSIDE: Count = Count::new();
    static MOST: Count = Count::new();
    run(world, async {
        let tasks = [0; 8].map(|_| {
            spawn(async {
                let _permit = PERMITS.acquire().await;
                INSIDE.add();
                MOST.set(MOST.get().max(INSIDE.get()));
                turns(2).await;
                INSIDE.set(INSIDE.get() - 1);
            })
        });
        for task in tasks {
            assert!(task.await.is_ok());
        }
        assert!(MOST.get() == 3 && INSIDE.get() == 0);
        assert!(PERMITS.available() == 3 && !PERMITS.is_locked());
    });
}

pub(crate) fn permits_are_counted_through_forget_and_release<W: World>(_: &mut W) {
    let permits = Semaphore::new(1);
    let one = permits.try_acquire();
    assert!(one.is_some() && permits.try_acquire().is_none() && permits.is_locked());
    drop(one);
    assert!(permits.available() == 1);
    if let Some(one) = permits.try_acquire() {
        one.forget();
    }
    assert!(permits.available() == 0);
    permits.release();
    permits.release();
    assert!(permits.available() == 2, "a release needs no permit");
}

pub(crate) fn a_newcomer_does_not_overtake_who_was_given_a_permit<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    let permits = Semaphore::new(0);
    let mut waiter = pin!(permits.acquire());
    assert!(poll(waiter.as_mut(), &BELLS[0]).is_none());
    permits.release();
    permits.release();
    assert!(permits.available() == 1 && permits.is_locked());
    assert!(permits.try_acquire().is_none(), "first come, first served, though there is one to spare");
    let mut newcomer = pin!(permits.acquire());
    assert!(poll(newcomer.as_mut(), &BELLS[1]).is_none());
    assert!(BELLS[0].rang() && !BELLS[1].rang());
    assert!(poll(waiter, &BELLS[0]).is_some());
    assert!(BELLS[1].rang() && poll(newcomer, &BELLS[1]).is_some());
}

pub(crate) fn all_newcomers_for_whom_there_are_permits_are_told_together<W: World>(_: &mut W) {
    static BELLS: [Bell; 4] = [const { Bell::new() }; 4];
    let permits = Semaphore::new(0);
    let mut waiter = pin!(Some(permits.acquire()));
    let (mut b, mut c, mut d) = (pin!(permits.acquire()), pin!(permits.acquire()), pin!(permits.acquire()));
    assert!(poll_opt(waiter.as_mut(), &BELLS[0]).is_none());
    permits.release();
    permits.release();
    permits.release();
    assert!(poll(b.as_mut(), &BELLS[1]).is_none());
    assert!(poll(c.as_mut(), &BELLS[2]).is_none());
    assert!(poll(d.as_mut(), &BELLS[3]).is_none());
    if let Some(permit) = poll_opt(waiter.as_mut(), &BELLS[0]) {
        permit.forget();
    }
    // asyncio: "while value > 0 wake the next".
    assert!(BELLS[1].rang() && BELLS[2].rang() && !BELLS[3].rang());
}

pub(crate) fn a_granted_permit_that_is_dropped_goes_on_with_all_that_are_there<W: World>(_: &mut W) {
    static BELLS: [Bell; 4] = [const { Bell::new() }; 4];
    let permits = Semaphore::new(0);
    let mut waiter = pin!(Some(permits.acquire()));
    let (mut b, mut c, mut d) = (pin!(permits.acquire()), pin!(permits.acquire()), pin!(permits.acquire()));
    assert!(poll_opt(waiter.as_mut(), &BELLS[0]).is_none());
    permits.release();
    permits.release();
    assert!(poll(b.as_mut(), &BELLS[1]).is_none());
    assert!(poll(c.as_mut(), &BELLS[2]).is_none());
    assert!(poll(d.as_mut(), &BELLS[3]).is_none());
    waiter.set(None);
    assert!(BELLS[1].rang() && BELLS[2].rang() && !BELLS[3].rang());
}
