//! The server: the state that all sessions share, and the tasks that are not a session.
//!
//! ```text
//!   session ── request ──► State::execute ──► keys, channels, waiters
//!      ▲                        │
//!      │ wakes                  ▼  replies, messages, popped items
//!      └───────────────── Clients: out ──► session's writer
//!   expire() ── sleeps until the next deadline, or until a nearer one is set
//! ```
//!
//! All run in one loop on one thread, and the state is borrowed for the length of one request, never across an await.
//! Wakers run after the borrow has ended.

use crate::client::Clients;
use crate::keyspace::Keyspace;
use crate::limits::Limits;
use crate::memory::Memory;
use crate::roster::{ClientId, Roster};
use crate::store::Store;
use core::cell::RefCell;
use core::fmt;
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Poll, Waker};
use corio::Instant;

/// A key-value server, to be shared by its sessions.
///
/// It belongs to one loop: not `Sync`, no locks.
pub struct Server<M: Memory> {
    pub(crate) limits: Limits,
    state: RefCell<State<M>>,
}

impl<M: Memory> fmt::Debug for Server<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// How many keys the expiry task removes before it lets others run.
const EXPIRE_AT_ONCE: usize = 64;

impl<M: Memory> Server<M> {
    /// A server with `store` behind it and these limits.
    ///
    /// [`Server::hosted`](crate::Server::hosted) and [`Server::bounded`](crate::Server::bounded) fit store and limits
    /// to each other.
    pub fn new(store: M::Store, limits: Limits) -> Self {
        Self::over(store, M::Roster::default(), M::Roster::default(), M::Clients::default(), limits.clone(), limits)
    }

    const fn over(
        store: M::Store,
        channels: M::Roster,
        waiters: M::Roster,
        clients: M::Clients,
        limits: Limits,
        same_limits: Limits,
    ) -> Self {
        let state = State {
            keys: Keyspace::new(store),
            channels,
            waiters,
            clients: Clients::new(clients, limits.max_clients, limits.max_buffers),
            limits: same_limits,
            expiry: Expiry { armed: None, nearer: false, waker: None },
            stats: Stats { connections: 0, rejected: 0, commands: 0 },
            closing: false,
            emptied: None,
        };
        Self { limits, state: RefCell::new(state) }
    }

    /// Removes keys when they are due, to the nanosecond of the loop's clock, until the server is closed.
    ///
    /// One task per server runs this. Without it keys still vanish at their deadline for everyone who looks, but their
    /// memory is not given back until then.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing; another call goes on.
    pub async fn expire(&self) {
        loop {
            let next = self.with(|state| {
                if state.closing {
                    return None;
                }
                state.expiry.armed = state.keys.store().next_deadline();
                state.expiry.nearer = false;
                Some(state.expiry.armed)
            });
            let Some(next) = next else { return };
            let mut due = pin!(next.map(corio::sleep_until));
            poll_fn(|cx| {
                let mut state = self.state.borrow_mut();
                if state.expiry.nearer || state.closing {
                    return Poll::Ready(());
                }
                state.expiry.waker = Some(cx.waker().clone());
                drop(state);
                match due.as_mut().as_pin_mut() {
                    Some(due) => due.poll(cx),
                    None => Poll::Pending,
                }
            })
            .await;
            while !self.with(|state| state.keys.expire(corio::now(), EXPIRE_AT_ONCE)) {
                corio::yield_now().await;
            }
        }
    }

    /// Ends all sessions: each executes no further request, writes what it has to and closes.
    pub fn close(&self) {
        self.with(|state| {
            state.closing = true;
            state.clients.rouse_all();
        });
    }

    /// Waits until no client is connected.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing.
    pub async fn emptied(&self) {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            if state.clients.connected() == 0 {
                return Poll::Ready(());
            }
            state.emptied = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// How many clients are connected.
    pub fn clients(&self) -> usize {
        self.state.borrow().clients.connected()
    }

    /// How many keys there are, expired ones that nobody has removed yet among them.
    pub fn keys(&self) -> usize {
        self.state.borrow().keys.store().len()
    }

    /// Bytes that keys and values use, with an estimate of the overhead.
    pub fn used_memory(&self) -> usize {
        self.state.borrow().keys.store().used()
    }

    /// Bytes that the clients' requests, replies, subscriptions and waits use.
    pub fn used_buffers(&self) -> usize {
        let state = self.state.borrow();
        state.clients.held() + state.channels.footprint() + state.waiters.footprint()
    }

    /// Runs `f` with the state, then the wakers of those to whom it gave something to do.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut State<M>) -> T) -> T {
        let mut state = self.state.borrow_mut();
        let done = f(&mut state);
        loop {
            let Some(waker) = state.next_waker() else { return done };
            drop(state);
            waker.wake();
            state = self.state.borrow_mut();
        }
    }
}

/// What the sessions share.
pub(crate) struct State<M: Memory> {
    pub(crate) keys: Keyspace<M::Store>,
    pub(crate) channels: M::Roster,
    pub(crate) waiters: M::Roster,
    pub(crate) clients: Clients<M::Clients, M::Output>,
    pub(crate) limits: Limits,
    pub(crate) expiry: Expiry,
    pub(crate) stats: Stats,
    pub(crate) closing: bool,
    emptied: Option<Waker>,
}

/// Numbers for INFO.
#[derive(Debug)]
pub(crate) struct Stats {
    pub(crate) connections: u64,
    pub(crate) rejected: u64,
    pub(crate) commands: u64,
}

/// What the expiry task sleeps for.
#[derive(Debug)]
pub(crate) struct Expiry {
    armed: Option<Instant>,
    nearer: bool,
    waker: Option<Waker>,
}

impl Expiry {
    /// A deadline has been set: the task has to hear of it if it is nearer than the one it sleeps for.
    pub(crate) fn note(&mut self, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.nearer |= self.armed.is_none_or(|armed| deadline < armed);
        }
    }
}

impl<M: Memory> State<M> {
    /// A place for one more client.
    pub(crate) fn connect(&mut self) -> Option<ClientId> {
        let id = if self.closing { None } else { self.clients.connect() };
        match id {
            Some(_) => self.stats.connections += 1,
            None => self.stats.rejected += 1,
        }
        id
    }

    /// Forgets `id`, and gives on or puts back what it had.
    pub(crate) fn disconnect(&mut self, id: ClientId, now: Instant) {
        self.unblock(id);
        while self.channels.count(id) > 0 {
            self.channels.leave_one(id);
        }
        self.put_back_unsent(id, now);
        self.clients.disconnect(id);
    }

    /// Whether a subscription to, or a wait for, `name` is within the bounds.
    pub(crate) fn affords_place(&self, name: &[u8]) -> bool {
        let held = self.channels.footprint() + self.waiters.footprint();
        self.clients.affords(held.saturating_add(M::Roster::cost(name.len())))
    }

    fn next_waker(&mut self) -> Option<Waker> {
        if (self.expiry.nearer || self.closing)
            && let Some(waker) = self.expiry.waker.take()
        {
            return Some(waker);
        }
        if self.clients.connected() == 0
            && let Some(waker) = self.emptied.take()
        {
            return Some(waker);
        }
        self.clients.next_waker()
    }
}

/// The server of a host.
#[cfg(feature = "alloc")]
impl<H: core::hash::BuildHasher + Default> Server<crate::Heap<H>> {
    /// An empty server on the heap; `H` has to be a keyed hasher (see [`Heap`](crate::Heap)).
    ///
    /// ```
    /// use corio_kv::{Heap, Limits, Server};
    /// let server = Server::<Heap<std::hash::RandomState>>::hosted(Limits::REDIS);
    /// assert_eq!(server.keys(), 0);
    /// ```
    pub fn hosted(limits: Limits) -> Self {
        Self::new(crate::HeapStore::new(limits.max_memory), limits)
    }
}

/// The server of a microcontroller.
impl<
    const CLIENTS: usize,
    const STORE: usize,
    const QUERY: usize,
    const OUTPUT: usize,
    const PLACES: usize,
    const ARGS: usize,
> Server<crate::Bounded<CLIENTS, STORE, QUERY, OUTPUT, PLACES, ARGS>>
{
    /// An empty server without an allocator. `const`, so that it can be made where it will stay instead of on the
    /// stack.
    ///
    /// ```
    /// use corio_kv::{Bounded, Server};
    /// let server = Server::<Bounded<1, 16384>>::bounded();
    /// assert!(size_of_val(&server) < 21_000);
    /// ```
    pub const fn bounded() -> Self {
        let limits = crate::Bounded::<CLIENTS, STORE, QUERY, OUTPUT, PLACES, ARGS>::LIMITS;
        let same_limits = crate::Bounded::<CLIENTS, STORE, QUERY, OUTPUT, PLACES, ARGS>::LIMITS;
        let channels = crate::BoundedRoster::new();
        let waiters = crate::BoundedRoster::new();
        Self::over(crate::BoundedStore::new(), channels, waiters, heapless::Vec::new(), limits, same_limits)
    }
}
