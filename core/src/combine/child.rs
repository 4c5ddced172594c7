#![allow(unsafe_code)] // reads the output of a task that is watched
//! `Waitable`: what `gather`, `wait`, `as_completed` and `shield` take: tasks, given or lent.

use super::select::Either;
use super::source::Source;
use crate::future::Future as Settable;
use crate::task::watched::Watched;
use crate::task::{Cancelled, Child, Task};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// Something that ends and that many may wait for: a [`Task`], or a [`Child`] of a group, given away or lent, or a settable
/// [`Future`](crate::Future).
///
/// | given | its output | dropped before the end |
/// |---|---|---|
/// | `Task<T>` | `T` | cancels it |
/// | `&mut Task<T>` | `T` | it goes on |
/// | `&Task<T>` | `&T` | it goes on |
/// | `Child<T>`, `&mut Child<T>` | `T` | it goes on |
/// | `&Child<T>` | `&T` | it goes on |
/// | `&Rc<Future<T>>` | `&T` | it stays pending |
/// | [`Either`] of two | what both have | as the one that it is |
///
/// A child that fails counts as cancelled here, for its error is the group's.
pub trait Waitable: sealed::Sealed + Unpin + Sized {
    /// What it returns.
    type Value;
    /// How that is handed out.
    type Output;

    /// Whether one task may be there several times.
    #[doc(hidden)]
    const SHARED: bool;

    #[doc(hidden)]
    fn watched(&self) -> Source;

    /// How it has ended. It has.
    #[doc(hidden)]
    fn take(self) -> Result<Self::Output, Cancelled>;

    /// Lets it go on without anybody.
    #[doc(hidden)]
    fn let_go(self);
}

/// An output that says whether it is a failure: a `Result`, or a reference to one.
pub trait Fallible: sealed::Fallible {
    /// What it holds if it is none.
    type Value;
    /// What it holds if it is one.
    type Error;

    /// As a `Result`.
    fn into_result(self) -> Result<Self::Value, Self::Error>;
}

mod sealed {
    pub trait Sealed {}
    pub trait Fallible {}
}

impl<T, E> sealed::Fallible for Result<T, E> {}
impl<T, E> sealed::Fallible for &Result<T, E> {}

impl<T, E> Fallible for Result<T, E> {
    type Value = T;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

impl<'a, T, E> Fallible for &'a Result<T, E> {
    type Value = &'a T;
    type Error = &'a E;

    fn into_result(self) -> Result<&'a T, &'a E> {
        self.as_ref()
    }
}

impl<T: 'static> sealed::Sealed for &Rc<Settable<T>> {}

impl<'a, T: 'static> Waitable for &'a Rc<Settable<T>> {
    type Value = T;
    type Output = &'a T;
    const SHARED: bool = true;

    fn watched(&self) -> Source {
        Source::Future(Rc::clone(self) as _)
    }

    fn take(self) -> Result<&'a T, Cancelled> {
        match self.outcome() {
            Some(outcome) => outcome,
            None => unreachable!("it has ended"),
        }
    }

    fn let_go(self) {}
}

impl<A, B> sealed::Sealed for Either<A, B> {}

impl<A: Waitable, B: Waitable<Value = A::Value, Output = A::Output>> Waitable for Either<A, B> {
    type Value = A::Value;
    type Output = A::Output;
    const SHARED: bool = A::SHARED || B::SHARED;

    fn watched(&self) -> Source {
        match self {
            Self::First(a) => a.watched(),
            Self::Second(b) => b.watched(),
        }
    }

    fn take(self) -> Result<A::Output, Cancelled> {
        match self {
            Self::First(a) => a.take(),
            Self::Second(b) => b.take(),
        }
    }

    fn let_go(self) {
        match self {
            Self::First(a) => a.let_go(),
            Self::Second(b) => b.let_go(),
        }
    }
}

/// Looks at an output, of the type that it is for, whether it is a failure.
pub(super) type Judge = unsafe fn(*const ()) -> bool;

/// A [`Waitable`] whose value is a `Result`.
pub trait TryWaitable: Waitable<Output: Fallible> {
    #[doc(hidden)]
    const JUDGE: Judge;
}

impl<T, E, C> TryWaitable for C
where
    C: Waitable<Value = Result<T, E>, Output: Fallible>,
{
    // SAFETY: called with an output of the type that it is for.
    const JUDGE: Judge = |output| unsafe { &*output.cast::<Result<T, E>>() }.is_err();
}

/// Each of them once, in the order in which they first come.
pub(super) fn distinct<C: Waitable>(all: impl IntoIterator<Item = C>) -> Vec<C> {
    let mut all: Vec<C> = all.into_iter().collect();
    if C::SHARED && all.len() > 1 {
        let mut order: Vec<_> = all.iter().map(|task| task.watched().name()).zip(0..).collect();
        order.sort_unstable();
        let mut first = alloc::vec![true; all.len()];
        for pair in order.windows(2) {
            if pair[0].0.is_some() && pair[0].0 == pair[1].0 {
                first[pair[1].1] = false;
            }
        }
        let mut first = first.into_iter();
        all.retain(|_| first.next() != Some(false));
    }
    all
}

/// What a handle of a task is as a `Waitable`: given away, lent for good, or lent to be looked at.
macro_rules! handle {
    ($handle:ident, $let_go:expr) => {
        impl<T> sealed::Sealed for $handle<T> {}
        impl<T> sealed::Sealed for &mut $handle<T> {}
        impl<T> sealed::Sealed for &$handle<T> {}

        impl<T> Waitable for $handle<T> {
            type Value = T;
            type Output = T;
            const SHARED: bool = false;

            fn watched(&self) -> Source {
                Source::Task(Watched::task(self.slot()))
            }

            fn take(mut self) -> Result<T, Cancelled> {
                (&mut self).take()
            }

            fn let_go(self) {
                $let_go(self);
            }
        }

        impl<T> Waitable for &mut $handle<T> {
            type Value = T;
            type Output = T;
            const SHARED: bool = false;

            fn watched(&self) -> Source {
                Source::Task(Watched::task(self.slot()))
            }

            fn take(self) -> Result<T, Cancelled> {
                match Pin::new(self).poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending => unreachable!("it has ended"),
                }
            }

            fn let_go(self) {}
        }

        impl<'a, T> Waitable for &'a $handle<T> {
            type Value = T;
            type Output = &'a T;
            const SHARED: bool = true;

            fn watched(&self) -> Source {
                Source::Task(Watched::task(self.slot()))
            }

            fn take(self) -> Result<&'a T, Cancelled> {
                match self.outcome() {
                    Some(outcome) => outcome,
                    None => unreachable!("it has ended"),
                }
            }

            fn let_go(self) {}
        }
    };
}

handle!(Task, Task::detach);
handle!(Child, drop);
