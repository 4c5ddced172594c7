//! `Event`: a flag that tasks wait for.

use crate::task::StoredWaker;
use crate::wait::{Guarded, Lines, Turned, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Set or not.
struct Flag(bool);

impl Guarded for Flag {
    type Guard = ();
}

/// A flag, and those who wait until it is set. asyncio: `Event`.
///
/// ```
/// # corio_sim::run(async {
/// static READY: corio::Event = corio::Event::new();
/// let waiter = corio::spawn(async { READY.wait().await });
/// corio::yield_now().await;
/// READY.set();
/// READY.clear(); // too late to stop the waiter
/// waiter.await.unwrap();
/// # });
/// ```
///
/// Usable in a `static`, from tasks, threads and interrupts; waiting allocates nothing.
pub struct Event {
    lines: Lines<Flag, 1>,
}

impl Event {
    crate::sync::const_fn! {
        /// An event that is not set.
        pub const fn new() -> Self {
            Self { lines: Lines::new(Flag(false)) }
        }
    }

    /// Sets the flag: every current waiter is released, in order of arrival, even if `clear` is called before they run.
    pub fn set(&self) {
        self.lines.with_wake_all(0, |set| !core::mem::replace(&mut set.0, true));
    }

    /// Takes the flag back: who comes to wait from now on waits.
    pub fn clear(&self) {
        self.lines.with(|set, _| set.0 = false);
    }

    /// True while the flag is set.
    pub fn is_set(&self) -> bool {
        self.lines.with(|set, _| set.0)
    }

    /// Waits until the flag is set; not at all if it is.
    ///
    /// # Cancel safety
    /// **Loses nothing.** Dropping the future leaves the line.
    #[inline]
    pub fn wait(&self) -> EventWait<'_> {
        EventWait { event: self, waiter: Waiter::new() }
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("set", &self.is_set()).finish()
    }
}

pin_project_lite::pin_project! {
    /// A pending [`Event::wait`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct EventWait<'a> {
        event: &'a Event,
        #[pin]
        waiter: Waiter,
    }

    impl PinnedDrop for EventWait<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.event.lines.leave::<0>(this.waiter, |_, _, _| StoredWaker::NONE);
        }
    }
}

impl Future for EventWait<'_> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.event.lines.poll::<0, _, _>(
            this.waiter,
            cx,
            |set, _, turned| (turned == Turned::Granted || set.0).then_some(((), StoredWaker::NONE)),
            |()| (),
        )
    }
}

impl fmt::Debug for EventWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventWait")
    }
}
