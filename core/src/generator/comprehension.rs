//! `Comprehension`: what the clauses of a comprehension are made of, for every stream, and what one is collected into.
//!
//! Clauses that await nothing are plain structs. Those that await are generators themselves: an async closure fits into
//! one without a name for its future, and without a box.

use super::{Body, Generator, generator};
use core::fmt;
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use futures_core::stream::{FusedStream, Stream, TryStream};

/// The clauses of an asynchronous comprehension, for every [`Stream`]; [`collect`] makes a container of the result.
///
/// ```
/// use corio::{Comprehension, collect, generator, yield_now};
///
/// # corio_sim::run(async {
/// let lines = generator(async |mut y| {
///     for line in ["7", "# no number", "35"] {
///         yield_now().await;
///         y.emit(line).await;
///     }
/// });
/// let words = lines.filter(|line| !line.starts_with('#'));
/// let numbers: Vec<u32> = collect(words.map(|word| word.parse::<u32>().unwrap())).await;
/// assert_eq!(numbers, [7, 35]);
/// # });
/// ```
///
/// `futures-util` has many more adapters, under a trait that shares some of these names: a module uses the one or the other.
pub trait Comprehension: Stream {
    /// The next item. Python: one step of `async for`.
    ///
    /// # Cancel safety
    /// **Loses nothing.** What the stream has done until then it keeps, and the next call goes on with it.
    fn next(&mut self) -> Next<'_, Self>
    where
        Self: Unpin,
    {
        Next::new(self)
    }

    /// What `f` makes of each item.
    fn map<U, F>(self, f: F) -> Map<Self, F>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> U,
    {
        Map { stream: self, f }
    }

    /// The items that `predicate` is true for.
    fn filter<F>(self, predicate: F) -> Filter<Self, F>
    where
        Self: Sized,
        F: FnMut(&Self::Item) -> bool,
    {
        Filter { stream: self, predicate }
    }

    /// What `f` makes of each item, one after the other. As `map`, where it has to wait for something.
    ///
    /// ```
    /// # use corio::{Comprehension, Duration, collect, generator::iter, sleep};
    /// # corio_sim::run(async {
    /// let slow = iter([3, 1, 2]).then(async |n| {
    ///     sleep(Duration::from_secs(n)).await;
    ///     n * n
    /// });
    /// assert_eq!(collect::<Vec<_>, _>(slow).await, [9, 1, 4]);
    /// # });
    /// ```
    fn then<U, F>(self, mut f: F) -> Generator<impl Body<Item = U>>
    where
        Self: Sized,
        F: AsyncFnMut(Self::Item) -> U,
    {
        generator(async move |mut y| {
            let mut stream = pin!(self);
            while let Some(item) = stream.next().await {
                y.emit(f(item).await).await;
            }
        })
    }

    /// The items that `predicate` is true for. As `filter`, where it has to wait for something.
    fn filter_async<F>(self, mut predicate: F) -> Generator<impl Body<Item = Self::Item>>
    where
        Self: Sized,
        F: AsyncFnMut(&Self::Item) -> bool,
    {
        generator(async move |mut y| {
            let mut stream = pin!(self);
            while let Some(item) = stream.next().await {
                if predicate(&item).await {
                    y.emit(item).await;
                }
            }
        })
    }

    /// The items of all the streams that `f` makes, one stream after the other: a second `for`.
    ///
    /// ```
    /// # use corio::{Comprehension, collect, generator::iter};
    /// # corio_sim::run(async {
    /// let pairs = iter(1..4).flat_map(|a| iter(0..a).map(move |b| (a, b)));
    /// assert_eq!(collect::<Vec<_>, _>(pairs).await, [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]);
    /// # });
    /// ```
    fn flat_map<S, F>(self, mut f: F) -> Generator<impl Body<Item = S::Item>>
    where
        Self: Sized,
        S: Stream,
        F: FnMut(Self::Item) -> S,
    {
        generator(async move |mut y| {
            let mut outer = pin!(self);
            while let Some(item) = outer.next().await {
                let mut inner = pin!(f(item));
                while let Some(item) = inner.next().await {
                    y.emit(item).await;
                }
            }
        })
    }

    /// Runs `f` on each item, one after the other. Python: `async for`.
    ///
    /// # Cancel safety
    /// **Not safe.** Dropping the future drops the stream with the items that are left in it, and what `f` does with
    /// one.
    fn for_each<F>(self, mut f: F) -> impl Future<Output = ()>
    where
        Self: Sized,
        F: AsyncFnMut(Self::Item),
    {
        async move {
            let mut stream = pin!(self);
            while let Some(item) = stream.next().await {
                f(item).await;
            }
        }
    }

    /// What `f` makes of `first` and the first item, then of that and the next item, and so on.
    ///
    /// ```
    /// # use corio::{Comprehension, generator::iter};
    /// # corio_sim::run(async {
    /// assert_eq!(iter(1..=4).fold(0, async |sum, n| sum + n).await, 10);
    /// # });
    /// ```
    ///
    /// # Cancel safety
    /// **Not safe.** Dropping the future drops the stream, and what was made of the items that it has given.
    fn fold<A, F>(self, first: A, mut f: F) -> impl Future<Output = A>
    where
        Self: Sized,
        F: AsyncFnMut(A, Self::Item) -> A,
    {
        async move {
            let mut stream = pin!(self);
            let mut result = first;
            while let Some(item) = stream.next().await {
                result = f(result, item).await;
            }
            result
        }
    }

    /// Whether `predicate` is true for an item. It asks for no more once it has found one.
    ///
    /// # Cancel safety
    /// **Not safe.** Dropping the future drops the stream, and it is lost which items were looked at.
    fn any<F>(self, mut predicate: F) -> impl Future<Output = bool>
    where
        Self: Sized,
        F: AsyncFnMut(Self::Item) -> bool,
    {
        async move {
            let mut stream = pin!(self);
            while let Some(item) = stream.next().await {
                if predicate(item).await {
                    return true;
                }
            }
            false
        }
    }

    /// Whether `predicate` is true for all items. It asks for no more once it has found one for which it is not.
    ///
    /// # Cancel safety
    /// **Not safe.** Dropping the future drops the stream, and it is lost which items were looked at.
    fn all<F>(self, mut predicate: F) -> impl Future<Output = bool>
    where
        Self: Sized,
        F: AsyncFnMut(Self::Item) -> bool,
    {
        async move {
            let mut stream = pin!(self);
            while let Some(item) = stream.next().await {
                if !predicate(item).await {
                    return false;
                }
            }
            true
        }
    }
}

impl<S: Stream + ?Sized> Comprehension for S {}

/// Runs a comprehension to its end: all the items of a stream, in a container. Python: `[… async for …]`, or the same in
/// other brackets.
///
/// Whatever can be empty and extended will do: vectors, maps (of pairs), sets, strings (of characters). Without an allocator
/// `heapless` has them; as they do for iterators, they panic when they are full.
///
/// ```
/// use corio::{Comprehension, collect, generator::iter};
/// use std::collections::HashMap;
///
/// # corio_sim::run(async {
/// let squares: HashMap<u32, u32> = collect(iter(1..4).map(|n| (n, n * n))).await;
/// assert_eq!(squares[&3], 9);
/// # });
/// ```
///
/// # Cancel safety
/// **Not safe.** Dropping the future drops the stream, and the items that it has given.
pub async fn collect<C, S>(stream: S) -> C
where
    S: Stream,
    C: Default + Extend<S::Item>,
{
    let mut stream = pin!(stream);
    let mut all = C::default();
    while let Some(item) = stream.next().await {
        all.extend(Some(item));
    }
    all
}

/// As [`collect`], for a stream of results: the first error ends it. Python: an exception leaves a comprehension.
///
/// ```
/// use corio::{generator::iter, try_collect};
///
/// # corio_sim::run(async {
/// let parsed: Result<Vec<u32>, _> = try_collect(iter(["1", "2", "x", "4"].map(str::parse::<u32>))).await;
/// assert!(parsed.is_err());
/// # });
/// ```
///
/// # Cancel safety
/// **Not safe.** Dropping the future drops the stream, and the items that it has given.
///
/// # Errors
/// The first error of the stream, which is dropped then.
pub async fn try_collect<C, S>(stream: S) -> Result<C, S::Error>
where
    S: TryStream + Stream<Item = Result<S::Ok, S::Error>>,
    C: Default + Extend<S::Ok>,
{
    let mut stream = pin!(stream);
    let mut all = C::default();
    while let Some(item) = stream.next().await {
        all.extend(Some(item?));
    }
    Ok(all)
}

/// A stream of what an iterator gives, for a plain `for` in a comprehension.
///
/// ```
/// use corio::{Comprehension, generator::iter};
///
/// # corio_sim::run(async {
/// assert_eq!(iter([1, 2, 3]).fold(0, async |sum, n| sum + n).await, 6);
/// # });
/// ```
pub fn iter<I: IntoIterator>(items: I) -> Iter<I::IntoIter> {
    Iter { items: items.into_iter() }
}

/// What [`iter`] makes.
#[derive(Clone, Debug)]
#[must_use = "streams do nothing unless asked for their items"]
pub struct Iter<I> {
    items: I,
}

impl<I> Unpin for Iter<I> {}

impl<I: Iterator> Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.get_mut().items.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

/// A pending [`Comprehension::next`] or [`Generator::next`].
#[must_use = "futures do nothing unless awaited"]
pub struct Next<'a, S: ?Sized> {
    stream: &'a mut S,
}

impl<'a, S: ?Sized> Next<'a, S> {
    #[inline]
    pub(super) fn new(stream: &'a mut S) -> Self {
        Self { stream }
    }
}

impl<S: ?Sized + Unpin> Unpin for Next<'_, S> {}

impl<S: Stream + Unpin + ?Sized> Future for Next<'_, S> {
    type Output = Option<S::Item>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut *self.stream).poll_next(cx)
    }
}

impl<S: ?Sized> fmt::Debug for Next<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Next")
    }
}

pin_project_lite::pin_project! {
    /// What [`Comprehension::map`] makes.
    #[derive(Clone)]
    #[must_use = "streams do nothing unless asked for their items"]
    pub struct Map<S, F> {
        #[pin]
        stream: S,
        f: F,
    }
}

impl<S: Stream, U, F: FnMut(S::Item) -> U> Stream for Map<S, F> {
    type Item = U;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<U>> {
        let this = self.project();
        this.stream.poll_next(cx).map(|item| item.map(this.f))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<S: FusedStream, U, F: FnMut(S::Item) -> U> FusedStream for Map<S, F> {
    fn is_terminated(&self) -> bool {
        self.stream.is_terminated()
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Map<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("stream", &self.stream).finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// What [`Comprehension::filter`] makes.
    #[derive(Clone)]
    #[must_use = "streams do nothing unless asked for their items"]
    pub struct Filter<S, F> {
        #[pin]
        stream: S,
        predicate: F,
    }
}

impl<S: Stream, F: FnMut(&S::Item) -> bool> Stream for Filter<S, F> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        loop {
            match ready!(this.stream.as_mut().poll_next(cx)) {
                Some(item) if !(this.predicate)(&item) => {}
                passed => return Poll::Ready(passed),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.stream.size_hint().1)
    }
}

impl<S: FusedStream, F: FnMut(&S::Item) -> bool> FusedStream for Filter<S, F> {
    fn is_terminated(&self) -> bool {
        self.stream.is_terminated()
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Filter<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").field("stream", &self.stream).finish_non_exhaustive()
    }
}
