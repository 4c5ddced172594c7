//! A source: what the loop knows of one descriptor, and who waits for it.
//!
//! ```text
//!                 operation: would block, or short
//!        ready ───────────────────────────────────► not ready ── the next operation stores its waker and waits
//!          ▲                                            │
//!          └──────────── event ── wake ◄────────────────┘
//! ```
//!
//! Per direction one bit says that the operation is worth trying. It starts set (nobody knows yet), so the first
//! operation is tried at once. Invariant `Clear`: a waker is stored only while the bit of its direction is clear; hence
//! an event for a bit that is set concerns nobody, and costs no look at the wakers.
//!
//! The bits are a `Cell`: they change on the loop's thread alone, in a task's operation or while the loop parks, never
//! both at once. So no event can slip in between "it would block" and "then I wait".

use core::cell::Cell;
use core::task::{Context, Poll};
use std::io;
use std::rc::Rc;

use corio::wait::WaitCell;
use mio::{Interest, Token};

use crate::os::SHORT_IS_DRAINED;
use crate::reactor::Handle;

/// How many operations of a source may succeed in a row before the task must let others run. A peer that always has
/// more to say would otherwise own the loop, which looks for events only after a number of such runs.
const STREAK: u8 = 16;

/// One direction of a source, as the bits of `Source::ready`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way(u8);

impl Way {
    pub(crate) const READ: Way = Way(0b01);
    pub(crate) const WRITE: Way = Way(0b10);

    /// The peer or the system has ended this direction; from now on its operations never block, so a short one must
    /// not make the next wait: no further event will come.
    const fn ended(self) -> u8 {
        self.0 << 2
    }
}

pub(crate) struct Source {
    ready: Cell<u8>,
    streak: Cell<u8>,
    token: Token,
    reader: WaitCell,
    writer: WaitCell,
}

impl Source {
    pub(crate) fn new(token: Token) -> Self {
        Source {
            ready: Cell::new(Way::READ.0 | Way::WRITE.0),
            streak: Cell::new(0),
            token,
            reader: WaitCell::new(),
            writer: WaitCell::new(),
        }
    }

    pub(crate) fn token(&self) -> Token {
        self.token
    }

    /// Notes what an event says and wakes those who waited for it.
    #[inline]
    pub(crate) fn on_event(&self, event: &mio::event::Event) {
        let failed = event.is_error();
        let mut now = 0;
        if failed || event.is_read_closed() {
            now |= Way::READ.0 | Way::READ.ended();
        } else if event.is_readable() {
            now |= Way::READ.0;
        }
        if failed || event.is_write_closed() {
            now |= Way::WRITE.0 | Way::WRITE.ended();
        } else if event.is_writable() {
            now |= Way::WRITE.0;
        }
        let before = self.ready.replace(self.ready.get() | now);
        let news = now & !before;
        // `Clear`
        if news & Way::READ.0 != 0 {
            self.reader.wake();
        }
        if news & Way::WRITE.0 != 0 {
            self.writer.wake();
        }
    }

    /// Says that `way` is not worth trying before an event says so.
    #[inline]
    pub(crate) fn clear(&self, way: Way) {
        self.ready.set(self.ready.get() & !(way.0 | way.ended()));
    }

    /// Says that an operation moved less than it had room for.
    #[inline]
    pub(crate) fn drained(&self, way: Way) {
        if SHORT_IS_DRAINED && self.ready.get() & way.ended() == 0 {
            self.clear(way);
        }
    }

    /// Tries `operation` if it is worth it, and waits if it would block. On success `operation` itself tells by
    /// [`drained`](Self::drained) that the next would.
    ///
    /// One task waits for a direction at a time: who asks last is woken.
    #[inline]
    pub(crate) fn poll<T>(
        &self,
        way: Way,
        context: &mut Context<'_>,
        operation: impl FnOnce() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        if self.ready.get() & way.0 == 0 {
            return self.wait(way, context);
        }
        if self.streak.get() == STREAK {
            return self.rest(context);
        }
        match operation() {
            Ok(value) => {
                self.streak.set(self.streak.get() + 1);
                Poll::Ready(Ok(value))
            }
            Err(error) => self.failed(way, context, error),
        }
    }

    #[inline]
    fn wait<T>(&self, way: Way, context: &mut Context<'_>) -> Poll<T> {
        self.streak.set(0);
        let cell = if way == Way::READ { &self.reader } else { &self.writer };
        cell.register(context.waker());
        Poll::Pending
    }

    #[cold]
    fn failed<T>(&self, way: Way, context: &mut Context<'_>, error: io::Error) -> Poll<io::Result<T>> {
        match error.kind() {
            io::ErrorKind::WouldBlock => {
                self.clear(way);
                self.wait(way, context)
            }
            // Try again, soon.
            io::ErrorKind::Interrupted => self.rest(context),
            _ => Poll::Ready(Err(error)),
        }
    }

    /// Lets the others run once.
    #[cold]
    fn rest<T>(&self, context: &mut Context<'_>) -> Poll<T> {
        self.streak.set(0);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A socket registered with a reactor. When dropped it is deregistered, then closed.
pub(crate) struct Registered<S: mio::event::Source> {
    pub(crate) socket: S,
    pub(crate) source: Rc<Source>,
    pub(crate) handle: Handle,
}

impl<S: mio::event::Source> Registered<S> {
    pub(crate) fn new(mut socket: S, interest: Interest, handle: Handle) -> io::Result<Self> {
        let source = handle.register(&mut socket, interest)?;
        Ok(Registered { socket, source, handle })
    }
}

impl<S: mio::event::Source> Drop for Registered<S> {
    fn drop(&mut self) {
        self.handle.deregister(&mut self.socket, &self.source);
    }
}
