//! Clients in memory: bounded pipes with the stream traits, and a session at the other end.
#![allow(dead_code, unreachable_pub)] // each test binary uses its part

use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::task::{Poll, Waker};
use std::collections::VecDeque;
use std::hash::RandomState;
use std::rc::Rc;

use corio::{Duration, Task, spawn};
use corio_kv::{Ended, Heap, Limits, Memory, Server, StreamError, serve};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

/// The server of a host.
pub type Hosted = Server<Heap<RandomState>>;

/// What a pipe between two tasks holds at most unless a test says otherwise.
pub const PIPE: usize = 4096;

#[derive(Default)]
struct Shared {
    bytes: VecDeque<u8>,
    capacity: usize,
    writer_gone: bool,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    writes: usize,
}

/// The end of a pipe that reads; dropping it breaks the pipe.
pub struct Reader(Rc<RefCell<Shared>>);

/// The end of a pipe that writes; dropping it is the end of the stream.
pub struct Writer(Rc<RefCell<Shared>>);

/// A pipe that holds `capacity` bytes.
pub fn pipe(capacity: usize) -> (Reader, Writer) {
    let shared = Rc::new(RefCell::new(Shared { capacity, ..Shared::default() }));
    (Reader(shared.clone()), Writer(shared))
}

impl ErrorType for Reader {
    type Error = ErrorKind;
}

impl ErrorType for Writer {
    type Error = ErrorKind;
}

impl Read for Reader {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|cx| {
            let mut pipe = self.0.borrow_mut();
            if pipe.bytes.is_empty() && !pipe.writer_gone {
                pipe.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let count = pipe.bytes.len().min(into.len());
            for (place, byte) in into.iter_mut().zip(pipe.bytes.drain(..count)) {
                *place = byte;
            }
            let waker = pipe.writer.take();
            drop(pipe);
            waker.into_iter().for_each(Waker::wake);
            Poll::Ready(Ok(count))
        })
        .await
    }
}

impl Write for Writer {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        poll_fn(|cx| {
            let mut pipe = self.0.borrow_mut();
            if pipe.reader_gone {
                return Poll::Ready(Err(ErrorKind::BrokenPipe));
            }
            let room = pipe.capacity - pipe.bytes.len();
            if room == 0 {
                pipe.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let count = room.min(bytes.len());
            pipe.bytes.extend(&bytes[..count]);
            pipe.writes += 1;
            let waker = pipe.reader.take();
            drop(pipe);
            waker.into_iter().for_each(Waker::wake);
            Poll::Ready(Ok(count))
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut pipe = self.0.borrow_mut();
        pipe.reader_gone = true;
        let waker = pipe.writer.take();
        drop(pipe);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut pipe = self.0.borrow_mut();
        pipe.writer_gone = true;
        let waker = pipe.reader.take();
        drop(pipe);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// What a session came to.
pub type Outcome = Result<Ended, StreamError<ErrorKind, ErrorKind>>;

/// A client and the session that serves it.
pub struct Client {
    pub reader: Reader,
    pub writer: Writer,
    pub session: Task<Outcome>,
}

impl Client {
    /// Connects to `server` through pipes of `capacity` bytes.
    pub fn connect_through<M: Memory + 'static>(server: &Rc<Server<M>>, capacity: usize) -> Self {
        let (requests, writer) = pipe(capacity);
        let (reader, replies) = pipe(capacity);
        let server = server.clone();
        let session = spawn(async move { serve(requests, replies, &*server).await });
        Self { reader, writer, session }
    }

    /// Connects to `server`.
    pub fn connect<M: Memory + 'static>(server: &Rc<Server<M>>) -> Self {
        Self::connect_through(server, PIPE)
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.writer.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    /// Sends a request of words.
    pub async fn request(&mut self, words: &[&[u8]]) {
        self.send(encode(words)).await;
    }

    /// Sends a line of words, as telnet would.
    pub async fn line(&mut self, line: &str) {
        self.send(format!("{line}\r\n")).await;
    }

    /// Sends a line and checks the reply.
    #[track_caller]
    pub fn ask(&mut self, line: &str, reply: &str) -> impl Future<Output = ()> {
        let caller = core::panic::Location::caller();
        async move {
            self.line(line).await;
            let got = self.receive(reply.len()).await;
            assert_eq!(text(&got), reply, "to {line:?} at {caller}");
        }
    }

    /// Checks the next bytes of the reply.
    #[track_caller]
    pub fn expect(&mut self, reply: impl AsRef<[u8]>) -> impl Future<Output = ()> {
        let caller = core::panic::Location::caller();
        async move {
            let got = self.receive(reply.as_ref().len()).await;
            assert_eq!(text(&got), text(reply.as_ref()), "at {caller}");
        }
    }

    /// The next `count` bytes, or fewer if the server closes before.
    pub async fn receive(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let mut got = 0;
        while got < count {
            match self.reader.read(&mut bytes[got..]).await.expect("pipes do not fail") {
                0 => break,
                more => got += more,
            }
        }
        bytes.truncate(got);
        bytes
    }

    /// The bytes up to and with `end`, or fewer if the server closes before.
    pub async fn receive_until(&mut self, end: u8) -> String {
        let mut bytes = Vec::new();
        while bytes.last() != Some(&end) {
            match self.receive(1).await.first() {
                Some(byte) => bytes.push(*byte),
                None => break,
            }
        }
        text(&bytes)
    }

    /// All bytes until the server closes.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut bytes = [0; 1024];
        loop {
            match self.reader.read(&mut bytes).await.expect("pipes do not fail") {
                0 => return all,
                count => all.extend_from_slice(&bytes[..count]),
            }
        }
    }

    /// How many writes the replies so far took.
    pub fn writes(&self) -> usize {
        self.reader.0.borrow().writes
    }

    /// Bytes that have been written and wait to be read by this client.
    pub fn unread(&self) -> usize {
        self.reader.0.borrow().bytes.len()
    }

    /// Hangs up, and leaves it to the session to notice.
    pub fn vanish(self) -> Task<Outcome> {
        self.session
    }

    /// Hangs up, and waits for the session to notice.
    pub async fn hang_up(self) -> Outcome {
        self.vanish().await.expect("nobody cancels it")
    }
}

/// A request as an array of bulk strings.
pub fn encode(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Bytes as readable text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A server and its expiry task, for the length of a test.
pub struct Running<M: Memory> {
    pub server: Rc<Server<M>>,
    _expiry: Task<()>,
}

/// A server of a host with these limits.
pub fn hosted(limits: Limits) -> Running<Heap<RandomState>> {
    start(Server::hosted(limits))
}

/// `server` with its expiry task.
pub fn start<M: Memory + 'static>(server: Server<M>) -> Running<M> {
    let server = Rc::new(server);
    let expiring = server.clone();
    Running { server, _expiry: spawn(async move { expiring.expire().await }) }
}

/// So many milliseconds.
pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A small pseudo-random generator (xorshift64*): the same numbers in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 16) % end.max(1) as u64) as usize
    }
}
