//! The same for what goes beyond asyncio, whose models are in words: `RwLock`, `OnceCell`, `Broadcast`, `Watch`, `Signal`;
//! and for `BoundedSemaphore`.

use core::cell::RefCell;
use core::future::poll_fn;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use corio::{
    BoundedPermit, BoundedSemaphore, Broadcast, BroadcastReceiver, OnceCell, RecvError, RwLock, RwLockReadGuard,
    RwLockWriteGuard, SendError, SetError, Signal, TryRecvError, TrySendError, Watch, WatchReceiver,
};

use super::{Crowd, Hosted, Id, Random, SEEDS, STEPS, SemaphoreModel, one_of, with_seeds};

pub(crate) fn a_bounded_semaphore_does_as_the_model<W: Hosted>(_: &mut W) {
    with_seeds(SEEDS, |random| {
        let bound = random.below(4);
        let permits = BoundedSemaphore::new(bound);
        let mut model = SemaphoreModel { value: bound, ..SemaphoreModel::default() };
        let mut crowd = Crowd::new();
        let mut held: Vec<BoundedPermit<'_>> = Vec::new();
        for _ in 0..STEPS {
            let mut woken = BTreeSet::new();
            match random.below(9) {
                0..=2 => {
                    let (id, output) = crowd.come(permits.acquire(), random);
                    assert_eq!(output.is_some(), model.come(id));
                    held.extend(output);
                }
                3 => {
                    let output = permits.try_acquire();
                    assert_eq!(output.is_some(), !model.locked());
                    model.value -= usize::from(output.is_some());
                    held.extend(output);
                }
                4 => {
                    // By hand, one too many now and then, also while permits are out.
                    assert_eq!(permits.release().is_ok(), model.value < bound);
                    if model.value < bound {
                        woken = model.release();
                    }
                }
                5 => {
                    if !held.is_empty() {
                        drop(held.swap_remove(random.below(held.len())));
                        if model.value < bound {
                            woken = model.release();
                        }
                    }
                }
                6 | 7 => {
                    let id = if random.below(2) == 0 { one_of(model.granted(), random) } else { crowd.anyone(random) };
                    if let Some(id) = id {
                        let output = crowd.poll(id, random);
                        let (mine, others) = model.poll(id);
                        assert_eq!(output.is_some(), mine);
                        held.extend(output);
                        woken = others;
                    }
                }
                _ => {
                    if let Some(id) = crowd.anyone(random) {
                        crowd.waiting.remove(&id);
                        woken = model.drop(id);
                    }
                }
            }
            assert_eq!(crowd.woken(), woken);
            assert_eq!((permits.available(), permits.is_locked()), (model.value, model.locked()));
        }
    });
}

/// Who waits for a lock: a reader or a writer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Asks {
    Read(Id),
    Write(Id),
}

/// One line, from whose front those go in who may. What was granted counts as had.
#[derive(Default, Debug)]
struct RwLockModel {
    readers: usize,
    written: bool,
    line: VecDeque<Asks>,
    granted: BTreeSet<Asks>,
}

impl RwLockModel {
    fn may_go_in(&self, who: Asks) -> bool {
        !self.written && (matches!(who, Asks::Read(_)) || self.readers == 0)
    }

    fn enter(&mut self, who: Asks) {
        match who {
            Asks::Read(_) => self.readers += 1,
            Asks::Write(_) => self.written = true,
        }
    }

    fn leave(&mut self, who: Asks) {
        match who {
            Asks::Read(_) => self.readers -= 1,
            Asks::Write(_) => self.written = false,
        }
    }

    fn try_enter(&mut self, who: Asks) -> bool {
        let free = self.line.is_empty() && self.may_go_in(who);
        if free {
            self.enter(who);
        }
        free
    }

    fn come(&mut self, who: Asks) -> bool {
        let free = self.try_enter(who);
        if !free {
            self.line.push_back(who);
        }
        free
    }

    fn admit(&mut self) -> BTreeSet<Asks> {
        let mut woken = BTreeSet::new();
        while let Some(&who) = self.line.front()
            && self.may_go_in(who)
        {
            self.line.pop_front();
            self.enter(who);
            self.granted.insert(who);
            woken.insert(who);
        }
        woken
    }

    fn drop(&mut self, who: Asks) -> BTreeSet<Asks> {
        self.line.retain(|&other| other != who);
        if self.granted.remove(&who) {
            self.leave(who);
        }
        self.admit()
    }
}

pub(crate) fn a_rwlock_does_as_the_model<W: Hosted>(_: &mut W) {
    with_seeds(SEEDS * 2, |random| {
        let lock = RwLock::new(0);
        let mut model = RwLockModel::default();
        let (mut readers, mut writers) = (Crowd::new(), Crowd::new());
        let mut reading: Vec<RwLockReadGuard<'_, u32>> = Vec::new();
        let mut writing: Option<RwLockWriteGuard<'_, u32>> = None;
        let mut writes = 0;
        for _ in 0..STEPS {
            let mut woken = BTreeSet::new();
            let (mut reads, mut written) = (None, None);
            match random.below(14) {
                0..=2 => {
                    let (id, output) = readers.come(lock.read(), random);
                    assert_eq!(output.is_some(), model.come(Asks::Read(id)));
                    reads = output;
                }
                3 | 4 => {
                    let (id, output) = writers.come(lock.write(), random);
                    assert_eq!(output.is_some(), model.come(Asks::Write(id)));
                    written = output;
                }
                5 => {
                    reads = lock.try_read();
                    assert_eq!(reads.is_some(), model.try_enter(Asks::Read(0)));
                    if reads.is_none() {
                        written = lock.try_write();
                        assert_eq!(written.is_some(), model.try_enter(Asks::Write(0)));
                    }
                }
                6 | 7 => {
                    if let Some(mut guard) = writing.take() {
                        *guard += 1;
                        writes += 1;
                        model.leave(Asks::Write(0));
                        if random.below(3) == 0 {
                            reads = Some(RwLockWriteGuard::downgrade(guard));
                            model.enter(Asks::Read(0));
                        }
                        woken = model.admit();
                    } else if !reading.is_empty() {
                        drop(reading.swap_remove(random.below(reading.len())));
                        model.leave(Asks::Read(0));
                        woken = model.admit();
                    }
                }
                8..=11 => {
                    let anyone = match random.below(2) {
                        0 => readers.anyone(random).map(Asks::Read),
                        _ => writers.anyone(random).map(Asks::Write),
                    };
                    let granted = model.granted.iter().nth(random.below(model.granted.len().max(1))).copied();
                    let who = if random.below(3) == 0 { anyone } else { granted };
                    match who {
                        Some(who @ Asks::Read(id)) => {
                            reads = readers.poll(id, random);
                            assert_eq!(reads.is_some(), model.granted.remove(&who));
                        }
                        Some(who @ Asks::Write(id)) => {
                            written = writers.poll(id, random);
                            assert_eq!(written.is_some(), model.granted.remove(&who));
                        }
                        None => {}
                    }
                }
                12 => {
                    if let Some(id) = readers.anyone(random) {
                        readers.waiting.remove(&id);
                        woken = model.drop(Asks::Read(id));
                    }
                }
                _ => {
                    if let Some(id) = writers.anyone(random) {
                        writers.waiting.remove(&id);
                        woken = model.drop(Asks::Write(id));
                    }
                }
            }
            reading.extend(reads);
            if written.is_some() {
                writing = written;
            }
            assert!(writing.is_none() || reading.is_empty(), "a writer is alone");
            assert!(reading.iter().all(|value| **value == writes));
            let mut rung: BTreeSet<_> = readers.woken().into_iter().map(Asks::Read).collect();
            rung.extend(writers.woken().into_iter().map(Asks::Write));
            assert_eq!(rung, woken);
            assert_eq!((lock.readers(), lock.is_written()), (model.readers, model.written));
        }
        drop((reading, writing, readers, writers));
        assert_eq!(lock.into_inner(), writes);
    });
}

/// A turn to make the value, and a line of those who would.
#[derive(Default, Debug)]
struct OnceModel {
    value: Option<u32>,
    /// Who has been told to make it, and who is at it.
    told: Option<Id>,
    making: Option<Id>,
    makers: VecDeque<Id>,
    waiters: Vec<Id>,
}

impl OnceModel {
    fn hand_on(&mut self) -> BTreeSet<Id> {
        self.told = self.makers.pop_front();
        self.told.into_iter().collect()
    }

    fn is_making(&self) -> bool {
        self.told.is_some() || self.making.is_some()
    }

    /// The makers and waiters that are woken by this.
    fn fill(&mut self, value: u32) -> (BTreeSet<Id>, BTreeSet<Id>) {
        self.value = Some(value);
        (self.makers.drain(..).collect(), self.waiters.drain(..).collect())
    }
}

pub(crate) fn a_once_cell_does_as_the_model<W: Hosted>(_: &mut W) {
    with_seeds(SEEDS * 4, |random| {
        let cell = OnceCell::new();
        let mut model = OnceModel::default();
        // What came of the making, once that is decided.
        let made: RefCell<BTreeMap<Id, Result<u32, u32>>> = RefCell::default();
        let begun: RefCell<BTreeSet<Id>> = RefCell::default();
        let (mut makers, mut waiters) = (Crowd::new(), Crowd::new());
        for _ in 0..STEPS / 4 {
            let mut woken = (BTreeSet::new(), BTreeSet::new());
            match random.below(12) {
                0..=2 => {
                    let (id, made, begun) = (makers.next, &made, &begun);
                    let make = move || {
                        begun.borrow_mut().insert(id);
                        poll_fn(move |_| made.borrow_mut().remove(&id).map_or(core::task::Poll::Pending, Into::into))
                    };
                    let (_, output) = makers.come(cell.get_or_try_init(make), random);
                    assert_eq!(output, model.value.as_ref().map(Ok));
                    if model.value.is_none() {
                        if model.is_making() {
                            model.makers.push_back(id);
                        } else {
                            model.making = Some(id);
                        }
                    }
                }
                3 => {
                    let (id, output) = waiters.come(cell.wait(), random);
                    assert_eq!(output, model.value.as_ref());
                    if output.is_none() {
                        model.waiters.push(id);
                    }
                }
                4 | 5 => {
                    if let Some(id) = model.told.take() {
                        assert_eq!(makers.poll(id, random), None);
                        model.making = Some(id);
                    }
                }
                6 => {
                    if let Some(id) = model.making {
                        let result = if random.below(8) == 0 { Ok(id) } else { Err(id) };
                        made.borrow_mut().insert(id, result);
                        let output = makers.poll(id, random);
                        model.making = None;
                        match result {
                            Ok(value) => {
                                assert_eq!(output, Some(Ok(&value)));
                                woken = model.fill(value);
                            }
                            Err(error) => {
                                assert_eq!(output, Some(Err(error)));
                                woken.0 = model.hand_on();
                            }
                        }
                    }
                }
                7 => {
                    let value = random.below(100) as u32;
                    if random.below(8) == 0 {
                        let expected = match model.value {
                            Some(_) => Err(SetError::Set(value)),
                            None if model.is_making() => Err(SetError::Making(value)),
                            None => Ok(()),
                        };
                        assert_eq!(cell.set(value), expected);
                        if expected.is_ok() {
                            woken = model.fill(value);
                        }
                    }
                }
                8 | 9 => {
                    // For another reason; or because the value is there.
                    if let Some(id) = makers.anyone(random)
                        && model.told != Some(id)
                    {
                        assert_eq!(makers.poll(id, random), model.value.as_ref().map(Ok));
                    }
                    if let Some(id) = waiters.anyone(random) {
                        assert_eq!(waiters.poll(id, random), model.value.as_ref());
                    }
                }
                10 => {
                    if let Some(id) = waiters.anyone(random) {
                        waiters.waiting.remove(&id);
                        model.waiters.retain(|&other| other != id);
                    }
                }
                _ => {
                    if let Some(id) = makers.anyone(random) {
                        makers.waiting.remove(&id);
                        model.makers.retain(|&other| other != id);
                        let turn =
                            (model.told.take_if(|told| *told == id)).or(model.making.take_if(|made| *made == id));
                        if turn.is_some() {
                            woken.0 = model.hand_on();
                        }
                    }
                }
            }
            assert_eq!((makers.woken(), waiters.woken()), woken);
            assert_eq!(cell.get(), model.value.as_ref());
            assert!(model.making.is_none_or(|id| begun.borrow().contains(&id)));
            assert!(model.told.is_none_or(|id| !begun.borrow().contains(&id)), "nobody begins before their turn");
        }
    });
}

/// A message, and who has yet to take it.
type Message = (u32, BTreeSet<Id>);

#[derive(Default, Debug)]
struct BroadcastModel {
    limit: usize,
    ring: VecDeque<Message>,
    /// What each receiver has lost.
    lost: BTreeMap<Id, u64>,
    line: VecDeque<Id>,
    promised: BTreeSet<Id>,
    listening: BTreeSet<Id>,
    closed: bool,
}

/// Those woken by a step: senders, and receivers.
type Woken = (BTreeSet<Id>, BTreeSet<Id>);

impl BroadcastModel {
    fn has_room(&self) -> bool {
        self.ring.len() + self.promised.len() < self.limit
    }

    fn put(&mut self, message: u32, woken: &mut Woken) -> usize {
        let receivers: BTreeSet<_> = self.lost.keys().copied().collect();
        let count = receivers.len();
        if count > 0 {
            self.ring.push_back((message, receivers));
        }
        woken.1.append(&mut self.listening);
        count
    }

    fn try_send(&mut self, message: u32, woken: &mut Woken) -> Result<usize, TrySendError<u32>> {
        if self.closed {
            return Err(TrySendError::Closed(message));
        }
        if !self.has_room() || !self.promised.is_empty() || !self.line.is_empty() {
            return Err(TrySendError::Full(message));
        }
        Ok(self.put(message, woken))
    }

    fn publish(&mut self, message: u32, woken: &mut Woken) -> Result<usize, SendError<u32>> {
        if self.closed {
            return Err(SendError::Closed(message));
        }
        if self.ring.len() == self.limit
            && let Some((_, left)) = self.ring.pop_front()
        {
            for id in left {
                *self.lost.get_mut(&id).expect("it is there") += 1;
            }
        }
        Ok(self.put(message, woken))
    }

    /// Promises room to one, if there is room.
    fn promise_one(&mut self, woken: &mut Woken) -> bool {
        let next = if self.has_room() && !self.closed { self.line.pop_front() } else { None };
        self.promised.extend(next);
        woken.0.extend(next);
        next.is_some()
    }

    /// Promises all the room there is.
    fn promise(&mut self, woken: &mut Woken) {
        while self.promise_one(woken) {}
    }

    fn come(&mut self, id: Id, message: u32, woken: &mut Woken) -> Option<Result<usize, SendError<u32>>> {
        match self.try_send(message, woken) {
            Ok(count) => Some(Ok(count)),
            Err(TrySendError::Closed(message)) => Some(Err(SendError::Closed(message))),
            Err(TrySendError::Full(_)) => {
                self.line.push_back(id);
                None
            }
        }
    }

    fn poll(&mut self, id: Id, message: u32, woken: &mut Woken) -> Option<Result<usize, SendError<u32>>> {
        let promised = self.promised.remove(&id);
        if self.closed {
            return Some(Err(SendError::Closed(message)));
        }
        if !promised {
            return None;
        }
        if self.ring.len() == self.limit {
            // Published in its place.
            self.line.push_back(id);
            return None;
        }
        let count = self.put(message, woken);
        self.promise(woken);
        Some(Ok(count))
    }

    fn try_recv(&mut self, id: Id, woken: &mut Woken) -> Result<u32, TryRecvError> {
        let lost = core::mem::take(self.lost.get_mut(&id).expect("it is there"));
        if lost > 0 {
            return Err(TryRecvError::Lagged(lost));
        }
        match self.ring.iter_mut().find(|(_, left)| left.contains(&id)) {
            Some((message, left)) => {
                let message = *message;
                left.remove(&id);
                self.drop_taken(woken);
                Ok(message)
            }
            None if self.closed => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    fn drop_taken(&mut self, woken: &mut Woken) {
        while self.ring.front().is_some_and(|(_, left)| left.is_empty()) {
            self.ring.pop_front();
        }
        assert!(self.ring.iter().all(|(_, left)| !left.is_empty()), "the oldest leaves first");
        self.promise_one(woken);
    }

    fn unsubscribe(&mut self, id: Id, woken: &mut Woken) {
        self.lost.remove(&id);
        // From one message to the next, as if it took them.
        while let Some((_, left)) = self.ring.iter_mut().find(|(_, left)| left.contains(&id)) {
            left.remove(&id);
            self.drop_taken(woken);
        }
    }
}

/// A message that knows how many of its kind are alive.
#[derive(Clone)]
struct Counted(u32, #[expect(dead_code, reason = "counted by its references")] Rc<()>);

type Place<'a, const N: usize> = Rc<RefCell<BroadcastReceiver<'a, Counted, N>>>;

#[expect(clippy::await_holding_refcell_ref, reason = "nobody else has it as long as this future is")]
async fn recv<const N: usize>(receiver: Place<'_, N>) -> Result<u32, RecvError> {
    receiver.borrow_mut().recv().await.map(|message| message.0)
}

fn broadcast<const N: usize>(random: &mut Random) {
    let channel = Broadcast::<Counted, N>::new();
    let alive = Rc::new(());
    let mut model = BroadcastModel { limit: N, ..BroadcastModel::default() };
    let (mut senders, mut listeners) = (Crowd::new(), Crowd::new());
    let mut sending: BTreeMap<Id, u32> = BTreeMap::new();
    // By the name of the receiver; of listeners there is one each at most.
    let mut receivers: BTreeMap<Id, Place<'_, N>> = BTreeMap::new();
    let mut listening: BTreeMap<Id, Id> = BTreeMap::new();
    for step in 0..STEPS as u32 {
        let mut woken = Woken::default();
        let message = || Counted(step, alive.clone());
        match random.below(24) {
            0 | 1 => {
                if receivers.len() < 4 {
                    receivers.insert(step, Rc::new(RefCell::new(channel.subscribe())));
                    model.lost.insert(step, 0);
                }
            }
            2 => {
                // Goes, with or without somebody who listens.
                if let Some(id) = one_of(receivers.keys().copied(), random) {
                    if let Some(listener) = listening.remove(&id) {
                        listeners.waiting.remove(&listener);
                        model.listening.remove(&listener);
                    }
                    receivers.remove(&id);
                    model.unsubscribe(id, &mut woken);
                }
            }
            3..=5 => {
                let (id, output) = senders.come(channel.send(message()), random);
                let output = output.map(|sent| sent.map_err(|SendError::Closed(message)| SendError::Closed(message.0)));
                assert_eq!(output, model.come(id, step, &mut woken));
                if output.is_none() {
                    sending.insert(id, step);
                }
            }
            6 => {
                let output = channel.try_send(message()).map_err(|error| match error {
                    TrySendError::Full(message) => TrySendError::Full(message.0),
                    TrySendError::Closed(message) => TrySendError::Closed(message.0),
                });
                assert_eq!(output, model.try_send(step, &mut woken));
            }
            7 => {
                let output =
                    channel.publish(message()).map_err(|SendError::Closed(message)| SendError::Closed(message.0));
                assert_eq!(output, model.publish(step, &mut woken));
            }
            8..=10 => {
                let promised = one_of(model.promised.iter().copied(), random);
                let id = if random.below(3) == 0 { senders.anyone(random) } else { promised };
                if let Some(id) = id {
                    let output = senders.poll(id, random);
                    let output =
                        output.map(|sent| sent.map_err(|SendError::Closed(message)| SendError::Closed(message.0)));
                    assert_eq!(output, model.poll(id, sending[&id], &mut woken));
                }
            }
            11 => {
                if let Some(id) = senders.anyone(random) {
                    senders.waiting.remove(&id);
                    model.promised.remove(&id);
                    model.line.retain(|&other| other != id);
                    model.promise(&mut woken);
                }
            }
            12..=14 => {
                let free: Vec<_> = receivers.keys().copied().filter(|id| !listening.contains_key(id)).collect();
                if let Some(id) = one_of(free, random) {
                    let (listener, output) = listeners.come(recv(receivers[&id].clone()), random);
                    match model.try_recv(id, &mut woken) {
                        Ok(message) => assert_eq!(output, Some(Ok(message))),
                        Err(TryRecvError::Lagged(lost)) => assert_eq!(output, Some(Err(RecvError::Lagged(lost)))),
                        Err(TryRecvError::Closed) => assert_eq!(output, Some(Err(RecvError::Closed))),
                        Err(TryRecvError::Empty) => {
                            assert_eq!(output, None);
                            listening.insert(id, listener);
                            model.listening.insert(listener);
                        }
                    }
                }
            }
            15..=17 => {
                if let Some(id) = one_of(listening.keys().copied(), random) {
                    let listener = listening[&id];
                    let output = listeners.poll(listener, random);
                    let expected = match model.try_recv(id, &mut woken) {
                        Ok(message) => Some(Ok(message)),
                        Err(TryRecvError::Lagged(lost)) => Some(Err(RecvError::Lagged(lost))),
                        Err(TryRecvError::Closed) => Some(Err(RecvError::Closed)),
                        Err(TryRecvError::Empty) => None,
                    };
                    assert_eq!(output, expected);
                    if output.is_some() {
                        listening.remove(&id);
                        model.listening.remove(&listener);
                    }
                }
            }
            18 => {
                // Stops to listen, and stays.
                if let Some(id) = one_of(listening.keys().copied(), random)
                    && let Some(listener) = listening.remove(&id)
                {
                    listeners.waiting.remove(&listener);
                    model.listening.remove(&listener);
                }
            }
            19..=22 => {
                let free: Vec<_> = receivers.keys().copied().filter(|id| !listening.contains_key(id)).collect();
                if let Some(id) = one_of(free, random) {
                    let output = receivers[&id].borrow_mut().try_recv().map(|message| message.0);
                    assert_eq!(output, model.try_recv(id, &mut woken));
                }
            }
            _ => {
                if step > STEPS as u32 * 3 / 4 && random.below(8) == 0 && !model.closed {
                    channel.close();
                    model.closed = true;
                    woken.0.extend(model.line.drain(..));
                    woken.1.append(&mut model.listening);
                }
            }
        }
        assert_eq!((senders.woken(), listeners.woken()), woken);
        assert_eq!((channel.len(), channel.receivers()), (model.ring.len(), receivers.len()));
        assert_eq!(channel.is_closed(), model.closed);
        for (&id, receiver) in receivers.iter().filter(|(id, _)| !listening.contains_key(id)) {
            let unread = model.ring.iter().filter(|(_, left)| left.contains(&id)).count();
            assert_eq!(receiver.borrow().len(), unread as u64 + model.lost[&id]);
        }
        let references = Rc::strong_count(&alive) - 1;
        assert_eq!(references, model.ring.len() + senders.waiting.len(), "each is in the ring or with its sender");
    }
}

pub(crate) fn a_broadcast_does_as_the_model<W: Hosted>(_: &mut W) {
    with_seeds(SEEDS, broadcast::<1>);
    with_seeds(SEEDS, broadcast::<2>);
    with_seeds(SEEDS, broadcast::<4>);
}

type Follower<'a> = Rc<RefCell<WatchReceiver<'a, u32>>>;

#[expect(clippy::await_holding_refcell_ref, reason = "nobody else has it as long as this future is")]
async fn changed(receiver: Follower<'_>) {
    receiver.borrow_mut().changed().await;
}

pub(crate) fn a_watch_does_as_the_model<W: Hosted>(_: &mut W) {
    with_seeds(SEEDS, |random| {
        let watch = Watch::new(0);
        // The value, and how often it was changed; what each receiver has seen of that.
        let (mut value, mut version) = (0, 0);
        let mut receivers: Vec<(Follower<'_>, u32)> = Vec::new();
        // Who waits, for which receiver, and whether it was woken.
        let mut waiting: BTreeMap<Id, (usize, bool)> = BTreeMap::new();
        let mut crowd = Crowd::new();
        for step in 0..STEPS as u32 {
            let mut woken = BTreeSet::new();
            let before = version;
            match random.below(12) {
                0 => {
                    if receivers.len() < 5 {
                        receivers.push((Rc::new(RefCell::new(watch.subscribe())), version));
                    }
                }
                1 => {
                    watch.send(step);
                    (value, version) = (step, version + 1);
                }
                2 => {
                    assert_eq!(watch.replace(step), value);
                    (value, version) = (step, version + 1);
                }
                3 => {
                    let odd = value % 2 == 1;
                    let done = watch.send_if_modified(|value| {
                        *value += 1;
                        odd
                    });
                    assert_eq!(done, odd);
                    (value, version) = (value + u32::from(odd), version + u32::from(odd));
                }
                4 => {
                    watch.modify(|value| *value += 3);
                    (value, version) = (value + 3, version + 1);
                }
                5..=7 => {
                    let busy: BTreeSet<_> = waiting.values().map(|(place, _)| *place).collect();
                    let free = (0..receivers.len()).filter(|place| !busy.contains(place)).map(|place| place as Id);
                    if let Some(place) = one_of(free, random) {
                        let (receiver, seen) = &mut receivers[place as usize];
                        if random.below(4) == 0 {
                            assert_eq!(receiver.borrow().has_changed(), *seen != version);
                            assert_eq!(receiver.borrow_mut().get(), value);
                            *seen = version;
                        } else {
                            let (id, output) = crowd.come(changed(receiver.clone()), random);
                            assert_eq!(output.is_some(), *seen != version);
                            if output.is_some() {
                                *seen = version;
                            } else {
                                waiting.insert(id, (place as usize, false));
                            }
                        }
                    }
                }
                8..=10 => {
                    if let Some(id) = crowd.anyone(random) {
                        let (place, told) = waiting[&id];
                        let output = crowd.poll(id, random);
                        assert_eq!(output.is_some(), told);
                        if told {
                            waiting.remove(&id);
                            receivers[place].1 = version;
                        }
                    }
                }
                _ => {
                    // Whatever it was told is still to be seen.
                    if let Some(id) = crowd.anyone(random) {
                        crowd.waiting.remove(&id);
                        waiting.remove(&id);
                    }
                }
            }
            if version != before {
                for (&id, (_, told)) in &mut waiting {
                    if !core::mem::replace(told, true) {
                        woken.insert(id);
                    }
                }
            }
            assert_eq!(crowd.woken(), woken);
            assert_eq!(watch.get(), value);
        }
    });
}

pub(crate) fn a_signal_does_as_the_model<W: Hosted>(_: &mut W) {
    with_seeds(SEEDS * 2, |random| {
        let signal = Signal::new();
        let (mut latest, mut told, mut line) = (None, None, VecDeque::new());
        let mut crowd = Crowd::new();
        for step in 0..STEPS as u32 {
            let mut woken = BTreeSet::new();
            match random.below(9) {
                0..=2 => {
                    let free = told.is_none() && line.is_empty();
                    let (id, output) = crowd.come(signal.wait(), random);
                    assert_eq!(output, if free { latest.take() } else { None });
                    if output.is_none() {
                        line.push_back(id);
                    }
                }
                3 => {
                    let free = told.is_none() && line.is_empty();
                    assert_eq!(signal.try_take(), if free { latest.take() } else { None });
                }
                4 | 5 => {
                    signal.signal(step);
                    latest = Some(step);
                }
                6 => {
                    if random.below(4) == 0 {
                        signal.reset();
                        latest = None;
                    }
                }
                7 => {
                    let id = if random.below(2) == 0 { told } else { crowd.anyone(random) };
                    if let Some(id) = id {
                        let mine = told.take_if(|told| *told == id).is_some();
                        let output = crowd.poll(id, random);
                        assert_eq!(output, if mine { latest.take() } else { None });
                        if mine && output.is_none() {
                            line.push_back(id);
                        }
                    }
                }
                _ => {
                    if let Some(id) = crowd.anyone(random) {
                        crowd.waiting.remove(&id);
                        line.retain(|&other| other != id);
                        told.take_if(|told| *told == id);
                    }
                }
            }
            if latest.is_some() && told.is_none() {
                told = line.pop_front();
                woken.extend(told);
            }
            assert_eq!(crowd.woken(), woken);
            assert_eq!(signal.is_signaled(), latest.is_some());
        }
    });
}
