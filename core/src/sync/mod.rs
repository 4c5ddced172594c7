//! The ground: what differs between platforms, and nothing else.
//!
//! Everything above this folder is written once. Three questions have their answers here: which atomics
//! ([`atomic`]), what a short blocking lock is made of ([`Short`], [`Local`]), and which loop runs *here*
//! ([`here`]).

pub(crate) mod atomic;
mod cell;
pub(crate) mod here;
mod local;
mod short;
mod wakes;

pub(crate) use cell::{Cell, UnsafeCell};
pub(crate) use local::Local;
#[cfg(all(test, loom))]
pub(crate) use short::ByteLock;
pub(crate) use short::{Held, Holder, Mark, Pause, Short};
#[cfg(feature = "alloc")]
pub(crate) use wakes::Place;
#[cfg(all(test, loom))]
pub(crate) use wakes::bare;
pub(crate) use wakes::{Linked, Wakes};

/// `const fn` where the platform's types allow it: loom's have no `const` constructors.
macro_rules! const_fn {
    ($(#[$attr:meta])* $vis:vis const fn $($rest:tt)*) => {
        #[cfg(not(loom))]
        $(#[$attr])* $vis const fn $($rest)*
        #[cfg(loom)]
        $(#[$attr])* $vis fn $($rest)*
    };
}
pub(crate) use const_fn;

/// An array whose places are filled by evaluating the same expression for each.
#[cfg(not(loom))]
macro_rules! array_of {
    ($value:expr; $count:expr) => {
        [const { $value }; $count]
    };
}
#[cfg(loom)]
macro_rules! array_of {
    ($value:expr; $count:expr) => {
        core::array::from_fn::<_, $count, _>(|_| $value)
    };
}
pub(crate) use array_of;
