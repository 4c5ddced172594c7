//! What is had by one at a time goes on to the next, and nobody has it twice.

use std::cell::Cell;
use std::rc::Rc;

use corio::{
    Barrier, BoundedSemaphore, Condition, Duration, Event, Mutex, OnceCell, RawCondition, RawLock, RwLock, Semaphore,
    sleep, spawn, yield_now,
};
use corio_sim::{Cut, Way, cancel_everywhere};

use super::{Owned, SECOND, comes, later, loses_nothing};

/// One holds the lock, for a second; the future under test wants it; another comes behind. `hold` has it for so long.
async fn is_handed_on<L: 'static>(cut: &Cut, lock: L, hold: impl AsyncFn(&L, Duration) + Copy + 'static) {
    let lock = Rc::new(lock);
    let holds = |after: Duration, long: Duration| {
        let lock = lock.clone();
        spawn(async move {
            sleep(after).await;
            hold(&lock, long).await;
        })
    };
    let (holder, behind) = (holds(Duration::ZERO, SECOND), holds(SECOND / 2, Duration::ZERO));
    yield_now().await;
    yield_now().await;
    cut.apply(hold(&lock, SECOND)).await;
    comes(behind).await.unwrap();
    holder.await.unwrap();
    comes(hold(&lock, Duration::ZERO)).await;
}

/// That it is so with one kind of lock, of which there is one.
macro_rules! handed_on {
    ($name:ident: $type:ty = $new:expr, |$lock:ident| $take:expr) => {
        pub(crate) fn $name() -> usize {
            async fn hold((lock, inside): &($type, Cell<bool>), long: Duration) {
                let $lock = lock;
                let held = $take;
                assert!(!inside.replace(true), "two have the lock");
                let leaves = Leaves(inside);
                if !long.is_zero() {
                    sleep(long).await;
                }
                drop((leaves, held));
            }
            cancel_everywhere(async |cut| is_handed_on(cut, ($new, Cell::new(false)), hold).await)
        }
    };
}

struct Leaves<'a>(&'a Cell<bool>);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// What `RawLock` has no guard for.
struct Releases<'a>(&'a RawLock);

impl<'a> Releases<'a> {
    async fn after(lock: &'a RawLock) -> Self {
        lock.acquire().await;
        Self(lock)
    }
}

impl Drop for Releases<'_> {
    fn drop(&mut self) {
        self.0.release().expect("it is held");
    }
}

handed_on!(mutex_lock: Mutex<u32> = Mutex::new(0), |lock| lock.lock().await);
handed_on!(raw_lock_acquire: RawLock = RawLock::new(), |lock| Releases::after(lock).await);
handed_on!(condition_lock: Condition<u32> = Condition::new(0), |lock| lock.lock().await);
handed_on!(semaphore_acquire: Semaphore = Semaphore::new(1), |lock| lock.acquire().await);
handed_on!(bounded_semaphore_acquire: BoundedSemaphore = BoundedSemaphore::new(1), |lock| lock.acquire().await);
handed_on!(rw_lock_write: RwLock<u32> = RwLock::new(0), |lock| lock.write().await);

/// A writer is inside; the future under test would read; a writer comes behind, and then a reader.
pub(crate) fn rw_lock_read() -> usize {
    cancel_everywhere(async |cut| {
        let lock = Rc::new(RwLock::new(0));
        let write = |after: Duration| {
            let lock = lock.clone();
            spawn(async move {
                sleep(after).await;
                let mut value = lock.write().await;
                sleep(SECOND).await;
                *value += 1;
            })
        };
        let (first, second) = (write(Duration::ZERO), write(SECOND / 4));
        let reader = spawn({
            let lock = lock.clone();
            async move {
                sleep(SECOND / 2).await;
                *lock.read().await
            }
        });
        yield_now().await;
        yield_now().await;
        let read = cut.apply(async {
            let value = lock.read().await;
            sleep(SECOND).await;
            *value
        });
        assert_eq!(read.await, (!cut.was_cut()).then_some(1));
        comes(first).await.unwrap();
        comes(second).await.unwrap();
        // It came behind the second writer, which nobody overtakes.
        assert_eq!(comes(reader).await, Ok(2));
        assert!(lock.try_write().is_some());
    })
}

/// Two wait for a token each, and there is one at first. Whoever does not take it leaves it, and the notification, to the
/// other.
async fn leaves_it_to_the_other(cut: &Cut, take: impl AsyncFn(&Condition<u32>) + Copy + 'static) {
    let tokens = Rc::new(Condition::new(0));
    let put = |after| {
        let tokens = tokens.clone();
        spawn(async move {
            sleep(after).await;
            let mut count = tokens.lock().await;
            *count += 1;
            count.notify(1);
            // Who was notified has to wait for the lock.
            sleep(SECOND / 4).await;
            drop(count);
        })
    };
    let first = put(SECOND);
    let behind = spawn({
        let tokens = tokens.clone();
        async move {
            sleep(SECOND / 2).await;
            take(&tokens).await;
        }
    });
    let taken = cut.apply(take(&tokens)).await.is_some();
    first.await.unwrap();
    if taken {
        put(SECOND).await.unwrap();
    }
    comes(behind).await.unwrap();
    assert_eq!(*tokens.try_lock().expect("the lock is with nobody"), 0);
}

pub(crate) fn condition_wait() -> usize {
    async fn take(tokens: &Condition<u32>) {
        let mut count = tokens.lock().await;
        while *count == 0 {
            count = count.wait().await;
        }
        *count -= 1;
    }
    cancel_everywhere(async |cut| leaves_it_to_the_other(cut, take).await)
}

pub(crate) fn condition_wait_for() -> usize {
    async fn take(tokens: &Condition<u32>) {
        *tokens.lock().await.wait_for(|count| *count > 0).await -= 1;
    }
    cancel_everywhere(async |cut| leaves_it_to_the_other(cut, take).await)
}

/// Who is cancelled has the lock again when it unwinds; who is just dropped has not. The notification goes to the other.
pub(crate) fn raw_condition_wait() -> usize {
    /// Has the lock when it is dropped, if its task was cancelled or the wait is over.
    struct Unwinds<'a>(&'a RawLock, &'a Cell<bool>);

    impl Drop for Unwinds<'_> {
        fn drop(&mut self) {
            if self.1.get() && !std::thread::panicking() {
                self.0.release().expect("who is cancelled has it again");
            }
        }
    }

    cancel_everywhere(async |cut| {
        let lock = Rc::new(RawLock::new());
        let condition = Rc::new(RawCondition::new(lock.clone()));
        let notify = |after| {
            let (lock, condition) = (lock.clone(), condition.clone());
            spawn(async move {
                sleep(after).await;
                let _held = Releases::after(&lock).await;
                condition.notify(1).unwrap();
                // Who was notified has to wait for the lock.
                sleep(SECOND / 4).await;
            })
        };
        let wait = || {
            let (lock, condition) = (lock.clone(), condition.clone());
            async move {
                let _held = Releases::after(&lock).await;
                condition.wait().await.unwrap();
            }
        };
        let notified = notify(SECOND);
        let other = spawn({
            let wait = wait();
            async move {
                sleep(SECOND / 2).await;
                wait.await;
            }
        });
        let held = Cell::new(true);
        let ended = cut.apply(async {
            lock.acquire().await;
            let _unwinds = Unwinds(&lock, &held);
            held.set(matches!(cut.way(), Way::Cancel | Way::CancelWoken));
            condition.wait().await.unwrap();
            held.set(true);
        });
        if ended.await.is_some() {
            notify(SECOND).await.unwrap();
        }
        comes(other).await.unwrap();
        notified.await.unwrap();
        assert!(!lock.is_locked());
    })
}

pub(crate) fn event_wait() -> usize {
    cancel_everywhere(async |cut| {
        let event = Rc::new(Event::new());
        let other = spawn({
            let event = event.clone();
            async move { event.wait().await }
        });
        let setter = later(SECOND, {
            let event = event.clone();
            move || event.set()
        });
        loses_nothing(cut, async || event.wait().await, ()).await;
        comes(other).await.unwrap();
        setter.await.unwrap();
        assert!(event.is_set());
    })
}

/// Two parties: the future under test and another. Dropped while it waits it has not come; dropped when both have, it has.
pub(crate) fn barrier_wait() -> usize {
    cancel_everywhere(async |cut| {
        let barrier = Rc::new(Barrier::new(2));
        let arrives = |after| {
            let barrier = barrier.clone();
            spawn(async move {
                sleep(after).await;
                barrier.wait().await
            })
        };
        let other = arrives(SECOND);
        let place = cut.apply(barrier.wait()).await;
        sleep(SECOND).await;
        yield_now().await;
        if place.is_some() {
            assert_eq!(place, Some(Ok(0)));
        }
        // It is the notice that is lost: the other goes on if both had come, and waits for another if not.
        let counted = other.is_done();
        assert_eq!(barrier.waiting(), usize::from(!counted));
        assert!(counted || cut.was_cut());
        if !counted {
            comes(arrives(SECOND)).await.unwrap().unwrap();
        }
        comes(other).await.unwrap().unwrap();
        // And the next round is whole.
        let other = arrives(SECOND);
        assert_eq!(comes(barrier.wait()).await, Ok(0));
        other.await.unwrap().unwrap();
    })
}

/// Makes the value, in a second, as the only one who does.
async fn make(making: &Owned, value: u32) -> u32 {
    let _one = making.one();
    assert_eq!(making.count(), 1, "two make the value");
    sleep(SECOND).await;
    value
}

/// The future under test makes the value 1; if it is cut off, one who waits makes it 2.
async fn is_made_by_another<F>(cut: &Cut, get: F)
where
    F: AsyncFn(&OnceCell<u32>, &Owned, u32) -> u32 + Copy + 'static,
{
    let (cell, making) = (Rc::new(OnceCell::new()), Owned::default());
    let other = spawn({
        let (cell, making) = (cell.clone(), making.clone());
        async move {
            sleep(SECOND / 2).await;
            get(&cell, &making, 2).await
        }
    });
    let got = cut.apply(get(&cell, &making, 1)).await;
    assert_eq!(got, (!cut.was_cut()).then_some(1));
    let value = if cut.was_cut() { 2 } else { 1 };
    assert_eq!(comes(other).await, Ok(value));
    assert_eq!((cell.get(), making.count()), (Some(&value), 0));
}

pub(crate) fn once_cell_get_or_init() -> usize {
    async fn get(cell: &OnceCell<u32>, making: &Owned, value: u32) -> u32 {
        *cell.get_or_init(async || make(making, value).await).await
    }
    cancel_everywhere(async |cut| is_made_by_another(cut, get).await)
}

pub(crate) fn once_cell_get_or_try_init() -> usize {
    async fn get(cell: &OnceCell<u32>, making: &Owned, value: u32) -> u32 {
        *cell.get_or_try_init(async || Ok::<_, ()>(make(making, value).await)).await.unwrap()
    }
    cancel_everywhere(async |cut| is_made_by_another(cut, get).await)
}

pub(crate) fn once_cell_wait() -> usize {
    cancel_everywhere(async |cut| {
        let cell = Rc::new(OnceCell::new());
        let setter = later(SECOND, {
            let cell = cell.clone();
            move || cell.set(7).unwrap()
        });
        loses_nothing(cut, async || *cell.wait().await, 7).await;
        setter.await.unwrap();
    })
}
