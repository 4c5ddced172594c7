//! Waiting lives once: the line of waiters under every lock and queue, the same for states of your own, and the cell for a
//! single waker.

mod cell;
mod end;
mod line;
mod queue;
mod wait_queue;

pub use cell::WaitCell;
pub(crate) use end::{Finally, to_the_end};
pub(crate) use line::{Line, Waiter};
pub(crate) use queue::{Claim, Guard, Guarded, Lines, Turned};
pub use wait_queue::{WaitQueue, WaitUntil};
