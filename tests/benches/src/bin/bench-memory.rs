//! Heap per idle task and per pending timer: `bench-memory RUNTIME`.
//!
//! An allocator that counts stands under one runtime at a time; tokio's tasks are those of a `LocalSet`. Idle tasks: ten
//! thousand futures, each polled once and then pending with nothing registered; what counts is the live heap beyond the
//! size of the futures. That size varies from task to task, so that a runtime which rounds it up is met at its average.
//! Pending timers: ten thousand sleeps kept in one array, each polled once; what counts is the whole live heap, array
//! included. `requested` is what was asked of the allocator, `usable` what glibc's malloc gave for it.
#![allow(unsafe_code)] // An allocator is unsafe to implement.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Poll, Waker};

use corio_benches::{FAR, poll_once};

const N: usize = 10_000;

static REQUESTED: AtomicUsize = AtomicUsize::new(0);
static USABLE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is System's, with the same arguments; the counters touch no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps alloc's contract.
        let block = unsafe { System.alloc(layout) };
        REQUESTED.fetch_add(layout.size(), Relaxed);
        USABLE.fetch_add(usable(block), Relaxed);
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        REQUESTED.fetch_sub(layout.size(), Relaxed);
        USABLE.fetch_sub(usable(block), Relaxed);
        // SAFETY: the caller keeps dealloc's contract.
        unsafe { System.dealloc(block, layout) }
    }
}

/// What malloc keeps for a block, its own header left out.
fn usable(block: *mut u8) -> usize {
    // SAFETY: System takes its blocks from malloc (or aligned_alloc), and this one is live, or null.
    unsafe { libc::malloc_usable_size(block.cast()) }
}

#[global_allocator]
static HEAP: Counting = Counting;

#[derive(Clone, Copy)]
struct Live {
    requested: usize,
    usable: usize,
}

impl Live {
    fn now() -> Self {
        Self { requested: REQUESTED.load(Relaxed), usable: USABLE.load(Relaxed) }
    }

    /// Prints what has come to live since, a share for each of N, `beyond` bytes of the whole not counted.
    fn report(self, what: &str, beyond: usize) {
        let now = Self::now();
        let each = |now: usize, then: usize| (now - then - beyond) as f64 / N as f64;
        let (requested, usable) = (each(now.requested, self.requested), each(now.usable, self.usable));
        println!("{what}_requested={requested:.1} {what}_usable={usable:.1}");
    }
}

/// How a runtime starts a task.
trait Runtime {
    type Task;
    fn spawn(future: impl Future<Output = ()> + 'static) -> Self::Task;
}

/// How many tasks have been polled, and who waits until all N have.
#[derive(Default)]
struct Polled {
    tasks: Cell<usize>,
    all: Cell<Option<Waker>>,
}

/// An idle task's future: it keeps `room` for as long as it waits. Counts its first poll.
async fn idle<const ROOM: usize>(room: [u8; ROOM], polled: Rc<Polled>) {
    polled.tasks.set(polled.tasks.get() + 1);
    if polled.tasks.get() == N {
        polled.all.take().expect("the one who started them waits").wake();
    }
    pending::<()>().await;
    black_box(room);
}

/// Starts an eighth of N tasks of one size, adds up the size of their futures.
fn some_idle_tasks<R: Runtime, const ROOM: usize>(tasks: &mut Vec<R::Task>, futures: &mut usize, polled: &Rc<Polled>) {
    for _ in 0..N / 8 {
        let future = idle([1; ROOM], polled.clone());
        *futures += size_of_val(&future);
        tasks.push(R::spawn(future));
    }
}

/// Starts N idle tasks and tells what they cost beyond their futures.
async fn idle_tasks<R: Runtime>() {
    let polled = Rc::new(Polled::default());
    let (mut tasks, mut futures) = (Vec::with_capacity(N), 0);
    let before = Live::now();
    some_idle_tasks::<R, 16>(&mut tasks, &mut futures, &polled);
    some_idle_tasks::<R, 32>(&mut tasks, &mut futures, &polled);
    some_idle_tasks::<R, 48>(&mut tasks, &mut futures, &polled);
    some_idle_tasks::<R, 64>(&mut tasks, &mut futures, &polled);
    some_idle_tasks::<R, 80>(&mut tasks, &mut futures, &polled);
    some_idle_tasks::<R, 96>(&mut tasks, &mut futures, &polled);
    some_idle_tasks::<R, 112>(&mut tasks, &mut futures, &polled);
    some_idle_tasks::<R, 128>(&mut tasks, &mut futures, &polled);
    poll_fn(|cx| {
        polled.all.set(Some(cx.waker().clone()));
        if polled.tasks.get() == N { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    before.report("idle_task", futures);
}

/// Keeps N sleeps pending and tells what they cost.
async fn timers<S: Future>(sleep: impl Fn() -> S) {
    let before = Live::now();
    let mut sleeps: Vec<S> = (0..N).map(|_| sleep()).collect();
    for sleep in &mut sleeps {
        // SAFETY: `sleeps` neither grows nor moves its items until it is dropped, where they are.
        poll_once(unsafe { Pin::new_unchecked(sleep) }).await;
    }
    before.report("pending_timer", 0);
}

/// Both, as one task.
async fn both<R: Runtime, S: Future>(sleep: impl Fn() -> S) {
    timers(sleep).await;
    idle_tasks::<R>().await;
    // What is still pending now would never end.
    std::process::exit(0);
}

struct Corio;
impl Runtime for Corio {
    type Task = corio::Task<()>;
    fn spawn(future: impl Future<Output = ()> + 'static) -> Self::Task {
        corio::spawn(future)
    }
}

struct Tokio;
impl Runtime for Tokio {
    type Task = tokio::task::JoinHandle<()>;
    fn spawn(future: impl Future<Output = ()> + 'static) -> Self::Task {
        tokio::task::spawn_local(future)
    }
}

struct Smol;
thread_local! {
    static EXECUTOR: &'static async_executor::LocalExecutor<'static> = Box::leak(Box::default());
}
impl Runtime for Smol {
    type Task = async_executor::Task<()>;
    fn spawn(future: impl Future<Output = ()> + 'static) -> Self::Task {
        EXECUTOR.with(|executor| executor.spawn(future))
    }
}

struct Monoio;
impl Runtime for Monoio {
    type Task = monoio::task::JoinHandle<()>;
    fn spawn(future: impl Future<Output = ()> + 'static) -> Self::Task {
        monoio::spawn(future)
    }
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("corio") => corio_mio::run(async {
            let _ = Corio::spawn(both::<Corio, _>(|| corio::sleep(FAR))).await;
        })
        .expect("a loop"),
        Some("tokio") => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            tokio::task::LocalSet::new().block_on(&runtime, async {
                let _ = Tokio::spawn(both::<Tokio, _>(|| tokio::time::sleep(FAR))).await;
            });
        }
        Some("smol") => async_io::block_on(EXECUTOR.with(|executor| *executor).run(async {
            Smol::spawn(both::<Smol, _>(|| async_io::Timer::after(FAR))).await;
        })),
        Some("monoio") => {
            let builder = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new();
            builder.enable_timer().build().expect("a runtime").block_on(async {
                Monoio::spawn(both::<Monoio, _>(|| monoio::time::sleep(FAR))).await;
            });
        }
        _ => {
            eprintln!("usage: bench-memory RUNTIME");
            std::process::exit(2);
        }
    }
}
