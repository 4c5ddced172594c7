//! Locks: what tasks wait for each other with.

mod event;
mod mutex;
mod raw;
mod semaphore;

pub use event::{Event, EventWait};
pub use mutex::{Lock, Mutex, MutexGuard};
pub use raw::{Acquire, NotLocked, RawLock};
pub use semaphore::{AcquirePermit, Permit, Semaphore};
