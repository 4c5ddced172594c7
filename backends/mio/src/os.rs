//! What differs between operating systems, in one place.

use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::time::Duration;

/// Whether an operation that moved less than it was given room for proves that the next one would block, and that an
/// event will tell when not. True where readiness comes from epoll or kqueue. On Windows mio asks the system for the
/// next event only when an operation fails with `WouldBlock`, so there it must be seen to fail.
pub(crate) const SHORT_IS_DRAINED: bool = cfg!(unix);

/// A monotonic clock, in nanoseconds since it was made: 584 years in 64 bits.
#[derive(Debug)]
pub(crate) struct Clock {
    start: clock::Point,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: clock::now() }
    }

    #[inline]
    pub(crate) fn nanos(&self) -> u64 {
        clock::since(&self.start)
    }
}

/// The system's own number, which needs one subtraction; the standard library's type does arithmetic with carries.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod clock {
    use rustix::time::{ClockId, clock_gettime};

    pub(super) type Point = u64;

    #[inline]
    pub(super) fn now() -> Point {
        let now = clock_gettime(ClockId::Monotonic);
        // Both are small and positive: the clock counts from the machine's start.
        (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
    }

    #[inline]
    pub(super) fn since(start: &Point) -> u64 {
        now().saturating_sub(*start)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod clock {
    pub(super) type Point = std::time::Instant;

    pub(super) fn now() -> Point {
        Point::now()
    }

    pub(super) fn since(start: &Point) -> u64 {
        start.elapsed().as_nanos() as u64
    }
}

/// What an error of `accept` asks for.
pub(crate) enum AcceptError {
    /// This connection is gone; the next one may be fine.
    Connection,
    /// Descriptors or memory have run out. Trying again at once would fail at once, for ever.
    Exhausted,
    /// The listener itself is of no use any more.
    Listener,
}

/// Sorts the errors of `accept`. Linux reports the network errors that a connection met before it was accepted
/// (accept(2), "Error handling"), which say nothing about the listener.
pub(crate) fn accept_error(error: &io::Error) -> AcceptError {
    if is_exhausted(error) {
        return AcceptError::Exhausted;
    }
    match error.kind() {
        io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionRefused
        | io::ErrorKind::TimedOut
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::Interrupted => AcceptError::Connection,
        _ if is_of_connection(error) => AcceptError::Connection,
        _ => AcceptError::Listener,
    }
}

#[cfg(unix)]
mod names {
    use rustix::io::Errno;
    use std::io;

    pub(super) fn is_exhausted(error: &io::Error) -> bool {
        matches!(
            Errno::from_io_error(error),
            // NOSPC: the user's limit on registrations with epoll (fs.epoll.max_user_watches).
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS | Errno::NOSPC)
        )
    }

    pub(super) fn is_of_connection(error: &io::Error) -> bool {
        matches!(
            Errno::from_io_error(error),
            Some(Errno::PROTO | Errno::NOPROTOOPT | Errno::HOSTDOWN | Errno::OPNOTSUPP)
        )
    }
}

#[cfg(windows)]
mod names {
    use std::io;

    pub(super) fn is_exhausted(error: &io::Error) -> bool {
        const WSAEMFILE: i32 = 10024;
        const WSAENOBUFS: i32 = 10055;
        error.kind() == io::ErrorKind::OutOfMemory || matches!(error.raw_os_error(), Some(WSAEMFILE | WSAENOBUFS))
    }

    pub(super) fn is_of_connection(_: &io::Error) -> bool {
        false
    }
}

use names::{is_exhausted, is_of_connection};

/// Waits until `poll` has something to tell, or `limit` is over; says whether it has. `epoll_wait` counts in whole
/// milliseconds and rounds up, which makes a sleep of 50 us one of 1000; `ppoll` counts in nanoseconds.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn wait_finely(poll: &mio::Poll, limit: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll as ppoll};

    let limit = Timespec { tv_sec: limit.as_secs() as _, tv_nsec: limit.subsec_nanos() as _ };
    let ready = ppoll(&mut [PollFd::new(poll.registry(), PollFlags::IN)], Some(&limit))?;
    Ok(ready > 0)
}
