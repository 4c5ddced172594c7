//! The tests, whichever way tasks are started.

use std::future::ready;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use corio_benches::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{sleep, sleep_until, timeout};

use crate::{block_on, spawn};

pub(crate) fn run(job: Job) {
    let n = job.n;
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    if let Some(echo) = job.echo() {
        return block_on(&runtime, echo_server(&job, echo));
    }
    job.measure(|| match job.test.as_str() {
        "spawn-join" => block_on(&runtime, spawn_join(n)),
        "group-join" => block_on(&runtime, group_join(n)),
        "spawn-1000" => block_on(&runtime, spawn_1000(n)),
        "switch-2" => block_on(&runtime, switch(2, n)),
        "hand-over" => block_on(&runtime, hand_over(n)),
        "yield-1" => block_on(&runtime, yields(1, n)),
        "yield-2" => block_on(&runtime, yields(2, n)),
        "yield-10000" => block_on(&runtime, yields(10_000, n)),
        "request-reply" => block_on(&runtime, request_reply(n)),
        "queue-1-1" => block_on(&runtime, queue(1, n)),
        "queue-4-1" => block_on(&runtime, queue(4, n)),
        "mutex-free" => block_on(&runtime, mutex_free(n)),
        "mutex-8" => block_on(&runtime, mutex_8(n)),
        "far-sleep" => block_on(&runtime, far_sleep(n)),
        "timeout-ready" => block_on(&runtime, timeout_ready(n)),
        "sleeps" => block_on(&runtime, sleeps(n)),
        "wake-remote" => block_on(&runtime, wake_remote(n, Duration::ZERO)),
        "wake-parked" => block_on(&runtime, wake_remote(n, PAUSE)),
        _ => job.unknown(),
    });
}

async fn spawn_join(n: u64) {
    let parent = spawn(async move {
        for i in 0..n {
            assert_eq!(spawn(async move { i }).await.unwrap(), i);
        }
    });
    parent.await.unwrap();
}

async fn group_join(n: u64) {
    let parent = spawn(async move {
        let mut set = tokio::task::JoinSet::new();
        for i in 0..n {
            set.spawn(async move { i });
            assert_eq!(set.join_next().await.unwrap().unwrap(), i);
        }
    });
    parent.await.unwrap();
}

async fn spawn_1000(rounds: u64) {
    let parent = spawn(async move {
        let mut tasks = Vec::with_capacity(1000);
        for _ in 0..rounds {
            tasks.extend((0..1000).map(|i| spawn(async move { i })));
            for (i, task) in tasks.drain(..).enumerate() {
                assert_eq!(task.await.unwrap(), i as u64);
            }
        }
    });
    parent.await.unwrap();
}

async fn switch(tasks: u64, n: u64) {
    let each = || async move {
        for _ in 0..n {
            self_wake().await;
        }
    };
    let tasks: Vec<_> = (0..tasks).map(|_| spawn(each())).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn hand_over(n: u64) {
    let turns = Arc::new(Turns::default());
    let each = |turns: Arc<Turns>, first: u64| async move {
        for i in 0..n {
            turns.take(2 * i + first).await;
        }
    };
    let one = spawn(each(turns.clone(), 0));
    let other = spawn(each(turns, 1));
    one.await.unwrap();
    other.await.unwrap();
}

async fn yields(tasks: u64, n: u64) {
    let each = || async move {
        for _ in 0..n {
            yield_now().await;
        }
    };
    let tasks: Vec<_> = (0..tasks).map(|_| spawn(each())).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn request_reply(n: u64) {
    let (requests, mut incoming) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(QUEUE);
    let server = spawn(async move {
        while let Some((value, reply)) = incoming.recv().await {
            reply.send(value + 1).unwrap();
        }
    });
    let client = spawn(async move {
        for i in 0..n {
            let (reply, answer) = oneshot::channel();
            requests.send((i, reply)).await.unwrap();
            assert_eq!(answer.await.unwrap(), i + 1);
        }
    });
    client.await.unwrap();
    server.await.unwrap();
}

async fn queue(producers: u64, n: u64) {
    let (sender, mut receiver) = mpsc::channel::<u64>(QUEUE);
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
    assert_eq!(consumer.await.unwrap(), producers * (each * (each - 1) / 2));
}

async fn mutex_free(n: u64) {
    let count = Mutex::new(0);
    for _ in 0..n {
        *count.lock().await += 1;
    }
    assert_eq!(count.into_inner(), n);
}

async fn mutex_8(n: u64) {
    let count = Arc::new(Mutex::new(0));
    let each = |count: Arc<Mutex<u64>>| async move {
        for _ in 0..n / 8 {
            let mut guard = count.lock().await;
            self_wake().await;
            *guard += 1;
        }
    };
    let tasks: Vec<_> = (0..8).map(|_| spawn(each(count.clone()))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*count.lock().await, n / 8 * 8);
}

async fn timeout_ready(n: u64) {
    let task = spawn(async move {
        for _ in 0..n {
            black_box(timeout(FAR, ready(())).await.is_ok());
        }
    });
    task.await.unwrap();
}

async fn far_sleep(n: u64) {
    let task = spawn(async move {
        for _ in 0..n {
            poll_once(pin!(sleep(FAR))).await;
        }
    });
    task.await.unwrap();
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
        lateness.woke(i as u64, task.await.unwrap());
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
    task.await.unwrap();
}

async fn echo_server(job: &Job, echo: Echo) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    report_port(listener.local_addr().unwrap().port());
    let mut tasks = Vec::new();
    for _ in 0..echo.connections {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tasks.push(spawn(echo_one(stream, buffer_size(echo.bytes))));
    }
    let clocks = job.start();
    for task in tasks {
        task.await.unwrap();
    }
    clocks.report();
}

async fn echo_one(mut stream: TcpStream, size: usize) {
    let mut buffer = vec![0; size];
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => return,
            n => stream.write_all(&buffer[..n]).await.unwrap(),
        }
    }
}
