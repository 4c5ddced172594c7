//! What many share beyond asyncio: with clones and drops that come back, with wakers that do, and from threads.

use core::cell::Cell;
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Wake;
use std::thread;

use corio::{Broadcast, OnceCell, RecvError, RwLock, Signal, Watch, yield_now};

use super::threads::block_on;
use super::{Awake, Hosted, Random, rounds};
use crate::World;

/// Polls once, for nobody.
fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

pub(crate) fn a_clone_that_comes_back_to_its_channel_or_watch_is_noticed<W: Hosted>(_: &mut W) {
    // `Clone::clone` runs under the lock. Coming back from there must be a panic: not a hang, not a second borrow.
    thread_local! {
        static CHANNEL: Broadcast<Meddler, 2> = const { Broadcast::new() };
        static WATCH: Watch<Meddler> = const { Watch::new(Meddler) };
        static ON: Cell<bool> = const { Cell::new(false) };
    }
    struct Meddler;
    impl Clone for Meddler {
        fn clone(&self) -> Self {
            if ON.get() {
                CHANNEL.with(|channel| channel.len());
                WATCH.with(|watch| watch.send(Meddler));
            }
            Meddler
        }
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    // In a thread of its own: if it hangs, the test fails and the thread is left behind.
    thread::spawn(move || {
        CHANNEL.with(|channel| {
            let (mut one, mut two) = (channel.subscribe(), channel.subscribe());
            assert_eq!(channel.publish(Meddler).ok(), Some(2));
            ON.set(true);
            assert!(catch_unwind(AssertUnwindSafe(|| one.try_recv().is_ok())).is_err());
            ON.set(false);
            // Usable afterwards, and nothing is lost.
            assert!(one.try_recv().is_ok() && two.try_recv().is_ok() && channel.is_empty());
        });
        WATCH.with(|watch| {
            ON.set(true);
            assert!(catch_unwind(AssertUnwindSafe(|| watch.get())).is_err());
            ON.set(false);
            watch.send(watch.get());
        });
        let _ = sender.send(());
    });
    receiver.recv_timeout(core::time::Duration::from_secs(600)).expect("it came to an end");
}

/// What uses all that it may be in, when dropped.
struct Returning(Rc<Places>, u8);

#[derive(Default)]
struct Places {
    channel: Broadcast<Returning, 2>,
    watch: RefCell<Option<Rc<Watch<Option<Returning>>>>>,
    signal: Signal<Returning>,
    dropped: Cell<usize>,
}

impl Clone for Returning {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1)
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        let places = self.0.clone();
        places.dropped.set(places.dropped.get() + 1);
        let _ = (places.channel.len(), places.signal.is_signaled());
        if self.1 > 0 {
            let child = || Self(places.clone(), self.1 - 1);
            let _ = places.channel.publish(child());
            places.signal.signal(child());
            let watch = places.watch.borrow().clone();
            if let Some(watch) = watch {
                watch.send(Some(child()));
            }
        }
    }
}

pub(crate) fn messages_and_values_whose_drop_comes_back_to_where_they_were<W: Hosted>(_: &mut W) {
    let places = Rc::new(Places::default());
    let watch = Rc::new(Watch::new(None));
    *places.watch.borrow_mut() = Some(watch.clone());
    let one = || Returning(places.clone(), 3);
    let (mut fast, slow) = (places.channel.subscribe(), places.channel.subscribe());
    for _ in 0..4 {
        assert!(places.channel.publish(one()).is_ok());
        places.signal.signal(one());
        watch.send(Some(one()));
        // (The copy that this changes is dropped too. If it came back each time, it would never come to an end.)
        watch.modify(|value| *value = Some(Returning(places.clone(), 0)));
        let _ = fast.try_recv();
    }
    assert!(places.dropped.get() > 20);
    drop(slow);
    places.signal.reset();
    drop(places.channel.try_send(one()));
    drop(fast);
    assert!(places.channel.is_empty());
    places.signal.reset();
    *places.watch.borrow_mut() = None;
    drop(watch);
    // What is left in them goes with them, without a circle to keep them.
    while let Some(left) = places.signal.try_take() {
        drop(left);
    }
    assert_eq!(Rc::strong_count(&places), 1);
}

pub(crate) fn a_clone_that_panics_changes_nothing<W: Hosted>(_: &mut W) {
    thread_local!(static FAILS: Cell<bool> = const { Cell::new(false) });
    #[derive(Debug, PartialEq)]
    struct Fragile(u8);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            assert!(!FAILS.get(), "as the test wants it");
            Self(self.0)
        }
    }
    let channel = Broadcast::<Fragile, 1>::new();
    let (mut one, mut two) = (channel.subscribe(), channel.subscribe());
    let watch = Watch::new(Fragile(1));
    let mut watcher = watch.subscribe();
    let mut recv = Box::pin(one.recv());
    assert!(poll(recv.as_mut()).is_none());
    assert_eq!(channel.try_send(Fragile(7)), Ok(2));
    FAILS.set(true);
    assert!(catch_unwind(AssertUnwindSafe(|| poll(recv.as_mut()))).is_err());
    drop(recv);
    assert!(catch_unwind(AssertUnwindSafe(|| one.try_recv())).is_err());
    watch.send(Fragile(2));
    assert!(catch_unwind(AssertUnwindSafe(|| watcher.get())).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| watch.modify(|value| value.0 = 9))).is_err());
    FAILS.set(false);
    assert_eq!((one.try_recv(), two.try_recv()), (Ok(Fragile(7)), Ok(Fragile(7))));
    assert!(channel.is_empty() && watcher.has_changed());
    assert_eq!(watcher.get(), Fragile(2));
}

pub(crate) fn a_waker_that_reads_again_at_once_does_not_keep_the_lock_from_writers<W: Hosted>(_: &mut W) {
    // An executor may poll where it is woken. Two readers that come back from there, again and again, must not have whoever
    // lets them in go round for ever.
    struct Again {
        lock: Arc<RwLock<u32>>,
        left: AtomicUsize,
        reads: AtomicUsize,
    }
    impl Wake for Again {
        fn wake(self: Arc<Self>) {
            while self.left.load(SeqCst) > 0 {
                self.left.fetch_sub(1, SeqCst);
                let lock = self.lock.clone();
                let mut read = Box::pin(async move { drop(lock.read().await) });
                let waker = Waker::from(self.clone());
                let read = read.as_mut().poll(&mut Context::from_waker(&waker));
                self.reads.fetch_add(usize::from(read.is_ready()), SeqCst);
            }
        }
    }
    let lock = Arc::new(RwLock::new(0));
    let again = Arc::new(Again { lock: lock.clone(), left: AtomicUsize::new(1000), reads: AtomicUsize::new(0) });
    let waker = Waker::from(again.clone());
    let held = lock.try_write();
    let (mut one, mut two) = (pin!(lock.read()), pin!(lock.read()));
    let mut cx = Context::from_waker(&waker);
    assert!(one.as_mut().poll(&mut cx).is_pending() && two.as_mut().poll(&mut cx).is_pending());
    drop(held);
    assert_eq!(
        (again.left.load(SeqCst), again.reads.load(SeqCst)),
        (0, 1000),
        "who comes while readers are let in goes in"
    );
    assert_eq!(lock.readers(), 2);
    assert!(one.poll(&mut cx).is_ready() && two.poll(&mut cx).is_ready());
    assert!(lock.try_write().is_some());
}

pub(crate) fn a_panic_while_the_value_is_made_lets_the_next_make_it<W: Hosted>(_: &mut W) {
    let cell = OnceCell::<u8>::new();
    let mut first = Box::pin(cell.get_or_init(async || {
        yield_now_by_hand().await;
        panic!("as the test wants it")
    }));
    let mut second = pin!(cell.get_or_init(async || 2));
    assert!(poll(first.as_mut()).is_none() && poll(second.as_mut()).is_none());
    assert!(catch_unwind(AssertUnwindSafe(|| poll(first.as_mut()))).is_err());
    assert_eq!(poll(second), Some(&2));
}

/// Pending once.
async fn yield_now_by_hand() {
    let mut polled = false;
    core::future::poll_fn(|_| if core::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

pub(crate) fn readers_and_writers_in_threads_are_cancelled_at_random_and_none_is_forgotten<W: World>(world: &mut W) {
    async fn turn(lock: &RwLock<[u64; 2]>, write: bool) {
        if write {
            let mut value = lock.write().await;
            value[0] += 1;
            thread::yield_now();
            value[1] += 1;
        } else {
            let value = lock.read().await;
            assert_eq!(value[0], value[1]);
        }
    }
    world.run(async {
        let _awake = Awake::where_time_is_virtual::<W>();
        let (lock, n) = (Arc::new(RwLock::new([0; 2])), rounds(2_000));
        let threads: Vec<_> = (0..3)
            .map(|seed| {
                let lock = lock.clone();
                thread::spawn(move || {
                    let mut random = Random(seed);
                    for _ in 0..n {
                        let mut turn = Box::pin(turn(&lock, random.below(3) == 0));
                        if random.below(2) == 0 {
                            block_on(turn);
                            continue;
                        }
                        // In line for a while, then gone, with a grant or without.
                        for _ in 0..random.below(3) {
                            if poll(turn.as_mut()).is_some() {
                                break;
                            }
                        }
                    }
                })
            })
            .collect();
        for i in 0..n {
            turn(&lock, i % 4 == 0).await;
            yield_now().await;
        }
        for thread in threads {
            thread.join().expect("a thread panicked");
        }
        assert_eq!((lock.readers(), lock.is_written()), (0, false));
        assert!(lock.try_write().is_some());
    });
}

pub(crate) fn messages_go_to_all_receivers_in_threads<W: World>(world: &mut W) {
    world.run(async {
        let _awake = Awake::where_time_is_virtual::<W>();
        let (channel, n) = (Arc::new(Broadcast::<Arc<usize>, 4>::new()), rounds(3_000));
        let threads: Vec<_> = (0..3)
            .map(|seed| {
                let (channel, other) = (channel.clone(), channel.clone());
                let (ready, is_ready) = std::sync::mpsc::channel();
                let thread = thread::spawn(move || {
                    let mut random = Random(seed);
                    let mut receiver = channel.subscribe();
                    ready.send(()).expect("the test waits for it");
                    for i in 0..n {
                        if random.below(3) == 0 {
                            // Another comes, listens for a while and goes.
                            let mut passing = channel.subscribe();
                            let _ = poll(pin!(passing.recv()));
                        }
                        assert_eq!(block_on(receiver.recv()).map(|message| *message), Ok(i));
                    }
                    block_on(receiver.recv())
                });
                is_ready.recv().expect("it subscribes");
                drop(other);
                thread
            })
            .collect();
        for i in 0..n {
            assert!(channel.send(Arc::new(i)).await.is_ok_and(|receivers| receivers >= 3));
        }
        while !channel.is_empty() {
            yield_now().await;
        }
        channel.close();
        for thread in threads {
            assert_eq!(thread.join().expect("a thread panicked"), Err(RecvError::Closed));
        }
    });
}

pub(crate) fn a_value_is_made_once_however_many_threads_want_it_and_give_up<W: Hosted>(_: &mut W) {
    for round in 0..rounds(300) {
        let (cell, made) = (Arc::new(OnceCell::new()), Arc::new(AtomicUsize::new(0)));
        let threads: Vec<_> = (0..3)
            .map(|seed| {
                let (cell, made) = (cell.clone(), made.clone());
                thread::spawn(move || {
                    let mut random = Random((round * 3 + seed) as u64);
                    for _ in 0..random.below(4) {
                        let mut makes = Box::pin(cell.get_or_init(async || {
                            yield_now_by_hand().await;
                            unreachable!("gives up before")
                        }));
                        let _ = poll(makes.as_mut());
                        thread::yield_now();
                    }
                    *block_on(cell.get_or_init(async || {
                        thread::yield_now();
                        made.fetch_add(1, SeqCst)
                    }))
                })
            })
            .collect();
        assert_eq!(*block_on(cell.wait()), 0);
        for thread in threads {
            assert_eq!(thread.join().expect("a thread panicked"), 0);
        }
        assert_eq!(made.load(SeqCst), 1);
    }
}

pub(crate) fn a_value_watched_from_threads_is_never_a_mixture_and_no_change_is_lost<W: World>(world: &mut W) {
    world.run(async {
        let _awake = Awake::where_time_is_virtual::<W>();
        let (watch, n) = (Arc::new(Watch::new((0, 0))), rounds(3_000));
        let changers: Vec<_> = (0..2)
            .map(|_| {
                let watch = watch.clone();
                thread::spawn(move || {
                    for _ in 0..n {
                        watch.modify(|value| *value = (value.0 + 1, value.1 + 2));
                    }
                })
            })
            .collect();
        let follower = {
            let watch = watch.clone();
            thread::spawn(move || {
                let mut receiver = watch.subscribe();
                let mut last = receiver.get();
                while last.0 < 2 * n {
                    block_on(receiver.changed());
                    let value = receiver.get();
                    assert!(value.0 > last.0 && value.1 == 2 * value.0);
                    last = value;
                }
            })
        };
        let mut receiver = watch.subscribe();
        while receiver.get().0 < 2 * n {
            receiver.changed().await;
        }
        for thread in changers.into_iter().chain([follower]) {
            thread.join().expect("a thread panicked");
        }
        assert_eq!(watch.get(), (2 * n, 4 * n));
    });
}
