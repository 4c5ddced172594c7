//! The reactor: one mio `Poll`, a table of the sources registered with it, and the way in for other threads.
//!
//! ```text
//!   MioReactor (owned by the Runner)          Driver (shared: reactor, handles, every source)
//!     events: what the last poll told           poll: RefCell<Poll>      borrowed to poll and to (de)register
//!     driver ───────────────────────────────►   sources: RefCell<Slab>   token ──► Rc<Source>
//!     waker (Arc: any thread)                   freed: Event             a descriptor of ours was closed
//! ```
//!
//! Invariant `Unborrowed`: while a waker is woken nothing of the driver is borrowed. A waker is foreign code; it may
//! drop sockets and make new ones while events are handed out. Events name their source by index *and* generation, so
//! one that outlived its source finds nothing, even if the index was given away again.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use corio::{Event, Instant, Reactor, Unpark};
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use crate::os;
use crate::source::Source;

/// How many events one park hands out at most; what is left over stays with the kernel until the next park.
const EVENTS: usize = 1024;

/// The token of the waker for other threads. Not one of a source: its index would need a table of `1 << INDEX_BITS`.
const UNPARK: Token = Token(usize::MAX);

/// Bits of a token that hold the index of a source; the rest is its generation. 40 of 64, 20 of 32.
const INDEX_BITS: u32 = usize::BITS / 8 * 5;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;

thread_local! {
    /// The reactors a socket made on this thread may belong to; the last one is ambient.
    static ENTERED: RefCell<Vec<Handle>> = const { RefCell::new(Vec::new()) };
}

/// A [`Reactor`] over mio's poll: epoll, kqueue or IOCP.
///
/// While it lives it is the ambient reactor of its thread: sockets made there are registered with it. Of several, the
/// newest is; [`Handle::enter`] chooses another.
///
/// ```
/// let mut runner = corio::Runner::new(corio_mio::MioReactor::new()?);
/// runner.run(async { corio::sleep(std::time::Duration::from_micros(50)).await })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MioReactor {
    handle: Handle,
    events: Events,
    waker: Arc<Waker>,
    clock: os::Clock,
    /// The time when the clock was last read: a deadline before it has passed, whatever the time is now.
    seen: Cell<Instant>,
}

impl MioReactor {
    /// Makes a reactor and with it the thread's ambient one.
    ///
    /// # Errors
    /// When the operating system has no descriptor left for the poll and its waker.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), UNPARK)?);
        let handle = Handle(Rc::new(Driver {
            poll: RefCell::new(poll),
            sources: RefCell::new(Slab::new()),
            generation: Cell::new(0),
            freed: Event::new(),
        }));
        handle.push();
        Ok(MioReactor {
            handle,
            events: Events::with_capacity(EVENTS),
            waker,
            clock: os::Clock::new(),
            seen: Cell::new(Instant::ZERO),
        })
    }

    /// What sockets need of this reactor.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Polls, and leaves what happened in `events`.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        let mut poll = self.handle.0.poll.borrow_mut();
        let Some(until) = until else { return poll.poll(&mut self.events, None) };
        loop {
            let left = if until <= self.seen.get() { Duration::ZERO } else { until - self.now() };
            #[cfg(any(target_os = "linux", target_os = "android"))]
            let left = match left {
                // The last part of a millisecond is waited for by itself, and so is a shorter time.
                _ if left.is_zero() => left,
                _ if left < Duration::from_millis(1) => {
                    if !crate::os::wait_finely(&poll, left)? {
                        self.events.clear();
                        return Ok(());
                    }
                    Duration::ZERO
                }
                _ => Duration::from_millis(left.as_millis().try_into().unwrap_or(u64::MAX)),
            };
            poll.poll(&mut self.events, Some(left))?;
            if left.is_zero() || !self.events.is_empty() {
                return Ok(());
            }
        }
    }

    /// Wakes those whom the events of the last poll concern.
    fn dispatch(&mut self) {
        for event in &self.events {
            let Some(source) = self.handle.0.source(event.token()) else { continue };
            // `Unborrowed`: the source is held by a reference of its own.
            source.on_event(event);
        }
    }
}

impl Reactor for MioReactor {
    type Error = io::Error;
    type Unparker = Unparker;

    #[inline]
    fn now(&self) -> Instant {
        let now = Instant::from_nanos(self.clock.nanos());
        self.seen.set(now);
        now
    }

    /// Waits for events, an unpark, or the time `until`, which on Linux is met to the kernel's precision and elsewhere
    /// to that of mio (whole milliseconds, rounded up, where the system knows no finer ones).
    fn park(&mut self, until: Option<Instant>) -> io::Result<()> {
        match self.wait(until) {
            Ok(()) => {
                self.dispatch();
                Ok(())
            }
            // A signal handler ran. Parks may end early; the loop knows best whether there is something to do now.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn unparker(&self) -> Unparker {
        Unparker(self.waker.clone())
    }
}

impl Drop for MioReactor {
    fn drop(&mut self) {
        self.handle.pop();
    }
}

/// Ends a park of its reactor, or the next one, from any thread.
///
/// It costs a system call; the loop asks for one only when it may be parked.
#[derive(Clone)]
pub struct Unparker(Arc<Waker>);

impl Unpark for Unparker {
    fn unpark(&self) {
        // Fails only if the poll is gone, and with it the one who parks.
        let _ = self.0.wake();
    }
}

/// What sockets need of a [`MioReactor`]: a place to register. Sockets find that of their thread by themselves.
#[derive(Clone)]
pub struct Handle(Rc<Driver>);

struct Driver {
    poll: RefCell<Poll>,
    sources: RefCell<Slab<Rc<Source>>>,
    generation: Cell<usize>,
    freed: Event,
}

impl Handle {
    /// The ambient reactor of this thread.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn current() -> Self {
        let current = ENTERED.with_borrow(|entered| entered.last().cloned());
        current.expect("corio_mio: sockets need a MioReactor on their thread; make them inside corio_mio::run(…)")
    }

    /// Makes this the ambient reactor of the thread until the guard is dropped: for threads with several.
    ///
    /// ```
    /// let (one, two) = (corio_mio::MioReactor::new()?, corio_mio::MioReactor::new()?);
    /// let listener = {
    ///     let _one = one.handle().enter();
    ///     corio_mio::TcpListener::bind("127.0.0.1:0")?            // of `one`; outside of the block it would be of `two`
    /// };
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn enter(&self) -> Entered {
        self.push();
        Entered(self.clone())
    }

    fn push(&self) {
        ENTERED.with_borrow_mut(|entered| entered.push(self.clone()));
    }

    fn pop(&self) {
        // Fails only in a thread that ends; its stack has gone by then.
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let last = entered.iter().rposition(|handle| Rc::ptr_eq(&handle.0, &self.0));
            last.map(|index| entered.remove(index))
        });
    }

    /// Asks for the events of `io`, in both directions.
    pub(crate) fn register(&self, io: &mut impl mio::event::Source, interest: Interest) -> io::Result<Rc<Source>> {
        let driver = &*self.0;
        let generation = driver.generation.get().wrapping_add(1);
        driver.generation.set(generation);
        let mut sources = driver.sources.borrow_mut();
        let entry = sources.vacant_entry();
        if entry.key() > INDEX_MASK {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let token = Token(generation << INDEX_BITS | entry.key());
        driver.poll.borrow().registry().register(io, token, interest)?;
        let source = Rc::new(Source::new(token));
        entry.insert(source.clone());
        Ok(source)
    }

    /// Wants no more events of `io`, which is about to be closed.
    pub(crate) fn deregister(&self, io: &mut impl mio::event::Source, source: &Source) {
        let driver = &*self.0;
        // Nothing to do about an error: closing the descriptor ends the registration as well.
        let _ = driver.poll.borrow().registry().deregister(io);
        let source = driver.sources.borrow_mut().try_remove(source.token().0 & INDEX_MASK);
        drop(source);
        driver.freed.set();
    }

    /// Set when a descriptor that was registered here is closed: somebody who found none left may try again.
    pub(crate) fn freed(&self) -> &Event {
        &self.0.freed
    }
}

impl Driver {
    /// The source an event is for, if it is registered still.
    #[inline]
    fn source(&self, token: Token) -> Option<Rc<Source>> {
        let sources = self.sources.borrow();
        let source = sources.get(token.0 & INDEX_MASK)?;
        (source.token() == token).then(|| source.clone())
    }
}

/// A [`Handle`] that was [entered](Handle::enter); leaves when dropped.
#[must_use = "the reactor is ambient only while the guard lives"]
pub struct Entered(Handle);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.pop();
    }
}
