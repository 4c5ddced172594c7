#![allow(unsafe_code)] // follows the raw links of an intrusive queue
//! The queue where threads wake: a plain FIFO for pushes by the loop's own thread, and a lock-free stack for all others,
//! which the loop takes whole and turns round. A push from elsewhere is one compare-and-swap. (A signal handler is
//! not elsewhere: it may interrupt the loop's own push. It must not wake; a pipe or a thread can.)
//!
//! The mark of an element is a byte of its own.
//!
//! Invariants:
//! - `Marked`, `Seen`: see the module above. `pop` clears the mark by a read-modify-write.
//! - `Told`: `idle` raises `asleep` and *then* looks for remote pushes; a remote push links its element and *then*
//!   looks at `asleep`, both sequentially consistent. At least one of the two sees the other, so no push stays
//!   unnoticed by a loop that goes to sleep.
//! - `Closed`: between `close` and `open` nothing stays in the queue. Who pushes then gives the mark back instead: a
//!   wake that was under way when its loop ended does not keep the element from being used by another loop. If the queue
//!   was opened meanwhile, whoever opened it may have found the mark and rely on the push: giving back *and then* looking
//!   whether it is still closed, against opening *and then* looking at marks, is `Told` once more.

use crate::sync::Local;
use crate::sync::atomic::{AtomicBool, AtomicPtr, Ordering, fence};
use core::ptr::{self, NonNull};

/// An element of a [`Wakes`]. It carries a link of its own: a pointer to the next, and the mark.
///
/// # Safety
/// `next` and `queued` always return the same fields, used for nothing else, and an element that was pushed once lives
/// as long as the queue is used.
pub(crate) unsafe trait Linked: Sized + Sync + 'static {
    /// What owns the queue.
    type Home: 'static;
    fn next(&self) -> &AtomicPtr<Self>;
    fn queued(&self) -> &AtomicBool;
    /// Where this element is to be queued. Asked only after its mark was set.
    fn home(&self) -> &'static Self::Home;
    fn wakes(home: &Self::Home) -> &Wakes<Self>;
    /// True when the caller's thread is the one that pops from `home`'s queue.
    fn is_here(home: &Self::Home) -> bool;
}

/// A plain FIFO through the elements' links.
struct Fifo<T> {
    head: *mut T,
    tail: *mut T,
}

impl<T: Linked> Fifo<T> {
    const fn new() -> Self {
        Self { head: ptr::null_mut(), tail: ptr::null_mut() }
    }

    /// # Safety
    /// `Marked`: the caller owns the link of `element`.
    #[inline]
    unsafe fn push(&mut self, element: NonNull<T>) {
        let raw = element.as_ptr();
        // SAFETY: elements live as long as the queue is used (`Linked`).
        unsafe { element.as_ref() }.next().store(ptr::null_mut(), Ordering::Relaxed);
        if self.head.is_null() {
            self.head = raw;
        } else {
            // SAFETY: `tail` is an element of this queue when `head` is one.
            unsafe { &*self.tail }.next().store(raw, Ordering::Relaxed);
        }
        self.tail = raw;
    }

    /// Puts `element` behind `before`, or first.
    ///
    /// # Safety
    /// `Marked`: the caller owns the link of `element`. `before` is in this queue.
    #[cfg(feature = "alloc")]
    unsafe fn insert(&mut self, element: NonNull<T>, before: Option<NonNull<T>>) {
        let raw = element.as_ptr();
        // SAFETY: elements live as long as the queue is used (`Linked`).
        unsafe {
            let after = match before {
                Some(before) => before.as_ref().next().swap(raw, Ordering::Relaxed),
                None => core::mem::replace(&mut self.head, raw),
            };
            element.as_ref().next().store(after, Ordering::Relaxed);
            if after.is_null() {
                self.tail = raw;
            }
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<NonNull<T>> {
        let first = NonNull::new(self.head)?;
        // SAFETY: `first` is an element of this queue.
        self.head = unsafe { first.as_ref() }.next().load(Ordering::Relaxed);
        Some(first)
    }

    fn tail(&self) -> Option<NonNull<T>> {
        // SAFETY: `tail` is an element of this queue when `head` is one.
        if self.head.is_null() { None } else { Some(unsafe { NonNull::new_unchecked(self.tail) }) }
    }
}

/// The last in line at some moment, if anything was.
#[cfg(feature = "alloc")]
pub(crate) struct Place<T>(Option<NonNull<T>>);

/// The queue of one loop.
pub(crate) struct Wakes<T> {
    near: Local<Fifo<T>>,
    /// The newest that came from elsewhere, or `closed()`.
    far: AtomicPtr<T>,
    asleep: AtomicBool,
}

/// What stands in `far` while the queue is closed: the address of no element.
fn closed<T>() -> *mut T {
    ptr::without_provenance_mut(1)
}

// SAFETY: `near` is used by the loop's thread alone (`push` asks `here`, the rest are unsafe and say so); the
// other fields are atomic. Elements are shared between threads by design, hence `T: Sync`.
unsafe impl<T: Sync> Sync for Wakes<T> {}
// SAFETY: nothing in it belongs to a thread.
unsafe impl<T: Sync> Send for Wakes<T> {}

impl<T: Linked> Wakes<T> {
    crate::sync::const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                near: Local::new(Fifo::new()),
                far: AtomicPtr::new(ptr::null_mut()),
                asleep: AtomicBool::new(false),
            }
        }
    }

    /// Gives back a mark that the caller has set, without a push. From here on a wake pushes the element.
    #[cfg(feature = "alloc")]
    pub(crate) fn unmark(element: &T) {
        // Release: pairs with the acquire of whoever marks it next.
        element.queued().store(false, Ordering::Release);
    }

    /// Marks `element` as queued. False: it was marked already, so it will be popped.
    #[inline]
    pub(crate) fn mark(element: &T) -> bool {
        // AcqRel: release what the waker wrote to the `pop` that clears the mark (`Seen`); acquire what the
        // clearing `pop` and the element's owner wrote before.
        !element.queued().swap(true, Ordering::AcqRel)
    }

    /// True when `element` is queued, or on its way there.
    #[inline]
    pub(crate) fn is_marked(element: &T) -> bool {
        // Acquire: what its owner wrote before it was queued.
        element.queued().load(Ordering::Acquire)
    }

    /// Pushes `element` to its home, unless it is queued already. A home that is returned wants an unpark.
    #[inline]
    pub(crate) fn push(element: &'static T) -> Option<&'static T::Home> {
        // SAFETY: `Marked`, in the same breath.
        if Self::mark(element) { unsafe { Self::push_marked(element) } } else { None }
    }

    /// Pushes an element whose mark the caller has set, on the thread of its home. A home that is returned wants an
    /// unpark.
    ///
    /// # Safety
    /// `Marked`, `OwnThread`.
    #[inline]
    pub(crate) unsafe fn push_here(element: &'static T) -> Option<&'static T::Home> {
        let home = element.home();
        let wakes = T::wakes(home);
        // SAFETY: by the caller's word; `push` calls nothing.
        unsafe { wakes.near.with(|fifo| fifo.push(NonNull::from(element))) };
        // On this thread the flag is up only between the turns of a loop within another loop.
        (wakes.asleep.load(Ordering::Relaxed) && wakes.asleep.swap(false, Ordering::SeqCst)).then_some(home)
    }

    /// Where the line ends now. Good as long as nothing is popped.
    ///
    /// # Safety
    /// Only by the loop that pops, on its thread (`OwnThread`).
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn end_of_line(&self) -> Place<T> {
        // SAFETY: `OwnThread` by the caller's word.
        Place(unsafe { self.near.with(|fifo| fifo.tail()) })
    }

    /// Puts an element whose mark the caller has set where the line ended then.
    ///
    /// # Safety
    /// As `push_here`; `place` is of the element's home, and good.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn insert_here(element: &'static T, place: Place<T>) {
        // SAFETY: by the caller's word; `insert` calls nothing.
        unsafe { T::wakes(element.home()).near.with(|fifo| fifo.insert(NonNull::from(element), place.0)) };
    }

    /// # Safety
    /// `Marked`.
    #[inline]
    pub(crate) unsafe fn push_marked(element: &'static T) -> Option<&'static T::Home> {
        let home = element.home();
        if T::is_here(home) {
            // SAFETY: `OwnThread`, as `is_here` says; `push` calls nothing; `Marked`.
            unsafe { T::wakes(home).near.with(|fifo| fifo.push(NonNull::from(element))) };
            return None;
        }
        Self::push_far(element)
    }

    /// Pushes from elsewhere. A home that is returned may be asleep, and nobody else has been told to end that.
    #[cold]
    #[inline(never)]
    fn push_far(element: &'static T) -> Option<&'static T::Home> {
        loop {
            let home = element.home();
            if let Some(asleep) = T::wakes(home).try_push_far(element) {
                return asleep.then_some(home);
            }
            // Opened meanwhile, or the element is another queue's by now: begun anew.
            if !Self::mark(element) {
                return None;
            }
        }
    }

    /// True when the loop may be asleep and nobody else has been told to end that. None: the mark was given back.
    fn try_push_far(&self, element: &'static T) -> Option<bool> {
        let raw = ptr::from_ref(element).cast_mut();
        let mut top = self.far.load(Ordering::Relaxed);
        loop {
            if top == closed() {
                // `Closed`. Release: pairs with the `mark` of whoever takes the element into use.
                element.queued().store(false, Ordering::Release);
                fence(Ordering::SeqCst);
                return (self.far.load(Ordering::Relaxed) == closed()).then_some(false);
            }
            element.next().store(top, Ordering::Relaxed);
            // SeqCst, with the load of `asleep` below and the two in `idle`: `Told`. It also releases the link.
            match self.far.compare_exchange_weak(top, raw, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => top = now,
            }
        }
        Some(self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst))
    }

    /// Takes in what other threads have pushed: it is in line before what this thread pushes from here on.
    ///
    /// # Safety
    /// Only by the loop that pops, on its thread (`OwnThread`).
    #[inline]
    pub(crate) unsafe fn take_in(&self) {
        if !self.far.load(Ordering::Relaxed).is_null() {
            // SAFETY: `OwnThread` by the caller's word.
            unsafe { self.take_far() };
        }
    }

    /// Takes in what other threads have pushed. All that is in line now is the batch, none if nothing is.
    ///
    /// # Safety
    /// Only by the loop that pops, on its thread (`OwnThread`).
    #[inline]
    pub(crate) unsafe fn batch(&self) -> Option<Batch<'_, T>> {
        // SAFETY: by the caller's word.
        let last = unsafe {
            self.take_in();
            self.near.with(|fifo| fifo.tail())
        };
        last.map(|last| Batch { wakes: self, last })
    }

    /// # Safety
    /// Only by the loop that pops, on its thread (`OwnThread`).
    #[cold]
    unsafe fn take_far(&self) {
        // Acquire: the links and whatever was written before the pushes.
        let mut newest = self.far.swap(ptr::null_mut(), Ordering::Acquire);
        if newest == closed() {
            return self.far.store(newest, Ordering::Relaxed);
        }
        let mut oldest = ptr::null_mut();
        while let Some(element) = NonNull::new(newest) {
            // SAFETY: pushed elements live on (`Linked`), and are ours now (`Marked`).
            let next = unsafe { element.as_ref() }.next();
            newest = next.load(Ordering::Relaxed);
            next.store(oldest, Ordering::Relaxed);
            oldest = element.as_ptr();
        }
        while let Some(element) = NonNull::new(oldest) {
            // SAFETY: as above; `OwnThread` by the caller's word.
            unsafe {
                oldest = element.as_ref().next().load(Ordering::Relaxed);
                self.near.with(|fifo| fifo.push(element));
            }
        }
    }

    /// Takes the first in line, as `Batch::pop` does.
    ///
    /// # Safety
    /// Only by the loop that pops, on its thread (`OwnThread`).
    #[inline]
    unsafe fn pop<R>(&self, look: impl FnOnce(&T) -> Option<R>) -> Option<(NonNull<T>, Option<R>)> {
        // SAFETY: `OwnThread` by the caller's word.
        let first = unsafe { self.near.with(Fifo::pop) }?;
        // SAFETY: elements live as long as the queue is used (`Linked`).
        let element = unsafe { first.as_ref() };
        let seen = look(element);
        // AcqRel: `Seen` -- take in what a waker wrote before it found the mark set; hand on what we wrote.
        element.queued().swap(false, Ordering::AcqRel);
        Some((first, seen))
    }

    /// True when the loop itself knows of nothing more to do. (Pushes from elsewhere come to light in `take_in` and `batch`.)
    ///
    /// # Safety
    /// Only by the loop that pops, on its thread (`OwnThread`).
    #[inline]
    pub(crate) unsafe fn is_empty(&self) -> bool {
        // SAFETY: `OwnThread` by the caller's word.
        unsafe { self.near.with(|fifo| fifo.head.is_null()) }
    }

    /// True when nothing is queued; from then until `awake`, the first remote push asks for an unpark.
    ///
    /// # Safety
    /// Only by the loop that pops, on its thread (`OwnThread`).
    #[inline]
    pub(crate) unsafe fn idle(&self) -> bool {
        // SAFETY: `OwnThread` by the caller's word.
        if !unsafe { self.near.with(|fifo| fifo.head.is_null()) } {
            return false;
        }
        // `Told`: raise the flag, then look. SeqCst on both, as in `push_far`.
        self.asleep.swap(true, Ordering::SeqCst);
        if self.far.load(Ordering::SeqCst).is_null() {
            return true;
        }
        self.asleep.store(false, Ordering::Relaxed);
        false
    }

    /// Ends the time in which pushes ask for an unpark.
    #[inline]
    pub(crate) fn awake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Lets nothing in any more, and gives their marks back to those who came from elsewhere (`Closed`).
    ///
    /// # Safety
    /// Only by the loop that pops, on its thread (`OwnThread`), which has emptied the queue.
    pub(crate) unsafe fn close(&self) {
        // AcqRel: the links that were pushed; and `Closed`, for whoever finds it closed.
        let mut newest = self.far.swap(closed(), Ordering::AcqRel);
        while newest != closed()
            && let Some(element) = NonNull::new(newest)
        {
            // SAFETY: pushed elements live on (`Linked`), and are ours until the mark is given back (`Marked`).
            let element = unsafe { element.as_ref() };
            newest = element.next().load(Ordering::Relaxed);
            element.queued().store(false, Ordering::Release);
        }
    }

    /// Lets wakes in again.
    ///
    /// # Safety
    /// Only by the loop that pops, on its thread (`OwnThread`); the queue is new or closed.
    pub(crate) unsafe fn open(&self) {
        self.far.store(ptr::null_mut(), Ordering::Relaxed);
        fence(Ordering::SeqCst); // `Closed`: before any look at a mark
    }
}

/// What was in line at one moment. If a panic keeps it from being popped to its end, the rest stays in line.
pub(crate) struct Batch<'a, T> {
    wakes: &'a Wakes<T>,
    last: NonNull<T>,
}

impl<T: Linked> Batch<'_, T> {
    /// Takes the first in line: `look` sees it, and whether anybody is there, while its mark is still set, then the mark is
    /// cleared and from there on a wake pushes it again.
    ///
    /// # Safety
    /// Only by the loop that pops, on its thread (`OwnThread`); the batch is not at its end.
    #[inline]
    pub(crate) unsafe fn pop<R>(&mut self, look: impl FnOnce(&T) -> Option<R>) -> (NonNull<T>, Option<R>) {
        // SAFETY: by the caller's word; `last` is in line still.
        unsafe { self.wakes.pop(look).unwrap_unchecked() }
    }

    /// True when `popped`, which came out just now, was the last of the batch.
    #[inline]
    pub(crate) fn ends_with(&self, popped: NonNull<T>) -> bool {
        popped == self.last
    }
}
