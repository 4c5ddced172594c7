//! `Signal<T>`: the latest value, from an interrupt to a task.

use crate::task::StoredWaker;
use crate::wait::{Guarded, Line, Lines, Turned, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

struct Latest<T> {
    /// What was signalled and not taken yet.
    value: Option<T>,
    /// Somebody was told of it and has not had their step or drop yet.
    told: bool,
}

impl<T> Guarded for Latest<T> {
    type Guard = ();
}

/// A place for the latest value, for one task that takes it: a value that comes before the last was taken replaces it.
/// Beyond asyncio, whose `Event` has no value.
///
/// ```
/// static TEMPERATURE: corio::Signal<i16> = corio::Signal::new();
///
/// fn interrupt() {
///     TEMPERATURE.signal(211);
///     TEMPERATURE.signal(213);
/// }
///
/// # corio_sim::run(async {
/// interrupt();
/// assert_eq!(TEMPERATURE.wait().await, 213);
/// assert!(!TEMPERATURE.is_signaled());
/// # });
/// ```
///
/// To tell the same value to many tasks there is [`Watch`](crate::Watch), and [`Queue`](crate::Queue) to lose none.
///
/// Usable in a `static`, from tasks, threads and interrupts; waiting allocates nothing.
///
/// # Fairness
/// It is meant for one task. If several wait, each value goes to one of them, first come, first served: a newcomer never
/// overtakes a waiter.
pub struct Signal<T> {
    lines: Lines<Latest<T>, 1>,
}

impl<T> Signal<T> {
    crate::sync::const_fn! {
        /// A place without a value.
        pub const fn new() -> Self {
            Self { lines: Lines::new(Latest { value: None, told: false }) }
        }
    }

    /// Puts `value` in, in place of one that was not taken, and wakes who waits for it. The one that was replaced is dropped
    /// here.
    #[inline]
    pub fn signal(&self, value: T) {
        let _replaced = self.lines.with_wake(|latest, lines| {
            let replaced = latest.value.replace(value);
            (replaced, tell(latest, lines))
        });
    }

    /// Waits for a value and takes it.
    ///
    /// # Cancel safety
    /// **Loses nothing.** The value stays, and the next who waits is told.
    #[inline]
    pub fn wait(&self) -> SignalWait<'_, T> {
        SignalWait { signal: self, waiter: Waiter::new() }
    }

    /// Takes the value if there is one and nobody waits for it.
    #[inline]
    pub fn try_take(&self) -> Option<T> {
        self.lines.with(take_as_newcomer)
    }

    /// Drops the value, if there is one, whoever waits for it.
    pub fn reset(&self) {
        let _dropped = self.lines.with(|latest, _| latest.value.take());
    }

    /// True while a value is there that was not taken.
    pub fn is_signaled(&self) -> bool {
        self.lines.with(|latest, _| latest.value.is_some())
    }
}

/// Tells the next in line that there is a value, if there is one, and nobody was told before.
#[inline]
fn tell<T>(latest: &mut Latest<T>, lines: &mut [Line; 1]) -> StoredWaker {
    if latest.value.is_none() || latest.told {
        return StoredWaker::NONE;
    }
    let next = lines[0].grant_next();
    latest.told = !next.is_none();
    next
}

#[inline]
fn take_as_newcomer<T>(latest: &mut Latest<T>, lines: &mut [Line; 1]) -> Option<T> {
    let mine = !latest.told && (lines[0].is_empty() || lines[0].all_leaving());
    if mine { latest.value.take() } else { None }
}

impl<T> Default for Signal<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Signal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("signaled", &self.is_signaled()).finish()
    }
}

pin_project_lite::pin_project! {
    /// A pending [`Signal::wait`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct SignalWait<'a, T> {
        signal: &'a Signal<T>,
        #[pin]
        waiter: Waiter,
    }

    impl<T> PinnedDrop for SignalWait<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.signal.lines.leave::<0>(this.waiter, |latest, lines, turned| {
                if turned == Turned::Granted {
                    latest.told = false;
                }
                tell(latest, lines)
            });
        }
    }
}

impl<T> Future for SignalWait<'_, T> {
    type Output = T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.project();
        let claim = |latest: &mut Latest<T>, lines: &mut [Line; 1], turned| {
            let value = match turned {
                Turned::Granted => {
                    latest.told = false;
                    // There is none if it was dropped by `reset` since; then the wait begins anew.
                    latest.value.take()
                }
                Turned::New => take_as_newcomer(latest, lines),
                Turned::First | Turned::Again => None,
            };
            value.map(|value| (value, StoredWaker::NONE))
        };
        this.signal.lines.poll::<0, _, _>(this.waiter, cx, claim, |value| value)
    }
}

impl<T> fmt::Debug for SignalWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignalWait")
    }
}
