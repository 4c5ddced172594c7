//! `OneShot`: one value, once, from one task to another.

use crate::task::StoredWaker;
use crate::wait::{Guarded, Lines, Turned, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

enum State<T> {
    Empty,
    Sent(T),
    Taken,
}

impl<T> Guarded for State<T> {
    type Guard = ();
}

/// A place for one value that is sent once and received once: the answer to a request. asyncio: a `Future` with one
/// awaiter.
///
/// It is one object for both sides: in a `static`, on the stack of a task whose children borrow it, or behind an `Rc`.
///
/// ```
/// # corio_sim::run(async {
/// use std::rc::Rc;
/// let answer = Rc::new(corio::OneShot::new());
/// let side = answer.clone();
/// let worker = corio::spawn(async move { side.send(42).unwrap() });
/// assert_eq!(answer.recv().await, 42);
/// assert_eq!(answer.send(43), Err(43)); // once is once
/// # worker.await.unwrap(); });
/// ```
///
/// Usable from tasks, threads and interrupts; waiting allocates nothing.
pub struct OneShot<T> {
    lines: Lines<State<T>, 1>,
}

impl<T> OneShot<T> {
    crate::sync::const_fn! {
        /// An empty place.
        pub const fn new() -> Self {
            Self { lines: Lines::new(State::Empty) }
        }
    }

    /// Puts the value in and wakes whoever waits for it.
    ///
    /// # Errors
    /// When a value was sent before; this one comes back.
    #[inline]
    pub fn send(&self, value: T) -> Result<(), T> {
        self.lines.with_wake(|state, lines| {
            if !matches!(state, State::Empty) {
                return (Err(value), StoredWaker::NONE);
            }
            *state = State::Sent(value);
            (Ok(()), lines[0].grant_next())
        })
    }

    /// Takes the value if it was sent and not taken yet.
    #[inline]
    pub fn try_recv(&self) -> Option<T> {
        self.lines.with(|state, _| take(state))
    }

    /// Waits for the value and takes it. If it was taken already, this waits for ever.
    ///
    /// # Cancel safety
    /// **Loses nothing.** A value that was sent stays to be received, and the next who waits is told.
    #[inline]
    pub fn recv(&self) -> Recv<'_, T> {
        Recv { shot: self, waiter: Waiter::new() }
    }
}

#[inline]
fn take<T>(state: &mut State<T>) -> Option<T> {
    if !matches!(state, State::Sent(_)) {
        return None;
    }
    match core::mem::replace(state, State::Taken) {
        State::Sent(value) => Some(value),
        State::Empty | State::Taken => None,
    }
}

impl<T> Default for OneShot<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for OneShot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lines.with(|state, _| match state {
            State::Empty => "empty",
            State::Sent(_) => "sent",
            State::Taken => "taken",
        });
        f.debug_struct("OneShot").field("state", &state).finish()
    }
}

pin_project_lite::pin_project! {
    /// A pending [`OneShot::recv`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Recv<'a, T> {
        shot: &'a OneShot<T>,
        #[pin]
        waiter: Waiter,
    }

    impl<T> PinnedDrop for Recv<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.shot.lines.leave::<0>(this.waiter, |state, lines, turned| {
                let untaken = turned == Turned::Granted && matches!(state, State::Sent(_));
                if untaken { lines[0].pass_on() } else { StoredWaker::NONE }
            });
        }
    }
}

impl<T> Future for Recv<'_, T> {
    type Output = T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.project();
        // Who still stands in line may take it too: there is one value, and to whom it goes is nobody's right.
        this.shot.lines.poll::<0, _, _>(
            this.waiter,
            cx,
            |state, _, _| take(state).map(|value| (value, StoredWaker::NONE)),
            |value| value,
        )
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recv")
    }
}
