//! The tests on corio: tasks on the heap, on a loop over mio.
//!
//! A reply goes through a queue of one, shared by the two sides: corio has no one-shot of its own.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use corio::{Mutex, OneShot, Queue, Shutdown, sleep, sleep_until, spawn, timeout, yield_now};
use corio_benches::*;
use corio_mio::{TcpListener, TcpStream};
use embedded_io_async::{Read, Write};

fn block_on(test: impl Future<Output = ()>) {
    corio_mio::run(test).expect("a loop");
}

fn main() {
    let job = Job::from_args();
    let n = job.n;
    if let Some(echo) = job.echo() {
        return block_on(echo_server(&job, echo));
    }
    job.measure(|| match job.test.as_str() {
        "spawn-join" => block_on(spawn_join(n)),
        "group-join" => block_on(group_join(n, true)),
        "group-drop" => block_on(group_join(n, false)),
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
        "timeout-ready" => block_on(timeout_ready(n)),
        "sleeps" => block_on(sleeps(n)),
        "wake-remote" => block_on(wake_remote(n, Duration::ZERO)),
        "wake-parked" => block_on(wake_remote(n, PAUSE)),
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

async fn group_join(n: u64, awaited: bool) {
    let parent = spawn(async move {
        let left: Result<(), corio::GroupError<()>> = corio::group(async |g| {
            for i in 0..n {
                let child = g.spawn(async move { Ok(i) });
                if awaited {
                    assert_eq!(child.await.unwrap(), i);
                } else {
                    drop(child);
                    yield_now().await;
                }
            }
            Ok(())
        })
        .await;
        left.unwrap();
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
    let turns = Rc::new(Turns::default());
    let each = |turns: Rc<Turns>, first: u64| async move {
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
    let requests = Rc::new(Queue::<(u64, Rc<OneShot<u64>>), QUEUE>::new());
    let incoming = requests.clone();
    let server = spawn(async move {
        while let Ok((value, reply)) = incoming.get().await {
            reply.send(value + 1).unwrap();
        }
    });
    let client = spawn(async move {
        for i in 0..n {
            let answer = Rc::new(OneShot::new());
            requests.put((i, answer.clone())).await.ok().unwrap();
            assert_eq!(answer.recv().await, i + 1);
        }
        requests.shutdown(Shutdown::Drain);
    });
    client.await.unwrap();
    server.await.unwrap();
}

async fn queue(producers: u64, n: u64) {
    let queue = Rc::new(Queue::<u64, QUEUE>::new());
    let receiver = queue.clone();
    let consumer = spawn(async move {
        let mut sum = 0;
        while let Ok(value) = receiver.get().await {
            sum += value;
        }
        sum
    });
    let each = n / producers;
    let produce = |queue: Rc<Queue<u64, QUEUE>>| async move {
        for i in 0..each {
            queue.put(i).await.unwrap();
        }
    };
    let tasks: Vec<_> = (0..producers).map(|_| spawn(produce(queue.clone()))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    queue.shutdown(Shutdown::Drain);
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
        task.await.unwrap();
    }
    assert_eq!(*count.lock().await, n / 8 * 8);
}

async fn timeout_ready(n: u64) {
    let task = spawn(async move {
        for i in 0..n {
            assert_eq!(timeout(FAR, async { black_box(i) }).await.unwrap(), i);
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
    // The loop's clock counts from its own start: this is where the offsets count from, on it.
    let start = corio::now() - lateness.start().elapsed();
    let tasks: Vec<_> = (0..n)
        .map(|i| {
            let deadline = start + lateness.offset(i);
            spawn(async move {
                sleep_until(deadline).await;
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
