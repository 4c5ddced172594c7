#![allow(unsafe_code)] // polls the bodies of tasks; see the invariants of `task`
//! The loop: one turn is one iteration of asyncio's.
//!
//! ```text
//!   turn:  now ──► what is due is set apart from what is registered from here on
//!          batch ─► exactly the slots that are ready at this moment, in order; what they wake waits for the next turn
//!          due ───► each sleeper is woken, behind whatever the batch has made ready
//! ```
//!
//! So a timer is an entry of the same queue as everything else, and its sleeper runs one turn after it fires, as in
//! asyncio; a sleep that is dropped by the batch in which it falls due does not fire.
//!
//! Like slots, loops are `Immortal`: a wake may come after the end. One that ended is used again by the next runner.

use crate::Instant;
#[cfg(not(feature = "alloc"))]
use crate::context::frame::Frames;
#[cfg(feature = "alloc")]
use crate::context::table::Contexts;
use crate::sync::Local;
use crate::sync::atomic::swap;
use crate::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use crate::task::StoredWaker;
use crate::task::body::Header;
#[cfg(feature = "alloc")]
use crate::task::callback::Callback;
use crate::task::joiners::Joiners;
#[cfg(not(feature = "alloc"))]
use crate::task::named::Names;
use crate::task::pool::Pooled;
use crate::task::ready::Ready;
#[cfg(feature = "alloc")]
use crate::task::ready::Suspended;
use crate::task::slot::{Slot, Special, Step};
use crate::task::waker;
use crate::timers::{Due, Timers};
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::Context;

/// A loop, all but its reactor.
#[repr(C)]
pub(crate) struct Loop {
    /// First, so that its address is the loop's.
    ready: Ready,
    /// How to read the time; null while the reactor itself is at work.
    clock: AtomicPtr<Clock>,
    /// The step that is under way is there to unwind its task.
    unwinding: AtomicBool,
    /// The step that is under way is there to unwind its task, or what is in a scope that has asked for it.
    delivering: AtomicBool,
    /// The step that is under way is not a plain poll: who makes it looks whether the task unwinds.
    special: AtomicBool,
    /// Something has ended since the goal of the turns was last looked at.
    ended: AtomicBool,
    /// 1: it is in a `static`, and leased.
    used: swap::AtomicU8,
    state: Local<State>,
    /// The slot of `run`'s own future. Elsewhere it is beside the loop.
    #[cfg(feature = "alloc")]
    root: Slot,
}

pub(crate) struct State {
    pub(crate) timers: Timers,
    pooled: Pooled,
    /// The clock as it was read last.
    last: Instant,
    /// Tasks that were alive when the loop began to close, and still are.
    leftovers: usize,
    /// Futures of `run_all` that have not ended.
    #[cfg(feature = "alloc")]
    borrowed: usize,
    /// How many tasks there were. It goes on when the loop is used again.
    #[cfg(feature = "alloc")]
    pub(super) adopted: u32,
    #[cfg(feature = "alloc")]
    pub(super) contexts: Contexts,
    #[cfg(not(feature = "alloc"))]
    pub(crate) frames: Frames,
    #[cfg(not(feature = "alloc"))]
    pub(crate) names: Names,
    /// Who is told of failures that nobody awaits.
    #[cfg(feature = "alloc")]
    pub(super) hook: Option<super::failure::Hook>,
    closing: bool,
}

// SAFETY: `state` is used under `OwnThread`; the rest is shared by design.
unsafe impl Sync for Loop {}

/// What the loop turns for.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// The task in this slot has ended.
    End(&'static Slot),
    /// No future lent by `run_all` is left.
    #[cfg(feature = "alloc")]
    NoneLent,
    /// No task is left that was alive when the loop began to close.
    NoneLeft,
    /// For ever.
    #[cfg(not(feature = "alloc"))]
    Nothing,
    /// For one turn.
    Turn,
}

impl Goal {
    #[inline]
    fn has_end(self) -> bool {
        #[cfg(not(feature = "alloc"))]
        if let Self::Nothing = self {
            return false;
        }
        true
    }
}

/// Reads the clock of a reactor. It lives in the frame of the turn.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    reactor: *const (),
    read: unsafe fn(*const ()) -> Instant,
}

impl Clock {
    /// # Safety
    /// The reactor stays in place, and is not borrowed mutably, as long as the clock is in use.
    pub(crate) unsafe fn new<R: crate::Reactor>(reactor: *const R) -> Self {
        type Read = unsafe fn(*const ()) -> Instant;
        let read: fn(&R) -> Instant = R::now;
        // SAFETY: the two types of functions differ in one thin pointer, so they are called alike; and it is called with
        // the reactor, by the caller's word.
        Self { reactor: reactor.cast(), read: unsafe { core::mem::transmute::<fn(&R) -> Instant, Read>(read) } }
    }

    #[inline]
    fn now(&self) -> Instant {
        // SAFETY: by the word given to `new`.
        unsafe { (self.read)(self.reactor) }
    }
}

impl Loop {
    crate::sync::const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                ready: Ready::new(),
                clock: AtomicPtr::new(ptr::null_mut()),
                state: Local::new(State {
                    timers: Timers::new(),
                    pooled: Pooled::new(),
                    last: Instant::ZERO,
                    leftovers: 0,
                    #[cfg(feature = "alloc")]
                    borrowed: 0,
                    #[cfg(feature = "alloc")]
                    adopted: 0,
                    #[cfg(feature = "alloc")]
                    contexts: Contexts::new(),
                    #[cfg(not(feature = "alloc"))]
                    frames: Frames::new(),
                    #[cfg(not(feature = "alloc"))]
                    names: Names::new(),
                    #[cfg(feature = "alloc")]
                    hook: None,
                    closing: false,
                }),
                unwinding: AtomicBool::new(false),
                delivering: AtomicBool::new(false),
                special: AtomicBool::new(false),
                ended: AtomicBool::new(false),
                used: swap::AtomicU8::new(0),
                #[cfg(feature = "alloc")]
                root: Slot::new(),
            }
        }
    }

    /// The loop that `ready` is of.
    ///
    /// # Safety
    /// It is of one: it owns a slot.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn of(ready: &'static Ready) -> &'static Self {
        // Through the address, which the lease has exposed for the whole loop: a reference is to its first field alone.
        // SAFETY: the first field of a loop, by the caller's word; loops are `Immortal`.
        unsafe { &*ptr::with_exposed_provenance(ptr::from_ref(ready).addr()) }
    }

    pub(crate) fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Runs `f` with the state of the loop.
    ///
    /// # Safety
    /// As `Local::with`: `OwnThread`, `NoReentry`.
    #[inline]
    pub(crate) unsafe fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: by the caller's word.
        unsafe { self.state.with(f) }
    }

    /// The time, if the clock can be read now: not while the reactor itself is at work.
    #[inline]
    pub(crate) fn read_clock(&self) -> Option<Instant> {
        // SAFETY: null, or the clock in the frame of the turn that is under way on this thread.
        let now = unsafe { self.clock.load(Ordering::Relaxed).as_ref() }?.now();
        // SAFETY: the ambient loop is this thread's.
        unsafe { self.with(|state| state.last = now) };
        Some(now)
    }

    /// The time, fresh if the clock can be read now, else as it was read last.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        // SAFETY: `OwnThread`, as above.
        self.read_clock().unwrap_or_else(|| unsafe { self.with(|state| state.last) })
    }

    /// Lets the time be read while `f` runs outside of the turns: it drops what users have made.
    pub(crate) fn with_clock<R>(&self, clock: &Clock, f: impl FnOnce() -> R) -> R {
        let _clock = SetClock::new(&self.clock, clock);
        f()
    }

    /// True when the loop takes no more tasks.
    pub(crate) fn is_closing(&self) -> bool {
        // SAFETY: `OwnThread`: callers have found the loop as the ambient one, or by a handle of its thread.
        unsafe { self.with(|state| state.closing) }
    }

    /// Numbers a task that was just started.
    ///
    /// # Safety
    /// `OwnThread`; the body stays until `settle`.
    #[inline]
    pub(crate) unsafe fn adopt(&self, slot: &'static Slot) {
        // SAFETY: by the caller's word.
        #[cfg(feature = "alloc")]
        unsafe {
            let inherits = self.with(|state| {
                // 0 is no task's.
                let (next, wrapped) = state.adopted.overflowing_add(1);
                state.adopted = next + u32::from(wrapped);
                slot.set_id(state.adopted);
                state.contexts.is_used()
            });
            if inherits {
                self.inherit(slot);
            }
        }
        #[cfg(not(feature = "alloc"))]
        let _ = slot;
    }

    /// Numbers a task in a pool that was just started, and puts it on the list of those.
    ///
    /// # Safety
    /// As `adopt`; `Pooled`.
    pub(crate) unsafe fn adopt_pooled(&self, slot: &'static Slot) {
        slot.set_pooled();
        // SAFETY: by the caller's word; `settle` takes it out.
        unsafe {
            self.adopt(slot);
            self.with(|state| state.pooled.push(slot));
        }
    }

    /// Turns until the goal is reached, or nothing is ready, or `limit` entries were run. Returns how many were.
    ///
    /// # Safety
    /// `OwnThread`, and this loop is the ambient one.
    // On bare metal `drive` is the only one who calls it, and is generic anyway: one frame less for each time something
    // wakes the loop.
    #[cfg_attr(any(feature = "std", loom), inline(never))]
    #[cfg_attr(not(any(feature = "std", loom)), inline(always))]
    pub(crate) unsafe fn turns(
        &'static self,
        clock: &Clock,
        now: impl Fn() -> Instant,
        goal: Goal,
        limit: usize,
    ) -> usize {
        let _clock = SetClock::new(&self.clock, clock);
        let on_panic = Abandon(self);
        let wakes = self.ready.wakes();
        let mut ran = 0;
        loop {
            // One turn. SAFETY: (of all in it) `OwnThread` by the caller's word; the closures call nothing outside of
            // their module.
            unsafe {
                if self.collect(&now) {
                    wakes.take_in();
                    if wakes.is_empty() {
                        let (fired, plain) = self.fire();
                        ran += fired;
                        if ran >= limit {
                            break;
                        }
                        if !plain {
                            // What was called may have taken time, and registered what is due by now.
                            continue;
                        }
                        // Here the next turn begins. No task has run since the clock was read.
                    }
                }
                let Some(mut batch) = wakes.batch() else { break };
                loop {
                    // SAFETY: the batch is not at its end; `step` only reads the slot.
                    let (slot, step) = batch.pop(Slot::step);
                    if let Some(step) = step {
                        // SAFETY: slots are `Immortal`; `step` was read while the mark was set, so the slot is ours.
                        self.run(&*slot.as_ptr(), step);
                    }
                    ran += 1;
                    if batch.ends_with(slot) {
                        break;
                    }
                }
                if self.with(|state| state.timers.has_due()) {
                    ran += self.fire().0;
                }
                if goal.has_end() && self.ended.load(Ordering::Relaxed) {
                    self.ended.store(false, Ordering::Relaxed);
                    if self.reached(goal) {
                        break;
                    }
                }
                if ran >= limit || wakes.is_empty() {
                    break;
                }
            }
        }
        core::mem::forget(on_panic);
        ran
    }

    /// True when the turns have led where they should.
    ///
    /// # Safety
    /// `OwnThread`.
    #[inline]
    pub(crate) unsafe fn reached(&self, goal: Goal) -> bool {
        match goal {
            Goal::End(slot) => !slot.is_alive(),
            // SAFETY: by the caller's word.
            #[cfg(feature = "alloc")]
            Goal::NoneLent => unsafe { self.with(|state| state.borrowed == 0) },
            // SAFETY: by the caller's word.
            Goal::NoneLeft => unsafe { self.with(|state| state.leftovers == 0) },
            #[cfg(not(feature = "alloc"))]
            Goal::Nothing => false,
            Goal::Turn => true,
        }
    }

    /// If a timer is due at the time, which is read and noted if there are timers, sets what is due apart. True if there
    /// is something.
    ///
    /// # Safety
    /// `OwnThread`.
    #[inline]
    unsafe fn collect(&self, now: impl Fn() -> Instant) -> bool {
        // SAFETY: by the caller's word; the clock is read outside of `with`.
        let Some(first) = (unsafe { self.next() }) else { return false };
        let now = now();
        // SAFETY: as above.
        unsafe {
            self.with(|state| {
                state.last = now;
                let due = first <= now;
                if due {
                    state.timers.collect(now);
                }
                due
            })
        }
    }

    /// Wakes those whose time had come when they were set apart. How many they were; and true if nothing was done but to wake
    /// tasks.
    ///
    /// # Safety
    /// `OwnThread`.
    #[cfg_attr(any(feature = "std", loom), inline(never))]
    unsafe fn fire(&'static self) -> (usize, bool) {
        let (mut fired, mut plain) = (0, true);
        // SAFETY: (of both) by the caller's word; `take_due` calls nothing.
        unsafe {
            while let Some((waker, due)) = self.with(|state| state.timers.take_due()) {
                fired += 1;
                plain &= self.fire_one(waker, due);
            }
        }
        (fired, plain)
    }

    /// Does what the timer with this key is for, if it is due and was not fired.
    ///
    /// # Safety
    /// `OwnThread`.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn fire_early(&'static self, key: (Instant, u32)) {
        // SAFETY: by the caller's word; `take_early` calls nothing.
        unsafe {
            if let Some((waker, due)) = self.with(|state| state.timers.take_early(key)) {
                self.fire_one(waker, due);
            }
        }
    }

    /// Does what a timer is for: wakes; or, if it is a timeout's, cancels the task that is in it; or runs a callback. True
    /// if nothing was done but to wake a task.
    ///
    /// # Safety
    /// `OwnThread`.
    #[inline]
    unsafe fn fire_one(&'static self, waker: StoredWaker, due: Due) -> bool {
        match (waker.slot(), due) {
            // SAFETY: by the caller's word, and `Owned` in `timers`: it is a task of this loop, and alive.
            (Some(slot), Due::Cancel(awaits)) => unsafe {
                Header::expire(NonNull::new_unchecked(slot.header()), slot, awaits);
                false
            },
            // SAFETY: the timer of a callback is in its own body, so it is this loop's, and alive.
            #[cfg(feature = "alloc")]
            (Some(slot), _) if slot.is_timed() => unsafe {
                if let Some(step) = slot.step() {
                    self.run(slot, step);
                }
                false
            },
            (Some(slot), _) => {
                slot.wake();
                true
            }
            (None, _) => {
                waker.wake();
                false
            }
        }
    }

    /// One step of the task in `slot`.
    ///
    /// # Safety
    /// `OwnerOnly` (see `slot`): this loop owns the slot, and `step` is what it asked for.
    #[inline]
    unsafe fn run(&'static self, slot: &'static Slot, step: Step) {
        match step {
            // SAFETY: by the caller's word; alive, so it has a body.
            Step::Poll => unsafe {
                Header::step(NonNull::new_unchecked(slot.header()), slot, self);
            },
            // SAFETY: as above.
            #[cfg(feature = "alloc")]
            Step::PollScoped => unsafe {
                let goes_on = Header::step(NonNull::new_unchecked(slot.header()), slot, self);
                if self.is_unwinding() {
                    self.end_unwinding(slot, goes_on);
                }
            },
            // SAFETY: as above.
            Step::Special => unsafe {
                Header::special(NonNull::new_unchecked(slot.header()), slot, self);
            },
            // SAFETY: by the caller's word; it is armed, so its callback is there.
            #[cfg(feature = "alloc")]
            Step::Call => unsafe { Callback::run(NonNull::new_unchecked(slot.body().cast())) },
            // SAFETY: by the caller's word.
            #[cfg(feature = "alloc")]
            Step::Tell => unsafe { self.tell(slot) },
            Step::PollBorrowed => {
                // SAFETY: so `run_all` started it, and it does not leave its frame while this is alive.
                let future = unsafe { &mut *slot.body().cast::<Pin<&mut dyn Future<Output = ()>>>() };
                let waker = waker::of(slot);
                if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    // Where there is no allocator the slot is not used again, and no goal is reached by it.
                    #[cfg(not(feature = "alloc"))]
                    slot.end_borrowed();
                    #[cfg(feature = "alloc")]
                    {
                        slot.end();
                        self.ended.store(true, Ordering::Relaxed);
                        // SAFETY: `OwnThread` by the caller's word.
                        unsafe { self.with(|state| state.borrowed -= 1) };
                    }
                }
            }
        }
    }

    /// Makes the first step of the task in `slot`, which was not queued, within the step that is under way, if one is.
    ///
    /// # Safety
    /// `OwnThread`, and this loop is the ambient one; the task was adopted just now.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn step_within(&'static self, slot: &'static Slot) {
        let _outer = Outer::new(self);
        // SAFETY: by the caller's word; alive, so it has a body.
        unsafe { Header::step(NonNull::new_unchecked(slot.header()), slot, self) };
    }

    /// Ends a callback within the step that is under way, if one is.
    ///
    /// # Safety
    /// As `abandon`; its own step is not under way.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn abandon_within(&'static self, slot: &'static Slot) {
        let _outer = Outer::new(self);
        // SAFETY: by the caller's word.
        unsafe { self.abandon(slot) };
    }

    /// Tells the group of a task that it has ended.
    ///
    /// # Safety
    /// `OwnerOnly`; it has asked for that, so the group has it, or else it took that back.
    #[inline]
    unsafe fn tell(&self, slot: &'static Slot) {
        slot.untell();
        // SAFETY: by the caller's word.
        unsafe { Header::tell(NonNull::new_unchecked(slot.header()), slot) };
    }

    /// One step of a task that was cancelled, or waited for another, or stands in a scope.
    ///
    /// # Safety
    /// `OwnerOnly`; it is alive, or, where there is no allocator, its group is to be told.
    #[inline]
    pub(crate) unsafe fn special(&'static self, header: NonNull<Header>, slot: &'static Slot) {
        #[cfg(not(feature = "alloc"))]
        if !slot.is_alive() {
            // SAFETY: by the caller's word.
            return unsafe { self.tell(slot) };
        }
        // SAFETY: (of all) by the caller's word.
        unsafe {
            let special = slot.begin();
            if special == Special::Drop {
                return self.abandon(slot);
            }
            self.unwinding.store(special == Special::Unwind, Ordering::Relaxed);
            self.delivering.store(special != Special::Poll, Ordering::Relaxed);
            self.special.store(true, Ordering::Relaxed);
            let goes_on = Header::step(header, slot, self);
            self.special.store(false, Ordering::Relaxed);
            self.delivering.store(false, Ordering::Relaxed);
            self.end_unwinding(slot, goes_on);
        }
    }

    /// The end of a step in which the task may have unwound, if it `goes_on`.
    ///
    /// # Safety
    /// `OwnerOnly`; it is alive, if it goes on.
    #[cold]
    unsafe fn end_unwinding(&'static self, slot: &'static Slot, goes_on: bool) {
        // No scope has taken it up, or one that had waited has raised it again: the task's root is the last of them.
        if self.set_unwinding(false) && goes_on {
            // SAFETY: by the caller's word.
            unsafe { self.abandon(slot) };
        }
    }

    /// After a step that did not end the task, in which it was cancelled, or a scope in it goes on unwinding.
    ///
    /// # Safety
    /// `OwnerOnly`; it is alive.
    #[cold]
    pub(crate) unsafe fn after(&'static self, slot: &'static Slot) {
        // SAFETY: (of all) by the caller's word.
        unsafe {
            slot.after();
            // Where a foreign combinator polls only what was woken, the slot may not say that there is a scope, and so the
            // step in which one goes on unwinding is a plain one.
            if !self.special.load(Ordering::Relaxed) && self.set_unwinding(false) {
                self.abandon(slot);
            }
        }
    }

    /// True while the task whose step is under way unwinds: a scope that is polled then drops what it holds.
    #[inline]
    pub(crate) fn is_unwinding(&self) -> bool {
        self.unwinding.load(Ordering::Relaxed)
    }

    /// True while the task whose step is under way was asked to unwind, wholly or by a scope in it. A scope that has asked
    /// unwinds what it holds then.
    #[inline]
    pub(crate) fn is_delivering(&self) -> bool {
        self.delivering.load(Ordering::Relaxed)
    }

    /// Begins or ends the unwinding of the task whose step is under way; returns what was.
    pub(crate) fn set_unwinding(&self, unwinding: bool) -> bool {
        let was = self.is_unwinding();
        self.unwinding.store(unwinding, Ordering::Relaxed);
        was
    }

    /// Ends a task by dropping its future.
    ///
    /// # Safety
    /// `OwnerOnly`; the task was adopted and not yet settled.
    pub(crate) unsafe fn abandon(&'static self, slot: &'static Slot) {
        let settle = Settle { running: self, slot };
        // Its destructors are its own, as `finally` is in asyncio.
        self.ready.set_running(slot);
        // SAFETY: by the caller's word; adopted, so it has a body.
        unsafe { Header::abandon(NonNull::new_unchecked(slot.header()), slot) };
        drop(settle);
    }

    /// A task has ended: takes it off the list, tells whoever waits for it, and frees the body if no handle is left.
    ///
    /// # Safety
    /// `OwnerOnly`; the task was adopted and not yet settled.
    pub(crate) unsafe fn settle(&self, slot: &'static Slot) {
        self.ended.store(true, Ordering::Relaxed);
        // SAFETY: by the caller's word.
        unsafe { if slot.is_listed() { self.settle_listed(slot) } else { self.settle_unlisted(slot) } }
    }

    /// # Safety
    /// As `settle`.
    #[cold]
    unsafe fn settle_listed(&self, slot: &'static Slot) {
        // SAFETY: by the caller's word.
        unsafe {
            // Dropped at the end: there are users' values in it.
            let _context = self.take_out(slot);
            self.settle_unlisted(slot);
        }
    }

    /// # Safety
    /// As `settle`, of a task that stands in no list, or no more.
    // Where flash counts, one copy serves both.
    #[cfg_attr(any(feature = "std", loom), inline)]
    #[cfg_attr(not(any(feature = "std", loom)), inline(never))]
    unsafe fn settle_unlisted(&self, slot: &'static Slot) {
        // SAFETY: by the caller's word; adopted, so it has a body.
        let (header, join) = unsafe {
            let header = NonNull::new_unchecked(slot.header());
            (header, header.as_ref().take_join())
        };
        if slot.has_handle() {
            // From here on the body is the handle's: a wake may lead to its end.
            slot.set_settled();
            // SAFETY: by the caller's word; the handle may be a group's, which sees to the rest.
            unsafe {
                if Header::is_child(header) {
                    slot.tell();
                }
            }
            join.wake();
        } else {
            let join = WakeLast(join);
            // SAFETY: ended, and without a handle: nobody else comes near the body.
            unsafe { Header::free(header, slot) };
            drop(join);
        }
    }

    /// A task that has ended goes from the lists and counts that it stands in. Its context is left to the caller.
    ///
    /// # Safety
    /// As `settle`.
    unsafe fn take_out(&self, slot: &'static Slot) -> Gone {
        // SAFETY: by the caller's word; pooled ones are on the list until here.
        unsafe {
            self.with(|state| {
                if slot.is_pooled() {
                    state.pooled.remove(slot);
                }
                if slot.is_leftover() {
                    state.leftovers -= 1;
                }
                if slot.has_timeouts() {
                    // Timeouts that it had polled, and that were not dropped with it. It is over with them.
                    state.timers.disown(slot);
                }
            });
            #[cfg(feature = "alloc")]
            return self.take_context(slot);
            #[cfg(not(feature = "alloc"))]
            Gone
        }
    }

    /// The tasks that are alive, in order of creation, callbacks among them.
    ///
    /// # Safety
    /// `OwnThread`.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn tasks(&'static self) -> Vec<&'static Slot> {
        let mut all = Vec::new();
        // SAFETY: by the caller's word; the list of those in pools stays as it is.
        unsafe {
            self.ready.each_slot(|slot| all.push(slot));
            all.push(&self.root);
            all.retain(|slot| slot.id() != 0 && slot.is_alive() && slot.is_task());
            let mut next = self.with(|state| state.pooled.first());
            while let Some(slot) = next {
                all.push(slot);
                next = self.with(|state| state.pooled.after(slot));
            }
            // Numbers wrap: right as long as no task sees 2^31 others come.
            let newest = self.with(|state| state.adopted);
            all.sort_unstable_by_key(|slot| core::cmp::Reverse(newest.wrapping_sub(slot.id())));
        }
        all
    }

    /// Calls `f` with each task that is alive, in order of creation. What `f` does may end tasks, and starts none.
    ///
    /// # Safety
    /// `OwnThread`.
    #[cfg(feature = "alloc")]
    unsafe fn each_task(&'static self, mut f: impl FnMut(&'static Slot)) {
        // SAFETY: by the caller's word.
        for slot in unsafe { self.tasks() } {
            // By what `f` does a slot may have come free, and hold something that is no task.
            if slot.is_alive() && slot.is_task() {
                f(slot);
            }
        }
    }

    /// As above: here all live in pools, and `f` ends the one it is given, or none.
    #[cfg(not(feature = "alloc"))]
    unsafe fn each_task(&'static self, mut f: impl FnMut(&'static Slot)) {
        // SAFETY: by the caller's word.
        unsafe {
            let mut next = self.with(|state| state.pooled.first());
            while let Some(slot) = next {
                next = self.with(|state| state.pooled.after(slot));
                f(slot);
            }
        }
    }

    /// Asks all tasks that are alive to end, in order of creation; how many there are.
    ///
    /// # Safety
    /// `OwnThread`.
    pub(crate) unsafe fn cancel_all(&'static self) -> usize {
        let mut count = 0;
        // SAFETY: by the caller's word. A cancel queues tasks and runs nothing.
        unsafe {
            self.each_task(|slot| {
                if !slot.is_hidden() {
                    slot.set_leftover();
                    slot.cancel();
                    count += 1;
                }
            });
            self.with(|state| state.leftovers = count);
        }
        count
    }

    /// Counts futures lent by `run_all`; they are counted down as they end.
    ///
    /// # Safety
    /// `OwnThread`.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn lend(&self, count: usize) {
        // SAFETY: by the caller's word.
        unsafe { self.with(|state| state.borrowed += count) }
    }

    /// Counts no more futures as lent.
    ///
    /// # Safety
    /// `OwnThread`.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn lend_none(&self) {
        // SAFETY: by the caller's word.
        unsafe { self.with(|state| state.borrowed = 0) }
    }

    /// The next deadline.
    ///
    /// # Safety
    /// `OwnThread`.
    #[inline]
    pub(crate) unsafe fn next(&self) -> Option<Instant> {
        // SAFETY: by the caller's word.
        unsafe { self.with(|state| state.timers.next()) }
    }

    /// Drops whatever is left, in order of creation, and empties queue and timers. From here on spawning is refused.
    /// A destructor that panics does not keep the others from being run.
    ///
    /// # Safety
    /// `OwnThread`, and this loop is the ambient one.
    pub(crate) unsafe fn wind_up(&'static self) {
        // SAFETY: (of all below) by the caller's word.
        unsafe {
            let on_panic = WindUp(self);
            self.with(|state| state.closing = true);
            // First, for their drops are user code too, which might leave something to be taken out below.
            self.ready.clear_unparker();
            #[cfg(feature = "alloc")]
            self.set_hook(None);
            self.each_task(|slot| self.abandon(slot));
            while let Some(waker) = self.with(|state| state.timers.take_any()) {
                // A sleep that outlives its loop registers with the one that polls it next.
                waker.wake();
            }
            let wakes = self.ready.wakes();
            while let Some(mut batch) = wakes.batch() {
                loop {
                    let (slot, _nobody) = batch.pop(|_| None::<()>);
                    if batch.ends_with(slot) {
                        break;
                    }
                }
            }
            self.ready.wakes().close();
            // A callback may outlive the loop with what it is in, and be woken when the loop is another thread's.
            #[cfg(feature = "alloc")]
            self.ready.each_slot(Slot::retire_callback);
            core::mem::forget(on_panic);
        }
    }

    /// Takes one that is in a `static` into use. False: it is in use.
    fn take(&self) -> bool {
        // Acquire: pairs with the release in `give_back`.
        self.used.swap(1, Ordering::Acquire) == 0
    }

    fn give_back(&self) {
        self.used.store(0, Ordering::Release);
    }

    /// Makes the loop fit to be used again.
    ///
    /// # Safety
    /// It is new or was wound up, and belongs to the caller alone but for stale wakers.
    pub(crate) unsafe fn reset(&self) {
        self.ready.wakes().awake();
        // SAFETY: by the caller's word.
        unsafe {
            // Also those that came when the loop was all but over, by the drop of its hook say.
            #[cfg(feature = "alloc")]
            self.ready.each_slot(Slot::retire_callback);
            self.ready.wakes().open();
            self.with(|state| {
                state.last = Instant::ZERO;
                state.leftovers = 0;
                #[cfg(feature = "alloc")]
                {
                    state.borrowed = 0;
                }
                #[cfg(not(feature = "alloc"))]
                state.names.clear();
                state.closing = false;
            });
        }
    }
}

/// What a task that has ended leaves behind: its context, where there are any.
#[cfg(feature = "alloc")]
type Gone = super::contexts::Gone;
#[cfg(not(feature = "alloc"))]
struct Gone;

/// Puts the clock in place, and takes it away again: then the reactor may be at work.
struct SetClock<'a> {
    place: &'a AtomicPtr<Clock>,
}

impl<'a> SetClock<'a> {
    #[inline]
    fn new(place: &'a AtomicPtr<Clock>, clock: &'a Clock) -> Self {
        place.store(ptr::from_ref(clock).cast_mut(), Ordering::Relaxed);
        Self { place }
    }
}

impl Drop for SetClock<'_> {
    #[inline]
    fn drop(&mut self) {
        self.place.store(ptr::null_mut(), Ordering::Relaxed);
    }
}

/// Ends the task whose poll panics.
struct Abandon(&'static Loop);

impl Drop for Abandon {
    #[cold]
    fn drop(&mut self) {
        self.0.set_unwinding(false);
        self.0.delivering.store(false, Ordering::Relaxed);
        self.0.special.store(false, Ordering::Relaxed);
        if let Some(slot) = self.0.ready.running() {
            self.0.ready.clear_running();
            // SAFETY: made by `turns`; the task is in the middle of its step, so it has a body.
            unsafe {
                self.0.abandon(slot);
            }
        }
        // What was due has left the heap and was not woken yet.
        // SAFETY: as above; `undo_due` calls nothing.
        unsafe { self.0.with(|state| state.timers.undo_due()) };
    }
}

/// The step within which another was made; it goes on, whatever happens.
#[cfg(feature = "alloc")]
struct Outer {
    place: &'static Loop,
    step: Suspended,
    unwinding: bool,
}

#[cfg(feature = "alloc")]
impl Outer {
    fn new(place: &'static Loop) -> Self {
        Self { place, step: place.ready.suspend(), unwinding: place.set_unwinding(false) }
    }
}

#[cfg(feature = "alloc")]
impl Drop for Outer {
    fn drop(&mut self) {
        if let Some(slot) = self.place.ready.running() {
            // Its poll has panicked.
            self.place.ready.clear_running();
            // SAFETY: made by `step_within`; the task is in the middle of its step, so it has a body.
            unsafe { self.place.abandon(slot) };
        }
        self.place.ready.resume(&self.step);
        self.place.set_unwinding(self.unwinding);
    }
}

/// Winds the loop up, whatever happens.
pub(crate) struct WindUp(pub(crate) &'static Loop);

impl Drop for WindUp {
    fn drop(&mut self) {
        // SAFETY: made where `wind_up` is called for.
        unsafe { self.0.wind_up() }
    }
}

/// Wakes those who wait for the end of a task, even if the drop of its output panics.
struct WakeLast(Joiners);

impl Drop for WakeLast {
    #[inline]
    fn drop(&mut self) {
        self.0.take().wake();
    }
}

/// Settles the task even if the drop of its future panics.
struct Settle {
    running: &'static Loop,
    slot: &'static Slot,
}

impl Drop for Settle {
    fn drop(&mut self) {
        self.running.ready.clear_running();
        // SAFETY: made by `abandon`, which has ended the task.
        unsafe { self.running.settle(self.slot) }
    }
}

/// Room for one more loop in a `static`: for loops at several interrupt priorities, where there is no allocator.
///
/// With the feature `alloc`, [`Runner::new`](crate::Runner::new) takes loops from the heap, any number. Without it there
/// is one, which the crate has; every further runner that exists at the same time needs a `static` of this, given to
/// [`Runner::new_in`](crate::Runner::new_in).
pub struct LoopMemory {
    place: Loop,
    #[cfg(not(feature = "alloc"))]
    root: Slot,
}

impl LoopMemory {
    crate::sync::const_fn! {
        /// Room for a loop.
        #[allow(clippy::new_without_default)] // it is made for a `static`, where `default` is of no use
        pub const fn new() -> Self {
            Self {
                place: Loop::new(),
                #[cfg(not(feature = "alloc"))]
                root: Slot::new(),
            }
        }
    }
}

impl core::fmt::Debug for LoopMemory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LoopMemory").field("used", &(self.place.used.load(Ordering::Relaxed) != 0)).finish()
    }
}

/// A loop for one runner, from the heap or from a `static`.
pub(crate) struct Lease {
    place: &'static Loop,
    memory: Option<&'static LoopMemory>,
}

impl Lease {
    #[track_caller]
    pub(crate) fn new_in(memory: &'static LoopMemory) -> Self {
        if !memory.place.take() {
            panic!("corio: this LoopMemory is in use by another Runner; give each its own with `Runner::new_in`");
        }
        Self::of(&memory.place, Some(memory))
    }

    fn of(place: &'static Loop, memory: Option<&'static LoopMemory>) -> Self {
        // SAFETY: it is this lease's alone; whoever had it before has wound it up.
        unsafe { place.reset() };
        #[cfg(feature = "alloc")]
        ptr::from_ref(place).expose_provenance(); // for `Loop::of`
        Self { place, memory }
    }

    pub(crate) fn get(&self) -> &'static Loop {
        self.place
    }

    /// The slot of `run`'s own future.
    pub(crate) fn root(&self) -> &'static Slot {
        #[cfg(feature = "alloc")]
        return &self.place.root;
        #[cfg(not(feature = "alloc"))]
        return self.memory.map_or_else(spare::root, |memory| &memory.root);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.place.ready.end_lease();
        match self.memory {
            Some(memory) => memory.place.give_back(),
            None => spare::give_back(self.place),
        }
    }
}

/// Loops from the heap: leaked, and used again.
#[cfg(feature = "alloc")]
mod spare {
    use super::{Lease, Loop};
    use crate::sync::Short;
    use alloc::boxed::Box;
    use alloc::vec::Vec;

    #[cfg(not(loom))]
    static SPARE: Short<Vec<&'static Loop>> = Short::new(Vec::new());
    #[cfg(loom)]
    loom::lazy_static! {
        static ref SPARE: Short<Vec<&'static Loop>> = Short::new(Vec::new());
    }

    impl Lease {
        pub(crate) fn new() -> Self {
            Self::of(SPARE.with(Vec::pop).unwrap_or_else(|| Box::leak(Box::new(Loop::new()))), None)
        }
    }

    pub(super) fn give_back(place: &'static Loop) {
        SPARE.with(|spare| spare.push(place));
    }
}

/// One loop, which the crate has.
#[cfg(not(feature = "alloc"))]
mod spare {
    use super::{Lease, Loop, Slot};

    static MAIN: Loop = Loop::new();
    /// Of its own: a program that has no main future has none of this.
    static ROOT: Slot = Slot::new();

    impl Lease {
        #[track_caller]
        pub(crate) fn new() -> Self {
            if !MAIN.take() {
                panic!(
                    "corio: the one loop is in use by another Runner; \
                     give this one memory of its own with `Runner::new_in`"
                );
            }
            Self::of(&MAIN, None)
        }
    }

    pub(super) fn root() -> &'static Slot {
        &ROOT
    }

    pub(super) fn give_back(place: &'static Loop) {
        place.give_back();
    }
}
