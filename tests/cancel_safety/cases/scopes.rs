//! Futures that hold others.

use std::cell::Cell;
use std::rc::Rc;

use corio::{
    Context, ContextVar, DynQueue, Either, Event, TaskPool, finally, group, join, scope, select, sleep, staggered_race,
};
use corio_sim::{Cut, cancel_everywhere};

use super::{HOUR, Owned, SECOND, later, loses_nothing, was_cancelled};

/// The clean-up runs whenever the body has begun, unless the future was dropped by hand.
macro_rules! cleans_up {
    ($name:ident, |$finally:ident| $future:expr) => {
        pub(crate) fn $name() -> usize {
            cancel_everywhere(async |cut| {
                let clean = Rc::new(Cell::new(false));
                let cleanup = {
                    let clean = clean.clone();
                    async move {
                        sleep(SECOND).await;
                        clean.set(true);
                    }
                };
                let $finally = finally(sleep(SECOND), cleanup);
                let ended = cut.apply($future).await.is_some();
                sleep(HOUR).await;
                assert_eq!(clean.get(), ended || was_cancelled(cut) && cut.point() > 0);
            })
        }
    };
}

cleans_up!(finally_, |future| future);
cleans_up!(finally_within, |future| future.within(HOUR));
cleans_up!(within_or_report, |future| future.within(HOUR).or_report(|| panic!("there was time")));

/// Two children, and a body that takes longer. Cancelled, the group waits for them; dropped, it only cancels them.
macro_rules! waits_for_its_children {
    ($name:ident, $($group:tt)+) => {
        pub(crate) fn $name() -> usize {
            cancel_everywhere(async |cut| {
                let children = Owned::default();
                let cleaned = Rc::new(Cell::new(0));
                let work = $($group)+(async |g| {
                    for seconds in [1, 2] {
                        let (child, cleaned) = (children.one(), cleaned.clone());
                        let work = async move {
                            let cleanup = async {
                                sleep(SECOND).await;
                                cleaned.set(cleaned.get() + 1);
                            };
                            finally(sleep(SECOND * seconds), cleanup).await;
                            drop(child);
                            Ok::<_, ()>(())
                        };
                        drop(g.spawn(work));
                    }
                    sleep(SECOND * 4).await;
                    Ok(())
                });
                let ended = cut.apply(work).await.is_some();
                if ended || was_cancelled(cut) {
                    assert_eq!(children.count(), 0, "none is left behind");
                }
                sleep(HOUR).await;
                assert_eq!(children.count(), 0, "all are told to end");
                assert!(cleaned.get() == 2 || !ended);
            })
        }
    };
}

static POOL: TaskPool<[u64; 100], 2> = TaskPool::new();

waits_for_its_children!(group_, group);
waits_for_its_children!(task_pool_group, POOL.group);
waits_for_its_children!(scope_, scope);

/// A child that borrows: who is given the handle and dropped loses the value, who is lent it does not.
pub(crate) fn scoped_child() -> usize {
    let given = cancel_everywhere(async |cut| {
        let ran = Cell::new(false);
        let left = scope(async |s| {
            let child = s.spawn(async {
                sleep(SECOND).await;
                ran.set(true);
                Ok::<_, ()>(1)
            });
            let value = cut.apply(child).await;
            assert_eq!(value, (!cut.was_cut()).then_some(Ok(1)));
            Ok(())
        });
        left.await.unwrap();
        assert!(ran.get(), "the child goes on");
    });
    let lent = cancel_everywhere(async |cut| {
        let left = scope(async |s| {
            let mut child = s.spawn(async {
                sleep(SECOND).await;
                Ok::<_, ()>(1)
            });
            let value = cut.apply(&mut child).await;
            assert_eq!(value, (!cut.was_cut()).then_some(Ok(1)));
            if value.is_none() {
                assert_eq!(child.await, Ok(1));
            }
            Ok(())
        });
        left.await.unwrap();
    });
    given.min(lent)
}

/// What the one has come to is lost if the other was waited for still; nothing else is.
pub(crate) fn join_() -> usize {
    cancel_everywhere(async |cut| {
        let queue = Rc::new(DynQueue::new(0));
        let putter = later(SECOND, {
            let queue = queue.clone();
            move || queue.try_put(7).unwrap()
        });
        let both = join((queue.get(), sleep(SECOND * 2)));
        let joined = cut.apply(both).await;
        putter.await.unwrap();
        match joined {
            Some((item, ())) => assert_eq!(item, Ok(7)),
            // Between the two ends.
            None if cut.point() == 2 => assert!(queue.is_empty()),
            None => assert_eq!(queue.try_get(), Ok(7)),
        }
    })
}

pub(crate) fn select_() -> usize {
    cancel_everywhere(async |cut| {
        let (queue, never) = (Rc::new(DynQueue::new(0)), Event::new());
        let putter = later(SECOND, {
            let queue = queue.clone();
            move || queue.try_put(7).unwrap()
        });
        let call = async || match select((never.wait(), queue.get())).await {
            Either::First(()) => None,
            Either::Second(item) => item.ok(),
        };
        loses_nothing(cut, call, Some(7)).await;
        putter.await.unwrap();
    })
}

/// Three attempts: the first fails, the second is slow, the third wins. Made again, the race begins anew.
pub(crate) fn staggered_race_() -> usize {
    cancel_everywhere(async |cut| {
        let attempts = Owned::default();
        let race = async || {
            let attempt = async |number: u32| {
                let _one = attempts.one();
                sleep(SECOND * number).await;
                if number == 1 { Err("refused") } else { Ok(number) }
            };
            staggered_race(SECOND, [1, 9, 2].map(attempt)).await
        };
        loses_nothing(cut, race, Ok((2, 2))).await;
        assert_eq!(attempts.count(), 0);
    })
}

static USER: ContextVar<u32> = ContextVar::new();

/// A `get` in a context of its own, which is left whenever it waits.
async fn what_is_in_it_loses_nothing(cut: &Cut, call: impl AsyncFn(&DynQueue<u32>) -> u32) {
    USER.set(1);
    let queue = Rc::new(DynQueue::new(0));
    let putter = later(SECOND, {
        let queue = queue.clone();
        move || queue.try_put(7).unwrap()
    });
    loses_nothing(cut, async || call(&queue).await, 7).await;
    assert_eq!(USER.get(), Some(1));
    putter.await.unwrap();
}

/// Is dropped where the variable is 2.
struct Sees;

impl Drop for Sees {
    fn drop(&mut self) {
        assert_eq!(USER.get(), Some(2));
    }
}

async fn gets(queue: &DynQueue<u32>) -> u32 {
    let _sees = Sees;
    queue.get().await.unwrap()
}

pub(crate) fn context_scope() -> usize {
    cancel_everywhere(async |cut| {
        what_is_in_it_loses_nothing(cut, async |queue| {
            let context = Context::current();
            context.run(|| USER.set(2));
            context.scope(gets(queue)).await
        })
        .await;
    })
}

pub(crate) fn context_var_scope() -> usize {
    cancel_everywhere(async |cut| {
        what_is_in_it_loses_nothing(cut, async |queue| USER.scope(2, gets(queue)).await).await;
    })
}
