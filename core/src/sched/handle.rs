//! `Handle`: a loop by name, for code that cannot rely on ambience.

use super::{Loop, current};
use crate::Instant;
use crate::task::{PoolFull, Task, TaskPool};
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;

/// A loop, to spawn on and to ask for the time, from wherever its thread is. asyncio: the loop object.
///
/// [`spawn`](crate::spawn()), [`now`](crate::now) and their kin find the running loop by themselves and panic where there
/// is none. A handle names one: in callbacks of other libraries, between the runs of a [`Runner`](crate::Runner), in a loop within
/// another loop. It belongs to the thread of its loop and may outlive it; it says so then, and nothing panics.
///
/// ```
/// use corio::{Handle, Runner};
/// let mut runner = Runner::new(corio_sim::SimReactor::new());
/// let handle = runner.handle();
/// let early = handle.spawn(async { 6 });
/// assert_eq!(runner.run(async { early.await.unwrap() * 7 }), Ok(42));
///
/// assert!(Handle::current().is_none());
/// runner.run(async { assert_eq!(Handle::current(), Some(handle)) }).unwrap();
/// drop(runner);
/// assert!(handle.has_ended());
/// ```
#[derive(Clone, Copy)]
pub struct Handle {
    place: &'static Loop,
    lease: u32,
    /// It may touch the loop because it is on its thread.
    _not_send: PhantomData<*const ()>,
}

impl Handle {
    pub(crate) fn new(place: &'static Loop) -> Self {
        Self { place, lease: place.ready().lease(), _not_send: PhantomData }
    }

    /// The loop that runs here; none outside of a loop, and none in an interrupt handler. asyncio: `get_running_loop`.
    pub fn current() -> Option<Self> {
        current::find().map(Self::new)
    }

    /// True once the runner of the loop is gone.
    pub fn has_ended(&self) -> bool {
        self.get().is_none()
    }

    /// The loop's time, or none if it has ended. asyncio: `loop.time`.
    ///
    /// Between its turns it is the time as it was read last.
    pub fn now(&self) -> Option<Instant> {
        self.get().map(Loop::now)
    }

    /// Starts a task on the loop: see [`spawn`](crate::spawn()). If it has ended the future is dropped, and the task is
    /// [`Cancelled`](crate::Cancelled).
    #[cfg(feature = "alloc")]
    pub fn spawn<F: Future + 'static>(&self, future: F) -> Task<F::Output> {
        match self.get() {
            Some(place) => super::spawn::spawn_on(place, future, ()),
            None => Task::refused(),
        }
    }

    /// Starts a task on the loop, in a place of `pool`: see [`TaskPool::spawn`].
    ///
    /// # Errors
    /// When all places are taken; the future comes back.
    pub fn spawn_in<S, F: Future + 'static, const N: usize>(
        &self,
        pool: &'static TaskPool<S, N>,
        future: F,
    ) -> Result<Task<F::Output>, PoolFull<F>> {
        match self.get() {
            Some(place) => pool.spawn_on(place, future),
            None => Ok(Task::refused()),
        }
    }

    /// The loop, if it is still the one that this was made for: then its runner is on this thread, and alive.
    pub(crate) fn get(&self) -> Option<&'static Loop> {
        (self.place.ready().lease() == self.lease).then_some(self.place)
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.place, other.place) && self.lease == other.lease
    }
}

impl Eq for Handle {}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("ended", &self.has_ended()).finish_non_exhaustive()
    }
}
