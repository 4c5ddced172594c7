#![allow(unsafe_code)] // projects pins into tuples and rows
//! What `join`, `select` and `staggered_race` take: tuples, arrays and, with an allocator, vectors of futures.
//!
//! Invariant `Rows`: a pinned collection of branches pins each of them; none is moved out of it.

use super::branch::{Branch, Pass};
use super::select::{Either, Either3, Either4, Either5, Either6};
use core::future::{Future, IntoFuture};
use core::pin::Pin;

/// Several futures: a tuple of up to six, an array, or with the feature `alloc` a `Vec`.
pub trait Futures: sealed::Sealed + Sized {
    /// What they come to, all of them: a tuple, an array or a `Vec`.
    type All;
    /// What the first of them comes to, and which it was: an [`Either`], or an index beside it.
    type First;

    #[doc(hidden)]
    type Branches;

    #[doc(hidden)]
    fn branches(self) -> Self::Branches;

    /// Polls all that are pending.
    #[doc(hidden)]
    fn poll_all(branches: Pin<&mut Self::Branches>, pass: &mut Pass<'_, '_>);

    /// What all have come to.
    #[doc(hidden)]
    fn take(branches: Pin<&mut Self::Branches>) -> Option<Self::All>;

    /// Polls in order, until one is ready.
    #[doc(hidden)]
    fn poll_first(branches: Pin<&mut Self::Branches>, pass: &mut Pass<'_, '_>) -> Option<Self::First>;

    /// Drops what is left, in order.
    #[doc(hidden)]
    fn clear(branches: Pin<&mut Self::Branches>);
}

/// Futures of one type: an array, or with the feature `alloc` a `Vec`.
pub trait Row: sealed::Sealed + Sized {
    /// What each comes to.
    type Item;
    /// As many of another type.
    type Of<T>;

    #[doc(hidden)]
    type Future: Future<Output = Self::Item>;
    #[doc(hidden)]
    type Branches;

    #[doc(hidden)]
    fn branches(self) -> Self::Branches;

    #[doc(hidden)]
    fn slice(branches: Pin<&mut Self::Branches>) -> Pin<&mut [Branch<Self::Future>]>;

    /// As many as there are branches; none if `item` has none for one of them.
    #[doc(hidden)]
    fn collect<T>(count: usize, item: impl FnMut(usize) -> Option<T>) -> Option<Self::Of<T>>;
}

mod sealed {
    pub trait Sealed {}
}

/// The branch at `index`.
pub(super) fn at<'a, F: Future>(row: &'a mut Pin<&mut [Branch<F>]>, index: usize) -> Pin<&'a mut Branch<F>> {
    // SAFETY: `Rows`.
    unsafe { row.as_mut().map_unchecked_mut(|row| &mut row[index]) }
}

impl<R: Row> Futures for R {
    type All = R::Of<R::Item>;
    type First = (usize, R::Item);
    type Branches = R::Branches;

    fn branches(self) -> Self::Branches {
        Row::branches(self)
    }

    fn poll_all(branches: Pin<&mut Self::Branches>, pass: &mut Pass<'_, '_>) {
        let mut row = R::slice(branches);
        for index in 0..row.len() {
            at(&mut row, index).poll_to_keep(pass);
        }
    }

    fn take(branches: Pin<&mut Self::Branches>) -> Option<Self::All> {
        let mut row = R::slice(branches);
        R::collect(row.len(), |index| at(&mut row, index).take())
    }

    fn poll_first(branches: Pin<&mut Self::Branches>, pass: &mut Pass<'_, '_>) -> Option<Self::First> {
        let mut row = R::slice(branches);
        (0..row.len()).find_map(|index| Some((index, at(&mut row, index).poll(pass)?)))
    }

    fn clear(branches: Pin<&mut Self::Branches>) {
        let mut row = R::slice(branches);
        for index in 0..row.len() {
            at(&mut row, index).set(Branch::Gone);
        }
    }
}

impl<F: IntoFuture, const N: usize> sealed::Sealed for [F; N] {}

impl<F: IntoFuture, const N: usize> Row for [F; N] {
    type Item = F::Output;
    type Of<T> = [T; N];
    type Future = F::IntoFuture;
    type Branches = [Branch<F::IntoFuture>; N];

    fn branches(self) -> Self::Branches {
        self.map(|future| Branch::new(future.into_future()))
    }

    fn slice(branches: Pin<&mut Self::Branches>) -> Pin<&mut [Branch<Self::Future>]> {
        // SAFETY: `Rows`.
        unsafe { branches.map_unchecked_mut(|branches| branches.as_mut_slice()) }
    }

    fn collect<T>(_count: usize, mut item: impl FnMut(usize) -> Option<T>) -> Option<[T; N]> {
        let items: [Option<T>; N] = core::array::from_fn(&mut item);
        items.iter().all(Option::is_some).then(|| items.map(|item| item.expect("seen just now")))
    }
}

#[cfg(feature = "alloc")]
mod vector {
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec::Vec;

    impl<F: IntoFuture> sealed::Sealed for Vec<F> {}

    impl<F: IntoFuture> Row for Vec<F> {
        type Item = F::Output;
        type Of<T> = Vec<T>;
        type Future = F::IntoFuture;
        type Branches = Pin<Box<[Branch<F::IntoFuture>]>>;

        fn branches(self) -> Self::Branches {
            self.into_iter().map(|future| Branch::new(future.into_future())).collect::<Box<[_]>>().into()
        }

        fn slice(branches: Pin<&mut Self::Branches>) -> Pin<&mut [Branch<Self::Future>]> {
            branches.get_mut().as_mut()
        }

        fn collect<T>(count: usize, item: impl FnMut(usize) -> Option<T>) -> Option<Vec<T>> {
            (0..count).map(item).collect()
        }
    }
}

macro_rules! tuple {
    ($either:ident $($future:ident $index:tt $variant:ident),*) => {
        impl<$($future: IntoFuture),*> sealed::Sealed for ($($future,)*) {}

        impl<$($future: IntoFuture),*> Futures for ($($future,)*) {
            type All = ($($future::Output,)*);
            type First = $either<$($future::Output),*>;
            type Branches = ($(Branch<$future::IntoFuture>,)*);

            fn branches(self) -> Self::Branches {
                ($(Branch::new(self.$index.into_future()),)*)
            }

            fn poll_all(mut branches: Pin<&mut Self::Branches>, pass: &mut Pass<'_, '_>) {
                // SAFETY: (of all) `Rows`.
                $(unsafe { branches.as_mut().map_unchecked_mut(|all| &mut all.$index) }.poll_to_keep(pass);)*
            }

            fn take(mut branches: Pin<&mut Self::Branches>) -> Option<Self::All> {
                // SAFETY: (of all) `Rows`.
                Some(($(unsafe { branches.as_mut().map_unchecked_mut(|all| &mut all.$index) }.take()?,)*))
            }

            fn poll_first(mut branches: Pin<&mut Self::Branches>, pass: &mut Pass<'_, '_>) -> Option<Self::First> {
                $(
                    // SAFETY: `Rows`.
                    let branch = unsafe { branches.as_mut().map_unchecked_mut(|all| &mut all.$index) };
                    if let Some(output) = branch.poll(pass) {
                        return Some($either::$variant(output));
                    }
                )*
                None
            }

            fn clear(mut branches: Pin<&mut Self::Branches>) {
                // SAFETY: (of all) `Rows`.
                $(unsafe { branches.as_mut().map_unchecked_mut(|all| &mut all.$index) }.set(Branch::Gone);)*
            }
        }
    };
}

tuple!(Either A 0 First, B 1 Second);
tuple!(Either3 A 0 First, B 1 Second, C 2 Third);
tuple!(Either4 A 0 First, B 1 Second, C 2 Third, D 3 Fourth);
tuple!(Either5 A 0 First, B 1 Second, C 2 Third, D 3 Fourth, E 4 Fifth);
tuple!(Either6 A 0 First, B 1 Second, C 2 Third, D 3 Fourth, E 4 Fifth, F 5 Sixth);
