//! The load generator: `load PORT CONNECTIONS BYTES REQUESTS`.
//!
//! Connects all, then keeps one request under way on each connection until REQUESTS have been answered in all. The same
//! for every server, in a process of its own. Prints the time of the requests and their latency.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// A server that answers nothing for this long is dead.
const PATIENCE: Duration = Duration::from_secs(60);

struct Connection {
    stream: TcpStream,
    left: u64,
    sent: usize,
    received: usize,
    since: Instant,
}

fn main() {
    let args: Vec<u64> = std::env::args().skip(1).map_while(|arg| arg.parse().ok()).collect();
    let [port, connections, bytes, requests] = args[..] else {
        eprintln!("usage: load PORT CONNECTIONS BYTES REQUESTS");
        std::process::exit(2);
    };
    let address = SocketAddr::from(([127, 0, 0, 1], port as u16));
    let message = vec![b'x'; bytes as usize];
    let mut buffer = vec![0; 64 * 1024];

    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(1024);
    let mut all: Vec<Connection> = (0..connections)
        .map(|i| {
            // Connected while still blocking, so that all stand before the first request.
            let stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_nonblocking(true).unwrap();
            let mut stream = TcpStream::from_std(stream);
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(i as usize), both).unwrap();
            let left = requests / connections + u64::from(i < requests % connections);
            Connection { stream, left, sent: 0, received: 0, since: Instant::now() }
        })
        .collect();

    let start = Instant::now();
    let mut latency = Vec::with_capacity(requests as usize);
    for connection in &mut all {
        connection.since = start;
        advance(connection, &message, &mut buffer, &mut latency);
    }
    while (latency.len() as u64) < requests {
        poll.poll(&mut events, Some(PATIENCE)).unwrap();
        assert!(!events.is_empty(), "no answer within {PATIENCE:?}");
        for event in &events {
            advance(&mut all[event.token().0], &message, &mut buffer, &mut latency);
        }
    }
    let wall = start.elapsed().as_nanos();
    latency.sort_unstable();
    let at = |percent: usize| latency[(latency.len() - 1) * percent / 100];
    println!("ops={requests} wall_ns={wall} latency_p50_ns={} latency_p99_ns={}", at(50), at(99));
}

/// Sends and receives as far as the socket goes.
fn advance(connection: &mut Connection, message: &[u8], buffer: &mut [u8], latency: &mut Vec<u64>) {
    // A read shorter than its buffer has drained the socket; whatever comes after it brings an event of its own.
    let mut drained = false;
    while connection.left > 0 {
        while connection.sent < message.len() {
            match connection.stream.write(&message[connection.sent..]) {
                Ok(n) => connection.sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("write: {error}"),
            }
        }
        if drained {
            return;
        }
        match connection.stream.read(buffer) {
            Ok(0) => panic!("the server has closed"),
            Ok(n) => {
                connection.received += n;
                drained = n < buffer.len();
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("read: {error}"),
        }
        if connection.received == message.len() {
            latency.push(connection.since.elapsed().as_nanos() as u64);
            (connection.sent, connection.received) = (0, 0);
            connection.left -= 1;
            connection.since = Instant::now();
        }
    }
}
