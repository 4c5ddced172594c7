//! What may go where: checked when this compiles. What must not compile at all is in the documentation of this package.
//!
//! `corio` is used from threads and interrupts, so its primitives are `Sync`, and its waiting futures `Send`; whatever
//! belongs to a loop stays on the loop's thread.

use std::cell::Cell;
use std::marker::{PhantomData, PhantomPinned};
use std::rc::Rc;
use std::sync::MutexGuard as StdMutexGuard;

use corio::generator::{Emit, Filter, Iter, Map, Next};
use corio::wait::WaitCell;
use corio::{
    Barrier, BoundedPermit, BoundedSemaphore, Broadcast, BroadcastReceiver, CallHandle, Cancelled, Condition,
    ConditionGuard, Context, ContextVar, DoneHandle, DynLifoQueue, DynPriorityQueue, DynQueue, Emitter, Event,
    FutureWait, Instant, LifoQueue, Mutex, MutexGuard, OnceCell, OneShot, Permit, PoolFull, PriorityQueue, Queue,
    RawCondition, RawLock, RunError, Runner, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, Signal, Sleep,
    Spawn, Task, TaskPool, TimedOut, Timeout, TimerHandle, Token, Turn, Watch, WatchReceiver, YieldNow, generator,
};
use corio_mio::{MioReactor, Unparker};
use corio_sim::{Deadlock, SimReactor, SimUnparker};

/// `T: Send` and so on.
macro_rules! is {
    ($($trait:ident: $($type:ty),* $(,)?;)*) => {$($(
        const _: () = {
            const fn check<T: ?Sized + $trait>() {}
            check::<$type>();
        };
    )*)*};
}

/// Not `T: Send` and so on: ambiguous, and so an error, if it is.
macro_rules! is_not {
    ($($trait:ident: $($type:ty),* $(,)?;)*) => {$($(
        const _: fn() = || {
            trait Ambiguous<A> {
                fn some() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct Is;
            impl<T: ?Sized + $trait> Ambiguous<Is> for T {}
            let _ = <$type as Ambiguous<_>>::some;
        };
    )*)*};
}

/// `Send`, and not `Sync`.
type Once = Cell<u8>;
/// A job as programs put them into a queue in a `static`.
type Job = Box<dyn FnOnce() + Send>;
/// `Sync`, and not `Send`.
type Stays = StdMutexGuard<'static, u8>;
/// A stream that knows no loop.
type Items<T> = Iter<std::vec::IntoIter<T>>;

is! {
    Sync: Condition<u8>, Condition<Once>, Condition<Job>, RawCondition<&'static RawLock>, Barrier;
    Send: ConditionGuard<'static, Once>, Condition<Job>, Barrier;
    Sync: ConditionGuard<'static, u8>;
    Sync: Mutex<u8>, Mutex<Once>, Mutex<Job>, RawLock, Event, Semaphore, WaitCell;
    Sync: Queue<u8, 4>, Queue<Once, 4>, Queue<Job, 4>, LifoQueue<Once, 4>, PriorityQueue<u8, 4>;
    Sync: OneShot<Once>, OneShot<Job>, Signal<Once>, Signal<Job>, Watch<Once>, Broadcast<Once, 2>, BoundedSemaphore;
    Sync: RwLock<u8>, OnceCell<u8>, WatchReceiver<'static, Once>, BroadcastReceiver<'static, Once, 2>;
    Sync: DynQueue<Once>, DynQueue<Job>, DynLifoQueue<Once>, DynPriorityQueue<u8>;
    Sync: ContextVar<u8>, ContextVar<Rc<u8>>, ContextVar<Once>;
    Sync: TaskPool<[u64; 4], 2>, TaskPool<Rc<u8>, 2>;
    Send: Mutex<Once>, Mutex<Job>, RawLock, Event, Semaphore, WaitCell, Queue<Once, 4>, DynQueue<Job>;
    Send: OneShot<Once>, Signal<Once>, Watch<Once>, Broadcast<Once, 2>, BoundedSemaphore, RwLock<Once>, OnceCell<Once>;
    Send: WatchReceiver<'static, Once>, BroadcastReceiver<'static, Once, 2>;
    Send: RwLockReadGuard<'static, u8>, RwLockWriteGuard<'static, u8>, BoundedPermit<'static>;
    Sync: RwLockReadGuard<'static, u8>, RwLockWriteGuard<'static, u8>, BoundedPermit<'static>;
    Send: corio::locks::RwLockRead<'static, u8>, corio::locks::RwLockWrite<'static, u8>;
    Send: corio::locks::OnceCellWait<'static, u8>, corio::queues::SignalWait<'static, Once>;
    Send: corio::queues::Changed<'static, 'static, Once>, corio::queues::BroadcastRecv<'static, 'static, Once, 2>;
    Send: corio::queues::BroadcastSend<'static, Once, 2>;
    Send: MutexGuard<'static, u8>, MutexGuard<'static, Once>, Permit<'static>;
    Sync: MutexGuard<'static, u8>, Permit<'static>;
    Send: corio::queues::Get<'static, Once, corio::queues::Fifo<Once, 4>>;
    Send: corio::queues::Put<'static, Once, corio::queues::Fifo<Once, 4>>;
    Send: corio::queues::Join<'static, Once, corio::queues::Fifo<Once, 4>>;
    Send: YieldNow, Instant, Turn, Cancelled, TimedOut, PoolFull<u8>, RunError<Deadlock>;
    Send: Map<Items<Once>, fn(Once) -> u8>, Filter<Items<Once>, fn(&Once) -> bool>, Next<'static, Items<Once>>;
    Send: SimUnparker, Unparker;
    Sync: SimUnparker, Unparker;
    Send: corio::Join<(YieldNow, YieldNow)>, corio::Select<[YieldNow; 2]>;
    Unpin: corio::Gather<(Task<PhantomPinned>, Task<u8>)>, corio::Shield<Task<u8>>;
    Unpin: Task<PhantomPinned>, YieldNow, MutexGuard<'static, PhantomPinned>, Permit<'static>;
    Unpin: corio::Future<PhantomPinned>, CallHandle, TimerHandle, DoneHandle;
    Unpin: Emit<'static, PhantomPinned>, Iter<PhantomPinned>, Next<'static, Items<u8>>;
}

is_not! {
    Send: Spawn, Context, Token<u8>;
    Send: corio::Future<u8>, FutureWait<'static, u8>, CallHandle, TimerHandle, DoneHandle;
    Sync: corio::Future<u8>, FutureWait<'static, u8>, CallHandle, TimerHandle, DoneHandle;
    Send: Task<u8>, Task<()>, Sleep, Timeout<YieldNow>, Runner<SimReactor>, Runner<MioReactor>;
    Sync: Task<u8>, Sleep, Timeout<YieldNow>, Runner<SimReactor>;
    Sync: Mutex<Rc<u8>>, Queue<Rc<u8>, 4>, DynQueue<Rc<u8>>, DynPriorityQueue<Rc<u8>>, Mutex<Stays>, Queue<Stays, 4>;
    Sync: OneShot<Rc<u8>>, OneShot<Stays>, Signal<Rc<u8>>, Watch<Rc<u8>>, Broadcast<Rc<u8>, 2>;
    Sync: RwLock<Once>, RwLock<Stays>, RwLock<Rc<u8>>, OnceCell<Once>, OnceCell<Stays>, OnceCell<Rc<u8>>;
    Send: Signal<Rc<u8>>, Watch<Rc<u8>>, Broadcast<Rc<u8>, 2>, RwLock<Rc<u8>>, OnceCell<Rc<u8>>;
    Send: RwLockReadGuard<'static, Once>, RwLockReadGuard<'static, Rc<u8>>, RwLockReadGuard<'static, Stays>;
    Send: RwLockWriteGuard<'static, Once>, RwLockWriteGuard<'static, Rc<u8>>, RwLockWriteGuard<'static, Stays>;
    Sync: RwLockReadGuard<'static, Once>, RwLockWriteGuard<'static, Once>;
    Send: corio::queues::BroadcastSend<'static, Rc<u8>, 2>, WatchReceiver<'static, Rc<u8>>;
    Send: OneShot<Rc<u8>>, Mutex<Rc<u8>>, Queue<Rc<u8>, 4>, MutexGuard<'static, Rc<u8>>, MutexGuard<'static, Stays>;
    Sync: MutexGuard<'static, Once>, MutexGuard<'static, Rc<u8>>;
    Send: corio::queues::Get<'static, Rc<u8>, corio::queues::Fifo<Rc<u8>, 4>>;
    Send: corio::queues::Put<'static, Rc<u8>, corio::queues::Fifo<Rc<u8>, 4>>;
    Send: Emitter<'static, u8>, Emit<'static, u8>;
    Sync: Emitter<'static, u8>, Emit<'static, u8>;
    Send: corio::Gather<(Task<u8>, Task<u8>)>, corio::Wait<Task<u8>>, corio::AsCompleted<&'static Task<u8>>;
    Send: corio::Shield<Task<u8>>, corio::CancelAndWait<Task<u8>>, corio::Join<(YieldNow, Sleep)>;
    Unpin: FutureWait<'static, u8>;
    Unpin: Sleep, Timeout<YieldNow>, Timeout<PhantomData<Sleep>>, Map<Sleep, u8>;
    Unpin: corio::queues::BroadcastSend<'static, u8, 2>, corio::queues::BroadcastRecv<'static, 'static, u8, 2>;
    Clone: Task<u8>, MutexGuard<'static, u8>, Permit<'static>, Sleep, Emitter<'static, u8>, BoundedPermit<'static>;
    Clone: RwLockReadGuard<'static, u8>, RwLockWriteGuard<'static, u8>, BroadcastReceiver<'static, u8, 2>;
}

/// The futures of the primitives, which have no names to speak of.
const fn futures_of_primitives() {
    const fn send<F: Future + Send>(_: &F) {}
    const fn not_unpin<F: Future>(_: &F) {}
    static MUTEX: Mutex<Once> = Mutex::new(Cell::new(1));
    static LOCK: RawLock = RawLock::new();
    static EVENT: Event = Event::new();
    static PERMITS: Semaphore = Semaphore::new(1);
    static JOBS: Queue<Job, 2> = Queue::new();
    static CELL: OnceCell<u8> = OnceCell::new();
    static SEATS: BoundedSemaphore = BoundedSemaphore::new(1);
    let _ = || {
        send(&MUTEX.lock());
        send(&LOCK.acquire());
        send(&EVENT.wait());
        send(&PERMITS.acquire());
        send(&SEATS.acquire());
        send(&CELL.get_or_init(async || 1));
        send(&CELL.get_or_try_init(async || Ok::<_, u8>(1)));
        send(&JOBS.get());
        send(&JOBS.join());
        not_unpin(&EVENT.wait());
    };
}
const _: () = futures_of_primitives();

/// What is said of sizes is a promise, too.
#[test]
fn handles_are_small() {
    let word = size_of::<usize>();
    assert_eq!(size_of::<Task<[u64; 8]>>(), word);
    assert_eq!(size_of::<Option<Task<u8>>>(), 2 * word);
    assert_eq!(size_of::<Permit<'_>>(), word);
    assert_eq!(size_of::<MutexGuard<'_, u8>>(), word);
    assert_eq!(size_of::<BoundedPermit<'_>>(), word);
    assert_eq!(size_of::<RwLockReadGuard<'_, u8>>(), word);
    assert_eq!(size_of::<RwLockWriteGuard<'_, u8>>(), word);
    assert_eq!(size_of::<WatchReceiver<'_, u8>>(), word + 8);
    assert_eq!(size_of::<BroadcastReceiver<'_, u8, 2>>(), word + 8);
    assert_eq!(size_of::<Instant>(), 8);
    assert!(size_of::<Sleep>() <= 10 * word);
    // Beside its body: an item, a waker, and who waits.
    assert!(size_of_val(&generator(async |mut y| y.emit(0_usize).await)) <= 14 * word);
}

/// What a combinator adds to the future that it holds, on a 64-bit target: printed, and bounded.
#[cfg(target_pointer_width = "64")]
#[test]
fn combinators_add_little() {
    /// A future of a kibibyte.
    fn large() -> impl Future<Output = u8> {
        let kept = [7_u64; 128];
        std::future::poll_fn(move |_| std::task::Poll::Ready(kept[5] as u8))
    }
    /// As `large`, for a task that is not spawned.
    fn of<F: Future>(_: F) -> usize {
        size_of::<F>()
    }
    let plain = of(large());
    assert_eq!(plain, 1024);
    let handles = size_of::<(Task<u8>, Task<u8>)>();
    let added = [
        ("timeout", of(corio::timeout(corio::Duration::ZERO, large())) - plain),
        ("select", of(corio::select((large(), async {}))) - plain),
        ("select of two", of(corio::select([large(), large()])) - 2 * plain),
        ("join", of(corio::join((large(), async {}))) - plain),
        ("join of two", of(corio::join([large(), large()])) - 2 * plain),
        ("gather", size_of::<corio::Gather<(Task<u8>, Task<u8>)>>() - handles),
        ("shield", size_of::<corio::Shield<Task<u8>>>() - size_of::<Task<u8>>()),
    ];
    for (what, bytes) in added {
        println!("{what:16}{bytes:4}");
        assert!(bytes <= 64, "{what} adds {bytes} bytes");
    }
}
