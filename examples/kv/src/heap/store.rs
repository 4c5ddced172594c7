//! Keys in a hash map, deadlines in an ordered set beside it.
//!
//! A key is one reference-counted string, shared by the map and, if it has a deadline, the set; so an expiry finds its
//! key and an overwritten deadline leaves the set at once. Invariant `Indexed`: `(t, key)` is in the set if and only if
//! `key` is in the map with deadline `t`. Invariant `Counted`: `used` is the sum of `weight` over the map.
//!
//! Nothing ever walks the map, so its secret hash order shows nowhere and runs can be repeated exactly.

use crate::memory::Full;
use crate::store::{End, Entry, Store, Value};
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::rc::Rc;
use core::hash::BuildHasher;
use corio::Instant;
use hashbrown::HashMap;

/// What a key costs beyond its bytes: its place in a half full map, the string's header, allocator rounding.
const KEY: usize = 160;
/// What a deadline costs.
const DEADLINE: usize = 48;
/// What a list's item costs beyond its bytes: its place in a half full deque and allocator rounding.
const ITEM: usize = 48;

/// [`Store`] on the heap, up to a number of bytes.
#[derive(Debug)]
pub struct HeapStore<H> {
    map: HashMap<Rc<[u8]>, Slot, H>,
    deadlines: BTreeSet<(Instant, Rc<[u8]>)>,
    used: usize,
    limit: usize,
}

#[derive(Debug)]
struct Slot {
    held: Held,
    /// Bytes that the value counts for.
    weight: usize,
    expires: Option<Instant>,
}

#[derive(Debug)]
enum Held {
    Text(Box<[u8]>),
    List(VecDeque<Box<[u8]>>),
}

impl<H: BuildHasher + Default> HeapStore<H> {
    /// An empty store for keys and values of `limit` bytes, overhead included.
    pub fn new(limit: usize) -> Self {
        Self { map: HashMap::default(), deadlines: BTreeSet::new(), used: 0, limit }
    }
}

impl<H: BuildHasher> HeapStore<H> {
    fn fits(&self, more: usize) -> Result<(), Full> {
        if self.used.saturating_add(more) <= self.limit { Ok(()) } else { Err(Full) }
    }

    fn forget_deadline(&mut self, key: &Rc<[u8]>, expires: Option<Instant>) {
        if let Some(at) = expires {
            self.deadlines.remove(&(at, key.clone()));
            self.used -= DEADLINE;
        }
    }

    fn append<'a>(&mut self, key: &[u8], end: End, items: impl Iterator<Item = &'a [u8]>) -> usize {
        let mut weight = 0;
        let slot = match self.map.get_mut(key) {
            Some(slot) => slot,
            None => {
                self.used += KEY + key.len();
                let slot = Slot { held: Held::List(VecDeque::new()), weight: 0, expires: None };
                self.map.entry(key.into()).or_insert(slot)
            }
        };
        let Held::List(list) = &mut slot.held else { return 0 };
        for item in items {
            weight += ITEM + item.len();
            match end {
                End::Left => list.push_front(item.into()),
                End::Right => list.push_back(item.into()),
            }
        }
        slot.weight += weight;
        self.used += weight;
        list.len()
    }

    fn list(&self, key: &[u8]) -> Option<&VecDeque<Box<[u8]>>> {
        match self.map.get(key).map(|slot| &slot.held) {
            Some(Held::List(list)) => Some(list),
            _ => None,
        }
    }
}

impl<H: BuildHasher> Store for HeapStore<H> {
    fn entry(&self, key: &[u8]) -> Option<Entry<'_>> {
        self.map.get(key).map(|slot| Entry {
            value: match &slot.held {
                Held::Text(text) => Value::Text(text),
                Held::List(list) => Value::List(list.len()),
            },
            expires: slot.expires,
        })
    }

    fn set(&mut self, key: &[u8], value: &[u8], expires: Option<Instant>) -> Result<(), Full> {
        let deadline = if expires.is_some() { DEADLINE } else { 0 };
        let Some((shared, slot)) = self.map.get_key_value(key) else {
            let weight = KEY + key.len() + value.len() + deadline;
            self.fits(weight)?;
            self.used += weight;
            let shared: Rc<[u8]> = key.into();
            if let Some(at) = expires {
                self.deadlines.insert((at, shared.clone()));
            }
            self.map.insert(shared, Slot { held: Held::Text(value.into()), weight: value.len(), expires });
            return Ok(());
        };
        let (old, old_expires) = (slot.weight, slot.expires);
        self.fits((value.len() + deadline).saturating_sub(old))?;
        if old_expires != expires {
            let shared = shared.clone();
            self.forget_deadline(&shared, old_expires);
            if let Some(at) = expires {
                self.deadlines.insert((at, shared));
                self.used += DEADLINE;
            }
        }
        self.used = self.used - old + value.len();
        if let Some(slot) = self.map.get_mut(key) {
            (slot.weight, slot.expires) = (value.len(), expires);
            match &mut slot.held {
                Held::Text(text) if text.len() == value.len() => text.copy_from_slice(value),
                held => *held = Held::Text(value.into()),
            }
        }
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        let Some((shared, slot)) = self.map.remove_entry(key) else { return false };
        self.used -= KEY + key.len() + slot.weight;
        self.forget_deadline(&shared, slot.expires);
        // The map must not stay as large as it once was.
        if self.map.capacity() > 1024 && self.map.len() < self.map.capacity() / 8 {
            self.map.shrink_to(self.map.len() * 2);
        }
        true
    }

    fn expire_at(&mut self, key: &[u8], expires: Option<Instant>) {
        let Some((shared, slot)) = self.map.get_key_value(key) else { return };
        let (shared, old) = (shared.clone(), slot.expires);
        self.forget_deadline(&shared, old);
        if let Some(slot) = self.map.get_mut(key) {
            slot.expires = expires;
        }
        if let Some(at) = expires {
            self.deadlines.insert((at, shared));
            self.used += DEADLINE;
        }
    }

    fn push<'a>(&mut self, key: &[u8], end: End, items: impl Iterator<Item = &'a [u8]> + Clone) -> Result<usize, Full> {
        let weight: usize = items.clone().map(|item| ITEM + item.len()).sum();
        // As if the list were new: a little strict near the limit, and one search less.
        self.fits(KEY + key.len() + weight)?;
        Ok(self.append(key, end, items))
    }

    fn put_back(&mut self, key: &[u8], item: &[u8]) -> Result<(), Full> {
        self.append(key, End::Left, core::iter::once(item));
        Ok(())
    }

    fn pop(&mut self, key: &[u8], end: End) {
        let Some(Slot { held: Held::List(list), weight, .. }) = self.map.get_mut(key) else { return };
        let item = match end {
            End::Left => list.pop_front(),
            End::Right => list.pop_back(),
        };
        let freed = item.map_or(0, |item| ITEM + item.len());
        *weight -= freed;
        self.used -= freed;
        if list.is_empty() {
            self.remove(key);
        } else if list.capacity() > 64 && list.len() < list.capacity() / 4 {
            list.shrink_to(list.len() * 2);
        }
    }

    fn items(&self, key: &[u8], first: usize) -> impl Iterator<Item = &[u8]> {
        let list = self.list(key);
        list.into_iter().flat_map(move |list| list.range(first.min(list.len())..)).map(|item| &**item)
    }

    fn items_back(&self, key: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.list(key).into_iter().flat_map(|list| list.iter().rev()).map(|item| &**item)
    }

    fn len(&self) -> usize {
        self.map.len()
    }

    fn expiring(&self) -> usize {
        self.deadlines.len()
    }

    fn used(&self) -> usize {
        self.used
    }

    fn clear(&mut self) {
        self.map.clear();
        self.map.shrink_to(0);
        self.deadlines.clear();
        self.used = 0;
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn expire_one(&mut self, now: Instant) -> bool {
        let due = self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, key)| key.clone());
        due.is_some_and(|key| self.remove(&key))
    }
}
