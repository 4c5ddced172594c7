//! The connected clients: what the server knows of each, and what they may hold together.
//!
//! A session owns its streams and its unread requests; everything that *others* may touch is here: the replies that
//! wait for the client, whether it is blocked, the waker of its task. Invariant `Charged`: `held` is the sum of what
//! the clients were last charged for, and every change of a client's buffers is followed by a charge.
//!
//! Whoever gives a client something to do puts it in line to be woken (`rouse`); the wakers run after the server's
//! state has been let go of, for they are foreign code.

use crate::memory::{List, Output};
use crate::roster::ClientId;
use core::marker::PhantomData;
use core::ops::Range;
use core::task::Waker;

/// A client, as others see it.
#[derive(Debug, Default)]
pub struct Client<O> {
    pub(crate) out: O,
    /// Bytes in the hands of the writer.
    pub(crate) writing: usize,
    /// Bytes of heap in the hands of the writer.
    pub(crate) chunk: usize,
    /// Bytes of heap for requests.
    query: usize,
    charged: usize,
    pub(crate) blocked: bool,
    /// To be disconnected at once: it does not read what it has subscribed to.
    pub(crate) cut_off: bool,
    /// A popped item in `out` of which no byte has been taken by the writer.
    pub(crate) unsent: Option<Unsent>,
    waker: Option<Waker>,
    in_line: bool,
    next: Option<ClientId>,
}

/// Where in the replies a key and the item popped from it are.
#[derive(Clone, Debug)]
pub(crate) struct Unsent {
    pub(crate) key: Range<usize>,
    pub(crate) item: Range<usize>,
}

impl<O: Output> Client<O> {
    /// Bytes of replies that the client has not got yet.
    pub(crate) fn waiting(&self) -> usize {
        self.out.len() + self.writing
    }

    /// Drops what waits and leaves the rest to its session.
    pub(crate) fn cut_off(&mut self) {
        self.cut_off = true;
        self.unsent = None;
        self.out.clear();
    }
}

/// Whether a reply has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// It has.
    Now,
    /// When the client has read what waits for it.
    Later,
    /// It never will.
    Never,
}

/// The table of clients.
#[derive(Debug)]
pub(crate) struct Clients<L, O> {
    table: L,
    of: PhantomData<O>,
    connected: usize,
    most: usize,
    held: usize,
    most_held: usize,
    first: Option<ClientId>,
    last: Option<ClientId>,
}

impl<O: Output, L: List<Option<Client<O>>>> Clients<L, O> {
    pub(crate) const fn new(table: L, most: usize, most_held: usize) -> Self {
        Self { table, of: PhantomData, connected: 0, most, held: 0, most_held, first: None, last: None }
    }

    pub(crate) fn connected(&self) -> usize {
        self.connected
    }

    /// Bytes in all clients' buffers.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn connect(&mut self) -> Option<ClientId> {
        if self.connected >= self.most {
            return None;
        }
        let free = if self.connected == self.table.len() { None } else { self.table.iter().position(Option::is_none) };
        let index = match free {
            Some(index) => {
                self.table[index] = Some(Client::default());
                index
            }
            None => {
                self.table.push(Some(Client::default())).ok()?;
                self.table.len() - 1
            }
        };
        self.connected += 1;
        u32::try_from(index).ok().map(ClientId)
    }

    pub(crate) fn disconnect(&mut self, id: ClientId) {
        // Out of the line first: a place may be given away while its number stands in it.
        self.leave_line(id);
        if let Some(client) = self.table.get_mut(id.index()).and_then(Option::take) {
            self.held -= client.charged;
            self.connected -= 1;
        }
    }

    pub(crate) fn get(&mut self, id: ClientId) -> Option<&mut Client<O>> {
        self.table.get_mut(id.index())?.as_mut()
    }

    pub(crate) fn blocked(&self) -> usize {
        self.table.iter().flatten().filter(|client| client.blocked).count()
    }

    /// Whether a reply of `size` bytes has a place among the waiting ones of `id`.
    pub(crate) fn room(&self, id: ClientId, size: usize) -> Room {
        let Some(Some(client)) = self.table.get(id.index()) else { return Room::Never };
        if client.out.room() >= size && self.held.saturating_add(size) <= self.most_held {
            Room::Now
        } else if client.out.capacity() < size || client.waiting() == 0 {
            Room::Never
        } else {
            Room::Later
        }
    }

    /// Whether all clients together may hold so many bytes more.
    pub(crate) fn affords(&self, more: usize) -> bool {
        self.held.saturating_add(more) <= self.most_held
    }

    /// Keeps `Charged` after a change of the buffers of `id`.
    pub(crate) fn charge(&mut self, id: ClientId) {
        if let Some(Some(client)) = self.table.get_mut(id.index()) {
            let now = client.query + client.out.footprint() + client.chunk;
            self.held = self.held - client.charged + now;
            client.charged = now;
        }
    }

    /// The session of `id` holds `query` bytes for requests from now on, if all clients together may; whether it does.
    pub(crate) fn charge_query(&mut self, id: ClientId, query: usize) -> bool {
        let Some(Some(client)) = self.table.get_mut(id.index()) else { return false };
        if query > client.query && self.held.saturating_add(query - client.query) > self.most_held {
            return false;
        }
        client.query = query;
        self.charge(id);
        true
    }

    /// Remembers who polls for `id`.
    pub(crate) fn register(&mut self, id: ClientId, waker: &Waker) {
        if let Some(client) = self.get(id) {
            match &mut client.waker {
                Some(known) if known.will_wake(waker) => {}
                place => *place = Some(waker.clone()),
            }
        }
    }

    /// Puts `id` in line to be woken.
    pub(crate) fn rouse(&mut self, id: ClientId) {
        match self.get(id) {
            Some(client) if !client.in_line && client.waker.is_some() => client.in_line = true,
            _ => return,
        }
        match self.last.replace(id) {
            Some(last) => {
                if let Some(client) = self.get(last) {
                    client.next = Some(id);
                }
            }
            None => self.first = Some(id),
        }
    }

    pub(crate) fn rouse_all(&mut self) {
        for index in 0..self.table.len() {
            if let Ok(index) = u32::try_from(index) {
                self.rouse(ClientId(index));
            }
        }
    }

    /// The next waker in line.
    pub(crate) fn next_waker(&mut self) -> Option<Waker> {
        let first = self.first?;
        let client = self.get(first)?;
        client.in_line = false;
        let (next, waker) = (client.next.take(), client.waker.take());
        self.first = next;
        if next.is_none() {
            self.last = None;
        }
        waker
    }

    fn leave_line(&mut self, id: ClientId) {
        match self.get(id) {
            Some(client) if client.in_line => client.in_line = false,
            _ => return,
        }
        let after = self.get(id).and_then(|client| client.next.take());
        if self.first == Some(id) {
            self.first = after;
            if after.is_none() {
                self.last = None;
            }
            return;
        }
        let mut at = self.first;
        while let Some(before) = at {
            at = self.get(before).and_then(|client| client.next);
            if at == Some(id) {
                if let Some(client) = self.get(before) {
                    client.next = after;
                }
                if self.last == Some(id) {
                    self.last = Some(before);
                }
                return;
            }
        }
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::heap::Pending;
    use alloc::sync::Arc;
    use alloc::task::Wake;
    use alloc::vec::Vec;
    use core::sync::atomic::{AtomicUsize, Ordering};

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn whoever_leaves_the_line_does_not_take_others_with_it() {
        for gone in 0..4 {
            let mut clients = Clients::<Vec<_>, Pending>::new(Vec::new(), 4, usize::MAX);
            let ids: Vec<_> = (0..4).map_while(|_| clients.connect()).collect();
            let wakes: Vec<_> = (0..4).map(|_| Arc::new(Count(AtomicUsize::new(0)))).collect();
            for (id, wake) in ids.iter().zip(&wakes) {
                clients.register(*id, &Waker::from(wake.clone()));
                clients.rouse(*id);
                clients.rouse(*id);
            }
            clients.disconnect(ids[gone]);
            let newcomer = clients.connect();
            assert_eq!(newcomer, Some(ids[gone]), "its place is given away");
            while let Some(waker) = clients.next_waker() {
                waker.wake();
            }
            for (index, wake) in wakes.iter().enumerate() {
                assert_eq!(wake.0.load(Ordering::Relaxed), usize::from(index != gone), "{index} of {gone}");
            }
            // The line works on.
            for (id, wake) in ids.iter().zip(&wakes) {
                clients.register(*id, &Waker::from(wake.clone()));
                clients.rouse(*id);
            }
            assert_eq!(core::iter::from_fn(|| clients.next_waker()).count(), 4);
        }
    }
}
