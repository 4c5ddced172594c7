#![allow(unsafe_code)] // an intrusive heap of pinned nodes
//! Deadlines in order: a pairing heap of lines.
//!
//! A node lives in the future that waits, so there is no capacity, nothing is allocated, and a future that is dropped
//! takes its node out at once. Nodes with one deadline that were registered in a row stand in one *line*; only the first of a line
//! is in the heap. A thousand sleepers for the same instant cost the heap one node.
//!
//! ```text
//!   root ─► 10:00 ──line── 10:00 ── 10:00       the heap orders by (deadline, order of registration)
//!            │ child                            due ─► 9:58 ── 9:59 ── 9:59   (a ring: fired in this order)
//!           10:07 ──next── 10:03 ──line── 10:03
//!                           │ child
//!                          11:30
//! ```
//!
//! Insertion is O(1); expiry and removal of the first of a line are O(log n) amortised, of any other O(1).
//!
//! Invariants:
//! - `Linked`: a node whose place is `Heap` or `Ring` is reached from exactly one of `root` (through `child`, `next` and
//!   `line`) and `due`, stays where it is, and takes itself out before it is freed.
//! - `Ordered`: a parent does not come after its children. Lines of one deadline do not overlap in order of
//!   registration, because only the line of the latest registration (`latest`) grows, and it does not grow past an order
//!   that is reserved and may still come (`reserved`).
//! - `Owned`: the waker of a registered node that expires is that of a task of this loop that is alive, and counts it. A task
//!   that ends and leaves such nodes behind has them disowned: they just wake, whom it may concern.
//! - `OwnThread`, `NoReentry`: see `sync::Local`; wakers are handed out, never called, in here.

use crate::Instant;
use crate::task::StoredWaker;
use crate::task::slot::Slot;
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::ptr;

/// Where a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Not registered, until its deadline; or taken out before.
    Nowhere,
    /// In the heap, perhaps with a line behind it.
    Heap,
    /// In a line behind the first, or due.
    Ring,
    /// Taken out because its time has come.
    Fired,
    /// For a sleep to remember, nowhere to the timers: what is in place of the deadline is a duration.
    For,
    /// Likewise: the duration was zero, and the sleep was polled.
    Yielded,
}

/// What is done when a timer is due.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Who waits is woken.
    Wake,
    /// What is in a timeout is cancelled.
    Cancel,
    /// The same, and what the task awaits is in it.
    CancelAwaited,
}

/// One deadline, pinned in the future that waits for it.
pub(crate) struct Timer {
    deadline: Cell<Instant>,
    pub(crate) place: Cell<Place>,
    /// What is done when it is due. One that does not just wake *expires*.
    pub(crate) due: Cell<Due>,
    /// Two bytes for the owner, which would be lost to alignment.
    pub(crate) count: Cell<u8>,
    pub(crate) note: Cell<u8>,
    /// When it was registered, in the timers' count. This and what follows is filled when it is registered.
    order: Late<u32>,
    /// Heap: the first child. First behind the first of a line: that first. Else null.
    child: Late<*const Timer>,
    /// Heap: the next sibling. Ring: the next in it.
    next: Late<*const Timer>,
    /// Heap: the sibling before, or for a first child its parent. Ring: the one before.
    prev: Late<*const Timer>,
    /// Heap: the second of the line.
    line: Late<*const Timer>,
    /// Filled while it is in.
    waker: UnsafeCell<MaybeUninit<StoredWaker>>,
}

/// A cell that is filled when its timer is registered: one that never is pays nothing for it.
struct Late<T>(Cell<MaybeUninit<T>>);

impl<T: Copy> Late<T> {
    const fn new() -> Self {
        Self(Cell::new(MaybeUninit::uninit()))
    }

    #[inline]
    fn set(&self, value: T) {
        self.0.set(MaybeUninit::new(value));
    }

    /// # Safety
    /// `Linked`: the timer is registered, or was.
    #[inline]
    unsafe fn get(&self) -> T {
        // SAFETY: by the caller's word; `insert` fills all.
        unsafe { self.0.get().assume_init() }
    }
}

impl Timer {
    /// A node that is not registered. Until it is, its deadline may hold any number that its owner likes.
    pub(crate) const fn new(nanos: u64, place: Place) -> Self {
        Self {
            deadline: Cell::new(Instant::from_nanos(nanos)),
            place: Cell::new(place),
            due: Cell::new(Due::Wake),
            count: Cell::new(0),
            note: Cell::new(0),
            order: Late::new(),
            child: Late::new(),
            next: Late::new(),
            prev: Late::new(),
            line: Late::new(),
            waker: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    #[inline]
    pub(crate) fn expires(&self) -> bool {
        self.due.get() != Due::Wake
    }

    /// For one that is not registered: its owner's number.
    pub(crate) fn set_deadline(&self, deadline: Instant) {
        self.deadline.set(deadline);
    }

    /// True when its time has come, and the waker that it had then was that of the slot at this address.
    ///
    /// # Safety
    /// It was registered.
    pub(crate) unsafe fn has_fired_for(&self, slot: *const ()) -> bool {
        // SAFETY: the place was filled; of the waker that was in it only the address is looked at.
        self.place.get() == Place::Fired && unsafe { (*self.waker.get()).assume_init_ref() }.is_at(slot)
    }

    /// Whom it wakes, if that is one of ours.
    ///
    /// # Safety
    /// `Linked`: it is registered. `OwnThread`.
    pub(crate) unsafe fn waking(&self) -> Option<&'static Slot> {
        // SAFETY: by the caller's word; filled while it is in.
        unsafe { (*self.waker.get()).assume_init_ref() }.slot()
    }

    /// What it goes by among others.
    ///
    /// # Safety
    /// `Linked`: it is registered.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn key(&self) -> (Instant, u32) {
        // SAFETY: by the caller's word.
        (self.deadline.get(), unsafe { self.order.get() })
    }

    /// True while it is registered.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        matches!(self.place.get(), Place::Heap | Place::Ring)
    }

    #[inline]
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline.get()
    }

    /// True when `self` comes before `other`. Order wraps: right as long as two nodes of one deadline were registered
    /// within 2^31 registrations of each other.
    ///
    /// # Safety
    /// `Linked`: both are registered.
    unsafe fn before(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.deadline.get(), other.deadline.get());
        // SAFETY: by the caller's word.
        mine < theirs || mine == theirs && unsafe { self.order.get().wrapping_sub(other.order.get()) as i32 } < 0
    }
}

/// The deadlines of one loop.
pub(crate) struct Timers {
    root: *const Timer,
    due: *const Timer,
    latest: *const Timer,
    /// The next one's.
    order: u32,
    /// The first that was reserved since the line of the latest has grown.
    reserved: Option<u32>,
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Self { root: ptr::null(), due: ptr::null(), latest: ptr::null(), order: 0, reserved: None }
    }

    /// The first deadline.
    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        // SAFETY: `Linked`.
        unsafe { self.root.as_ref() }.map(|first| first.deadline.get())
    }

    /// Gives `timer` its order now: it will be before what is registered in between, as far as they have one deadline.
    pub(crate) fn reserve(&mut self, timer: &Timer) {
        timer.order.set(self.order);
        self.reserved.get_or_insert(self.order);
        self.order = self.order.wrapping_add(1);
    }

    /// Registers `timer` for `deadline`, behind all others of that deadline.
    ///
    /// # Safety
    /// `Linked`: it is nowhere now, and from here on is not moved, nor freed before `remove`.
    pub(crate) unsafe fn insert(&mut self, timer: *const Timer, deadline: Instant, waker: StoredWaker) {
        // SAFETY: by the caller's word.
        unsafe { (*timer).order.set(self.order) };
        self.order = self.order.wrapping_add(1);
        if self.reserved.take().is_some() {
            self.latest = ptr::null();
        }
        // SAFETY: by the caller's word.
        unsafe { self.enter(timer, deadline, waker) };
    }

    /// Registers `timer` for `deadline`, where it was when its order was reserved.
    ///
    /// # Safety
    /// As `insert`, and its order was reserved, and nothing else done with it since.
    pub(crate) unsafe fn insert_reserved(&mut self, timer: *const Timer, deadline: Instant, waker: StoredWaker) {
        // SAFETY: by the caller's word.
        unsafe {
            let order = (*timer).order.get();
            if order.wrapping_add(1) == self.order {
                // Nothing has come in between.
                if self.reserved.take() != Some(order) {
                    self.latest = ptr::null();
                }
                self.enter(timer, deadline, waker);
            } else {
                let latest = core::mem::replace(&mut self.latest, ptr::null());
                self.enter(timer, deadline, waker);
                self.latest = latest;
            }
        }
    }

    /// # Safety
    /// As `insert`; its order was set, and `latest` may grow by it.
    #[inline]
    unsafe fn enter(&mut self, timer: *const Timer, deadline: Instant, waker: StoredWaker) {
        // SAFETY: by the caller's word; other nodes by `Linked`.
        unsafe {
            let node = &*timer;
            node.deadline.set(deadline);
            node.child.set(ptr::null());
            node.line.set(ptr::null());
            (*node.waker.get()).write(waker);
            match self.latest.as_ref() {
                Some(first) if first.deadline.get() == deadline => {
                    node.place.set(Place::Ring);
                    let second = first.line.get();
                    if second.is_null() {
                        node.child.set(first);
                        first.line.set(node);
                    }
                    enter_ring(node, second);
                }
                _ => {
                    node.place.set(Place::Heap);
                    node.next.set(ptr::null());
                    node.prev.set(ptr::null());
                    self.latest = node;
                    self.root = meld_with(self.root, node);
                }
            }
        }
    }

    /// Takes `timer` out; nothing happens if it is not in. Its waker is returned, to be dropped where no lock is held.
    ///
    /// # Safety
    /// It is in these timers, if anywhere.
    pub(crate) unsafe fn remove(&mut self, timer: *const Timer) -> StoredWaker {
        // SAFETY: by the caller's word, and `Linked` for all others.
        unsafe {
            let node = &*timer;
            match node.place.replace(Place::Nowhere) {
                Place::Heap => self.remove_first(node),
                Place::Ring => {
                    let rest = leave_ring(node);
                    if let Some(first) = node.child.get().as_ref() {
                        first.line.set(rest);
                        if let Some(second) = rest.as_ref() {
                            second.child.set(first);
                        }
                    } else if ptr::eq(self.due, node) {
                        self.due = rest;
                    }
                }
                Place::Nowhere | Place::Fired | Place::For | Place::Yielded => return StoredWaker::NONE,
            }
            (*node.waker.get()).assume_init_read()
        }
    }

    /// Those that would cancel the task in `slot` just wake from here on.
    #[cold]
    pub(crate) fn disown(&mut self, slot: &'static Slot) {
        // SAFETY: `Linked`, `Owned`.
        let disown = |node: &Timer| unsafe {
            if node.expires() && node.waking().is_some_and(|it| ptr::eq(it, slot)) {
                node.due.set(Due::Wake);
            }
        };
        let each_in_ring = |first: *const Timer| {
            let mut node = first;
            // SAFETY: `Linked`.
            while let Some(it) = unsafe { node.as_ref() } {
                disown(it);
                // SAFETY: as above: it is in a ring.
                let next = unsafe { it.next.get() };
                node = if ptr::eq(next, first) { ptr::null() } else { next };
            }
        };
        each_in_ring(self.due);
        let mut node = self.root;
        // Down to the first child, or on to the next sibling, or up to one that has a next.
        // SAFETY: `Linked`.
        unsafe {
            while let Some(it) = node.as_ref() {
                disown(it);
                each_in_ring(it.line.get());
                node = it.child.get();
                let mut last = it;
                while node.is_null() {
                    node = last.next.get();
                    if node.is_null() {
                        // The first of the siblings has the parent before it.
                        while let Some(prev) = last.prev.get().as_ref()
                            && !ptr::eq(prev.child.get(), last)
                        {
                            last = prev;
                        }
                        match last.prev.get().as_ref() {
                            Some(parent) => last = parent,
                            None => return,
                        }
                    }
                }
            }
        }
    }

    /// Takes the first of a line out of the heap; the second takes its place.
    unsafe fn remove_first(&mut self, node: &Timer) {
        // SAFETY: `Linked`.
        unsafe {
            let heir = match node.line.get().as_ref() {
                Some(second) => {
                    let rest = leave_ring(second);
                    second.line.set(rest);
                    if let Some(third) = rest.as_ref() {
                        third.child.set(second);
                    }
                    second.place.set(Place::Heap);
                    second.child.set(node.child.get());
                    if let Some(child) = second.child.get().as_ref() {
                        child.prev.set(second);
                    }
                    ptr::from_ref(second)
                }
                None => ptr::null(),
            };
            if ptr::eq(self.latest, node) {
                self.latest = heir;
            }
            let (prev, next) = (node.prev.get(), node.next.get());
            // Who stands where the node stood: its heir, or else the next sibling.
            let stand_in = if heir.is_null() { next } else { heir };
            if let Some(heir) = heir.as_ref() {
                heir.prev.set(prev);
                heir.next.set(next);
                if let Some(next) = next.as_ref() {
                    next.prev.set(heir);
                }
            } else if let Some(next) = next.as_ref() {
                next.prev.set(prev);
            }
            match prev.as_ref() {
                None => self.root = heir,
                Some(prev) if ptr::eq(prev.child.get(), node) => prev.child.set(stand_in),
                Some(prev) => prev.next.set(stand_in),
            }
            if heir.is_null()
                && let Some(orphans) = meld_all(node.child.get()).as_ref()
            {
                self.root = meld_with(self.root, orphans);
            }
        }
    }

    /// Replaces the waker of a registered node; the old one is returned, to be dropped where no lock is held.
    ///
    /// # Safety
    /// `timer` is in these timers.
    pub(crate) unsafe fn set_waker(&mut self, timer: *const Timer, waker: StoredWaker) -> StoredWaker {
        // SAFETY: by the caller's word; wakers are touched under `NoReentry` only.
        unsafe { core::mem::replace((*(*timer).waker.get()).assume_init_mut(), waker) }
    }

    /// Makes due what has a deadline of `now` or before.
    #[cfg_attr(any(feature = "std", loom), inline(never))]
    pub(crate) fn collect(&mut self, now: Instant) {
        // SAFETY: `Linked`.
        unsafe {
            while let Some((first, line)) = self.leave_heap(now) {
                first.place.set(Place::Ring);
                first.child.set(ptr::null());
                self.enter_due(first);
                if let Some(second) = line.as_ref() {
                    // The ring of the line is cut open and put in at the end of the ring of the due.
                    second.child.set(ptr::null());
                    let due = &*self.due;
                    let (last, last_of_line) = (due.prev.get(), second.prev.get());
                    (*last).next.set(second);
                    second.prev.set(last);
                    (*last_of_line).next.set(due);
                    due.prev.set(last_of_line);
                }
            }
        }
    }

    /// Takes out the first of the first line if it has a deadline of `now` or before, and returns its waker. The rest of
    /// the line is due then; nothing else may be.
    pub(crate) fn take_first(&mut self, now: Instant) -> Option<(StoredWaker, Due)> {
        // SAFETY: `Linked`.
        unsafe {
            let (first, line) = self.leave_heap(now)?;
            self.due = line;
            if let Some(second) = line.as_ref() {
                second.child.set(ptr::null());
            }
            first.place.set(Place::Fired);
            Some(((*first.waker.get()).assume_init_read(), first.due.get()))
        }
    }

    /// Takes the first line out of the heap if it has a deadline of `now` or before: its first, and the ring of the rest.
    #[inline]
    unsafe fn leave_heap<'a>(&mut self, now: Instant) -> Option<(&'a Timer, *const Timer)> {
        // SAFETY: `Linked`.
        unsafe {
            let first = self.root.as_ref().filter(|first| first.deadline.get() <= now)?;
            if ptr::eq(self.latest, first) {
                self.latest = ptr::null();
            }
            self.root = meld_all(first.child.get());
            Some((first, first.line.get()))
        }
    }

    unsafe fn enter_due(&mut self, node: &Timer) {
        // SAFETY: `Linked`.
        unsafe { enter_ring(node, self.due) };
        if self.due.is_null() {
            self.due = node;
        }
    }

    /// True when something was collected and not taken out.
    #[inline]
    pub(crate) fn has_due(&self) -> bool {
        !self.due.is_null()
    }

    /// Takes out the first that is due, and returns its waker, and what is to be done.
    #[inline]
    pub(crate) fn take_due(&mut self) -> Option<(StoredWaker, Due)> {
        // SAFETY: `Linked`.
        unsafe {
            let node = self.due.as_ref()?;
            self.due = leave_ring(node);
            node.place.set(Place::Fired);
            Some(((*node.waker.get()).assume_init_read(), node.due.get()))
        }
    }

    /// Takes out the one with this key, if it is due, as `take_due` takes the first.
    #[cfg(feature = "alloc")]
    pub(crate) fn take_early(&mut self, key: (Instant, u32)) -> Option<(StoredWaker, Due)> {
        // SAFETY: `Linked`.
        unsafe {
            let mut node = self.due.as_ref()?;
            while node.key() != key {
                // The due are in order of their deadlines.
                let next = &*node.next.get();
                if ptr::eq(next, self.due) || next.deadline.get() > key.0 {
                    return None;
                }
                node = next;
            }
            let rest = leave_ring(node);
            if ptr::eq(self.due, node) {
                self.due = rest;
            }
            node.place.set(Place::Fired);
            Some(((*node.waker.get()).assume_init_read(), node.due.get()))
        }
    }

    /// Puts what is due back into the heap, each with the order that it had.
    pub(crate) fn undo_due(&mut self) {
        // SAFETY: `Linked`.
        while let Some(node) = unsafe { self.due.as_ref() } {
            // SAFETY: as above; the node is not registered for the moment between the two.
            unsafe {
                self.due = leave_ring(node);
                node.place.set(Place::Heap);
                node.child.set(ptr::null());
                node.line.set(ptr::null());
                node.next.set(ptr::null());
                node.prev.set(ptr::null());
                self.root = meld_with(self.root, node);
            }
        }
    }

    /// Takes out one node, whatever its deadline, as if it had never been registered. A loop that ends leaves none
    /// behind; a sleep that outlives it registers with the next loop that polls it.
    pub(crate) fn take_any(&mut self) -> Option<StoredWaker> {
        if self.due.is_null() {
            self.collect(Instant::MAX);
        }
        let node = self.due;
        let waker = self.take_due().map(|(waker, _)| waker);
        // SAFETY: `Linked`: it was in until just now, and cannot be freed in here.
        if let Some(node) = unsafe { node.as_ref() } {
            node.place.set(Place::Nowhere);
        }
        waker
    }
}

/// A heap, or none, and another one.
#[inline]
unsafe fn meld_with(heap: *const Timer, other: &Timer) -> *const Timer {
    // SAFETY: `Linked`.
    unsafe { heap.as_ref().map_or(other, |heap| meld(heap, other)) }
}

/// The earlier of two heaps takes the other one as its first child.
// Where flash counts, one copy serves all.
#[cfg_attr(not(any(feature = "std", loom)), inline(never))]
unsafe fn meld<'a>(a: &'a Timer, b: &'a Timer) -> &'a Timer {
    // SAFETY: `Linked`.
    unsafe {
        let (parent, child) = if b.before(a) { (b, a) } else { (a, b) };
        let second = parent.child.get();
        child.next.set(second);
        child.prev.set(parent);
        if let Some(second) = second.as_ref() {
            second.prev.set(child);
        }
        parent.child.set(child);
        parent
    }
}

/// Melds a list of siblings into one heap: in pairs from the left, then the pairs from the right.
unsafe fn meld_all(first: *const Timer) -> *const Timer {
    // SAFETY: `Linked`.
    unsafe {
        let mut pairs: *const Timer = ptr::null();
        let mut rest = first;
        while let Some(one) = rest.as_ref() {
            let pair = match one.next.get().as_ref() {
                Some(two) => {
                    rest = two.next.get();
                    meld(one, two)
                }
                None => {
                    rest = ptr::null();
                    one
                }
            };
            pair.next.set(pairs);
            pairs = pair;
        }
        let Some(mut heap) = pairs.as_ref() else { return pairs };
        pairs = heap.next.get();
        while let Some(pair) = pairs.as_ref() {
            pairs = pair.next.get();
            heap = meld(heap, pair);
        }
        heap.prev.set(ptr::null());
        heap.next.set(ptr::null());
        heap
    }
}

/// Puts `node` at the end of the ring that begins with `first`, or makes a ring of it alone.
unsafe fn enter_ring(node: &Timer, first: *const Timer) {
    // SAFETY: `Linked`.
    unsafe {
        let first = first.as_ref().unwrap_or(node);
        let last = if ptr::eq(first, node) { node } else { &*first.prev.get() };
        node.next.set(first);
        node.prev.set(last);
        last.next.set(node);
        first.prev.set(node);
    }
}

/// Takes `node` out of its ring; returns the one after it, or null if it was alone.
unsafe fn leave_ring(node: &Timer) -> *const Timer {
    // SAFETY: `Linked`.
    let (prev, next) = unsafe { (node.prev.get(), node.next.get()) };
    if ptr::eq(next, node) {
        return ptr::null();
    }
    // SAFETY: `Linked`.
    unsafe {
        (*prev).next.set(next);
        (*next).prev.set(prev);
    }
    next
}
