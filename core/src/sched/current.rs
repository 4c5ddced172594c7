#![allow(unsafe_code)] // turns the ambient pointer back into a reference
//! The ambient loop: the only place that knows how a leaf future finds the loop it runs in.
//!
//! It does not look at the waker, so `sleep` and `spawn` work inside any foreign combinator with wakers of its own.

use super::Loop;
use crate::Instant;
use crate::sync::here;
use core::ptr;

/// The running loop, if one is.
#[inline]
pub(crate) fn find() -> Option<&'static Loop> {
    // SAFETY: `enter` puts only loops there, and they are `Immortal`.
    unsafe { here::get().cast::<Loop>().as_ref() }
}

/// The running loop, for `what`.
///
/// # Panics
/// Outside a loop.
#[inline]
#[track_caller]
pub(crate) fn get(what: &str) -> &'static Loop {
    match find() {
        Some(running) => running,
        None => outside(what),
    }
}

#[cold]
#[track_caller]
fn outside(what: &str) -> ! {
    panic!("corio: {what} needs a running loop; call it inside `Runner::run`, or `run` of a backend")
}

/// Makes `entered` the running loop until the guard drops; then the one before it is again.
pub(crate) fn enter(entered: &'static Loop) -> Entered {
    Entered { before: here::replace(ptr::from_ref(entered).cast()) }
}

pub(crate) struct Entered {
    before: here::Before,
}

impl Drop for Entered {
    fn drop(&mut self) {
        here::restore(&self.before);
    }
}

/// The running loop's time, read from its reactor's clock. asyncio: `loop.time()`.
///
/// While the reactor is parked (in a waker that it calls) it is the time as it was read last.
///
/// ```
/// use corio::{Duration, now, sleep};
/// # corio_sim::run(async {
/// let start = now();
/// sleep(Duration::from_secs(5)).await;
/// assert!(now() >= start + Duration::from_secs(5));
/// # });
/// ```
///
/// # Panics
/// Outside a loop.
#[track_caller]
pub fn now() -> Instant {
    get("now()").now()
}
