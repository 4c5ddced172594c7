//! Keys and values in one array of bytes, one record after the other.
//!
//! ```text
//!   record    size:u16  key length:u16  items:u16  deadline:u64   key...   value...
//!   value     a string: its bytes (items = 0xFFFF);   a list: items of  length:u16 bytes...
//! ```
//!
//! Records lie without gaps, oldest first, so there is no fragmentation and every byte of the array can be used; a value
//! is one slice. The price is that a change moves what lies behind it and a search walks from record to record, both
//! of which are quick in a few kilobytes. Invariant `Packed`: the first `used` bytes are whole records, each `size`
//! bytes long.

use crate::memory::Full;
use crate::store::{End, Entry, Store, Value};
use corio::Instant;

/// [`Store`] in `N` bytes, at most 65,535. A key costs 14 bytes beyond its own, an item of a list 2.
#[derive(Debug)]
pub struct BoundedStore<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

/// Bytes of a record before its key.
const HEAD: usize = 14;
/// In place of the number of items: a string.
const TEXT: u16 = u16::MAX;

/// A record's place and what its head says.
#[derive(Clone, Copy)]
struct Record {
    at: usize,
    size: usize,
    key: usize,
    items: u16,
    expires: Instant,
}

impl Record {
    fn value(&self) -> usize {
        self.at + HEAD + self.key
    }

    fn end(&self) -> usize {
        self.at + self.size
    }
}

impl<const N: usize> Default for BoundedStore<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> BoundedStore<N> {
    /// An empty store.
    pub const fn new() -> Self {
        assert!(N <= u16::MAX as usize, "lengths have 16 bits");
        Self { bytes: [0; N], used: 0 }
    }

    fn short(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn put_short(&mut self, at: usize, value: usize) {
        self.put(at, &(value as u16).to_le_bytes());
    }

    fn read(&self, at: usize) -> Record {
        let mut nanos = [0; 8];
        nanos.copy_from_slice(&self.bytes[at + 6..at + HEAD]);
        Record {
            at,
            size: usize::from(self.short(at)),
            key: usize::from(self.short(at + 2)),
            items: self.short(at + 4),
            expires: Instant::from_nanos(u64::from_le_bytes(nanos)),
        }
    }

    fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let mut at = 0;
        core::iter::from_fn(move || {
            let record = (at < self.used).then(|| self.read(at))?;
            at = record.end();
            Some(record)
        })
    }

    fn find(&self, key: &[u8]) -> Option<Record> {
        self.records().find(|record| &self.bytes[record.at + HEAD..record.value()] == key)
    }

    /// The items of a list, from the left.
    fn list(&self, record: Record) -> impl Iterator<Item = &[u8]> {
        let mut at = record.value();
        (0..record.items).map(move |_| {
            let len = usize::from(self.short(at));
            at += 2 + len;
            &self.bytes[at - len..at]
        })
    }

    /// Makes the `old` bytes at `at` `new` bytes long, moving all behind them. The caller has seen that they fit.
    fn resize(&mut self, at: usize, old: usize, new: usize) {
        self.bytes.copy_within(at + old..self.used, at + new);
        self.used = self.used - old + new;
    }

    fn append(&mut self, key: &[u8], value: usize, items: u16, expires: Option<Instant>) -> Result<Record, Full> {
        let size = HEAD + key.len() + value;
        if size > N - self.used {
            return Err(Full);
        }
        let at = self.used;
        self.used += size;
        self.put_short(at, size);
        self.put_short(at + 2, key.len());
        self.put_short(at + 4, usize::from(items));
        self.put(at + 6, &expires.unwrap_or(Instant::MAX).as_nanos().to_le_bytes());
        self.put(at + HEAD, key);
        Ok(self.read(at))
    }

    fn drop_record(&mut self, record: Record) {
        self.resize(record.at, record.size, 0);
    }
}

impl<const N: usize> Store for BoundedStore<N> {
    fn entry(&self, key: &[u8]) -> Option<Entry<'_>> {
        self.find(key).map(|record| Entry {
            value: match record.items {
                TEXT => Value::Text(&self.bytes[record.value()..record.end()]),
                items => Value::List(usize::from(items)),
            },
            expires: (record.expires != Instant::MAX).then_some(record.expires),
        })
    }

    fn set(&mut self, key: &[u8], value: &[u8], expires: Option<Instant>) -> Result<(), Full> {
        let old = self.find(key);
        if HEAD + key.len() + value.len() > N - self.used + old.map_or(0, |record| record.size) {
            return Err(Full);
        }
        if let Some(record) = old {
            self.drop_record(record);
        }
        let record = self.append(key, value.len(), TEXT, expires)?;
        self.put(record.value(), value);
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        self.find(key).map(|record| self.drop_record(record)).is_some()
    }

    fn expire_at(&mut self, key: &[u8], expires: Option<Instant>) {
        if let Some(record) = self.find(key) {
            self.put(record.at + 6, &expires.unwrap_or(Instant::MAX).as_nanos().to_le_bytes());
        }
    }

    fn push<'a>(&mut self, key: &[u8], end: End, items: impl Iterator<Item = &'a [u8]> + Clone) -> Result<usize, Full> {
        let (count, more) = items.clone().fold((0, 0), |(count, more), item| (count + 1, more + 2 + item.len()));
        let record = match self.find(key) {
            Some(record) if more <= N - self.used && usize::from(record.items) + count < usize::from(TEXT) => {
                let at = if end == End::Left { record.value() } else { record.end() };
                self.resize(at, 0, more);
                record
            }
            Some(_) => return Err(Full),
            None => self.append(key, more, 0, None).map(|record| Record { size: record.size - more, ..record })?,
        };
        self.put_short(record.at, record.size + more);
        let len = usize::from(record.items) + count;
        self.put_short(record.at + 4, len);
        // Each item pushed to the left lies before the one pushed before it.
        let mut at = if end == End::Left { record.value() + more } else { record.end() };
        for item in items {
            if end == End::Left {
                at -= 2 + item.len();
            }
            self.put_short(at, item.len());
            self.put(at + 2, item);
            if end == End::Right {
                at += 2 + item.len();
            }
        }
        Ok(len)
    }

    fn put_back(&mut self, key: &[u8], item: &[u8]) -> Result<(), Full> {
        self.push(key, End::Left, core::iter::once(item)).map(|_| ())
    }

    fn pop(&mut self, key: &[u8], end: End) {
        let Some(record) = self.find(key) else { return };
        let item = match end {
            End::Left => self.list(record).next(),
            End::Right => self.list(record).last(),
        };
        let size = 2 + item.map_or(0, <[u8]>::len);
        if record.items <= 1 {
            return self.drop_record(record);
        }
        let at = if end == End::Left { record.value() } else { record.end() - size };
        self.resize(at, size, 0);
        self.put_short(record.at, record.size - size);
        self.put_short(record.at + 4, usize::from(record.items) - 1);
    }

    fn items(&self, key: &[u8], first: usize) -> impl Iterator<Item = &[u8]> {
        let list = self.find(key).filter(|record| record.items != TEXT);
        list.into_iter().flat_map(|record| self.list(record)).skip(first)
    }

    fn items_back(&self, key: &[u8]) -> impl Iterator<Item = &[u8]> {
        // Items can only be walked from the left, so each step back walks anew.
        let list = self.find(key).filter(|record| record.items != TEXT);
        list.into_iter().flat_map(move |record| {
            (0..usize::from(record.items)).rev().filter_map(move |index| self.list(record).nth(index))
        })
    }

    fn len(&self) -> usize {
        self.records().count()
    }

    fn expiring(&self) -> usize {
        self.records().filter(|record| record.expires != Instant::MAX).count()
    }

    fn used(&self) -> usize {
        self.used
    }

    fn clear(&mut self) {
        self.used = 0;
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.records().map(|record| record.expires).min().filter(|expires| *expires != Instant::MAX)
    }

    fn expire_one(&mut self, now: Instant) -> bool {
        let earliest = self.records().min_by_key(|record| record.expires);
        // A deadline at the end of time stands for none.
        let due = earliest.filter(|record| record.expires <= now && record.expires != Instant::MAX);
        due.map(|record| self.drop_record(record)).is_some()
    }
}
