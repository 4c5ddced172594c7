//! The floor for echo: a loop over mio by hand, with no runtime, no task and no timer.
//!
//! Readiness is edge-triggered, and what a careful hand would do is done: the call is tried before it is waited for, and
//! a read shorter than its buffer means that the socket is drained.

use std::io::{ErrorKind, Read, Write};

use corio_benches::*;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What of the buffer is still to be written.
    start: usize,
    end: usize,
}

fn main() {
    let job = Job::from_args();
    let Some(echo) = job.echo() else { job.unknown() };

    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(1024);
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    poll.registry().register(&mut listener, Token(echo.connections), Interest::READABLE).unwrap();
    report_port(listener.local_addr().unwrap().port());

    let mut connections: Vec<Option<Connection>> = Vec::with_capacity(echo.connections);
    let mut open = echo.connections;
    let mut clocks = None;
    while open > 0 {
        poll.poll(&mut events, None).unwrap();
        for event in &events {
            if let Some(place) = connections.get_mut(event.token().0) {
                let ended = place.as_mut().is_some_and(|connection| !serve(connection));
                if ended {
                    *place = None;
                    open -= 1;
                }
            } else {
                while connections.len() < echo.connections {
                    let Ok((mut stream, _)) = listener.accept() else { break };
                    stream.set_nodelay(true).unwrap();
                    let (token, both) = (Token(connections.len()), Interest::READABLE | Interest::WRITABLE);
                    poll.registry().register(&mut stream, token, both).unwrap();
                    connections.push(Some(Connection {
                        stream,
                        buffer: vec![0; buffer_size(echo.bytes)],
                        start: 0,
                        end: 0,
                    }));
                }
                if connections.len() == echo.connections {
                    clocks.get_or_insert_with(|| job.start());
                }
            }
        }
    }
    clocks.expect("all have connected").report();
}

/// Echoes until the socket would block; false when the other side has closed.
fn serve(connection: &mut Connection) -> bool {
    let Connection { stream, buffer, start, end } = connection;
    let mut drained = false;
    loop {
        while start < end {
            match stream.write(&buffer[*start..*end]) {
                Ok(n) => *start += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) => panic!("write: {error}"),
            }
        }
        if drained {
            return true;
        }
        match stream.read(buffer) {
            Ok(0) => return false,
            Ok(n) => {
                drained = n < buffer.len();
                (*start, *end) = (0, n);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(error) => panic!("read: {error}"),
        }
    }
}
