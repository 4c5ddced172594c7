//! `TaskPool`: tasks without a heap.

use core::future::{pending, poll_fn};
use core::task::Poll;

use corio::{Cancelled, Event, TaskPool, yield_now};

use crate::World;
use crate::harness::{Log, NoteOnDrop, run, turns};

type Room = [usize; 24];

pub(crate) fn a_full_pool_gives_the_future_back<W: World>(world: &mut W) {
    static POOL: TaskPool<Room, 2> = TaskPool::new();
    static LOG: Log = Log::new();
    run(world, async {
        let (one, two) = (POOL.spawn(pending::<()>()), POOL.spawn(pending::<()>()));
        assert!(one.is_ok() && two.is_ok());
        let guard = NoteOnDrop(&LOG, b'g');
        match POOL.spawn(async move {
            let _guard = guard;
        }) {
            Ok(_) => panic!("both places are taken"),
            Err(full) => {
                LOG.expect("");
                drop(full.0);
                LOG.expect("g");
            }
        }
    });
}

pub(crate) fn a_place_is_free_when_its_task_has_ended_and_its_handle_is_gone<W: World>(world: &mut W) {
    static POOL: TaskPool<Room, 1> = TaskPool::new();
    static EVENT: Event = Event::new();
    run(world, async {
        // The handle first.
        match POOL.spawn(EVENT.wait()) {
            Ok(task) => task.detach(),
            Err(_) => panic!("free at first"),
        }
        turns(2).await;
        assert!(POOL.spawn(async {}).is_err(), "it runs");
        EVENT.set();
        turns(2).await;
        // The task first.
        let task = POOL.spawn(async {});
        turns(2).await;
        assert!(task.as_ref().is_ok_and(|task| task.is_done()));
        assert!(POOL.spawn(async {}).is_err(), "its outcome may still be asked for");
        drop(task);
        // Cancelled.
        drop(POOL.spawn(pending::<()>()));
        assert!(POOL.spawn(async {}).is_err(), "its future is dropped in the next turn");
        yield_now().await;
        assert!(POOL.spawn(async {}).is_ok());
    });
}

pub(crate) fn a_place_is_used_for_futures_of_many_types<W: World>(world: &mut W) {
    static POOL: TaskPool<Room, 2> = TaskPool::new();
    async fn generic<T: Copy + 'static>(value: T) -> [T; 2] {
        yield_now().await;
        [value; 2]
    }
    run(world, async {
        for round in 0..20_u32 {
            let (number, letter) = (POOL.spawn(generic(round)), POOL.spawn(generic(b'x')));
            match (number, letter) {
                (Ok(number), Ok(letter)) => {
                    assert!(number.await == Ok([round; 2]));
                    assert!(letter.await == Ok([b'x'; 2]));
                }
                _ => panic!("both were free"),
            }
        }
    });
}

pub(crate) fn future_and_output_are_dropped_once<W: World>(world: &mut W) {
    static POOL: TaskPool<Room, 2> = TaskPool::new();
    static LOG: Log = Log::new();
    run(world, async {
        let future = NoteOnDrop(&LOG, b'f');
        let task = POOL.spawn(async move {
            let future = future;
            yield_now().await;
            let _ = &future;
            NoteOnDrop(&LOG, b'o')
        });
        let Ok(task) = task else { panic!("free at first") };
        let output = task.await;
        LOG.expect("f");
        drop(output);
        LOG.expect("o");
        let waits = NoteOnDrop(&LOG, b'w');
        let task = POOL.spawn(async move {
            let _waits = waits;
            pending::<()>().await;
        });
        let Ok(task) = task else { panic!("free again") };
        yield_now().await;
        assert!(task.cancel());
        assert!(task.await == Err(Cancelled));
        LOG.expect("w");
    });
}

pub(crate) fn a_place_whose_task_was_woken_in_its_last_step_is_free<W: World>(world: &mut W) {
    static POOL: TaskPool<Room, 1> = TaskPool::new();
    static LOG: Log = Log::new();
    static OTHER: TaskPool<Room, 1> = TaskPool::new();
    run(world, async {
        // As a select does that loses to a yield.
        let ends = POOL.spawn(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Ready(())
        }));
        let next = OTHER.spawn(async {
            if POOL.spawn(async { LOG.note(b'n') }).map(|task| task.detach()).is_err() {
                LOG.note(b'x');
            }
        });
        match (ends, next) {
            (Ok(ends), Ok(_next)) => {
                ends.detach();
                turns(4).await;
                LOG.expect("n");
            }
            _ => panic!("free at first"),
        }
    });
}
