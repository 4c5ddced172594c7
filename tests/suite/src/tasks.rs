//! Tasks: order, outcome, cancellation, and the number of turns from cause to effect.

use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::task::Poll;

use corio::{Cancelled, Event, Task, now, sleep_until, yield_now};

use crate::World;
use crate::harness::{Count, Log, NoteOnDrop, Own, Turns, counted, run, spawn, turns};

pub(crate) fn spawned_tasks_take_their_first_steps_in_order_of_creation<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let tasks = [b'a', b'b', b'c', b'd'].map(|letter| spawn(async move { LOG.note(letter) }));
        LOG.expect("");
        yield_now().await;
        LOG.expect("abcd");
        assert!(tasks.iter().all(Task::is_done));
    });
}

pub(crate) fn spawn_runs_nothing_before_its_caller_waits<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let task = spawn(async { LOG.note(b't') });
        LOG.note(b'm');
        assert!(!task.is_done());
        assert!(task.await == Ok(()));
        LOG.expect("mt");
    });
}

pub(crate) fn what_a_task_spawns_takes_its_first_step_behind_all_that_is_ready<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let a = spawn(async {
            LOG.note(b'a');
            spawn(async { LOG.note(b'c') }).detach();
        });
        let b = spawn(async {
            LOG.note(b'b');
            yield_now().await;
            LOG.note(b'd');
        });
        assert!(a.await.is_ok() && b.await.is_ok());
        LOG.expect("abcd");
    });
}

pub(crate) fn tasks_that_yield_take_turns<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let [a, b, c] = [b'a', b'b', b'c'].map(|letter| {
            spawn(async move {
                for _ in 0..3 {
                    LOG.note(letter);
                    yield_now().await;
                }
            })
        });
        assert!(a.await.is_ok() && b.await.is_ok() && c.await.is_ok());
        LOG.expect("abcabcabc");
    });
}

pub(crate) fn tasks_run_in_the_order_in_which_they_were_woken<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static EVENTS: [Event; 3] = [const { Event::new() }; 3];
    run(world, async {
        let [a, b, c] = [0, 1, 2].map(|i| {
            spawn(async move {
                EVENTS[usize::from(i)].wait().await;
                LOG.note(b'a' + i);
            })
        });
        yield_now().await;
        EVENTS[2].set();
        EVENTS[0].set();
        EVENTS[1].set();
        assert!(a.await.is_ok() && b.await.is_ok() && c.await.is_ok());
        LOG.expect("cab");
    });
}

pub(crate) fn awaiting_gives_what_the_future_returned<W: World>(world: &mut W) {
    run(world, async {
        let deep = spawn(async { spawn(async { 6 }).await.unwrap_or(0) * 7 });
        assert!(deep.await == Ok(42));
        let large = spawn(async {
            yield_now().await;
            [9_u32; 8]
        });
        assert!(large.await == Ok([9; 8]));
    });
}

pub(crate) fn a_yield_takes_one_turn<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        assert!(loop_turns.of(yield_now()).await == 1);
        assert!(loop_turns.of(turns(5)).await == 5);
    });
}

pub(crate) fn a_join_takes_one_turn_from_the_end_of_the_task<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static ENDED: Count = Count::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let task = spawn(async {
            turns(3).await;
            ENDED.set(TURNS.get());
        });
        assert!(task.await.is_ok());
        assert!(loop_turns.now() == ENDED.get() + 1);
        // One for the first step, one for the awaiter.
        assert!(loop_turns.of(spawn(async {})).await == 2);
    });
}

pub(crate) fn awaiting_a_task_that_has_ended_does_not_wait<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let (done, cancelled) = (spawn(async {}), spawn(pending::<()>()));
        cancelled.cancel();
        turns(2).await;
        assert!(done.is_done() && cancelled.is_done());
        assert!(loop_turns.of(done).await == 0);
        assert!(loop_turns.of(cancelled).await == 0);
    });
}

pub(crate) fn a_timer_fires_in_one_turn_and_its_sleeper_goes_on_in_the_next<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        assert!(loop_turns.of(sleep_until(now())).await == 2);
    });
}

pub(crate) fn cancelled_before_its_first_step_it_never_runs<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let guard = NoteOnDrop(&LOG, b'g');
        let task = spawn(async move {
            let _guard = guard;
            LOG.note(b'x');
        });
        assert!(task.cancel());
        LOG.expect("");
        assert!(task.await == Err(Cancelled));
        LOG.expect("g");
    });
}

pub(crate) fn cancelled_while_waiting_it_drops_its_future_one_turn_later<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static LOG: Log = Log::new();
    static EVENT: Event = Event::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let task = spawn(async {
            let _outer = NoteOnDrop(&LOG, b'o');
            let _inner = NoteOnDrop(&LOG, b'i');
            EVENT.wait().await;
            LOG.note(b'x');
        });
        yield_now().await;
        assert!(task.cancel());
        LOG.expect("");
        assert!(!task.is_done(), "a cancel is a request");
        // The drop is the task's step in the next turn, the awaiter's the turn after.
        assert!(loop_turns.of(async { assert!(task.await == Err(Cancelled)) }).await == 2);
        LOG.expect("io");
    });
}

pub(crate) fn cancelled_in_a_yield_it_ends_at_the_step_that_is_queued_already<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let a = spawn(async {
            let _guard = NoteOnDrop(&LOG, b'a');
            yield_now().await;
            LOG.note(b'x');
        });
        let b = spawn(async {
            yield_now().await;
            LOG.note(b'b');
        });
        yield_now().await;
        // Queued: a, b. The cancel does not move a.
        assert!(a.cancel());
        assert!(a.await.is_err() && b.await.is_ok());
        LOG.expect("ab");
    });
}

pub(crate) fn a_cancel_beats_a_wake_that_is_queued_already<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static EVENT: Event = Event::new();
    run(world, async {
        let task = spawn(async {
            EVENT.wait().await;
            LOG.note(b'x');
        });
        yield_now().await;
        EVENT.set();
        assert!(task.cancel());
        assert!(task.await == Err(Cancelled));
        LOG.expect("");
    });
}

pub(crate) fn a_task_that_cancels_itself_ends_where_it_next_waits<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static OWN: Own<Task<u8>> = Own::new();
    run(world, async {
        OWN.put(spawn(async {
            let _guard = NoteOnDrop(&LOG, b'g');
            yield_now().await;
            assert!(OWN.with(Task::cancel));
            LOG.note(b'a');
            yield_now().await;
            LOG.note(b'x');
            1
        }));
        turns(4).await;
        LOG.expect("ag");
        assert!(OWN.take().await == Err(Cancelled));
    });
}

pub(crate) fn a_task_that_cancels_itself_and_returns_ends_cancelled<W: World>(world: &mut W) {
    static OWN: Own<Task<u8>> = Own::new();
    run(world, async {
        OWN.put(spawn(async {
            yield_now().await;
            assert!(OWN.with(Task::cancel));
            1
        }));
        turns(3).await;
        assert!(OWN.take().await == Err(Cancelled));
    });
}

pub(crate) fn dropping_the_handle_cancels<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let before_its_first_step = spawn(async { LOG.note(b'x') });
        let while_waiting = spawn(async {
            let _guard = NoteOnDrop(&LOG, b'g');
            pending::<()>().await;
        });
        drop(before_its_first_step);
        yield_now().await;
        drop(while_waiting);
        LOG.expect("");
        yield_now().await;
        LOG.expect("g");
    });
}

pub(crate) fn detached_it_runs_to_its_end<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        spawn(async {
            turns(3).await;
            LOG.note(b'd');
            NoteOnDrop(&LOG, b'o')
        })
        .detach();
        turns(4).await;
        LOG.expect("do");
        // After its end, too: what it returned is dropped with the handle.
        let task = spawn(async { NoteOnDrop(&LOG, b'o') });
        turns(2).await;
        LOG.expect("");
        task.detach();
        LOG.expect("o");
    });
}

pub(crate) fn an_output_that_nobody_takes_is_dropped_once<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let ended = spawn(async { NoteOnDrop(&LOG, b'a') });
        turns(2).await;
        drop(ended);
        LOG.expect("a");
        // The handle goes first.
        let running = spawn(async {
            yield_now().await;
            NoteOnDrop(&LOG, b'b')
        });
        running.detach();
        turns(3).await;
        LOG.expect("b");
        // Taken.
        let taken = spawn(async { NoteOnDrop(&LOG, b'c') }).await;
        LOG.expect("");
        drop(taken);
        LOG.expect("c");
    });
}

pub(crate) fn the_future_is_dropped_before_its_awaiter_goes_on<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let guard = NoteOnDrop(&LOG, b'f');
        let task = spawn(async move {
            let guard = guard;
            yield_now().await;
            // Not dropped in the body: it is the future's own.
            let _ = &guard;
        });
        assert!(task.await.is_ok());
        LOG.note(b'm');
        LOG.expect("fm");
    });
}

pub(crate) fn awaiting_by_reference_leaves_task_and_outcome_where_they_are<W: World>(world: &mut W) {
    static EVENT: Event = Event::new();
    run(world, async {
        let mut task = spawn(async {
            EVENT.wait().await;
            5
        });
        {
            let mut by_reference = pin!(&mut task);
            let first_poll = poll_fn(|cx| Poll::Ready(by_reference.as_mut().poll(cx).is_pending())).await;
            assert!(first_poll);
        }
        turns(2).await;
        assert!(!task.is_done(), "a dropped reference cancels nothing");
        EVENT.set();
        turns(2).await;
        assert!((&mut task).await == Ok(5));
        assert!(task.is_done());
        assert!(!task.cancel());
    });
}

pub(crate) fn the_last_who_awaits_is_the_one_to_be_woken<W: World>(world: &mut W) {
    static POLLS: Count = Count::new();
    static EVENT: Event = Event::new();
    run(world, async {
        let mut task = spawn(EVENT.wait());
        let first_poll = poll_fn(|cx| Poll::Ready(pin!(&mut task).poll(cx).is_pending())).await;
        assert!(first_poll);
        let other = spawn(counted(&POLLS, task));
        turns(3).await;
        EVENT.set();
        assert!(other.await == Ok(Ok(())));
        assert!(POLLS.get() == 2, "once to ask, once to take");
    });
}

pub(crate) fn is_done_turns_true_at_the_end_and_cancel_answers_false_from_there<W: World>(world: &mut W) {
    run(world, async {
        let task = spawn(yield_now());
        assert!(!task.is_done());
        yield_now().await;
        assert!(!task.is_done());
        yield_now().await;
        assert!(task.is_done());
        assert!(!task.cancel());
        assert!(task.cancelling() == 0);
        assert!(task.await == Ok(()), "a cancel that came too late changes nothing");
    });
}

pub(crate) fn cancelling_counts_the_requests<W: World>(world: &mut W) {
    run(world, async {
        let task = spawn(pending::<()>());
        assert!(task.cancelling() == 0);
        assert!(task.cancel() && task.cancel() && task.cancel());
        assert!(task.cancelling() == 3);
        assert!(task.await == Err(Cancelled));
    });
}

pub(crate) fn a_task_that_waits_for_a_cancelled_one_sees_it_and_goes_on<W: World>(world: &mut W) {
    run(world, async {
        let inner = spawn(pending::<u8>());
        inner.cancel();
        let outer = spawn(async { inner.await.is_err() });
        assert!(outer.await == Ok(true));
    });
}

pub(crate) fn cancelling_a_waiter_that_owns_the_task_it_waits_for_cancels_both<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let inner = spawn(async {
            let _guard = NoteOnDrop(&LOG, b'i');
            pending::<()>().await;
        });
        let outer = spawn(async {
            let _guard = NoteOnDrop(&LOG, b'o');
            inner.await
        });
        yield_now().await;
        assert!(outer.cancel());
        assert!(outer.await.is_err());
        turns(1).await;
        LOG.expect("io");
    });
}

pub(crate) fn an_idle_task_is_not_polled_whatever_the_others_do<W: World>(world: &mut W) {
    static POLLS: Count = Count::new();
    run(world, async {
        let idle = [0; 4].map(|_| spawn(counted(&POLLS, pending::<()>())));
        for _ in 0..30 {
            spawn(turns(2)).detach();
            yield_now().await;
        }
        turns(3).await;
        assert!(POLLS.get() == 4);
        assert!(!idle.iter().any(Task::is_done));
    });
}

pub(crate) fn woken_many_times_in_one_turn_it_is_polled_once<W: World>(world: &mut W) {
    static POLLS: Count = Count::new();
    run(world, async {
        let woken = spawn(counted(
            &POLLS,
            poll_fn(|cx| {
                for _ in 0..5 {
                    cx.waker().wake_by_ref();
                    let copy = cx.waker().clone();
                    copy.wake();
                }
                if POLLS.get() < 4 { Poll::Pending } else { Poll::Ready(()) }
            }),
        ));
        yield_now().await;
        assert!(POLLS.get() == 1);
        yield_now().await;
        assert!(POLLS.get() == 2);
        assert!(woken.await.is_ok());
        turns(3).await;
        assert!(POLLS.get() == 4, "nor after its end");
    });
}

pub(crate) fn slots_are_used_again_and_stale_wakers_do_no_harm<W: World>(world: &mut W) {
    static POLLS: Count = Count::new();
    run(world, async {
        let mut stale = None;
        for round in 0..200 {
            // The waker of the task before, whose slot this one may well have.
            let before = stale.take();
            let task = spawn(poll_fn(move |cx| {
                if let Some(waker) = &before {
                    core::task::Waker::wake_by_ref(waker);
                }
                Poll::Ready(cx.waker().clone())
            }));
            match task.await {
                Ok(waker) => {
                    waker.wake_by_ref();
                    stale = Some(waker);
                }
                Err(Cancelled) => panic!("nobody cancelled it"),
            }
            if round % 16 == 0 {
                let bystander = spawn(counted(&POLLS, turns(1)));
                assert!(bystander.await.is_ok());
            }
        }
        assert!(POLLS.get() >= 26, "two polls each, or more where a stale wake hit");
    });
}
