//! Names in a hash map, their clients in order of arrival; and for each client the names it is under.

use crate::memory::Full;
use crate::roster::{ClientId, Roster};
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::hash::BuildHasher;
use hashbrown::HashMap;

/// What a client under a name costs beyond the name's bytes: two tree entries and the places in the maps.
const PLACE: usize = 256;

/// [`Roster`] on the heap. Its size is bounded by [`Limits::max_buffers`](crate::Limits::max_buffers).
///
/// Arrivals are numbered. Invariant `Paired`: client `c` arrived as number `n` under a name in `names` if and only if
/// `clients` has that name with `n` for `c`.
#[derive(Debug)]
pub struct HeapRoster<H> {
    names: HashMap<Rc<[u8]>, BTreeMap<u64, ClientId>, H>,
    clients: BTreeMap<ClientId, BTreeMap<Rc<[u8]>, u64>>,
    arrivals: u64,
    footprint: usize,
}

impl<H: Default> Default for HeapRoster<H> {
    fn default() -> Self {
        Self { names: HashMap::default(), clients: BTreeMap::new(), arrivals: 0, footprint: 0 }
    }
}

impl<H: BuildHasher + Default> Roster for HeapRoster<H> {
    fn join(&mut self, name: &[u8], client: ClientId) -> Result<bool, Full> {
        let places = self.clients.entry(client).or_default();
        if places.contains_key(name) {
            return Ok(false);
        }
        let shared: Rc<[u8]> = self.names.get_key_value(name).map_or_else(|| name.into(), |(shared, _)| shared.clone());
        places.insert(shared.clone(), self.arrivals);
        self.names.entry(shared).or_default().insert(self.arrivals, client);
        self.arrivals += 1;
        self.footprint += Self::cost(name.len());
        Ok(true)
    }

    fn leave(&mut self, name: &[u8], client: ClientId) -> bool {
        let Some(places) = self.clients.get_mut(&client) else { return false };
        let Some(arrival) = places.remove(name) else { return false };
        if places.is_empty() {
            self.clients.remove(&client);
        }
        if let Some(members) = self.names.get_mut(name) {
            members.remove(&arrival);
            if members.is_empty() {
                self.names.remove(name);
            }
        }
        self.footprint -= Self::cost(name.len());
        true
    }

    fn members(&self, name: &[u8]) -> impl Iterator<Item = ClientId> {
        self.names.get(name).into_iter().flat_map(|members| members.values().copied())
    }

    fn count(&self, client: ClientId) -> usize {
        self.clients.get(&client).map_or(0, BTreeMap::len)
    }

    fn name_of(&self, client: ClientId) -> Option<&[u8]> {
        self.clients.get(&client).and_then(|places| places.first_key_value()).map(|(name, _)| &**name)
    }

    fn leave_one(&mut self, client: ClientId) {
        let name = self.clients.get(&client).and_then(|places| places.first_key_value()).map(|(name, _)| name.clone());
        if let Some(name) = name {
            self.leave(&name, client);
        }
    }

    fn names(&self) -> usize {
        self.names.len()
    }

    fn footprint(&self) -> usize {
        self.footprint
    }

    fn cost(len: usize) -> usize {
        PLACE + len
    }
}
