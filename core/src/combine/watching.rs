#![allow(unsafe_code)] // callbacks lead back to what they belong to
//! `Watching`: several things that end, watched with a callback each, as asyncio's combinators do it.
//!
//! ```text
//!   child ends ─► its callback is queued ─► it runs: the rule notes the end ─► the last one wakes who waits ─► that one goes on
//!                        one turn                                                        one turn
//! ```
//!
//! Invariants:
//! - `Home`: each child's `home` is the `Watching` that it is in, which is in an `Rc` and does not move.
//! - `OwnThread`: it is not `Send`, and callbacks are run by the loop of the thread that has armed them.

use super::source::Source;
use crate::future::Place;
use crate::sched::{Loop, current};
use crate::task::StoredWaker;
use crate::task::awaited::{Awaited, Awaits, Table};
use crate::task::callback::Callback;
use crate::task::slot::Slot;
use crate::task::watched::End;
use crate::wait::{Finally, to_the_end};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, UnsafeCell};
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::Waker;

/// What the end of a child comes to.
pub(super) trait Rule: Sized {
    /// The child at `index` has ended. True: whoever waits is to go on.
    fn ended(&self, index: usize, end: End) -> bool;

    /// True when it is decided what this comes to.
    fn is_over(&self) -> bool;

    /// True when it shows what a child has returned to code that is not ours.
    fn shows(&self) -> bool {
        false
    }

    /// The children were asked to end; `any`: some are still to do so.
    fn cancelled(&self, _any: bool) {}

    /// True when whoever waits, and was cancelled, is to unwind with that.
    fn was_cancelled(&self) -> bool {
        false
    }
}

/// Children that are watched.
#[repr(C)] // `Awaited` is first
pub(super) struct Watching<R: Rule> {
    awaited: Awaited,
    here: &'static Loop,
    lease: u32,
    waiter: Cell<StoredWaker>,
    /// A request to cancel is being passed on to the children.
    cancelling: Cell<bool>,
    /// One was.
    asked: Cell<bool>,
    /// The task that waits for this, as its slot says.
    noted: Cell<Option<&'static Slot>>,
    pub(super) rule: R,
    children: Box<[Child<R>]>,
}

struct Child<R: Rule> {
    callback: Callback,
    watched: Source,
    /// Its place in the line of a future.
    place: UnsafeCell<Place>,
    home: Cell<*const Watching<R>>,
    index: usize,
    watches: Cell<bool>,
}

impl<R: Rule> Watching<R> {
    const TABLE: Table = Table {
        cancel: |this| {
            // SAFETY: so `note` has made it, of an `Rc` that is there: `Noted`. It is kept while others are told.
            let this = unsafe {
                let this = this.as_ptr().cast_const().cast::<Self>();
                Rc::increment_strong_count(this);
                Rc::from_raw(this)
            };
            // A child that waits for this, by way of others perhaps, is not asked again.
            if this.rule.is_over() || this.cancelling.replace(true) {
                return false;
            }
            this.asked.set(true);
            let mut any = false;
            {
                let _done = Finally(|| this.cancelling.set(false));
                let mut children = this.children.iter();
                to_the_end(|| children.next().map(|child| any |= child.watched.cancel()).is_some());
            }
            this.rule.cancelled(any);
            // If none goes on any more, their callbacks are queued: whoever waits goes on with the last of them, not before.
            true
        },
        // SAFETY: so `note` has made it; `Noted`.
        was_cancelled: |this| unsafe { this.cast::<Self>().as_ref() }.rule.was_cancelled(),
    };

    /// Watches all of them, on the loop that runs here. Nothing is done about those that have ended already.
    #[track_caller]
    pub(super) fn new(what: &str, of: Vec<Source>, rule: R) -> Rc<Self> {
        let here = current::get(what);
        let child = |(index, watched)| Child {
            callback: Callback::new(Child::<R>::call),
            watched,
            place: UnsafeCell::new(Place::new()),
            home: Cell::new(ptr::null()),
            index,
            watches: Cell::new(false),
        };
        let this = Rc::new(Self {
            awaited: Awaited::new(const { &Self::TABLE }),
            here,
            lease: here.ready().lease(),
            waiter: Cell::new(StoredWaker::NONE),
            cancelling: Cell::new(false),
            asked: Cell::new(false),
            noted: Cell::new(None),
            rule,
            children: of.into_iter().enumerate().map(child).collect(),
        });
        for child in &this.children {
            child.home.set(Rc::as_ptr(&this));
            if child.watched.end().is_none() {
                child.watched.watch(child.arm(here), child.place());
                child.watches.set(true);
            }
        }
        this
    }

    /// Queues the callbacks of those that had ended before they were watched.
    pub(super) fn call_ended(&self) {
        for child in self.children.iter().filter(|child| !child.watches.get()) {
            child.arm(self.here).wake();
        }
    }

    /// True while its callbacks are those of the loop that runs here.
    pub(super) fn is_here(&self) -> bool {
        current::find().is_some_and(|here| ptr::eq(here, self.here)) && self.here.ready().lease() == self.lease
    }

    /// Has `waker` woken when the rule says so.
    pub(super) fn wait(&self, waker: &Waker) {
        // A foreign waker's clone runs before the place is touched, and the drop of the old one after.
        let waker = StoredWaker::of(waker);
        drop(self.waiter.replace(waker));
    }

    /// Passes a cancellation of the task whose step this is on to the children.
    pub(super) fn note(self: &Rc<Self>, waker: &Waker) {
        let Some(task) = self.here.ready().running_task(waker) else { return };
        if self.noted.get().is_some_and(|noted| !ptr::eq(noted, task)) {
            self.forget();
        }
        self.noted.set(Some(task));
        // SAFETY: an `Rc` is never null. The task's step is under way on this thread. `Noted`: `forget` takes it out.
        unsafe { task.await_on(Awaits::other(NonNull::new_unchecked(Rc::as_ptr(self).cast_mut().cast()))) };
    }

    /// The task that was to pass its cancellation on does not wait for this any more.
    fn forget(&self) {
        let ready = self.here.ready();
        if let Some(task) = self.noted.take()
            && ready.lease() == self.lease
            && ptr::eq(task.owner(), ready)
        {
            // SAFETY: the loop is this thread's, and so its tasks are.
            unsafe { task.forget(Awaits::other(NonNull::from(self).cast()), self.asked.get()) };
        }
    }

    /// Watches the child at `index` no more.
    pub(super) fn unwatch(&self, index: usize) {
        self.children[index].unwatch();
    }

    /// The loop whose callbacks these are.
    pub(super) fn home(&self) -> &'static Loop {
        self.here
    }

    /// Wakes whoever waits.
    pub(super) fn wake(&self) {
        self.waiter.replace(StoredWaker::NONE).wake();
    }
}

impl<R: Rule> Child<R> {
    fn arm(&self, here: &'static Loop) -> &'static Slot {
        // SAFETY: `Home`: it does not move until it is dropped.
        unsafe { Pin::new_unchecked(&self.callback) }.arm(here, ptr::from_ref(self).cast())
    }

    #[expect(clippy::mut_from_ref, reason = "one thread, and one use at a time")]
    fn place(&self) -> Pin<&mut Place> {
        // SAFETY: `Home`: it does not move until it is dropped; `OwnThread`, and those who take it use it in one line.
        unsafe { Pin::new_unchecked(&mut *self.place.get()) }
    }

    fn unwatch(&self) {
        if self.watches.replace(false)
            && let Some(slot) = self.callback.slot()
        {
            self.watched.unwatch(slot, self.place());
        }
        self.callback.disarm();
    }

    /// It has ended, at least one turn ago.
    ///
    /// # Safety
    /// `this` is one whose callback is armed.
    unsafe fn call(this: *const ()) {
        // SAFETY: `Home`: a callback that is called is armed, so the child is there, and its home. That is kept while
        // whoever waits is woken, who may drop it.
        let (this, home) = unsafe {
            let this = &*this.cast::<Self>();
            Rc::increment_strong_count(this.home.get());
            (this, Rc::from_raw(this.home.get()))
        };
        // A stale wake of the slot may come before the end.
        let Some(end) = this.watched.end() else { return };
        this.unwatch();
        let over = {
            let _kept = home.rule.shows().then(|| this.watched.keep());
            home.rule.ended(this.index, end)
        };
        if over {
            home.wake();
        }
    }
}

impl<R: Rule> Drop for Watching<R> {
    fn drop(&mut self) {
        self.forget();
        for child in &self.children {
            child.unwatch();
        }
    }
}

/// The rule where there is one child: it has ended.
#[derive(Default)]
pub(super) struct Flag(Cell<bool>);

impl Flag {
    pub(super) fn is_up(&self) -> bool {
        self.0.get()
    }
}

impl Rule for Flag {
    fn ended(&self, _: usize, _: End) -> bool {
        self.0.set(true);
        true
    }

    fn is_over(&self) -> bool {
        self.is_up()
    }
}
