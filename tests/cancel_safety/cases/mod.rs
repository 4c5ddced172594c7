//! The tests of the table, and what they have in common. Each returns the number of points at which its future waits.

pub(crate) mod generators;
pub(crate) mod locks;
pub(crate) mod net;
pub(crate) mod queues;
pub(crate) mod scopes;
pub(crate) mod tasks;
pub(crate) mod time;

use std::cell::Cell;
use std::fmt::Debug;
use std::future::Future;
use std::rc::Rc;

use corio::{Duration, Task, sleep, spawn, timeout};
use corio_sim::{Cut, Way};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// Whoever waits so long waits for ever.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Has `f` called when `after` is over.
pub(crate) fn later(after: Duration, f: impl FnOnce() + 'static) -> Task<()> {
    spawn(async move {
        sleep(after).await;
        f();
    })
}

/// Of what is still to come, that it comes.
pub(crate) async fn comes<F: Future>(future: F) -> F::Output {
    timeout(HOUR, future).await.expect("what it waits for was lost")
}

/// That it does not come.
pub(crate) async fn never_comes(future: impl Future) {
    assert!(timeout(HOUR, future).await.is_err(), "there is one too many");
}

/// Puts a call under test. What it gives is what it gives when it is made again, if it was cut off.
pub(crate) async fn loses_nothing<T: PartialEq + Debug>(cut: &Cut, call: impl AsyncFn() -> T, gives: T) {
    let given = match cut.apply(call()).await {
        Some(given) => given,
        None => comes(call()).await,
    };
    assert_eq!(given, gives);
}

/// True if the task was cancelled in this run, and not its future dropped.
pub(crate) fn was_cancelled(cut: &Cut) -> bool {
    cut.was_cut() && matches!(cut.way(), Way::Cancel | Way::CancelWoken)
}

/// Something with an owner: knows how many of its kind there are.
#[derive(Clone, Default)]
pub(crate) struct Owned(Rc<Cell<usize>>);

pub(crate) struct One(Rc<Cell<usize>>);

impl Owned {
    pub(crate) fn one(&self) -> One {
        self.0.set(self.0.get() + 1);
        One(self.0.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.get()
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
