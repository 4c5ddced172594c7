#![allow(unsafe_code)] // hands out references to the value
//! `OnceCell<T>`: a value that is made once, by whoever needs it first.
//!
//! Invariants:
//! - `OneMaker`: the value is written by who holds the turn to make it (`Stage::Making`), which is handed from one to the
//!   next and exists once.
//! - `Lasting`: when `ready` is set the value is there, and is not changed nor moved until somebody has `&mut` to the cell.
//! - `NoneForgotten`: while nobody has the turn, all who wait to make the value are about to be dropped by their tasks.

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::task::StoredWaker;
use crate::wait::{Finally, Guarded, Line, Lines, Turned, Waiter};
use core::cell::UnsafeCell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Who would make the value, and who only waits for it.
const MAKERS: usize = 0;
const WAITERS: usize = 1;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nobody has begun, or who had has given up.
    Empty,
    /// Somebody makes the value, or has been told to.
    Making,
    /// It is there.
    Ready,
}

impl Guarded for Stage {
    type Guard = ();
}

/// A value that is made once, when it is first needed; who needs it meanwhile waits. Beyond asyncio.
///
/// ```
/// # corio_sim::run(async {
/// # async fn read_settings() -> u32 { corio::yield_now().await; 9600 }
/// static BAUD: corio::OnceCell<u32> = corio::OnceCell::new();
/// assert_eq!(BAUD.get(), None);
/// let baud = BAUD.get_or_init(read_settings).await;
/// assert_eq!((*baud, BAUD.get()), (9600, Some(&9600)));
/// # });
/// ```
///
/// Usable in a `static`, from tasks, threads and interrupts; waiting allocates nothing.
///
/// # Fairness
/// If who makes the value gives up, the turn goes to the first who waits with [`get_or_init`](Self::get_or_init).
pub struct OnceCell<T> {
    lines: Lines<Stage, 2>,
    ready: AtomicBool,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: `OneMaker`, `Lasting`: the value may arrive from another thread, and is shared from then on.
unsafe impl<T: Send + Sync> Sync for OnceCell<T> {}
// SAFETY: owning the cell is owning the value.
unsafe impl<T: Send> Send for OnceCell<T> {}

/// Why [`OnceCell::set`] failed. The value comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SetError<T> {
    /// There is a value already.
    Set(T),
    /// Somebody is making one.
    Making(T),
}

impl<T> OnceCell<T> {
    crate::sync::const_fn! {
        /// An empty cell.
        pub const fn new() -> Self {
            Self {
                lines: Lines::new(Stage::Empty),
                ready: AtomicBool::new(false),
                value: UnsafeCell::new(None),
            }
        }
    }

    crate::sync::const_fn! {
        /// A cell that has its value.
        pub const fn with_value(value: T) -> Self {
            Self {
                lines: Lines::new(Stage::Ready),
                ready: AtomicBool::new(true),
                value: UnsafeCell::new(Some(value)),
            }
        }
    }

    /// The value, if it is there.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // Acquire: pairs with the release in `fill`.
        if !self.ready.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: `Lasting`.
        unsafe { (*self.value.get()).as_ref() }
    }

    /// The value, made by `init` if it is not there. While somebody else makes it, this waits, and `init` is not called
    /// unless they give up.
    ///
    /// An `init` that waits for the value of the same cell waits for ever.
    ///
    /// # Cancel safety
    /// **May be restarted.** Dropping the future drops that of `init`; then the next who waits makes the value. So does
    /// a panic in `init`.
    pub async fn get_or_init(&self, init: impl AsyncFnOnce() -> T) -> &T {
        match self.get_or_turn().await {
            Ok(value) => value,
            Err(turn) => turn.fill(init().await),
        }
    }

    /// As [`get_or_init`](Self::get_or_init), with an `init` that may fail; then the next who waits makes the value.
    ///
    /// # Cancel safety
    /// **May be restarted.** As [`get_or_init`](Self::get_or_init).
    ///
    /// # Errors
    /// That of `init`, if it was called and failed.
    pub async fn get_or_try_init<E>(&self, init: impl AsyncFnOnce() -> Result<T, E>) -> Result<&T, E> {
        match self.get_or_turn().await {
            Ok(value) => Ok(value),
            Err(turn) => Ok(turn.fill(init().await?)),
        }
    }

    /// Gives the cell its value, and wakes all who wait for it.
    ///
    /// # Errors
    /// When it has one or somebody is making one; this one comes back.
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        let stage = self.lines.with(|stage, _| match *stage {
            Stage::Empty => core::mem::replace(stage, Stage::Making),
            stage => stage,
        });
        match stage {
            Stage::Empty => {
                Turn { cell: self }.fill(value);
                Ok(())
            }
            Stage::Making => Err(SetError::Making(value)),
            Stage::Ready => Err(SetError::Set(value)),
        }
    }

    /// Waits until the value is there, whoever makes it.
    ///
    /// # Cancel safety
    /// **Loses nothing.** Dropping the future leaves the line.
    #[inline]
    pub fn wait(&self) -> OnceCellWait<'_, T> {
        OnceCellWait { cell: self, waiter: Waiter::new() }
    }

    /// The value, to be changed: `&mut` says that nobody else is here.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut().as_mut()
    }

    /// The value itself.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    fn get_or_turn(&self) -> GetOrTurn<'_, T> {
        GetOrTurn { cell: self, waiter: Waiter::new() }
    }

    /// The value, for who was told that it is there.
    #[inline]
    fn ready(&self) -> &T {
        self.get().expect("a cell that is ready has its value")
    }
}

/// The turn is given up: the first who would make the value gets it.
fn hand_on(stage: &mut Stage, lines: &mut [Line; 2]) -> StoredWaker {
    let next = lines[MAKERS].grant_next();
    *stage = if next.is_none() { Stage::Empty } else { Stage::Making };
    next
}

/// The turn to make the value; its drop hands it on.
struct Turn<'a, T> {
    cell: &'a OnceCell<T>,
}

impl<'a, T> Turn<'a, T> {
    fn fill(self, value: T) -> &'a T {
        let cell = core::mem::ManuallyDrop::new(self).cell;
        // SAFETY: `OneMaker`, and nobody reads before it is ready. There is nothing in it to be dropped.
        unsafe { cell.value.get().write(Some(value)) };
        // Release: pairs with the acquire in `get`.
        cell.ready.store(true, Ordering::Release);
        let _waiters = Finally(|| cell.lines.with_wake_all(WAITERS, |_| true));
        cell.lines.with_wake_all(MAKERS, |stage| {
            *stage = Stage::Ready;
            true
        });
        cell.ready()
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.cell.lines.with_wake(|stage, lines| ((), hand_on(stage, lines)));
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self::with_value(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(value) => f.debug_struct("OnceCell").field("value", value).finish(),
            None => f.debug_struct("OnceCell").field("value", &format_args!("<empty>")).finish(),
        }
    }
}

impl<T> SetError<T> {
    /// The value that was not wanted.
    pub fn into_inner(self) -> T {
        match self {
            Self::Set(value) | Self::Making(value) => value,
        }
    }
}

impl<T> fmt::Debug for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set(_) => "Set(..)",
            Self::Making(_) => "Making(..)",
        })
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set(_) => "the cell has its value already",
            Self::Making(_) => "the value of the cell is being made",
        })
    }
}

impl<T> core::error::Error for SetError<T> {}

pin_project_lite::pin_project! {
    /// Waits for the value, or for the turn to make it.
    struct GetOrTurn<'a, T> {
        cell: &'a OnceCell<T>,
        #[pin]
        waiter: Waiter,
    }

    impl<T> PinnedDrop for GetOrTurn<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.cell.lines.leave::<MAKERS>(this.waiter, |stage, lines, turned| {
                if turned == Turned::Granted && *stage == Stage::Making {
                    hand_on(stage, lines)
                } else {
                    StoredWaker::NONE
                }
            });
        }
    }
}

impl<'a, T> Future for GetOrTurn<'a, T> {
    type Output = Result<&'a T, Turn<'a, T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let cell: &'a OnceCell<T> = this.cell;
        if this.waiter.is_idle()
            && let Some(value) = cell.get()
        {
            return Poll::Ready(Ok(value));
        }
        let claim = |stage: &mut Stage, _: &mut [Line; 2], turned| {
            let found = match *stage {
                Stage::Ready => Some(Stage::Ready),
                Stage::Empty => Some(core::mem::replace(stage, Stage::Making)),
                // Not yet ready, and told: to make it.
                Stage::Making => (turned == Turned::Granted).then_some(Stage::Making),
            };
            found.map(|found| (found, StoredWaker::NONE))
        };
        cell.lines.poll::<MAKERS, _, _>(this.waiter, cx, claim, |found| {
            if found == Stage::Ready { Ok(cell.ready()) } else { Err(Turn { cell }) }
        })
    }
}

pin_project_lite::pin_project! {
    /// A pending [`OnceCell::wait`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct OnceCellWait<'a, T> {
        cell: &'a OnceCell<T>,
        #[pin]
        waiter: Waiter,
    }

    impl<T> PinnedDrop for OnceCellWait<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.cell.lines.leave::<WAITERS>(this.waiter, |_, _, _| StoredWaker::NONE);
        }
    }
}

impl<'a, T> Future for OnceCellWait<'a, T> {
    type Output = &'a T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        let this = self.project();
        let cell: &'a OnceCell<T> = this.cell;
        if this.waiter.is_idle()
            && let Some(value) = cell.get()
        {
            return Poll::Ready(value);
        }
        cell.lines.poll::<WAITERS, _, _>(
            this.waiter,
            cx,
            |stage, _, _| (*stage == Stage::Ready).then_some(((), StoredWaker::NONE)),
            |()| cell.ready(),
        )
    }
}

impl<T> fmt::Debug for OnceCellWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnceCellWait")
    }
}
