//! The logic of keys, as plain functions of the time, on both kinds of storage, against a model.

mod common;

use std::collections::{BTreeMap, VecDeque};
use std::hash::RandomState;

use common::Random;
use corio::{Duration, Instant};
use corio_kv::{BoundedStore, End, HeapStore, Keyspace, Left, Only, Refused, Store, Unless, Value};

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn on_both(check: impl Fn(&mut dyn Keys)) {
    check(&mut Keyspace::new(HeapStore::<RandomState>::new(1 << 20)));
    check(&mut Keyspace::new(BoundedStore::<4096>::new()));
}

/// What the tests do with a keyspace, whatever its store.
trait Keys {
    fn set(&mut self, key: &str, value: &str, expires: Option<u64>, now: u64) -> bool;
    fn get(&mut self, key: &str, now: u64) -> Option<String>;
    fn left(&mut self, key: &str, now: u64) -> Left;
    fn expire(&mut self, now: u64) -> u64;
    fn next(&self) -> Option<u64>;
    fn len(&self) -> usize;
}

impl<S: Store> Keys for Keyspace<S> {
    fn set(&mut self, key: &str, value: &str, expires: Option<u64>, now: u64) -> bool {
        Keyspace::set(self, key.as_bytes(), value.as_bytes(), expires.map(at), Unless::Never, at(now)) == Ok(true)
    }

    fn get(&mut self, key: &str, now: u64) -> Option<String> {
        self.text(key.as_bytes(), at(now)).expect("it is a string").map(common::text)
    }

    fn left(&mut self, key: &str, now: u64) -> Left {
        Keyspace::left(self, key.as_bytes(), at(now))
    }

    fn expire(&mut self, now: u64) -> u64 {
        let before = self.expired();
        Keyspace::expire(self, at(now), usize::MAX);
        self.expired() - before
    }

    fn next(&self) -> Option<u64> {
        self.store().next_deadline().map(Instant::as_millis)
    }

    fn len(&self) -> usize {
        self.store().len()
    }
}

#[test]
fn a_key_is_gone_at_its_deadline_even_if_nobody_has_removed_it() {
    on_both(|keys| {
        assert!(keys.set("k", "v", Some(1000), 0));
        assert!(keys.set("other", "v", Some(500), 0));
        assert_eq!(keys.get("k", 999), Some("v".to_owned()));
        assert_eq!(keys.left("k", 999), Left::Millis(1));
        assert_eq!(keys.get("k", 1000), None);
        assert_eq!(keys.left("k", 1000), Left::Absent);
        assert_eq!(keys.len(), 1, "nobody has looked at the other");
        assert_eq!(keys.next(), Some(500));
        assert_eq!(keys.expire(499), 0);
        assert_eq!(keys.expire(500), 1);
        assert_eq!((keys.len(), keys.next()), (0, None));
    });
}

#[test]
fn an_overwritten_deadline_is_forgotten() {
    on_both(|keys| {
        assert!(keys.set("k", "v", Some(1000), 0));
        assert!(keys.set("k", "v", Some(2000), 0));
        assert_eq!(keys.next(), Some(2000));
        assert!(keys.set("k", "v", None, 0));
        assert_eq!(keys.next(), None);
        assert_eq!(keys.expire(5000), 0);
        assert_eq!(keys.get("k", 5000), Some("v".to_owned()));
    });
}

#[derive(Clone, Debug, PartialEq)]
enum Held {
    Text(Vec<u8>),
    List(VecDeque<Vec<u8>>),
}

type Model = BTreeMap<Vec<u8>, (Held, Option<Instant>)>;

/// Random commands on a store and on a model of a few lines; equal answers, equal contents, all memory given back.
fn agrees<S: Store>(keys: &mut Keyspace<S>, seed: u64, steps: usize) {
    let mut random = Random::new(seed);
    let mut model = Model::new();
    let mut now = Instant::ZERO;
    for step in 0..steps {
        now += Duration::from_micros(random.below(3000) as u64);
        model.retain(|_, (_, expires)| expires.is_none_or(|expires| expires > now));
        let key = vec![b'a' + random.below(5) as u8; random.below(3) + 1];
        let item = vec![b'0' + random.below(10) as u8; random.below(12)];
        let deadline = now + Duration::from_millis(random.below(20) as u64);
        let end = if random.below(2) == 0 { End::Left } else { End::Right };
        let context = format!("seed {seed} step {step}");
        match random.below(10) {
            0 => {
                let expires = (random.below(2) == 0 && deadline > now).then_some(deadline);
                let unless = [Unless::Never, Unless::Present, Unless::Absent][random.below(3)];
                let there = model.contains_key(&key);
                let done = keys.set(&key, &item, expires, unless, now).expect("there is room");
                let expected = match unless {
                    Unless::Never => true,
                    Unless::Present => !there,
                    Unless::Absent => there,
                };
                assert_eq!(done, expected, "{context}");
                if done {
                    model.insert(key, (Held::Text(item), expires));
                }
            }
            1 => assert_eq!(keys.remove(&key, now), model.remove(&key).is_some(), "{context}"),
            2 | 3 => {
                let items = vec![item; random.below(3) + 1];
                let pushed = keys.push(&key, end, items.iter().map(Vec::as_slice), now);
                let (held, _) = model.entry(key).or_insert((Held::List(VecDeque::new()), None));
                match held {
                    Held::Text(_) => assert_eq!(pushed, Err(Refused::WrongType), "{context}"),
                    Held::List(list) => {
                        for item in items {
                            if end == End::Left { list.push_front(item) } else { list.push_back(item) }
                        }
                        assert_eq!(pushed, Ok(list.len()), "{context}");
                    }
                }
            }
            4 | 5 => match (keys.list(&key, now), model.get_mut(&key)) {
                (Ok(0), None) => {}
                (Err(Refused::WrongType), Some((Held::Text(_), _))) => {}
                (Ok(len), Some((Held::List(list), _))) => {
                    assert_eq!(len, list.len(), "{context}");
                    let count = random.below(len + 1);
                    keys.pop(&key, end, count);
                    for _ in 0..count {
                        if end == End::Left {
                            list.pop_front()
                        } else {
                            list.pop_back()
                        };
                    }
                    if list.is_empty() {
                        model.remove(&key);
                    }
                }
                (found, expected) => panic!("{context}: {found:?} for {expected:?}"),
            },
            6 => {
                let done = keys.expire_at(&key, deadline, Only::default(), now);
                assert_eq!(done, model.contains_key(&key), "{context}");
                if deadline <= now {
                    model.remove(&key);
                } else if let Some((_, expires)) = model.get_mut(&key) {
                    *expires = Some(deadline);
                }
            }
            7 => {
                let had = model.get_mut(&key).and_then(|(_, expires)| expires.take()).is_some();
                assert_eq!(keys.persist(&key, now), had, "{context}");
            }
            8 => {
                keys.expire(now, usize::MAX);
                assert_eq!(keys.store().len(), model.len(), "{context}");
                assert_eq!(keys.store().next_deadline(), model.values().filter_map(|(_, at)| *at).min(), "{context}");
                assert_eq!(keys.store().expiring(), model.values().filter(|(_, at)| at.is_some()).count(), "{context}");
            }
            _ => {
                let number = random.next() as i64 >> random.below(60);
                model.insert(key.clone(), (Held::Text((number as i128 + 1).to_string().into_bytes()), None));
                keys.set(&key, number.to_string().as_bytes(), None, Unless::Never, now).expect("there is room");
                assert_eq!(keys.increment(&key, now).map(i128::from), Ok(number as i128 + 1), "{context}");
            }
        }
        for (key, (held, expires)) in &model {
            let entry = keys.entry(key, now).unwrap_or_else(|| panic!("{context}: {key:?} is not there"));
            assert_eq!(entry.expires, *expires, "{context}");
            match (entry.value, held) {
                (Value::Text(text), Held::Text(expected)) => assert_eq!(text, expected, "{context}"),
                (Value::List(len), Held::List(list)) => {
                    assert_eq!(len, list.len(), "{context}");
                    let first = random.below(len + 1);
                    assert!(keys.store().items(key, first).eq(list.range(first..).map(Vec::as_slice)), "{context}");
                    assert!(keys.store().items_back(key).eq(list.iter().rev().map(Vec::as_slice)), "{context}");
                }
                (found, expected) => panic!("{context}: {found:?} for {expected:?}"),
            }
        }
    }
    for key in model.keys() {
        keys.remove(key, now);
    }
    keys.expire(Instant::MAX, usize::MAX);
    assert_eq!((keys.store().len(), keys.store().used(), keys.store().expiring()), (0, 0, 0), "seed {seed}");
}

#[test]
fn both_stores_do_what_the_model_does() {
    for seed in 1..30 {
        agrees(&mut Keyspace::new(HeapStore::<RandomState>::new(1 << 20)), seed, 500);
        agrees(&mut Keyspace::new(BoundedStore::<30_000>::new()), seed, 500);
    }
}
