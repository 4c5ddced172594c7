//! corio in virtual time: a reactor whose clock stands still while anything is ready, and then jumps to the next
//! deadline.
//!
//! An hour's sleep passes at once, and two runs of one program do exactly the same. Every simulation is on its own: a
//! test suite may run thousands of them, in as many threads as it likes.
//!
//! ```
//! use corio::{Duration, now, sleep, timeout};
//!
//! let answer = corio_sim::run(async {
//!     let slow = async {
//!         sleep(Duration::from_secs(3600)).await;
//!         7
//!     };
//!     let answer = timeout(Duration::from_secs(7200), slow).await;
//!     assert_eq!(now().as_secs(), 3600);
//!     answer
//! });
//! assert_eq!(answer, Ok(7));
//! ```
//!
//! [`cancel_everywhere`] runs a scenario once for each point at which a future of yours may be dropped or cancelled.
//! [`Outside`] has other threads and interrupts do something at an instant of virtual time, in an order that a seed may choose.

mod cut;
mod outside;
mod reactor;

pub use cut::{CancelEverywhere, Cut, Way, cancel_everywhere};
pub use outside::Outside;
pub use reactor::{Deadlock, SimReactor, SimUnparker};

use core::future::Future;
use corio::{RunError, Runner};

/// Runs `main` in virtual time, then cancels what is left and runs that to its end. asyncio: `run`.
///
/// # Panics
/// When nothing can ever happen again and `main` has not ended: the program has deadlocked.
#[track_caller]
pub fn run<F: Future>(main: F) -> F::Output {
    match try_run(main) {
        Ok(output) => output,
        Err(RunError::Park(deadlock)) => panic!("{deadlock}"),
        Err(RunError::Cancelled) => unreachable!("nobody holds a handle of the main future"),
    }
}

/// As [`run`], for programs that may deadlock.
///
/// # Errors
/// [`RunError::Park`] when nothing can ever happen again and `main` has not ended.
pub fn try_run<F: Future>(main: F) -> Result<F::Output, RunError<Deadlock>> {
    let mut runner = Runner::new(SimReactor::new());
    let output = runner.run(main)?;
    runner.close()?;
    Ok(output)
}
