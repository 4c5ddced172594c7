#![allow(unsafe_code)] // `Bell`, a waker over a static, for want of an `Arc`; `Own`, `Local`: what is not `Sync` in a static
//! What the tests are written with: logs and counters for statics, wakers that count, spawning with and without a heap.
//!
//! Everything lives in statics and counts with plain loads and stores, so that it builds where there is no allocator and
//! no compare-and-swap. A static is used by one test.

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering::SeqCst};
use core::task::{Context, RawWaker, RawWakerVTable, Waker};

use corio::{Duration, Task, yield_now};

use crate::World;

/// A short time: long enough for a clock with a tick of 1 ms to tell 1, 2 and 3 of it apart.
pub(crate) const MS: Duration = Duration::from_millis(1);

/// A time that no test lasts, however the machine dawdles.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// Runs `main`, and then whatever it has cancelled to its end.
pub(crate) fn run<W: World>(world: &mut W, main: impl Future<Output = ()>) {
    world.run(async {
        main.await;
        turns(3).await;
    });
}

/// Waits for `n` turns of the loop.
pub(crate) async fn turns(n: usize) {
    for _ in 0..n {
        yield_now().await;
    }
}

/// Starts a task on the heap, if there is one, and else in a pool.
#[cfg(feature = "std")]
pub(crate) use corio::spawn;

#[cfg(not(feature = "std"))]
pub(crate) fn spawn<F: Future + 'static>(future: F) -> Task<F::Output> {
    static POOL: corio::TaskPool<[u64; 40], 10> = corio::TaskPool::new();
    match POOL.spawn(future) {
        Ok(task) => task,
        Err(_) => panic!("a test spawns too many tasks, or the test before it has left some behind"),
    }
}

/// What happened, in order: a letter for each step.
pub(crate) struct Log {
    length: AtomicUsize,
    letters: [AtomicU8; 64],
}

impl Log {
    pub(crate) const fn new() -> Self {
        Self { length: AtomicUsize::new(0), letters: [const { AtomicU8::new(0) }; 64] }
    }

    pub(crate) fn note(&self, letter: u8) {
        let length = self.length.load(SeqCst);
        self.letters[length].store(letter, SeqCst);
        self.length.store(length + 1, SeqCst);
    }

    /// Asserts that exactly `letters` have been noted since the last call, and begins anew.
    #[track_caller]
    pub(crate) fn expect(&self, letters: &str) {
        let length = self.length.swap_out();
        let noted = &self.letters[..length];
        if noted.len() != letters.len() || noted.iter().zip(letters.bytes()).any(|(a, b)| a.load(SeqCst) != b) {
            self.differs(letters, length)
        }
    }

    #[cold]
    #[track_caller]
    fn differs(&self, letters: &str, length: usize) -> ! {
        let mut noted = [b' '; 64];
        for (to, from) in noted.iter_mut().zip(&self.letters[..length]) {
            *to = from.load(SeqCst);
        }
        panic!("expected order {letters:?}, found {:?}", core::str::from_utf8(&noted[..length]).unwrap_or("?"))
    }
}

/// `swap` for targets that have none.
trait SwapOut {
    fn swap_out(&self) -> usize;
}

impl SwapOut for AtomicUsize {
    fn swap_out(&self) -> usize {
        let value = self.load(SeqCst);
        self.store(0, SeqCst);
        value
    }
}

/// Notes a letter when dropped.
pub(crate) struct NoteOnDrop(pub(crate) &'static Log, pub(crate) u8);

impl Drop for NoteOnDrop {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// A number that goes up, or is set.
pub(crate) struct Count(AtomicU32);

impl Count {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    pub(crate) fn get(&self) -> u32 {
        self.0.load(SeqCst)
    }

    pub(crate) fn set(&self, to: u32) {
        self.0.store(to, SeqCst);
    }

    pub(crate) fn add(&self) {
        self.set(self.get() + 1);
    }
}

/// `future`, every poll of it counted.
pub(crate) async fn counted<F: Future>(polls: &'static Count, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.add();
        future.as_mut().poll(cx)
    })
    .await
}

/// Something in a static that belongs to one thread.
pub(crate) struct Local<T>(pub(crate) T);

// SAFETY: `OneTest`, see `Own`.
unsafe impl<T> Sync for Local<T> {}

/// Where a task finds its own handle.
///
/// Invariant `OneTest`: a static of a test is used by that test, and so by one thread.
pub(crate) struct Own<T>(Cell<Option<T>>);

// SAFETY: `OneTest`.
unsafe impl<T> Sync for Own<T> {}

impl<T> Own<T> {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(None))
    }

    pub(crate) fn put(&self, it: T) {
        self.0.set(Some(it));
    }

    #[track_caller]
    pub(crate) fn take(&self) -> T {
        match self.0.take() {
            Some(it) => it,
            None => panic!("nothing was put there"),
        }
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        let it = self.take();
        let result = f(&it);
        self.put(it);
        result
    }
}

/// Counts turns by a task of its own, which from the first await of `start` on has its step at the beginning of each.
pub(crate) struct Turns {
    count: &'static Count,
    _ticker: Task<()>,
}

impl Turns {
    pub(crate) async fn start(count: &'static Count) -> Self {
        let ticker = spawn(async move {
            loop {
                count.add();
                yield_now().await;
            }
        });
        yield_now().await;
        Self { count, _ticker: ticker }
    }

    /// The number of the turn.
    pub(crate) fn now(&self) -> u32 {
        self.count.get()
    }

    /// How many turns `future` takes.
    pub(crate) async fn of(&self, future: impl Future) -> u32 {
        let before = self.now();
        future.await;
        self.now() - before
    }
}

/// A waker that is not corio's: it counts.
pub(crate) struct Bell(AtomicU32);

impl Bell {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// True when it has rung once, and not more often, since the last call.
    #[track_caller]
    pub(crate) fn rang(&self) -> bool {
        let rings = self.0.load(SeqCst);
        self.0.store(0, SeqCst);
        assert!(rings < 2, "a waker was woken twice for one grant");
        rings == 1
    }

    pub(crate) fn waker(&'static self) -> Waker {
        static VTABLE: RawWakerVTable = RawWakerVTable::new(
            |bell| RawWaker::new(bell, &VTABLE),
            // SAFETY: (both) the data is a `&'static Bell`.
            |bell| unsafe { &*bell.cast::<Bell>() }.ring(),
            // SAFETY: as above.
            |bell| unsafe { &*bell.cast::<Bell>() }.ring(),
            |_| {},
        );
        // SAFETY: a static that is `Sync` may be shared by any number of copies of its address.
        unsafe { Waker::from_raw(RawWaker::new(core::ptr::from_ref(self).cast(), &VTABLE)) }
    }

    fn ring(&self) {
        self.0.store(self.0.load(SeqCst) + 1, SeqCst);
    }
}

/// Polls a future by hand; what came of it, if anything did.
pub(crate) fn poll<F: Future>(future: Pin<&mut F>, bell: &'static Bell) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(&bell.waker())) {
        core::task::Poll::Ready(output) => Some(output),
        core::task::Poll::Pending => None,
    }
}

/// As [`poll`], for a future that can be dropped by `set(None)`. Not polled again once it was ready.
pub(crate) fn poll_opt<F: Future>(mut future: Pin<&mut Option<F>>, bell: &'static Bell) -> Option<F::Output> {
    let output = future.as_mut().as_pin_mut().and_then(|future| poll(future, bell));
    if output.is_some() {
        future.set(None);
    }
    output
}
