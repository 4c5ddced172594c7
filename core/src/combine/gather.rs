#![allow(unsafe_code)] // looks at outputs through a judge of their type
//! `gather`: the outcomes of several tasks, together.

use super::child::{Fallible, Judge, TryWaitable, Waitable};
use super::source::Source;
use super::watching::{Rule, Watching};
use crate::task::Cancelled;
use crate::task::watched::End;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Waits for several tasks, and gives what all have returned, in the order given. asyncio: `gather`.
///
/// It takes a tuple of up to six, an array, or a `Vec`, of tasks or references to tasks. For futures that are no tasks
/// there is [`join`](crate::join()). What is waited for twice is counted once.
///
/// ```
/// use corio::{gather, spawn};
/// # corio_sim::run(async {
/// let (number, word) = gather((spawn(async { 7 }), spawn(async { "seven" }))).await?;
/// assert_eq!((number, word), (7, "seven"));
///
/// let squares: Vec<_> = (1..=3).map(|n| spawn(async move { n * n })).collect();
/// assert_eq!(gather(squares).await?, [1, 4, 9]);
/// # Ok::<(), corio::Cancelled>(()) }).unwrap();
/// ```
///
/// It goes on two turns after the last task has ended, as asyncio's does; and at once if all have ended before.
///
/// # Cancellation
/// When the task that waits is cancelled, all tasks are, and it unwinds when they have ended.
///
/// # Cancel safety
/// **Not safe.** Dropping it drops the tasks that were given away, which cancels those; what they returned is lost.
/// Those that were lent go on, unless it is cancelled.
///
/// # Errors
/// [`Cancelled`] as soon as one of the tasks is. The others go on, those that were given away, too. With
/// [`outcomes`](Gather::outcomes) it waits for all, and tells how each has ended; [`try_gather`] ends with the first error.
///
/// # Panics
/// When it has to wait outside a loop.
pub fn gather<C: Tasks>(tasks: C) -> Gather<C> {
    Gather { watching: None, tasks: Some(tasks), _mode: PhantomData }
}

/// Waits for several tasks that return a `Result`, and gives all values, or the first error. asyncio: `gather`.
///
/// ```
/// use corio::{GatherError, spawn, try_gather};
/// # corio_sim::run(async {
/// let good = spawn(async { Ok::<_, String>(1) });
/// let bad = spawn(async { Err::<u8, _>("no".to_owned()) });
/// assert_eq!(try_gather((good, bad)).await, Err(GatherError::Failed("no".to_owned())));
/// # });
/// ```
///
/// All else is as with [`gather()`].
///
/// # Cancel safety
/// **Not safe.** As [`gather()`]: the tasks that were given away, and what they returned.
///
/// # Errors
/// The first error, or [`GatherError::Cancelled`] if a task was cancelled before one has failed. The others go on, those
/// that were given away, too.
///
/// # Panics
/// When it has to wait outside a loop.
pub fn try_gather<C: TryTasks>(tasks: C) -> Gather<C, First> {
    Gather { watching: None, tasks: Some(tasks), _mode: PhantomData }
}

/// A pending [`gather()`] or [`try_gather`].
#[must_use = "futures do nothing unless awaited"]
pub struct Gather<C, M = Values> {
    // Before the tasks, which it watches.
    watching: Option<Rc<Watching<GatherRule>>>,
    tasks: Option<C>,
    _mode: PhantomData<fn() -> M>,
}

impl<C: Tasks> Gather<C> {
    /// Waits for all, however they end, and gives the outcome of each. asyncio: `gather(…, return_exceptions=True)`.
    ///
    /// ```
    /// use corio::{Cancelled, gather, spawn};
    /// # corio_sim::run(async {
    /// let (one, two) = (spawn(async { 1 }), spawn(async { 2 }));
    /// two.cancel();
    /// assert_eq!(gather([one, two]).outcomes().await, [Ok(1), Err(Cancelled)]);
    /// # });
    /// ```
    ///
    /// # Cancel safety
    /// **Not safe.** As [`gather()`]: the tasks that were given away, and what they returned.
    pub fn outcomes(self) -> Gather<C, Outcomes> {
        Gather { watching: None, tasks: self.tasks, _mode: PhantomData }
    }
}

/// Why a [`try_gather`] gave no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GatherError<E> {
    /// A task has returned this error.
    Failed(E),
    /// A task was cancelled.
    Cancelled,
}

impl<E: fmt::Display> fmt::Display for GatherError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Cancelled => Cancelled.fmt(f),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for GatherError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Failed(error) => error.source(),
            Self::Cancelled => None,
        }
    }
}

/// When it is decided.
struct GatherRule {
    /// What the output of each child is looked at with; nothing if none counts as a failure.
    judges: Vec<Judge>,
    /// A cancelled child decides, not only a failed one.
    stops: bool,
    left: Cell<usize>,
    decided: Cell<bool>,
    /// The child that has decided for all.
    culprit: Cell<Option<usize>>,
    /// What decides is a cancellation: of that child, or a request.
    by_cancel: Cell<bool>,
    /// A request came when all children had ended: it counts whatever they have ended with.
    too_late: Cell<bool>,
}

impl Rule for GatherRule {
    fn ended(&self, index: usize, end: End) -> bool {
        self.left.set(self.left.get() - 1);
        if self.decided.get() {
            return false;
        }
        let stops = self.stops
            && match end {
                End::Cancelled => true,
                // SAFETY: of the child at this index, as its judge is.
                End::Output(output) => self.judges.get(index).is_some_and(|judge| unsafe { judge(output) }),
            };
        if stops {
            self.culprit.set(Some(index));
            self.by_cancel.set(end == End::Cancelled);
        }
        self.decided.set(stops || self.left.get() == 0);
        self.decided.get()
    }

    fn is_over(&self) -> bool {
        self.decided.get()
    }

    fn cancelled(&self, any: bool) {
        if any {
            self.by_cancel.set(true);
        } else {
            self.too_late.set(true);
        }
    }

    fn was_cancelled(&self) -> bool {
        self.decided.get() && (self.by_cancel.get() || self.too_late.get())
    }
}

impl GatherRule {
    fn new(left: usize, stops: bool, judges: Vec<Judge>) -> Self {
        Self {
            judges,
            stops,
            left: Cell::new(left),
            decided: Cell::new(left == 0),
            culprit: Cell::new(None),
            by_cancel: Cell::new(false),
            too_late: Cell::new(false),
        }
    }
}

impl<C: Tasks, M: Mode<C>> Future for Gather<C, M> {
    type Output = M::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<M::Output> {
        let this = self.get_mut();
        let Some(tasks) = &this.tasks else { return Poll::Pending };
        let culprit = match &this.watching {
            Some(watching) if watching.rule.decided.get() => watching.rule.culprit.get(),
            Some(watching) if watching.is_here() => {
                watching.wait(cx.waker());
                watching.note(cx.waker());
                return Poll::Pending;
            }
            _ => {
                let mut of = Vec::new();
                tasks.watched(&mut of);
                let rule = GatherRule::new(of.len(), M::STOPS, M::judges(tasks));
                for (index, watched) in of.iter().enumerate() {
                    if let Some(end) = watched.end() {
                        rule.ended(index, end);
                    }
                }
                if !rule.decided.get() {
                    let watching = Watching::new("gather()", of, rule);
                    watching.wait(cx.waker());
                    watching.note(cx.waker());
                    this.watching = Some(watching);
                    return Poll::Pending;
                }
                rule.culprit.get()
            }
        };
        this.watching = None;
        match this.tasks.take() {
            Some(tasks) => Poll::Ready(M::give(tasks, culprit)),
            None => Poll::Pending,
        }
    }
}

impl<C, M> fmt::Debug for Gather<C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gather")
    }
}

/// Several tasks, or references to tasks: a tuple of up to six, an array or a `Vec`.
pub trait Tasks: sealed::Tasks + Unpin + Sized {
    /// What all have returned.
    type Values;
    /// How all have ended.
    type Outcomes;

    #[doc(hidden)]
    fn watched(&self, of: &mut Vec<Source>);

    #[doc(hidden)]
    fn values(self) -> Result<Self::Values, Cancelled>;

    #[doc(hidden)]
    fn outcomes(self) -> Self::Outcomes;

    /// Lets all go on.
    #[doc(hidden)]
    fn let_go(self);
}

/// [`Tasks`] that all return a `Result`, with errors of one type.
pub trait TryTasks: Tasks {
    /// What all have returned that have not failed.
    type Oks;
    /// What they fail with.
    type Error;

    #[doc(hidden)]
    fn judges(&self) -> Vec<Judge>;

    #[doc(hidden)]
    fn oks(self) -> Result<Self::Oks, GatherError<Self::Error>>;

    /// The error of one; lets the others go on.
    #[doc(hidden)]
    fn error(self, index: usize) -> GatherError<Self::Error>;
}

/// What a [`Gather`] is after: [`Values`], [`Outcomes`] or the [`First`] error.
pub trait Mode<C>: sealed::Mode {
    /// What it gives.
    type Output;

    /// Whether one child may decide for all.
    #[doc(hidden)]
    const STOPS: bool;

    #[doc(hidden)]
    fn judges(tasks: &C) -> Vec<Judge>;

    #[doc(hidden)]
    fn give(tasks: C, culprit: Option<usize>) -> Self::Output;
}

mod sealed {
    pub trait Tasks {}
    pub trait Mode {}
}

/// Of a [`Gather`]: the values of all, or that one was cancelled.
#[derive(Debug)]
pub struct Values(());

/// Of a [`Gather`]: how each has ended.
#[derive(Debug)]
pub struct Outcomes(());

/// Of a [`Gather`]: the values of all, or the first error.
#[derive(Debug)]
pub struct First(());

impl sealed::Mode for Values {}
impl sealed::Mode for Outcomes {}
impl sealed::Mode for First {}

impl<C: Tasks> Mode<C> for Values {
    type Output = Result<C::Values, Cancelled>;
    const STOPS: bool = true;

    fn judges(_: &C) -> Vec<Judge> {
        Vec::new()
    }

    fn give(tasks: C, culprit: Option<usize>) -> Self::Output {
        if culprit.is_some() {
            tasks.let_go();
            return Err(Cancelled);
        }
        tasks.values()
    }
}

impl<C: Tasks> Mode<C> for Outcomes {
    type Output = C::Outcomes;
    const STOPS: bool = false;

    fn judges(_: &C) -> Vec<Judge> {
        Vec::new()
    }

    fn give(tasks: C, _: Option<usize>) -> Self::Output {
        tasks.outcomes()
    }
}

impl<C: TryTasks> Mode<C> for First {
    type Output = Result<C::Oks, GatherError<C::Error>>;
    const STOPS: bool = true;

    fn judges(tasks: &C) -> Vec<Judge> {
        tasks.judges()
    }

    fn give(tasks: C, culprit: Option<usize>) -> Self::Output {
        match culprit {
            Some(index) => Err(tasks.error(index)),
            None => tasks.oks(),
        }
    }
}

/// The value of a task that has ended; its error if it has failed.
fn ok<C: TryWaitable>(task: C) -> Result<OkOf<C>, GatherError<ErrorOf<C>>> {
    match task.take() {
        Ok(output) => output.into_result().map_err(GatherError::Failed),
        Err(Cancelled) => Err(GatherError::Cancelled),
    }
}

type OkOf<C> = <<C as Waitable>::Output as Fallible>::Value;
type ErrorOf<C> = <<C as Waitable>::Output as Fallible>::Error;

/// The error of the task at `index`; lets the others go on.
fn error_of<C: TryWaitable>(tasks: impl IntoIterator<Item = C>, index: usize) -> GatherError<ErrorOf<C>> {
    let mut found = GatherError::Cancelled;
    for (at, task) in tasks.into_iter().enumerate() {
        if at != index {
            task.let_go();
        } else if let Err(error) = ok(task) {
            found = error;
        }
    }
    found
}

impl<C: Waitable> sealed::Tasks for Vec<C> {}

impl<C: Waitable> Tasks for Vec<C> {
    type Values = Vec<C::Output>;
    type Outcomes = Vec<Result<C::Output, Cancelled>>;

    fn watched(&self, of: &mut Vec<Source>) {
        of.extend(self.iter().map(C::watched));
    }

    fn values(self) -> Result<Self::Values, Cancelled> {
        self.into_iter().map(C::take).collect()
    }

    fn outcomes(self) -> Self::Outcomes {
        self.into_iter().map(C::take).collect()
    }

    fn let_go(self) {
        self.into_iter().for_each(C::let_go);
    }
}

impl<C: TryWaitable> TryTasks for Vec<C> {
    type Oks = Vec<OkOf<C>>;
    type Error = ErrorOf<C>;

    fn judges(&self) -> Vec<Judge> {
        self.iter().map(|_| C::JUDGE).collect()
    }

    fn oks(self) -> Result<Self::Oks, GatherError<Self::Error>> {
        self.into_iter().map(ok).collect()
    }

    fn error(self, index: usize) -> GatherError<Self::Error> {
        error_of(self, index)
    }
}

impl<C: Waitable, const N: usize> sealed::Tasks for [C; N] {}

impl<C: Waitable, const N: usize> Tasks for [C; N] {
    type Values = [C::Output; N];
    type Outcomes = [Result<C::Output, Cancelled>; N];

    fn watched(&self, of: &mut Vec<Source>) {
        of.extend(self.iter().map(C::watched));
    }

    fn values(self) -> Result<Self::Values, Cancelled> {
        all(self.map(C::take))
    }

    fn outcomes(self) -> Self::Outcomes {
        self.map(C::take)
    }

    fn let_go(self) {
        self.into_iter().for_each(C::let_go);
    }
}

impl<C: TryWaitable, const N: usize> TryTasks for [C; N] {
    type Oks = [OkOf<C>; N];
    type Error = ErrorOf<C>;

    fn judges(&self) -> Vec<Judge> {
        self.iter().map(|_| C::JUDGE).collect()
    }

    fn oks(self) -> Result<Self::Oks, GatherError<Self::Error>> {
        all(self.map(ok))
    }

    fn error(self, index: usize) -> GatherError<Self::Error> {
        error_of(self, index)
    }
}

/// All values, or the first error.
fn all<T, E, const N: usize>(results: [Result<T, E>; N]) -> Result<[T; N], E> {
    let values = results.into_iter().collect::<Result<Vec<T>, E>>()?;
    match values.try_into() {
        Ok(values) => Ok(values),
        Err(_) => unreachable!("as many as there were"),
    }
}

macro_rules! tuple {
    ($($task:ident $index:tt),*) => {
        impl<$($task: Waitable),*> sealed::Tasks for ($($task,)*) {}

        impl<$($task: Waitable),*> Tasks for ($($task,)*) {
            type Values = ($($task::Output,)*);
            type Outcomes = ($(Result<$task::Output, Cancelled>,)*);

            fn watched(&self, of: &mut Vec<Source>) {
                of.extend([$(self.$index.watched()),*]);
            }

            fn values(self) -> Result<Self::Values, Cancelled> {
                Ok(($(self.$index.take()?,)*))
            }

            fn outcomes(self) -> Self::Outcomes {
                ($(self.$index.take(),)*)
            }

            fn let_go(self) {
                $(self.$index.let_go();)*
            }
        }

        impl<Failure, $($task),*> TryTasks for ($($task,)*)
        where
            $($task: TryWaitable<Output: Fallible<Error = Failure>>),*
        {
            type Oks = ($(OkOf<$task>,)*);
            type Error = Failure;

            fn judges(&self) -> Vec<Judge> {
                alloc::vec![$($task::JUDGE),*]
            }

            fn oks(self) -> Result<Self::Oks, GatherError<Failure>> {
                Ok(($(ok(self.$index)?,)*))
            }

            fn error(self, index: usize) -> GatherError<Failure> {
                let mut found = GatherError::Cancelled;
                $(
                    if index != $index {
                        self.$index.let_go();
                    } else if let Err(error) = ok(self.$index) {
                        found = error;
                    }
                )*
                found
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
