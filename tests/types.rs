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
    FutureWait, Generator, Instant, LifoQueue, Mutex, MutexGuard, OnceCell, OneShot, Permit, PoolFull, PriorityQueue,
    Queue, RawCondition, RawLock, RunError, Runner, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, Signal,
    Sleep, Spawn, Task, TaskPool, TimedOut, Timeout, TimerHandle, Token, Turn, Watch, WatchReceiver, YieldNow,
    generator,
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

/// All types that the crate has to offer, each with one example: which of the two traits it has. (What depends on its
/// parameters is above.)
macro_rules! types {
    (@one Send Sync, $type:ty) => { is! { Send: $type; Sync: $type; } };
    (@one Send, $type:ty) => { is! { Send: $type; } is_not! { Sync: $type; } };
    (@one Sync, $type:ty) => { is! { Sync: $type; } is_not! { Send: $type; } };
    (@one, $type:ty) => { is_not! { Send: $type; Sync: $type; } };
    ($([$($trait:ident)*] $($type:ty),* $(,)?;)*) => {
        types! { @each $([$($trait)*] $($type),*;)* }
        const LISTED: &[&str] = &[$($(stringify!($type)),*),*];
    };
    (@each $([$($trait:ident)*] $($type:ty),*;)*) => { $(types! { @row [$($trait)*] $($type),* })* };
    (@row [] $($type:ty),*) => { $(types! { @one, $type })* };
    (@row [Send] $($type:ty),*) => { $(types! { @one Send, $type })* };
    (@row [Sync] $($type:ty),*) => { $(types! { @one Sync, $type })* };
    (@row [Send Sync] $($type:ty),*) => { $(types! { @one Send Sync, $type })* };
}

/// Attempts of a race.
type Row = [std::future::Ready<Result<u8, u8>>; 2];

types! {
    // Of one loop: they stay on its thread.
    [] corio::Runner<SimReactor>, corio::Handle, corio::Task<u8>, corio::Child<u8>, corio::TaskId, corio::Ended<'static>,
        corio::Spawn, corio::Group<u8>, corio::GroupHandle<u8>, corio::PoolGroup<u8, u64, 2>,
        corio::PoolGroupHandle<u8, u64, 2>, corio::Scope<'static, u8>, corio::ScopeHandle<'static, u8>,
        corio::ScopedChild<'static, u8>, corio::Failure<'static>;
    [] corio::CallHandle, corio::TimerHandle, corio::DoneHandle, corio::Future<u8>, corio::FutureWait<'static, u8>;
    [] corio::Sleep, corio::Timeout<YieldNow>, corio::TimeLimit, corio::Limited<'static, YieldNow>,
        corio::Finally<YieldNow, YieldNow>, corio::Within<YieldNow, YieldNow, fn()>;
    [] corio::Gather<(Task<u8>, Task<u8>)>, corio::Wait<Task<u8>>, corio::Waited<Task<u8>>, corio::AsCompleted<Task<u8>>,
        corio::AsCompletedWithin<Task<u8>>, corio::Shield<Task<u8>>, corio::CancelAndWait<Task<u8>>,
        corio::StaggeredRace<Row>;
    [] corio::Context, corio::Token<u8>, corio::ResetError<u8>, corio::context::Scoped<YieldNow>,
        corio::context::Bound<u8, YieldNow>;
    [] corio::Emitter<'static, u8>, corio::generator::Emit<'static, u8>;
    // Its memory stays where it is.
    [Sync] corio::LoopMemory, corio::TaskPool<[u64; 4], 2>;
    // What tasks share with threads and interrupts.
    [Send Sync] corio::ContextVar<u8>, corio::wait::WaitCell, corio::wait::WaitQueue;
    [Send Sync] corio::Mutex<u8>, corio::RawLock, corio::Event, corio::Semaphore, corio::BoundedSemaphore,
        corio::Condition<u8>, corio::RawCondition<&'static RawLock>, corio::Barrier, corio::RwLock<u8>, corio::OnceCell<u8>;
    [Send Sync] corio::Queue<u8, 4>, corio::LifoQueue<u8, 4>, corio::PriorityQueue<u8, 4>, corio::DynQueue<u8>,
        corio::DynLifoQueue<u8>, corio::DynPriorityQueue<u8>, corio::QueueOf<u8, corio::queues::Fifo<u8, 4>>;
    [Send Sync] corio::queues::Fifo<u8, 4>, corio::queues::Lifo<u8, 4>, corio::queues::Priority<u8, 4>,
        corio::queues::DynFifo<u8>, corio::queues::DynLifo<u8>, corio::queues::DynPriority<u8>;
    [Send Sync] corio::OneShot<u8>, corio::Signal<u8>, corio::Watch<u8>, corio::WatchReceiver<'static, u8>,
        corio::Broadcast<u8, 2>, corio::BroadcastReceiver<'static, u8, 2>;
    // Guards.
    [Send Sync] corio::MutexGuard<'static, u8>, corio::Permit<'static>, corio::BoundedPermit<'static>,
        corio::ConditionGuard<'static, u8>, corio::RwLockReadGuard<'static, u8>, corio::RwLockWriteGuard<'static, u8>;
    // Who waits for one of them may do it anywhere.
    [Send Sync] corio::locks::Acquire<'static>, corio::locks::Lock<'static, u8>, corio::locks::EventWait<'static>,
        corio::locks::AcquirePermit<'static>, corio::locks::AcquireBounded<'static>,
        corio::locks::LockCondition<'static, u8>, corio::locks::ConditionWait<'static, u8>,
        corio::locks::RawConditionWait<'static>, corio::locks::BarrierWait<'static>, corio::locks::RwLockRead<'static, u8>,
        corio::locks::RwLockWrite<'static, u8>, corio::locks::OnceCellWait<'static, u8>,
        corio::wait::WaitUntil<'static, fn() -> Option<u8>>;
    [Send Sync] corio::queues::Get<'static, u8, corio::queues::Fifo<u8, 4>>,
        corio::queues::Put<'static, u8, corio::queues::Fifo<u8, 4>>,
        corio::queues::Join<'static, u8, corio::queues::Fifo<u8, 4>>, corio::queues::Recv<'static, u8>,
        corio::queues::SignalWait<'static, u8>, corio::queues::Changed<'static, 'static, u8>,
        corio::queues::BroadcastRecv<'static, 'static, u8, 2>, corio::queues::BroadcastSend<'static, u8, 2>;
    // As what they are made of.
    [Send Sync] YieldNow, corio::Join<(YieldNow, YieldNow)>, corio::Select<[YieldNow; 2]>, corio::Either<u8, u8>,
        corio::Either3<u8, u8, u8>, corio::Either4<u8, u8, u8, u8>, corio::Either5<u8, u8, u8, u8, u8>,
        corio::Either6<u8, u8, u8, u8, u8, u8>, corio::Until<u8>;
    [Send Sync] Map<Items<u8>, fn(u8) -> u8>, Filter<Items<u8>, fn(&u8) -> bool>, Iter<std::vec::IntoIter<u8>>,
        Next<'static, Items<u8>>;
    // Values.
    [Send Sync] corio::Instant, corio::Duration, corio::Turn, corio::Failed, corio::Shutdown;
    [Send Sync] corio::combine::First, corio::combine::Outcomes, corio::combine::Values;
    [Send Sync] corio::Cancelled, corio::TimedOut, corio::NotInForce, corio::Overrun<u8>, corio::PoolFull<u8>,
        corio::RunError<Deadlock>, corio::GatherError<u8>, corio::GroupError<u8>, corio::FewErrors<u8, 2>,
        corio::FewErrorsIter<u8, 2>, corio::BrokenBarrier, corio::NotLocked, corio::ReleasedTooOften, corio::SetError<u8>,
        corio::ShutDown, corio::PutError<u8>, corio::TryPutError<u8>, corio::TryGetError, corio::TaskDoneTooOften,
        corio::SendError<u8>, corio::TrySendError<u8>, corio::RecvError, corio::TryRecvError;
}

/// Generators have types without names.
const fn generators_stay() {
    const fn stays<B: corio::generator::Body>(_: &Generator<B>) {
        is_not! { Send: Emitter<'static, u8>; }
    }
    let _ = || stays(&generator(async |mut y| y.emit(1_u8).await));
}
const _: () = generators_stay();

/// What is exported and is no type, but for `Generator`, of which no example can be written (see above).
const OTHERS: &[&str] = &[
    "Body",
    "Comprehension",
    "Ending",
    "Errors",
    "Fallible",
    "Futures",
    "Generator",
    "Mode",
    "Reactor",
    "Row",
    "Store",
    "Stream",
    "Tasks",
    "TryTasks",
    "TryWaitable",
    "Unpark",
    "Waitable",
];

#[test]
fn each_public_type_is_listed() {
    let sources = [
        include_str!("../core/src/lib.rs"),
        include_str!("../core/src/combine/mod.rs"),
        include_str!("../core/src/context/mod.rs"),
        include_str!("../core/src/generator/mod.rs"),
        include_str!("../core/src/locks/mod.rs"),
        include_str!("../core/src/queues/mod.rs"),
        include_str!("../core/src/wait/mod.rs"),
    ];
    // `corio :: Task < u8 >`, or without the spaces.
    let name = |listed: &str| {
        let path = listed.split('<').next().unwrap_or_default();
        path.rsplit("::").next().unwrap_or_default().trim().to_owned()
    };
    let listed: Vec<String> = LISTED.iter().copied().map(name).collect();
    let mut missing = Vec::new();
    let mut found = 0;
    for source in sources {
        for exports in source.split("\npub use ").skip(1) {
            let exports = exports.split(';').next().unwrap_or_default();
            // Types, as all types here, begin with a capital.
            for word in exports.split(|c: char| !c.is_alphanumeric() && c != '_') {
                if word.starts_with(|c: char| c.is_ascii_uppercase()) && !OTHERS.contains(&word) {
                    found += 1;
                    if !listed.iter().any(|name| name == word) {
                        missing.push(word);
                    }
                }
            }
        }
        // All modules that are public are read.
        for module in source.split("\npub mod ").skip(1).filter_map(|rest| rest.split([';', ' ']).next()) {
            assert!(["combine", "context", "generator", "locks", "queues", "wait"].contains(&module), "{module}");
        }
    }
    assert!(found > 100, "{found}");
    assert!(missing.is_empty(), "say of each whether it is `Send` and `Sync`, in `types!` of this file: {missing:?}");
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
