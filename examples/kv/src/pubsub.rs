//! Channels: a message to a channel goes to each of its subscribers, in the order in which they subscribed.
//!
//! A message is written into the subscribers' waiting replies at once; nobody waits for anybody. A subscriber that
//! does not read has `max_backlog` bytes, and is cut off beyond.

use crate::client::Room;
use crate::command::Complaint;
use crate::exec::Step;
use crate::memory::{Memory, Output};
use crate::reply::{Reply, bulk_size};
use crate::resp::Args;
use crate::roster::{ClientId, Roster};
use crate::server::State;

/// Bytes of a confirmation beyond the channel's name.
const CONFIRMATION: usize = 64;

fn confirm(out: &mut impl Output, kind: &str, channel: Option<&[u8]>, count: usize) {
    out.array(3);
    out.bulk(kind.as_bytes());
    match channel {
        Some(channel) => out.bulk(channel),
        None => out.nil(),
    }
    out.count(count);
}

impl<M: Memory> State<M> {
    /// SUBSCRIBE from the channel at `progress` on.
    pub(crate) fn subscribe<'a>(
        &mut self,
        id: ClientId,
        channels: Args<'a>,
        progress: &mut usize,
    ) -> Result<Step, Complaint<'a>> {
        while *progress < channels.len() {
            let channel = channels.at(*progress);
            match self.clients.room(id, CONFIRMATION + bulk_size(channel.len())) {
                Room::Now => {}
                Room::Later => return Ok(Step::Again),
                Room::Never => return Err(Complaint::TooLong),
            }
            if !self.affords_place(channel) {
                return Err(Complaint::NoPlace);
            }
            self.channels.join(channel, id).map_err(|_| Complaint::NoPlace)?;
            let count = self.channels.count(id);
            if let Some(client) = self.clients.get(id) {
                confirm(&mut client.out, "subscribe", Some(channel), count);
            }
            self.clients.charge(id);
            *progress += 1;
        }
        Ok(Step::Done)
    }

    /// UNSUBSCRIBE from the channel at `progress` on, or from all if none is named.
    pub(crate) fn unsubscribe<'a>(
        &mut self,
        id: ClientId,
        named: Args<'a>,
        progress: &mut usize,
    ) -> Result<Step, Complaint<'a>> {
        loop {
            let channel = if named.is_empty() { self.channels.name_of(id) } else { Some(named.at(*progress)) };
            match channel {
                // Without any, there is one answer still.
                None if *progress > 0 => return Ok(Step::Done),
                _ if !named.is_empty() && *progress == named.len() => return Ok(Step::Done),
                _ => {}
            }
            match self.clients.room(id, CONFIRMATION + bulk_size(channel.map_or(0, <[u8]>::len))) {
                Room::Now => {}
                Room::Later => return Ok(Step::Again),
                Room::Never => return Err(Complaint::TooLong),
            }
            let count = if named.is_empty() {
                self.channels.count(id).saturating_sub(1)
            } else {
                self.channels.leave(named.at(*progress), id);
                self.channels.count(id)
            };
            if let Some(client) = self.clients.get(id) {
                let channel = if named.is_empty() { self.channels.name_of(id) } else { Some(named.at(*progress)) };
                confirm(&mut client.out, "unsubscribe", channel, count);
            }
            if named.is_empty() {
                self.channels.leave_one(id);
            }
            self.clients.charge(id);
            *progress += 1;
        }
    }

    /// PUBLISH: to how many it went.
    pub(crate) fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let size = 32 + bulk_size(channel.len()) + bulk_size(message.len());
        let Self { channels, clients, limits, .. } = self;
        let mut told = 0;
        for id in channels.members(channel) {
            let fits = clients.room(id, size) == Room::Now;
            let Some(client) = clients.get(id).filter(|client| !client.cut_off) else { continue };
            if fits && client.waiting().saturating_add(size) <= limits.max_backlog {
                client.out.array(3);
                client.out.bulk(b"message");
                client.out.bulk(channel);
                client.out.bulk(message);
                told += 1;
            } else {
                client.cut_off();
            }
            clients.charge(id);
            clients.rouse(id);
        }
        told
    }
}
