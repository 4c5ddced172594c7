#![allow(unsafe_code)] // an intrusive heap of pinned nodes
//! Deadlines in order: a pairing heap.
//!
//! A node lives in the future that waits, so there is no capacity, nothing is allocated, and a future that is dropped
//! takes its node out at once.
//!
//! ```text
//!   root ─► 10:00                              ordered by (deadline, order of registration)
//!             │ child
//!           10:07 ──next── 10:03
//!             │              │
//!           10:07          11:30 ◄── latest    the next one for 11:30 or later goes below it
//! ```
//!
//! A node that does not come before the latest to be registered becomes its child, and is compared with no other. So deadlines
//! that come in order, as those of equal sleeps do, stand in one long line, and each that expires leaves one child
//! to take its place. (A single node put anywhere adds at most the logarithm of their number to the potential by which
//! pairing heaps are analysed, so the bound is theirs.) Insertion is O(1); expiry and removal are O(log n) amortised.
//!
//! What is due leaves the heap in two steps. `collect` puts the whole heap aside, so that what is registered from there on
//! is in another; `take_due` takes out of the first what has a deadline of that time or before, and when there is no
//! more makes the two one again.
//!
//! Invariants:
//! - `Linked`: a node whose place is `Heap` is reached from exactly one of `root` and `due` (through `child` and `next`),
//!   stays where it is, and takes itself out before it is freed.
//! - `Ordered`: a parent does not come after its children.
//! - `Owned`: the waker of a registered node that expires is that of a task of this loop that is alive, and counts it. A task
//!   that ends and leaves such nodes behind has them disowned: they just wake, whom it may concern.
//! - `OwnThread`, `NoReentry`: see `sync::Local`; wakers are handed out, never called, in here.

use crate::Instant;
use crate::task::StoredWaker;
use crate::task::awaited::Mark;
use crate::task::slot::Slot;
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::ptr;

/// Where a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Not registered, until its deadline; or taken out before.
    Nowhere,
    /// Registered.
    Heap,
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
    /// What is in a timeout is cancelled: what the task awaits first, if that is still what it was seen to await in there.
    Cancel(Mark),
}

/// One deadline, pinned in the future that waits for it.
pub(crate) struct Timer {
    deadline: Deadline,
    pub(crate) place: Cell<Place>,
    /// What is done when it is due. One that does not just wake *expires*.
    pub(crate) due: Cell<Due>,
    /// Two bytes for the owner, which would be lost to alignment.
    pub(crate) count: Cell<u8>,
    pub(crate) note: Cell<u8>,
    /// When it was registered, in the timers' count. This and what follows is filled when it is registered.
    order: Late<u32>,
    /// The first child.
    child: Late<*const Timer>,
    /// The next sibling.
    next: Late<*const Timer>,
    /// The sibling before, or for a first child its parent.
    prev: Late<*const Timer>,
    /// Filled while it is in.
    waker: UnsafeCell<MaybeUninit<StoredWaker>>,
}

/// A point in time that stands at any word: with 32 bits a timer, and each future with one in it, is shorter by that.
struct Deadline(Cell<Words>);

#[derive(Clone, Copy)]
#[repr(Rust, packed(4))]
struct Words(u64);

impl Deadline {
    const fn new(nanos: u64) -> Self {
        Self(Cell::new(Words(nanos)))
    }

    #[inline]
    fn set(&self, deadline: Instant) {
        self.0.set(Words(deadline.as_nanos()));
    }

    #[inline]
    fn get(&self) -> Instant {
        Instant::from_nanos(self.0.get().0)
    }
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
        // SAFETY: by the caller's word; `reserve` and `insert` fill all.
        unsafe { self.0.get().assume_init() }
    }
}

impl Timer {
    /// A node that is not registered. Until it is, its deadline may hold any number that its owner likes.
    pub(crate) const fn new(nanos: u64, place: Place) -> Self {
        Self {
            deadline: Deadline::new(nanos),
            place: Cell::new(place),
            due: Cell::new(Due::Wake),
            count: Cell::new(0),
            note: Cell::new(0),
            order: Late::new(),
            child: Late::new(),
            next: Late::new(),
            prev: Late::new(),
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

    /// Its time has come. What is to be done; of what the task awaits only if that is still so.
    ///
    /// # Safety
    /// `Owned`: its place was filled. `OwnThread`.
    unsafe fn fire(&self) -> Due {
        self.place.set(Place::Fired);
        if let Due::Cancel(awaits) = self.due.get()
            && awaits != Mark::NOTHING
            // SAFETY: by the caller's word; of the waker that was in it only the address is looked at.
            && unsafe { (*self.waker.get()).assume_init_ref() }.slot().is_none_or(|slot| slot.awaited() != awaits)
        {
            self.due.set(Due::Cancel(Mark::NOTHING));
        }
        self.due.get()
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

    /// Replaces its waker; the old one is returned.
    ///
    /// # Safety
    /// `Linked`: it is registered. `OwnThread`.
    pub(crate) unsafe fn set_waker(&self, waker: StoredWaker) -> StoredWaker {
        // SAFETY: by the caller's word; filled while it is in, and no reference to it leaves a line.
        unsafe { core::mem::replace((*self.waker.get()).assume_init_mut(), waker) }
    }

    /// True while it is registered.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        self.place.get() == Place::Heap
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

/// `Timer::before`, for two keys.
#[cfg(feature = "alloc")]
fn comes_before(one: (Instant, u32), other: (Instant, u32)) -> bool {
    one.0 < other.0 || one.0 == other.0 && (one.1.wrapping_sub(other.1) as i32) < 0
}

/// The deadlines of one loop.
pub(crate) struct Timers {
    root: *const Timer,
    /// The root of what was put aside by `collect`.
    due: *const Timer,
    /// Up to when that is due.
    until: Instant,
    /// A node that is in, the latest registered as a rule, or null.
    latest: *const Timer,
    order: u32,
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Self { root: ptr::null(), due: ptr::null(), until: Instant::ZERO, latest: ptr::null(), order: 0 }
    }

    /// The first deadline. Not between `collect` and the end of what is due.
    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        // SAFETY: `Linked`.
        unsafe { self.root.as_ref() }.map(|first| first.deadline.get())
    }

    /// Gives `timer` its order: it will be before what is registered later, as far as they have one deadline.
    #[inline]
    pub(crate) fn reserve(&mut self, timer: &Timer) {
        timer.order.set(self.order);
        self.order = self.order.wrapping_add(1);
    }

    /// Registers `timer` for `deadline`, in the order that `reserve` gave it before others.
    ///
    /// # Safety
    /// `Linked`: it has its order, is nowhere now, and from here on is not moved, nor freed before `remove`.
    #[inline]
    pub(crate) unsafe fn insert_reserved(&mut self, timer: *const Timer, deadline: Instant, waker: StoredWaker) {
        // The latest may have been registered since: then this one comes before it, if they have one deadline.
        self.latest = ptr::null();
        // SAFETY: by the caller's word.
        unsafe { self.insert(timer, deadline, waker) };
    }

    /// Registers `timer` for `deadline`, behind all others of that deadline.
    ///
    /// # Safety
    /// As above, and no other was given its order since.
    #[inline]
    pub(crate) unsafe fn insert(&mut self, timer: *const Timer, deadline: Instant, waker: StoredWaker) {
        // SAFETY: by the caller's word; other nodes by `Linked`.
        unsafe {
            let node = &*timer;
            node.deadline.set(deadline);
            node.child.set(ptr::null());
            (*node.waker.get()).write(waker);
            node.place.set(Place::Heap);
            match self.latest.as_ref() {
                // What was put aside takes in no more.
                Some(latest) if latest.deadline.get() <= deadline && self.due.is_null() => adopt(latest, node),
                _ => {
                    node.next.set(ptr::null());
                    node.prev.set(ptr::null());
                    self.root = meld_with(self.root, node);
                }
            }
            self.latest = node;
        }
    }

    /// Takes `timer` out. Its waker is returned, to be dropped where no lock is held.
    ///
    /// # Safety
    /// It is in these timers.
    pub(crate) unsafe fn remove(&mut self, timer: *const Timer) -> StoredWaker {
        // SAFETY: by the caller's word, and `Linked` for all others.
        unsafe {
            let node = &*timer;
            node.place.set(Place::Nowhere);
            let (prev, next) = (node.prev.get(), node.next.get());
            if ptr::eq(self.latest, node) {
                self.latest = prev;
            }
            // Its children, in one heap, stand where it stood; if it has none, the next sibling does.
            let mut stand_in = meld_all(node.child.get());
            let mut before_next = prev;
            if let Some(heir) = stand_in.as_ref() {
                heir.prev.set(prev);
                heir.next.set(next);
                before_next = heir;
            } else {
                stand_in = next;
            }
            if let Some(next) = next.as_ref() {
                next.prev.set(before_next);
            }
            match prev.as_ref() {
                None if ptr::eq(self.due, node) => self.due = stand_in,
                None => self.root = stand_in,
                Some(prev) if ptr::eq(prev.child.get(), node) => prev.child.set(stand_in),
                Some(prev) => prev.next.set(stand_in),
            }
            (*node.waker.get()).assume_init_read()
        }
    }

    /// Those that would cancel the task in `slot` just wake from here on.
    #[cold]
    pub(crate) fn disown(&mut self, slot: &'static Slot) {
        for root in [self.root, self.due] {
            // SAFETY: `Linked`, `Owned`.
            unsafe {
                walk(root, |it| {
                    if it.expires() && it.waking().is_some_and(|waking| ptr::eq(waking, slot)) {
                        it.due.set(Due::Wake);
                    }
                    Walk::In
                });
            }
        }
    }

    /// Puts aside what is in: what is due at `now` is to be found there.
    #[inline]
    pub(crate) fn collect(&mut self, now: Instant) {
        self.until = now;
        self.due = core::mem::replace(&mut self.root, ptr::null());
    }

    /// True when something was put aside and is there.
    #[inline]
    pub(crate) fn has_due(&self) -> bool {
        !self.due.is_null()
    }

    /// Of what was put aside, takes out the first that was due, and returns its waker, and what is to be done. When there is
    /// no more, the rest goes back.
    pub(crate) fn take_due(&mut self) -> Option<(StoredWaker, Due)> {
        // SAFETY: `Linked`.
        unsafe {
            let first = self.due.as_ref()?;
            if first.deadline.get() > self.until {
                self.undo_due();
                return None;
            }
            if ptr::eq(self.latest, first) {
                self.latest = ptr::null();
            }
            self.due = meld_all(first.child.get());
            Some(((*first.waker.get()).assume_init_read(), first.fire()))
        }
    }

    /// Of what was put aside, takes out the one with this deadline and order, as `take_due` takes the first.
    #[cfg(feature = "alloc")]
    pub(crate) fn take_early(&mut self, key: (Instant, u32)) -> Option<(StoredWaker, Due)> {
        // SAFETY: `Linked`. Only what comes before it is looked through, which should have fired by then.
        unsafe {
            let found = walk(self.due, |it| match it.key() {
                it if it == key => Walk::Found,
                it if comes_before(it, key) => Walk::In,
                _ => Walk::On,
            })?;
            let waker = self.remove(found);
            Some((waker, found.fire()))
        }
    }

    /// Puts what was put aside back into the heap, each with the order that it had.
    #[inline]
    pub(crate) fn undo_due(&mut self) {
        // SAFETY: `Linked`.
        unsafe {
            if let Some(due) = core::mem::replace(&mut self.due, ptr::null()).as_ref() {
                self.root = meld_with(self.root, due);
            }
        }
    }

    /// Takes out one node, whatever its deadline, as if it had never been registered. A loop that ends leaves none
    /// behind; a sleep that outlives it registers with the next loop that polls it.
    pub(crate) fn take_any(&mut self) -> Option<StoredWaker> {
        let first = self.root;
        // SAFETY: `Linked`.
        (!first.is_null()).then(|| unsafe { self.remove(first) })
    }
}

/// Where to go from a node.
enum Walk {
    /// To what is below it.
    In,
    /// Past that.
    #[cfg(feature = "alloc")]
    On,
    /// It is the one.
    #[cfg(feature = "alloc")]
    Found,
}

/// Shows each node of a heap to `look`.
///
/// # Safety
/// `Linked`; `look` does not change the heap.
#[cold]
unsafe fn walk<'a>(root: *const Timer, mut look: impl FnMut(&'a Timer) -> Walk) -> Option<&'a Timer> {
    let mut node = root;
    // Down to the first child, or on to the next sibling, or up to one that has a next.
    // SAFETY: by the caller's word.
    unsafe {
        while let Some(it) = node.as_ref() {
            node = match look(it) {
                Walk::In => it.child.get(),
                #[cfg(feature = "alloc")]
                Walk::On => ptr::null(),
                #[cfg(feature = "alloc")]
                Walk::Found => return Some(it),
            };
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
                        None => return None,
                    }
                }
            }
        }
    }
    None
}

/// A heap, or none, and another one.
///
/// # Safety
/// (This one and the next three) `Linked`: null, or nodes that are registered, or just leave.
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
        adopt(parent, child);
        parent
    }
}

/// Makes `child`, which does not come before `parent`, its first child.
#[inline]
unsafe fn adopt(parent: &Timer, child: &Timer) {
    // SAFETY: `Linked`.
    unsafe {
        let second = parent.child.get();
        child.next.set(second);
        child.prev.set(parent);
        if let Some(second) = second.as_ref() {
            second.prev.set(child);
        }
        parent.child.set(child);
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec::Vec;

    /// Timers beside a plain list of what is in them: index, deadline, order.
    struct Model {
        timers: Timers,
        /// Of a length that stays.
        nodes: Box<[Timer]>,
        list: Vec<(u64, u32, usize)>,
        /// Whose order is reserved: index, order.
        reserved: Vec<(usize, u32)>,
        order: u32,
    }

    impl Model {
        fn new(count: usize) -> Self {
            let nodes = (0..count).map(|_| Timer::new(0, Place::Nowhere)).collect();
            Self { timers: Timers::new(), nodes, list: Vec::new(), reserved: Vec::new(), order: 0 }
        }

        fn reserve(&mut self, index: usize) {
            self.timers.reserve(&self.nodes[index]);
            self.reserved.push((index, self.order));
            self.order += 1;
        }

        fn is_reserved(&self, index: usize) -> bool {
            self.reserved.iter().any(|entry| entry.0 == index)
        }

        fn insert(&mut self, index: usize, deadline: u64) {
            let late = self.is_reserved(index);
            if !late {
                self.reserve(index);
            }
            let order = self.reserved.iter().find(|entry| entry.0 == index).expect("reserved just now").1;
            self.reserved.retain(|entry| entry.0 != index);
            self.list.push((deadline, order, index));
            let node = &raw const self.nodes[index];
            let deadline = Instant::from_nanos(deadline);
            // SAFETY: boxed; nothing is taken out but by `remove` and `fire`.
            unsafe {
                if late {
                    self.timers.insert_reserved(node, deadline, StoredWaker::NONE);
                } else {
                    self.timers.insert(node, deadline, StoredWaker::NONE);
                }
            }
        }

        fn remove(&mut self, index: usize) {
            self.list.retain(|entry| entry.2 != index);
            // SAFETY: these are the only timers.
            drop(unsafe { self.timers.remove(&raw const self.nodes[index]) });
        }

        fn is_in(&self, index: usize) -> bool {
            self.nodes[index].is_linked()
        }

        /// Fires what is due of what is in now; `between` runs after it was put aside.
        fn fire(&mut self, now: u64, between: impl FnOnce(&mut Self)) {
            let there = self.list.clone();
            self.timers.collect(Instant::from_nanos(now));
            between(self);
            let mut due: Vec<_> =
                self.list.iter().filter(|entry| entry.0 <= now && there.contains(entry)).copied().collect();
            due.sort_unstable();
            // One of them early, and none that is not there.
            #[cfg(feature = "alloc")]
            if due.len() > 1 {
                let early = due.remove(due.len() / 2);
                let key = (Instant::from_nanos(early.0), early.1);
                assert!(self.timers.take_early(key).is_some() && self.timers.take_early(key).is_none());
                assert_eq!(self.nodes[early.2].place.get(), Place::Fired);
                self.list.retain(|other| *other != early);
            }
            for entry in due {
                let before: Vec<_> = self.nodes.iter().map(|node| node.place.get() == Place::Fired).collect();
                assert!(self.timers.take_due().is_some());
                let fired: Vec<_> = (0..self.nodes.len())
                    .filter(|index| self.nodes[*index].place.get() == Place::Fired && !before[*index])
                    .collect();
                assert_eq!(fired, [entry.2]);
                self.list.retain(|other| *other != entry);
            }
            assert!(self.timers.take_due().is_none());
            assert_eq!(self.timers.next(), self.list.iter().min().map(|first| Instant::from_nanos(first.0)));
        }
    }

    /// A generator of numbers that need not be good.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % end
        }
    }

    fn change(model: &mut Model, numbers: &mut Numbers, now: u64) {
        let index = numbers.below(model.nodes.len() as u64) as usize;
        if model.is_in(index) {
            model.remove(index);
        } else if !model.is_reserved(index) && numbers.below(3) == 0 {
            model.reserve(index);
        } else {
            // Past, one of a few, or in the order of registration.
            let deadline = match numbers.below(3) {
                0 => numbers.below(now + 1),
                1 => now + numbers.below(4),
                _ => now + 8,
            };
            model.insert(index, deadline);
        }
    }

    #[test]
    fn whatever_comes_and_goes_fires_by_deadline_and_then_by_registration() {
        let turns = if cfg!(miri) { 40 } else { 2_000 };
        for seed in 0..4 {
            let (mut model, mut numbers) = (Model::new(24), Numbers(seed));
            for now in 0..turns {
                for _ in 0..numbers.below(12) {
                    change(&mut model, &mut numbers, now);
                }
                let between = numbers.below(12);
                model.fire(now, |model| {
                    for _ in 0..between {
                        change(model, &mut numbers, now);
                    }
                });
            }
        }
    }

    #[test]
    fn one_that_was_given_its_order_before_others_fires_before_them() {
        for deadline in [3, 4, 5] {
            let mut model = Model::new(4);
            model.reserve(0);
            model.insert(1, 4);
            model.insert(2, 4);
            model.insert(0, deadline);
            model.insert(3, 4);
            model.fire(9, |_| ());
            assert!(model.list.is_empty());
        }
    }

    #[test]
    fn what_is_registered_while_the_due_is_set_apart_waits_for_the_next_time() {
        let mut model = Model::new(3);
        model.insert(0, 5);
        model.fire(9, |model| {
            model.insert(1, 3);
            model.insert(2, 3);
        });
        model.remove(1);
        model.fire(9, |_| ());
        assert!(model.list.is_empty());
    }

    #[test]
    fn a_loop_that_ends_takes_out_all() {
        let mut model = Model::new(16);
        for index in 0..16 {
            model.insert(index, [7, 3, 3, 9][index % 4]);
        }
        while model.timers.take_any().is_some() {}
        assert!((0..16).all(|index| !model.is_in(index)));
    }
}
