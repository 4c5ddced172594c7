//! Running out of descriptors, and many of them. Alone in its process, since the limit is the process's: the tests
//! take turns.
#![cfg(unix)]

use std::cell::Cell;
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

use corio::{Instant, Reactor, Runner, Task, spawn, yield_now};
use corio_mio::{MioReactor, TcpListener, TcpStream};
use embedded_io_async::{Read, Write};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

static LIMIT: Mutex<()> = Mutex::new(());

/// A reactor whose time stands still until the test moves it.
struct Still {
    mio: MioReactor,
    now: Rc<Cell<Instant>>,
}

impl Reactor for Still {
    type Error = io::Error;
    type Unparker = corio_mio::Unparker;

    fn now(&self) -> Instant {
        self.now.get()
    }

    fn park(&mut self, until: Option<Instant>) -> io::Result<()> {
        match until {
            Some(until) if until <= self.now.get() => self.mio.park(Some(Instant::ZERO)),
            // Time stands still: a deadline does not come by itself.
            _ => self.mio.park(None),
        }
    }

    fn unparker(&self) -> Self::Unparker {
        self.mio.unparker()
    }
}

/// Takes all descriptors up to a limit somewhat above what is in use.
fn take_all() -> Vec<File> {
    let next = File::open("/dev/null").unwrap().as_raw_fd() as u64;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(next + 8), maximum: limit.maximum }).unwrap();
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    taken
}

/// Turns enough for the loop to have looked at its events.
async fn settle() {
    for _ in 0..200 {
        yield_now().await;
    }
}

fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    limit.maximum.unwrap_or(u64::MAX)
}

#[test]
fn accepting_pauses_without_descriptors_and_goes_on_when_one_is_free() {
    let _alone = LIMIT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    raise_limit();
    let now = Rc::new(Cell::new(Instant::ZERO));
    let mut runner = Runner::new(Still { mio: MioReactor::new().unwrap(), now: now.clone() });
    runner
        .run(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let ours = TcpStream::connect(address).await.unwrap();
            let first = listener.accept().await.unwrap();
            let clients: Vec<_> = (0..3).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
            let mut taken = take_all();

            let (accepted, polls) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let mut accepting = Box::pin({
                let accepted = accepted.clone();
                async move {
                    let mut streams = Vec::new();
                    loop {
                        streams.push(listener.accept().await.unwrap());
                        accepted.set(accepted.get() + 1);
                    }
                }
            });
            let task: Task<()> = spawn({
                let polls = polls.clone();
                poll_fn(move |context| {
                    polls.set(polls.get() + 1);
                    accepting.as_mut().poll(context)
                })
            });
            // It rests, and does not try again and again.
            settle().await;
            assert_eq!((accepted.get(), polls.get()), (0, 1));

            // A descriptor that the loop knows nothing of is found at the next attempt, a second later.
            taken.pop();
            settle().await;
            assert_eq!((accepted.get(), polls.get()), (0, 1));
            now.set(now.get() + Duration::from_secs(1));
            while accepted.get() < 1 {
                yield_now().await;
            }
            settle().await;
            assert_eq!(accepted.get(), 1);

            // One of the loop's own is used at once; time stands still.
            drop(first);
            settle().await;
            assert_eq!(accepted.get(), 2);
            drop(ours);
            settle().await;
            assert_eq!(accepted.get(), 3);

            // What lacks descriptors and cannot wait says so.
            taken.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
            let error = TcpStream::connect(address).await.err().unwrap();
            assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()));
            assert!(TcpListener::bind("127.0.0.1:0").is_err());
            assert!(MioReactor::new().is_err());
            drop((task, clients));
        })
        .unwrap();
    raise_limit();
}

#[test]
fn no_descriptor_is_left_behind() {
    let _alone = LIMIT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let lowest_free = || File::open("/dev/null").unwrap().as_raw_fd();
    let before = lowest_free();
    for _ in 0..3 {
        corio_mio::run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let mut kept = Vec::new();
            for n in 0..20 {
                let client = TcpStream::connect(address).await?;
                let (mut server, _) = listener.accept().await?;
                match n % 4 {
                    0 => drop(client),
                    1 => drop(client.into_split().0),
                    2 => kept.push(client.into_split().1),
                    _ => spawn(async move { server.read(&mut [0; 8]).await }).detach(),
                }
            }
            drop(listener);
            assert_eq!(TcpStream::connect(address).await.err().unwrap().kind(), ErrorKind::ConnectionRefused);
            Ok::<_, io::Error>(())
        })
        .unwrap()
        .unwrap();
        assert_eq!(lowest_free(), before);
    }
}

#[test]
fn a_thousand_connections_are_served() {
    let _alone = LIMIT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let connections = 1000.min(raise_limit().saturating_sub(50) / 2) as usize;
    corio_mio::run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await?;
                spawn(async move {
                    let mut buffer = [0; 64];
                    loop {
                        match stream.read(&mut buffer).await {
                            Ok(n) if n > 0 => stream.write_all(&buffer[..n]).await?,
                            end => return end.map(drop),
                        }
                    }
                })
                .detach();
            }
            #[allow(unreachable_code)]
            Ok::<_, io::Error>(())
        });
        let clients: Vec<_> = (0..connections)
            .map(|id| {
                spawn(async move {
                    let mut stream = TcpStream::connect(address).await?;
                    for round in 0..5 {
                        let message = [id, round].map(|n| n as u64);
                        let message: Vec<u8> = message.iter().flat_map(|n| n.to_le_bytes()).collect();
                        stream.write_all(&message).await?;
                        let mut reply = [0; 16];
                        stream.read_exact(&mut reply).await.map_err(io::Error::from)?;
                        assert_eq!(reply[..], message);
                    }
                    Ok::<_, io::Error>(())
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap()?;
        }
        assert!(server.cancel());
        Ok::<_, io::Error>(())
    })
    .unwrap()
    .unwrap();
}
