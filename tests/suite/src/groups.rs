//! Groups whose children live in a pool: who is cancelled when, who waits for whom, and that nobody is left.

use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::task::Poll;

use corio::{Cancelled, FewErrors, GroupError, PoolFull, PoolGroup, PoolGroupHandle, TaskPool, timeout, yield_now};

use crate::World;
use crate::harness::{Count, Log, MS, NoteOnDrop, Own, run, spawn, turns};

type Room = [u64; 24];
type Failed = GroupError<u8, FewErrors<u8, 4>>;
type Children = PoolGroup<u8, Room, 4>;

/// Where the children of a test live: a pool of its own, for tests may run side by side; on a chip one for all.
#[cfg(feature = "std")]
macro_rules! pool {
    ($name:ident) => {
        static $name: TaskPool<Room, 4> = TaskPool::new();
    };
}

#[cfg(not(feature = "std"))]
macro_rules! pool {
    ($name:ident) => {
        use ALL as $name;
    };
}

#[cfg(not(feature = "std"))]
static ALL: TaskPool<Room, 4> = TaskPool::new();

/// Notes that it begins and, when it is left, that; in between it waits for ever.
async fn stays(log: &'static Log, letter: u8) -> Result<(), u8> {
    let _left = NoteOnDrop(log, letter.to_ascii_uppercase());
    log.note(letter);
    pending().await
}

async fn fails(after: usize, error: u8) -> Result<(), u8> {
    turns(after).await;
    Err(error)
}

async fn gives(after: usize, value: u8) -> Result<u8, u8> {
    turns(after).await;
    Ok(value)
}

fn room<T, F>(child: Result<T, PoolFull<F>>) -> T {
    match child {
        Ok(child) => child,
        Err(_) => panic!("the test before has left children behind"),
    }
}

pub(crate) fn the_exit_waits_for_all_and_values_can_be_awaited<W: World>(world: &mut W) {
    pool!(POOL);
    run(world, async {
        let sum = POOL.group(async |g: &Children| {
            room(g.spawn(fails(0, 0))).cancel();
            let (mut a, b) = (room(g.spawn(gives(1, 20))), room(g.spawn(gives(3, 22))));
            assert!(!a.is_done() && !g.is_empty());
            let sum = (&mut a).await.unwrap() + b.await.unwrap();
            assert_eq!(a.await, Err(Cancelled));
            room(g.spawn(gives(5, 0)));
            Ok(sum)
        });
        assert_eq!(sum.await, Ok(42));
        assert_eq!(POOL.group(async |_| Ok::<_, u8>(5)).await, Ok(5));
    });
}

pub(crate) fn the_first_failure_cancels_the_others_in_order_and_then_the_body<W: World>(world: &mut W) {
    pool!(POOL);
    static LOG: Log = Log::new();
    run(world, async {
        let failed = POOL.group(async |g: &Children| {
            room(g.spawn(stays(&LOG, b'a')));
            room(g.spawn(fails(2, 7)));
            room(g.spawn(stays(&LOG, b'b')));
            let _left = NoteOnDrop(&LOG, b'!');
            pending::<Result<(), u8>>().await
        });
        assert_eq!(failed.await.unwrap_err().errors(), [7]);
        LOG.expect("abAB!");
    });
}

pub(crate) fn errors_of_all_children_and_the_body_have_room<W: World>(world: &mut W) {
    pool!(POOL);
    run(world, async {
        let failed: Result<(), Failed> = POOL
            .group(async |g: &Children| {
                for (after, error) in [(2, 4), (1, 1), (1, 2), (1, 3)] {
                    room(g.spawn(fails(after, error)));
                }
                // The first failure is told of as this step is made.
                turns(2).await;
                assert!(g.spawn(fails(0, 9)).is_err());
                Err(5)
            })
            .await;
        let failed = failed.unwrap_err();
        assert_eq!(failed.errors(), [1, 2, 3, 5]);
        assert!(failed.clone() == failed && failed.clone().into_first() == 1);
        let mut left = failed.into_iter();
        assert_eq!((left.len(), left.next(), left.next()), (4, Some(1), Some(2)));
        // All at once: one of each place, and the body's.
        let failed: Result<(), Failed> = POOL
            .group(async |g: &Children| {
                for error in 1..=4 {
                    room(g.spawn(fails(0, error)));
                }
                yield_now().await;
                Err(5)
            })
            .await;
        assert_eq!(failed.unwrap_err().errors(), [1, 2, 3, 4, 5]);
    });
}

pub(crate) fn a_full_pool_gives_the_future_back_and_places_come_free<W: World>(world: &mut W) {
    pool!(POOL);
    run(world, async {
        let left = POOL.group(async |g: &Children| {
            let kept = [1, 2, 3, 4].map(|value| room(g.spawn(gives(0, value))));
            let Err(PoolFull(back)) = g.spawn(gives(0, 5)) else { panic!("there are four places") };
            assert_eq!(back.await, Ok(5));
            turns(2).await;
            assert!(g.is_empty() && g.spawn(gives(0, 0)).is_err());
            for (child, value) in kept.into_iter().zip(1..) {
                assert_eq!(child.await, Ok(value));
            }
            // Without its handle a child's place is free when the group has seen its end.
            for _ in 0..9 {
                drop(room(g.spawn(gives(0, 0))));
                turns(2).await;
                assert!(g.is_empty());
            }
            Ok::<_, u8>(())
        });
        assert_eq!(left.await, Ok(()));
    });
}

pub(crate) fn groups_in_children_of_groups<W: World>(world: &mut W) {
    pool!(POOL);
    static LOG: Log = Log::new();
    static OUTER: TaskPool<[u64; 40], 2> = TaskPool::new();
    run(world, async {
        let outer = OUTER.group(async |g| {
            let inner = async {
                POOL.group(async |g: &Children| {
                    room(g.spawn(stays(&LOG, b'i')));
                    room(g.spawn(fails(3, 6)));
                    Ok(())
                })
                .await
            };
            room(g.spawn(inner));
            let beside = async {
                let waits: Result<(), Failed> = POOL
                    .group(async |g: &Children| {
                        room(g.spawn(stays(&LOG, b'b')));
                        let _left = NoteOnDrop(&LOG, b'!');
                        pending().await
                    })
                    .await;
                waits
            };
            room(g.spawn(beside));
            pending::<Result<(), Failed>>().await
        });
        let outer = outer.await.unwrap_err();
        assert!(outer.errors().len() == 1 && outer.errors()[0].errors() == [6]);
        LOG.expect("ibI!B");
    });
}

pub(crate) fn a_cancelled_child_has_not_failed<W: World>(world: &mut W) {
    pool!(POOL);
    static LOG: Log = Log::new();
    run(world, async {
        let left = POOL.group(async |g: &Children| {
            let child = room(g.spawn(stays(&LOG, b'c')));
            yield_now().await;
            assert!(child.cancel() && child.cancelling() == 1);
            assert_eq!(child.await, Err(Cancelled));
            let all = room(g.spawn(stays(&LOG, b'd')));
            yield_now().await;
            g.cancel_all();
            assert!(g.is_closed() && room(g.spawn(stays(&LOG, b'e'))).is_done());
            assert_eq!(all.await, Err(Cancelled));
            Ok::<_, u8>(8)
        });
        assert_eq!(left.await, Ok(8));
        LOG.expect("cCdD");
    });
}

pub(crate) fn children_bring_more_of_their_kind_until_the_group_is_left<W: World>(world: &mut W) {
    pool!(POOL);
    static LOG: Log = Log::new();
    static KEPT: Own<PoolGroupHandle<u8, Room, 4>> = Own::new();
    run(world, async {
        async fn brings(group: PoolGroupHandle<u8, Room, 4>, letter: u8) -> Result<(), u8> {
            LOG.note(letter);
            yield_now().await;
            if letter < b'f' {
                room(group.spawn(brings_boxed(group.clone(), letter + 1)));
            }
            Ok(())
        }
        /// One kind of future cannot hold itself.
        fn brings_boxed(group: PoolGroupHandle<u8, Room, 4>, letter: u8) -> impl Future<Output = Result<(), u8>> {
            let mut step = 0;
            poll_fn(move |cx| {
                step += 1;
                if step == 1 {
                    LOG.note(letter);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                if letter < b'f' {
                    room(group.spawn(last(letter + 1)));
                }
                Poll::Ready(Ok(()))
            })
        }
        async fn last(letter: u8) -> Result<(), u8> {
            LOG.note(letter);
            Ok(())
        }
        let left = POOL.group(async |g: &Children| {
            KEPT.put(g.handle());
            room(g.spawn(brings(g.handle(), b'a')));
            LOG.note(b'.');
            Ok::<_, u8>(())
        });
        assert_eq!(left.await, Ok(()));
        LOG.expect(".abc");
        let handle = KEPT.take();
        assert!(handle.is_closed() && room(handle.spawn(last(b'x'))).is_done());
        handle.cancel_all();
        LOG.expect("");
    });
}

/// A child that ends, one that waits for it, one that fails if it is to, and one that stays; in a group in a child.
async fn program(pool: &'static TaskPool<Room, 4>, alive: &'static Count, fail: bool) -> Result<u8, Failed> {
    struct Alive(&'static Count);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    fn begins(alive: &'static Count) -> Alive {
        alive.add();
        Alive(alive)
    }
    pool.group(async |g: &Children| {
        let (first, second, third, body) = (begins(alive), begins(alive), begins(alive), begins(alive));
        let a = room(g.spawn(async move {
            turns(2).await;
            drop(first);
            Ok(1)
        }));
        let b = room(g.spawn(async move {
            let _alive = second;
            Ok(a.await.unwrap_or(0) + 1)
        }));
        room(g.spawn(async move {
            let _alive = third;
            turns(4).await;
            if fail { Err(9) } else { Ok(()) }
        }));
        let sum = b.await.unwrap_or(0);
        turns(3).await;
        drop(body);
        Ok(sum)
    })
    .await
}

pub(crate) fn cancelled_at_each_turn_the_parent_waits_for_all<W: World>(world: &mut W) {
    pool!(POOL);
    static ALIVE: Count = Count::new();
    run(world, async {
        for fail in [false, true] {
            for after in 0..16 {
                let parent = spawn(async move {
                    let outcome = program(&POOL, &ALIVE, fail).await;
                    assert_eq!(ALIVE.get(), 0, "a child is left");
                    // A request that the group has not taken is due here.
                    yield_now().await;
                    outcome
                });
                turns(after).await;
                let cancelled = parent.cancel();
                let outcome = parent.await;
                assert_eq!(ALIVE.get(), 0);
                if !cancelled {
                    match outcome {
                        Ok(Ok(2)) => assert!(!fail),
                        Ok(Err(failed)) => assert!(fail && failed.errors() == [9]),
                        _ => panic!("it had ended"),
                    }
                } else {
                    assert!(outcome.is_err(), "it was cancelled");
                }
                turns(2).await;
            }
        }
    });
}

pub(crate) fn dropped_at_each_turn_it_cancels_all_and_leaves_nothing<W: World>(world: &mut W) {
    pool!(POOL);
    static ALIVE: Count = Count::new();
    run(world, async {
        for fail in [false, true] {
            for after in 0..14 {
                {
                    let mut group = pin!(program(&POOL, &ALIVE, fail));
                    for _ in 0..after {
                        let ended = poll_fn(|cx| Poll::Ready(group.as_mut().poll(cx).is_ready()));
                        if ended.await {
                            break;
                        }
                        yield_now().await;
                    }
                }
                turns(2).await;
                assert_eq!(ALIVE.get(), 0);
            }
        }
    });
}

pub(crate) fn a_timeout_around_a_group_waits_for_its_children<W: World>(world: &mut W) {
    pool!(POOL);
    static LOG: Log = Log::new();
    run(world, async {
        let late = timeout(
            MS,
            POOL.group(async |g: &Children| {
                room(g.spawn(stays(&LOG, b'a')));
                room(g.spawn(stays(&LOG, b'b')));
                pending::<Result<(), u8>>().await
            }),
        );
        assert!(late.await.is_err());
        LOG.expect("abAB");
    });
}
