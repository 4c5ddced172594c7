#![allow(unsafe_code)] // puts bodies of many types into places of one size
//! `TaskPool`: places for tasks in a `static`, for programs without an allocator.

use super::Task;
use super::body::{Body, Free, Header, Name};
use super::slot::{Slot, Started};
use crate::sched::{Loop, current};
use crate::sync::atomic::Ordering;
use crate::sync::atomic::swap::AtomicBool;
use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::future::Future;
use core::mem::MaybeUninit;

/// Room for `N` tasks at a time, in a `static`.
///
/// `S` says how much room each has: its size and alignment are what counts, not what it is. That a future (and its
/// output) fits is checked when the program is compiled, so futures without a name, generic ones included, need no
/// macro and no unstable feature.
///
/// ```
/// use corio::TaskPool;
/// static BLINKERS: TaskPool<[u64; 8], 2> = TaskPool::new();
///
/// async fn blink(led: u8) -> u8 {
///     corio::yield_now().await;
///     led
/// }
///
/// # corio_sim::run(async {
/// let one = BLINKERS.spawn(blink(1)).unwrap();
/// let two = BLINKERS.spawn(blink(2)).unwrap();
/// assert!(BLINKERS.spawn(blink(3)).is_err()); // full, and the future comes back
/// assert_eq!(one.await, Ok(1));
/// BLINKERS.spawn(blink(3)).unwrap().detach();
/// # drop(two);
/// # });
/// ```
///
/// A place is free again when its task has ended and its handle is gone.
pub struct TaskPool<S, const N: usize> {
    places: [Place<S>; N],
}

#[repr(C)]
struct Place<S> {
    /// First, so that a slot's address leads here.
    head: Head,
    room: UnsafeCell<MaybeUninit<Room<S>>>,
}

#[repr(C)]
struct Head {
    slot: Slot,
    used: AtomicBool,
    links: Links,
}

/// Neighbours among those tasks of a loop that live in pools, in order of creation.
struct Links {
    prev: Cell<*const Slot>,
    next: Cell<*const Slot>,
}

/// The tasks of a loop that live in pools, in order of creation: a list of slots through their heads.
///
/// Invariant `Pooled`: the slots in it are the first fields of heads of pools, whose addresses were exposed.
pub(crate) struct Pooled {
    first: *const Slot,
    last: *const Slot,
}

/// The links of a slot in a pool.
///
/// # Safety
/// `Pooled`.
#[inline]
unsafe fn links<'a>(slot: *const Slot) -> &'a Links {
    // Through the address, which `start` has exposed for the whole head: a reference would be to the slot alone.
    // SAFETY: by the caller's word; the slot is the first field of its head.
    unsafe { &(*core::ptr::with_exposed_provenance::<Head>(slot.addr())).links }
}

impl Pooled {
    pub(crate) const fn new() -> Self {
        Self { first: core::ptr::null(), last: core::ptr::null() }
    }

    /// # Safety
    /// `Pooled`; `slot` is in no list.
    pub(crate) unsafe fn push(&mut self, slot: &'static Slot) {
        // SAFETY: by the caller's word.
        unsafe {
            links(slot).prev.set(self.last);
            links(slot).next.set(core::ptr::null());
            if self.last.is_null() {
                self.first = slot;
            } else {
                links(self.last).next.set(slot);
            }
        }
        self.last = slot;
    }

    /// # Safety
    /// `slot` is in this list.
    pub(crate) unsafe fn remove(&mut self, slot: &'static Slot) {
        // SAFETY: by the caller's word, and `Pooled`.
        unsafe {
            let (prev, next) = (links(slot).prev.get(), links(slot).next.get());
            if prev.is_null() {
                self.first = next;
            } else {
                links(prev).next.set(next);
            }
            if next.is_null() {
                self.last = prev;
            } else {
                links(next).prev.set(prev);
            }
        }
    }

    pub(crate) fn first(&self) -> Option<&'static Slot> {
        // SAFETY: slots are `Immortal`.
        unsafe { self.first.as_ref() }
    }

    /// The one created next after `slot`.
    ///
    /// # Safety
    /// `slot` is in this list.
    pub(crate) unsafe fn after(&self, slot: &'static Slot) -> Option<&'static Slot> {
        // SAFETY: by the caller's word; slots are `Immortal`.
        unsafe { links(slot).next.get().as_ref() }
    }
}

/// What a `Body` looks like with a stage of type `S`.
#[repr(C)]
struct Room<S> {
    header: Header,
    stage: S,
}

// SAFETY: `room` and the links belong to whoever has turned `used` to true, and then to the loop whose task is in it.
unsafe impl<S, const N: usize> Sync for TaskPool<S, N> {}

impl<S, const N: usize> TaskPool<S, N> {
    crate::sync::const_fn! {
        /// A pool of free places.
        pub const fn new() -> Self {
            Self {
                places: crate::sync::array_of!(
                    Place {
                        head: Head {
                            slot: Slot::new(),
                            used: AtomicBool::new(false),
                            links: Links { prev: Cell::new(core::ptr::null()), next: Cell::new(core::ptr::null()) },
                        },
                        room: UnsafeCell::new(MaybeUninit::uninit()),
                    }; N
                ),
            }
        }
    }

    /// Starts a task on the running loop, in a free place of the pool. Its first step is at the end of what is ready.
    ///
    /// # Errors
    /// When all places are taken; the future comes back.
    ///
    /// # Panics
    /// Outside a loop.
    #[track_caller]
    pub fn spawn<F: Future + 'static>(&'static self, future: F) -> Result<Task<F::Output>, PoolFull<F>> {
        self.spawn_on(current::get("TaskPool::spawn()"), future)
    }

    /// Starts a task on the loop `here`, which is this thread's.
    pub(crate) fn spawn_on<F: Future + 'static>(
        &'static self,
        here: &'static Loop,
        future: F,
    ) -> Result<Task<F::Output>, PoolFull<F>> {
        if here.is_closing() {
            return Ok(Task::refused());
        }
        match self.place(here, future, || ()) {
            // SAFETY: it was started just now, with that output.
            Ok((slot, _, started)) => unsafe {
                let task = Task::new(slot);
                started.tell();
                Ok(task)
            },
            Err(future) => Err(PoolFull(future)),
        }
    }

    /// Starts a task on the loop `here`, which is this thread's, in a free place: its slot, what it is named by, and what
    /// tells the loop of it when all is in order. If there is none, `future` comes back.
    #[inline]
    pub(super) fn place<F: Future + 'static, M: Name>(
        &'static self,
        here: &'static Loop,
        future: F,
        name: impl Fn() -> M,
    ) -> Result<(&'static Slot, *const M, Started), F> {
        const {
            assert!(
                size_of::<Body<F, M>>() <= size_of::<Room<S>>() && align_of::<Body<F, M>>() <= align_of::<Room<S>>(),
                "the places of this TaskPool are too small for the future (or its output): make `S` larger"
            );
        }
        let mut future = future;
        // A place whose slot a stale wake still holds is second choice: the first step would be where that wake is.
        for take_over in [false, true] {
            for place in &self.places {
                future = match place.start(here, future, &name, take_over) {
                    Ok(started) => return Ok(started),
                    Err(future) => future,
                };
            }
        }
        Err(future)
    }
}

impl<S> Place<S> {
    fn start<F: Future + 'static, M: Name>(
        &'static self,
        here: &'static Loop,
        future: F,
        name: impl Fn() -> M,
        take_over: bool,
    ) -> Result<(&'static Slot, *const M, Started), F> {
        // Acquire: pairs with the release in `give_back`.
        if self.head.used.load(Ordering::Relaxed) || self.head.used.swap(true, Ordering::Acquire) {
            return Err(future);
        }
        let body = self.room.get().cast::<Body<F, M>>();
        let slot = &self.head.slot;
        core::ptr::from_ref(&self.head).expose_provenance(); // for `give_back` and `links`
        let ready = here.ready();
        // SAFETY: the place is ours. The body is written before the loop, which is this one, gets to its slot.
        unsafe {
            let started = if !take_over && slot.claim() {
                slot.start(ready, body.cast(), false, true)
            } else if take_over && slot.take_over(ready, body.cast()) {
                Started::NOT_ASLEEP
            } else {
                self.head.used.store(false, Ordering::Release);
                return Err(future);
            };
            body.write(Body::new(future, name(), Free::Pool));
            here.adopt_pooled(slot);
            Ok((slot, Body::name_of(body), started))
        }
    }
}

impl<S, const N: usize> Default for TaskPool<S, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, const N: usize> fmt::Debug for TaskPool<S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.places.iter().filter(|place| place.head.used.load(Ordering::Relaxed)).count();
        f.debug_struct("TaskPool").field("places", &N).field("used", &used).finish()
    }
}

/// # Safety
/// `slot` is that of a place in a pool, whose body was dropped.
pub(super) unsafe fn give_back(slot: &'static Slot) {
    // Through the address, which `start` has exposed for the whole head: the reference is to the slot alone.
    let head = core::ptr::with_exposed_provenance::<Head>(core::ptr::from_ref(slot).addr());
    // SAFETY: by the caller's word; the slot is the first field of its head. Release: whoever takes the place next
    // finds it as we left it.
    unsafe { &*head }.used.store(false, Ordering::Release);
}

/// All places of a [`TaskPool`] are taken. The future that was to be spawned comes back.
pub struct PoolFull<F>(pub F);

impl<F> fmt::Debug for PoolFull<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PoolFull")
    }
}

impl<F> fmt::Display for PoolFull<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no free place in the task pool")
    }
}

impl<F> core::error::Error for PoolFull<F> {}
