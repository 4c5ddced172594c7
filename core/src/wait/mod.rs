//! Waiting lives once: the line of waiters under every lock and queue, and the cell for a single waker.

mod cell;
mod line;
mod queue;

pub use cell::WaitCell;
pub(crate) use line::{Line, Waiter};
pub(crate) use queue::{Guarded, Lines, Locked, Turned};
