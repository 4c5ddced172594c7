#![allow(unsafe_code)] // children that borrow, in boxes that their scope looks after
//! `scope`: children that borrow.
//!
//! ```text
//!   scope().await ─► frame { body(&Scope) } ─► Circle: members, due
//!                      ▲ the waker of a child is a slot of its own, whose entry in the queue notes that the child is due and
//!                      │   wakes the task; nothing but the scope's own poll ever polls a child
//! ```
//!
//! A task may not borrow from the one that spawned it: whoever keeps the group of such tasks from being dropped, by
//! `mem::forget` say, would have them run on when what they borrow is gone. No destructor can be relied on for that. So the
//! children of a scope are no tasks: they are polled by the scope's own future, and by nobody else. Who forgets that future
//! forgets them with it, and they never run again. What the loop still reaches then, the callback of each, lies in a box which
//! is forgotten too, and leads to the scope itself, whose frame is pinned and so stays as it is; none of it touches what was
//! borrowed.
//!
//! Invariants:
//! - `PolledHere`: the future of a child is touched by the poll of its scope, and by `Leave`, which cannot be at a time.
//! - `Home`: the callback of a child is armed only while it is a member, and so the circle is there, in its `Rc`.

use super::errors::GroupError;
use crate::sched::{Handle, Loop, current};
use crate::scope::{self, Unwound};
use crate::task::awaited::Mark;
use crate::task::callback::Callback;
use crate::task::slot::Slot;
use crate::task::{Cancelled, StoredWaker, waker};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell, UnsafeCell};
use core::fmt;
use core::future::Future;
use core::pin::{Pin, pin};
use core::ptr;
use core::task::{Context, Poll};

/// Runs `body`, which may start children that borrow from what is around the scope, and waits for all of them.
///
/// It is what [`group()`](crate::group()) is, for futures that are not `'static`: however the body is left, no child is when
/// this is done. The first failure, a child's or the body's own `Err`, cancels whatever is left, the children in order of
/// creation and then the body; when all have ended, all errors are given.
///
/// ```
/// use corio::{Duration, GroupError, scope, sleep};
///
/// # corio_sim::run(async {
/// let words = vec!["one".to_owned(), "two".to_owned()];
/// let mut slow = String::new();
/// let lengths: Result<usize, GroupError<&str>> = scope(async |s| {
///     let lengths: Vec<_> = words.iter().map(|word| s.spawn(async move { Ok(word.len()) })).collect();
///     s.spawn(async {
///         sleep(Duration::from_secs(1)).await;
///         slow.push_str("done");
///         Ok(())
///     });
///     let mut sum = 0;
///     for length in lengths {
///         sum += length.await.unwrap();
///     }
///     Ok(sum)
/// })
/// .await;
/// assert_eq!((lengths.unwrap(), slow.as_str()), (6, "done"));
/// # });
/// ```
///
/// What a child borrows must live longer than the scope; what the body itself has does not:
///
/// ```compile_fail,E0597
/// # async fn f() {
/// let _ = corio::scope::<_, (), _>(async |s| {
///     let short = 5;
///     let it = &short;
///     s.spawn(async move { Ok(println!("{it}")) });
///     Ok(())
/// }).await;
/// # }
/// ```
///
/// and what it borrows is borrowed until the scope is over:
///
/// ```compile_fail,E0505
/// # async fn f() {
/// let word = String::from("word");
/// let running = corio::scope::<_, (), _>(async |s| {
///     s.spawn(async { Ok(println!("{word}")) });
///     Ok(())
/// });
/// drop(word);
/// running.await.unwrap();
/// # }
/// ```
///
/// # Children are no tasks
/// They run within the task that awaits the scope, each at its own time: one that is woken is polled, and the body with it,
/// but not its neighbours. A wake takes one turn more than a task's, for it goes through the scope.
/// [`current_task`](crate::current_task) is the task around the scope, and a child has its context. A
/// [`timeout()`](crate::timeout()) in a child unwinds that child alone. There is no way to have tasks that borrow: see the
/// [`group()`](crate::group()), and give them an `Rc`.
///
/// # Cancel safety
/// **Not safe.** Who drops the future drops the body, and the children in order of creation: their values and errors are
/// lost. Cancelling waits: a task that is cancelled within a scope unwinds to it; then its children are cancelled, and
/// those that stand in a scope which waits, as a group does, are waited for; and then the task unwinds further. Forgetting
/// the future, which needs a box that is leaked, forgets them.
///
/// # Errors
/// [`GroupError`] with all errors of children, in the order in which they failed, and the body's last. If the task was
/// asked to end meanwhile by somebody else, it unwinds at its next wait.
///
/// # Panics
/// The panic of a child is that of the task.
pub async fn scope<'env, T, E, F>(body: F) -> Result<T, GroupError<E>>
where
    F: AsyncFnOnce(&Scope<'env, E>) -> Result<T, E>,
{
    let scope = Scope { circle: Rc::new(Circle::new()) };
    // Dropped behind the body, which is declared below.
    let _leave = Leave(&scope.circle);
    let body = pin!(Some(body(&scope)));
    let circle = &scope.circle;
    Running { circle, body, nested: false, left: None, stage: Stage::Body, cancelled: false }.await
}

/// The children of a [`scope()`], for its body.
pub struct Scope<'env, E> {
    circle: Rc<Circle<'env, E>>,
}

/// A [`Scope`] by name, for its children, who may start more of their kind with it. It may outlive the scope, which then
/// takes no more.
pub struct ScopeHandle<'env, E> {
    circle: Rc<Circle<'env, E>>,
}

/// What a scope and its handles share.
struct Circle<'env, E> {
    /// Those that have not ended, by number, which is the order of creation.
    members: RefCell<BTreeMap<u64, Rc<dyn Member<E> + 'env>>>,
    next: Cell<u64>,
    bell: Bell,
    /// In the order in which they failed.
    errors: RefCell<Vec<E>>,
    /// Whose slots the children have.
    home: Cell<Option<Handle>>,
    /// It takes no more children, and those that it had were cancelled.
    aborting: Cell<bool>,
    /// The body was left.
    left: Cell<bool>,
}

/// Where those ring that are to be polled.
struct Bell {
    /// Their numbers.
    due: RefCell<VecDeque<u64>>,
    poller: Cell<StoredWaker>,
}

/// What a child has beside its future.
struct Link {
    number: u64,
    /// Queued by the child's waker.
    callback: Callback,
    bell: *const Bell,
    is_due: Cell<bool>,
    /// It is to unwind when it is polled next.
    cancelled: Cell<bool>,
    ended: Cell<bool>,
    /// Who awaits its value.
    waiter: Cell<StoredWaker>,
}

/// A child, whatever its type.
trait Member<E> {
    fn link(&self) -> &Link;

    /// Polls it, or unwinds it if it was cancelled. Ready when it has ended; with the error, if it did by one.
    ///
    /// # Safety
    /// `PolledHere`.
    unsafe fn poll(&self, here: Option<&'static Loop>, cx: &mut Context<'_>) -> Poll<Option<E>>;

    /// Drops its future.
    ///
    /// # Safety
    /// `PolledHere`.
    unsafe fn let_go(&self);
}

/// A child that gives a `T`, whatever else it is.
trait Gives<T> {
    fn link(&self) -> &Link;
    fn value(&self) -> &Cell<Option<T>>;
}

/// A child.
struct Held<F, T> {
    link: Link,
    future: UnsafeCell<Option<F>>,
    /// There is a pending scope within it.
    nested: Cell<bool>,
    value: Cell<Option<T>>,
}

impl<'env, E> Scope<'env, E> {
    /// Starts a child. Its first step is made in the next turn. It fails by returning `Err`.
    ///
    /// In a scope that takes no more, for it is being left or was, the future is dropped at once and the child is
    /// [`Cancelled`]; see [`is_closed`](Self::is_closed).
    pub fn spawn<T, F>(&self, future: F) -> ScopedChild<'env, T>
    where
        T: 'env,
        F: Future<Output = Result<T, E>> + 'env,
    {
        self.circle.spawn(future)
    }

    /// True when the scope takes no more children: one has failed, or the body was left by an error or unwound, or
    /// [`cancel_all`](Self::cancel_all) was called, or the body was left and no child is.
    pub fn is_closed(&self) -> bool {
        self.circle.is_closed()
    }

    /// Asks all children to end, and takes no more. The body goes on; that they were cancelled is no failure.
    pub fn cancel_all(&self) {
        self.circle.cancel_all();
    }

    /// True when all children so far have ended.
    pub fn is_empty(&self) -> bool {
        self.circle.is_empty()
    }

    /// The scope by name, for its children.
    pub fn handle(&self) -> ScopeHandle<'env, E> {
        ScopeHandle { circle: self.circle.clone() }
    }
}

impl<E> fmt::Debug for Scope<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("empty", &self.is_empty()).field("closed", &self.is_closed()).finish()
    }
}

impl<'env, E> ScopeHandle<'env, E> {
    /// Starts a child. Its first step is made in the next turn. It fails by returning `Err`.
    ///
    /// In a scope that takes no more, for it is being left or was, the future is dropped at once and the child is
    /// [`Cancelled`]; see [`is_closed`](Self::is_closed).
    pub fn spawn<T, F>(&self, future: F) -> ScopedChild<'env, T>
    where
        T: 'env,
        F: Future<Output = Result<T, E>> + 'env,
    {
        self.circle.spawn(future)
    }

    /// True when the scope takes no more children: one has failed, or the body was left by an error or unwound, or
    /// [`cancel_all`](Self::cancel_all) was called, or the body was left and no child is.
    pub fn is_closed(&self) -> bool {
        self.circle.is_closed()
    }

    /// Asks all children to end, and takes no more. The body goes on; that they were cancelled is no failure.
    pub fn cancel_all(&self) {
        self.circle.cancel_all();
    }
}

impl<E> Clone for ScopeHandle<'_, E> {
    fn clone(&self) -> Self {
        Self { circle: self.circle.clone() }
    }
}

impl<E> fmt::Debug for ScopeHandle<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeHandle").field("closed", &self.is_closed()).finish()
    }
}

impl<'env, E> Circle<'env, E> {
    fn new() -> Self {
        Self {
            members: RefCell::new(BTreeMap::new()),
            next: Cell::new(0),
            bell: Bell { due: RefCell::new(VecDeque::new()), poller: Cell::new(StoredWaker::NONE) },
            errors: RefCell::new(Vec::new()),
            home: Cell::new(None),
            aborting: Cell::new(false),
            left: Cell::new(false),
        }
    }

    fn spawn<T, F>(&self, future: F) -> ScopedChild<'env, T>
    where
        T: 'env,
        F: Future<Output = Result<T, E>> + 'env,
    {
        if self.is_closed() {
            return ScopedChild { child: None };
        }
        let number = self.next.get();
        self.next.set(number + 1);
        let link = Link {
            number,
            callback: Callback::new(Link::ring),
            bell: &raw const self.bell,
            is_due: Cell::new(false),
            cancelled: Cell::new(false),
            ended: Cell::new(false),
            waiter: Cell::new(StoredWaker::NONE),
        };
        let held =
            Held { link, future: UnsafeCell::new(Some(future)), nested: Cell::new(false), value: Cell::new(None) };
        let child = Rc::new(held);
        self.members.borrow_mut().insert(number, child.clone());
        // `Home`: it is a member.
        let poller = child.link.come();
        let child = ScopedChild { child: Some(child) };
        poller.wake();
        child
    }

    fn is_closed(&self) -> bool {
        self.aborting.get() || self.left.get() && self.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.members.borrow().is_empty()
    }

    fn cancel_all(&self) {
        self.aborting.set(true);
        let mut any = false;
        for member in self.members.borrow().values() {
            member.link().cancelled.set(true);
            any |= member.link().note();
        }
        if any {
            self.bell.poller().wake();
        }
    }

    /// The children have slots of the loop that runs here; when that is another one than before, all are due.
    fn settle_down(&self) {
        let here = Handle::current();
        if self.home.replace(here) == here && here.is_some() {
            return;
        }
        for member in self.members.borrow().values() {
            member.link().callback.disarm();
            member.link().note();
        }
    }

    /// Polls those that are due. True: one has failed, the first.
    ///
    /// # Safety
    /// `PolledHere`.
    unsafe fn poll_due(&self, here: Option<&'static Loop>, cx: &Context<'_>) -> bool {
        let mut due = core::mem::take(&mut *self.bell.due.borrow_mut());
        while let Some(number) = due.pop_front() {
            // SAFETY: by the caller's word.
            if unsafe { self.poll_one(number, here, cx) } {
                // Those that are due still are: they unwind, with all others.
                return true;
            }
        }
        if self.bell.due.borrow().is_empty() {
            *self.bell.due.borrow_mut() = due;
        }
        false
    }

    /// Unwinds all, in order of creation.
    ///
    /// # Safety
    /// `PolledHere`.
    unsafe fn unwind_all(&self, here: Option<&'static Loop>, cx: &Context<'_>) {
        let ends = self.aborting.replace(true);
        let mut next = 0;
        loop {
            let number = self.members.borrow().range(next..).next().map(|(number, member)| {
                // Who unwinds already goes on with that.
                if !ends {
                    member.link().cancelled.set(true);
                }
                *number
            });
            let Some(number) = number else { return };
            // SAFETY: by the caller's word.
            unsafe { self.poll_one(number, here, cx) };
            next = number + 1;
        }
    }

    /// Polls a child, if it is a member. True: it has failed, the first.
    ///
    /// # Safety
    /// `PolledHere`.
    unsafe fn poll_one(&self, number: u64, here: Option<&'static Loop>, cx: &Context<'_>) -> bool {
        let member = self.members.borrow().get(&number).cloned();
        let Some(member) = member else { return false };
        let link = member.link();
        link.is_due.set(false);
        // SAFETY: (both) by the caller's word; `Home`.
        let polled = unsafe {
            match here {
                Some(here) => member.poll(Some(here), &mut Context::from_waker(&waker::of(link.arm(here)))),
                None => member.poll(None, &mut Context::from_waker(cx.waker())),
            }
        };
        let Poll::Ready(error) = polled else { return false };
        link.end();
        self.members.borrow_mut().remove(&number);
        link.waiter.replace(StoredWaker::NONE).wake();
        let Some(error) = error else { return false };
        self.errors.borrow_mut().push(error);
        !self.aborting.get()
    }
}

/// Drops the children that are left, in order of creation, whatever their destructors do.
struct Leave<'a, 'env, E>(&'a Circle<'env, E>);

impl<E> Drop for Leave<'_, '_, E> {
    fn drop(&mut self) {
        let circle = self.0;
        circle.aborting.set(true);
        // If one of them panics.
        let again = Leave(circle);
        loop {
            let first = circle.members.borrow_mut().pop_first();
            let Some((_, member)) = first else { break };
            let link = member.link();
            link.end();
            // Who awaits it may be outside of the scope.
            let waiter = WakeLast(link.waiter.replace(StoredWaker::NONE));
            // SAFETY: `PolledHere`: the scope is not polled any more.
            unsafe { member.let_go() };
            drop(waiter);
        }
        core::mem::forget(again);
    }
}

/// Wakes who awaits a child, even if the drop of its future panics.
struct WakeLast(StoredWaker);

impl Drop for WakeLast {
    fn drop(&mut self) {
        core::mem::replace(&mut self.0, StoredWaker::NONE).wake();
    }
}

impl Bell {
    /// Whom to wake. That is foreign code, perhaps, and may be the end of the scope: nothing of it is referred to when
    /// the waker is called.
    fn poller(&self) -> StoredWaker {
        self.poller.replace(StoredWaker::NONE)
    }
}

impl Link {
    /// Its waker was called: what its callback does.
    unsafe fn ring(this: *const ()) {
        // SAFETY: `Home`: it is armed, so it is there; and a member, so the scope is there.
        unsafe { &*this.cast::<Self>() }.come().wake();
    }

    /// It is to be polled. Whom to wake for that.
    fn come(&self) -> StoredWaker {
        if self.note() {
            // SAFETY: `Home`: it is a member.
            unsafe { &*self.bell }.poller()
        } else {
            StoredWaker::NONE
        }
    }

    /// Notes that it is to be polled. False: that was known.
    fn note(&self) -> bool {
        let new = !self.is_due.replace(true);
        if new {
            // SAFETY: `Home`: it is a member.
            unsafe { &*self.bell }.due.borrow_mut().push_back(self.number);
        }
        new
    }

    /// The slot for its waker.
    fn arm(&self, here: &'static Loop) -> &'static Slot {
        // SAFETY: it is in an `Rc`, out of which it does not move.
        unsafe { Pin::new_unchecked(&self.callback) }.arm(here, ptr::from_ref(self).cast())
    }

    /// It is no member from here on.
    fn end(&self) {
        self.callback.disarm();
        self.ended.set(true);
    }
}

impl<F, T, E> Member<E> for Held<F, T>
where
    F: Future<Output = Result<T, E>>,
{
    fn link(&self) -> &Link {
        &self.link
    }

    unsafe fn poll(&self, here: Option<&'static Loop>, cx: &mut Context<'_>) -> Poll<Option<E>> {
        // SAFETY: `PolledHere`, by the caller's word; it is in an `Rc`, out of which it does not move.
        let mut future = unsafe { Pin::new_unchecked(&mut *self.future.get()) };
        let cancelled = self.link.cancelled.replace(false);
        let Some(here) = here else {
            // Nobody could tell scopes in it, which would wait.
            if cancelled {
                future.set(None);
                return Poll::Ready(None);
            }
            return self.ended(future.as_mut().as_pin_mut().map_or(Poll::Pending, |it| it.poll(cx)), future);
        };
        let mut nested = self.nested.get();
        here.set_unwinding(cancelled);
        let polled = {
            let _in_branch = here.ready().enter_branch();
            scope::poll_branch(future.as_mut(), &mut nested, cx)
        };
        here.set_unwinding(false);
        self.nested.set(nested);
        match polled {
            Poll::Ready(Err(Unwound)) => Poll::Ready(None),
            Poll::Ready(Ok(output)) => self.ended(Poll::Ready(output), future),
            Poll::Pending => Poll::Pending,
        }
    }

    unsafe fn let_go(&self) {
        // SAFETY: as above.
        unsafe { Pin::new_unchecked(&mut *self.future.get()) }.set(None);
    }
}

impl<F, T> Held<F, T> {
    /// What a poll has come to; at the end the future goes.
    fn ended<E>(&self, polled: Poll<Result<T, E>>, mut future: Pin<&mut Option<F>>) -> Poll<Option<E>> {
        polled.map(|output| {
            future.set(None);
            match output {
                Ok(value) => {
                    self.value.set(Some(value));
                    None
                }
                Err(error) => Some(error),
            }
        })
    }
}

impl<F, T> Gives<T> for Held<F, T> {
    fn link(&self) -> &Link {
        &self.link
    }

    fn value(&self) -> &Cell<Option<T>> {
        &self.value
    }
}

/// A child of a [`scope()`], and the right to its value.
///
/// Awaiting it gives `Ok` with the value, or [`Cancelled`] if the child was cancelled, or failed: its error is the scope's.
/// It belongs to the scope: dropping this does nothing to the child.
///
/// # Cancel safety
/// **Not safe.** Who awaits `child` itself and is dropped loses the value. Awaiting `&mut child` loses nothing: the child
/// goes on, and its value stays.
pub struct ScopedChild<'env, T> {
    /// None: it was not even started.
    child: Option<Rc<dyn Gives<T> + 'env>>,
}

impl<T> ScopedChild<'_, T> {
    fn alive(&self) -> Option<&Link> {
        self.child.as_ref().map(|child| child.link()).filter(|link| !link.ended.get())
    }

    /// Asks the child to end; it unwinds in the next turn. The scope goes on: a child that was cancelled has not failed.
    /// False: it has ended.
    pub fn cancel(&self) -> bool {
        let alive = self.alive();
        if let Some(link) = alive {
            link.cancelled.set(true);
            link.come().wake();
        }
        alive.is_some()
    }

    /// True once the child has returned or was cancelled.
    pub fn is_done(&self) -> bool {
        self.alive().is_none()
    }
}

impl<T> Future for ScopedChild<'_, T> {
    type Output = Result<T, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(link) = this.alive() {
            // A foreign waker's clone runs before the place is touched, and the drop of the old one after.
            let waker = StoredWaker::of(cx.waker());
            if !link.ended.get() {
                drop(link.waiter.replace(waker));
                return Poll::Pending;
            }
        }
        Poll::Ready(this.child.take().and_then(|child| child.value().take()).ok_or(Cancelled))
    }
}

impl<T> fmt::Debug for ScopedChild<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedChild").field("done", &self.is_done()).finish()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The body runs.
    Body,
    /// The body runs on though a child has failed: it stands in a scope that waits.
    Unwinding,
    /// The body was left.
    Exit,
}

/// A scope from its first poll to its end.
struct Running<'a, 'env, F, T, E> {
    circle: &'a Circle<'env, E>,
    body: Pin<&'a mut Option<F>>,
    /// There is a pending scope within the body.
    nested: bool,
    /// How the body was left, if not by being unwound.
    left: Option<Result<T, E>>,
    stage: Stage,
    /// The task unwinds, when the children have ended.
    cancelled: bool,
}

// No pin leads to what it holds.
impl<F, T, E> Unpin for Running<'_, '_, F, T, E> {}

impl<F: Future<Output = Result<T, E>>, T, E> Running<'_, '_, F, T, E> {
    /// Polls the body, which unwinds if the flag is up. True: it was left, and the children are to end.
    fn poll_body(&mut self, here: Option<&'static Loop>, cx: &mut Context<'_>) -> bool {
        match scope::poll(self.body.as_mut(), &mut self.nested, cx) {
            Poll::Ready(held) => {
                if let Some(here) = here {
                    here.set_unwinding(false);
                }
                self.leave_body(held.ok())
            }
            Poll::Pending => false,
        }
    }

    /// The body was left, if not by being unwound with what is given. True: the children are to end.
    fn leave_body(&mut self, left: Option<Result<T, E>>) -> bool {
        self.body.set(None);
        // It may be for a child that has failed; then there are errors to be told of, and this does not count.
        self.cancelled |= left.is_none();
        self.left = left;
        self.stage = Stage::Exit;
        self.circle.left.set(true);
        !matches!(self.left, Some(Ok(_)))
    }

    /// Unwinds the body, for a child has failed.
    fn unwind_body(&mut self, here: Option<&'static Loop>, cx: &mut Context<'_>) {
        self.stage = Stage::Unwinding;
        match here {
            Some(here) => {
                here.set_unwinding(true);
                self.poll_body(Some(here), cx);
            }
            // Nobody could tell scopes in it, which would wait.
            None => {
                self.leave_body(None);
            }
        }
    }

    /// A poll. The notes of the step are its caller's.
    fn proceed(&mut self, here: Option<&'static Loop>, cx: &mut Context<'_>) -> Poll<Result<T, GroupError<E>>> {
        let circle = self.circle;
        drop(circle.bell.poller.replace(StoredWaker::of(cx.waker())));
        circle.settle_down();
        let ends = if self.stage != Stage::Exit {
            self.poll_body(here, cx)
        } else {
            // A request that came while it waited. Further ones change nothing.
            let asked = here.is_some_and(|here| here.set_unwinding(false)) && !self.cancelled;
            self.cancelled |= asked;
            asked
        };
        // SAFETY: (both) `PolledHere`.
        unsafe {
            let failed = !ends && circle.poll_due(here, cx);
            if ends || failed {
                circle.unwind_all(here, cx);
            }
            if failed && self.stage == Stage::Body {
                self.unwind_body(here, cx);
            }
        }
        if self.stage != Stage::Exit || !circle.is_empty() {
            return Poll::Pending;
        }
        let mut errors = circle.errors.take();
        match self.left.take() {
            Some(Ok(value)) if errors.is_empty() && !self.cancelled => return Poll::Ready(Ok(value)),
            Some(Err(error)) => errors.push(error),
            _ => {}
        }
        if errors.is_empty() {
            // The next scope outside, or the task's root. Polled again, it does the same again.
            self.cancelled = true;
            scope::unwind_on();
            return Poll::Pending;
        }
        if let Some(task) = here.and_then(|here| here.ready().running_task(cx.waker())).filter(|it| it.is_task())
            && task.cancels() > 0
        {
            // Requests of others take effect at the next wait; their number stays.
            let outside = task.is_asked_from_outside();
            task.uncancel();
            if outside {
                task.cancel();
            } else {
                task.cancel_scope(Mark::NOTHING);
            }
        }
        Poll::Ready(Err(GroupError::new(errors)))
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for Running<'_, '_, F, T, E> {
    type Output = Result<T, GroupError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let here = current::find();
        // What was noted of the body and of children does not count when the scope is over.
        let beside = here.is_some_and(|here| here.ready().set_scoped(false));
        let polled = self.get_mut().proceed(here, cx);
        if let Some(here) = here {
            here.ready().set_scoped(beside || polled.is_pending());
        }
        polled
    }
}
