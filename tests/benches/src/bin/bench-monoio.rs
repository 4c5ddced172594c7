//! The tests on monoio with its legacy driver (epoll), and `local-sync`, the channels that go with it.
//!
//! monoio has no mutex: a semaphore of one permit beside a cell stands in. It has no `yield_now` either: a task wakes
//! itself, and monoio puts such a task at the front of its queue, so it is polled again without a switch. `hand-over`
//! is the test that cannot be answered so.
//!
//! Wakes from another thread need monoio's feature `sync`, which makes every task dearer. The other tests are built
//! without it.

use std::cell::Cell;
use std::future::{Future, ready};
use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use corio_benches::*;
use local_sync::mpsc::bounded;
use local_sync::oneshot;
use local_sync::semaphore::Semaphore;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use monoio::time::{TimeDriver, sleep, sleep_until, timeout};
use monoio::{LegacyDriver, Runtime, RuntimeBuilder, spawn};

fn block_on(runtime: &mut Runtime<TimeDriver<LegacyDriver>>, test: impl Future<Output = ()>) {
    runtime.block_on(test)
}

fn main() {
    let job = Job::from_args();
    let n = job.n;
    let mut runtime = RuntimeBuilder::<LegacyDriver>::new().enable_timer().build().expect("a runtime");
    let runtime = &mut runtime;
    if let Some(echo) = job.echo() {
        return block_on(runtime, echo_server(&job, echo));
    }
    job.measure(|| match job.test.as_str() {
        "spawn-join" => block_on(runtime, spawn_join(n)),
        "spawn-1000" => block_on(runtime, spawn_1000(n)),
        "switch-2" => block_on(runtime, switch(2, n)),
        "hand-over" => block_on(runtime, hand_over(n)),
        "yield-1" => block_on(runtime, switch(1, n)),
        "yield-2" => block_on(runtime, switch(2, n)),
        "yield-10000" => block_on(runtime, switch(10_000, n)),
        "request-reply" => block_on(runtime, request_reply(n)),
        "queue-1-1" => block_on(runtime, queue(1, n)),
        "queue-4-1" => block_on(runtime, queue(4, n)),
        "mutex-free" => block_on(runtime, mutex_free(n)),
        "mutex-8" => block_on(runtime, mutex_8(n)),
        "far-sleep" => block_on(runtime, far_sleep(n)),
        "timeout-ready" => block_on(runtime, timeout_ready(n)),
        "sleeps" => block_on(runtime, sleeps(n)),
        "wake-remote" if cfg!(feature = "monoio-remote") => block_on(runtime, wake_remote(n, Duration::ZERO)),
        "wake-parked" if cfg!(feature = "monoio-remote") => block_on(runtime, wake_remote(n, PAUSE)),
        _ => job.unknown(),
    });
}

async fn spawn_join(n: u64) {
    let parent = spawn(async move {
        for i in 0..n {
            assert_eq!(spawn(async move { i }).await, i);
        }
    });
    parent.await;
}

async fn spawn_1000(rounds: u64) {
    let parent = spawn(async move {
        let mut tasks = Vec::with_capacity(1000);
        for _ in 0..rounds {
            tasks.extend((0..1000).map(|i| spawn(async move { i })));
            for (i, task) in tasks.drain(..).enumerate() {
                assert_eq!(task.await, i as u64);
            }
        }
    });
    parent.await;
}

async fn switch(tasks: u64, n: u64) {
    let each = || async move {
        for _ in 0..n {
            self_wake().await;
        }
    };
    let tasks: Vec<_> = (0..tasks).map(|_| spawn(each())).collect();
    for task in tasks {
        task.await;
    }
}

async fn hand_over(n: u64) {
    let turns = Rc::new(Turns::default());
    let each = |turns: Rc<Turns>, first: u64| async move {
        for i in 0..n {
            turns.take(2 * i + first).await;
        }
    };
    let one = spawn(each(turns.clone(), 0));
    let other = spawn(each(turns, 1));
    one.await;
    other.await;
}

async fn request_reply(n: u64) {
    let (requests, mut incoming) = bounded::channel::<(u64, oneshot::Sender<u64>)>(QUEUE);
    let server = spawn(async move {
        while let Some((value, reply)) = incoming.recv().await {
            reply.send(value + 1).unwrap();
        }
    });
    let client = spawn(async move {
        for i in 0..n {
            let (reply, answer) = oneshot::channel();
            requests.send((i, reply)).await.ok().unwrap();
            assert_eq!(answer.await.unwrap(), i + 1);
        }
    });
    client.await;
    server.await;
}

async fn queue(producers: u64, n: u64) {
    let (sender, mut receiver) = bounded::channel::<u64>(QUEUE);
    let consumer = spawn(async move {
        let mut sum = 0;
        while let Some(value) = receiver.recv().await {
            sum += value;
        }
        sum
    });
    for _ in 0..producers {
        let sender = sender.clone();
        spawn(async move {
            for i in 0..n / producers {
                sender.send(i).await.unwrap();
            }
        });
    }
    drop(sender);
    let each = n / producers;
    assert_eq!(consumer.await, producers * (each * (each - 1) / 2));
}

async fn mutex_free(n: u64) {
    let (permit, count) = (Semaphore::new(1), Cell::new(0));
    for _ in 0..n {
        let _held = permit.acquire().await.unwrap();
        count.set(count.get() + 1);
    }
    assert_eq!(count.get(), n);
}

async fn mutex_8(n: u64) {
    let mutex = Rc::new((Semaphore::new(1), Cell::new(0)));
    let each = |mutex: Rc<(Semaphore, Cell<u64>)>| async move {
        for _ in 0..n / 8 {
            let _held = mutex.0.acquire().await.unwrap();
            self_wake().await;
            mutex.1.set(mutex.1.get() + 1);
        }
    };
    let tasks: Vec<_> = (0..8).map(|_| spawn(each(mutex.clone()))).collect();
    for task in tasks {
        task.await;
    }
    assert_eq!(mutex.1.get(), n / 8 * 8);
}

async fn timeout_ready(n: u64) {
    let task = spawn(async move {
        for _ in 0..n {
            black_box(timeout(FAR, ready(())).await.is_ok());
        }
    });
    task.await;
}

async fn far_sleep(n: u64) {
    let task = spawn(async move {
        for _ in 0..n {
            poll_once(pin!(sleep(FAR))).await;
        }
    });
    task.await;
}

async fn sleeps(n: u64) {
    let mut lateness = Lateness::new(n);
    let start = lateness.start();
    let tasks: Vec<_> = (0..n)
        .map(|i| {
            let deadline = start + lateness.offset(i);
            spawn(async move {
                sleep_until(deadline.into()).await;
                Instant::now()
            })
        })
        .collect();
    for (i, task) in tasks.into_iter().enumerate() {
        lateness.woke(i as u64, task.await);
    }
    lateness.report();
}

async fn wake_remote(n: u64, pause: Duration) {
    let task = spawn(async move {
        let (mut bell, thread) = Bell::new(n, pause);
        for _ in 0..n {
            bell.answer().await;
        }
        thread.join().unwrap();
    });
    task.await;
}

async fn echo_server(job: &Job, echo: Echo) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    report_port(listener.local_addr().unwrap().port());
    let mut tasks = Vec::new();
    for _ in 0..echo.connections {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tasks.push(spawn(echo_one(stream, buffer_size(echo.bytes))));
    }
    let clocks = job.start();
    for task in tasks {
        task.await;
    }
    clocks.report();
}

async fn echo_one(mut stream: TcpStream, size: usize) {
    let mut buffer = Vec::with_capacity(size);
    loop {
        let read;
        (read, buffer) = stream.read(buffer).await;
        if read.unwrap() == 0 {
            return;
        }
        let written;
        (written, buffer) = stream.write_all(buffer).await;
        written.unwrap();
        buffer.clear();
    }
}
