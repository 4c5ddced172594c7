//! Several at a time: futures side by side in one task, and tasks waited for together.
//!
//! | futures, in one task, without an allocator | |
//! |---|---|
//! | [`join`] | all, and what they came to |
//! | [`select`] | the first, and which; the others are dropped |
//! | [`staggered_race`] | the first that succeeds, started one after the other |
//!
//! | tasks, with the feature `alloc` | |
//! |---|---|
//! | `gather`, `try_gather` | all values, or the first error |
//! | `wait` | some of them, or for a time; cancels nothing |
//! | `as_completed` | one after the other, as they end |
//! | `shield` | one, and a cancellation of who waits stays outside |
//! | `cancel_and_wait` | one, which is asked to end |

mod branch;
mod join;
mod race;
mod row;
mod select;

#[cfg(feature = "alloc")]
mod child;
#[cfg(feature = "alloc")]
mod completed;
#[cfg(feature = "alloc")]
mod gather;
#[cfg(feature = "alloc")]
mod shield;
#[cfg(feature = "alloc")]
mod source;
#[cfg(all(test, feature = "alloc", not(loom)))]
mod tests;
#[cfg(feature = "alloc")]
mod wait;
#[cfg(feature = "alloc")]
mod watching;

#[cfg(feature = "alloc")]
pub use child::{Fallible, TryWaitable, Waitable};
#[cfg(feature = "alloc")]
pub use completed::{AsCompleted, AsCompletedWithin, as_completed};
#[cfg(feature = "alloc")]
pub use gather::{First, Gather, GatherError, Mode, Outcomes, Tasks, TryTasks, Values, gather, try_gather};
pub use join::{Join, join};
pub use race::{StaggeredRace, staggered_race};
pub use row::{Futures, Row};
pub use select::{Either, Either3, Either4, Either5, Either6, Select, select};
#[cfg(feature = "alloc")]
pub use shield::{CancelAndWait, Shield, cancel_and_wait, shield};
#[cfg(feature = "alloc")]
pub use wait::{Until, Wait, Waited, wait};
