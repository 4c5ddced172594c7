//! The reactor: parking, unparking from other threads, and events for sources that are gone.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use corio::{Event, Instant, Reactor, Runner, Unpark, spawn, yield_now};
use corio_mio::{MioReactor, TcpListener, TcpStream};
use embedded_io_async::{Read, Write};

/// A reactor that counts its parks.
struct Counting(MioReactor, Rc<Cell<usize>>);

impl Reactor for Counting {
    type Error = io::Error;
    type Unparker = corio_mio::Unparker;

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn park(&mut self, until: Option<Instant>) -> io::Result<()> {
        self.1.set(self.1.get() + 1);
        self.0.park(until)
    }

    fn unparker(&self) -> Self::Unparker {
        self.0.unparker()
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// A future, and how often it was polled.
async fn counted<F: Future>(polls: Rc<Cell<usize>>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(context)
    })
    .await
}

#[test]
fn a_thread_ends_a_park() {
    static DONE: Event = Event::new();
    let mut runner = Runner::new(MioReactor::new().unwrap());
    let thread = thread::spawn(|| DONE.set());
    runner.run(DONE.wait()).unwrap(); // nothing else would end the park
    thread.join().unwrap();
}

#[test]
fn threads_and_a_loop_that_parks_between_each_word_miss_none() {
    static PING: Event = Event::new();
    static PONG: Event = Event::new();
    const ROUNDS: usize = 2000;
    let mut runner = Runner::new(MioReactor::new().unwrap());
    let thread = thread::spawn(|| {
        let mut other = Runner::new(MioReactor::new().unwrap());
        other
            .run(async {
                for _ in 0..ROUNDS {
                    PING.wait().await;
                    PING.clear();
                    PONG.set();
                }
            })
            .unwrap();
    });
    runner
        .run(async {
            for _ in 0..ROUNDS {
                PING.set();
                PONG.wait().await;
                PONG.clear();
            }
        })
        .unwrap();
    thread.join().unwrap();
}

#[test]
fn an_unpark_before_the_park_ends_it_once() {
    let mut reactor = MioReactor::new().unwrap();
    let unparker = reactor.unparker();
    unparker.unpark();
    unparker.unpark();
    reactor.park(None).unwrap(); // or this would never end
    // That it is spent: a park that ends by its deadline and not before, but for spurious ends.
    let until = reactor.now() + Duration::from_millis(5);
    let mut parks = 0;
    while reactor.now() < until {
        reactor.park(Some(until)).unwrap();
        parks += 1;
    }
    assert!((1..5).contains(&parks), "{parks}");
}

#[test]
fn an_unpark_while_the_loop_only_looks_is_not_lost_on_the_next_park() {
    let mut reactor = MioReactor::new().unwrap();
    let unparker = reactor.unparker();
    for _ in 0..100 {
        reactor.park(Some(Instant::ZERO)).unwrap();
        unparker.unpark();
        reactor.park(None).unwrap();
    }
}

#[test]
fn an_unparker_outlives_its_reactor() {
    let unparker = MioReactor::new().unwrap().unparker();
    unparker.clone().unpark();
    unparker.unpark();
}

#[test]
fn a_sleep_is_one_park_or_two_and_never_short() {
    let parks = Rc::new(Cell::new(0));
    let mut runner = Runner::new(Counting(MioReactor::new().unwrap(), parks.clone()));
    for micros in [1, 50, 999, 1000, 1001, 2500] {
        parks.set(0);
        runner
            .run(async {
                let until = corio::now() + Duration::from_micros(micros);
                corio::sleep_until(until).await;
                assert!(corio::now() >= until);
            })
            .unwrap();
        assert!(parks.get() <= 3, "{} parks for {micros} us", parks.get());
    }
}

#[test]
fn idle_waiters_are_polled_once() {
    const IDLE: usize = 50;
    corio_mio::run(async {
        let polls = Rc::new(Cell::new(0));
        let mut clients = Vec::new();
        let mut readers = Vec::new();
        for _ in 0..IDLE {
            let (client, mut server) = pair().await;
            clients.push(client);
            let polls = polls.clone();
            readers.push(spawn(async move {
                counted(polls, server.read(&mut [0; 8])).await.unwrap();
                server // open until the end of the test
            }));
        }
        // What others do meanwhile: talk, sleep, yield.
        let (mut busy, mut echo) = pair().await;
        let echo = spawn(async move {
            let mut byte = [0];
            while echo.read(&mut byte).await.unwrap() == 1 {
                echo.write_all(&byte).await.unwrap();
            }
        });
        for _ in 0..100 {
            busy.write_all(b"x").await.unwrap();
            busy.read_exact(&mut [0]).await.unwrap();
            yield_now().await;
        }
        corio::sleep(Duration::from_millis(2)).await;
        assert_eq!(polls.get(), IDLE);
        for client in &mut clients {
            client.write_all(b"x").await.unwrap();
        }
        for reader in readers {
            reader.await.unwrap();
        }
        assert_eq!(polls.get(), 2 * IDLE);
        drop(busy);
        echo.await.unwrap();
    })
    .unwrap();
}

thread_local! {
    /// What the next wake of an `Act` does. Wakers are `Send`, sockets are not: hence not in the waker itself.
    static ACT: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// A foreign waker that changes the reactor's sources while it hands out events.
struct Act;

impl Wake for Act {
    fn wake(self: Arc<Self>) {
        if let Some(act) = ACT.take() {
            act();
        }
    }
}

fn poll_with<T>(waker: &Waker, future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(waker))
}

#[test]
fn events_of_a_dropped_source_do_not_reach_the_one_in_its_place() {
    let mut runner = Runner::new(MioReactor::new().unwrap());
    let (mut clients, mut servers) = (Vec::new(), Vec::new());
    runner
        .run(async {
            for _ in 0..3 {
                let (client, server) = pair().await;
                clients.push(client);
                servers.push(server);
            }
        })
        .unwrap();
    // Whichever of the three is woken first drops them all, while the events of the others lie in the same buffer
    // behind its own, and puts listeners in their places.
    let act = Waker::from(Arc::new(Act));
    for server in &mut servers {
        assert!(poll_with(&act, server.read(&mut [0; 8])).is_pending());
    }
    for client in &mut clients {
        assert!(poll_with(Waker::noop(), client.write(b"x")).is_ready());
    }
    let servers = Rc::new(RefCell::new(servers));
    let (wakes, listeners) = (Arc::new(CountWakes::default()), Rc::new(RefCell::new(Vec::new())));
    ACT.set(Some(Box::new({
        let (servers, wakes, listeners) = (servers.clone(), wakes.clone(), listeners.clone());
        move || {
            for _ in servers.take() {
                let listener = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
                let mut accept = {
                    let listener = listener.clone();
                    Box::pin(async move { listener.accept().await.unwrap().0 })
                };
                let waker = Waker::from(wakes.clone());
                assert!(accept.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                listeners.borrow_mut().push((listener, accept));
            }
        }
    })));
    runner.reactor_mut().park(Some(Instant::ZERO)).unwrap();
    assert!(servers.borrow().is_empty());
    assert_eq!(wakes.count(), 0);
    runner
        .run(async {
            for (listener, accept) in listeners.take() {
                let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
                assert_eq!(accept.await.peer_addr().unwrap(), client.local_addr().unwrap());
            }
        })
        .unwrap();
}

#[derive(Default)]
struct CountWakes(std::sync::atomic::AtomicUsize);

impl CountWakes {
    fn count(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn a_stream_may_be_dropped_by_the_waker_of_its_own_reader() {
    let mut runner = Runner::new(MioReactor::new().unwrap());
    let (mut client, mut server) = runner.run(pair()).unwrap();
    let act = Waker::from(Arc::new(Act));
    assert!(poll_with(&act, server.read(&mut [0; 8])).is_pending());
    assert!(poll_with(Waker::noop(), client.write(b"x")).is_ready());
    ACT.set(Some(Box::new(move || drop(server))));
    runner.reactor_mut().park(Some(Instant::ZERO)).unwrap();
    // Closed with a byte unread: reset.
    assert!(runner.run(async { client.read(&mut [0; 8]).await }).unwrap().is_err());
}

#[test]
fn sockets_belong_to_the_reactor_that_was_entered() {
    let mut one = Runner::new(MioReactor::new().unwrap());
    let two = Runner::new(MioReactor::new().unwrap());
    let listener = {
        let _entered = one.reactor().handle().enter();
        TcpListener::bind("127.0.0.1:0").unwrap()
    };
    let address = listener.local_addr().unwrap();
    let client = std::net::TcpStream::connect(address).unwrap();
    // Were it with `two`, nobody would look for its events. The first accept is tried at once, the second must wait.
    one.run(async {
        listener.accept().await.unwrap();
        let thread = thread::spawn(move || std::net::TcpStream::connect(address).unwrap());
        listener.accept().await.unwrap();
        thread.join().unwrap();
    })
    .unwrap();
    drop((client, two));
    // The one that is left is ambient again.
    one.run(async { drop(pair().await) }).unwrap();
}

#[test]
#[should_panic(expected = "sockets need a MioReactor")]
fn without_a_reactor_a_socket_says_what_to_do() {
    let _ = TcpListener::bind("127.0.0.1:0");
}
