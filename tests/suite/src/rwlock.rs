//! `RwLock`: readers together, writers alone, in order of arrival.

use core::pin::pin;

use corio::{RwLock, RwLockReadGuard, RwLockWriteGuard, sleep, yield_now};

use crate::World;
use crate::harness::{Bell, Count, Log, MS, counted, poll, poll_opt, run, spawn, turns};

pub(crate) fn readers_share_and_a_writer_is_alone<W: World>(_: &mut W) {
    static BELL: Bell = Bell::new();
    let lock = RwLock::new(1);
    let (one, two) = (lock.try_read(), poll(pin!(lock.read()), &BELL));
    assert!(one.as_deref() == Some(&1) && two.as_deref() == Some(&1));
    assert!(lock.readers() == 2 && !lock.is_written() && lock.try_write().is_none());
    drop(one);
    assert!(lock.readers() == 1 && lock.try_write().is_none());
    drop(two);
    let mut writer = lock.try_write();
    assert!(lock.is_written() && lock.readers() == 0);
    assert!(lock.try_read().is_none() && lock.try_write().is_none());
    if let Some(value) = &mut writer {
        **value += 1;
    }
    drop(writer);
    assert!(lock.try_read().as_deref() == Some(&2) && !BELL.rang());
}

async fn read(lock: &'static RwLock<u32>, log: &'static Log, letter: u8) {
    let _guard = lock.read().await;
    log.note(letter);
    yield_now().await;
}

async fn write(lock: &'static RwLock<u32>, log: &'static Log, letter: u8) {
    let mut guard = lock.write().await;
    *guard += 1;
    log.note(letter);
    yield_now().await;
}

pub(crate) fn readers_and_writers_go_in_by_order_of_arrival<W: World>(world: &mut W) {
    static LOCK: RwLock<u32> = RwLock::new(0);
    static LOG: Log = Log::new();
    run(world, async {
        let first = LOCK.try_write();
        let a = [b'a', b'b'].map(|letter| spawn(read(&LOCK, &LOG, letter)));
        let b = [b'W', b'X'].map(|letter| spawn(write(&LOCK, &LOG, letter)));
        let c = [b'c'].map(|letter| spawn(read(&LOCK, &LOG, letter)));
        let d = [b'Y'].map(|letter| spawn(write(&LOCK, &LOG, letter)));
        let e = [b'd', b'e'].map(|letter| spawn(read(&LOCK, &LOG, letter)));
        yield_now().await;
        drop(first);
        yield_now().await;
        LOG.expect("ab");
        // Readers leave, the writer is told; it comes and leaves, and so on: two turns each.
        for expected in ["", "W", "", "X", "", "c", "", "Y", "", "de"] {
            yield_now().await;
            LOG.expect(expected);
        }
        for task in a.into_iter().chain(b).chain(c).chain(d).chain(e) {
            assert!(task.await.is_ok());
        }
        assert!(*LOCK.read().await == 3 && LOCK.readers() == 0);
    });
}

pub(crate) fn idle_readers_are_never_polled<W: World>(world: &mut W) {
    static LOCK: RwLock<u32> = RwLock::new(0);
    static POLLS: Count = Count::new();
    run(world, async {
        let writer = LOCK.try_write();
        let tasks = [0; 5].map(|_| spawn(counted(&POLLS, LOCK.read())));
        let last = spawn(counted(&POLLS, LOCK.write()));
        turns(10).await;
        sleep(MS).await;
        assert!(POLLS.get() == 6, "one poll each to get in line");
        drop(writer);
        yield_now().await;
        assert!(POLLS.get() == 11, "and one each to go in, all in one turn");
        assert!(tasks.iter().all(|task| task.is_done()) && !last.is_done());
        for task in tasks {
            assert!(task.await.is_ok());
        }
        assert!(last.await.is_ok() && POLLS.get() == 12);
    });
}

pub(crate) fn a_reader_waits_behind_a_writer_that_waits<W: World>(_: &mut W) {
    static BELLS: [Bell; 3] = [const { Bell::new() }; 3];
    let lock = RwLock::new(0);
    let first = lock.try_read();
    let mut writer = pin!(lock.write());
    let mut reader = pin!(lock.read());
    assert!(poll(writer.as_mut(), &BELLS[0]).is_none());
    assert!(lock.try_read().is_none(), "others read, but a writer has come before");
    assert!(poll(reader.as_mut(), &BELLS[1]).is_none());
    drop(first);
    assert!(BELLS[0].rang() && !BELLS[1].rang());
    assert!(lock.is_written() && poll(reader.as_mut(), &BELLS[2]).is_none());
    let guard = poll(writer, &BELLS[0]);
    assert!(guard.is_some());
    drop(guard);
    assert!(BELLS[2].rang() && poll(reader, &BELLS[2]).is_some());
}

pub(crate) fn a_writer_that_gives_up_lets_the_readers_behind_it_in<W: World>(_: &mut W) {
    static BELLS: [Bell; 5] = [const { Bell::new() }; 5];
    let lock = RwLock::new(0);
    let first = lock.try_read();
    let mut one = pin!(Some(lock.write()));
    let (mut a, mut b) = (pin!(lock.read()), pin!(lock.read()));
    let mut two = pin!(Some(lock.write()));
    let mut c = pin!(lock.read());
    assert!(poll_opt(one.as_mut(), &BELLS[0]).is_none());
    assert!(poll(a.as_mut(), &BELLS[1]).is_none() && poll(b.as_mut(), &BELLS[2]).is_none());
    assert!(poll_opt(two.as_mut(), &BELLS[3]).is_none());
    assert!(poll(c.as_mut(), &BELLS[4]).is_none());
    one.set(None);
    assert!(BELLS[1].rang() && BELLS[2].rang() && !BELLS[4].rang(), "up to the next writer, while others read");
    assert!(lock.readers() == 3);
    two.set(None);
    assert!(BELLS[4].rang() && lock.readers() == 4);
    let guards = [poll(a, &BELLS[1]), poll(b, &BELLS[2]), poll(c, &BELLS[4]), first];
    assert!(guards.iter().all(Option::is_some) && lock.readers() == 4);
    drop(guards);
    assert!(lock.readers() == 0 && lock.try_write().is_some());
}

pub(crate) fn what_was_granted_to_a_reader_that_is_dropped_goes_to_the_writer_behind<W: World>(_: &mut W) {
    static BELLS: [Bell; 4] = [const { Bell::new() }; 4];
    let lock = RwLock::new(0);
    let first = lock.try_write();
    let (mut a, mut b) = (pin!(Some(lock.read())), pin!(Some(lock.read())));
    let (mut writer, mut c) = (pin!(Some(lock.write())), pin!(lock.read()));
    assert!(poll_opt(a.as_mut(), &BELLS[0]).is_none() && poll_opt(b.as_mut(), &BELLS[1]).is_none());
    assert!(poll_opt(writer.as_mut(), &BELLS[2]).is_none() && poll(c.as_mut(), &BELLS[3]).is_none());
    drop(first);
    assert!(BELLS[0].rang() && BELLS[1].rang() && !BELLS[2].rang() && lock.readers() == 2);
    a.set(None);
    assert!(!BELLS[2].rang() && lock.readers() == 1);
    b.set(None);
    assert!(BELLS[2].rang() && lock.is_written() && !BELLS[3].rang());
    // And from the writer to the reader behind it.
    writer.set(None);
    assert!(BELLS[3].rang() && poll(c, &BELLS[3]).is_some());
    assert!(lock.try_write().is_some());
}

pub(crate) fn waiters_about_to_be_cancelled_are_passed_over<W: World>(world: &mut W) {
    static LOCK: RwLock<u32> = RwLock::new(0);
    static LOG: Log = Log::new();
    run(world, async {
        // A writer in front, with readers behind it.
        let first = LOCK.try_write();
        let writer = spawn(write(&LOCK, &LOG, b'W'));
        let readers = [b'a', b'b', b'c'].map(|letter| spawn(read(&LOCK, &LOG, letter)));
        yield_now().await;
        writer.cancel();
        readers[1].cancel();
        drop(first);
        assert!(LOCK.readers() == 2, "the one that stay, and at once");
        yield_now().await;
        LOG.expect("ac");
        turns(2).await;
        assert!(LOCK.readers() == 0);
        // Newcomers do not wait for who is about to go.
        let first = LOCK.try_read();
        let writer = spawn(write(&LOCK, &LOG, b'X'));
        yield_now().await;
        assert!(LOCK.try_read().is_none());
        writer.cancel();
        assert!(LOCK.try_read().is_some());
        drop(first);
        assert!(LOCK.try_write().is_some());
    });
}

pub(crate) fn a_newcomer_does_not_overtake_who_was_let_in<W: World>(_: &mut W) {
    static BELLS: [Bell; 3] = [const { Bell::new() }; 3];
    let lock = RwLock::new(0);
    let first = lock.try_read();
    let mut writer = pin!(lock.write());
    assert!(poll(writer.as_mut(), &BELLS[0]).is_none());
    drop(first);
    assert!(lock.try_read().is_none() && lock.try_write().is_none(), "it is the writer's already");
    let mut newcomer = pin!(lock.write());
    assert!(poll(newcomer.as_mut(), &BELLS[1]).is_none());
    let guard = poll(writer, &BELLS[0]);
    assert!(BELLS[0].rang() && guard.is_some() && !BELLS[1].rang());
    drop(guard);
    assert!(BELLS[1].rang());
    let mut reader = pin!(lock.read());
    assert!(poll(reader.as_mut(), &BELLS[2]).is_none());
    drop(poll(newcomer, &BELLS[1]));
    assert!(BELLS[2].rang() && poll(reader, &BELLS[2]).is_some());
}

pub(crate) fn a_newcomer_does_not_overtake_a_reader_behind_a_writer_that_is_about_to_go<W: World>(world: &mut W) {
    static LOCK: RwLock<u32> = RwLock::new(0);
    static LOG: Log = Log::new();
    static BELL: Bell = Bell::new();
    run(world, async {
        let first = LOCK.try_read();
        let writer = spawn(write(&LOCK, &LOG, b'W'));
        let reader = spawn(read(&LOCK, &LOG, b'a'));
        yield_now().await;
        writer.cancel();
        let mut newcomer = pin!(LOCK.read());
        assert!(LOCK.try_read().is_none() && poll(newcomer.as_mut(), &BELL).is_none(), "the reader is before it");
        yield_now().await;
        assert!(BELL.rang() && LOCK.readers() == 3, "when the writer has gone both are let in");
        assert!(poll(newcomer, &BELL).is_some() && reader.await.is_ok());
        LOG.expect("a");
        drop(first);
        assert!(LOCK.try_write().is_some());
    });
}

pub(crate) fn downgraded_it_lets_readers_in_and_no_writer<W: World>(_: &mut W) {
    static BELLS: [Bell; 4] = [const { Bell::new() }; 4];
    let lock = RwLock::new(0);
    let mut guard = lock.try_write();
    let (mut a, mut b) = (pin!(lock.read()), pin!(lock.read()));
    let (mut writer, mut c) = (pin!(lock.write()), pin!(lock.read()));
    assert!(poll(a.as_mut(), &BELLS[0]).is_none() && poll(b.as_mut(), &BELLS[1]).is_none());
    assert!(poll(writer.as_mut(), &BELLS[2]).is_none() && poll(c.as_mut(), &BELLS[3]).is_none());
    if let Some(value) = &mut guard {
        **value = 5;
    }
    let guard: Option<RwLockReadGuard<'_, i32>> = guard.map(RwLockWriteGuard::downgrade);
    assert!(guard.as_deref() == Some(&5) && lock.readers() == 3);
    assert!(BELLS[0].rang() && BELLS[1].rang() && !BELLS[2].rang() && !BELLS[3].rang());
    let guards = (guard, poll(a, &BELLS[0]), poll(b, &BELLS[1]));
    assert!(guards.1.as_deref() == Some(&5) && guards.2.is_some());
    drop(guards);
    assert!(BELLS[2].rang() && poll(writer, &BELLS[2]).is_some() && BELLS[3].rang());
    assert!(poll(c, &BELLS[3]).is_some());
}

pub(crate) fn a_lock_gives_its_value_to_who_owns_it<W: World>(_: &mut W) {
    let mut lock = RwLock::new(3);
    *lock.get_mut() += 1;
    if let Some(mut value) = lock.try_write() {
        *value += 1;
    }
    assert!(lock.into_inner() == 5);
}

pub(crate) fn a_write_is_one_tasks_across_its_waits<W: World>(world: &mut W) {
    static LOCK: RwLock<[u32; 2]> = RwLock::new([0; 2]);
    run(world, async {
        let writers = [0; 3].map(|_| {
            spawn(async {
                for _ in 0..5 {
                    let mut value = LOCK.write().await;
                    value[0] += 1;
                    turns(2).await;
                    value[1] += 1;
                }
            })
        });
        let readers = [0; 3].map(|_| {
            spawn(async {
                for _ in 0..5 {
                    let value = LOCK.read().await;
                    assert!(value[0] == value[1]);
                    yield_now().await;
                }
            })
        });
        for task in writers.into_iter().chain(readers) {
            assert!(task.await.is_ok());
        }
        assert!(*LOCK.read().await == [15, 15]);
    });
}
