//! What lives on the heap: tasks of all sizes, queues with a size given at run time. And pools used by many loops.

use core::future::pending;
use core::pin::Pin;
use std::rc::Rc;

use corio::{
    Comprehension, DynLifoQueue, DynPriorityQueue, DynQueue, Mutex, Spawn, TaskPool, TryPutError, generator, spawn,
    spawn_with, yield_now,
};

use super::{Hosted, Trace, runner};
use crate::World;
use crate::harness::turns;

pub(crate) fn futures_and_outputs_of_any_size_and_alignment<W: World>(world: &mut W) {
    #[derive(Clone, Copy, PartialEq, Debug)]
    #[repr(align(128))]
    struct Aligned(u8);
    world.run(async {
        // Output larger than the future, and the other way round; without size; with much alignment.
        assert_eq!(spawn(async { [1_u8; 5000] }).await, Ok([1; 5000]));
        let large = [2_u8; 5000];
        assert_eq!(
            spawn(async move {
                yield_now().await;
                large[4999]
            })
            .await,
            Ok(2)
        );
        assert_eq!(spawn(async {}).await, Ok(()));
        assert_eq!(spawn(core::future::ready(Aligned(3))).await, Ok(Aligned(3)));
        let aligned = Aligned(4);
        let task = spawn(async move {
            let place = &aligned;
            yield_now().await;
            assert_eq!(core::ptr::from_ref(place).addr() % 128, 0);
            *place
        });
        assert_eq!(task.await, Ok(Aligned(4)));
        assert_eq!(spawn_with(Spawn::new().name("aligned"), async { Aligned(5) }).await, Ok(Aligned(5)));
    });
}

pub(crate) fn a_task_has_the_name_it_was_given<W: World>(world: &mut W) {
    world.run(async {
        let task = spawn_with(Spawn::new().name("rx"), pending::<u8>());
        assert_eq!(task.name(), Some("rx"));
        assert!(format!("{task:?}").contains("rx"));
        assert_eq!(spawn(async {}).name(), None);
        let ended = spawn_with(Spawn::new().name("ended"), async {});
        turns(2).await;
        assert!(ended.is_done());
        assert_eq!(ended.name(), Some("ended"));
        assert_eq!(spawn_with(Spawn::new(), async {}).name(), None);
    });
}

pub(crate) fn queues_with_a_size_given_at_run_time<W: World>(world: &mut W) {
    world.run(async {
        let fifo = DynQueue::new(2);
        assert_eq!(fifo.capacity(), Some(2));
        fifo.put(1).await.expect("open");
        fifo.put(2).await.expect("open");
        assert_eq!(fifo.try_put(3), Err(TryPutError::Full(3)));
        assert_eq!((fifo.get().await, fifo.get().await), (Ok(1), Ok(2)));
        let unbounded = DynQueue::new(0);
        assert_eq!(unbounded.capacity(), None);
        for i in 0..10_000 {
            unbounded.try_put(i).expect("no limit");
        }
        assert!(!unbounded.is_full());
        for i in 0..10_000 {
            assert_eq!(unbounded.try_get(), Ok(i));
        }
        let (lifo, priority) = (DynLifoQueue::new(0), DynPriorityQueue::new(0));
        for i in [5, 3, 8, 1] {
            lifo.put(i).await.expect("open");
            priority.put(i).await.expect("open");
        }
        for (last, least) in [(1, 1), (8, 3), (3, 5), (5, 8)] {
            assert_eq!((lifo.try_get(), priority.try_get()), (Ok(last), Ok(least)));
        }
    });
}

pub(crate) fn ten_thousand_tasks_at_a_time<W: World>(world: &mut W) {
    world.run(async {
        let n = super::rounds(10_000);
        let (event, trace) = (Rc::new(corio::Event::new()), Rc::new(std::cell::Cell::new(0)));
        for round in 1..=3 {
            let tasks: Vec<_> = (0..n)
                .map(|i| {
                    let (event, trace) = (event.clone(), trace.clone());
                    spawn(async move {
                        event.wait().await;
                        trace.set(trace.get() + 1);
                        i
                    })
                })
                .collect();
            yield_now().await;
            event.set();
            event.clear();
            for (i, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.await, Ok(i));
            }
            assert_eq!(trace.get(), n * round);
        }
    });
}

pub(crate) fn a_pool_is_emptied_by_a_runner_that_goes_and_used_by_the_next<W: Hosted>(_: &mut W) {
    static POOL: TaskPool<[usize; 32], 3> = TaskPool::new();
    for _ in 0..5 {
        let trace = Trace::default();
        let mut runner = runner::<W>();
        runner
            .run(async {
                for i in 0..3 {
                    let guard = trace.on_drop(i.to_string());
                    POOL.spawn(async move {
                        let _guard = guard;
                        pending::<()>().await;
                    })
                    .expect("all are free")
                    .detach();
                }
                assert!(POOL.spawn(async {}).is_err());
                yield_now().await;
            })
            .expect("main ends");
        drop(runner);
        trace.expect(&["0", "1", "2"]);
    }
}

pub(crate) fn a_pool_serves_loops_in_many_threads<W: Hosted>(_: &mut W) {
    static POOL: TaskPool<[usize; 32], 8> = TaskPool::new();
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            std::thread::spawn(move || {
                let mut runner = runner::<W>();
                runner
                    .run(async move {
                        let mut done = 0;
                        while done < super::rounds(2000) {
                            // Two at a time, if there is room; the others may have it all.
                            let (one, two) = (POOL.spawn(turn_and_return(thread)), POOL.spawn(turn_and_return(thread)));
                            for task in [one, two].into_iter().flatten() {
                                assert_eq!(task.await, Ok(thread));
                                done += 1;
                            }
                            yield_now().await;
                        }
                    })
                    .expect("main ends");
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("a thread panicked");
    }
    async fn turn_and_return(thread: u64) -> u64 {
        core::future::poll_fn(|cx| {
            // Queued when it ends: the slot is still known to this loop when the next one takes the place.
            cx.waker().wake_by_ref();
            core::task::Poll::Ready(())
        })
        .await;
        thread
    }
}

pub(crate) fn a_generator_on_the_heap_is_shared_by_tasks_that_take_turns<W: World>(world: &mut W) {
    type Numbers = Pin<Box<dyn corio::generator::Stream<Item = u32>>>;
    world.run(async {
        let numbers: Numbers = Box::pin(generator(async |mut y| {
            for n in 0..10 {
                yield_now().await;
                y.emit(n).await;
            }
        }));
        let numbers = Rc::new(Mutex::new(numbers));
        let consumers: Vec<_> = (0..2)
            .map(|_| {
                let numbers = numbers.clone();
                spawn(async move {
                    let mut own = Vec::new();
                    loop {
                        // The lock goes round: a second consumer waits its turn.
                        let next = numbers.lock().await.next().await;
                        let Some(n) = next else { return own };
                        own.push(n);
                    }
                })
            })
            .collect();
        let mut all = Vec::new();
        for consumer in consumers {
            all.push(consumer.await);
        }
        assert_eq!(all, [Ok(vec![0, 2, 4, 6, 8]), Ok(vec![1, 3, 5, 7, 9])]);
    });
}
