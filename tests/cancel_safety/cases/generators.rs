//! A stream keeps its place; who owns it loses it.

use std::pin::pin;

use corio::{Comprehension, collect, generator, generator::try_collect, sleep, try_generator};
use corio_sim::cancel_everywhere;

use super::{Owned, SECOND, comes};

/// The numbers 1 to 3, a second apart.
macro_rules! numbers {
    () => {
        generator(async |mut y| {
            for number in 1..=3 {
                sleep(SECOND).await;
                y.emit(number).await;
            }
        })
    };
}

pub(crate) fn generator_next() -> usize {
    cancel_everywhere(async |cut| {
        let mut numbers = pin!(numbers!());
        let mut got = Vec::new();
        let mut all = async || {
            while let Some(number) = numbers.next().await {
                got.push(number);
            }
        };
        if cut.apply(all()).await.is_none() {
            comes(all()).await;
        }
        assert_eq!(got, [1, 2, 3]);
    })
}

pub(crate) fn comprehension_next() -> usize {
    cancel_everywhere(async |cut| {
        let mut numbers = Box::pin(numbers!().map(|number| number * 2));
        let mut got = Vec::new();
        let mut all = async || {
            while let Some(number) = Comprehension::next(&mut numbers).await {
                got.push(number);
            }
        };
        if cut.apply(all()).await.is_none() {
            comes(all()).await;
        }
        assert_eq!(got, [2, 4, 6]);
    })
}

pub(crate) fn generator_close() -> usize {
    cancel_everywhere(async |cut| {
        let items = Owned::default();
        let item = items.one();
        let mut numbers = pin!(generator(async |mut y| {
            let _item = item;
            y.emit(1).await;
            y.emit(2).await;
        }));
        assert_eq!(numbers.next().await, Some(1));
        let closed = cut.apply(numbers.close()).await.is_some();
        assert_eq!(items.count(), usize::from(!closed));
        assert_eq!(numbers.next().await, (!closed).then_some(2));
    })
}

/// Dropped before the consumer has the item, it is in nobody's hands; the next one comes.
pub(crate) fn emitter_emit() -> usize {
    cancel_everywhere(async |cut| {
        let items = Owned::default();
        let (one, two) = (items.one(), items.one());
        let numbers = generator(async |mut y| {
            cut.apply(y.emit((1, one))).await;
            y.emit((2, two)).await;
        });
        let got: Vec<_> = comes(collect(numbers)).await;
        let order: Vec<_> = got.iter().map(|(number, _)| *number).collect();
        // Once it has waited, the consumer has taken the item: it has come before, or never.
        assert!(order == [1, 2] || cut.was_cut() && order == [2], "{order:?}");
        assert_eq!(items.count(), order.len());
    })
}

/// What owns the stream drops it, and what it has made of the items until then, and leaves nothing behind.
macro_rules! drops_all {
    ($name:ident, |$stream:ident| $future:expr) => {
        pub(crate) fn $name() -> usize {
            cancel_everywhere(async |cut| {
                let items = Owned::default();
                let $stream = generator(async |mut y| {
                    for _ in 0..3 {
                        let item = items.one();
                        sleep(SECOND).await;
                        y.emit(item).await;
                    }
                });
                let ended = cut.apply($future).await.is_some();
                assert_eq!((ended, items.count()), (!cut.was_cut(), 0));
            })
        }
    };
}

drops_all!(collect_, |stream| collect::<Items, _>(stream));
drops_all!(comprehension_for_each, |stream| stream.for_each(async |item| {
    sleep(SECOND).await;
    drop(item);
}));
drops_all!(comprehension_fold, |stream| stream.fold(Items::default(), async |mut all, item| {
    sleep(SECOND).await;
    all.extend([item]);
    all
}));
drops_all!(comprehension_any, |stream| stream.any(async |item| {
    sleep(SECOND).await;
    drop(item);
    false
}));
drops_all!(comprehension_all, |stream| stream.all(async |item| {
    sleep(SECOND).await;
    drop(item);
    true
}));

type Items = Vec<super::One>;

pub(crate) fn try_collect_() -> usize {
    cancel_everywhere(async |cut| {
        let items = Owned::default();
        let stream = try_generator(async |mut y| {
            for _ in 0..3 {
                let item = items.one();
                sleep(SECOND).await;
                y.emit(item).await;
            }
            Ok::<_, ()>(())
        });
        let ended = cut.apply(try_collect::<Items, _>(stream)).await;
        assert_eq!(ended.as_ref().map(|all| all.as_ref().map(Vec::len)), (!cut.was_cut()).then_some(Ok(3)));
        drop(ended);
        assert_eq!(items.count(), 0);
    })
}
