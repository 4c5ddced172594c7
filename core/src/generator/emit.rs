#![allow(unsafe_code)] // an emitter points to the slot beside the body that owns it
//! `Slot`: the place through which items go from a body to its consumer; and the body's end of it.
//!
//! Invariants:
//! - `Beside`: an emitter exists only within the body of a generator, and the slot it points to is pinned beside that
//!   body and dropped after it. The brand `'g` sees to the first: a body must do for every `'g`, so it can neither keep
//!   an emitter where it outlives the body nor exchange it with another's. `Generator` sees to the second.
//! - `OneThread`: a slot and its emitter are used on one thread: a body that has an emitter is not `Send`, so what has
//!   begun does not leave it. All of a slot is in cells, and user code (a waker, the drop of an item) runs only when
//!   nothing of it is borrowed.
//! - `Full`: the state is `Full` exactly while there is an item.
//!
//! Whoever has done its part waits for the other. Nearly always both are the same task, polled with the same waker, and
//! nobody is woken. They are not where the body gives `emit` a waker of its own (a set of futures), or a task of its own:
//! then the one who waits is woken by the other.

use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::marker::{PhantomData, PhantomPinned};
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};

/// The place of one item, and of the waker of who waits.
pub(super) struct Slot<T> {
    item: Cell<Option<T>>,
    /// Whoever waited last. Kept when it was told, for nearly always it is the one to wait next.
    waker: Cell<Option<Waker>>,
    state: Cell<State>,
    _pinned: PhantomPinned,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The body runs, or nobody has come yet.
    Idle,
    /// The consumer waits for an item.
    Hungry,
    /// There is an item, and its emitter waits.
    Full,
    /// The item has been taken, and its emitter was not told yet.
    Taken,
    /// There is no body any more.
    Ended,
}

impl<T> Slot<T> {
    pub(super) const fn new() -> Self {
        Self { item: Cell::new(None), waker: Cell::new(None), state: Cell::new(State::Idle), _pinned: PhantomPinned }
    }

    /// The item that waits for the consumer.
    pub(super) fn take(&self) -> Option<T> {
        if self.state.get() != State::Full {
            return None;
        }
        self.state.set(State::Taken);
        self.item.take()
    }

    /// The consumer is about to poll the body: an emitter that waits elsewhere is told.
    pub(super) fn go_on(&self, consumer: &Waker) {
        if self.state.replace(State::Idle) == State::Taken {
            self.wake(consumer);
        }
    }

    /// The consumer waits for an item.
    pub(super) fn wait(&self, consumer: &Waker) {
        self.state.set(State::Hungry);
        self.keep(consumer);
    }

    /// The body is gone.
    pub(super) fn end(&self) {
        self.state.set(State::Ended);
        drop((self.item.take(), self.waker.take()));
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state.get() == State::Ended
    }

    fn keep(&self, waker: &Waker) {
        let kept = self.waker.take();
        if kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            self.waker.set(kept);
        } else {
            // Dropped when the new one is in its place.
            let _old = kept;
            self.waker.set(Some(waker.clone()));
        }
    }

    /// Wakes whoever waited last, unless it is the one that is running.
    fn wake(&self, running: &Waker) {
        match self.waker.take() {
            Some(waker) if waker.will_wake(running) => self.waker.set(Some(waker)),
            Some(waker) => waker.wake(),
            None => {}
        }
    }
}

/// A body's means to give items to its consumer.
///
/// It belongs to the body: it cannot be kept beyond it, given to a spawned task, or exchanged with that of another
/// generator, and one item is emitted at a time. None of these compile.
pub struct Emitter<'g, T> {
    slot: NonNull<Slot<T>>,
    /// Invariant in `'g`: no two emitters are of the same type.
    _brand: PhantomData<fn(&'g ()) -> &'g ()>,
}

impl<T> Emitter<'_, T> {
    /// # Safety
    /// `Beside`: for a body that must do for every brand, and is dropped before the slot.
    pub(super) unsafe fn new(slot: NonNull<Slot<T>>) -> Self {
        Self { slot, _brand: PhantomData }
    }

    /// Gives `item` to the consumer, and goes on when it asks for the next. Python: `yield`.
    ///
    /// # Cancel safety
    /// **May be restarted.** Dropped before the consumer has taken the item, the future takes it back, and drops it.
    #[inline]
    pub fn emit(&mut self, item: T) -> Emit<'_, T> {
        // SAFETY: `Beside`, for as long as the emitter is borrowed.
        Emit { slot: unsafe { self.slot.as_ref() }, item: Some(item), put: false }
    }
}

impl<T> fmt::Debug for Emitter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emitter")
    }
}

/// A pending [`Emitter::emit`].
#[must_use = "futures do nothing unless awaited"]
pub struct Emit<'e, T> {
    slot: &'e Slot<T>,
    item: Option<T>,
    put: bool,
}

impl<T> Unpin for Emit<'_, T> {}

impl<T> Future for Emit<'_, T> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let state = this.slot.state.get();
        // While the slot is full this is polled for another reason, or behind an `Emit` that was forgotten.
        if state != State::Full {
            let Some(item) = this.item.take() else {
                this.put = false;
                return Poll::Ready(());
            };
            this.slot.item.set(Some(item));
            this.slot.state.set(State::Full);
            this.put = true;
            if state == State::Hungry {
                this.slot.wake(cx.waker());
            }
        }
        this.slot.keep(cx.waker());
        Poll::Pending
    }
}

impl<T> Drop for Emit<'_, T> {
    fn drop(&mut self) {
        if self.put && self.slot.state.get() == State::Full {
            self.slot.state.set(State::Idle);
            drop(self.slot.item.take());
        }
    }
}

impl<T> fmt::Debug for Emit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::task::Wake;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    /// As it is where a body gives its emitter to a task within its own scope.
    #[test]
    fn who_waits_is_woken_by_the_other_where_they_are_two_tasks() {
        let tasks: [Arc<Wakes>; 2] = Default::default();
        let wakers = [0, 1].map(|n| Waker::from(tasks[n].clone()));
        let woken = || [0, 1].map(|n| tasks[n].0.swap(0, SeqCst));
        let [consumer, other] = &wakers;

        let slot = pin!(Slot::new());
        // SAFETY: `Beside`: both are on this stack, the slot longer.
        let mut emitter = unsafe { Emitter::new(NonNull::from(&*slot)) };
        let mut emit = emitter.emit(1);
        slot.go_on(consumer);
        slot.wait(consumer);
        assert!(Pin::new(&mut emit).poll(&mut Context::from_waker(other)).is_pending());
        assert_eq!(woken(), [1, 0]);
        assert_eq!((slot.take(), slot.take()), (Some(1), None));
        assert_eq!(woken(), [0, 0]);
        slot.go_on(consumer);
        slot.wait(consumer);
        assert_eq!(woken(), [0, 1]);
        assert!(Pin::new(&mut emit).poll(&mut Context::from_waker(other)).is_ready());
        drop(emit);
        // One that was emitted and taken back leaves a consumer that finds nothing, and waits on.
        let mut emit = emitter.emit(2);
        assert!(Pin::new(&mut emit).poll(&mut Context::from_waker(other)).is_pending());
        assert_eq!(woken(), [1, 0]);
        drop(emit);
        assert_eq!(slot.take(), None);
    }
}
