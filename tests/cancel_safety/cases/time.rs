//! Deadlines are taken out, and what is limited is dropped.

use std::rc::Rc;

use corio::{
    DynQueue, TimeLimit, TimedOut, now, sleep, sleep_until, spawn, timeout, timeout_at, timeout_scope, yield_now,
};
use corio_sim::{Cut, cancel_everywhere};

use super::{HOUR, Owned, SECOND, later, loses_nothing};

pub(crate) fn sleep_() -> usize {
    cancel_everywhere(async |cut| {
        let first = cut.apply(sleep(SECOND)).await;
        let start = now();
        // From the start.
        sleep(SECOND).await;
        assert_eq!(now(), start + SECOND);
        // And the deadline is gone: nothing is left to wait for but this.
        assert_eq!(first.is_some(), !cut.was_cut());
        sleep(HOUR).await;
        assert_eq!(now(), start + SECOND + HOUR);
    })
}

pub(crate) fn sleep_until_() -> usize {
    cancel_everywhere(async |cut| {
        let deadline = now() + SECOND;
        loses_nothing(cut, async || sleep_until(deadline).await, ()).await;
        assert_eq!(now(), deadline);
    })
}

pub(crate) fn yield_now_() -> usize {
    cancel_everywhere(async |cut| {
        loses_nothing(cut, async || yield_now().await, ()).await;
        assert_eq!(now().as_secs(), 0);
    })
}

/// A `get` within a limit, which takes a second, or none is there.
async fn what_is_limited_loses_nothing(cut: &Cut, limited: impl AsyncFn(&DynQueue<u32>) -> Result<u32, TimedOut>) {
    let queue = Rc::new(DynQueue::new(0));
    let putter = later(SECOND, {
        let queue = queue.clone();
        move || queue.try_put(7).unwrap()
    });
    loses_nothing(cut, async || limited(&queue).await, Ok(7)).await;
    putter.await.unwrap();
    // A limit that was left cancels nobody.
    sleep(HOUR * 2).await;
}

pub(crate) fn timeout_() -> usize {
    cancel_everywhere(async |cut| {
        what_is_limited_loses_nothing(cut, async |queue| timeout(HOUR / 2, queue.get()).await.map(Result::unwrap))
            .await;
    })
}

pub(crate) fn timeout_at_() -> usize {
    cancel_everywhere(async |cut| {
        what_is_limited_loses_nothing(cut, async |queue| {
            timeout_at(now() + HOUR / 2, queue.get()).await.map(Result::unwrap)
        })
        .await;
    })
}

pub(crate) fn timeout_scope_() -> usize {
    cancel_everywhere(async |cut| {
        what_is_limited_loses_nothing(cut, async |queue| {
            timeout_scope(SECOND / 2, async |limit| {
                limit.reschedule(now() + HOUR / 2).unwrap();
                queue.get().await.unwrap()
            })
            .await
        })
        .await;
    })
}

/// What is dropped with the scope is dropped at once, and whoever has the limit learns that it is not in force.
pub(crate) fn time_limit_scope() -> usize {
    cancel_everywhere(async |cut| {
        let (limit, items) = (Rc::new(TimeLimit::new(SECOND * 2)), Owned::default());
        let mover = spawn({
            let limit = limit.clone();
            async move {
                sleep(SECOND * 2 - SECOND / 4).await;
                limit.reschedule(now() + HOUR).is_ok()
            }
        });
        let item = items.one();
        let ended = cut.apply(limit.scope(async {
            sleep(SECOND).await;
            sleep(SECOND * 2).await;
            drop(item);
        }));
        assert_eq!(ended.await, (!cut.was_cut()).then_some(Ok(())));
        assert_eq!(items.count(), 0);
        sleep(HOUR).await;
        let moved = mover.await.unwrap();
        // It was moved in time, or its scope was left by then: after two seconds at the latest.
        assert!(moved || cut.was_cut());
        assert!(!limit.has_expired() && limit.reschedule(now()).is_err());
    })
}
