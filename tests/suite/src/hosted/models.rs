//! Random histories, compared step by step with models of asyncio's primitives: who is woken, who gets what, and in which
//! order, with waiters polled at any time and dropped at any stage.
//!
//! A model is asyncio's code with lists in place of futures. A failure names its seed.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use corio::{
    DynLifoQueue, DynPriorityQueue, DynQueue, Event, LifoQueue, Mutex, MutexGuard, Permit, PriorityQueue, PutError,
    Queue, QueueOf, RawLock, Semaphore, ShutDown, Shutdown, Store, TryGetError, TryPutError,
};

use super::{Hosted, Random, Wakes, with_seeds};

pub(super) mod beyond;

const SEEDS: u64 = 60;
const STEPS: usize = 400;

/// A future that waits, and the counter of its wakes.
struct Waiting<F> {
    future: Pin<Box<F>>,
    wakes: Arc<Wakes>,
    waker: Waker,
}

impl<F: Future> Waiting<F> {
    fn new(future: F) -> Self {
        let (wakes, waker) = Wakes::new();
        Self { future: Box::pin(future), wakes, waker }
    }

    /// Polls it; its waker is a new one now and then.
    fn poll(&mut self, random: &mut Random) -> Option<F::Output> {
        if random.below(4) == 0 {
            let pending = self.wakes.take();
            (self.wakes, self.waker) = Wakes::new();
            for _ in 0..pending {
                self.waker.wake_by_ref();
            }
        }
        match self.future.as_mut().poll(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}

type Id = u32;

/// Those who wait, by name.
struct Crowd<F> {
    waiting: BTreeMap<Id, Waiting<F>>,
    next: Id,
}

impl<F: Future> Crowd<F> {
    fn new() -> Self {
        Self { waiting: BTreeMap::new(), next: 0 }
    }

    /// Somebody comes, and is polled for the first time.
    fn come(&mut self, future: F, random: &mut Random) -> (Id, Option<F::Output>) {
        let id = self.next;
        self.next += 1;
        let mut waiting = Waiting::new(future);
        let output = waiting.poll(random);
        if output.is_none() {
            self.waiting.insert(id, waiting);
        }
        (id, output)
    }

    fn poll(&mut self, id: Id, random: &mut Random) -> Option<F::Output> {
        let output = self.waiting.get_mut(&id).expect("it waits").poll(random);
        if output.is_some() {
            self.waiting.remove(&id);
        }
        output
    }

    fn anyone(&self, random: &mut Random) -> Option<Id> {
        let n = self.waiting.len();
        (n > 0).then(|| *self.waiting.keys().nth(random.below(n)).expect("within"))
    }

    /// Those who were woken since the last call, each once.
    #[track_caller]
    fn woken(&self) -> BTreeSet<Id> {
        let mut woken = BTreeSet::new();
        for (&id, waiting) in &self.waiting {
            match waiting.wakes.take() {
                0 => {}
                1 => drop(woken.insert(id)),
                n => panic!("{id} was woken {n} times for one grant"),
            }
        }
        woken
    }
}

/// One of those the model has woken, or anyone, as the dice fall.
fn one_of(ids: impl IntoIterator<Item = Id>, random: &mut Random) -> Option<Id> {
    let ids: Vec<_> = ids.into_iter().collect();
    (!ids.is_empty()).then(|| ids[random.below(ids.len())])
}

/// asyncio's Lock, the waiter that was woken being as good as the holder for newcomers.
#[derive(Default, Debug)]
struct LockModel {
    locked: bool,
    handed: Option<Id>,
    line: VecDeque<Id>,
}

impl LockModel {
    fn is_free(&self) -> bool {
        !self.locked && self.handed.is_none() && self.line.is_empty()
    }

    fn hand_on(&mut self) -> BTreeSet<Id> {
        self.handed = self.line.pop_front();
        self.handed.into_iter().collect()
    }

    fn come(&mut self, id: Id) -> bool {
        let free = self.is_free();
        if free {
            self.locked = true;
        } else {
            self.line.push_back(id);
        }
        free
    }

    fn poll(&mut self, id: Id) -> bool {
        let mine = self.handed == Some(id);
        if mine {
            (self.handed, self.locked) = (None, true);
        }
        mine
    }

    fn drop(&mut self, id: Id) -> BTreeSet<Id> {
        if self.handed == Some(id) {
            return self.hand_on();
        }
        self.line.retain(|&other| other != id);
        BTreeSet::new()
    }

    fn release(&mut self) -> BTreeSet<Id> {
        self.locked = false;
        self.hand_on()
    }
}

pub(crate) fn a_raw_lock_does_as_the_model<W: Hosted>(_: &mut W) {
    with_seeds(SEEDS, |random| {
        let lock = RawLock::new();
        let (mut model, mut crowd) = (LockModel::default(), Crowd::new());
        for _ in 0..STEPS {
            let mut woken = BTreeSet::new();
            match random.below(8) {
                0 | 1 => {
                    let (id, output) = crowd.come(lock.acquire(), random);
                    assert_eq!(output.is_some(), model.come(id));
                }
                2 => {
                    assert_eq!(lock.try_acquire(), model.is_free());
                    model.locked |= model.is_free();
                }
                3 => {
                    assert_eq!(lock.release().is_ok(), model.locked);
                    if model.locked {
                        woken = model.release();
                    }
                }
                4 | 5 => {
                    if let Some(id) = model.handed {
                        assert_eq!(crowd.poll(id, random).is_some(), model.poll(id));
                    }
                }
                6 => {
                    if let Some(id) = crowd.anyone(random) {
                        assert_eq!(crowd.poll(id, random).is_some(), model.poll(id));
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
            assert_eq!(lock.is_locked(), model.locked);
        }
    });
}

pub(crate) fn a_mutex_does_as_the_model<W: Hosted>(_: &mut W) {
    with_seeds(SEEDS, |random| {
        let mutex = Mutex::new(0);
        let mut held: Option<MutexGuard<'_, u32>> = None;
        let (mut model, mut crowd, mut writes) = (LockModel::default(), Crowd::new(), 0);
        for _ in 0..STEPS {
            let mut woken = BTreeSet::new();
            let mut got = None;
            match random.below(8) {
                0 | 1 => {
                    let (id, output) = crowd.come(mutex.lock(), random);
                    assert_eq!(output.is_some(), model.come(id));
                    got = output;
                }
                2 => {
                    got = mutex.try_lock();
                    assert_eq!(got.is_some(), model.is_free());
                    model.locked |= model.is_free();
                }
                3 => {
                    assert_eq!(held.is_some(), model.locked);
                    if let Some(mut guard) = held.take() {
                        *guard += 1;
                        writes += 1;
                        woken = model.release();
                    }
                }
                4 | 5 => {
                    if let Some(id) = model.handed {
                        got = crowd.poll(id, random);
                        assert_eq!(got.is_some(), model.poll(id));
                    }
                }
                6 => {
                    if let Some(id) = crowd.anyone(random) {
                        got = crowd.poll(id, random);
                        assert_eq!(got.is_some(), model.poll(id));
                    }
                }
                _ => {
                    if let Some(id) = crowd.anyone(random) {
                        crowd.waiting.remove(&id);
                        woken = model.drop(id);
                    }
                }
            }
            if got.is_some() {
                assert!(held.is_none(), "one holder at a time");
                held = got;
            }
            assert_eq!(crowd.woken(), woken);
            assert_eq!(mutex.is_locked(), model.locked);
        }
        drop((held, crowd));
        assert_eq!(mutex.into_inner(), writes);
    });
}

/// asyncio's Semaphore.
#[derive(Default, Debug)]
struct SemaphoreModel {
    value: usize,
    line: VecDeque<(Id, bool)>,
}

impl SemaphoreModel {
    fn locked(&self) -> bool {
        self.value == 0 || !self.line.is_empty()
    }

    fn wake_next(&mut self) -> Option<Id> {
        let next = self.line.iter_mut().find(|(_, granted)| !granted)?;
        next.1 = true;
        self.value -= 1;
        Some(next.0)
    }

    fn wake_all(&mut self) -> BTreeSet<Id> {
        let mut woken = BTreeSet::new();
        while self.value > 0
            && let Some(id) = self.wake_next()
        {
            woken.insert(id);
        }
        woken
    }

    fn come(&mut self, id: Id) -> bool {
        let free = !self.locked();
        if free {
            self.value -= 1;
        } else {
            self.line.push_back((id, false));
        }
        free
    }

    fn granted(&self) -> Vec<Id> {
        self.line.iter().filter(|(_, granted)| *granted).map(|(id, _)| *id).collect()
    }

    fn poll(&mut self, id: Id) -> (bool, BTreeSet<Id>) {
        let place = self.line.iter().position(|(other, _)| *other == id).expect("it waits");
        if !self.line[place].1 {
            return (false, BTreeSet::new());
        }
        self.line.remove(place);
        (true, self.wake_all())
    }

    fn drop(&mut self, id: Id) -> BTreeSet<Id> {
        let place = self.line.iter().position(|(other, _)| *other == id).expect("it waits");
        if self.line.remove(place).is_some_and(|(_, granted)| granted) {
            self.value += 1;
        }
        self.wake_all()
    }

    fn release(&mut self) -> BTreeSet<Id> {
        self.value += 1;
        self.wake_next().into_iter().collect()
    }
}

pub(crate) fn a_semaphore_does_as_the_model<W: Hosted>(_: &mut W) {
    with_seeds(SEEDS, |random| {
        let start = random.below(3);
        let permits = Semaphore::new(start);
        let mut model = SemaphoreModel { value: start, ..SemaphoreModel::default() };
        let mut crowd = Crowd::new();
        let mut held: Vec<Permit<'_>> = Vec::new();
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
                    if model.value < 4 {
                        permits.release();
                        woken = model.release();
                    }
                }
                5 => {
                    if !held.is_empty() {
                        drop(held.swap_remove(random.below(held.len())));
                        woken = model.release();
                    }
                }
                6 => {
                    if let Some(id) = one_of(model.granted(), random) {
                        let output = crowd.poll(id, random);
                        let (mine, others) = model.poll(id);
                        assert_eq!(output.is_some(), mine);
                        held.extend(output);
                        woken = others;
                    }
                }
                7 => {
                    if let Some(id) = crowd.anyone(random) {
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

pub(crate) fn an_event_does_as_the_model<W: Hosted>(_: &mut W) {
    with_seeds(SEEDS, |random| {
        let event = Event::new();
        let (mut set, mut line, mut granted) = (false, Vec::new(), BTreeSet::new());
        let mut crowd = Crowd::new();
        for _ in 0..STEPS {
            let mut woken = BTreeSet::new();
            match random.below(8) {
                0..=2 => {
                    let (id, output) = crowd.come(event.wait(), random);
                    assert_eq!(output.is_some(), set);
                    if !set {
                        line.push(id);
                    }
                }
                3 => {
                    event.set();
                    if !core::mem::replace(&mut set, true) {
                        woken = line.drain(..).collect();
                        granted.extend(woken.clone());
                    }
                }
                4 => {
                    event.clear();
                    set = false;
                }
                5 | 6 => {
                    if let Some(id) = crowd.anyone(random) {
                        assert_eq!(crowd.poll(id, random).is_some(), granted.remove(&id));
                    }
                }
                _ => {
                    if let Some(id) = crowd.anyone(random) {
                        crowd.waiting.remove(&id);
                        line.retain(|&other| other != id);
                        granted.remove(&id);
                    }
                }
            }
            assert_eq!(crowd.woken(), woken);
            assert_eq!(event.is_set(), set);
        }
    });
}

/// The order in which a model gives its items out.
#[derive(Clone, Copy)]
enum Order {
    Fifo,
    Lifo,
    Priority,
}

/// asyncio's Queue.
struct QueueModel {
    order: Order,
    limit: usize,
    items: Vec<u32>,
    getters: VecDeque<Id>,
    putters: VecDeque<Id>,
    woken_getters: BTreeSet<Id>,
    woken_putters: BTreeSet<Id>,
    joiners: BTreeSet<Id>,
    woken_joiners: BTreeSet<Id>,
    unfinished: usize,
    shut: bool,
}

/// Who is woken by a step: getters, putters, joiners.
#[derive(Default, Debug, PartialEq, Eq)]
struct Woken(BTreeSet<Id>, BTreeSet<Id>, BTreeSet<Id>);

impl QueueModel {
    fn is_full(&self) -> bool {
        self.limit > 0 && self.items.len() >= self.limit
    }

    fn wake_getter(&mut self, woken: &mut Woken) {
        if let Some(id) = self.getters.pop_front() {
            self.woken_getters.insert(id);
            woken.0.insert(id);
        }
    }

    fn wake_putter(&mut self, woken: &mut Woken) {
        if let Some(id) = self.putters.pop_front() {
            self.woken_putters.insert(id);
            woken.1.insert(id);
        }
    }

    fn put_nowait(&mut self, item: u32, woken: &mut Woken) -> Result<(), TryPutError<u32>> {
        if self.shut {
            return Err(TryPutError::ShutDown(item));
        }
        if self.is_full() {
            return Err(TryPutError::Full(item));
        }
        self.items.push(item);
        self.unfinished += 1;
        self.wake_getter(woken);
        Ok(())
    }

    fn get_nowait(&mut self, woken: &mut Woken) -> Result<u32, TryGetError> {
        let place = match self.order {
            _ if self.items.is_empty() => {
                return Err(if self.shut { TryGetError::ShutDown } else { TryGetError::Empty });
            }
            Order::Fifo => 0,
            Order::Lifo => self.items.len() - 1,
            Order::Priority => {
                let least = self.items.iter().min().expect("not empty");
                self.items.iter().position(|item| item == least).expect("it is in")
            }
        };
        let item = self.items.remove(place);
        self.wake_putter(woken);
        Ok(item)
    }

    /// A getter that has come, or was woken.
    fn get(&mut self, id: Id, woken: &mut Woken) -> Option<Result<u32, ShutDown>> {
        match self.get_nowait(woken) {
            Ok(item) => Some(Ok(item)),
            Err(TryGetError::ShutDown) => Some(Err(ShutDown)),
            Err(TryGetError::Empty) => {
                self.getters.push_back(id);
                None
            }
        }
    }

    /// A putter that has come, or was woken.
    fn put(&mut self, id: Id, item: u32, woken: &mut Woken) -> Option<Result<(), PutError<u32>>> {
        match self.put_nowait(item, woken) {
            Ok(()) => Some(Ok(())),
            Err(TryPutError::ShutDown(item)) => Some(Err(PutError::ShutDown(item))),
            Err(TryPutError::Full(_)) => {
                self.putters.push_back(id);
                None
            }
        }
    }

    fn drop_getter(&mut self, id: Id, woken: &mut Woken) {
        self.getters.retain(|&other| other != id);
        if self.woken_getters.remove(&id) && !self.items.is_empty() {
            self.wake_getter(woken);
        }
    }

    fn drop_putter(&mut self, id: Id, woken: &mut Woken) {
        self.putters.retain(|&other| other != id);
        if self.woken_putters.remove(&id) && !self.is_full() {
            self.wake_putter(woken);
        }
    }

    fn all_done(&mut self, woken: &mut Woken) {
        let joiners = core::mem::take(&mut self.joiners);
        self.woken_joiners.extend(&joiners);
        woken.2.extend(joiners);
    }

    fn task_done(&mut self, woken: &mut Woken) -> bool {
        let Some(left) = self.unfinished.checked_sub(1) else { return false };
        self.unfinished = left;
        if left == 0 {
            self.all_done(woken);
        }
        true
    }

    fn shutdown(&mut self, how: Shutdown, woken: &mut Woken) {
        self.shut = true;
        if how == Shutdown::Immediate {
            self.unfinished -= self.items.len().min(self.unfinished);
            self.items.clear();
            if self.unfinished == 0 {
                self.all_done(woken);
            }
        }
        while !self.getters.is_empty() {
            self.wake_getter(woken);
        }
        while !self.putters.is_empty() {
            self.wake_putter(woken);
        }
    }
}

/// An item that knows how many of its kind are alive.
struct Counted(u32, #[expect(dead_code, reason = "counted by its references")] Rc<()>);

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Counted {}
impl PartialOrd for Counted {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Counted {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

fn history<S: Store<Counted>>(order: Order, make: impl Fn(usize) -> QueueOf<Counted, S>) {
    with_seeds(SEEDS, |random| {
        let (queue, alive) = (make(random.below(4)), Rc::new(()));
        let limit = queue.capacity().unwrap_or(0);
        let mut model = QueueModel {
            order,
            limit,
            items: Vec::new(),
            getters: VecDeque::new(),
            putters: VecDeque::new(),
            woken_getters: BTreeSet::new(),
            woken_putters: BTreeSet::new(),
            joiners: BTreeSet::new(),
            woken_joiners: BTreeSet::new(),
            unfinished: 0,
            shut: false,
        };
        let (mut getters, mut putters, mut joiners) = (Crowd::new(), Crowd::new(), Crowd::new());
        let putting = RefCell::new(BTreeMap::new());
        let mut numbers = (0..STEPS as u32).map(|n| (n * 7919) % 10_007);
        for step in 0..STEPS {
            let mut woken = Woken::default();
            let got = |got: Option<Result<Counted, ShutDown>>| got.map(|got| got.map(|item| item.0));
            let put = |put: Option<Result<(), PutError<Counted>>>| {
                put.map(|put| put.map_err(|PutError::ShutDown(item)| PutError::ShutDown(item.0)))
            };
            match random.below(18) {
                0..=2 => {
                    let (id, output) = getters.come(queue.get(), random);
                    assert_eq!(got(output), model.get(id, &mut woken));
                }
                3..=5 => {
                    let item = numbers.next().expect("one a step");
                    let (id, output) = putters.come(queue.put(Counted(item, alive.clone())), random);
                    putting.borrow_mut().insert(id, item);
                    assert_eq!(put(output), model.put(id, item, &mut woken));
                }
                6 => {
                    let item = numbers.next().expect("one a step");
                    let result = queue.try_put(Counted(item, alive.clone())).map_err(|error| match error {
                        TryPutError::Full(item) => TryPutError::Full(item.0),
                        TryPutError::ShutDown(item) => TryPutError::ShutDown(item.0),
                    });
                    assert_eq!(result, model.put_nowait(item, &mut woken));
                }
                7 => assert_eq!(queue.try_get().map(|item| item.0), model.get_nowait(&mut woken)),
                8 | 9 => {
                    if let Some(id) = one_of(model.woken_getters.clone(), random) {
                        model.woken_getters.remove(&id);
                        assert_eq!(got(getters.poll(id, random)), model.get(id, &mut woken));
                    }
                }
                10 | 11 => {
                    if let Some(id) = one_of(model.woken_putters.clone(), random) {
                        model.woken_putters.remove(&id);
                        let item = putting.borrow()[&id];
                        assert_eq!(put(putters.poll(id, random)), model.put(id, item, &mut woken));
                    }
                }
                12 => {
                    // Polled for another reason: who was not woken gets nothing.
                    if let Some(id) = getters.anyone(random)
                        && !model.woken_getters.contains(&id)
                    {
                        assert_eq!(got(getters.poll(id, random)), None);
                    }
                    if let Some(id) = putters.anyone(random)
                        && !model.woken_putters.contains(&id)
                    {
                        assert_eq!(put(putters.poll(id, random)), None);
                    }
                }
                13 => {
                    if let Some(id) = getters.anyone(random) {
                        getters.waiting.remove(&id);
                        model.drop_getter(id, &mut woken);
                    }
                }
                14 => {
                    if let Some(id) = putters.anyone(random) {
                        putters.waiting.remove(&id);
                        model.drop_putter(id, &mut woken);
                    }
                }
                15 => assert_eq!(queue.task_done().is_ok(), model.task_done(&mut woken)),
                16 => {
                    let (id, output) = joiners.come(queue.join(), random);
                    assert_eq!(output.is_some(), model.unfinished == 0);
                    if output.is_none() {
                        model.joiners.insert(id);
                    }
                    if let Some(id) = one_of(model.woken_joiners.clone(), random) {
                        model.woken_joiners.remove(&id);
                        assert!(joiners.poll(id, random).is_some(), "all was done, if only for a moment");
                    }
                }
                _ => {
                    if step > STEPS * 3 / 4 && random.below(8) == 0 {
                        let how = if random.below(2) == 0 { Shutdown::Drain } else { Shutdown::Immediate };
                        queue.shutdown(how);
                        model.shutdown(how, &mut woken);
                    }
                }
            }
            assert_eq!(Woken(getters.woken(), putters.woken(), joiners.woken()), woken);
            assert_eq!(queue.len(), model.items.len());
            assert_eq!(queue.is_full(), model.is_full());
            assert_eq!(queue.is_shut_down(), model.shut);
            assert_eq!(
                Rc::strong_count(&alive) - 1,
                model.items.len() + putters.waiting.len(),
                "each item is in the queue or with its putter"
            );
        }
    });
}

pub(crate) fn a_queue_does_as_the_model<W: Hosted>(_: &mut W) {
    history(Order::Fifo, DynQueue::new);
}

pub(crate) fn a_lifo_queue_does_as_the_model<W: Hosted>(_: &mut W) {
    history(Order::Lifo, DynLifoQueue::new);
}

pub(crate) fn a_priority_queue_does_as_the_model<W: Hosted>(_: &mut W) {
    history(Order::Priority, DynPriorityQueue::new);
}

pub(crate) fn queues_without_a_heap_do_as_the_model<W: Hosted>(_: &mut W) {
    history(Order::Fifo, |_| Queue::<Counted, 3>::new());
    history(Order::Lifo, |_| LifoQueue::<Counted, 2>::new());
    history(Order::Priority, |_| PriorityQueue::<Counted, 4>::new());
}
