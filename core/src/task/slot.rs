#![allow(unsafe_code)] // shares cells between threads under the invariants below
//! `Slot`: what never moves and is never given back while the process lives. A waker is its address.
//!
//! Invariants:
//! - `Immortal`: a slot that a waker was made for lives as long as the process. It is in a leaked block of a loop, in a
//!   `static`, or in the frame of a `run_all` that does not return.
//! - `OwnerOnly`: `body` is touched only by the loop that owns the slot, on its thread, or while the mark
//!   is held by whoever is taking the slot into use.
//! - `Named`: the number of a slot is that of the task in it, or of the last one that was; and 0 when it holds something that
//!   is no task to its loop (a lent future, a callback), or never held any. So who names a task finds it, or nothing.
//! - `Claimed`: a slot is taken into use by setting its mark, as a wake does. So a stale wake on its way to
//!   the old owner's queue keeps the slot out of use until that queue has popped it, and a slot never belongs to two
//!   loops.

use super::awaited::{Awaited, Awaits, Kind, Mark};
use super::body::Header;
use super::ready::Ready;
#[cfg(any(feature = "std", loom))]
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use crate::sync::{Cell, Linked, Wakes};
use core::ptr;

/// No task lives in the slot: a wake does nothing.
const DEAD: u8 = 1 << 0;
/// The task was cancelled; its next step unwinds.
const CANCEL: u8 = 1 << 1;
/// The body is a `Pin<&mut dyn Future>` of a `run_all`, not a `Header`. With `WAITS` it is a `Callback`.
const BORROWED: u8 = 1 << 2;
/// The task waits for something that a cancellation is passed on to: its header has what.
const WAITS: u8 = 1 << 3;
/// The task stands in a scope, which decides what its unwinding comes to.
const SCOPED: u8 = 1 << 4;
/// A `Task` handle exists.
const HANDLE: u8 = 1 << 5;
/// The task ended and its output is in the body.
const OUTPUT: u8 = 1 << 6;
/// The task has ended and its loop is done with the body.
const SETTLED: u8 = 1 << 7;

/// What a step looks at: with none of these it is a plain poll.
const SPECIAL: u8 = DEAD | CANCEL | BORROWED | WAITS | SCOPED;

/// What is in the slot, beside a plain task: these two bits.
const KIND: u8 = 3;
/// The task lives in a pool, and stands in its loop's list of those.
const POOLED: u8 = 1;
/// Not a task to users: a callback.
const HIDDEN: u8 = 2;
/// A callback, and a timer that is due runs its step itself, as asyncio's timers run theirs.
#[cfg(feature = "alloc")]
const TIMED: u8 = 3;
/// The task was left over when its loop began to close.
const LEFTOVER: u8 = 1 << 2;
/// The task has a context, in its loop's table of those.
#[cfg(feature = "alloc")]
const CONTEXT: u8 = 1 << 3;
#[cfg(not(feature = "alloc"))]
const CONTEXT: u8 = 0;
/// The rest counts the timeouts that will cancel what is in the task, and stays at its greatest once it is there: then all
/// timers are looked through at the task's end, however many others have. So it must be more than anybody nests.
const TIMEOUT: u8 = 1 << 4;
const TIMEOUTS: u8 = 15 << 4;

/// Beside the requests to cancel: how many they are at most.
const CANCELS: u8 = 63;
/// Its step is under way, and in it that of a task that was started eagerly.
const SUSPENDED: u8 = 1 << 6;
/// Of the requests to cancel that are open one at least is not from a scope within the task: all of it is to unwind.
const OUTSIDE: u8 = 1 << 7;

/// The place of a task in its loop.
pub(crate) struct Slot {
    next: AtomicPtr<Slot>,
    owner: AtomicPtr<Ready>,
    body: Cell<*mut ()>,
    /// Hosted: the mark. On bare metal the link is it.
    #[cfg(any(feature = "std", loom))]
    queued: AtomicBool,
    flags: AtomicU8,
    /// How often the task was cancelled, less what was taken back; and `SUSPENDED`, `OUTSIDE`.
    cancels: Cell<u8>,
    /// More flags, which only the owner looks at.
    traits: Cell<u8>,
    /// Tells the task from others that were, or will be, in this slot; 0 is no task's. What is put into the slot and is no
    /// task makes it 0, so that the names of those who were there before are not taken for its own.
    #[cfg(feature = "alloc")]
    id: Cell<u32>,
}

// SAFETY: `body`, `cancels`, `traits` and `id` are touched under `OwnerOnly`; the rest is atomic.
unsafe impl Sync for Slot {}

// SAFETY: always the same field; slots are `Immortal`.
unsafe impl Linked for Slot {
    type Home = Ready;

    #[inline]
    fn next(&self) -> &AtomicPtr<Self> {
        &self.next
    }

    #[cfg(any(feature = "std", loom))]
    #[inline]
    fn queued(&self) -> &AtomicBool {
        &self.queued
    }

    #[inline]
    fn home(&self) -> &'static Ready {
        self.owner()
    }

    #[inline]
    fn wakes(home: &Ready) -> &Wakes<Self> {
        home.wakes()
    }

    #[cfg(any(feature = "std", loom))]
    #[inline]
    fn is_here(home: &Ready) -> bool {
        home.is_here()
    }
}

/// What a popped slot asks of its loop.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// Poll the future that a `run_all` lent.
    PollBorrowed,
    /// Poll the future in the body.
    Poll,
    /// Poll the future in the body, which stands in a scope.
    #[cfg(feature = "alloc")]
    PollScoped,
    /// Poll the future in the body, or unwind: the task was cancelled, or waited for another, or stands in a scope.
    Special,
    /// Run a callback.
    #[cfg(feature = "alloc")]
    Call,
    /// Tell the group of a task that it has ended.
    #[cfg(feature = "alloc")]
    Tell,
}

/// What a step that is not a plain poll comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    /// A poll after all.
    Poll,
    /// The task unwinds, and stands in no scope.
    Drop,
    /// The task unwinds: its scopes are to be asked.
    Unwind,
    /// What is in some scope of the task unwinds, for the scope has asked for it; not what is beside the scope.
    UnwindScope,
}

/// What became of a request to cancel that was to be passed on.
enum PassedOn {
    /// It is to be passed on to this one.
    To(&'static Slot),
    Done,
    No,
}

/// An end of the line of what is ready.
#[cfg(feature = "alloc")]
pub(crate) type InLine = crate::sync::Place<Slot>;

/// A task was started; its loop may be asleep.
#[must_use = "the loop may be asleep"]
pub(crate) struct Started(Option<&'static Ready>);

impl Started {
    /// There is a wake on its way that the loop hears of.
    pub(super) const NOT_ASLEEP: Self = Self(None);

    /// Ends the sleep of the loop, if it sleeps.
    #[inline]
    pub(crate) fn tell(self) {
        if let Some(home) = self.0 {
            home.unpark();
        }
    }
}

impl Slot {
    crate::sync::const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                next: AtomicPtr::new(ptr::null_mut()),
                owner: AtomicPtr::new(ptr::null_mut()),
                body: Cell::new(ptr::null_mut()),
                #[cfg(any(feature = "std", loom))]
                queued: AtomicBool::new(false),
                // Not dead, though nothing lives in it: nobody has a waker of a slot that was never started, and a
                // `static` full of zeros takes no room in flash.
                flags: AtomicU8::new(0),
                cancels: Cell::new(0),
                traits: Cell::new(0),
                #[cfg(feature = "alloc")]
                id: Cell::new(0),
            }
        }
    }

    /// Which task of its loop is or was in the slot.
    #[cfg(feature = "alloc")]
    pub(crate) fn id(&self) -> u32 {
        self.id.get()
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn set_id(&self, id: u32) {
        self.id.set(id);
    }

    /// Makes the task ready. From any thread or interrupt, at any time.
    #[inline]
    pub(crate) fn wake(&'static self) {
        // SAFETY: a slot, and `Immortal`.
        unsafe { Self::wake_at(ptr::from_ref(self).cast()) }
    }

    /// `wake`, as the table of a waker has it.
    ///
    /// # Safety
    /// `slot` is the address of a slot.
    // Where flash counts, one copy serves all who wake.
    #[cfg_attr(any(feature = "std", loom), inline)]
    #[cfg_attr(not(any(feature = "std", loom)), inline(never))]
    pub(crate) unsafe fn wake_at(slot: *const ()) {
        // SAFETY: by the caller's word; slots are `Immortal`.
        let slot: &'static Self = unsafe { &*slot.cast() };
        // Where threads wake, a stale wake stops here; on bare metal `end` has seen to it. That it may miss a task which another thread is just putting in the slot does no
        // harm: nobody can hold a waker of that task yet, and its first step is queued by whoever puts it there.
        if cfg!(any(feature = "std", loom)) && slot.flags.load(Ordering::Relaxed) & DEAD != 0 {
            return;
        }
        slot.push();
    }

    #[inline]
    fn push(&'static self) {
        if let Some(home) = Wakes::push(self) {
            home.unpark();
        }
    }

    /// The queue of the loop that owns this slot.
    #[inline]
    pub(crate) fn owner(&self) -> &'static Ready {
        // SAFETY: set before the slot was first queued, to a `Ready` that is `Immortal` as its slots are; the mark of
        // the link orders it (`Claimed`).
        unsafe { &*self.owner.load(Ordering::Relaxed) }
    }

    /// Takes a free slot, to be started. False: a stale wake holds it, try another, or later.
    #[inline]
    pub(crate) fn claim(&self) -> bool {
        Wakes::mark(self)
    }

    /// Puts a task into a slot that was claimed and queues its first step. What is returned tells the loop of it, and is
    /// to be used when all is in place: it calls the reactor's unparker, which is not ours.
    ///
    /// # Safety
    /// The slot was claimed by the caller, the loop that shall own it, on its thread. `body` is what `step` will be told
    /// of: a pinned `Header`, or for `borrowed` a `Pin<&mut dyn Future>`, good until the task ends; it is filled before
    /// the loop's next turn.
    #[inline]
    pub(crate) unsafe fn start(
        &'static self,
        owner: &'static Ready,
        body: *mut (),
        borrowed: bool,
        handle: bool,
    ) -> Started {
        self.owner.store(ptr::from_ref(owner).cast_mut(), Ordering::Relaxed);
        self.body.set(body);
        self.cancels.set(0);
        self.traits.set(0);
        #[cfg(feature = "alloc")]
        if borrowed {
            self.id.set(0);
        }
        let kind = if borrowed { BORROWED } else { 0 } | if handle { HANDLE } else { 0 };
        self.flags.store(kind, Ordering::Relaxed);
        // SAFETY: `Marked`, by `claim`; the caller is on the owner's thread.
        Started(unsafe { Wakes::push_here(self) })
    }

    /// Puts a future lent by `run_all` into a slot that nobody knows, and queues its first step.
    ///
    /// # Safety
    /// As `start`. `Immortal`, from here on.
    #[cfg(not(feature = "alloc"))]
    #[inline]
    pub(crate) unsafe fn lend(&'static self, owner: &'static Ready, body: *mut ()) {
        self.owner.store(ptr::from_ref(owner).cast_mut(), Ordering::Relaxed);
        self.body.set(body);
        self.flags.store(BORROWED, Ordering::Relaxed);
        self.wake();
    }

    /// As `start` of a task, but nothing is queued: the caller makes the first step itself.
    ///
    /// # Safety
    /// As `start`.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn start_unqueued(&'static self, owner: &'static Ready, body: *mut (), handle: bool) {
        self.owner.store(ptr::from_ref(owner).cast_mut(), Ordering::Relaxed);
        self.body.set(body);
        self.cancels.set(0);
        self.traits.set(0);
        self.flags.store(if handle { HANDLE } else { 0 }, Ordering::Relaxed);
        // Whoever marks it next finds all that. Nobody has a waker of it, but a stale one.
        Wakes::unmark(self);
    }

    /// Queues the first step, unless a stale wake has, where the line of its loop ended at `place`.
    ///
    /// # Safety
    /// `OwnThread`; nothing was popped since.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn queue_at(&'static self, place: InLine) {
        if Wakes::mark(self) {
            // SAFETY: `Marked`, just now; the rest by the caller's word.
            unsafe { Wakes::insert_here(self, place) };
        }
    }

    /// As `claim` and `start`, for a slot that `claim` has refused: takes it into use if the stale wake that holds it is on its way
    /// through `owner`'s own queue. The first step is where that wake is.
    ///
    /// # Safety
    /// As `start`.
    pub(crate) unsafe fn take_over(&'static self, owner: &'static Ready, body: *mut ()) -> bool {
        // Only this loop, which is here, can clear the mark (by popping) or make the slot another's.
        let held_here = Wakes::is_marked(self) && ptr::eq(self.owner.load(Ordering::Relaxed), owner);
        if held_here {
            self.body.set(body);
            self.cancels.set(0);
            self.traits.set(0);
            self.flags.store(HANDLE, Ordering::Relaxed);
        }
        held_here
    }

    /// What to do with a slot that `pop` has found; nothing, if the task ended before the wake arrived. Called while the mark
    /// is still set.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn step(&self) -> Option<Step> {
        let flags = self.flags.load(Ordering::Relaxed);
        if flags & SPECIAL == 0 {
            Some(Step::Poll)
        } else if flags & SPECIAL == BORROWED {
            Some(Step::PollBorrowed)
        } else if flags & SPECIAL == WAITS && self.cancels() == 0 {
            // It waited for another task, and nobody has cancelled it: what it waits for now will be noted anew.
            self.change(0, WAITS);
            Some(Step::Poll)
        } else if flags & (DEAD | CANCEL | BORROWED) == 0 && self.cancels.get() == 0 {
            // As above, in a scope, which may go on with an unwinding that it has put off.
            self.change(0, WAITS | SCOPED);
            Some(Step::PollScoped)
        } else if flags & DEAD != 0 {
            (flags & CANCEL != 0).then_some(Step::Tell)
        } else if flags & BORROWED != 0 {
            Some(Step::Call)
        } else {
            Some(Step::Special)
        }
    }

    /// As above: here most are lent, and there are no callbacks.
    #[cfg(not(feature = "alloc"))]
    #[inline]
    pub(crate) fn step(&self) -> Option<Step> {
        match self.flags.load(Ordering::Relaxed) {
            BORROWED => Some(Step::PollBorrowed),
            flags if flags & SPECIAL == 0 => Some(Step::Poll),
            flags if flags & (DEAD | CANCEL) == DEAD => None,
            // Or it has ended, and its group is to be told: `special` does that too, for run_all need not know of groups.
            _ => Some(Step::Special),
        }
    }

    /// Takes a slot that was claimed into use for a callback: `body` is its `Callback`. Nothing is queued; a wake does that.
    ///
    /// # Safety
    /// As `start`.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn arm(&'static self, owner: &'static Ready, body: *mut ()) {
        self.owner.store(ptr::from_ref(owner).cast_mut(), Ordering::Relaxed);
        self.body.set(body);
        self.id.set(0);
        self.cancels.set(0);
        self.traits.set(0);
        self.flags.store(BORROWED | WAITS, Ordering::Relaxed);
        // Whoever marks it next finds all that. Nobody has a waker of it, but a stale one.
        Wakes::unmark(self);
    }

    /// What is in the slot, if it is a callback, is not called any more. The slot stays its own until it gives it back.
    #[cfg(feature = "alloc")]
    pub(crate) fn retire_callback(&self) {
        if self.flags.load(Ordering::Relaxed) & (DEAD | BORROWED | WAITS) == BORROWED | WAITS {
            self.end();
        }
    }

    /// The body, as it was given to `start`.
    #[inline]
    pub(crate) fn body(&self) -> *mut () {
        self.body.get()
    }

    /// The header of a body that is not borrowed.
    #[inline]
    pub(crate) fn header(&self) -> *mut Header {
        self.body.get().cast()
    }

    /// The task ends here: wakes do nothing from now on, and a request to cancel is settled. True: there was one.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        let cancelled = self.is_cancelled() && self.is_asked_from_outside();
        self.change(DEAD, CANCEL);
        #[cfg(not(any(feature = "std", loom)))]
        Wakes::retire(self);
        cancelled
    }

    /// A future that was lent ends here. A wake that comes later is dropped when it is popped.
    #[cfg(not(feature = "alloc"))]
    #[inline]
    pub(crate) fn end_borrowed(&self) {
        self.flags.store(DEAD | BORROWED, Ordering::Relaxed);
    }

    /// The task has ended, in a group: queues one more step, in which the group is told. `CANCEL` says so; for one that is
    /// dead it has no other use.
    ///
    /// # Safety
    /// `OwnerOnly`. The body stays until that step, or until `untell`.
    pub(crate) unsafe fn tell(&'static self) {
        self.change(CANCEL, 0);
        // If a late wake has queued it already, that is the step.
        if self.claim() {
            // SAFETY: `Marked`, by `claim`; the caller is on the owner's thread.
            Started(unsafe { Wakes::push_here(self) }).tell();
        }
    }

    /// There is nobody to be told, or who is has been.
    pub(crate) fn untell(&self) {
        self.change(0, CANCEL);
    }

    /// True when the task's next step is queued. From its own loop: others may queue it at any moment.
    pub(crate) fn is_queued(&self) -> bool {
        Wakes::is_marked(self)
    }

    /// True when a request to cancel waits for the task's next step.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & CANCEL != 0
    }

    /// The loop is done with the body: it belongs to the handle from here on.
    #[inline]
    pub(crate) fn set_settled(&self) {
        self.change(SETTLED, 0);
    }

    /// The body does not belong to the handle for a while.
    #[cfg(feature = "alloc")]
    pub(crate) fn unsettle(&self) {
        self.change(0, SETTLED);
    }

    /// True when the body belongs to the handle. Between the end of a task and this its future is being dropped.
    pub(crate) fn is_settled(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & SETTLED != 0
    }

    /// The output is in the body.
    #[inline]
    pub(crate) fn set_output(&self) {
        self.change(OUTPUT, 0);
    }

    /// Takes the mark that the output is in the body.
    pub(crate) fn take_output(&self) -> bool {
        let had = self.flags.load(Ordering::Relaxed) & OUTPUT != 0;
        self.change(0, OUTPUT);
        had
    }

    /// True when the output is in the body.
    pub(crate) fn has_output(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & OUTPUT != 0
    }

    pub(crate) fn has_handle(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & HANDLE != 0
    }

    pub(crate) fn drop_handle(&self) {
        self.change(0, HANDLE);
    }

    /// Marks the task as left over.
    pub(crate) fn set_leftover(&self) {
        self.traits.set(self.traits.get() | LEFTOVER);
    }

    pub(crate) fn is_leftover(&self) -> bool {
        self.traits.get() & LEFTOVER != 0
    }

    /// Marks the task as living in a pool.
    pub(crate) fn set_pooled(&self) {
        self.traits.set(self.traits.get() | POOLED);
    }

    /// True when its end is to be noted with its loop.
    #[inline]
    pub(crate) fn is_listed(&self) -> bool {
        self.traits.get() & (POOLED | LEFTOVER | CONTEXT | TIMEOUTS) != 0
    }

    /// Counts a timeout that will cancel the task. It is counted off when it is taken out, or due, or another task's.
    pub(crate) fn add_timeout(&self) {
        let traits = self.traits.get();
        if traits & TIMEOUTS != TIMEOUTS {
            self.traits.set(traits + TIMEOUT);
        }
    }

    pub(crate) fn remove_timeout(&self) {
        let traits = self.traits.get();
        if traits & TIMEOUTS != TIMEOUTS && traits & TIMEOUTS != 0 {
            self.traits.set(traits - TIMEOUT);
        }
    }

    /// True when there may be timeouts that would cancel the task.
    pub(crate) fn has_timeouts(&self) -> bool {
        self.traits.get() & TIMEOUTS != 0
    }

    pub(crate) fn is_pooled(&self) -> bool {
        self.traits.get() & KIND == POOLED
    }

    /// Marks the task as one that has a context.
    #[cfg(feature = "alloc")]
    pub(crate) fn set_context(&self) {
        self.traits.set(self.traits.get() | CONTEXT);
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn has_context(&self) -> bool {
        self.traits.get() & CONTEXT != 0
    }

    /// Marks the task as a callback, `timed` if a timer runs it.
    #[cfg(feature = "alloc")]
    pub(crate) fn set_hidden(&self, timed: bool) {
        self.traits.set(self.traits.get() & !KIND | if timed { TIMED } else { HIDDEN });
    }

    /// True for a callback, which users do not count among the tasks.
    pub(crate) fn is_hidden(&self) -> bool {
        self.traits.get() & HIDDEN != 0
    }

    /// True for a callback that a timer runs.
    #[cfg(feature = "alloc")]
    pub(crate) fn is_timed(&self) -> bool {
        self.traits.get() & KIND == TIMED
    }

    /// Notes whether the step of another task is made within its own.
    #[cfg(feature = "alloc")]
    pub(super) fn set_suspended(&self, suspended: bool) {
        self.cancels.set(self.cancels.get() & !SUSPENDED | if suspended { SUSPENDED } else { 0 });
    }

    /// The callback in it is called from here on: as what was cancelled, it is not to be had any more.
    #[cfg(feature = "alloc")]
    pub(crate) fn set_called(&self) {
        self.change(CANCEL, 0);
    }

    /// For a free slot: the next free one.
    #[cfg(feature = "alloc")]
    pub(crate) fn set_next_free(&self, next: *mut ()) {
        self.body.set(next);
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & DEAD == 0
    }

    /// True when the task has ended without an output that can still be had.
    fn was_cancelled(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & (DEAD | OUTPUT) == DEAD
    }

    /// True when there is a task in the slot, not a future lent by `run_all` nor a callback.
    pub(crate) fn is_task(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & BORROWED == 0
    }

    /// Asks the task to end: passes the request on to what it waits for, if that can be cancelled, or else unwinds it at
    /// its next step. False: it has ended already.
    ///
    /// A task that asks itself is queued for that step when the present one is over, behind whatever it makes ready on
    /// the way: that is where asyncio has it.
    pub(crate) fn cancel(&'static self) -> bool {
        if !self.is_alive() {
            return false;
        }
        // A task that waits for a task that waits for a task ...: no recursion, however long the chain is. It may bite its
        // tail, where tasks wait for each other: then one of those unwinds, and with it all. That it does shows when it
        // comes back to the one that was passed after 1, 2, 4, 8 ... steps.
        let (mut slot, mut passed, mut left, mut lap) = (self, self, 1_usize, 1_usize);
        loop {
            slot.add_cancel();
            slot.cancels.set(slot.cancels.get() | OUTSIDE);
            match slot.pass_on() {
                PassedOn::To(next) if ptr::eq(next, passed) => break,
                PassedOn::To(next) => {
                    slot = next;
                    left -= 1;
                    if left == 0 {
                        lap = lap.saturating_mul(2);
                        (passed, left) = (slot, lap);
                    }
                }
                PassedOn::Done => return true,
                PassedOn::No => break,
            }
        }
        slot.leave_soon();
        true
    }

    /// Asks, for a scope in the task, what is in that scope to unwind: as `cancel`, but what is beside the scope, in other
    /// branches of the task's future, is left alone. `awaits`: what the task was seen to wait for within the scope. If it waits
    /// for something else by now, that is outside.
    pub(crate) fn cancel_scope(&'static self, awaits: Mark) {
        if !self.is_alive() {
            return;
        }
        self.add_cancel();
        self.ask(awaits);
    }

    /// Asks once more: such a request, which was not taken back, had its step, in which not all came to hear of it.
    pub(crate) fn ask_again(&'static self, awaits: Mark) {
        if self.is_alive() && self.cancels() > 0 && !self.is_cancelled() {
            self.ask(awaits);
        }
    }

    fn ask(&'static self, awaits: Mark) {
        if awaits != Mark::NOTHING && awaits == self.awaited() {
            match self.pass_on() {
                PassedOn::To(next) => {
                    next.cancel();
                    return;
                }
                PassedOn::Done => return,
                PassedOn::No => {}
            }
        }
        self.leave_soon();
    }

    /// The time of a timeout in the task is up: it counts no more, and what is in it is asked to unwind.
    pub(crate) fn expire(&'static self, awaits: Mark) {
        self.remove_timeout();
        self.cancel_scope(awaits);
    }

    /// True when this task is alive, of the same loop as `other`, and `other` waits for it.
    fn is_awaited_by(&self, other: &'static Self) -> bool {
        // SAFETY: of the same loop, whose thread this is, and alive: its header is there.
        ptr::eq(self.owner.load(Ordering::Relaxed), other.owner.load(Ordering::Relaxed))
            && self.is_alive()
            && self.is_task()
            && unsafe { (*self.header()).with_join(|join| join.has(other)) }
    }

    fn add_cancel(&self) {
        if self.cancels() < CANCELS {
            self.cancels.set(self.cancels.get() + 1);
        }
    }

    /// Passes a request on to what the task waits for, if that is one thing, and can be cancelled.
    fn pass_on(&'static self) -> PassedOn {
        if self.flags.load(Ordering::Relaxed) & WAITS == 0 {
            return PassedOn::No;
        }
        // SAFETY: `OwnerOnly`: a task that is alive has its header; whoever cancels it is on its thread.
        match unsafe { (*self.header()).awaits().kind() } {
            // What was noted may be out of date: the handle may be somebody else's now, and the slot another task's.
            Some(Kind::Task(next)) if next.is_awaited_by(self) => PassedOn::To(next),
            // SAFETY: `Noted`.
            Some(Kind::Other(other)) if unsafe { Awaited::cancel(other) } => PassedOn::Done,
            _ => PassedOn::No,
        }
    }

    /// The next step unwinds, all or in part.
    fn leave_soon(&'static self) {
        self.change(CANCEL, 0);
        let in_step = self.owner().cancel_running(self) || self.cancels.get() & SUSPENDED != 0;
        if !in_step {
            self.push();
        }
    }

    /// Takes one request to cancel back; with the last of them goes what was not delivered yet. How many are left.
    pub(crate) fn uncancel(&self) -> u8 {
        let left = self.cancels().saturating_sub(1);
        self.cancels.set(self.cancels.get() & !CANCELS | left);
        if left == 0 && self.is_alive() {
            self.change(0, CANCEL);
            self.cancels.set(self.cancels.get() & !OUTSIDE);
        }
        left
    }

    /// Has a request to cancel that comes before the next step not passed on.
    pub(crate) fn keep_cancel(&self) {
        self.change(0, WAITS);
    }

    /// True when not only scopes within the task have asked it to unwind.
    pub(crate) fn is_asked_from_outside(&self) -> bool {
        self.cancels.get() & OUTSIDE != 0
    }

    /// True when it has come, in the step that is under way, to something that a cancellation is passed on to.
    pub(crate) fn is_waiting(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & WAITS != 0
    }

    /// What it waits for, as far as that is so.
    pub(crate) fn awaited(&self) -> Mark {
        if self.is_waiting() && self.is_task() {
            // SAFETY: only a task that is alive waits, and it has its header.
            unsafe { (*self.header()).awaits() }.mark()
        } else {
            Mark::NOTHING
        }
    }

    /// Notes what the task, whose step is under way, waits for.
    ///
    /// # Safety
    /// `OwnerOnly`; it is a task. `awaits` stays until it is taken out, by the task's next step or by `forget`.
    #[inline]
    pub(crate) unsafe fn await_on(&self, awaits: Awaits) {
        // SAFETY: by the caller's word.
        unsafe {
            // In branches of its future a task may wait for several: then a request is passed on to none of them.
            let several = self.is_waiting() && (*self.header()).awaits() != awaits;
            (*self.header()).set_awaits(if several { Awaits::NOTHING } else { awaits });
        }
        self.change(WAITS, 0);
    }

    /// What the task waited for goes. `asked`: a request to cancel was passed on to it, and it has not come back to the task:
    /// that unwinds at its next step.
    ///
    /// # Safety
    /// On the thread of the owner.
    pub(crate) unsafe fn forget(&'static self, awaits: Awaits, asked: bool) {
        // SAFETY: alive and a task: the header is there.
        unsafe {
            if self.is_alive()
                && self.is_task()
                && self.flags.load(Ordering::Relaxed) & WAITS != 0
                && (*self.header()).awaits() == awaits
            {
                self.change(0, WAITS);
                if asked && self.cancels() > 0 {
                    self.leave_soon();
                }
            }
        }
    }

    /// Runs `f` with those who wait for the end of the task.
    ///
    /// # Safety
    /// On the thread of the owner; it is a task, and alive. `f` calls nothing outside of `joiners`.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn with_join<R>(&self, f: impl FnOnce(&mut super::joiners::Joiners) -> R) -> R {
        // SAFETY: by the caller's word.
        unsafe { (*self.header()).with_join(f) }
    }

    /// The beginning of a step that is not a plain poll: takes the request to cancel, what the task waited for, and that
    /// it stands in a scope.
    ///
    /// # Safety
    /// `OwnerOnly`: it is this loop's, and alive.
    pub(crate) unsafe fn begin(&self) -> Special {
        let flags = self.flags.load(Ordering::Relaxed);
        // SAFETY: by the caller's word.
        let refused = flags & WAITS != 0
            && self.cancels() > 0
            && match unsafe { (*self.header()).awaits().kind() } {
                Some(Kind::Task(task)) => task.was_cancelled(),
                // SAFETY: `Noted`.
                Some(Kind::Other(other)) => unsafe { Awaited::was_cancelled(other) },
                None => false,
            };
        self.change(0, CANCEL | WAITS | SCOPED);
        let scoped = flags & SCOPED != 0;
        match (flags & CANCEL != 0 || refused, self.is_asked_from_outside()) {
            (false, _) => Special::Poll,
            (true, true) if scoped => Special::Unwind,
            (true, true) => Special::Drop,
            (true, false) if scoped => Special::UnwindScope,
            // The scope is gone.
            (true, false) => Special::Poll,
        }
    }

    /// Notes that the task stands in a scope.
    #[inline]
    pub(crate) fn set_in_scope(&self) {
        self.change(SCOPED, 0);
    }

    /// After a step that did not end the task, in which it was cancelled.
    ///
    /// # Safety
    /// `OwnerOnly`: it is this loop's, and alive.
    #[cold]
    pub(crate) unsafe fn after(&'static self) {
        if self.is_cancelled() {
            // What a scope asks for in the middle of a step is not passed on: who knows what is in the scope.
            if self.is_asked_from_outside() {
                // It may come back, where tasks wait for each other.
                self.change(0, CANCEL);
                match self.pass_on() {
                    PassedOn::To(next) => {
                        next.cancel();
                        return;
                    }
                    PassedOn::Done => return,
                    PassedOn::No => self.change(CANCEL, 0),
                }
            }
            self.push();
        }
    }

    /// How often the task was cancelled.
    pub(crate) fn cancels(&self) -> u8 {
        self.cancels.get() & CANCELS
    }

    /// True when the next step will drop the task's future: whatever it waits for need not be given to it. May be
    /// asked from any thread; the answer may be out of date then.
    #[inline]
    pub(crate) fn is_leaving(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & (DEAD | CANCEL) == CANCEL
    }

    /// Only the owner changes flags (`OwnerOnly`), others just read: no read-modify-write is needed.
    #[inline]
    fn change(&self, set: u8, clear: u8) {
        self.flags.store(self.flags.load(Ordering::Relaxed) & !clear | set, Ordering::Relaxed);
    }
}
