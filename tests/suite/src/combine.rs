//! Futures side by side in one task: `join`, `select`, `staggered_race`.

use core::future::{pending, ready};
use core::pin::pin;

use corio::{
    Cancelled, Duration, Either, Either3, Event, TimedOut, join, select, sleep, staggered_race, timeout, yield_now,
};

use crate::World;
use crate::harness::{Count, LONG, Log, MS, NoteOnDrop, Turns, counted, run, spawn, turns};

/// Waits for ever, with a guard.
async fn stays(log: &'static Log, letter: u8) {
    let _guard = NoteOnDrop(log, letter);
    pending().await
}

pub(crate) fn join_gives_what_all_have_come_to_in_the_order_given<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let after = async |n: usize, letter| {
            turns(n).await;
            LOG.note(letter);
            letter
        };
        assert!(join((after(2, b'a'), after(1, b'b'), after(0, b'c'))).await == (b'a', b'b', b'c'));
        LOG.expect("cba");
        assert!(join([after(1, b'd'), after(0, b'e')]).await == *b"de");
        LOG.expect("ed");
        let nothing: [core::future::Ready<u8>; 0] = [];
        assert!(join(nothing).await.is_empty());
    });
}

pub(crate) fn a_join_takes_as_long_as_the_longest_and_polls_none_that_has_ended<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static POLLS: Count = Count::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let both = join((turns(5), counted(&POLLS, turns(2)), ready(())));
        assert!(loop_turns.of(both).await == 5);
        assert!(POLLS.get() == 3);
        assert!(loop_turns.of(join((ready(1), ready(2)))).await == 0);
    });
}

pub(crate) fn a_joined_future_is_dropped_as_soon_as_it_has_ended<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let short = async {
            let _guard = NoteOnDrop(&LOG, b's');
            yield_now().await;
        };
        let long = async {
            turns(3).await;
            LOG.note(b'l');
        };
        join((short, long)).await;
        LOG.expect("sl");
    });
}

pub(crate) fn select_gives_the_first_and_drops_the_others_before_its_caller_goes_on<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let mut both = pin!(select((stays(&LOG, b'a'), turns(1), stays(&LOG, b'c'))));
        assert!(matches!(both.as_mut().await, Either3::Second(())));
        LOG.expect("ac");
        // Of several that are ready it is the first in order.
        assert!(select((ready(1), ready(2))).await.into_inner() == 1);
        assert!(select([ready(b'x'), ready(b'y')]).await == (0, b'x'));
    });
}

pub(crate) fn what_is_lent_to_a_select_goes_on<W: World>(world: &mut W) {
    run(world, async {
        let mut task = spawn(async {
            turns(5).await;
            7
        });
        let mut long = pin!(turns(4));
        assert!(matches!(select((&mut task, long.as_mut(), yield_now())).await, Either3::Third(())));
        assert!(matches!(select((&mut task, long)).await, Either::Second(())));
        assert!(task.await == Ok(7));
    });
}

pub(crate) fn a_cancelled_join_drops_its_futures_in_order_in_one_turn<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let task = spawn(async {
            let _outer = NoteOnDrop(&LOG, b'o');
            let _ = join((stays(&LOG, b'a'), timeout(Duration::MAX, stays(&LOG, b'b')), stays(&LOG, b'c'))).await;
        });
        turns(2).await;
        LOG.expect("");
        task.cancel();
        yield_now().await;
        LOG.expect("abco");
        assert!(task.await == Err(Cancelled));
    });
}

pub(crate) fn a_select_dropped_at_any_stage_drops_its_futures<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        drop(select((stays(&LOG, b'a'), async { LOG.note(b'!') })));
        LOG.expect("");
        // The first is polled in the race with a yield, and dropped when that has won.
        select((select((stays(&LOG, b'a'), stays(&LOG, b'b'))), yield_now())).await;
        LOG.expect("ab");
    });
}

pub(crate) fn a_timeout_in_a_branch_leaves_its_neighbours_alone<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static EXPIRED: Event = Event::new();
    run(world, async {
        let expires = || async {
            let slow = async {
                let _guard = NoteOnDrop(&LOG, b'x');
                sleep(LONG).await;
            };
            let result = timeout(MS * 2, slow).await;
            EXPIRED.set();
            result
        };
        let steady = || async {
            EXPIRED.wait().await;
            sleep(MS * 2).await;
            LOG.note(b's');
            7
        };
        // On either side of the one that expires, and with one that does not.
        let around = join((timeout(LONG, steady()), expires(), timeout(LONG, steady())));
        assert!(around.await == (Ok(7), Err(TimedOut), Ok(7)));
        LOG.expect("xss");
        // What a neighbour waits for is not cancelled.
        EXPIRED.clear();
        let mut task = spawn(steady());
        let both = join((expires(), &mut task));
        assert!(both.await == (Err(TimedOut), Ok(7)));
        LOG.expect("xs");
        // The task that waits has nothing to answer for.
        assert!(timeout(LONG, steady()).await == Ok(7));
        LOG.expect("s");
    });
}

pub(crate) fn a_timeout_around_branches_drops_them_all<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        if W::VIRTUAL {
            // Elsewhere both may be due in one turn, in which the outer one is the first.
            let inside =
                join((stays(&LOG, b'a'), timeout(Duration::MAX, stays(&LOG, b'b')), timeout(MS, stays(&LOG, b'c'))));
            assert!(timeout(MS * 3, inside).await == Err(TimedOut));
            LOG.expect("cab");
        }
        let race = select((stays(&LOG, b'a'), timeout(Duration::MAX, stays(&LOG, b'b'))));
        assert!(timeout(MS, race).await == Err(TimedOut));
        LOG.expect("ab");
    });
}

pub(crate) fn a_request_from_outside_beats_the_time_that_is_up_in_a_branch<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        // Due just before the limit, where time is virtual in the same turn.
        let mut first = pin!(sleep(MS));
        assert!(matches!(select((first.as_mut(), yield_now())).await, Either::Second(())));
        let task = spawn(async {
            let limited = async {
                let _ = timeout(MS, stays(&LOG, b'a')).await;
                LOG.note(b'!');
            };
            let _ = join((limited, timeout(Duration::MAX, stays(&LOG, b'b')))).await;
        });
        first.await;
        task.cancel();
        assert!(task.await == Err(Cancelled));
        LOG.expect("ab");
    });
}

pub(crate) fn a_cancelled_select_leaves_the_tasks_it_waits_for_alone<W: World>(world: &mut W) {
    static GO: Event = Event::new();
    run(world, async {
        let inner = spawn(async {
            GO.wait().await;
            5
        });
        let outer = spawn(async move {
            let mut inner = inner;
            let _ = select((&mut inner, timeout(Duration::MAX, pending::<()>()))).await;
        });
        turns(2).await;
        outer.cancel();
        assert!(outer.await == Err(Cancelled));
    });
}

pub(crate) fn the_attempts_of_a_race_start_one_after_the_other<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let attempt = async |(letter, takes, good): (u8, u32, bool)| {
            LOG.note(letter);
            let _guard = NoteOnDrop(&LOG, letter + 1);
            sleep(MS * takes).await;
            if good { Ok(letter) } else { Err(letter) }
        };
        // 'a' never ends; 'c' fails, whereupon 'e' starts before its time; 'g' does not start. (Elsewhere `e` has a long
        // time to end before it would.)
        let race = staggered_race(
            MS * if W::VIRTUAL { 20 } else { 400 },
            [(b'a', 90_000, true), (b'c', 2, false), (b'e', 2, true), (b'g', 1, true)].map(attempt),
        );
        assert!(race.await == Ok((2, b'e')));
        LOG.expect("acdefb");
        if W::VIRTUAL {
            // An earlier one than the latest starts nobody when it fails. (Elsewhere both may be due in one turn.)
            let race = staggered_race(MS * 20, [(b'a', 25, false), (b'c', 900, true), (b'e', 1, true)].map(attempt));
            assert!(race.await == Ok((2, b'e')));
            LOG.expect("acbefd");
        }
        let failed = staggered_race(Duration::MAX, [(b'a', 1, false), (b'c', 0, false)].map(attempt));
        assert!(failed.await == Err(*b"ac"));
        LOG.expect("abcd");
        let nobody: [core::future::Ready<Result<u8, u8>>; 0] = [];
        assert!(staggered_race(MS, nobody).await == Err([]));
    });
}

pub(crate) fn a_cancelled_race_drops_its_attempts<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let task = spawn(async {
            let attempt = async |letter| {
                stays(&LOG, letter).await;
                Ok::<(), ()>(())
            };
            let _ = staggered_race(MS * 20, [b'a', b'b'].map(attempt)).await;
        });
        yield_now().await;
        task.cancel();
        assert!(task.await == Err(Cancelled));
        // The other had not started.
        LOG.expect("a");
    });
}
