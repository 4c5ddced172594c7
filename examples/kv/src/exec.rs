//! One request, executed: from arguments to a reply.
//!
//! Nothing here waits. A command asks for room for its reply before it changes anything; if there is none now, it
//! answers [`Step::Again`] and is run again when the client has read what waits for it. Commands with a row of small
//! replies (SUBSCRIBE, COMMAND) count in `progress` how far they have got.

use crate::client::Room;
use crate::command::{Command, Complaint, lookup, parse};
use crate::info;
use crate::keyspace::{Left, Refused};
use crate::memory::{Memory, Output};
use crate::reply::{Reply, bulk_size, header_size};
use crate::resp::{Args, ProtocolError};
use crate::roster::{ClientId, Roster};
use crate::server::State;
use crate::store::{End, Store};
use crate::table::{Name, Spec, TABLE, find};
use corio::Instant;

/// Room that every command may count on: for any reply that holds nothing of a client's but a cut name.
pub(crate) const SLACK: usize = 512;

/// What a session does after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Goes on.
    Done,
    /// Waits until the client has read its replies, then runs the same request again.
    Again,
    /// Waits until somebody serves it, or until then.
    Block(Option<Instant>),
    /// Closes the connection when the replies are written.
    Quit,
}

impl<M: Memory> State<M> {
    /// Executes the request `args` of `id`. `progress` is 0 at first and kept between tries.
    pub(crate) fn execute(&mut self, id: ClientId, args: Args<'_>, now: Instant, progress: &mut usize) -> Step {
        let Some(client) = self.clients.get(id) else { return Step::Quit };
        let waiting = client.waiting();
        if waiting > 0 && (client.out.room() < SLACK || waiting >= self.limits.max_pending) {
            return Step::Again;
        }
        let step = self.run(id, args, now, progress).unwrap_or_else(|complaint| {
            if let Some(client) = self.clients.get(id) {
                complaint.write(&mut client.out);
            }
            Step::Done
        });
        self.clients.charge(id);
        self.stats.commands += u64::from(step != Step::Again);
        step
    }

    /// Tells `id` how it broke the protocol; false if there is no room yet.
    pub(crate) fn protocol_error(&mut self, id: ClientId, error: ProtocolError) -> bool {
        let Some(client) = self.clients.get(id) else { return true };
        if client.waiting() > 0 && client.out.room() < SLACK {
            return false;
        }
        let text = error.text().as_bytes();
        match error {
            ProtocolError::ExpectedBulk(got) => client.out.error(&[b"ERR Protocol error: ", text, b"'", &[got], b"'"]),
            _ => client.out.error(&[b"ERR Protocol error: ", text]),
        }
        self.clients.charge(id);
        true
    }

    fn run<'a>(
        &mut self,
        id: ClientId,
        args: Args<'a>,
        now: Instant,
        progress: &mut usize,
    ) -> Result<Step, Complaint<'a>> {
        let spec = lookup(args)?;
        let subscribed = self.channels.count(id) > 0;
        if subscribed && !matches!(spec.id, Name::Subscribe | Name::Unsubscribe | Name::Ping | Name::Quit) {
            return Err(Complaint::Subscribed(spec.name));
        }
        let command = parse(spec, args, now)?;
        match command {
            Command::Subscribe(channels) => return self.subscribe(id, channels, progress),
            Command::Unsubscribe(channels) => return self.unsubscribe(id, channels, progress),
            Command::Blpop { keys, timeout } => return self.blpop(id, keys, timeout, now),
            Command::Get(key) => {
                let text = self.keys.text(key, now)?;
                match self.clients.room(id, text.map_or(0, |text| bulk_size(text.len()))) {
                    Room::Later => return Ok(Step::Again),
                    Room::Never if text.is_some_and(|text| text.len() > SLACK / 2) => return Err(Complaint::TooLong),
                    _ => {}
                }
                if let Some(client) = self.clients.get(id) {
                    match text {
                        Some(text) => client.out.bulk(text),
                        None => client.out.nil(),
                    }
                }
            }
            Command::Publish { channel, message } => {
                let told = self.publish(channel, message);
                if let Some(client) = self.clients.get(id) {
                    client.out.count(told);
                }
            }
            Command::Push { key, items, end } => {
                let len = self.keys.push(key, end, items.iter(), now)?;
                if let Some(client) = self.clients.get(id) {
                    client.out.count(len);
                }
                self.serve_waiters(key, now);
            }
            command => return self.simple(id, command, subscribed, now, progress),
        }
        Ok(Step::Done)
    }

    /// The commands that concern their own client only.
    fn simple<'a>(
        &mut self,
        id: ClientId,
        command: Command<'a>,
        subscribed: bool,
        now: Instant,
        progress: &mut usize,
    ) -> Result<Step, Complaint<'a>> {
        let needed = self.size(command, now)?;
        match self.clients.room(id, needed) {
            // Small replies have their room already, even where the clients together hold too much.
            Room::Now => {}
            _ if needed <= SLACK => {}
            Room::Later => return Ok(Step::Again),
            Room::Never => return Err(Complaint::TooLong),
        }
        let Self { keys, clients, limits, .. } = self;
        let Some(out) = clients.get(id).map(|client| &mut client.out) else { return Ok(Step::Quit) };
        match command {
            Command::Ping(text) if subscribed => {
                out.array(2);
                out.bulk(b"pong");
                out.bulk(text.unwrap_or_default());
            }
            Command::Ping(None) => out.status("PONG"),
            Command::Ping(Some(text)) | Command::Echo(text) => out.bulk(text),
            Command::Set { key, value, expires, unless } => {
                match keys.set(key, value, expires, unless, now)? {
                    true => out.status("OK"),
                    false => out.nil(),
                }
                self.expiry.note(expires);
            }
            Command::Del(names) => out.count(names.iter().filter(|key| keys.remove(key, now)).count()),
            Command::Exists(names) => out.count(names.iter().filter(|key| keys.entry(key, now).is_some()).count()),
            Command::Incr(key) => out.integer(keys.increment(key, now)?),
            Command::Expire { key, deadline, only } => {
                out.integer(i64::from(keys.expire_at(key, deadline, only, now)));
                self.expiry.note(Some(deadline));
            }
            Command::Ttl { key, seconds } => out.integer(match keys.left(key, now) {
                Left::Absent => -2,
                Left::Forever => -1,
                Left::Millis(millis) if seconds => ((millis + 500) / 1000) as i64,
                Left::Millis(millis) => millis as i64,
            }),
            Command::Persist(key) => out.integer(i64::from(keys.persist(key, now))),
            Command::Llen(key) => out.count(keys.list(key, now)?),
            Command::Pop { key, count, end } => {
                let len = keys.list(key, now)?;
                match (len, count) {
                    (0, None) => out.nil(),
                    (0, Some(_)) => out.nil_array(),
                    (_, Some(count)) => out.array(count.min(len)),
                    (_, None) => {}
                }
                let count = count.unwrap_or(1).min(len);
                match end {
                    End::Left => keys.store().items(key, 0).take(count).for_each(|item| out.bulk(item)),
                    End::Right => keys.store().items_back(key).take(count).for_each(|item| out.bulk(item)),
                }
                keys.pop(key, end, count);
            }
            Command::Lrange { key, first, last } => {
                let (first, count) = window(keys.list(key, now)?, first, last);
                out.array(count);
                keys.store().items(key, first).take(count).for_each(|item| out.bulk(item));
            }
            Command::Info(sections) => {
                let len = info::len(self, sections, now);
                // Made twice, once to be measured: there is no place to keep it.
                if let Some(client) = self.clients.get(id) {
                    client.out.header(b'$', len);
                }
                info::write_to(self, id, sections, now);
            }
            Command::Commands(names) => {
                let len = if names.is_empty() { TABLE.len() } else { names.len() };
                return Ok(self.list(id, names, progress, len, info::command));
            }
            Command::Docs(names) => {
                let known = if names.is_empty() { TABLE.len() } else { names.iter().filter_map(find).count() };
                return Ok(self.list(id, names, progress, known * 2, info::docs));
            }
            Command::Names => {
                return Ok(self.list(id, Args::new(&[], &[]), progress, TABLE.len(), |out, spec| {
                    if let Some(spec) = spec {
                        out.bulk(spec.name.as_bytes());
                    }
                }));
            }
            Command::Count => out.count(TABLE.len()),
            Command::ConfigGet(patterns) => info::config(out, limits, patterns),
            Command::Dbsize => {
                keys.expire(now, usize::MAX);
                out.count(keys.store().len());
            }
            Command::Flushall => {
                keys.clear();
                out.status("OK");
            }
            Command::Quit => {
                out.status("OK");
                return Ok(Step::Quit);
            }
            // Run before.
            Command::Get(_)
            | Command::Subscribe(_)
            | Command::Unsubscribe(_)
            | Command::Blpop { .. }
            | Command::Publish { .. }
            | Command::Push { .. } => {}
        }
        Ok(Step::Done)
    }

    /// Bytes of the reply to `command`, or something below `SLACK`.
    fn size(&mut self, command: Command<'_>, now: Instant) -> Result<usize, Refused> {
        let sum = |items: &mut dyn Iterator<Item = &[u8]>| items.map(|item| bulk_size(item.len())).sum::<usize>();
        Ok(match command {
            Command::Ping(Some(text)) | Command::Echo(text) => 16 + bulk_size(text.len()),
            Command::Pop { key, count, end } => {
                let count = count.unwrap_or(1).min(self.keys.list(key, now)?);
                header_size(count)
                    + match end {
                        End::Left => sum(&mut self.keys.store().items(key, 0).take(count)),
                        End::Right => sum(&mut self.keys.store().items_back(key).take(count)),
                    }
            }
            Command::Lrange { key, first, last } => {
                let (first, count) = window(self.keys.list(key, now)?, first, last);
                header_size(count) + sum(&mut self.keys.store().items(key, first).take(count))
            }
            Command::Info(sections) => 16 + info::len(self, sections, now),
            _ => 0,
        })
    }

    /// An array of `len` replies: first its header, then what `write` makes of each of `names`, or of all commands.
    fn list(
        &mut self,
        id: ClientId,
        names: Args<'_>,
        progress: &mut usize,
        len: usize,
        write: fn(&mut M::Output, Option<&'static Spec>),
    ) -> Step {
        let entries = if names.is_empty() { TABLE.len() } else { names.len() };
        loop {
            let Some(client) = self.clients.get(id) else { return Step::Quit };
            if client.waiting() > 0 && client.out.room() < SLACK {
                return Step::Again;
            }
            match *progress {
                0 => client.out.array(len),
                entry if names.is_empty() => write(&mut client.out, TABLE.get(entry - 1)),
                entry => write(&mut client.out, find(names.at(entry - 1))),
            }
            if *progress == entries {
                return Step::Done;
            }
            *progress += 1;
        }
    }
}

/// The first index and the number of items that LRANGE means in a list of `len`. Negative ones count from the end.
fn window(len: usize, first: i64, last: i64) -> (usize, usize) {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_end = |index: i64| if index < 0 { index.saturating_add(len) } else { index };
    let first = from_end(first).max(0);
    let last = from_end(last).min(len - 1);
    if first > last { (0, 0) } else { (first as usize, (last - first + 1) as usize) }
}
