//! `Barrier`: a place where tasks wait for each other.
//!
//! ```text
//!                     the last arrives                 the last has left
//!   filling ─────────────────────────────► draining ─────────────────────► filling
//!      │  reset, somebody inside ────────► resetting ────────────────────► filling
//!      └─ abort ─────────────────────────► broken, until a reset
//! ```
//!
//! Who arrives while it drains or is being reset waits outside, in the same line as those inside: each looks again when
//! it is woken, and lines up anew, at the end, if it is not its turn yet.
//!
//! asyncio builds it of a condition. Nobody waits there with the condition's lock held, so that lock is never waited
//! for, and the short lock of the line is enough.

use crate::task::StoredWaker;
use crate::wait::{Guarded, Lines, Turned, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Filling,
    Draining,
    Resetting,
    Broken,
}

struct State {
    parties: usize,
    phase: Phase,
    /// How many are inside.
    count: usize,
}

impl Guarded for State {
    type Guard = ();
}

impl State {
    /// One leaves. True: it was the last, and others may come in.
    fn leave(&mut self) -> bool {
        self.count -= 1;
        if self.count == 0 && matches!(self.phase, Phase::Draining | Phase::Resetting) {
            self.phase = Phase::Filling;
        }
        self.count == 0
    }
}

/// Lets tasks go on when a number of them have arrived, again and again. asyncio: `Barrier`.
///
/// ```
/// # corio_sim::run(async {
/// static START: corio::Barrier = corio::Barrier::new(3);
/// let runners = [1, 2, 3].map(|_| corio::spawn(START.wait()));
/// let mut places = Vec::new();
/// for runner in runners {
///     places.push(runner.await.unwrap().unwrap());
/// }
/// assert_eq!(places, [0, 1, 2]);
/// # });
/// ```
///
/// Usable in a `static`, from tasks, threads and interrupts; waiting allocates nothing.
///
/// # Fairness
/// The last to arrive goes on at once, the others in order of arrival.
pub struct Barrier {
    lines: Lines<State, 1>,
}

/// The barrier was aborted, or reset while somebody waited. asyncio: `BrokenBarrierError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenBarrier;

impl fmt::Display for BrokenBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier was aborted or reset")
    }
}

impl core::error::Error for BrokenBarrier {}

impl Barrier {
    crate::sync::const_fn! {
        /// A barrier for `parties` tasks.
        ///
        /// # Panics
        /// When `parties` is 0.
        #[track_caller]
        pub const fn new(parties: usize) -> Self {
            assert!(parties > 0, "corio: a barrier needs at least one party");
            Self { lines: Lines::new(State { parties, phase: Phase::Filling, count: 0 }) }
        }
    }

    /// Waits until as many tasks as there are parties wait here. Gives this one's place in the order of arrival, counted
    /// from 0; who comes last does not wait. asyncio: `Barrier.wait`.
    ///
    /// # Cancel safety
    /// **Not safe.** While it waits for others, dropping the future gives the place back: one more has to come. Once
    /// the last has come it has been counted: dropped then, it loses that it was, and who calls again waits for another
    /// round.
    ///
    /// # Errors
    /// When the barrier is broken, or is reset meanwhile.
    pub fn wait(&self) -> BarrierWait<'_> {
        BarrierWait { barrier: self, place: Place::Outside, waiter: Waiter::new() }
    }

    /// Breaks the barrier: whoever waits, or comes before a [`reset`](Self::reset), gets an error. asyncio:
    /// `Barrier.abort`.
    pub fn abort(&self) {
        self.lines.with_wake_all(0, |state| {
            state.phase = Phase::Broken;
            true
        });
    }

    /// Makes the barrier empty and whole again: whoever waits gets an error. asyncio: `Barrier.reset`.
    pub fn reset(&self) {
        self.lines.with_wake_all(0, |state| {
            state.phase = if state.count > 0 { Phase::Resetting } else { Phase::Filling };
            true
        });
    }

    /// How many have to come.
    pub fn parties(&self) -> usize {
        self.lines.with(|state, _| state.parties)
    }

    /// How many wait for others to come. asyncio: `Barrier.n_waiting`.
    pub fn waiting(&self) -> usize {
        self.lines.with(|state, _| if state.phase == Phase::Filling { state.count } else { 0 })
    }

    /// True after an [`abort`](Self::abort). asyncio: `Barrier.broken`.
    pub fn is_broken(&self) -> bool {
        self.lines.with(|state, _| state.phase == Phase::Broken)
    }

    /// Wakes all who are in line at this moment.
    fn wake_all(&self) {
        self.lines.with_wake_all(0, |_| true);
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parties, broken) = (self.parties(), self.is_broken());
        f.debug_struct("Barrier").field("parties", &parties).field("broken", &broken).finish_non_exhaustive()
    }
}

/// Where one who waits is.
#[derive(Clone, Copy)]
enum Place {
    /// Not in the barrier: it has not been polled, or must wait until the barrier has drained.
    Outside,
    /// In the barrier, as the one with this number; in line or holding a grant.
    Inside(usize),
    Over,
}

/// What a look at the barrier comes to.
struct Left {
    result: Result<usize, BrokenBarrier>,
    /// All in line are to look too.
    tell: bool,
}

impl State {
    /// What the barrier has for one at `place`; none: it is to wait.
    fn look(&mut self, place: &mut Place) -> Option<Left> {
        if let Place::Outside = place {
            match self.phase {
                Phase::Draining | Phase::Resetting => return None,
                Phase::Broken => return Some(Left { result: Err(BrokenBarrier), tell: false }),
                Phase::Filling => {
                    let index = self.count;
                    self.count += 1;
                    if index + 1 == self.parties {
                        self.phase = Phase::Draining;
                        self.leave();
                        return Some(Left { result: Ok(index), tell: true });
                    }
                    *place = Place::Inside(index);
                }
            }
        }
        let &mut Place::Inside(index) = place else { return None };
        let result = match self.phase {
            Phase::Filling => return None,
            Phase::Draining => Ok(index),
            Phase::Resetting | Phase::Broken => Err(BrokenBarrier),
        };
        Some(Left { result, tell: self.leave() })
    }
}

pin_project_lite::pin_project! {
    /// A pending [`Barrier::wait`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct BarrierWait<'a> {
        barrier: &'a Barrier,
        place: Place,
        #[pin]
        waiter: Waiter,
    }

    impl PinnedDrop for BarrierWait<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let inside = matches!(this.place, Place::Inside(_));
            let mut last = false;
            // asyncio's condition has whoever leaves it by a cancellation notify another, who looks and lines up anew.
            this.barrier.lines.leave::<0>(this.waiter, |state, lines, _| {
                last = inside && state.leave();
                if last { StoredWaker::NONE } else { lines[0].grant_next() }
            });
            if last {
                this.barrier.wake_all();
            }
        }
    }
}

impl Future for BarrierWait<'_> {
    type Output = Result<usize, BrokenBarrier>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let looked = this.barrier.lines.poll::<0, _, _>(
            this.waiter,
            cx,
            |state, _, turned| match turned {
                Turned::New | Turned::Granted => state.look(this.place).map(|left| (left, StoredWaker::NONE)),
                Turned::Again | Turned::First => None,
            },
            |left| left,
        );
        looked.map(|Left { result, tell }| {
            *this.place = Place::Over;
            if tell {
                this.barrier.wake_all();
            }
            result
        })
    }
}

impl fmt::Debug for BarrierWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BarrierWait")
    }
}
