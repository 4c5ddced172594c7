//! Tasks that are waited for: given away they go with the future, lent they stay.

use std::cell::Cell;
use std::rc::Rc;

use corio::{
    Cancelled, Future, Task, TimedOut, Until, as_completed, cancel_and_wait, finally, gather, group, shield, sleep,
    spawn, try_gather, wait,
};
use corio_sim::{Cut, Way, cancel_everywhere};

use super::{HOUR, One, Owned, SECOND, comes, later, loses_nothing};

/// A task that returns its number after so many seconds, and is counted as long as its future is there.
fn work(owned: &Owned, seconds: u32) -> Task<u32> {
    let one: One = owned.one();
    spawn(async move {
        sleep(SECOND * seconds).await;
        drop(one);
        seconds
    })
}

/// True if what the future waits for was cancelled with it, in this run. Before the first poll it waits for nothing, and when
/// it was woken that had ended.
fn passes_on(cut: &Cut) -> bool {
    cut.was_cut() && cut.way() == Way::Cancel && cut.point() > 0
}

/// Given away, the task is dropped with the future, which cancels it. Lent, it goes on when the future is dropped, and is
/// cancelled with who awaits it, as in asyncio.
pub(crate) fn task() -> usize {
    let given = cancel_everywhere(async |cut| {
        let owned = Owned::default();
        let value = cut.apply(work(&owned, 1)).await;
        assert_eq!(value, (!cut.was_cut()).then_some(Ok(1)));
        corio::yield_now().await;
        assert_eq!(owned.count(), 0);
    });
    let lent = cancel_everywhere(async |cut| {
        let owned = Owned::default();
        let mut task = work(&owned, 1);
        let value = cut.apply(&mut task).await;
        assert_eq!(value, (!cut.was_cut()).then_some(Ok(1)));
        if value.is_none() {
            assert_eq!(comes(task).await, if passes_on(cut) { Err(Cancelled) } else { Ok(1) });
        }
    });
    given.min(lent)
}

pub(crate) fn task_ended() -> usize {
    cancel_everywhere(async |cut| {
        let task = work(&Owned::default(), 1);
        loses_nothing(cut, async || task.ended().await, ()).await;
        assert_eq!(task.outcome(), Some(if passes_on(cut) { Err(Cancelled) } else { Ok(&1) }));
    })
}

/// The same of a group's child, which belongs to the group: who drops the handle loses the value alone.
pub(crate) fn child() -> usize {
    let given = cancel_everywhere(async |cut| {
        let owned = Owned::default();
        let grouped = group(async |g| {
            let one = owned.one();
            let child = g.spawn(async move {
                sleep(SECOND).await;
                drop(one);
                Ok::<_, ()>(1)
            });
            let value = cut.apply(child).await;
            assert_eq!(value, (!cut.was_cut()).then_some(Ok(1)));
            Ok(())
        });
        grouped.await.unwrap();
        assert_eq!(owned.count(), 0);
    });
    let lent = cancel_everywhere(async |cut| {
        let grouped = group(async |g| {
            let mut child = g.spawn(async {
                sleep(SECOND).await;
                Ok::<_, ()>(1)
            });
            let value = cut.apply(&mut child).await;
            assert_eq!(value, (!cut.was_cut()).then_some(Ok(1)));
            if value.is_none() {
                assert_eq!(comes(child).await, if passes_on(cut) { Err(Cancelled) } else { Ok(1) });
            }
            Ok(())
        });
        grouped.await.unwrap();
    });
    given.min(lent)
}

pub(crate) fn child_ended() -> usize {
    cancel_everywhere(async |cut| {
        let grouped = group(async |g| {
            let child = g.spawn(async {
                sleep(SECOND).await;
                Ok::<_, ()>(1)
            });
            loses_nothing(cut, async || child.ended().await, ()).await;
            assert_eq!(child.outcome(), Some(if passes_on(cut) { Err(Cancelled) } else { Ok(&1) }));
            Ok(())
        });
        grouped.await.unwrap();
    })
}

/// Two wait for a future.
pub(crate) fn future_wait() -> usize {
    cancel_everywhere(async |cut| {
        let future = Rc::new(Future::new());
        let other = spawn({
            let future = future.clone();
            async move { future.wait().await.copied() }
        });
        let setter = later(SECOND, {
            let future = future.clone();
            move || _ = future.set(7)
        });
        // Who is cancelled here cancels the future, for all; who is just dropped leaves the line.
        let value = cut.apply(future.wait()).await.map(|value| value.copied());
        let expected = if passes_on(cut) { Err(Cancelled) } else { Ok(7) };
        assert_eq!(value, (!cut.was_cut()).then_some(Ok(7)));
        assert_eq!(comes(future.wait()).await.copied(), expected);
        assert_eq!(comes(other).await, Ok(expected));
        setter.await.unwrap();
    })
}

/// Two tasks, one lent and one given away: the first goes on when the future is dropped, and the second does not.
/// `all`: cancelled, the future cancels what it waits for.
async fn lent_and_given<T>(
    cut: &Cut,
    all: bool,
    call: impl AsyncFnOnce(&mut Task<Result<u32, ()>>, Task<Result<u32, ()>>) -> T,
) {
    let (lent, given) = (Owned::default(), Owned::default());
    let (mut one, two) = (try_work(&lent, 1), try_work(&given, 3));
    let ended = cut.apply(call(&mut one, two)).await.is_some();
    for _ in 0..3 {
        corio::yield_now().await;
    }
    assert_eq!(given.count(), 0, "what was given away has ended, or was cancelled");
    if !ended {
        assert_eq!(comes(one).await, if all && passes_on(cut) { Err(Cancelled) } else { Ok(Ok(1)) });
    }
}

fn try_work(owned: &Owned, seconds: u32) -> Task<Result<u32, ()>> {
    let work = work(owned, seconds);
    spawn(async { Ok(work.await.expect("nobody cancels it but who drops it")) })
}

pub(crate) fn gather_() -> usize {
    cancel_everywhere(async |cut| {
        lent_and_given(cut, true, async |lent, given| assert_eq!(gather((lent, given)).await, Ok((Ok(1), Ok(3)))))
            .await;
    })
}

pub(crate) fn gather_outcomes() -> usize {
    cancel_everywhere(async |cut| {
        lent_and_given(cut, true, async |lent, given| {
            assert_eq!(gather((lent, given)).outcomes().await, (Ok(Ok(1)), Ok(Ok(3))));
        })
        .await;
    })
}

pub(crate) fn try_gather_() -> usize {
    cancel_everywhere(async |cut| {
        lent_and_given(cut, true, async |lent, given| assert_eq!(try_gather((lent, given)).await, Ok((1, 3)))).await;
    })
}

pub(crate) fn wait_() -> usize {
    cancel_everywhere(async |cut| {
        lent_and_given(cut, false, async |lent, given| {
            let given = corio::Either::First(given);
            let waited = wait([given, corio::Either::Second(lent)], Until::All, None).await;
            assert_eq!(waited.done.len(), 2);
        })
        .await;
    })
}

/// Whoever waits is cut off; the task goes on, lent or given away. Lent, its outcome is there for the next call.
pub(crate) fn shield_() -> usize {
    let lent = cancel_everywhere(async |cut| {
        let task = work(&Owned::default(), 1);
        loses_nothing(cut, async || shield(&task).await.copied(), Ok(1)).await;
        assert_eq!(task.await, Ok(1));
    });
    let given = cancel_everywhere(async |cut| {
        let (owned, done) = (Owned::default(), Rc::new(Cell::new(false)));
        let task = spawn({
            let (work, done) = (work(&owned, 1), done.clone());
            async move {
                work.await.unwrap();
                done.set(true);
            }
        });
        let value = cut.apply(shield(task)).await;
        assert_eq!(value, (!cut.was_cut()).then_some(Ok(())));
        sleep(HOUR).await;
        assert!(done.get() && owned.count() == 0);
    });
    given.min(lent)
}

pub(crate) fn cancel_and_wait_() -> usize {
    cancel_everywhere(async |cut| {
        let owned = Owned::default();
        let one = owned.one();
        let task = spawn(async move {
            finally(sleep(SECOND), sleep(SECOND * 2)).await;
            drop(one);
        });
        corio::yield_now().await;
        corio::yield_now().await;
        loses_nothing(cut, async || cancel_and_wait(&task).await.is_err(), true).await;
        assert_eq!(owned.count(), 0);
    })
}

/// The tasks come in the order in which they end, each once, though some calls were cut off.
pub(crate) fn as_completed_next() -> usize {
    cancel_everywhere(async |cut| {
        let owned = Owned::default();
        let mut ended = as_completed([2, 1].map(|seconds| work(&owned, seconds)));
        let mut values = Vec::new();
        cut.apply(async {
            while let Some(task) = ended.next().await {
                values.push(task);
            }
        })
        .await;
        while let Some(task) = comes(ended.next()).await {
            values.push(task);
        }
        let mut order = Vec::new();
        for task in values {
            order.push(task.await.unwrap());
        }
        assert_eq!(order, [1, 2]);
    })
}

/// The same with a limit, which is over for one of them.
pub(crate) fn as_completed_within_next() -> usize {
    cancel_everywhere(async |cut| {
        let owned = Owned::default();
        let tasks = [3, 1].map(|seconds| work(&owned, seconds));
        let mut ended = as_completed(&tasks).within(SECOND * 2);
        let mut values = Vec::new();
        let mut all = async || {
            while let Some(task) = ended.next().await {
                values.push(task.map(|task| task.outcome() == Some(Ok(&1))));
            }
        };
        if cut.apply(all()).await.is_none() {
            comes(all()).await;
        }
        assert_eq!(values, [Ok(true), Err(TimedOut)]);
    })
}
