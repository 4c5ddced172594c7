//! What the echo servers share: the size of the test and of the buffers, and the port's announcement.
//!
//! A server accepts exactly `connections`, starts a task (or a state) for each, echoes until the other side closes, and
//! ends when all have closed. The clocks run from the last accept to the end.

use std::io::{self, Write};

/// A server's size, from the name of the test.
#[derive(Clone, Copy)]
pub struct Echo {
    pub connections: usize,
    pub bytes: usize,
}

/// The read buffer of a connection: larger than a message, so that a whole message is a short read. A server that takes
/// a short read for "drained" then needs no second call to learn it.
pub fn buffer_size(bytes: usize) -> usize {
    (bytes * 2).max(4096)
}

/// Tells the load generator's starter where to connect.
pub fn report_port(port: u16) {
    println!("port={port}");
    io::stdout().flush().expect("standard output is open");
}
