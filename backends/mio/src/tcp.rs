//! TCP: a listener and a stream over registered sockets.
//!
//! A stream has two directions, which two tasks may use at once when it is split. The halves share the socket; each
//! direction has one user, which `&mut self` sees to, so each has one waiter.

use core::future::{Future, poll_fn, ready};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use corio::Mutex;
use embedded_io_async::{ErrorType, Read, ReadReady, Write};
use mio::Interest;

use crate::os::{AcceptError, accept_error};
use crate::reactor::Handle;
use crate::source::{Registered, Way};

/// How long accepting pauses when descriptors or memory have run out. asyncio: `ACCEPT_RETRY_DELAY`.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Connections that may wait to be accepted, unless the caller says how many. The system may allow less.
const BACKLOG: u32 = 1024;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Accepts TCP connections.
///
/// ```
/// # corio_mio::run(async {
/// let listener = corio_mio::TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// # let _client = corio::spawn(async move { corio_mio::TcpStream::connect(address).await });
/// let (stream, peer) = listener.accept().await?;
/// # assert_eq!(stream.peer_addr()?, peer);
/// # Ok::<_, std::io::Error>(()) }).unwrap().unwrap();
/// ```
pub struct TcpListener {
    listener: Registered<mio::net::TcpListener>,
    /// Who accepts: the source has room for one waiter, the others line up here.
    turn: Mutex<()>,
}

impl TcpListener {
    /// Listens on `address`, the first that works if it stands for several. Port 0 lets the system choose one.
    ///
    /// A host name is resolved while the loop stands still; a literal address costs nothing.
    ///
    /// # Errors
    /// When the address is in use (`AddrInUse`), not of this machine, or not permitted.
    ///
    /// # Panics
    /// Without an [ambient reactor](Handle::current).
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::bind_with_backlog(address, BACKLOG)
    }

    /// [`bind`](Self::bind), with room for `backlog` connections that were not accepted yet. Beyond it the system
    /// makes clients wait. asyncio: the `backlog` of `start_server`.
    ///
    /// # Errors
    /// As `bind`.
    ///
    /// # Panics
    /// As `bind`.
    #[track_caller]
    pub fn bind_with_backlog(address: impl ToSocketAddrs, backlog: u32) -> io::Result<Self> {
        let handle = Handle::current();
        let listener = first(address, |address| listen(address, backlog))?;
        Self::register(listener, handle)
    }

    /// Takes over a listener made by other means, and makes it non-blocking.
    ///
    /// # Errors
    /// When the system refuses to register it.
    ///
    /// # Panics
    /// As `bind`.
    #[track_caller]
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        let handle = Handle::current();
        listener.set_nonblocking(true)?;
        Self::register(listener, handle)
    }

    fn register(listener: std::net::TcpListener, handle: Handle) -> io::Result<Self> {
        let listener = mio::net::TcpListener::from_std(listener);
        Ok(TcpListener { listener: Registered::new(listener, Interest::READABLE, handle)?, turn: Mutex::new(()) })
    }

    /// Waits for a connection, and says whose it is. Tasks that accept at the same time are served in order of
    /// arrival.
    ///
    /// Connections that broke before they were accepted are skipped. When descriptors or memory have run out, accepting
    /// pauses until a socket of this loop is closed, or for a second, and goes on: clients wait in the backlog
    /// meanwhile.
    ///
    /// # Cancel safety
    /// **Loses nothing.** A connection that was not returned stays in the backlog.
    ///
    /// # Errors
    /// When the listener can accept no more, because it was shut down for instance.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let _turn = self.turn.lock().await;
        loop {
            let error = match poll_fn(|context| self.poll_accept(context)).await {
                Ok(accepted) => return Ok(accepted),
                Err(error) => error,
            };
            match accept_error(&error) {
                AcceptError::Connection => {}
                AcceptError::Exhausted => self.pause().await,
                AcceptError::Listener => return Err(error),
            }
        }
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let Registered { socket, source, handle } = &self.listener;
        let accepted = core::task::ready!(source.poll(Way::READ, context, || socket.accept()));
        Poll::Ready(
            accepted
                .and_then(|(socket, peer)| Ok((TcpStream::new(Registered::new(socket, BOTH, handle.clone())?), peer))),
        )
    }

    async fn pause(&self) {
        let freed = self.listener.handle.freed();
        freed.clear();
        // Either way the next attempt tells.
        let _ = corio::timeout(ACCEPT_RETRY_DELAY, freed.wait()).await;
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.socket.local_addr()
    }
}

/// The result of the first address with which `attempt` succeeds, or the last error.
fn first<T>(address: impl ToSocketAddrs, mut attempt: impl FnMut(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    let mut result = Err(no_address());
    for address in address.to_socket_addrs()? {
        result = attempt(address);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the name stands for no address")
}

fn listen(address: SocketAddr, backlog: u32) -> io::Result<std::net::TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};

    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A server that restarts may have its port again at once. On Windows the option would let others take it away.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// A TCP connection. Reads and writes through the traits of `embedded_io_async`; closed when dropped.
///
/// ```
/// use embedded_io_async::{Read, Write};
/// # corio_mio::run(async {
/// # let listener = corio_mio::TcpListener::bind("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
/// # let echo = corio::spawn(async move {
/// #     let (mut stream, _) = listener.accept().await?;
/// #     let mut all = [0; 4];
/// #     stream.read_exact(&mut all).await.map_err(std::io::Error::from)?;
/// #     stream.write_all(&all).await
/// # });
/// let mut stream = corio_mio::TcpStream::connect(address).await?;
/// stream.write_all(b"ping").await?;
/// let mut reply = [0; 16];
/// let n = stream.read(&mut reply).await?;                 // 0: the peer ended
/// # assert!(n > 0); echo.await.unwrap()?;
/// # Ok::<_, std::io::Error>(()) }).unwrap().unwrap();
/// ```
///
/// A stream that always has more to read or room to write lets other tasks run once in a while all the same.
///
/// # Cancel safety
/// **Not safe.** That is to say `read_exact` and `write_all`, which are several operations: dropped in between, what
/// they have moved has been moved, and how much that was is lost. A single read or write loses nothing: dropped before
/// it is ready it has moved nothing.
pub struct TcpStream {
    io: Io,
}

type Io = Registered<mio::net::TcpStream>;

impl TcpStream {
    /// Connects to `address`, to the first that answers if it stands for several.
    ///
    /// A host name is resolved while the loop stands still; a literal address costs nothing.
    ///
    /// # Cancel safety
    /// **May be restarted.** Dropping the future gives the attempt up.
    ///
    /// # Errors
    /// When nobody listens there (`ConnectionRefused`), or it cannot be reached: the error of the last address.
    ///
    /// # Panics
    /// Without an [ambient reactor](Handle::current).
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        let handle = Handle::current();
        let mut failed = no_address();
        for address in address.to_socket_addrs()? {
            match Self::connect_one(address, handle.clone()).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn connect_one(address: SocketAddr, handle: Handle) -> io::Result<Self> {
        let io = Registered::new(mio::net::TcpStream::connect(address)?, BOTH, handle)?;
        // Nothing is known before the first event: it says that the attempt has ended.
        io.source.clear(Way::WRITE);
        poll_fn(|context| io.source.poll(Way::WRITE, context, || connected(&io.socket))).await?;
        Ok(TcpStream::new(io))
    }

    /// A connection that was just made. asyncio sends small writes at once, too: held back, each that follows another
    /// would wait for the peer's acknowledgement, which itself is delayed (40 ms on Linux).
    fn new(io: Io) -> Self {
        // Fails if the peer is gone already, which the first read tells.
        let _ = io.socket.set_nodelay(true);
        TcpStream { io }
    }

    /// Takes over a connection made by other means, and makes it non-blocking.
    ///
    /// # Errors
    /// When the system refuses to register it.
    ///
    /// # Panics
    /// Without an [ambient reactor](Handle::current).
    #[track_caller]
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        let handle = Handle::current();
        stream.set_nonblocking(true)?;
        Ok(TcpStream { io: Registered::new(mio::net::TcpStream::from_std(stream), BOTH, handle)? })
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// When the connection has broken.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.socket.peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.socket.local_addr()
    }

    /// Whether a small write is sent at once, or may be held back until the peer has acknowledged earlier ones, which
    /// makes fewer packets. Connections made here start with true, as asyncio's; one [taken over](Self::from_std) is
    /// left as it is.
    ///
    /// # Errors
    /// When the connection has broken.
    pub fn set_nodelay(&self, at_once: bool) -> io::Result<()> {
        self.io.socket.set_nodelay(at_once)
    }

    /// Ends a direction, or both. Ending `Write` tells the peer that no more comes, after it has read what did.
    /// asyncio: `write_eof`.
    ///
    /// # Errors
    /// Other than that the connection has ended before, which is what was asked for.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.shutdown(how)
    }

    /// The two directions, for two futures of one task.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        (ReadHalf { io: &self.io }, WriteHalf { io: &self.io })
    }

    /// The two directions, for two tasks. The connection is closed when both halves are dropped; the write half, when
    /// it is dropped, tells the peer that no more comes.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let io = Rc::new(self.io);
        (OwnedReadHalf { io: io.clone() }, OwnedWriteHalf { io })
    }
}

/// Whether the attempt to connect that `socket` was made with has ended well.
fn connected(socket: &mio::net::TcpStream) -> io::Result<()> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(()),
        // An event that says nothing yet: wait for the next.
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    }
}

impl Io {
    #[inline]
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.source.poll(Way::READ, context, || {
            let n = (&self.socket).read(buffer)?;
            // 0 is the end, which every further read may see.
            if n != 0 && n < buffer.len() {
                self.source.drained(Way::READ);
            }
            Ok(n)
        })
    }

    #[inline]
    fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.source.poll(Way::WRITE, context, || match (&self.socket).write(bytes)? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            n => {
                if n < bytes.len() {
                    self.source.drained(Way::WRITE);
                }
                Ok(n)
            }
        })
    }

    fn read_ready(&self) -> io::Result<bool> {
        match self.socket.peek(&mut [0]) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.source.clear(Way::READ);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self.socket.shutdown(how) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            other => other,
        }
    }
}

/// What `read` gives: a type of its own, not `poll_fn`, to have it inlined in the task that awaits it.
struct Reading<'a, 'b> {
    io: &'a Io,
    buffer: &'b mut [u8],
}

impl Future for Reading<'_, '_> {
    type Output = io::Result<usize>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.io.poll_read(context, this.buffer)
    }
}

/// What `write` gives.
struct Writing<'a, 'b> {
    io: &'a Io,
    bytes: &'b [u8],
}

impl Future for Writing<'_, '_> {
    type Output = io::Result<usize>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.io.poll_write(context, self.bytes)
    }
}

/// The reading direction of a [`TcpStream`], [borrowed](TcpStream::split).
pub struct ReadHalf<'a> {
    io: &'a Io,
}

/// The writing direction of a [`TcpStream`], [borrowed](TcpStream::split).
pub struct WriteHalf<'a> {
    io: &'a Io,
}

/// The reading direction of a [`TcpStream`], [owned](TcpStream::into_split).
pub struct OwnedReadHalf {
    io: Rc<Io>,
}

/// The writing direction of a [`TcpStream`], [owned](TcpStream::into_split). Ends the direction when dropped.
pub struct OwnedWriteHalf {
    io: Rc<Io>,
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        // A connection that is broken has ended as well.
        let _ = self.io.shutdown(Shutdown::Write);
    }
}

macro_rules! streams {
    ($($stream:ty),*) => {$(
        impl ErrorType for $stream {
            type Error = io::Error;
        }
    )*};
}

macro_rules! readable {
    ($($stream:ty),*) => {$(
        impl Read for $stream {
            /// Reads what is there, or waits until something is. 0: the peer sends no more.
            ///
            /// # Cancel safety
            /// **Loses nothing.** A read that is dropped before it is ready has taken no bytes.
            #[inline]
            fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
                Reading { io: &self.io, buffer }
            }
        }

        impl ReadReady for $stream {
            /// Looks into the socket, with a system call.
            fn read_ready(&mut self) -> io::Result<bool> {
                self.io.read_ready()
            }
        }
    )*};
}

macro_rules! writable {
    ($($stream:ty),*) => {$(
        impl Write for $stream {
            /// Hands over as many bytes as the system has room for, or waits until there is some.
            ///
            /// # Cancel safety
            /// **Loses nothing.** A write that is dropped before it is ready has sent no bytes.
            ///
            /// # Errors
            /// `BrokenPipe` or `ConnectionReset` when the peer is gone; never a signal.
            #[inline]
            fn write(&mut self, bytes: &[u8]) -> impl Future<Output = io::Result<usize>> {
                Writing { io: &self.io, bytes }
            }

            /// Ready at once: nothing is held back here.
            #[inline]
            fn flush(&mut self) -> impl Future<Output = io::Result<()>> {
                ready(Ok(()))
            }
        }
    )*};
}

streams!(TcpStream, ReadHalf<'_>, WriteHalf<'_>, OwnedReadHalf, OwnedWriteHalf);
readable!(TcpStream, ReadHalf<'_>, OwnedReadHalf);
writable!(TcpStream, WriteHalf<'_>, OwnedWriteHalf);

/// The descriptor, for options that have no method here. Its bytes belong to the stream.
#[cfg(unix)]
impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.socket.as_fd()
    }
}

/// The descriptor, for options that have no method here. Its connections belong to the listener.
#[cfg(unix)]
impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.socket.as_fd()
    }
}
