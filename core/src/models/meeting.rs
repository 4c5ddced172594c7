//! Where threads that poll by hand meet: conditions, barriers, and what is under a lock with user code.

use super::*;
use crate::{Barrier, BoundedSemaphore, Condition, PriorityQueue, RawCondition};

#[test]
fn who_waits_is_notified_and_sees_what_was_changed() {
    check(3, || {
        let condition = forever(Condition::new(Cell::new(0)));
        let changing = thread::spawn(move || {
            let value = block_on(condition.lock());
            value.set(1);
            value.notify(1);
        });
        let mut value = block_on(condition.lock());
        while value.get() == 0 {
            value = block_on(value.wait());
        }
        drop(value);
        changing.join().unwrap();
        assert!(!condition.is_locked());
    });
}

#[test]
fn all_who_wait_are_notified() {
    check(2, || {
        let condition = forever(Condition::new(Cell::new(0)));
        let wait = move || drop(block_on(block_on(condition.lock()).wait_for(|value| value.get() == 1)));
        let threads = [
            thread::spawn(wait),
            thread::spawn(move || {
                let value = block_on(condition.lock());
                value.set(1);
                value.notify_all();
            }),
        ];
        wait();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(!condition.is_locked());
    });
}

/// Notified or not, and with the lock that it was to have again or without.
#[test]
fn a_waiter_that_is_dropped_passes_its_notification_on() {
    check(2, || {
        let condition = forever(Condition::new(Cell::new(0)));
        let threads = [
            thread::spawn(move || drop(poll_and_drop(block_on(condition.lock()).wait()))),
            thread::spawn(move || {
                let value = block_on(condition.lock());
                value.set(1);
                value.notify(1);
            }),
        ];
        drop(block_on(block_on(condition.lock()).wait_for(|value| value.get() == 1)));
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(!condition.is_locked());
    });
}

#[test]
fn a_condition_around_a_lock_of_others_gives_it_back() {
    check(3, || {
        let shared = forever((RawCondition::new(forever(RawLock::new())), Cell::new(0)));
        let (condition, value) = (&shared.0, &shared.1);
        let changing = thread::spawn(move || {
            block_on(condition.lock().acquire());
            value.set(1);
            condition.notify(1).unwrap();
            condition.lock().release().unwrap();
        });
        block_on(condition.lock().acquire());
        while value.get() == 0 {
            block_on(condition.wait()).unwrap();
        }
        condition.lock().release().unwrap();
        changing.join().unwrap();
        assert!(!condition.lock().is_locked());
    });
}

/// Each writes before and reads after; the second meeting begins while the first may still be left.
#[test]
fn those_who_meet_see_what_the_others_wrote() {
    check(2, || {
        let meeting = forever((Barrier::new(2), [Cell::new(0), Cell::new(0)]));
        let meet = move |own: usize| {
            meeting.1[own].set(1);
            block_on(meeting.0.wait()).unwrap();
            assert_eq!(meeting.1[1 - own].get(), 1);
            block_on(meeting.0.wait()).unwrap();
            meeting.1[1 - own].set(2);
        };
        let other = thread::spawn(move || meet(1));
        meet(0);
        other.join().unwrap();
        assert_eq!(meeting.0.waiting(), 0);
    });
}

/// It has met somebody, or nobody has met it: then whoever waits meets the next.
#[test]
fn one_that_leaves_a_barrier_keeps_nobody_there() {
    check(2, || {
        let (barrier, met) = forever((Barrier::new(2), Event::new()));
        let threads = [
            thread::spawn(move || {
                assert!(block_on(barrier.wait()).is_ok());
                met.set();
            }),
            thread::spawn(move || drop(poll_and_drop(barrier.wait()))),
        ];
        // Whom has this one met? If it was the other, there is nobody left to meet.
        while !met.is_set() {
            let (mut wait, mut over) = (pin!(barrier.wait()), pin!(met.wait()));
            block_on(poll_fn(|cx| match wait.as_mut().poll(cx) {
                Poll::Pending => over.as_mut().poll(cx),
                Poll::Ready(here) => Poll::Ready(assert!(here.is_ok())),
            }));
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_bound_is_held_by_threads_that_release_at_a_time() {
    check(3, || {
        let semaphore = forever(BoundedSemaphore::new(1));
        block_on(semaphore.acquire()).forget();
        let release = move || semaphore.release().is_ok();
        let other = thread::spawn(release);
        let here = release();
        assert!(here != other.join().unwrap(), "one too many, and only one");
        assert_eq!(semaphore.available(), 1);
    });
}

/// Items are compared under the lock.
#[test]
fn the_least_item_is_first_whoever_puts_it() {
    check(3, || {
        let queue = forever(PriorityQueue::<u32, 2>::new());
        let threads = [1, 2].map(|item| thread::spawn(move || block_on(queue.put(item)).unwrap()));
        let mut got = [block_on(queue.get()).unwrap(), block_on(queue.get()).unwrap()];
        for thread in threads {
            thread.join().unwrap();
        }
        got.sort_unstable();
        assert_eq!((got, queue.try_get().is_err()), ([1, 2], true));
    });
}
