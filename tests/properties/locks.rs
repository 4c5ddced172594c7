//! What is had by a few at a time, or waited for by many.

use std::cell::RefCell;
use std::future::Future as _;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Waker};

use corio::{
    Barrier, BoundedSemaphore, Condition, Event, Future, Mutex, OnceCell, RawCondition, RawLock, RwLock, Semaphore,
    sleep, wait::WaitQueue, yield_now,
};

use crate::engine::{MS, Me, Random, Standing, Subject};

/// Adds one as long as it lives.
struct One<'a>(&'a AtomicUsize);

impl<'a> One<'a> {
    fn more(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count)
    }
}

impl Drop for One<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Nobody waits unless somebody has it, and then one has.
fn one_has_it(standing: &Standing, locked: bool) {
    assert_eq!(standing.holding[0], usize::from(locked), "{standing:?}");
    assert!(locked || standing.waiting[0] == 0, "the lock is free: {standing:?}");
}

#[derive(Default)]
pub(crate) struct OfMutex {
    mutex: Mutex<u64>,
    inside: AtomicUsize,
    had: AtomicU64,
}

impl Subject for OfMutex {
    crate::elsewhere!();

    fn new(_: &mut Random) -> Self {
        Self::default()
    }

    fn scarce(_: usize) -> Self {
        Self::default()
    }

    async fn client(this: Arc<Self>, me: Me, _: usize) {
        let Some(mut guard) = me.wait(this.mutex.lock()).await else { return };
        *guard += 1;
        this.had.fetch_add(1, SeqCst);
        let one = One::more(&this.inside);
        assert_eq!(this.inside.load(SeqCst), 1, "two have the lock");
        me.hold().await;
        drop(one);
    }

    fn act(&self, _: u64) {
        if let Some(mut guard) = self.mutex.try_lock() {
            *guard += 1;
            self.had.fetch_add(1, SeqCst);
        }
    }

    fn check(&self, standing: &Standing) {
        one_has_it(standing, self.mutex.is_locked());
    }

    fn last(&self) {
        assert_eq!(self.mutex.try_lock().map(|count| *count), Some(self.had.load(SeqCst)));
    }
}

#[derive(Default)]
pub(crate) struct OfRawLock {
    lock: RawLock,
    inside: AtomicUsize,
}

struct Releases<'a>(&'a RawLock);

impl Drop for Releases<'_> {
    fn drop(&mut self) {
        self.0.release().expect("it is held");
    }
}

impl Subject for OfRawLock {
    crate::elsewhere!();

    fn new(_: &mut Random) -> Self {
        Self::default()
    }

    fn scarce(_: usize) -> Self {
        Self::default()
    }

    async fn client(this: Arc<Self>, me: Me, _: usize) {
        let acquire = async {
            this.lock.acquire().await;
            Releases(&this.lock)
        };
        let Some(held) = me.wait(acquire).await else { return };
        let one = One::more(&this.inside);
        assert_eq!(this.inside.load(SeqCst), 1, "two have the lock");
        me.hold().await;
        drop((one, held));
    }

    fn act(&self, _: u64) {
        if self.lock.try_acquire() {
            self.lock.release().expect("acquired just now");
        }
    }

    fn check(&self, standing: &Standing) {
        one_has_it(standing, self.lock.is_locked());
    }

    fn last(&self) {
        assert!(self.lock.try_acquire(), "nobody has it");
    }
}

pub(crate) struct OfSemaphore {
    permits: Semaphore,
    /// How many there are.
    all: AtomicUsize,
}

impl Subject for OfSemaphore {
    crate::elsewhere!();

    fn new(random: &mut Random) -> Self {
        let all = random.below(4);
        Self { permits: Semaphore::new(all), all: all.into() }
    }

    fn scarce(_: usize) -> Self {
        Self { permits: Semaphore::new(2), all: 2.into() }
    }

    async fn client(this: Arc<Self>, me: Me, _: usize) {
        let Some(permit) = me.wait(this.permits.acquire()).await else { return };
        me.hold().await;
        drop(permit);
    }

    fn act(&self, dice: u64) {
        if dice.is_multiple_of(3) {
            if self.all.load(SeqCst) < 4 {
                self.all.fetch_add(1, SeqCst);
                self.permits.release();
            }
        } else if let Some(permit) = self.permits.try_acquire()
            && dice % 3 == 1
        {
            self.all.fetch_sub(1, SeqCst);
            permit.forget();
        }
    }

    fn check(&self, standing: &Standing) {
        let free = self.permits.available();
        assert_eq!(free + standing.holding[0], self.all.load(SeqCst), "permits: {standing:?}");
        assert!(free == 0 || standing.waiting[0] == 0, "{free} are free: {standing:?}");
    }

    fn last(&self) {
        assert_eq!(self.permits.available(), self.all.load(SeqCst), "permits");
    }
}

pub(crate) struct OfBoundedSemaphore {
    permits: BoundedSemaphore,
    all: usize,
}

impl Subject for OfBoundedSemaphore {
    crate::elsewhere!();

    fn new(random: &mut Random) -> Self {
        let all = 1 + random.below(3);
        Self { permits: BoundedSemaphore::new(all), all }
    }

    fn scarce(_: usize) -> Self {
        Self { permits: BoundedSemaphore::new(2), all: 2 }
    }

    async fn client(this: Arc<Self>, me: Me, _: usize) {
        let Some(permit) = me.wait(this.permits.acquire()).await else { return };
        me.hold().await;
        drop(permit);
    }

    fn act(&self, _: u64) {
        drop(self.permits.try_acquire());
    }

    fn check(&self, standing: &Standing) {
        let free = self.permits.available();
        assert_eq!(free + standing.holding[0], self.all, "permits: {standing:?}");
        assert!(free == 0 || standing.waiting[0] == 0, "{free} are free: {standing:?}");
    }

    fn last(&self) {
        assert_eq!(self.permits.available(), self.all, "permits");
        assert!(self.permits.release().is_err(), "none is missing");
    }
}

#[derive(Default)]
pub(crate) struct OfEvent {
    event: Event,
}

impl Subject for OfEvent {
    crate::elsewhere!();

    const NEWCOMERS_FIRST: bool = true;

    fn new(_: &mut Random) -> Self {
        Self::default()
    }

    fn scarce(_: usize) -> Self {
        Self::default()
    }

    async fn client(this: Arc<Self>, me: Me, _: usize) {
        me.wait(this.event.wait()).await;
    }

    fn act(&self, dice: u64) {
        if dice % 4 != 3 {
            self.event.set();
        }
        if !dice.is_multiple_of(4) {
            self.event.clear();
        }
    }

    fn check(&self, standing: &Standing) {
        assert!(!self.event.is_set() || standing.waiting[0] == 0, "the event is set: {standing:?}");
    }
}

/// Those who come first try to make the value, one after the other, and mostly fail; others wait for it.
pub(crate) struct OfOnceCell {
    cell: OnceCell<usize>,
    making: AtomicUsize,
}

impl Subject for OfOnceCell {
    crate::elsewhere!();

    const LINES: usize = 2;
    // Who makes it is polled while it does.
    const DIRECT: bool = false;
    const NEWCOMERS_FIRST: bool = true;

    fn new(_: &mut Random) -> Self {
        Self { cell: OnceCell::new(), making: 0.into() }
    }

    fn scarce(_: usize) -> Self {
        let this = Self { cell: OnceCell::new(), making: 0.into() };
        // For good; where leak checkers see that it is kept.
        static KEPT: std::sync::Mutex<Vec<usize>> = std::sync::Mutex::new(Vec::new());
        let maker = Box::leak(Box::new(Box::pin(this.cell.get_or_init(std::future::pending))));
        assert!(maker.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        KEPT.lock().expect("no panic in there").push(std::ptr::from_mut(maker).expose_provenance());
        this
    }

    async fn client(this: Arc<Self>, me: Me, line: usize) {
        if line == 1 {
            let value = me.wait(this.cell.wait()).await;
            assert_eq!(value, value.and(this.cell.get()));
            return;
        }
        let init = async || {
            let _one = One::more(&this.making);
            assert_eq!(this.making.load(SeqCst), 1, "two make the value");
            sleep(MS).await;
            if me.number() % 16 == 7 { Ok(me.number()) } else { Err(()) }
        };
        if let Some(Ok(value)) = me.wait(this.cell.get_or_try_init(init)).await {
            assert_eq!(Some(value), this.cell.get());
        }
    }

    fn act(&self, dice: u64) {
        if dice.is_multiple_of(32) && self.cell.set(7).is_err() {
            assert!(self.cell.get().is_some() || self.making.load(SeqCst) < 2);
        }
    }

    fn serve(&self) {
        _ = self.cell.set(7);
    }

    fn check(&self, standing: &Standing) {
        let (ready, making) = (self.cell.get().is_some(), self.making.load(SeqCst));
        assert!(!ready || standing.waiting == [0, 0], "the value is there: {standing:?}");
        assert!(ready || standing.waiting[0] == 0 || making == 1, "nobody makes the value: {standing:?}");
    }
}

#[derive(Default)]
pub(crate) struct OfRwLock {
    lock: RwLock<u64>,
    readers: AtomicUsize,
    writers: AtomicUsize,
}

impl Subject for OfRwLock {
    crate::elsewhere!();

    const LINES: usize = 2;
    // A reader may come in before another one's step that was let in with it.
    const NEWCOMERS_FIRST: bool = true;

    fn new(_: &mut Random) -> Self {
        Self::default()
    }

    fn scarce(_: usize) -> Self {
        let this = Self::default();
        // For good.
        std::mem::forget(this.lock.try_write());
        this
    }

    // Who writes and who reads stand in one line.
    fn order(_: usize) -> Option<usize> {
        Some(0)
    }

    async fn client(this: Arc<Self>, me: Me, line: usize) {
        if line == 0 {
            let Some(guard) = me.wait(this.lock.read()).await else { return };
            let one = One::more(&this.readers);
            assert_eq!(this.writers.load(SeqCst), 0, "one writes");
            me.hold().await;
            drop((one, guard));
        } else {
            let Some(guard) = me.wait(this.lock.write()).await else { return };
            let one = One::more(&this.writers);
            assert_eq!(this.readers.load(SeqCst), 0, "some read");
            assert_eq!(this.writers.load(SeqCst), 1, "two write");
            me.hold().await;
            drop((one, guard));
        }
    }

    fn act(&self, dice: u64) {
        if dice.is_multiple_of(2) {
            drop(self.lock.try_read());
        } else {
            drop(self.lock.try_write());
        }
    }

    fn check(&self, standing: &Standing) {
        let [readers, writers] = standing.holding[..] else { unreachable!("two lines") };
        assert!(writers == 0 || (readers, writers) == (0, 1), "{standing:?}");
        assert!(readers + writers > 0 || standing.waiting == [0, 0], "the lock is free: {standing:?}");
        assert!(readers == 0 || standing.waiting[0] == 0 || standing.waiting[1] > 0, "others read: {standing:?}");
    }

    fn last(&self) {
        assert!(self.lock.try_write().is_some(), "nobody has it");
    }
}

pub(crate) struct OfBarrier {
    barrier: Barrier,
    /// Those who have passed, and those who were told and dropped it.
    passed: AtomicUsize,
}

impl Subject for OfBarrier {
    crate::elsewhere!();

    // One who comes while it drains is told to look, and lines up anew.
    const DIRECT: bool = false;
    // The last to come goes on at once.
    const NEWCOMERS_FIRST: bool = true;

    fn new(random: &mut Random) -> Self {
        Self { barrier: Barrier::new(1 + random.below(4)), passed: 0.into() }
    }

    fn scarce(_: usize) -> Self {
        Self { barrier: Barrier::new(1000), passed: 0.into() }
    }

    fn order(_: usize) -> Option<usize> {
        None
    }

    async fn client(this: Arc<Self>, me: Me, _: usize) {
        if me.wait(this.barrier.wait()).await == Some(Ok(0)) {
            this.passed.fetch_add(1, SeqCst);
        }
    }

    fn act(&self, dice: u64) {
        match dice % 32 {
            0 => self.barrier.reset(),
            1 => self.barrier.abort(),
            _ => {}
        }
    }

    fn check(&self, standing: &Standing) {
        assert_eq!(standing.waiting[0], self.barrier.waiting(), "{standing:?}");
        assert!(standing.waiting[0] < self.barrier.parties(), "all have come: {standing:?}");
        assert!(!self.barrier.is_broken() || standing.waiting[0] == 0, "it is broken: {standing:?}");
    }

    fn serve(&self) {
        self.barrier.reset();
    }
}

/// Tokens behind a condition. Whoever is notified and does not take one leaves it, and the notification, to another.
#[derive(Default)]
pub(crate) struct OfCondition {
    tokens: Condition<usize>,
}

impl Subject for OfCondition {
    crate::elsewhere!();

    const DIRECT: bool = false;

    fn new(_: &mut Random) -> Self {
        Self::default()
    }

    fn scarce(_: usize) -> Self {
        Self::default()
    }

    // Who comes while one is notified may take the token first.
    fn order(_: usize) -> Option<usize> {
        None
    }

    async fn client(this: Arc<Self>, me: Me, _: usize) {
        let take = async {
            let mut tokens = this.tokens.lock().await.wait_for(|tokens| *tokens > 0).await;
            *tokens -= 1;
            // Others that were notified have to wait for the lock.
            for _ in 0..me.number() % 4 {
                yield_now().await;
            }
        };
        me.wait(take).await;
    }

    fn act(&self, dice: u64) {
        if let Some(mut tokens) = self.tokens.try_lock() {
            let more = 1 + (dice % 2) as usize;
            *tokens += more;
            tokens.notify(more);
        }
    }

    fn check(&self, standing: &Standing) {
        let tokens = self.tokens.try_lock().expect("nobody keeps the lock");
        assert!(*tokens == 0 || standing.waiting[0] == 0, "there are {} tokens: {standing:?}", *tokens);
    }
}

/// Gives the lock back when the wait is left: it is held then, unless the wait was just dropped.
struct Unwinds<'a> {
    lock: &'a RawLock,
    me: &'a Me,
}

impl Drop for Unwinds<'_> {
    fn drop(&mut self) {
        if !self.me.has_quit() && !std::thread::panicking() {
            assert_eq!(self.lock.release(), Ok(()), "who leaves the wait has the lock again");
        }
    }
}

/// Those who are notified, in order. Whoever goes on, or is cancelled, has the lock.
pub(crate) struct OfRawCondition {
    lock: Arc<RawLock>,
    condition: RawCondition<Arc<RawLock>>,
}

impl Subject for OfRawCondition {
    crate::elsewhere!();

    const DIRECT: bool = false;

    fn new(_: &mut Random) -> Self {
        let lock = Arc::new(RawLock::new());
        Self { lock: lock.clone(), condition: RawCondition::new(lock) }
    }

    fn scarce(_: usize) -> Self {
        Self::new(&mut Random::with(0))
    }

    async fn client(this: Arc<Self>, me: Me, _: usize) {
        // The wait is what is watched, not the lock.
        if !this.lock.try_acquire() {
            return;
        }
        let _unwinds = Unwinds { lock: &this.lock, me: &me };
        let wait = async {
            this.condition.wait().await.expect("the lock is held");
        };
        me.wait(wait).await;
    }

    fn act(&self, dice: u64) {
        if self.lock.try_acquire() {
            match dice % 3 {
                0 => self.condition.notify_all().expect("the lock is held"),
                n => self.condition.notify(n as usize).expect("the lock is held"),
            }
            self.lock.release().expect("it is held");
        }
    }

    fn check(&self, standing: &Standing) {
        assert!(!self.lock.is_locked(), "nobody keeps the lock: {standing:?}");
    }
}

/// A future that is set by somebody; then there is another.
#[derive(Default)]
pub(crate) struct OfFuture {
    current: RefCell<Rc<Future<u64>>>,
}

impl OfFuture {
    fn current(&self) -> Rc<Future<u64>> {
        let mut current = self.current.borrow_mut();
        if current.is_done() {
            *current = Rc::default();
        }
        current.clone()
    }
}

// It belongs to one thread.
impl Subject for OfFuture {
    fn new(_: &mut Random) -> Self {
        Self::default()
    }

    fn scarce(_: usize) -> Self {
        Self::default()
    }

    async fn client(this: Arc<Self>, me: Me, _: usize) {
        let future = this.current();
        if let Some(outcome) = me.wait(future.wait()).await {
            assert_eq!(Some(outcome), future.outcome());
        }
    }

    fn act(&self, dice: u64) {
        // Whoever is cancelled while it waits cancels it, too.
        match dice % 8 {
            0 => _ = self.current().cancel(),
            _ => assert_eq!(self.current().set(dice), Ok(())),
        }
    }

    fn check(&self, standing: &Standing) {
        assert!(!self.current.borrow().is_done() || standing.waiting[0] == 0, "it is done: {standing:?}");
    }
}

/// Tickets beside a line of those who look for one.
#[derive(Default)]
pub(crate) struct OfWaitQueue {
    line: WaitQueue,
    tickets: AtomicUsize,
    all: AtomicUsize,
    taken: AtomicUsize,
}

impl OfWaitQueue {
    fn take(&self) -> Option<()> {
        self.tickets.fetch_update(SeqCst, SeqCst, |tickets| tickets.checked_sub(1)).ok()?;
        self.taken.fetch_add(1, SeqCst);
        Some(())
    }
}

impl Subject for OfWaitQueue {
    crate::elsewhere!();

    // Who finds nothing lines up anew, at the end.
    const DIRECT: bool = false;

    fn new(_: &mut Random) -> Self {
        Self::default()
    }

    fn scarce(_: usize) -> Self {
        Self::default()
    }

    fn order(_: usize) -> Option<usize> {
        None
    }

    async fn client(this: Arc<Self>, me: Me, _: usize) {
        me.wait(this.line.wait_until(|| this.take())).await;
    }

    fn act(&self, dice: u64) {
        for _ in 0..1 + dice % 2 {
            self.all.fetch_add(1, SeqCst);
            self.tickets.fetch_add(1, SeqCst);
            self.line.wake_one();
        }
    }

    fn check(&self, standing: &Standing) {
        let tickets = self.tickets.load(SeqCst);
        assert!(tickets == 0 || standing.waiting[0] == 0, "there are {tickets} tickets: {standing:?}");
        assert_eq!(self.line.is_empty(), standing.waiting[0] == 0, "{standing:?}");
    }

    fn last(&self) {
        assert_eq!(self.taken.load(SeqCst) + self.tickets.load(SeqCst), self.all.load(SeqCst), "tickets");
    }
}
