//! The tests on smol: one `LocalExecutor`, run inside `async_io::block_on`.
//!
//! Queues are `async_channel`, locks `async_lock`; the one-shot is the crate `oneshot`, cheaper than a channel of one.

use std::future::Future;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_executor::{LocalExecutor, Task};
use async_io::{Async, Timer};
use async_lock::Mutex;
use corio_benches::*;
use futures_lite::future::yield_now;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

thread_local! {
    static EXECUTOR: &'static LocalExecutor<'static> = Box::leak(Box::new(LocalExecutor::new()));
}

fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> Task<T> {
    EXECUTOR.with(|executor| executor.spawn(future))
}

fn block_on(test: impl Future<Output = ()>) {
    async_io::block_on(EXECUTOR.with(|executor| *executor).run(test))
}

fn main() {
    let job = Job::from_args();
    let n = job.n;
    if let Some(echo) = job.echo() {
        return block_on(echo_server(&job, echo));
    }
    job.measure(|| match job.test.as_str() {
        "spawn-join" => block_on(spawn_join(n)),
        "spawn-1000" => block_on(spawn_1000(n)),
        "switch-2" => block_on(switch(2, n)),
        "hand-over" => block_on(hand_over(n)),
        "yield-1" => block_on(yields(1, n)),
        "yield-2" => block_on(yields(2, n)),
        "yield-10000" => block_on(yields(10_000, n)),
        "request-reply" => block_on(request_reply(n)),
        "queue-1-1" => block_on(queue(1, n)),
        "queue-4-1" => block_on(queue(4, n)),
        "mutex-free" => block_on(mutex_free(n)),
        "mutex-8" => block_on(mutex_8(n)),
        "far-sleep" => block_on(far_sleep(n)),
        "sleeps" => block_on(sleeps(n)),
        "wake-remote" => block_on(wake_remote(n, Duration::ZERO)),
        "wake-parked" => block_on(wake_remote(n, PAUSE)),
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

async fn yields(tasks: u64, n: u64) {
    let each = || async move {
        for _ in 0..n {
            yield_now().await;
        }
    };
    let tasks: Vec<_> = (0..tasks).map(|_| spawn(each())).collect();
    for task in tasks {
        task.await;
    }
}

async fn request_reply(n: u64) {
    let (requests, incoming) = async_channel::bounded::<(u64, oneshot::Sender<u64>)>(QUEUE);
    let server = spawn(async move {
        while let Ok((value, reply)) = incoming.recv().await {
            reply.send(value + 1).unwrap();
        }
    });
    let client = spawn(async move {
        for i in 0..n {
            let (reply, answer) = oneshot::async_channel();
            requests.send((i, reply)).await.unwrap();
            assert_eq!(answer.await.unwrap(), i + 1);
        }
    });
    client.await;
    server.await;
}

async fn queue(producers: u64, n: u64) {
    let (sender, receiver) = async_channel::bounded::<u64>(QUEUE);
    let consumer = spawn(async move {
        let mut sum = 0;
        while let Ok(value) = receiver.recv().await {
            sum += value;
        }
        sum
    });
    for _ in 0..producers {
        let sender = sender.clone();
        let producer = async move {
            for i in 0..n / producers {
                sender.send(i).await.unwrap();
            }
        };
        spawn(producer).detach();
    }
    drop(sender);
    let each = n / producers;
    assert_eq!(consumer.await, producers * (each * (each - 1) / 2));
}

async fn mutex_free(n: u64) {
    let count = Mutex::new(0);
    for _ in 0..n {
        *count.lock().await += 1;
    }
    assert_eq!(count.into_inner(), n);
}

async fn mutex_8(n: u64) {
    let count = Rc::new(Mutex::new(0));
    let each = |count: Rc<Mutex<u64>>| async move {
        for _ in 0..n / 8 {
            let mut guard = count.lock().await;
            self_wake().await;
            *guard += 1;
        }
    };
    let tasks: Vec<_> = (0..8).map(|_| spawn(each(count.clone()))).collect();
    for task in tasks {
        task.await;
    }
    assert_eq!(*count.lock().await, n / 8 * 8);
}

async fn far_sleep(n: u64) {
    let task = spawn(async move {
        for _ in 0..n {
            poll_once(pin!(Timer::after(FAR))).await;
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
                Timer::at(deadline).await;
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
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    report_port(listener.get_ref().local_addr().unwrap().port());
    let mut tasks = Vec::new();
    for _ in 0..echo.connections {
        let (stream, _) = listener.accept().await.unwrap();
        stream.get_ref().set_nodelay(true).unwrap();
        tasks.push(spawn(echo_one(stream, buffer_size(echo.bytes))));
    }
    let clocks = job.start();
    for task in tasks {
        task.await;
    }
    clocks.report();
}

async fn echo_one(mut stream: Async<TcpStream>, size: usize) {
    let mut buffer = vec![0; size];
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => return,
            n => stream.write_all(&buffer[..n]).await.unwrap(),
        }
    }
}
