//! Queues, in all three orders and in both stores.

use core::pin::pin;

use corio::{
    LifoQueue, PriorityQueue, PutError, Queue, QueueOf, ShutDown, Shutdown, Store, TaskDoneTooOften, TryGetError,
    TryPutError, yield_now,
};

use crate::World;
use crate::harness::{Bell, Count, Log, NoteOnDrop, Turns, poll, poll_opt, run, spawn, turns};

fn order_of<S: Store<u8>>(queue: &QueueOf<u8, S>) -> [u8; 4] {
    for item in [3, 1, 4, 2] {
        assert!(queue.try_put(item).is_ok());
    }
    [0; 4].map(|_| queue.try_get().unwrap_or(0))
}

pub(crate) fn items_leave_in_the_order_of_the_kind<W: World>(_: &mut W) {
    assert!(order_of(&Queue::<u8, 4>::new()) == [3, 1, 4, 2]);
    assert!(order_of(&LifoQueue::<u8, 4>::new()) == [2, 4, 1, 3]);
    assert!(order_of(&PriorityQueue::<u8, 4>::new()) == [1, 2, 3, 4]);
}

fn is_bounded<S: Store<u8>>(queue: &QueueOf<u8, S>) {
    assert!(queue.capacity() == Some(2) && queue.is_empty() && !queue.is_full());
    assert!(queue.try_get() == Err(TryGetError::Empty));
    assert!(queue.try_put(1) == Ok(()) && queue.len() == 1);
    assert!(queue.try_put(2) == Ok(()) && queue.is_full());
    assert!(queue.try_put(3) == Err(TryPutError::Full(3)), "the item comes back");
    assert!(queue.len() == 2);
}

pub(crate) fn a_full_queue_gives_the_item_back<W: World>(_: &mut W) {
    is_bounded(&Queue::<u8, 2>::new());
    is_bounded(&LifoQueue::<u8, 2>::new());
    is_bounded(&PriorityQueue::<u8, 2>::new());
}

pub(crate) fn what_is_put_is_got_in_order_through_a_queue_of_one<W: World>(world: &mut W) {
    static QUEUE: Queue<u8, 1> = Queue::new();
    static LOG: Log = Log::new();
    run(world, async {
        let producer = spawn(async {
            for letter in b'a'..=b'j' {
                assert!(QUEUE.put(letter).await.is_ok());
            }
        });
        for _ in 0..10 {
            LOG.note(QUEUE.get().await.unwrap_or(b'?'));
        }
        assert!(producer.await.is_ok());
        LOG.expect("abcdefghij");
    });
}

pub(crate) fn getters_are_served_in_order_of_arrival<W: World>(world: &mut W) {
    static QUEUE: Queue<u8, 4> = Queue::new();
    static LOG: Log = Log::new();
    run(world, async {
        let tasks = [b'a', b'b', b'c'].map(|letter| {
            spawn(async move {
                LOG.note(letter);
                LOG.note(QUEUE.get().await.unwrap_or(b'?'));
            })
        });
        yield_now().await;
        LOG.expect("abc");
        for item in [b'1', b'2', b'3'] {
            assert!(QUEUE.try_put(item).is_ok());
        }
        for task in tasks {
            assert!(task.await.is_ok());
        }
        LOG.expect("123");
    });
}

pub(crate) fn an_item_that_is_put_is_had_one_turn_later<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static QUEUE: Queue<u32, 4> = Queue::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        let getter = spawn(async {
            let put = QUEUE.get().await.unwrap_or(0);
            TURNS.get() - put
        });
        turns(2).await;
        assert!(QUEUE.put(loop_turns.now()).await.is_ok());
        assert!(getter.await == Ok(1));
        // Neither side waits when it need not.
        assert!(loop_turns.of(QUEUE.put(1)).await == 0);
        assert!(loop_turns.of(QUEUE.get()).await == 0);
    });
}

pub(crate) fn a_newcomer_may_take_the_item_and_the_woken_one_waits_again_at_the_end<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    let queue = Queue::<u8, 4>::new();
    let (mut a, mut b) = (pin!(queue.get()), pin!(queue.get()));
    assert!(poll(a.as_mut(), &BELLS[0]).is_none());
    assert!(poll(b.as_mut(), &BELLS[1]).is_none());
    assert!(queue.try_put(1).is_ok() && BELLS[0].rang());
    assert!(queue.try_get() == Ok(1), "the newcomer");
    assert!(poll(a.as_mut(), &BELLS[0]).is_none());
    assert!(queue.try_put(2).is_ok());
    assert!(!BELLS[0].rang() && BELLS[1].rang());
    assert!(poll(b, &BELLS[1]) == Some(Ok(2)));
    assert!(queue.try_put(3).is_ok() && BELLS[0].rang());
    assert!(poll(a, &BELLS[0]) == Some(Ok(3)));
}

pub(crate) fn a_waiting_getter_polled_for_another_reason_does_not_overtake_the_woken_one<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    let queue = Queue::<u8, 4>::new();
    let (mut a, mut b) = (pin!(queue.get()), pin!(queue.get()));
    assert!(poll(a.as_mut(), &BELLS[0]).is_none());
    assert!(poll(b.as_mut(), &BELLS[1]).is_none());
    assert!(queue.try_put(1).is_ok() && BELLS[0].rang());
    assert!(poll(b.as_mut(), &BELLS[1]).is_none(), "the item is there for the one before");
    assert!(poll(a, &BELLS[0]) == Some(Ok(1)));
    assert!(queue.try_put(2).is_ok() && BELLS[1].rang());
    assert!(poll(b, &BELLS[1]) == Some(Ok(2)));
}

pub(crate) fn a_waiting_putter_polled_for_another_reason_does_not_overtake_the_woken_one<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    let queue = Queue::<u8, 1>::new();
    assert!(queue.try_put(0).is_ok());
    let (mut a, mut b) = (pin!(queue.put(1)), pin!(queue.put(2)));
    assert!(poll(a.as_mut(), &BELLS[0]).is_none());
    assert!(poll(b.as_mut(), &BELLS[1]).is_none());
    assert!(queue.try_get() == Ok(0) && BELLS[0].rang());
    assert!(poll(b.as_mut(), &BELLS[1]).is_none(), "the room is there for the one before");
    assert!(poll(a, &BELLS[0]) == Some(Ok(())));
    assert!(queue.try_get() == Ok(1) && BELLS[1].rang());
    assert!(poll(b, &BELLS[1]) == Some(Ok(())));
    assert!(queue.try_get() == Ok(2));
}

pub(crate) fn a_put_that_is_dropped_takes_its_item_with_it<W: World>(_: &mut W) {
    static LOG: Log = Log::new();
    static BELL: Bell = Bell::new();
    let queue = Queue::<NoteOnDrop, 1>::new();
    drop(queue.put(NoteOnDrop(&LOG, b'a')));
    LOG.expect("a");
    assert!(queue.try_put(NoteOnDrop(&LOG, b'b')).is_ok());
    let mut put = pin!(Some(queue.put(NoteOnDrop(&LOG, b'c'))));
    assert!(poll_opt(put.as_mut(), &BELL).is_none());
    put.set(None);
    LOG.expect("c");
    // Woken, not polled.
    let mut put = pin!(Some(queue.put(NoteOnDrop(&LOG, b'd'))));
    assert!(poll_opt(put.as_mut(), &BELL).is_none());
    drop(queue.try_get());
    assert!(BELL.rang());
    put.set(None);
    LOG.expect("bd");
    assert!(queue.is_empty());
}

pub(crate) fn items_that_are_left_go_with_the_queue<W: World>(_: &mut W) {
    static LOG: Log = Log::new();
    let queue = Queue::<NoteOnDrop, 2>::new();
    assert!(queue.try_put(NoteOnDrop(&LOG, b'a')).is_ok());
    assert!(queue.try_put(NoteOnDrop(&LOG, b'b')).is_ok());
    LOG.expect("");
    drop(queue);
    LOG.expect("ab");
}

pub(crate) fn join_waits_until_every_item_is_done<W: World>(world: &mut W) {
    static QUEUE: Queue<u8, 4> = Queue::new();
    static LOG: Log = Log::new();
    static TURNS: Count = Count::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        assert!(QUEUE.task_done() == Err(TaskDoneTooOften));
        assert!(loop_turns.of(QUEUE.join()).await == 0, "nothing was put");
        for item in 0..3 {
            assert!(QUEUE.try_put(item).is_ok());
        }
        let joiners = [b'a', b'b'].map(|letter| {
            spawn(async move {
                QUEUE.join().await;
                LOG.note(letter);
            })
        });
        for _ in 0..3 {
            LOG.expect("");
            assert!(QUEUE.get().await.is_ok());
            turns(2).await;
            LOG.expect("");
            assert!(QUEUE.task_done() == Ok(()));
        }
        yield_now().await;
        LOG.expect("ab");
        assert!(joiners.iter().all(|task| task.is_done()));
        assert!(QUEUE.task_done() == Err(TaskDoneTooOften));
    });
}

pub(crate) fn shut_down_to_drain_it_gives_what_is_in_and_takes_no_more<W: World>(world: &mut W) {
    static QUEUE: Queue<u8, 2> = Queue::new();
    run(world, async {
        assert!(QUEUE.try_put(1).is_ok() && QUEUE.try_put(2).is_ok());
        let putter = spawn(QUEUE.put(3));
        yield_now().await;
        QUEUE.shutdown(Shutdown::Drain);
        assert!(QUEUE.is_shut_down());
        assert!(putter.await == Ok(Err(PutError::ShutDown(3))), "the item comes back");
        assert!(QUEUE.try_put(4) == Err(TryPutError::ShutDown(4)));
        assert!(QUEUE.put(5).await == Err(PutError::ShutDown(5)));
        assert!(QUEUE.get().await == Ok(1) && QUEUE.try_get() == Ok(2));
        assert!(QUEUE.get().await == Err(ShutDown) && QUEUE.try_get() == Err(TryGetError::ShutDown));
    });
}

pub(crate) fn shut_down_it_ends_the_wait_of_all_in_one_turn<W: World>(world: &mut W) {
    static QUEUE: Queue<u8, 2> = Queue::new();
    static LOG: Log = Log::new();
    run(world, async {
        let getters = [b'a', b'b', b'c'].map(|letter| {
            spawn(async move {
                assert!(QUEUE.get().await == Err(ShutDown));
                LOG.note(letter);
            })
        });
        yield_now().await;
        QUEUE.shutdown(Shutdown::Drain);
        QUEUE.shutdown(Shutdown::Drain);
        yield_now().await;
        LOG.expect("abc");
        assert!(getters.iter().all(|task| task.is_done()));
    });
}

pub(crate) fn shut_down_at_once_it_drops_what_is_in_and_counts_it_as_done<W: World>(world: &mut W) {
    static QUEUE: Queue<NoteOnDrop, 4> = Queue::new();
    static LOG: Log = Log::new();
    run(world, async {
        for letter in [b'a', b'b', b'c'] {
            assert!(QUEUE.try_put(NoteOnDrop(&LOG, letter)).is_ok());
        }
        let taken = QUEUE.try_get();
        let joiner = spawn(QUEUE.join());
        yield_now().await;
        QUEUE.shutdown(Shutdown::Immediate);
        LOG.expect("bc");
        turns(2).await;
        assert!(!joiner.is_done(), "the one that was taken is not done");
        drop(taken);
        assert!(QUEUE.task_done() == Ok(()));
        assert!(joiner.await.is_ok());
        assert!(QUEUE.task_done() == Err(TaskDoneTooOften));
        LOG.expect("a");
        assert!(matches!(QUEUE.get().await, Err(ShutDown)));
    });
}

pub(crate) fn four_producers_and_two_consumers_lose_nothing<W: World>(world: &mut W) {
    static QUEUE: Queue<u8, 3> = Queue::new();
    static SUM: Count = Count::new();
    run(world, async {
        let producers = [1, 2, 3, 4].map(|producer| {
            spawn(async move {
                for _ in 0..10 {
                    assert!(QUEUE.put(producer).await.is_ok());
                }
            })
        });
        let consumers = [0; 2].map(|_| {
            spawn(async {
                while let Ok(item) = QUEUE.get().await {
                    SUM.set(SUM.get() + u32::from(item));
                    assert!(QUEUE.task_done().is_ok());
                }
            })
        });
        for producer in producers {
            assert!(producer.await.is_ok());
        }
        QUEUE.join().await;
        QUEUE.shutdown(Shutdown::Drain);
        for consumer in consumers {
            assert!(consumer.await.is_ok());
        }
        assert!(SUM.get() == 100);
    });
}
