#![allow(unsafe_code)] // places that are filled and emptied in turn
//! `Ring<T, N>`: up to `N` items in a circle, first in, first out.
//!
//! Where the first is and how many there are says all; no flag tells full from empty, no division finds a place.
//!
//! Invariant `Filled`: `first < N`, `len <= N`, and the `len` places from `first` on, past the end to the beginning, hold
//! an item each; no other does.

use crate::wait::to_the_end;
use core::fmt;
use core::mem::MaybeUninit;

pub(super) struct Ring<T, const N: usize> {
    first: usize,
    len: usize,
    places: [MaybeUninit<T>; N],
}

impl<T, const N: usize> Ring<T, N> {
    pub(super) const fn new() -> Self {
        Self { first: 0, len: 0, places: [const { MaybeUninit::uninit() }; N] }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The place `n` behind the first; `n <= N`.
    #[inline]
    fn behind(&self, n: usize) -> usize {
        let at = self.first + n;
        if at >= N { at - N } else { at }
    }

    #[inline]
    pub(super) fn push(&mut self, item: T) -> Result<(), T> {
        if self.len == N {
            return Err(item);
        }
        let at = self.behind(self.len);
        self.len += 1;
        // SAFETY: `Filled`: both were below N, so their sum less N is too, and nothing was in that place.
        unsafe { self.places.get_unchecked_mut(at) }.write(item);
        Ok(())
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        // SAFETY: `Filled`: the first holds an item, and is not the first from the next line on.
        let item = unsafe { self.places.get_unchecked(self.first).assume_init_read() };
        self.first = self.behind(1);
        self.len -= 1;
        Some(item)
    }
}

impl<T, const N: usize> Drop for Ring<T, N> {
    fn drop(&mut self) {
        if core::mem::needs_drop::<T>() {
            to_the_end(|| self.pop().is_some());
        }
    }
}

impl<T: fmt::Debug, const N: usize> fmt::Debug for Ring<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = (0..self.len).map(|n| &self.places[self.behind(n)]);
        // SAFETY: `Filled`.
        f.debug_list().entries(places.map(|place| unsafe { place.assume_init_ref() })).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Ring;
    use alloc::collections::VecDeque;
    use alloc::format;
    use alloc::rc::Rc;

    #[test]
    fn goes_round() {
        let mut ring = Ring::<_, 3>::new();
        let mut model = VecDeque::new();
        // Ever two in and one out, at all positions of the circle.
        for i in 0..30 {
            let full = model.len() == 3;
            assert_eq!(ring.push(i).is_err(), full);
            if !full {
                model.push_back(i);
            }
            if i % 2 == 0 || i % 7 == 0 {
                assert_eq!(ring.pop(), model.pop_front());
            }
            assert_eq!(ring.len(), model.len());
            assert_eq!(format!("{ring:?}"), format!("{model:?}"));
        }
    }

    #[test]
    fn drops_what_is_in() {
        let count = Rc::new(());
        let mut ring = Ring::<_, 4>::new();
        for _ in 0..3 {
            assert!(ring.push(count.clone()).is_ok());
            drop(ring.pop());
            assert!(ring.push(count.clone()).is_ok());
        }
        assert_eq!(Rc::strong_count(&count), 4);
        drop(ring);
        assert_eq!(Rc::strong_count(&count), 1);
    }
}
