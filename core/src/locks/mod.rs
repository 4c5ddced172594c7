//! Locks: what tasks wait for each other with.

mod barrier;
mod bounded;
mod condition;
mod event;
mod mutex;
mod once;
mod raw;
mod rwlock;
mod semaphore;

pub use barrier::{Barrier, BarrierWait, BrokenBarrier};
pub use bounded::{AcquireBounded, BoundedPermit, BoundedSemaphore, ReleasedTooOften};
pub use condition::{Condition, ConditionGuard, ConditionWait, LockCondition, RawCondition, RawConditionWait};
pub use event::{Event, EventWait};
pub use mutex::{Lock, Mutex, MutexGuard};
pub use once::{OnceCell, OnceCellWait, SetError};
pub use raw::{Acquire, NotLocked, RawLock};
pub use rwlock::{RwLock, RwLockRead, RwLockReadGuard, RwLockWrite, RwLockWriteGuard};
pub use semaphore::{AcquirePermit, Permit, Semaphore};
