//! A short list of pairs in order of arrival.

use crate::memory::Full;
use crate::roster::{ClientId, Roster};
use heapless::Vec;

/// The longest name of a channel, or of a key that clients wait for.
const NAME: usize = 32;

/// [`Roster`] of at most `N` pairs of a client and a name, the names at most 32 bytes long.
#[derive(Debug, Default)]
pub struct BoundedRoster<const N: usize> {
    places: Vec<(Vec<u8, NAME, u8>, ClientId), N>,
}

impl<const N: usize> BoundedRoster<N> {
    /// A roster of nobody.
    pub const fn new() -> Self {
        Self { places: Vec::new() }
    }

    fn find(&self, name: &[u8], client: ClientId) -> Option<usize> {
        self.places.iter().position(|(other, member)| *member == client && *other == name)
    }
}

impl<const N: usize> Roster for BoundedRoster<N> {
    fn join(&mut self, name: &[u8], client: ClientId) -> Result<bool, Full> {
        if self.find(name, client).is_some() {
            return Ok(false);
        }
        let name = Vec::from_slice(name).map_err(|_| Full)?;
        self.places.push((name, client)).map_err(|_| Full)?;
        Ok(true)
    }

    fn leave(&mut self, name: &[u8], client: ClientId) -> bool {
        self.find(name, client).map(|index| self.places.remove(index)).is_some()
    }

    fn members(&self, name: &[u8]) -> impl Iterator<Item = ClientId> {
        self.places.iter().filter(move |(other, _)| *other == name).map(|(_, client)| *client)
    }

    fn count(&self, client: ClientId) -> usize {
        self.places.iter().filter(|(_, member)| *member == client).count()
    }

    fn name_of(&self, client: ClientId) -> Option<&[u8]> {
        self.places.iter().find(|(_, member)| *member == client).map(|(name, _)| name.as_slice())
    }

    fn leave_one(&mut self, client: ClientId) {
        if let Some(index) = self.places.iter().position(|(_, member)| *member == client) {
            self.places.remove(index);
        }
    }

    fn names(&self) -> usize {
        let first = |index: usize| !self.places[..index].iter().any(|(name, _)| *name == self.places[index].0);
        (0..self.places.len()).filter(|index| first(*index)).count()
    }

    fn footprint(&self) -> usize {
        0
    }

    fn cost(_: usize) -> usize {
        0
    }
}
