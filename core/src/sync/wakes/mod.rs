//! `Wakes<T>`: many wakers push, one loop pops, in order of arrival; nothing is allocated.
//!
//! An element carries its own link and its own *mark*, which says that it is in a queue or on its way into one. The
//! mark makes a second push of the same element a no-op, so a wake costs the same however often it is repeated.
//!
//! Invariants of both flavours:
//! - `Marked`: who sets the mark owns the element's link until it has pushed it; from then on the queue owns it, until
//!   `pop` clears the mark.
//! - `Seen`: a wake that finds the mark set is not lost: `pop` clears the mark *before* its caller looks at the
//!   element's state, and sees there whatever the waker wrote before it found the mark set.
//! - `Told`: a push into the queue of a loop that sleeps, or is about to, asks for an unpark.

#[cfg(any(not(any(feature = "std", loom)), all(test, loom)))]
#[cfg_attr(loom, allow(dead_code))] // a model uses what it is about
pub(crate) mod bare;
#[cfg(any(feature = "std", loom))]
mod hosted;

#[cfg(all(feature = "alloc", not(any(feature = "std", loom))))]
pub(crate) use bare::Place;
#[cfg(not(any(feature = "std", loom)))]
pub(crate) use bare::{Linked, Wakes};
#[cfg(all(feature = "alloc", any(feature = "std", loom)))]
pub(crate) use hosted::Place;
#[cfg(any(feature = "std", loom))]
pub(crate) use hosted::{Linked, Wakes};
