//! Tests that need a heap, threads and unwinding.

mod callbacks;
mod combine;
mod contexts;
mod foreign;
mod group;
mod hostile;
mod models;
mod panics;
mod runner;
mod scoped;
mod shared;
mod stale;
mod storage;
mod threads;
mod waker;

use core::fmt::Debug;
use core::marker::PhantomData;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use corio::{Reactor, Runner, Task, spawn, yield_now};

use crate::{Test, World};
use models::beyond;

/// A backend under test on a host.
pub trait Hosted: World {
    /// What the backend supplies.
    type Reactor: Reactor<Error: Debug>;

    /// One more of them.
    fn reactor() -> Self::Reactor;
}

/// Runs one of the tests that need a host.
///
/// # Panics
/// When it fails, or there is none of that name.
pub fn run_hosted<W: Hosted>(world: &mut W, name: &str) {
    crate::run_one(List::<W>::TESTS, world, name);
}

struct List<W>(PhantomData<W>);

impl<W: Hosted> List<W> {
    const TESTS: &'static [Test<W>] = hosted_tests!(table);
}

fn runner<W: Hosted>() -> Runner<W::Reactor> {
    Runner::new(W::reactor())
}

/// Divides large counts, for runs under an emulator: `CORIO_SUITE_DIVIDE=100`.
fn rounds(full: usize) -> usize {
    let divide = std::env::var("CORIO_SUITE_DIVIDE").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    (full / divide).max(1)
}

/// While it lives the loop does not sleep, and a simulation does not take that it waits for a thread for a deadlock.
struct Awake(#[expect(dead_code, reason = "dropped with it")] Option<Task<()>>);

impl Awake {
    fn where_time_is_virtual<W: World>() -> Self {
        Self(W::VIRTUAL.then(|| {
            spawn(async {
                loop {
                    std::thread::yield_now();
                    yield_now().await;
                }
            })
        }))
    }
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    /// Notes `what` when the guard drops.
    fn on_drop(&self, what: impl Into<String>) -> Noted {
        Noted(self.clone(), what.into())
    }

    /// Asserts that exactly this was noted since the last call.
    #[track_caller]
    fn expect(&self, expected: &[&str]) {
        assert_eq!(core::mem::take(&mut *self.0.borrow_mut()), expected);
    }

    /// Likewise, `one` left out, which was noted once, wherever.
    #[track_caller]
    fn expect_without(&self, expected: &[&str], one: &str) {
        let (ones, others): (Vec<_>, Vec<_>) =
            core::mem::take(&mut *self.0.borrow_mut()).into_iter().partition(|it| it == one);
        assert_eq!((ones.len(), others), (1, expected.iter().map(|it| String::from(*it)).collect()));
    }
}

/// Notes something in a trace when dropped.
struct Noted(Trace, String);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.note(core::mem::take(&mut self.1));
    }
}

/// Leaks it, and keeps where it is: so those who look for what a program has lost know that it was no oversight.
fn leak<'a, T>(it: T) -> &'a mut T {
    static PLACES: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let it = Box::leak(Box::new(it));
    PLACES.lock().expect("nobody panics with it").push(core::ptr::from_mut(it).expose_provenance());
    it
}

/// Calls `f` when dropped.
fn on_drop<F: FnMut()>(f: F) -> OnDrop<F> {
    OnDrop(f)
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Counts wakes.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (wakes.clone(), wakes.into())
    }

    /// How many since the last call.
    fn take(&self) -> usize {
        self.0.swap(0, SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A generator of random numbers, for tests that print their seed: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Runs `test` with many seeds; a failure names its seed.
fn with_seeds(seeds: u64, test: impl Fn(&mut Random)) {
    struct Say(u64);
    impl Drop for Say {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("with the seed {}", self.0);
            }
        }
    }
    for seed in 0..rounds(seeds as usize) as u64 {
        let _say = Say(seed);
        test(&mut Random(seed));
    }
}
