#![allow(unsafe_code)] // hands the pinned slot to the body beside it
//! `Generator`: a body, step by step.

use super::comprehension::Next;
use super::emit::{Emitter, Slot};
use core::cell::UnsafeCell;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};
use futures_core::stream::{FusedStream, Stream};

/// A generator of what `body` emits. Python: `async def` with `yield`.
///
/// Nothing runs before the first [`next`](Generator::next), for which the generator is pinned: in place by
/// [`pin!`](core::pin::pin), or on the heap by `Box::pin`. A function that returns one says
/// `-> Generator<impl Body<Item = u32>>`, or `-> impl Stream<Item = u32>`.
///
/// ```
/// use corio::generator::{Body, Generator};
/// use core::pin::pin;
///
/// fn powers(of: u32) -> Generator<impl Body<Item = u32>> {
///     corio::generator(async move |mut y| {
///         let mut power = 1;
///         loop {
///             y.emit(power).await;
///             power *= of;
///         }
///     })
/// }
///
/// # corio_sim::run(async {
/// let mut powers = pin!(powers(3));
/// while let Some(power) = powers.next().await {
///     if power > 1000 {
///         assert_eq!(power, 2187);
///         break;
///     }
/// }
/// powers.close().await;
/// assert_eq!(powers.next().await, None);
/// # });
/// ```
///
/// An `async fn` with an emitter for its only parameter is a body too:
///
/// ```
/// use corio::{Emitter, collect, generator};
///
/// async fn countdown(mut y: Emitter<'_, u32>) {
///     for n in (1..=3).rev() {
///         y.emit(n).await;
///     }
/// }
///
/// # corio_sim::run(async {
/// assert_eq!(collect::<Vec<_>, _>(generator(countdown)).await, [3, 2, 1]);
/// # });
/// ```
pub fn generator<T, F>(body: F) -> Generator<impl Body<Item = T>>
where
    F: for<'g> AsyncFnOnce(Emitter<'g, T>),
{
    // SAFETY: of `start`: `body` must do for every brand, by this function's bound.
    Generator::new(move |slot| body(unsafe { Emitter::new(slot) }))
}

/// A generator whose body may fail: its items are `Ok`, and an error is the last one. Python: an exception in a generator.
///
/// ```
/// use corio::generator::try_collect;
/// use corio::try_generator;
///
/// # corio_sim::run(async {
/// let numbers = |text: &'static str| {
///     try_generator(async move |mut y| {
///         for word in text.split(' ') {
///             y.emit(word.parse::<u8>()?).await;
///         }
///         Ok::<_, core::num::ParseIntError>(())
///     })
/// };
/// assert_eq!(try_collect(numbers("1 2 3")).await, Ok(vec![1, 2, 3]));
/// assert!(try_collect::<Vec<_>, _>(numbers("1 x 3")).await.is_err());
/// # });
/// ```
pub fn try_generator<T, E, F>(body: F) -> Generator<impl Body<Item = Result<T, E>>>
where
    F: for<'g> AsyncFnOnce(Emitter<'g, T>) -> Result<(), E>,
{
    // SAFETY: as in `generator`.
    Generator::new(move |slot| body(unsafe { Emitter::new(slot) }))
}

/// What a [`Generator`] runs, and what it gives. There are those that [`generator()`] and [`try_generator()`] make; the name is for
/// signatures.
#[expect(private_bounds, reason = "which is what keeps others out")]
pub trait Body: Start<Given = <Self as Body>::Item> {
    /// What `next` gives.
    type Item;
}

trait Start {
    /// What `emit` takes.
    type Emitted;
    type Given;
    type Future: Future;

    fn start(self, slot: NonNull<Slot<Self::Emitted>>) -> Self::Future;
    fn item(emitted: Self::Emitted) -> Self::Given;
    /// The item that comes of the end.
    fn last(output: <Self::Future as Future>::Output) -> Option<Self::Given>;
}

/// A closure that makes the body's future. On stable Rust the future of an async closure has no name; that of a closure
/// which calls it is a parameter that the compiler finds.
struct Closure<T, M> {
    make: M,
    _emits: PhantomData<fn(T)>,
}

impl<T, M, F, R> Start for Closure<T, M>
where
    M: FnOnce(NonNull<Slot<T>>) -> F,
    F: Future<Output = R>,
    R: Ending<T>,
{
    type Emitted = T;
    type Given = R::Item;
    type Future = F;

    fn start(self, slot: NonNull<Slot<T>>) -> F {
        (self.make)(slot)
    }

    fn item(emitted: T) -> R::Item {
        R::item(emitted)
    }

    fn last(output: R) -> Option<R::Item> {
        output.last()
    }
}

impl<T, M, F, R> Body for Closure<T, M>
where
    M: FnOnce(NonNull<Slot<T>>) -> F,
    F: Future<Output = R>,
    R: Ending<T>,
{
    type Item = R::Item;
}

/// What a body returns.
trait Ending<T> {
    type Item;

    fn item(emitted: T) -> Self::Item;
    fn last(self) -> Option<Self::Item>;
}

impl<T> Ending<T> for () {
    type Item = T;

    fn item(emitted: T) -> T {
        emitted
    }

    fn last(self) -> Option<T> {
        None
    }
}

impl<T, E> Ending<T> for Result<(), E> {
    type Item = Result<T, E>;

    fn item(emitted: T) -> Result<T, E> {
        Ok(emitted)
    }

    fn last(self) -> Option<Result<T, E>> {
        self.err().map(Err)
    }
}

/// Gives the items that a body emits, one for each [`next`](Generator::next): see [`generator()`] and
/// [the module](mod@crate::generator). asyncio: an asynchronous generator.
///
/// It is a [`Stream`], and stays on its thread. Dropping it closes it: the body is dropped where it stands.
//
// Invariant `Pinned`: the stage and the slot are pinned with the generator, which is not `Unpin` for the slot's sake.
#[must_use = "a generator does nothing unless asked for its items"]
pub struct Generator<B: Body> {
    /// Before the slot, for it is dropped first. In a cell, for a body holds references into itself, which a reference to
    /// the whole generator must leave alone.
    stage: UnsafeCell<Stage<B>>,
    slot: Slot<B::Emitted>,
}

pin_project_lite::pin_project! {
    #[project = StageProjection]
    #[project_replace = StageTaken]
    enum Stage<B: Start> {
        New { body: B },
        Running { #[pin] future: B::Future },
        Ended,
    }
}

impl<T, M, F, R> Generator<Closure<T, M>>
where
    M: FnOnce(NonNull<Slot<T>>) -> F,
    F: Future<Output = R>,
    R: Ending<T>,
{
    fn new(make: M) -> Self {
        let body = Closure { make, _emits: PhantomData };
        Self { stage: UnsafeCell::new(Stage::New { body }), slot: Slot::new() }
    }
}

impl<B: Body> Generator<B> {
    /// The next item: runs the body until it emits one, or ends. From then on it gives `None`. asyncio: `__anext__`.
    ///
    /// A generator pinned otherwise than by [`pin!`](core::pin::pin) has the same from [`Comprehension`], or by `as_mut()`.
    ///
    /// # Cancel safety
    /// **Loses nothing.** The body stays where it waits, and the next `next` goes on with it.
    ///
    /// [`Comprehension`]: super::Comprehension
    #[inline]
    pub fn next<'a, 'g>(self: &'a mut Pin<&'g mut Self>) -> Next<'a, Pin<&'g mut Self>> {
        Next::new(self)
    }

    /// Ends it: drops the body where it stands, and with it what its guards hold. asyncio: `aclose`.
    ///
    /// A body that was never started runs nothing, and one that has ended stays so.
    ///
    /// # Cancel safety
    /// **Loses nothing.** There is nothing in it to wait for: it is done at the first poll, and before that it has done
    /// nothing.
    pub async fn close(self: &mut Pin<&mut Self>) {
        self.as_mut().end();
    }

    fn end(self: Pin<&mut Self>) {
        let (mut stage, slot) = self.project();
        stage.set(Stage::Ended);
        slot.end();
    }

    fn project(self: Pin<&mut Self>) -> (Pin<&mut Stage<B>>, &Slot<B::Emitted>) {
        // SAFETY: `Pinned`: nothing is moved out of it here, nor by those who get the parts.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: `Pinned`.
        (unsafe { Pin::new_unchecked(this.stage.get_mut()) }, &this.slot)
    }

    /// One step of the body, for a consumer that found nothing in the slot.
    fn step(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<B::Item>> {
        let (mut stage, slot) = self.as_mut().project();
        if let StageProjection::New { .. } = stage.as_mut().project()
            && let StageTaken::New { body } = stage.as_mut().project_replace(Stage::Ended)
        {
            let future = body.start(NonNull::from(slot));
            stage.set(Stage::Running { future });
        }
        let StageProjection::Running { future } = stage.project() else {
            // It may have ended in a panic, half way through `end`.
            slot.end();
            return Poll::Ready(None);
        };
        slot.go_on(cx.waker());
        match future.poll(cx) {
            Poll::Ready(output) => {
                let last = B::last(output);
                self.end();
                Poll::Ready(last)
            }
            Poll::Pending => match slot.take() {
                Some(item) => Poll::Ready(Some(B::item(item))),
                None => {
                    slot.wait(cx.waker());
                    Poll::Pending
                }
            },
        }
    }
}

impl<B: Body> Stream for Generator<B> {
    type Item = B::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<B::Item>> {
        // Emitted while the consumer was away.
        if let Some(item) = self.slot.take() {
            return Poll::Ready(Some(B::item(item)));
        }
        let mut this = EndOnUnwind(self);
        let polled = this.0.as_mut().step(cx);
        core::mem::forget(this);
        polled
    }
}

/// Ends the generator should its body panic, as an exception does in CPython.
struct EndOnUnwind<'a, B: Body>(Pin<&'a mut Generator<B>>);

impl<B: Body> Drop for EndOnUnwind<'_, B> {
    fn drop(&mut self) {
        self.0.as_mut().end();
    }
}

impl<B: Body> FusedStream for Generator<B> {
    fn is_terminated(&self) -> bool {
        self.slot.has_ended()
    }
}

impl<B: Body> fmt::Debug for Generator<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator").field("ended", &self.slot.has_ended()).finish()
    }
}
