//! `BoundedSemaphore`: what it does beyond a semaphore, and beyond the two laws of [`gate`](crate::gate).

use core::pin::pin;

use corio::{BoundedSemaphore, ReleasedTooOften};

use crate::World;
use crate::harness::{Bell, poll};

pub(crate) fn a_release_too_many_fails_and_changes_nothing<W: World>(_: &mut W) {
    let permits = BoundedSemaphore::new(2);
    assert!(permits.release() == Err(ReleasedTooOften));
    assert!(permits.available() == 2 && permits.bound() == 2);
    let one = permits.try_acquire();
    assert!(one.is_some() && permits.available() == 1);
    drop(one);
    assert!(permits.available() == 2 && !permits.is_locked());
    if let Some(one) = permits.try_acquire() {
        one.forget();
    }
    assert!(permits.available() == 1);
    assert!(permits.release() == Ok(()) && permits.release() == Err(ReleasedTooOften));
    assert!(BoundedSemaphore::new(0).release() == Err(ReleasedTooOften), "not even one");
}

pub(crate) fn a_permit_released_by_hand_is_not_released_twice<W: World>(_: &mut W) {
    let permits = BoundedSemaphore::new(1);
    let one = permits.try_acquire();
    assert!(permits.release() == Ok(()));
    drop(one);
    assert!(permits.available() == 1);
}

pub(crate) fn a_newcomer_does_not_overtake_who_was_given_a_permit<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    let permits = BoundedSemaphore::new(2);
    let (one, two) = (permits.try_acquire(), permits.try_acquire());
    let mut waiter = pin!(permits.acquire());
    assert!(poll(waiter.as_mut(), &BELLS[0]).is_none());
    drop((one, two));
    assert!(permits.available() == 1 && permits.is_locked());
    // asyncio compares with what is there to take: the one that was granted does not count.
    assert!(permits.try_acquire().is_none());
    let mut newcomer = pin!(permits.acquire());
    assert!(poll(newcomer.as_mut(), &BELLS[1]).is_none());
    assert!(BELLS[0].rang() && !BELLS[1].rang());
    let permit = poll(waiter, &BELLS[0]);
    assert!(permit.is_some() && BELLS[1].rang() && poll(newcomer, &BELLS[1]).is_some());
}
