//! Sleeps and timeouts. Deadlines are some milliseconds apart and their *order* is asserted, which holds however late a
//! real clock brings them; where time is virtual they are exact as well.

use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::task::Poll;

use corio::{Duration, Event, Instant, Mutex, Task, TimedOut, now, sleep, sleep_until, timeout, timeout_at, yield_now};

use crate::World;
use crate::harness::{Bell, Count, LONG, Log, MS, NoteOnDrop, Turns, counted, poll, poll_opt, run, spawn, turns};

/// Asserts that `deadline` has passed: by nothing, where time is virtual.
fn assert_due<W: World>(deadline: Instant) {
    assert!(now() >= deadline);
    assert!(!W::VIRTUAL || now() == deadline);
}

pub(crate) fn sleepers_go_on_in_the_order_of_their_deadlines<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let start = now();
        let tasks = [3, 1, 4, 2, 5].map(|n: u8| {
            spawn(async move {
                sleep_until(start + MS * n.into()).await;
                assert_due::<W>(start + MS * n.into());
                LOG.note(b'0' + n);
            })
        });
        for task in tasks {
            assert!(task.await.is_ok());
        }
        LOG.expect("12345");
    });
}

pub(crate) fn equal_deadlines_come_in_order_of_registration<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let deadline = now() + MS;
        let tasks = [b'a', b'b', b'c', b'd', b'e', b'f'].map(|letter| {
            spawn(async move {
                sleep_until(deadline).await;
                LOG.note(letter);
            })
        });
        for task in tasks {
            assert!(task.await.is_ok());
        }
        LOG.expect("abcdef");
    });
}

pub(crate) fn equal_deadlines_come_in_order_of_registration_also_with_others_in_between<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let start = now() + MS;
        // Three deadlines, registered in turn: no two of one deadline in a row.
        let tasks = [(1, b'd'), (0, b'a'), (2, b'g'), (1, b'e'), (0, b'b'), (2, b'h'), (1, b'f'), (0, b'c')].map(
            |(n, letter): (u32, u8)| {
                spawn(async move {
                    sleep_until(start + MS * n).await;
                    LOG.note(letter);
                })
            },
        );
        for task in tasks {
            assert!(task.await.is_ok());
        }
        LOG.expect("abcdefgh");
    });
}

pub(crate) fn equal_deadlines_keep_their_order_when_some_are_dropped<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        // For each one that is dropped: the first, the second, one in the middle, the last; and two of them.
        for (dropped, left) in
            [(0b1, "bcdefg"), (0b10, "acdefg"), (0b1000, "abcefg"), (0b100_0000, "abcdef"), (0b11, "cdefg")]
        {
            let deadline = now() + MS;
            let mut tasks = [0, 1, 2, 3, 4, 5, 6].map(|i: u8| {
                Some(spawn(async move {
                    sleep_until(deadline).await;
                    LOG.note(b'a' + i);
                }))
            });
            yield_now().await;
            for (i, task) in tasks.iter_mut().enumerate() {
                if dropped & 1 << i != 0 {
                    task.take();
                }
            }
            for task in tasks.into_iter().flatten() {
                assert!(task.await.is_ok());
            }
            LOG.expect(left);
        }
    });
}

pub(crate) fn a_sleep_that_is_dropped_never_wakes<W: World>(world: &mut W) {
    static BELLS: [Bell; 3] = [const { Bell::new() }; 3];
    run(world, async {
        let deadline = now() + MS;
        let mut a = pin!(Some(sleep_until(deadline)));
        let mut b = pin!(Some(sleep_until(deadline)));
        let mut c = pin!(Some(sleep_until(deadline)));
        assert!(poll_opt(a.as_mut(), &BELLS[0]).is_none());
        assert!(poll_opt(b.as_mut(), &BELLS[1]).is_none());
        assert!(poll_opt(c.as_mut(), &BELLS[2]).is_none());
        b.set(None);
        sleep(MS * 3).await;
        assert!(BELLS[0].rang() && !BELLS[1].rang() && BELLS[2].rang());
        assert!(poll_opt(a.as_mut(), &BELLS[0]).is_some() && poll_opt(c.as_mut(), &BELLS[2]).is_some());
    });
}

pub(crate) fn a_sleep_of_zero_is_a_yield<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        assert!(loop_turns.of(sleep(Duration::ZERO)).await == 1);
    });
}

pub(crate) fn deadlines_that_are_past_come_in_their_order_too<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        sleep(MS * 4).await;
        let tasks = [(3, b'c'), (1, b'a'), (4, b'd'), (2, b'b'), (0, b'_')].map(|(ms, letter)| {
            spawn(async move {
                sleep_until(Instant::from_millis(ms)).await;
                LOG.note(letter);
            })
        });
        for task in tasks {
            assert!(task.await.is_ok());
        }
        LOG.expect("_abcd");
    });
}

pub(crate) fn a_sleeper_is_polled_twice<W: World>(world: &mut W) {
    static POLLS: Count = Count::new();
    static OTHERS: Count = Count::new();
    run(world, async {
        let sleeper = spawn(counted(&POLLS, sleep(MS * 5)));
        let others = [1, 2, 3, 4].map(|ms| spawn(counted(&OTHERS, sleep(MS * ms))));
        for other in others {
            assert!(other.await.is_ok());
        }
        assert!(sleeper.await.is_ok());
        assert!(POLLS.get() == 2 && OTHERS.get() == 8);
    });
}

pub(crate) fn a_sleep_polled_for_another_reason_goes_on_and_its_last_waker_counts<W: World>(world: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    run(world, async {
        let mut nap = pin!(sleep(MS * 2));
        assert!(poll(nap.as_mut(), &BELLS[0]).is_none());
        let begun = now();
        yield_now().await;
        assert!(poll(nap.as_mut(), &BELLS[1]).is_none());
        assert!(poll(nap.as_mut(), &BELLS[1]).is_none());
        sleep_until(begun + MS * 4).await;
        assert!(!BELLS[0].rang() && BELLS[1].rang());
        assert!(poll(nap, &BELLS[0]).is_some());
    });
}

pub(crate) fn a_sleep_counts_from_its_first_poll<W: World>(world: &mut W) {
    run(world, async {
        let nap = sleep(MS * 2);
        sleep(MS * 3).await;
        let start = now();
        nap.await;
        assert!(now() >= start + MS * 2);
        assert!(!W::VIRTUAL || now() == start + MS * 2);
    });
}

pub(crate) fn a_deadline_that_never_comes_keeps_nobody_waiting<W: World>(world: &mut W) {
    run(world, async {
        let never = spawn(sleep(Duration::MAX));
        let end_of_time = spawn(sleep_until(Instant::MAX));
        yield_now().await;
        let before = now();
        sleep(MS).await;
        assert_due::<W>(before + MS);
        assert!(timeout(Duration::MAX, sleep(MS)).await.is_ok());
        assert!(!never.is_done() && !end_of_time.is_done());
    });
}

pub(crate) fn time_does_not_go_back<W: World>(world: &mut W) {
    run(world, async {
        let mut last = now();
        for i in 0..50 {
            if i % 10 == 0 {
                sleep(MS).await;
            } else {
                yield_now().await;
            }
            assert!(now() >= last);
            last = now();
        }
    });
}

pub(crate) fn a_timeout_around_what_is_ready_at_once_never_looks_at_the_clock<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        assert!(timeout(Duration::ZERO, async { 5 }).await == Ok(5));
        assert!(timeout_at(Instant::ZERO, async { 6 }).await == Ok(6));
        assert!(loop_turns.of(timeout(Duration::ZERO, async {})).await == 0);
    });
}

pub(crate) fn a_timeout_that_expires_drops_its_future<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let before = now();
        let expired = timeout(MS * 2, async {
            let _guard = NoteOnDrop(&LOG, b'g');
            pending::<()>().await;
        })
        .await;
        LOG.note(b'm');
        assert!(expired == Err(TimedOut));
        LOG.expect("gm");
        assert_due::<W>(before + MS * 2);
    });
}

pub(crate) fn a_timeout_that_expires_has_dropped_its_future_even_where_it_is_kept<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let mut limited = pin!(timeout(MS, async {
            let _guard = NoteOnDrop(&LOG, b'g');
            pending::<()>().await;
        }));
        assert!(limited.as_mut().await == Err(TimedOut));
        LOG.expect("g");
    });
}

pub(crate) fn a_timeout_in_time_gives_the_output_and_holds_no_time<W: World>(world: &mut W) {
    run(world, async {
        let before = now();
        assert!(timeout(Duration::from_secs(3600), sleep(MS)).await == Ok(()));
        // The hour went with the timeout: nothing waits for it.
        sleep(MS).await;
        assert!(!W::VIRTUAL || now() == before + MS * 2);
    });
}

pub(crate) fn the_outer_of_two_timeouts_that_expire_together_reports<W: World>(world: &mut W) {
    run(world, async {
        let deadline = now() + MS;
        let both = timeout_at(deadline, timeout_at(deadline, pending::<()>())).await;
        assert!(both == Err(TimedOut));
        let inner = timeout(LONG, timeout(MS, pending::<()>())).await;
        assert!(inner == Ok(Err(TimedOut)));
        let outer = timeout(MS, timeout(LONG, pending::<()>())).await;
        assert!(outer == Err(TimedOut));
    });
}

pub(crate) fn cancelled_after_two_timeouts_that_expired_together_it_ends_where_it_waits<W: World>(world: &mut W) {
    static MUTEX: Mutex<()> = Mutex::new(());
    run(world, async {
        let held = MUTEX.lock().await;
        let task = spawn(async {
            let deadline = now() + MS;
            assert!(timeout_at(deadline, timeout_at(deadline, pending::<()>())).await == Err(TimedOut));
            drop(MUTEX.lock().await);
        });
        sleep(3 * MS).await;
        task.cancel();
        drop(held);
        assert!(task.await.is_err());
        assert!(!MUTEX.is_locked());
    });
}

pub(crate) fn a_timeout_of_zero_ends_what_waits<W: World>(world: &mut W) {
    static EVENT: Event = Event::new();
    run(world, async {
        assert!(timeout(Duration::ZERO, EVENT.wait()).await == Err(TimedOut));
        assert!(timeout_at(Instant::ZERO, EVENT.wait()).await == Err(TimedOut));
        assert!(timeout(Duration::ZERO, pending::<u8>()).await == Err(TimedOut));
    });
}

pub(crate) fn a_deadline_that_has_fired_decides_though_the_future_became_ready<W: World>(world: &mut W) {
    static EVENT: Event = Event::new();
    run(world, async {
        let deadline = now() + MS;
        // Its timer is first, so its step in which it sets the event is before that of the limited one.
        let setter = spawn(async move {
            sleep_until(deadline).await;
            EVENT.set();
        });
        yield_now().await;
        let limited = timeout_at(deadline, EVENT.wait()).await;
        assert!(limited == Err(TimedOut));
        assert!(setter.await.is_ok());
    });
}

pub(crate) fn cancelling_a_sleeper_ends_it_at_once<W: World>(world: &mut W) {
    run(world, async {
        let before = now();
        let sleeper: Task<()> = spawn(sleep(Duration::from_secs(3600)));
        yield_now().await;
        assert!(sleeper.cancel());
        assert!(sleeper.await.is_err());
        assert!(!W::VIRTUAL || now() == before);
    });
}

pub(crate) fn due_together_all_wake_in_one_turn<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let deadline = now();
        let [a, b, c] = [b'a', b'b', b'c'].map(|letter| {
            spawn(async move {
                sleep_until(deadline).await;
                LOG.note(letter);
            })
        });
        // Registered in the first turn, fired in the second, on their way in the third, behind this task.
        turns(3).await;
        LOG.expect("");
        yield_now().await;
        LOG.expect("abc");
        assert!(a.is_done() && b.is_done() && c.is_done());
    });
}

pub(crate) fn what_is_ready_goes_before_what_falls_due<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let sleeper = spawn(async {
            sleep_until(Instant::ZERO).await;
            LOG.note(b's');
        });
        let yielder = spawn(async {
            yield_now().await;
            LOG.note(b'1');
            yield_now().await;
            LOG.note(b'2');
        });
        assert!(sleeper.await.is_ok() && yielder.await.is_ok());
        // Turn 1: both begin. Turn 2: the yielder; then the timer fires. Turn 3: the yielder, which was ready first.
        LOG.expect("12s");
    });
}

pub(crate) fn one_of_two_sleeps_in_a_race_wins_and_the_other_leaves_nothing<W: World>(world: &mut W) {
    static POLLS: Count = Count::new();
    run(world, async {
        for _ in 0..5 {
            let (mut short, mut long) = (pin!(Some(sleep(MS))), pin!(Some(sleep(MS * 2))));
            let first = counted(
                &POLLS,
                poll_fn(|cx| {
                    for (name, nap) in [(1, &mut short), (2, &mut long)] {
                        if let Some(nap) = nap.as_mut().as_pin_mut()
                            && nap.poll(cx).is_ready()
                        {
                            return Poll::Ready(name);
                        }
                    }
                    Poll::Pending
                }),
            )
            .await;
            assert!(first == 1);
        }
        assert!(POLLS.get() == 10);
    });
}
