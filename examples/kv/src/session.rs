//! One client, from its first byte to its last.
//!
//! A session is two loops in one future. The *reading* loop takes requests out of the bytes that have arrived and
//! executes them until it runs out; the *writing* loop sends what waits for the client. They are polled in this order,
//! so the replies to a burst of requests leave in one write. Whether replies come from the client's own requests or
//! from others (a published message, an item for a blocked pop) is all the same to the writer.
//!
//! ```text
//!   reader ─► query ─► parser ─► State::execute ─► client.out ─► writer
//!                         ▲             │ Again: replies wait for the client; so do its requests
//!                         └─────────────┘
//! ```
//!
//! The session's task is the only one that looks at its client's state, and it registers its waker whenever it is
//! polled; so whoever changes that state wakes the whole session, and the loops inside just look again.

use crate::ended::{Ended, StreamError};
use crate::exec::Step;
use crate::memory::{Memory, Output};
use crate::query::Query;
use crate::resp::{Args, Parsed, Parser, ProtocolError};
use crate::roster::ClientId;
use crate::server::Server;
use core::cell::Cell;
use core::convert::Infallible;
use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::task::Poll;
use corio::Instant;
use embedded_io_async::{Read, Write};

/// How many bytes a session takes before it lets others run, whatever its client sends; a read counts for 4 KiB at
/// least.
const BYTES_AT_ONCE: usize = 64 << 10;

/// Serves one client until it leaves, breaks the protocol, or the server is closed.
///
/// `reader`'s `read` and `writer`'s `write` must be cancel-safe: a dropped one has moved no bytes. The streams of
/// corio's backends are.
///
/// # Cancel safety
/// Dropping the future disconnects the client: it leaves its channels and the lines it stood in, and an item that it
/// had been given but not been sent goes back to its list. Requests that were answered stay done.
///
/// # Errors
/// A [`StreamError`] if a stream fails; the client is disconnected all the same.
pub async fn serve<M: Memory, R: Read, W: Write>(
    mut reader: R,
    mut writer: W,
    server: &Server<M>,
) -> Result<Ended, StreamError<R::Error, W::Error>> {
    let Some(id) = server.with(|state| state.connect()) else {
        send(&mut writer, b"-ERR max number of clients reached\r\n").await?;
        return Ok(Ended::Refused);
    };
    let session =
        Session { server, id, now: Cell::new(corio::now()), stalled: Cell::new(false), charged: Cell::new(0) };
    let mut reading = pin!(session.reading(&mut reader));
    let mut writing = pin!(session.writing(&mut writer));
    let mut ended = None;
    poll_fn(|cx| {
        let (cut_off, closing) = server.with(|state| {
            state.clients.register(id, cx.waker());
            (state.clients.get(id).is_none_or(|client| client.cut_off), state.closing)
        });
        if cut_off {
            return Poll::Ready(Ok(Ended::CutOff));
        }
        if closing && ended.is_none() {
            ended = Some(Ended::Closed);
        }
        loop {
            if ended.is_none() {
                match reading.as_mut().poll(cx) {
                    Poll::Pending => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(StreamError::Read(error))),
                    // It shall go back to its list, not to somebody who has left.
                    Poll::Ready(Ok(Ended::HungUp)) if session.unsent() => return Poll::Ready(Ok(Ended::HungUp)),
                    Poll::Ready(Ok(done)) => ended = Some(done),
                }
            }
            match writing.as_mut().poll(cx) {
                Poll::Pending => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(never)) => match never {},
            }
            match ended {
                Some(done) if session.idle() => return Poll::Ready(Ok(done)),
                // The writer has made the room that the reader waits for.
                None if session.stalled.get() && session.idle() => {}
                _ => return Poll::Pending,
            }
        }
    })
    .await
}

struct Session<'s, M: Memory> {
    server: &'s Server<M>,
    id: ClientId,
    /// The time of the last byte or wake-up: one look at the clock serves a burst of requests.
    now: Cell<Instant>,
    /// The reading loop waits for the writing one.
    stalled: Cell<bool>,
    /// Bytes of heap for requests that the server knows of.
    charged: Cell<usize>,
}

impl<M: Memory> Drop for Session<'_, M> {
    fn drop(&mut self) {
        // The clock may not be there any more.
        self.server.with(|state| state.disconnect(self.id, self.now.get()));
    }
}

impl<M: Memory> Session<'_, M> {
    async fn reading<R: Read>(&self, reader: &mut R) -> Result<Ended, R::Error> {
        let mut query = Query::<M::Query>::default();
        let mut parser = Parser::<M::Spans>::default();
        let mut taken = 0;
        loop {
            let needed = match parser.parse(query.bytes(), &self.server.limits) {
                Parsed::Partial(needed) => needed,
                Parsed::Request(len) => {
                    if let Some(ended) = self.request(&mut query, &parser, reader).await? {
                        return Ok(ended);
                    }
                    query.consume(len);
                    parser.reset();
                    continue;
                }
                Parsed::Error(error) => return Ok(self.protocol_error(error).await),
            };
            if !self.make_room(&mut query, needed, parser.footprint()) {
                return Ok(self.protocol_error(ProtocolError::LongRequest).await);
            }
            if taken >= BYTES_AT_ONCE {
                taken = 0;
                corio::yield_now().await;
            }
            match reader.read(query.room()).await? {
                0 => return Ok(Ended::HungUp),
                count => {
                    self.now.set(corio::now());
                    query.arrived(count);
                    taken += count.max(BYTES_AT_ONCE / 16);
                }
            }
        }
    }

    /// Executes the request that `parser` has found at the start of `query`, however long it takes.
    async fn request<R: Read>(
        &self,
        query: &mut Query<M::Query>,
        parser: &Parser<M::Spans>,
        reader: &mut R,
    ) -> Result<Option<Ended>, R::Error> {
        if parser.spans().is_empty() {
            return Ok(None);
        }
        let mut progress = 0;
        loop {
            let args = Args::new(query.as_bytes(), parser.spans());
            let step = self.server.with(|state| state.execute(self.id, args, self.now.get(), &mut progress));
            match step {
                Step::Done => return Ok(None),
                Step::Quit => return Ok(Some(Ended::Quit)),
                Step::Again => self.written().await,
                Step::Block(until) => {
                    let ended = self.blocked(until, query, parser.footprint(), reader).await;
                    self.now.set(corio::now());
                    return ended;
                }
            }
        }
    }

    /// Waits to be served, until the deadline. Reads on meanwhile, as far as there is room, to notice a hang-up.
    async fn blocked<R: Read>(
        &self,
        until: Option<Instant>,
        query: &mut Query<M::Query>,
        footprint: usize,
        reader: &mut R,
    ) -> Result<Option<Ended>, R::Error> {
        let mut until = pin!(until.map(corio::sleep_until));
        loop {
            let room = self.make_room(query, 0, footprint);
            let event = {
                let mut read = pin!(async {
                    match room {
                        true => reader.read(query.room()).await,
                        false => pending().await,
                    }
                });
                poll_fn(|cx| {
                    // A hang-up counts before an item, so that the item is not lost with the client.
                    if let Poll::Ready(read) = read.as_mut().poll(cx) {
                        return Poll::Ready(Event::Read(read));
                    }
                    if !self.server.with(|state| state.clients.get(self.id).is_some_and(|client| client.blocked)) {
                        return Poll::Ready(Event::Served);
                    }
                    match until.as_mut().as_pin_mut() {
                        Some(until) => until.poll(cx).map(|_| Event::Late),
                        None => Poll::Pending,
                    }
                })
                .await
            };
            match event {
                Event::Read(Ok(0)) => return Ok(Some(Ended::HungUp)),
                Event::Read(Ok(count)) => query.arrived(count),
                Event::Read(Err(error)) => return Err(error),
                Event::Served => return Ok(None),
                Event::Late => {
                    self.server.with(|state| state.time_out(self.id));
                    return Ok(None);
                }
            }
        }
    }

    async fn writing<W: Write, R>(&self, writer: &mut W) -> Result<Infallible, StreamError<R, W::Error>> {
        let mut chunk = <M::Output as Output>::Chunk::default();
        loop {
            poll_fn(|_| if self.take(&mut chunk) { Poll::Ready(()) } else { Poll::Pending }).await;
            send(writer, chunk.as_ref()).await?;
            if self.server.with(|state| state.clients.get(self.id).is_none_or(|client| client.out.is_empty())) {
                writer.flush().await.map_err(StreamError::Write)?;
            }
            M::Output::recycle(&mut chunk);
            self.server.with(|state| {
                if let Some(client) = state.clients.get(self.id) {
                    (client.writing, client.chunk) = (0, M::Output::chunk_footprint(&chunk));
                }
                state.clients.charge(self.id);
            });
        }
    }

    /// Moves replies to the writer; whether there were any.
    fn take(&self, chunk: &mut <M::Output as Output>::Chunk) -> bool {
        self.server.with(|state| {
            let Some(client) = state.clients.get(self.id).filter(|client| !client.out.is_empty()) else { return false };
            client.out.take(chunk);
            (client.writing, client.chunk) = (chunk.as_ref().len(), M::Output::chunk_footprint(chunk));
            client.unsent = None;
            true
        })
    }

    /// Whether an item that others gave to the client is still here.
    fn unsent(&self) -> bool {
        self.server.with(|state| state.clients.get(self.id).is_some_and(|client| client.unsent.is_some()))
    }

    /// Whether no reply waits for the client.
    fn idle(&self) -> bool {
        self.server.with(|state| state.clients.get(self.id).is_none_or(|client| client.waiting() == 0))
    }

    /// Waits until no reply waits for the client.
    async fn written(&self) {
        self.stalled.set(true);
        poll_fn(|_| if self.idle() { Poll::Ready(()) } else { Poll::Pending }).await;
        self.stalled.set(false);
        self.now.set(corio::now());
    }

    async fn protocol_error(&self, error: ProtocolError) -> Ended {
        while !self.server.with(|state| state.protocol_error(self.id, error)) {
            self.written().await;
        }
        Ended::Protocol
    }

    /// Room in `query` to read more of a request of `needed` bytes at least; false if it must not have more.
    fn make_room(&self, query: &mut Query<M::Query>, needed: usize, footprint: usize) -> bool {
        let charge = |len: usize| {
            let total = len + footprint;
            let unchanged = self.charged.replace(total) == total;
            unchanged || self.server.with(|state| state.clients.charge_query(self.id, total))
        };
        if let Some(len) = query.growth(needed, self.server.limits.max_query)
            && charge(len)
        {
            query.grow(len);
            return true;
        }
        charge(query.len()) && !query.room().is_empty()
    }
}

/// What ended a turn of waiting.
enum Event<E> {
    Read(Result<usize, E>),
    Served,
    Late,
}

async fn send<W: Write, R>(writer: &mut W, mut bytes: &[u8]) -> Result<(), StreamError<R, W::Error>> {
    while !bytes.is_empty() {
        match writer.write(bytes).await.map_err(StreamError::Write)? {
            0 => return Err(StreamError::WriteZero),
            count => bytes = bytes.get(count..).unwrap_or_default(),
        }
    }
    Ok(())
}
