//! Asynchronous generators and comprehensions.

use core::future::{Future, pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::Poll;

use corio::generator::{Body, iter, try_collect};
use corio::{
    Comprehension, Emitter, Generator, TimedOut, collect, generator, sleep, timeout, try_generator, yield_now,
};

use crate::World;
use crate::harness::{Bell, Count, Log, MS, NoteOnDrop, Turns, counted, poll, poll_opt, run, spawn, turns};

/// Emits `n` letters, and notes when it is left.
fn letters(log: &'static Log, n: u8) -> Generator<impl Body<Item = u8>> {
    generator(async move |mut y| {
        let _left = NoteOnDrop(log, b'!');
        for letter in (b'a'..).take(n.into()) {
            y.emit(letter).await;
        }
    })
}

/// A container of a few letters.
#[derive(Default, PartialEq)]
struct Few([u8; 8], usize);

impl Extend<u8> for Few {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, items: I) {
        for item in items {
            self.0[self.1] = item;
            self.1 += 1;
        }
    }
}

impl Few {
    fn is(&self, items: &[u8]) -> bool {
        self.0[..self.1] == *items
    }
}

pub(crate) fn items_come_in_order_and_then_none_for_ever<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let mut letters = pin!(letters(&LOG, 3));
        while let Some(letter) = letters.next().await {
            LOG.note(letter);
        }
        LOG.expect("abc!");
        assert!(letters.next().await.is_none() && letters.next().await.is_none());
        letters.close().await;
        assert!(letters.next().await.is_none());
        LOG.expect("");
    });
}

pub(crate) fn a_step_takes_no_turn_and_a_wait_in_the_body_takes_what_it_takes<W: World>(world: &mut W) {
    static TURNS: Count = Count::new();
    static LOG: Log = Log::new();
    run(world, async {
        let loop_turns = Turns::start(&TURNS).await;
        assert!(loop_turns.of(letters(&LOG, 20).for_each(async |_| {})).await == 0);
        let waits = generator(async |mut y| {
            y.emit(1).await;
            yield_now().await;
            y.emit(2).await;
            turns(2).await;
        });
        assert!(loop_turns.of(waits.for_each(async |_| {})).await == 3);
    });
}

pub(crate) fn a_consumer_of_a_body_that_waits_is_idle<W: World>(world: &mut W) {
    static POLLS: Count = Count::new();
    run(world, async {
        let mut slow = pin!(generator(async |mut y| {
            for n in 1..=3 {
                sleep(MS).await;
                y.emit(n).await;
            }
        }));
        for n in 1..=3 {
            assert!(counted(&POLLS, slow.next()).await == Some(n));
        }
        assert!(POLLS.get() == 6, "when they ask, and at each deadline");
    });
}

pub(crate) fn closed_before_it_began_it_runs_nothing<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let mut closed = pin!(letters(&LOG, 3));
        closed.close().await;
        assert!(closed.next().await.is_none());
        drop(letters(&LOG, 3));
        // A future that was not polled has done nothing.
        let mut kept = pin!(letters(&LOG, 3));
        drop(kept.next());
        drop(kept.close());
        assert!(kept.next().await == Some(b'a'));
        LOG.expect("");
    });
}

pub(crate) fn closing_runs_the_guards_there_and_then<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static BELL: Bell = Bell::new();
    run(world, async {
        let mut at_emit = pin!(letters(&LOG, 3));
        assert!(at_emit.next().await == Some(b'a'));
        at_emit.close().await;
        LOG.expect("!");
        assert!(at_emit.next().await.is_none());
        {
            let mut out_of_scope = pin!(letters(&LOG, 3));
            while let Some(letter) = out_of_scope.next().await {
                LOG.note(letter);
                if letter == b'b' {
                    break;
                }
            }
            LOG.note(b'.');
        }
        LOG.expect("ab.!");
        let mut waits = pin!(generator(async |mut y| {
            let _left = NoteOnDrop(&LOG, b'!');
            y.emit(()).await;
            pending().await
        }));
        assert!(waits.next().await.is_some());
        assert!(poll(pin!(waits.next()), &BELL).is_none());
        waits.close().await;
        LOG.expect("!");
        assert!(waits.next().await.is_none());
    });
}

pub(crate) fn a_dropped_next_loses_nothing_and_the_body_goes_on<W: World>(world: &mut W) {
    run(world, async {
        let gate = corio::Semaphore::new(0);
        let mut slow = pin!(generator(async |mut y| {
            for n in 1..=2 {
                gate.acquire().await.forget();
                y.emit(n).await;
            }
        }));
        assert!(timeout(MS, slow.next()).await == Err(TimedOut));
        assert!(timeout(MS, slow.next()).await == Err(TimedOut));
        gate.release();
        assert!(slow.next().await == Some(1));
        assert!(timeout(MS, slow.next()).await == Err(TimedOut));
        gate.release();
        assert!(slow.next().await == Some(2));
        assert!(slow.next().await.is_none());
    });
}

pub(crate) fn a_cancelled_consumer_drops_the_generator_that_it_owns<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        // While the body waits, and while the consumer does.
        for body_waits in [true, false] {
            let task = spawn(async move {
                let _consumer = NoteOnDrop(&LOG, b'c');
                let mut endless = pin!(generator(async |mut y| {
                    let _left = NoteOnDrop(&LOG, b'g');
                    y.emit(()).await;
                    pending().await
                }));
                while endless.next().await.is_some() {
                    let _inside = NoteOnDrop(&LOG, b'i');
                    if !body_waits {
                        pending().await
                    }
                }
            });
            turns(2).await;
            LOG.expect(if body_waits { "i" } else { "" });
            task.cancel();
            assert!(task.await.is_err());
            LOG.expect(if body_waits { "gc" } else { "igc" });
        }
    });
}

pub(crate) fn an_error_is_the_last_item<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let fails = || {
            try_generator(async |mut y| {
                let _left = NoteOnDrop(&LOG, b'!');
                y.emit(b'a').await;
                yield_now().await;
                Err("broken")?;
                y.emit(b'b').await;
                Ok(())
            })
        };
        let mut by_hand = pin!(fails());
        assert!(by_hand.next().await == Some(Ok(b'a')));
        assert!(by_hand.next().await == Some(Err("broken")));
        LOG.expect("!");
        assert!(by_hand.next().await.is_none());
        assert!(try_collect::<Few, _>(fails()).await.err() == Some("broken"));
        let well = try_generator(async |mut y| {
            y.emit(b'a').await;
            Ok::<_, ()>(())
        });
        assert!(try_collect::<Few, _>(well).await.is_ok_and(|few| few.is(b"a")));
    });
}

/// Polls `future` once, and drops it.
async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

pub(crate) fn an_emit_dropped_before_it_is_taken_takes_its_item_back<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let mut changes_its_mind = pin!(generator(async |mut y| {
            drop(y.emit(NoteOnDrop(&LOG, b'0')));
            LOG.expect("0");
            assert!(once(y.emit(NoteOnDrop(&LOG, b'1'))).await.is_none());
            LOG.expect("1");
            y.emit(NoteOnDrop(&LOG, b'2')).await;
            LOG.note(b'.');
            assert!(once(y.emit(NoteOnDrop(&LOG, b'3'))).await.is_none());
        }));
        assert!(changes_its_mind.next().await.is_some());
        LOG.expect("2");
        assert!(changes_its_mind.next().await.is_none());
        LOG.expect(".3");
    });
}

pub(crate) fn what_is_emitted_behind_a_forgotten_emit_waits_for_room<W: World>(world: &mut W) {
    static BELL: Bell = Bell::new();
    run(world, async {
        let mut forgets = pin!(generator(async |mut y| {
            let mut forgotten = y.emit(1);
            let _ = poll_fn(|cx| Poll::Ready(Pin::new(&mut forgotten).poll(cx))).await;
            core::mem::forget(forgotten);
            y.emit(2).await;
            let mut forgotten = y.emit(3);
            let _ = poll_fn(|cx| Poll::Ready(Pin::new(&mut forgotten).poll(cx))).await;
            core::mem::forget(forgotten);
        }));
        assert!(poll(pin!(forgets.next()), &BELL) == Some(Some(1)));
        assert!(poll(pin!(forgets.next()), &BELL) == Some(Some(2)));
        assert!(poll(pin!(forgets.next()), &BELL) == Some(None), "nobody waits for the third to be taken");
        assert!(!BELL.rang());
    });
}

pub(crate) fn an_emit_with_a_waker_of_its_own_is_woken_when_the_next_item_is_asked_for<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    let mut numbers = pin!(generator(async |mut y| {
        for n in 0..3 {
            let mut emit = pin!(y.emit(n));
            poll_fn(|_| match poll(emit.as_mut(), &BELLS[1]) {
                Some(()) => Poll::Ready(()),
                None => Poll::Pending,
            })
            .await;
        }
    }));
    for n in 0..3 {
        assert!(poll(pin!(numbers.next()), &BELLS[0]) == Some(Some(n)));
        assert!(BELLS[1].rang() == (n > 0) && !BELLS[0].rang());
    }
    assert!(poll(pin!(numbers.next()), &BELLS[0]) == Some(None));
    assert!(BELLS[1].rang() && !BELLS[0].rang());
}

pub(crate) fn an_emit_polled_for_other_reasons_waits_until_its_item_is_taken<W: World>(world: &mut W) {
    run(world, async {
        let mut polled_twice = pin!(generator(async |mut y| {
            let mut emit = y.emit(1);
            let pending = poll_fn(|cx| {
                Poll::Ready(Pin::new(&mut emit).poll(cx).is_pending() && Pin::new(&mut emit).poll(cx).is_pending())
            });
            assert!(pending.await);
            emit.await;
            y.emit(2).await;
        }));
        assert!(polled_twice.next().await == Some(1));
        assert!(polled_twice.next().await == Some(2));
        assert!(polled_twice.next().await.is_none());
    });
}

pub(crate) fn generators_nest_and_each_emits_to_its_own<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let mut outer = pin!(generator(async |mut out| {
            let _left = NoteOnDrop(&LOG, b'o');
            let mut inner = pin!(generator(async |mut y| {
                let _left = NoteOnDrop(&LOG, b'i');
                y.emit(b'1').await;
                out.emit(b'x').await;
                yield_now().await;
                y.emit(b'2').await;
            }));
            let mut seen = 0;
            while let Some(letter) = inner.next().await {
                LOG.note(letter);
                seen += 1;
            }
            assert!(seen == 2);
        }));
        while let Some(letter) = outer.next().await {
            LOG.note(letter);
        }
        LOG.expect("1x2io");
    });
}

/// A body that is an ordinary function.
async fn countdown(y: &mut Emitter<'_, u8>, from: u8) {
    for n in (0..from).rev() {
        y.emit(b'0' + n).await;
    }
}

pub(crate) fn a_body_passes_its_emitter_to_functions<W: World>(world: &mut W) {
    run(world, async {
        let twice = generator(async |mut y| {
            countdown(&mut y, 3).await;
            countdown(&mut y, 2).await;
        });
        assert!(collect::<Few, _>(twice).await.is(b"21010"));
    });
}

pub(crate) fn a_generator_that_moves_between_tasks_goes_on_where_it_was<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    static READY: corio::Event = corio::Event::new();
    let mut letters = pin!(generator(async |mut y| {
        y.emit(b'a').await;
        READY.wait().await;
        y.emit(b'b').await;
    }));
    assert!(poll(pin!(letters.next()), &BELLS[0]) == Some(Some(b'a')));
    let mut next = pin!(Some(letters.next()));
    assert!(poll_opt(next.as_mut(), &BELLS[0]).is_none());
    next.set(None);
    assert!(poll_opt(pin!(Some(letters.next())), &BELLS[1]).is_none());
    READY.set();
    assert!(!BELLS[0].rang() && BELLS[1].rang());
    assert!(poll(pin!(letters.next()), &BELLS[1]) == Some(Some(b'b')));
    assert!(poll(pin!(letters.next()), &BELLS[0]) == Some(None));
}

pub(crate) fn a_comprehension_filters_and_maps<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    static TURNS: Count = Count::new();
    run(world, async {
        let plain = letters(&LOG, 6).filter(|l| l % 2 == 0).map(|l| l.to_ascii_uppercase());
        assert!(collect::<Few, _>(plain).await.is(b"BDF"));
        LOG.expect("!");
        let loop_turns = Turns::start(&TURNS).await;
        let waits = letters(&LOG, 6)
            .filter_async(async |l| {
                yield_now().await;
                *l != b'c'
            })
            .then(async |l| {
                yield_now().await;
                l.to_ascii_uppercase()
            });
        assert!(loop_turns.of(async { assert!(collect::<Few, _>(waits).await.is(b"ABDEF")) }).await == 11);
        LOG.expect("!");
    });
}

pub(crate) fn a_comprehension_has_loops_within_loops<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        let pairs = iter([2, 0, 3]).flat_map(|n| letters(&LOG, n));
        assert!(collect::<Few, _>(pairs).await.is(b"ababc"));
        LOG.expect("!!!");
        let mut cut = pin!(iter([2, 3]).flat_map(|n| letters(&LOG, n)));
        assert!(cut.next().await == Some(b'a'));
        cut.close().await;
        LOG.expect("!");
    });
}

pub(crate) fn a_stream_is_folded_and_searched<W: World>(world: &mut W) {
    static LOG: Log = Log::new();
    run(world, async {
        assert!(letters(&LOG, 4).fold(0, async |count, _| count + 1).await == 4);
        letters(&LOG, 2).for_each(async |letter| LOG.note(letter)).await;
        LOG.expect("!ab!");
        // Whoever has found it asks for no more, and closes.
        let seen = async |letter| {
            LOG.note(letter);
            letter == b'b'
        };
        assert!(letters(&LOG, 4).any(seen).await);
        assert!(!letters(&LOG, 1).any(seen).await);
        assert!(!letters(&LOG, 4).all(seen).await);
        assert!(letters(&LOG, 0).all(seen).await);
        LOG.expect("ab!a!a!!");
    });
}
