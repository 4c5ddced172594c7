//! Blocked pops: clients waiting for an item under a key, served in the order in which they came.
//!
//! The item is popped by the push that brings it, so whoever looks next sees the list without it, and its reply is
//! written into the blocked client's output in the same step. Until the writer takes that reply it is marked `unsent`:
//! if the client turns out to have hung up, the item goes back to the head of its list, or to the next in line.

use crate::client::{Room, Unsent};
use crate::command::Complaint;
use crate::exec::Step;
use crate::memory::{Memory, Output};
use crate::reply::{Reply, bulk_size, header_size};
use crate::resp::Args;
use crate::roster::{ClientId, Roster};
use crate::server::State;
use crate::store::{End, Store};
use corio::{Duration, Instant};

impl<M: Memory> State<M> {
    /// BLPOP: an item if there is one, else a place in line.
    pub(crate) fn blpop<'a>(
        &mut self,
        id: ClientId,
        names: Args<'a>,
        timeout: Option<Duration>,
        now: Instant,
    ) -> Result<Step, Complaint<'a>> {
        for key in names.iter() {
            if self.keys.list(key, now)? == 0 {
                continue;
            }
            let item = self.keys.store().items(key, 0).next().unwrap_or_default();
            match self.clients.room(id, 4 + bulk_size(key.len()) + bulk_size(item.len())) {
                Room::Now => {}
                Room::Later => return Ok(Step::Again),
                Room::Never => return Err(Complaint::TooLong),
            }
            if let Some(client) = self.clients.get(id) {
                client.out.array(2);
                client.out.bulk(key);
                client.out.bulk(item);
            }
            self.keys.pop(key, End::Left, 1);
            return Ok(Step::Done);
        }
        // The reply will be written by somebody else, who cannot wait for room. It holds a key and an item that came
        // in one request.
        let reply = self.limits.max_query.saturating_add(64);
        let Some(client) = self.clients.get(id) else { return Ok(Step::Done) };
        if client.out.room() < reply {
            return Ok(Step::Again);
        }
        client.blocked = true;
        for key in names.iter() {
            if !self.affords_place(key) || self.waiters.join(key, id).is_err() {
                self.unblock(id);
                return Err(Complaint::NoPlace);
            }
        }
        Ok(Step::Block(timeout.map(|timeout| now + timeout)))
    }

    /// Gives the items under `key` to those who wait for them.
    pub(crate) fn serve_waiters(&mut self, key: &[u8], now: Instant) {
        loop {
            let first = self.waiters.members(key).next();
            let Some(id) = first else { return };
            if !self.keys.list(key, now).is_ok_and(|len| len > 0) {
                return;
            }
            let item = self.keys.store().items(key, 0).next().unwrap_or_default();
            let fits = self.clients.room(id, 4 + bulk_size(key.len()) + bulk_size(item.len())) == Room::Now;
            if let Some(client) = self.clients.get(id) {
                if fits {
                    client.out.array(2);
                    let key_at = client.out.len() + header_size(key.len());
                    client.out.bulk(key);
                    let item_at = client.out.len() + header_size(item.len());
                    client.out.bulk(item);
                    client.unsent =
                        Some(Unsent { key: key_at..key_at + key.len(), item: item_at..item_at + item.len() });
                    self.keys.pop(key, End::Left, 1);
                } else {
                    client.cut_off();
                }
            }
            self.unblock(id);
            self.clients.charge(id);
            self.clients.rouse(id);
        }
    }

    /// Nobody has served `id` in time.
    pub(crate) fn time_out(&mut self, id: ClientId) {
        if self.unblock(id) {
            if let Some(client) = self.clients.get(id) {
                client.out.nil_array();
            }
            self.clients.charge(id);
        }
    }

    /// Takes `id` out of all lines; whether it was blocked.
    pub(crate) fn unblock(&mut self, id: ClientId) -> bool {
        while self.waiters.count(id) > 0 {
            self.waiters.leave_one(id);
        }
        self.clients.get(id).is_some_and(|client| core::mem::take(&mut client.blocked))
    }

    /// Puts back the item that `id`, which is leaving, was given and has not got, for those who wait behind it.
    pub(crate) fn put_back_unsent(&mut self, id: ClientId, now: Instant) {
        let Some(client) = self.clients.get(id) else { return };
        let Some(Unsent { key, item }) = client.unsent.take() else { return };
        let mut out = core::mem::take(&mut client.out);
        let bytes = out.contiguous();
        // Nothing can be done for it if a string has taken the key meanwhile, or its place in a full table.
        let _ = self.keys.put_back(&bytes[key.clone()], &bytes[item], now);
        self.serve_waiters(&bytes[key], now);
    }
}
