//! The two laws of waiting, for every primitive: *an idle waiter is never polled*, and *dropping any waiter at any
//! moment loses nothing*.
//!
//! A primitive is seen as a [`Gate`], shut at first. [`laws!`] turns one into a module of tests.

use core::array;
use core::pin::pin;

use corio::{
    BoundedSemaphore, Broadcast, BroadcastReceiver, Event, Mutex, MutexGuard, Queue, RawLock, RwLock, RwLockWriteGuard,
    Semaphore, Signal, Watch, sleep, yield_now,
};

use crate::World;
use crate::harness::{Bell, Count, Log, MS, poll_opt, run, spawn, turns};

/// A primitive in which somebody waits until somebody else lets them through.
pub(crate) trait Gate: Sync + 'static {
    /// An opening lets all through who wait, and nobody else; else one, and if nobody waits, the next who comes.
    const FOR_ALL: bool = false;
    /// Turns from an opening to the step of the second in line, when the first was cancelled before. asyncio passes over
    /// such a one, except in a lock, where it hands on at its own step.
    const PAST_CANCELLED: usize = 1;
    /// Shuts it for the first time.
    fn shut(&'static self);
    /// Waits to be let through, and keeps what that gives.
    async fn pass(&'static self);
    /// Lets them through.
    fn open(&'static self);
}

impl Gate for RawLock {
    const PAST_CANCELLED: usize = 2;

    fn shut(&'static self) {
        assert!(self.try_acquire());
    }

    async fn pass(&'static self) {
        self.acquire().await;
    }

    fn open(&'static self) {
        assert!(self.release().is_ok());
    }
}

/// A mutex, and the guard of whoever came through last.
pub(crate) struct MutexGate {
    mutex: Mutex<u32>,
    held: Mutex<Option<MutexGuard<'static, u32>>>,
}

impl MutexGate {
    pub(crate) const fn new() -> Self {
        Self { mutex: Mutex::new(0), held: Mutex::new(None) }
    }

    fn hold(&'static self, mut guard: MutexGuard<'static, u32>) {
        *guard += 1;
        *self.held.try_lock().expect("held for a moment only") = Some(guard);
    }
}

impl Gate for MutexGate {
    const PAST_CANCELLED: usize = 2;

    fn shut(&'static self) {
        self.hold(self.mutex.try_lock().expect("free at first"));
    }

    async fn pass(&'static self) {
        self.hold(self.mutex.lock().await);
    }

    fn open(&'static self) {
        let guard = self.held.try_lock().expect("held for a moment only").take();
        assert!(guard.is_some());
    }
}

/// A semaphore without permits.
impl Gate for Semaphore {
    fn shut(&'static self) {
        assert!(self.is_locked());
    }

    async fn pass(&'static self) {
        self.acquire().await.forget();
    }

    fn open(&'static self) {
        self.release();
    }
}

/// As many permits as a test opens it for, all taken.
impl Gate for BoundedSemaphore {
    fn shut(&'static self) {
        while let Some(permit) = self.try_acquire() {
            permit.forget();
        }
    }

    async fn pass(&'static self) {
        self.acquire().await.forget();
    }

    fn open(&'static self) {
        assert!(self.release().is_ok());
    }
}

/// Those who wait to write, and the guard of whoever came through last.
pub(crate) struct Writers {
    lock: RwLock<u32>,
    held: Mutex<Option<RwLockWriteGuard<'static, u32>>>,
}

impl Writers {
    pub(crate) const fn new() -> Self {
        Self { lock: RwLock::new(0), held: Mutex::new(None) }
    }

    fn hold(&'static self, mut guard: RwLockWriteGuard<'static, u32>) {
        *guard += 1;
        *self.held.try_lock().expect("held for a moment only") = Some(guard);
    }
}

impl Gate for Writers {
    fn shut(&'static self) {
        self.hold(self.lock.try_write().expect("free at first"));
    }

    async fn pass(&'static self) {
        self.hold(self.lock.write().await);
    }

    fn open(&'static self) {
        let guard = self.held.try_lock().expect("held for a moment only").take();
        assert!(guard.is_some());
    }
}

/// Those who wait for a value that is for one of them.
impl Gate for Signal<u8> {
    fn shut(&'static self) {
        self.reset();
    }

    async fn pass(&'static self) {
        assert!(self.wait().await == 7);
    }

    fn open(&'static self) {
        self.signal(7);
    }
}

/// Those who wait for a value that is for all.
impl Gate for Watch<u8> {
    const FOR_ALL: bool = true;

    fn shut(&'static self) {}

    async fn pass(&'static self) {
        let mut receiver = self.subscribe();
        receiver.changed().await;
        assert!(receiver.get() == 7);
    }

    fn open(&'static self) {
        self.send(7);
    }
}

/// Those who wait for a message, a receiver each.
pub(crate) struct Listeners(pub(crate) Broadcast<u8, 2>);

impl Gate for Listeners {
    const FOR_ALL: bool = true;

    fn shut(&'static self) {}

    async fn pass(&'static self) {
        assert!(self.0.subscribe().recv().await == Ok(7));
    }

    fn open(&'static self) {
        assert!(self.0.try_send(7).is_ok());
    }
}

/// Those who wait for room, and the receiver who makes it.
pub(crate) struct Speakers {
    channel: Broadcast<u8, 1>,
    slow: Mutex<Option<BroadcastReceiver<'static, u8, 1>>>,
}

impl Speakers {
    pub(crate) const fn new() -> Self {
        Self { channel: Broadcast::new(), slow: Mutex::new(None) }
    }
}

impl Gate for Speakers {
    fn shut(&'static self) {
        *self.slow.try_lock().expect("held for a moment only") = Some(self.channel.subscribe());
        assert!(self.channel.try_send(7) == Ok(1));
    }

    async fn pass(&'static self) {
        assert!(self.channel.send(7).await == Ok(1));
    }

    fn open(&'static self) {
        let mut slow = self.slow.try_lock().expect("held for a moment only");
        assert!(slow.as_mut().expect("shut before").try_recv() == Ok(7));
    }
}

impl Gate for Event {
    const FOR_ALL: bool = true;

    fn shut(&'static self) {
        self.clear();
    }

    async fn pass(&'static self) {
        self.wait().await;
    }

    fn open(&'static self) {
        self.set();
        self.clear();
    }
}

/// Those who wait for an item.
pub(crate) struct Getters(pub(crate) Queue<u8, 2>);

impl Gate for Getters {
    fn shut(&'static self) {}

    async fn pass(&'static self) {
        assert!(self.0.get().await == Ok(7));
    }

    fn open(&'static self) {
        assert!(self.0.try_put(7).is_ok());
    }
}

/// Those who wait for room.
pub(crate) struct Putters(pub(crate) Queue<u8, 1>);

impl Gate for Putters {
    fn shut(&'static self) {
        assert!(self.0.try_put(7).is_ok());
    }

    async fn pass(&'static self) {
        assert!(self.0.put(7).await.is_ok());
    }

    fn open(&'static self) {
        assert!(self.0.try_get() == Ok(7));
    }
}

/// Those who wait for the end of all work.
pub(crate) struct Joiners(pub(crate) Queue<u8, 1>);

impl Gate for Joiners {
    const FOR_ALL: bool = true;

    fn shut(&'static self) {
        assert!(self.0.try_put(7).is_ok());
        assert!(self.0.try_get() == Ok(7));
    }

    async fn pass(&'static self) {
        self.0.join().await;
    }

    fn open(&'static self) {
        assert!(self.0.task_done().is_ok());
        self.shut();
    }
}

/// A gate, and what a test notes about it.
pub(crate) struct Scene<G> {
    pub(crate) gate: G,
    polls: Count,
    log: Log,
    bells: [Bell; 5],
}

impl<G: Gate> Scene<G> {
    pub(crate) const fn new(gate: G) -> Self {
        Self { gate, polls: Count::new(), log: Log::new(), bells: [const { Bell::new() }; 5] }
    }

    /// Comes through, in a task, and notes it.
    async fn pass(&'static self, letter: u8) {
        crate::harness::counted(&self.polls, self.gate.pass()).await;
        self.log.note(letter);
    }

    pub(crate) fn idle_waiters_are_never_polled(&'static self, world: &mut impl World) {
        const N: usize = 6;
        run(world, async {
            self.gate.shut();
            let tasks: [_; N] = array::from_fn(|i| spawn(self.pass(b'a' + i as u8)));
            yield_now().await;
            assert!(self.polls.get() == N as u32, "one poll each to get in line");
            let other = spawn(turns(20));
            for _ in 0..4 {
                sleep(MS).await;
            }
            assert!(other.await.is_ok());
            assert!(self.polls.get() == N as u32, "none while they wait");
            if G::FOR_ALL {
                self.gate.open();
                yield_now().await;
            } else {
                for i in 1..=N as u32 {
                    self.gate.open();
                    yield_now().await;
                    assert!(self.polls.get() == N as u32 + i, "one for who is let through, none for the others");
                }
            }
            self.log.expect("abcdef");
            assert!(self.polls.get() == 2 * N as u32, "and one each to come through");
            assert!(tasks.iter().all(|task| task.is_done()), "within one turn");
        });
    }

    pub(crate) fn dropped_before_its_first_poll_it_leaves_no_trace(&'static self) {
        let [one, two, ..] = &self.bells;
        self.gate.shut();
        let mut a = pin!(Some(self.gate.pass()));
        let mut b = pin!(Some(self.gate.pass()));
        assert!(poll_opt(b.as_mut(), two).is_none());
        a.set(None);
        self.gate.open();
        assert!(two.rang() && poll_opt(b.as_mut(), two).is_some() && !one.rang());
    }

    pub(crate) fn dropped_while_waiting_it_leaves_the_line_to_the_others(&'static self) {
        let [one, two, three, four, five] = &self.bells;
        self.gate.shut();
        let mut a = pin!(Some(self.gate.pass()));
        let mut b = pin!(Some(self.gate.pass()));
        let mut c = pin!(Some(self.gate.pass()));
        let mut d = pin!(Some(self.gate.pass()));
        let mut e = pin!(Some(self.gate.pass()));
        assert!(poll_opt(a.as_mut(), one).is_none() && poll_opt(b.as_mut(), two).is_none());
        assert!(poll_opt(c.as_mut(), three).is_none() && poll_opt(d.as_mut(), four).is_none());
        assert!(poll_opt(e.as_mut(), five).is_none());
        // The last, the first, the one in the middle.
        e.set(None);
        a.set(None);
        c.set(None);
        self.gate.open();
        assert!(two.rang() && four.rang() == G::FOR_ALL, "the first that is left, or all");
        assert!(poll_opt(b.as_mut(), two).is_some());
        if !G::FOR_ALL {
            assert!(poll_opt(d.as_mut(), four).is_none());
            self.gate.open();
            assert!(four.rang());
        }
        assert!(poll_opt(d.as_mut(), four).is_some());
        assert!(!one.rang() && !three.rang() && !five.rang(), "who is gone is not woken");
    }

    pub(crate) fn granted_then_dropped_passes_it_on(&'static self) {
        let [one, two, three, ..] = &self.bells;
        self.gate.shut();
        let mut a = pin!(Some(self.gate.pass()));
        let mut b = pin!(Some(self.gate.pass()));
        let mut c = pin!(Some(self.gate.pass()));
        assert!(poll_opt(a.as_mut(), one).is_none());
        assert!(poll_opt(b.as_mut(), two).is_none());
        assert!(poll_opt(c.as_mut(), three).is_none());
        self.gate.open();
        assert!(one.rang() && two.rang() == G::FOR_ALL && three.rang() == G::FOR_ALL);
        a.set(None);
        assert!(two.rang() != G::FOR_ALL, "woken now, unless it was before");
        // Twice, for the second may not keep it either.
        b.set(None);
        assert!(three.rang() != G::FOR_ALL);
        assert!(poll_opt(c.as_mut(), three).is_some());
    }

    pub(crate) fn granted_then_dropped_alone_leaves_it_to_the_next(&'static self) {
        let [one, two, ..] = &self.bells;
        self.gate.shut();
        let mut a = pin!(Some(self.gate.pass()));
        assert!(poll_opt(a.as_mut(), one).is_none());
        self.gate.open();
        assert!(one.rang());
        a.set(None);
        let mut b = pin!(Some(self.gate.pass()));
        let passed = poll_opt(b.as_mut(), two).is_some();
        assert!(passed != G::FOR_ALL, "what nobody took is there for the next; an opening for all is over");
        assert!(!one.rang() && !two.rang());
    }

    pub(crate) fn polled_for_another_reason_it_keeps_its_place(&'static self) {
        let [one, two, three, four, five] = &self.bells;
        self.gate.shut();
        let mut a = pin!(Some(self.gate.pass()));
        let mut b = pin!(Some(self.gate.pass()));
        let mut c = pin!(Some(self.gate.pass()));
        assert!(poll_opt(a.as_mut(), one).is_none());
        assert!(poll_opt(b.as_mut(), two).is_none());
        assert!(poll_opt(c.as_mut(), three).is_none());
        // Each with a new waker, from the back to the front: the last waker is the one that counts.
        assert!(poll_opt(c.as_mut(), five).is_none());
        assert!(poll_opt(b.as_mut(), four).is_none());
        assert!(poll_opt(a.as_mut(), one).is_none());
        self.gate.open();
        assert!(one.rang() && four.rang() == G::FOR_ALL && five.rang() == G::FOR_ALL);
        if !G::FOR_ALL {
            assert!(poll_opt(b.as_mut(), four).is_none(), "the first was let through, not the second");
        }
        assert!(poll_opt(a.as_mut(), one).is_some());
        if !G::FOR_ALL {
            self.gate.open();
            assert!(four.rang() && !five.rang());
        }
        assert!(poll_opt(b.as_mut(), four).is_some());
        assert!(!two.rang() && !three.rang(), "wakers that were replaced");
    }

    pub(crate) fn cancelled_then_opened_for_the_next_loses_nothing(&'static self, world: &mut impl World) {
        run(world, async {
            self.gate.shut();
            let tasks = [b'a', b'b', b'c'].map(|letter| spawn(self.pass(letter)));
            yield_now().await;
            tasks[0].cancel();
            self.gate.open();
            turns(G::PAST_CANCELLED - 1).await;
            self.log.expect("");
            yield_now().await;
            self.log.expect(if G::FOR_ALL { "bc" } else { "b" });
            let [a, b, c] = tasks;
            assert!(a.await.is_err() && b.await.is_ok());
            if !G::FOR_ALL {
                drop(c);
                self.gate.open();
                turns(2).await;
                self.log.expect("");
                self.pass(b'd').await;
            }
        });
    }

    pub(crate) fn opened_for_one_then_cancelled_loses_nothing(&'static self, world: &mut impl World) {
        run(world, async {
            self.gate.shut();
            let [a, b, c] = [b'a', b'b', b'c'].map(|letter| spawn(self.pass(letter)));
            yield_now().await;
            self.gate.open();
            drop(a);
            turns(2).await;
            self.log.expect(if G::FOR_ALL { "bc" } else { "b" });
            assert!(b.await.is_ok());
            drop(c);
        });
    }
}

/// A module of tests that hold a gate to the laws.
macro_rules! laws {
    ($module:ident, $gate:ty, $new:expr) => {
        pub(crate) mod $module {
            #[allow(unused_imports)] // not all expressions need something of it
            use super::*;
            use crate::World;
            use crate::gate::Scene;

            laws! { @world $gate, $new;
                idle_waiters_are_never_polled
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
            laws! { @hand $gate, $new;
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
            }
        }
    };
    (@world $gate:ty, $new:expr; $($law:ident)*) => {$(
        pub(crate) fn $law<W: World>(world: &mut W) {
            static SCENE: Scene<$gate> = Scene::new($new);
            SCENE.$law(world);
        }
    )*};
    (@hand $gate:ty, $new:expr; $($law:ident)*) => {$(
        pub(crate) fn $law<W: World>(_: &mut W) {
            static SCENE: Scene<$gate> = Scene::new($new);
            SCENE.$law();
        }
    )*};
}

laws! { mutex, crate::gate::MutexGate, crate::gate::MutexGate::new() }
laws! { raw_lock, RawLock, RawLock::new() }
laws! { semaphore, Semaphore, Semaphore::new(0) }
laws! { event, Event, Event::new() }
laws! { getters, crate::gate::Getters, crate::gate::Getters(Queue::new()) }
laws! { putters, crate::gate::Putters, crate::gate::Putters(Queue::new()) }
laws! { joiners, crate::gate::Joiners, crate::gate::Joiners(Queue::new()) }
laws! { bounded_semaphore, BoundedSemaphore, BoundedSemaphore::new(8) }
laws! { writers, crate::gate::Writers, crate::gate::Writers::new() }
laws! { signal, Signal<u8>, Signal::new() }
laws! { watch, Watch<u8>, Watch::new(0) }
laws! { listeners, crate::gate::Listeners, crate::gate::Listeners(Broadcast::new()) }
laws! { speakers, crate::gate::Speakers, crate::gate::Speakers::new() }
