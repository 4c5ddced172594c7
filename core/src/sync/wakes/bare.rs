#![allow(unsafe_code)] // follows the raw links of an intrusive queue
//! The queue of bare metal: one FIFO for tasks and interrupt handlers alike. A push is a critical section of eight
//! instructions or so; the loop takes the whole line in one, and needs none to pop from what it has taken. Loads and
//! stores are all it takes, so it is the same for cores without compare-and-swap.
//!
//! The link of an element is its mark: null means that it is in no queue.
//!
//! ```text
//!   head ─► a ──next── b ──next── c ──next── END          a line
//!                                     ▲
//!                                    tail                 the link that the next push fills
//! ```
//!
//! An element that is *retired* is in no queue either, but its link stays filled, so that a push is a no-op: a wake
//! need not ask whether there is anybody to be woken.
//!
//! Invariants:
//! - `Tail`: inside every critical section `tail` is where the line ends: at `head` if it is empty, else at the link of
//!   its last.
//! - `Marked`: a link that is null is filled inside a critical section, by whoever marks, pushes or retires the element. A
//!   push that finds it filled writes nothing: it may be the loop that is about to clear it.
//! - `Seen`: `pop` stores null in the link, and *then* its caller looks at the element's state; a waker writes what it
//!   wakes for and *then* looks at the link. A sequentially consistent fence stands between the two on either side, so
//!   a waker that finds the link filled (and leaves) has written what the step behind some later `pop` sees. Between a
//!   handler and what it interrupts the order of the program is enough; the fences are for a second core.
//! - `Told`: `idle` looks for a line and raises `asleep` in one critical section. The push that makes a line looks at
//!   `asleep` after its own; those behind it need not.

use crate::sync::atomic::{AtomicBool, AtomicPtr, Ordering, fence};
use core::ptr::{self, NonNull};

#[cfg(not(loom))]
#[inline(always)]
fn section<R>(f: impl FnOnce() -> R) -> R {
    critical_section::with(|_| f())
}

/// What a critical section is between cores.
#[cfg(loom)]
fn section<R>(f: impl FnOnce() -> R) -> R {
    loom::lazy_static! {
        static ref SECTION: loom::sync::Mutex<()> = loom::sync::Mutex::new(());
    }
    let _section = SECTION.lock().unwrap();
    f()
}

/// An element of a [`Wakes`]. It carries a link of its own, null at first.
///
/// # Safety
/// `next` always returns the same field, used for nothing else, and an element that was pushed once lives as long as the
/// queue is used.
pub(crate) unsafe trait Linked: Sized + Sync + 'static {
    /// What owns the queue.
    type Home: 'static;
    fn next(&self) -> &AtomicPtr<Self>;
    /// Where this element is to be queued. Asked only after its mark was set, or while nobody else can.
    fn home(&self) -> &'static Self::Home;
    fn wakes(home: &Self::Home) -> &Wakes<Self>;
}

/// The link of the last in line: no address of an element, and not null.
const fn end<T>() -> *mut T {
    ptr::without_provenance_mut(1)
}

/// The link of an element that is retired.
const fn retired<T>() -> *mut T {
    ptr::without_provenance_mut(2)
}

/// The link that a push would have filled at some moment.
#[cfg(feature = "alloc")]
pub(crate) struct Place<T>(*mut AtomicPtr<T>);

/// The queue of one loop. Relaxed accesses throughout: the critical sections around them order them, but for the link that
/// `pop` clears.
#[repr(C)]
pub(crate) struct Wakes<T> {
    /// Null: nothing is in line.
    head: AtomicPtr<T>,
    /// Null until `open`.
    tail: AtomicPtr<AtomicPtr<T>>,
    asleep: AtomicBool,
}

impl<T: Linked> Wakes<T> {
    crate::sync::const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                head: AtomicPtr::new(ptr::null_mut()),
                tail: AtomicPtr::new(ptr::null_mut()),
                asleep: AtomicBool::new(false),
            }
        }
    }

    /// Lets wakes in, for the first time or again.
    ///
    /// # Safety
    /// It stays in its place from here on, and nobody else uses it yet.
    pub(crate) unsafe fn open(&self) {
        if self.tail.load(Ordering::Relaxed).is_null() {
            self.tail.store(ptr::from_ref(&self.head).cast_mut(), Ordering::Relaxed);
        }
    }

    /// Here mark and push are one, and `batch` finds them both: nothing is left to be given back.
    ///
    /// # Safety
    /// None is needed. Elsewhere it is.
    pub(crate) unsafe fn close(&self) {}

    /// Gives back a mark that the caller has set, without a push. From here on a wake pushes the element.
    #[cfg(feature = "alloc")]
    pub(crate) fn unmark(element: &T) {
        // Release: pairs with the acquire of whoever marks it next.
        element.next().store(ptr::null_mut(), Ordering::Release);
    }

    /// Marks `element` as queued. False: it was marked already, so it will be popped.
    #[inline]
    pub(crate) fn mark(element: &T) -> bool {
        section(|| {
            let free = !Self::is_marked(element);
            if free {
                element.next().store(end(), Ordering::Relaxed);
            }
            free
        })
    }

    /// True when `element` is queued, or on its way there.
    #[inline]
    pub(crate) fn is_marked(element: &T) -> bool {
        // Acquire: pairs with the release in `pop`.
        let link = element.next().load(Ordering::Acquire);
        !link.is_null() && link != retired()
    }

    /// From here on a push of `element` does nothing, until it is marked again. One that is queued already is retired when it
    /// is popped.
    pub(crate) fn retire(element: &T) {
        section(|| {
            if element.next().load(Ordering::Relaxed).is_null() {
                element.next().store(retired(), Ordering::Relaxed);
            }
        });
    }

    /// Pushes `element` to its home, unless it is queued already, or retired. A home that is returned wants an unpark.
    #[inline]
    pub(crate) fn push(element: &'static T) -> Option<&'static T::Home> {
        // `Seen`.
        fence(Ordering::SeqCst);
        let first = section(|| {
            let free = element.next().load(Ordering::Relaxed).is_null();
            free && Self::push_within(element)
        });
        if first { Self::asleep(element) } else { None }
    }

    /// Pushes an element whose mark the caller has set. A home that is returned wants an unpark.
    ///
    /// # Safety
    /// `Marked`.
    #[inline]
    pub(crate) unsafe fn push_here(element: &'static T) -> Option<&'static T::Home> {
        if section(|| Self::push_within(element)) { Self::asleep(element) } else { None }
    }

    /// Where the line ends now. Good as long as nothing is taken.
    ///
    /// # Safety
    /// Only by the loop that pops.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn end_of_line(&self) -> Place<T> {
        Place(self.tail.load(Ordering::Relaxed))
    }

    /// Puts an element whose mark the caller has set where the line ended then.
    ///
    /// # Safety
    /// `Marked`; `place` is of the element's home, and good.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn insert_here(element: &'static T, place: Place<T>) {
        let wakes = T::wakes(element.home());
        section(|| {
            // SAFETY: `Tail` at the time, and nothing was taken since: a link of this queue or of an element in it.
            let link = unsafe { &*place.0 };
            let after = link.load(Ordering::Relaxed);
            element.next().store(if after.is_null() { end() } else { after }, Ordering::Relaxed);
            link.store(ptr::from_ref(element).cast_mut(), Ordering::Relaxed);
            if ptr::eq(wakes.tail.load(Ordering::Relaxed), link) {
                wakes.tail.store(ptr::from_ref(element.next()).cast_mut(), Ordering::Relaxed);
            }
        });
    }

    /// Inside a critical section, for an element that is the caller's (`Marked`). True: it is the first in line.
    #[inline(always)]
    fn push_within(element: &'static T) -> bool {
        let wakes = T::wakes(element.home());
        element.next().store(end(), Ordering::Relaxed);
        let tail = wakes.tail.load(Ordering::Relaxed);
        // SAFETY: `Tail`, and `open` came before the first push: a link of this queue or of an element, which lives
        // on (`Linked`).
        unsafe { &*tail }.store(ptr::from_ref(element).cast_mut(), Ordering::Relaxed);
        wakes.tail.store(ptr::from_ref(element.next()).cast_mut(), Ordering::Relaxed);
        ptr::eq(tail, &wakes.head)
    }

    /// The home of an element that was the first to be pushed there, if the loop sleeps.
    #[inline]
    fn asleep(element: &'static T) -> Option<&'static T::Home> {
        let home = element.home();
        T::wakes(home).asleep.load(Ordering::Relaxed).then_some(home)
    }

    /// There is one line for all contexts, so nothing is to be taken in.
    ///
    /// # Safety
    /// None is needed. Elsewhere it is.
    #[inline]
    pub(crate) unsafe fn take_in(&self) {}

    /// Takes all that is in line now, none if nothing is.
    ///
    /// # Safety
    /// Only by the loop that pops.
    #[inline]
    pub(crate) unsafe fn batch(&self) -> Option<Batch<'_, T>> {
        let next = section(|| {
            let head = self.head.load(Ordering::Relaxed);
            self.head.store(ptr::null_mut(), Ordering::Relaxed);
            self.tail.store(ptr::from_ref(&self.head).cast_mut(), Ordering::Relaxed);
            head
        });
        // Not `then_some`: a batch of nothing must not be made, nor dropped.
        (!next.is_null()).then(|| Batch { wakes: self, next })
    }

    /// True when nothing was pushed at the moment of a look without a lock. `idle` looks properly.
    ///
    /// # Safety
    /// Only by the loop that pops.
    #[inline]
    pub(crate) unsafe fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// True when nothing is queued; from then until `awake`, the first push asks for an unpark.
    ///
    /// # Safety
    /// Only by the loop that pops.
    #[inline]
    pub(crate) unsafe fn idle(&self) -> bool {
        section(|| {
            let empty = self.head.load(Ordering::Relaxed).is_null();
            self.asleep.store(empty, Ordering::Relaxed);
            empty
        })
    }

    /// Ends the time in which pushes ask for an unpark. A push that does not know it yet asks for one too many.
    #[inline]
    pub(crate) fn awake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }
}

/// What was in line at one moment. It is the loop's alone; pushes make a new line. If a panic keeps it from being
/// popped to its end, the rest goes back, in front of that line.
pub(crate) struct Batch<'a, T: Linked> {
    wakes: &'a Wakes<T>,
    /// The next to be popped. `Marked`: until then its link is the batch's.
    next: *mut T,
}

impl<T: Linked> Batch<'_, T> {
    /// Takes the first: `look` sees it while its mark is still set, then the mark is cleared and from there on a
    /// wake pushes it again. If `look` has found nobody there, it is retired.
    ///
    /// # Safety
    /// Only by the loop that pops; the batch is not at its end. Elements for which `look` finds somebody belong to this
    /// loop.
    #[inline]
    pub(crate) unsafe fn pop<R>(&mut self, look: impl FnOnce(&T) -> Option<R>) -> (NonNull<T>, Option<R>) {
        // SAFETY: not at the end, by the caller's word; elements live as long as the queue is used (`Linked`).
        let first = unsafe { NonNull::new_unchecked(self.next) };
        // SAFETY: as above.
        let element = unsafe { first.as_ref() };
        self.next = element.next().load(Ordering::Relaxed);
        let seen = look(element);
        if seen.is_some() {
            element.next().store(ptr::null_mut(), Ordering::Relaxed);
            // `Seen`.
            fence(Ordering::SeqCst);
        } else {
            // Release: from here on it may be another loop's, which changes what was looked at.
            element.next().store(retired(), Ordering::Release);
        }
        (first, seen)
    }

    /// True when `_popped`, which came out just now, was the last of the batch.
    #[inline]
    pub(crate) fn ends_with(&self, _popped: NonNull<T>) -> bool {
        self.next == end()
    }

    #[cold]
    fn put_back(&self) {
        let mut last = self.next;
        // SAFETY: `Linked`, `Marked`: what is left of the batch is linked to its end.
        let last = unsafe {
            loop {
                let next = (*last).next().load(Ordering::Relaxed);
                if next == end() {
                    break (*last).next();
                }
                last = next;
            }
        };
        section(|| {
            let head = self.wakes.head.load(Ordering::Relaxed);
            if head.is_null() {
                self.wakes.tail.store(ptr::from_ref(last).cast_mut(), Ordering::Relaxed);
            } else {
                last.store(head, Ordering::Relaxed);
            }
            self.wakes.head.store(self.next, Ordering::Relaxed);
        });
    }
}

impl<T: Linked> Drop for Batch<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.next != end() {
            self.put_back();
        }
    }
}
