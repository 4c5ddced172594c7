//! corio on hosted operating systems: the loop parks in [mio]'s poll (epoll, kqueue, IOCP), and sockets speak the
//! `Read` and `Write` of [`embedded_io_async`].
//!
//! ```
//! use corio_mio::{TcpListener, TcpStream};
//! use embedded_io_async::{Read, Write};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     corio_mio::run(async {
//!         let listener = TcpListener::bind("127.0.0.1:0")?;
//!         let address = listener.local_addr()?;
//!         let client = corio::spawn(async move {
//!             let mut stream = TcpStream::connect(address).await?;
//!             stream.write_all(b"hello").await?;
//!             let mut reply = [0; 5];
//!             stream.read_exact(&mut reply).await.map_err(std::io::Error::from)?;
//!             Ok::<_, std::io::Error>(reply)
//!         });
//!         let (mut stream, _peer) = listener.accept().await?;
//!         let mut buffer = [0; 64];
//!         let n = stream.read(&mut buffer).await?;
//!         stream.write_all(&buffer[..n]).await?;
//!         assert_eq!(&client.await??, b"hello");
//!         Ok(())
//!     })?
//! }
//! ```
//!
//! # How it waits
//!
//! ```text
//!   read().await ── tried at once ──► data, or error: Ready
//!        │ would block, or the last read was short
//!        ▼
//!   source: not readable; waker stored ◄──── park(until): poll; for each event: note readiness, wake
//! ```
//!
//! Readiness is edge-triggered: a source is registered once for both directions, and from then on costs no system call
//! but its reads and writes. An operation is tried before anything waits, and one that moved less than it could have
//! (a short read, a short write) has emptied or filled the socket's buffer, so the next one waits without asking the
//! kernel a second time. A request and its reply cost what they cost a hand-written loop: `epoll_wait`, `recv`, `send`.
//!
//! Everything here stays on the thread of its loop; the types are `!Send`. The one exception is [`Unparker`], which
//! any thread may use.

mod os;
mod reactor;
mod source;
mod tcp;

use std::io;

use corio::{RunError, Runner};

pub use reactor::{Entered, Handle, MioReactor, Unparker};
pub use tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, TcpListener, TcpStream, WriteHalf};

/// Runs `main` to its end on a loop of its own, then cancels the tasks that are left and runs them to theirs.
/// asyncio: `run`.
///
/// ```
/// let three = corio_mio::run(async { corio::spawn(async { 1 + 2 }).await }).unwrap().unwrap();
/// assert_eq!(three, 3);
/// ```
///
/// # Errors
/// [`RunError::Park`] when the operating system gives no poll (out of descriptors) or takes it away;
/// [`RunError::Cancelled`] when `main` was cancelled.
///
/// # Panics
/// When this thread runs a loop already.
pub fn run<F: Future>(main: F) -> Result<F::Output, RunError<io::Error>> {
    let mut runner = Runner::new(MioReactor::new()?);
    let result = runner.run(main);
    runner.close()?;
    result
}
