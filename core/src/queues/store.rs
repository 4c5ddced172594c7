//! Where a queue keeps its items, and in which order they leave: inline with a capacity known when the program is
//! compiled, or on the heap with one given at run time.

use super::ring::Ring;
use crate::sync::Holder;
use crate::wait::Guarded;

/// The items of a queue. The stores that there are are in this module; others cannot be, for they would run under the
/// queue's lock.
#[expect(private_bounds, reason = "which is what keeps others out")]
pub trait Store<T>: Guarded {
    /// Puts `item` in.
    ///
    /// # Errors
    /// The item, if it finds no room.
    fn push(&mut self, item: T) -> Result<(), T>;
    /// Takes the item whose turn it is.
    fn pop(&mut self) -> Option<T>;
    /// How many are in.
    fn len(&self) -> usize;
    /// True when none is in.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// How many fit; none if there is no limit.
    fn capacity(&self) -> Option<usize>;
    /// True when no more fit.
    #[inline]
    fn is_full(&self) -> bool {
        self.capacity().is_some_and(|capacity| self.len() >= capacity)
    }
}

/// First in, first out, inline.
#[derive(Debug)]
pub struct Fifo<T, const N: usize>(Ring<T, N>);

/// Last in, first out, inline.
#[derive(Debug)]
pub struct Lifo<T, const N: usize>(heapless::Vec<T, N>);

/// Smallest first, inline. Of equal items the earlier may leave later.
pub struct Priority<T, const N: usize>(heapless::BinaryHeap<T, heapless::binary_heap::Min, N>);

impl<T: Ord + core::fmt::Debug, const N: usize> core::fmt::Debug for Priority<T, N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl<T, const N: usize> Fifo<T, N> {
    /// An empty store.
    pub const fn new() -> Self {
        const { assert!(N > 0, "a queue for no items can never be put to") };
        Self(Ring::new())
    }
}

impl<T, const N: usize> Lifo<T, N> {
    /// An empty store.
    pub const fn new() -> Self {
        const { assert!(N > 0, "a queue for no items can never be put to") };
        Self(heapless::Vec::new())
    }
}

impl<T: Ord, const N: usize> Priority<T, N> {
    /// An empty store.
    pub const fn new() -> Self {
        const { assert!(N > 0, "a queue for no items can never be put to") };
        Self(heapless::BinaryHeap::new())
    }
}

impl<T, const N: usize> Default for Fifo<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Default for Lifo<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Ord, const N: usize> Default for Priority<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Guarded for Fifo<T, N> {
    type Guard = ();
}

impl<T, const N: usize> Store<T> for Fifo<T, N> {
    #[inline]
    fn push(&mut self, item: T) -> Result<(), T> {
        self.0.push(item)
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn capacity(&self) -> Option<usize> {
        Some(N)
    }
}

impl<T, const N: usize> Guarded for Lifo<T, N> {
    type Guard = ();
}

impl<T, const N: usize> Store<T> for Lifo<T, N> {
    #[inline]
    fn push(&mut self, item: T) -> Result<(), T> {
        self.0.push(item)
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn capacity(&self) -> Option<usize> {
        Some(N)
    }
}

impl<T, const N: usize> Guarded for Priority<T, N> {
    type Guard = Holder;
}

impl<T: Ord, const N: usize> Store<T> for Priority<T, N> {
    #[inline]
    fn push(&mut self, item: T) -> Result<(), T> {
        self.0.push(item)
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn capacity(&self) -> Option<usize> {
        Some(N)
    }
}

#[cfg(feature = "alloc")]
mod dynamic {
    use super::Store;
    use crate::sync::Holder;
    use crate::wait::Guarded;
    use alloc::collections::{BinaryHeap, VecDeque};
    use alloc::vec::Vec;
    use core::cmp::Reverse;

    /// First in, first out, on the heap.
    #[derive(Debug)]
    pub struct DynFifo<T> {
        items: VecDeque<T>,
        limit: usize,
    }

    /// Last in, first out, on the heap.
    #[derive(Debug)]
    pub struct DynLifo<T> {
        items: Vec<T>,
        limit: usize,
    }

    /// Smallest first, on the heap. Of equal items the earlier may leave later.
    #[derive(Debug)]
    pub struct DynPriority<T> {
        items: BinaryHeap<Reverse<T>>,
        limit: usize,
    }

    impl<T> DynFifo<T> {
        /// An empty store for `limit` items, 0 for any number.
        pub fn new(limit: usize) -> Self {
            Self { items: VecDeque::new(), limit }
        }
    }

    impl<T> DynLifo<T> {
        /// An empty store for `limit` items, 0 for any number.
        pub fn new(limit: usize) -> Self {
            Self { items: Vec::new(), limit }
        }
    }

    impl<T: Ord> DynPriority<T> {
        /// An empty store for `limit` items, 0 for any number.
        pub fn new(limit: usize) -> Self {
            Self { items: BinaryHeap::new(), limit }
        }
    }

    fn capacity(limit: usize) -> Option<usize> {
        (limit > 0).then_some(limit)
    }

    impl<T> Guarded for DynFifo<T> {
        type Guard = ();
    }

    impl<T> Store<T> for DynFifo<T> {
        #[inline]
        fn push(&mut self, item: T) -> Result<(), T> {
            if self.is_full() {
                return Err(item);
            }
            self.items.push_back(item);
            Ok(())
        }

        #[inline]
        fn pop(&mut self) -> Option<T> {
            self.items.pop_front()
        }

        #[inline]
        fn len(&self) -> usize {
            self.items.len()
        }

        #[inline]
        fn capacity(&self) -> Option<usize> {
            capacity(self.limit)
        }
    }

    impl<T> Guarded for DynLifo<T> {
        type Guard = ();
    }

    impl<T> Store<T> for DynLifo<T> {
        #[inline]
        fn push(&mut self, item: T) -> Result<(), T> {
            if self.is_full() {
                return Err(item);
            }
            self.items.push(item);
            Ok(())
        }

        #[inline]
        fn pop(&mut self) -> Option<T> {
            self.items.pop()
        }

        #[inline]
        fn len(&self) -> usize {
            self.items.len()
        }

        #[inline]
        fn capacity(&self) -> Option<usize> {
            capacity(self.limit)
        }
    }

    impl<T> Guarded for DynPriority<T> {
        type Guard = Holder;
    }

    impl<T: Ord> Store<T> for DynPriority<T> {
        #[inline]
        fn push(&mut self, item: T) -> Result<(), T> {
            if self.is_full() {
                return Err(item);
            }
            self.items.push(Reverse(item));
            Ok(())
        }

        #[inline]
        fn pop(&mut self) -> Option<T> {
            self.items.pop().map(|Reverse(item)| item)
        }

        #[inline]
        fn len(&self) -> usize {
            self.items.len()
        }

        #[inline]
        fn capacity(&self) -> Option<usize> {
            capacity(self.limit)
        }
    }
}

#[cfg(feature = "alloc")]
pub use dynamic::{DynFifo, DynLifo, DynPriority};
