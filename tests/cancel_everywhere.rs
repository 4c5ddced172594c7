//! `corio_sim::cancel_everywhere` itself: which points it goes through, what it finds, and how it says so.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Poll, Waker};

use corio::{Cancelled, Duration, Event, Semaphore, finally, now, sleep, spawn, timeout, yield_now};
use corio_sim::{CancelEverywhere, Way, cancel_everywhere};

const SECOND: Duration = Duration::from_secs(1);

/// What a scenario that fails has the harness say.
#[track_caller]
fn said(run: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(run)).expect_err("it was to fail");
    *payload.downcast::<String>().expect("a sentence")
}

#[test]
fn each_point_is_cut_in_each_way_until_the_future_ends_by_itself() {
    let runs = RefCell::new(Vec::new());
    let points = cancel_everywhere(async |cut| {
        let steps = Cell::new(0);
        let ended = cut
            .apply(async {
                for _ in 0..2 {
                    steps.set(steps.get() + 1);
                    sleep(SECOND).await;
                }
                steps.set(3);
            })
            .await;
        assert_eq!(ended.is_none(), cut.was_cut());
        runs.borrow_mut().push((cut.way(), cut.point(), steps.get(), now().as_secs()));
    });
    assert_eq!(points, 2);
    let expected = [
        (Way::Drop, 0, 0, 0),
        (Way::Drop, 1, 1, 0),
        (Way::Drop, 2, 2, 1),
        (Way::Drop, 3, 3, 2),
        (Way::DropWoken, 1, 1, 1),
        (Way::DropWoken, 2, 2, 2),
        (Way::DropWoken, 3, 3, 2),
        (Way::Cancel, 0, 0, 0),
        (Way::Cancel, 1, 1, 0),
        (Way::Cancel, 2, 2, 1),
        (Way::Cancel, 3, 3, 2),
        (Way::CancelWoken, 1, 1, 1),
        (Way::CancelWoken, 2, 2, 2),
        (Way::CancelWoken, 3, 3, 2),
    ];
    assert_eq!(runs.into_inner(), expected);
}

#[test]
fn a_future_that_never_waits_has_the_point_before_its_first_poll_alone() {
    let runs = Cell::new(0);
    let points = cancel_everywhere(async |cut| {
        assert_eq!(cut.apply(async { 7 }).await, (!cut.was_cut()).then_some(7));
        runs.set(runs.get() + 1);
    });
    // Not polled, and to its end: by drop and by cancel. To its end: woken, of which there is nothing.
    assert_eq!((points, runs.get()), (0, 6));
}

#[test]
fn a_task_of_its_own_is_cancelled_as_by_its_handle() {
    let runs = RefCell::new(Vec::new());
    let points = cancel_everywhere(async |cut| {
        let unwound = Rc::new(Cell::new(false));
        let task = cut.spawn({
            let unwound = unwound.clone();
            finally(sleep(SECOND), async move { unwound.set(true) }).into_future()
        });
        let outcome = task.await;
        if cut.way() == Way::Cancel || cut.way() == Way::CancelWoken {
            // Before its first step there is nothing to clean up.
            assert_eq!(unwound.get(), cut.point() > 0);
        }
        runs.borrow_mut().push((cut.way(), cut.point(), outcome));
    });
    assert_eq!(points, 1);
    let expected = [
        (Way::Drop, 0, Ok(None)),
        (Way::Drop, 1, Ok(None)),
        (Way::Drop, 2, Ok(Some(()))),
        (Way::DropWoken, 1, Ok(None)),
        (Way::DropWoken, 2, Ok(Some(()))),
        (Way::Cancel, 0, Err(Cancelled)),
        (Way::Cancel, 1, Err(Cancelled)),
        (Way::Cancel, 2, Ok(Some(()))),
        (Way::CancelWoken, 1, Err(Cancelled)),
        (Way::CancelWoken, 2, Ok(Some(()))),
    ];
    assert_eq!(runs.into_inner(), expected);
}

#[test]
fn what_waits_while_it_is_cancelled_is_waited_for() {
    let points = cancel_everywhere(async |cut| {
        let clean = Cell::new(false);
        let mess = async {
            finally(sleep(SECOND), async {
                sleep(SECOND).await;
                clean.set(true);
            })
            .await
        };
        cut.apply(mess).await;
        match cut.way() {
            // A drop cannot wait.
            Way::Drop | Way::DropWoken => assert_eq!(clean.get(), !cut.was_cut()),
            // And before its first poll there is nothing to be cleaned up.
            Way::Cancel | Way::CancelWoken => assert_eq!(clean.get(), cut.point() > 0),
        }
    });
    assert_eq!(points, 2);
}

/// A lock that forgets a grant whose owner does not come for it.
#[derive(Default)]
struct Forgetful {
    held: Cell<bool>,
    handed: Cell<bool>,
    line: RefCell<Vec<Waker>>,
}

impl Forgetful {
    async fn lock(&self) {
        let mut waits = false;
        poll_fn(|cx| {
            if waits && self.handed.replace(false) || !waits && !self.held.replace(true) {
                return Poll::Ready(());
            }
            if !waits {
                self.line.borrow_mut().push(cx.waker().clone());
            }
            waits = true;
            Poll::Pending
        })
        .await
    }

    fn unlock(&self) {
        if self.line.borrow().is_empty() {
            return self.held.set(false);
        }
        self.handed.set(true);
        let next = self.line.borrow_mut().remove(0);
        next.wake();
    }
}

async fn forgets(cut: &corio_sim::Cut) {
    let lock = Rc::new(Forgetful::default());
    lock.lock().await;
    let other = spawn({
        let lock = lock.clone();
        async move {
            sleep(SECOND).await;
            lock.unlock();
        }
    });
    if cut.apply(lock.lock()).await.is_some() {
        lock.unlock();
    }
    other.await.unwrap();
    lock.lock().await;
}

#[test]
fn a_lost_grant_is_found_and_the_message_says_how_to_find_it_again() {
    let why = said(|| _ = CancelEverywhere::new().ways(&[Way::DropWoken]).run(forgets));
    let expected = "corio: the future under test was dropped when woken from suspension point 1: \
                    the event loop could not wait for events: deadlock: no task is ready and no deadline is left\n\
                    to run this alone: CORIO_CUT=drop-woken:1";
    assert_eq!(why, expected);
    // Alone, it does the same.
    assert_eq!(said(|| _ = CancelEverywhere::new().only(Way::DropWoken, 1).run(forgets)), expected);
}

#[test]
fn a_check_that_fails_is_reported_with_its_own_words() {
    let why = said(|| {
        cancel_everywhere(async |cut| {
            let ended = cut.apply(sleep(SECOND)).await.is_some();
            assert!(ended || cut.point() == 0, "it was wanted to the end");
        });
    });
    assert_eq!(
        why,
        "corio: the future under test was dropped at suspension point 1: it was wanted to the end\n\
         to run this alone: CORIO_CUT=drop:1"
    );
}

#[test]
fn a_scenario_that_fails_without_being_cut_off_says_so() {
    let why = said(|| {
        cancel_everywhere(async |cut| {
            cut.apply(yield_now()).await;
            assert!(cut.was_cut(), "not by itself");
        });
    });
    assert_eq!(why, "corio: the future under test was not cut off, having 1 suspension points: not by itself");
}

#[test]
fn a_scenario_with_nothing_under_test_is_a_mistake() {
    let why = said(|| _ = cancel_everywhere(async |_| {}));
    assert!(why.ends_with("the scenario puts nothing under test: call `cut.apply(future).await`"), "{why}");
}

#[test]
fn a_future_that_goes_on_for_ever_is_given_up() {
    let why = said(|| {
        CancelEverywhere::new().only(Way::Drop, usize::MAX).run(async |cut| {
            cut.apply(async {
                loop {
                    yield_now().await;
                }
            })
            .await;
        });
    });
    assert!(why.ends_with("the future under test was suspended 10000 times: does it end?"), "{why}");
}

#[test]
fn several_futures_are_cut_at_points_that_count_through() {
    let points = cancel_everywhere(async |cut| {
        let first = cut.apply(yield_now()).await;
        let second = cut.apply(yield_now()).await;
        match (cut.way(), cut.point()) {
            (_, 0 | 1) => assert_eq!((first, second), (None, Some(()))),
            (_, 2) => assert_eq!((first, second), (Some(()), None)),
            _ => assert_eq!((first, second), (Some(()), Some(()))),
        }
    });
    assert_eq!(points, 2);
}

#[test]
fn scopes_within_what_is_cut_off_unwind_before_it() {
    cancel_everywhere(async |cut| {
        let (permits, never) = (Semaphore::new(1), Event::new());
        let within = async {
            let _permit = permits.acquire().await;
            timeout(SECOND, timeout(SECOND * 2, never.wait())).await
        };
        let ended = cut.apply(within).await;
        assert!(cut.was_cut() == ended.is_none() && permits.available() == 1);
    });
}
