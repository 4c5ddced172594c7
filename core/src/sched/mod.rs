//! Scheduling: the loop itself, and how a future finds the one it runs in.

pub(crate) mod current;
mod handle;
mod scheduler;

#[cfg(feature = "alloc")]
mod contexts;
#[cfg(feature = "alloc")]
mod entry;
#[cfg(feature = "alloc")]
mod failure;
#[cfg(feature = "alloc")]
mod spawn;
#[cfg(all(test, feature = "alloc", not(loom)))]
mod tests;

#[cfg(feature = "alloc")]
pub(crate) use entry::{Entry, call};
#[cfg(feature = "alloc")]
pub use failure::{Ending, Failed, Failure};
#[cfg(feature = "alloc")]
pub use spawn::{Spawn, spawn, spawn_with};

pub use handle::Handle;
pub use scheduler::LoopMemory;
pub(crate) use scheduler::{Clock, Goal, Lease, Loop, WindUp};
