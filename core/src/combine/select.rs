//! `select`: the first of several futures.

use super::branch::{Pass, Stand};
use super::row::Futures;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Runs several futures side by side, within the task that waits, until the first has ended; the others are dropped.
/// asyncio: `wait` with `FIRST_COMPLETED`, and `cancel` for the rest.
///
/// Nothing is allocated (but for a `Vec`, one box), nothing is spawned, and the futures may borrow from their surroundings. To
/// keep a future that has lost, lend it: `select((&mut task, pin!(other)))`.
///
/// ```
/// use corio::{Duration, Either, Queue, select, sleep};
/// # corio_sim::run(async {
/// static LINE: Queue<u8, 4> = Queue::new();
/// let silence = async { sleep(Duration::from_secs(1)).await; "silence" };
/// match select((LINE.get(), silence)).await {
///     Either::First(item) => println!("{item:?}"),
///     Either::Second(what) => assert_eq!(what, "silence"),
/// }
/// // Of one type: which it was, and what it came to.
/// let (index, ()) = select([3, 1, 2].map(|seconds| sleep(Duration::from_secs(seconds)))).await;
/// assert_eq!(index, 1);
/// # });
/// ```
///
/// Each time the task is woken they are polled in order, until one is ready. With an empty `Vec` it waits for ever.
///
/// # Fairness
/// None: if several are ready the first of them wins, always.
///
/// # Cancellation
/// When the task is cancelled all futures are dropped, in order; see [`join`](crate::join()). The tasks that they wait for
/// are not cancelled.
///
/// # Cancel safety
/// **Loses nothing.** Of its own, that is: dropping it drops the futures, as those that lose are dropped while they
/// wait, and that loses what they do.
pub fn select<F: Futures>(futures: F) -> Select<F> {
    Select { branches: futures.branches(), stand: Stand::default() }
}

pin_project_lite::pin_project! {
    /// A pending [`select`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Select<F>
    where
        F: Futures,
    {
        #[pin]
        branches: F::Branches,
        stand: Stand,
    }
}

impl<F: Futures> Future for Select<F> {
    type Output = F::First;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::First> {
        let mut this = self.project();
        if this.stand.over {
            return Poll::Pending;
        }
        let mut pass = Pass::begin(this.stand, cx);
        match F::poll_first(this.branches.as_mut(), &mut pass) {
            Some(first) => {
                pass.decided(|| F::clear(this.branches));
                Poll::Ready(first)
            }
            None => {
                pass.end();
                Poll::Pending
            }
        }
    }
}

impl<F: Futures> fmt::Debug for Select<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Select")
    }
}

macro_rules! either {
    ($(#[$doc:meta])* $name:ident $($type:ident $variant:ident $which:literal),*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name<$($type),*> {
            $(#[doc = concat!("The ", $which, " future was ready first.")] $variant($type),)*
        }

        either!(@same $name $($variant)*);
    };
    (@same $name:ident $($variant:ident)*) => {
        either!(@into $name [$($variant)*] $(T $variant)*);
    };
    (@into $name:ident [$($variant:ident)*] $($type:ident $_:ident)*) => {
        impl<T> $name<$($type),*> {
            /// What the first came to, whichever it was.
            pub fn into_inner(self) -> T {
                match self {
                    $(Self::$variant(inner))|* => inner,
                }
            }
        }
    };
}

either! {
    /// Which of two futures was ready first, and with what: see [`select`].
    Either A First "first", B Second "second"
}
either! {
    /// Which of three futures was ready first, and with what: see [`select`].
    Either3 A First "first", B Second "second", C Third "third"
}
either! {
    /// Which of four futures was ready first, and with what: see [`select`].
    Either4 A First "first", B Second "second", C Third "third", D Fourth "fourth"
}
either! {
    /// Which of five futures was ready first, and with what: see [`select`].
    Either5 A First "first", B Second "second", C Third "third", D Fourth "fourth", E Fifth "fifth"
}
either! {
    /// Which of six futures was ready first, and with what: see [`select`].
    Either6 A First "first", B Second "second", C Third "third", D Fourth "fourth", E Fifth "fifth", F Sixth "sixth"
}
