#![allow(unsafe_code)] // a list in place, whose items are there up to a number
//! What has failed in a group.

use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr;

/// What has failed in a [`group()`](crate::group()). asyncio: `ExceptionGroup`.
///
/// There is at least one error. In a group within a group the errors may be such groups. `L` is where they are: on the heap, or
/// in place, as of a group of a [`TaskPool`](crate::TaskPool): see [`FewErrors`].
#[cfg(feature = "alloc")]
#[derive(Clone, PartialEq, Eq)]
pub struct GroupError<E, L = alloc::vec::Vec<E>> {
    errors: L,
    _errors: PhantomData<E>,
}

/// What has failed in a group. asyncio: `ExceptionGroup`.
///
/// There is at least one error. In a group within a group the errors may be such groups. `L` is where they are: see
/// [`FewErrors`].
#[cfg(not(feature = "alloc"))]
#[derive(Clone, PartialEq, Eq)]
pub struct GroupError<E, L> {
    errors: L,
    _errors: PhantomData<E>,
}

/// Where the errors of a group are.
pub trait Errors<E>: AsRef<[E]> + IntoIterator<Item = E> + Default + sealed::Sealed {
    #[doc(hidden)]
    fn push(&mut self, error: E);
}

mod sealed {
    pub trait Sealed {}
}

impl<E, L: Errors<E>> GroupError<E, L> {
    pub(super) fn new(errors: L) -> Self {
        Self { errors, _errors: PhantomData }
    }

    /// The children's errors in the order in which they failed, and the body's last.
    pub fn errors(&self) -> &[E] {
        self.errors.as_ref()
    }

    /// The error that came first.
    pub fn into_first(self) -> E {
        self.errors.into_iter().next().expect("there is at least one")
    }
}

impl<E, L: Errors<E>> IntoIterator for GroupError<E, L> {
    type Item = E;
    type IntoIter = L::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.into_iter()
    }
}

impl<E: fmt::Debug, L: Errors<E>> fmt::Debug for GroupError<E, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupError").field(&self.errors()).finish()
    }
}

impl<E: fmt::Display, L: Errors<E>> fmt::Display for GroupError<E, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "failed in a group: ";
        for error in self.errors() {
            write!(f, "{before}{error}")?;
            before = "; ";
        }
        Ok(())
    }
}

impl<E: fmt::Debug + fmt::Display, L: Errors<E>> core::error::Error for GroupError<E, L> {}

#[cfg(feature = "alloc")]
impl<E> sealed::Sealed for alloc::vec::Vec<E> {}

#[cfg(feature = "alloc")]
impl<E> Errors<E> for alloc::vec::Vec<E> {
    fn push(&mut self, error: E) {
        self.push(error);
    }
}

/// Room for the errors of a group whose children live in a pool of `N` places: one of each, and the body's.
///
/// That is enough whatever happens: a group takes no more children once it was told of a failure, and a child keeps its
/// place until the group was told of its end. So no error is ever lost for want of room.
///
/// Invariant `Filled`: the first `len` places are filled, and no others; `len <= N + 1`.
pub struct FewErrors<E, const N: usize> {
    len: usize,
    row: Row<E, N>,
}

/// `N + 1` places: the fields lie one behind the other, being of one type.
#[repr(C)]
struct Row<E, const N: usize> {
    places: [MaybeUninit<E>; N],
    one_more: MaybeUninit<E>,
}

impl<E, const N: usize> FewErrors<E, N> {
    fn places(&mut self) -> *mut E {
        (&raw mut self.row).cast()
    }
}

impl<E, const N: usize> sealed::Sealed for FewErrors<E, N> {}

impl<E, const N: usize> Errors<E> for FewErrors<E, N> {
    fn push(&mut self, error: E) {
        assert!(self.len <= N, "a group has more children than its pool has places");
        // SAFETY: `Filled`: there are `N + 1` places, and this one is free.
        unsafe { self.places().add(self.len).write(error) };
        self.len += 1;
    }
}

impl<E, const N: usize> Default for FewErrors<E, N> {
    fn default() -> Self {
        let row = Row { places: [const { MaybeUninit::uninit() }; N], one_more: MaybeUninit::uninit() };
        Self { len: 0, row }
    }
}

impl<E, const N: usize> AsRef<[E]> for FewErrors<E, N> {
    fn as_ref(&self) -> &[E] {
        // SAFETY: `Filled`.
        unsafe { core::slice::from_raw_parts((&raw const self.row).cast(), self.len) }
    }
}

impl<E, const N: usize> IntoIterator for FewErrors<E, N> {
    type Item = E;
    type IntoIter = FewErrorsIter<E, N>;

    fn into_iter(self) -> FewErrorsIter<E, N> {
        let mut errors = ManuallyDrop::new(self);
        // SAFETY: it is read once; what it holds is the iterator's from here on.
        let row = unsafe { ptr::read(&raw mut errors.row) };
        FewErrorsIter { at: 0, len: errors.len, row }
    }
}

impl<E, const N: usize> Drop for FewErrors<E, N> {
    fn drop(&mut self) {
        // SAFETY: `Filled`; they are dropped once.
        unsafe { ptr::slice_from_raw_parts_mut(self.places(), self.len).drop_in_place() };
    }
}

impl<E: Clone, const N: usize> Clone for FewErrors<E, N> {
    fn clone(&self) -> Self {
        let mut errors = Self::default();
        self.as_ref().iter().cloned().for_each(|error| errors.push(error));
        errors
    }
}

impl<E: PartialEq, const N: usize> PartialEq for FewErrors<E, N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl<E: Eq, const N: usize> Eq for FewErrors<E, N> {}

impl<E: fmt::Debug, const N: usize> fmt::Debug for FewErrors<E, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

/// The errors of a [`FewErrors`], in order.
///
/// Invariant `Left`: the places from `at` up to `len` are filled, and no others.
pub struct FewErrorsIter<E, const N: usize> {
    at: usize,
    len: usize,
    row: Row<E, N>,
}

impl<E, const N: usize> Iterator for FewErrorsIter<E, N> {
    type Item = E;

    fn next(&mut self) -> Option<E> {
        if self.at == self.len {
            return None;
        }
        self.at += 1;
        // SAFETY: `Left`, until the line before; it is given away once.
        Some(unsafe { (&raw const self.row).cast::<E>().add(self.at - 1).read() })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len - self.at, Some(self.len - self.at))
    }
}

impl<E, const N: usize> ExactSizeIterator for FewErrorsIter<E, N> {}

impl<E, const N: usize> Drop for FewErrorsIter<E, N> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

impl<E, const N: usize> fmt::Debug for FewErrorsIter<E, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FewErrorsIter").field("left", &(self.len - self.at)).finish()
    }
}
