//! Items, values and messages: each is in one place, and comes in its order.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};

use corio::{Broadcast, LifoQueue, OneShot, PriorityQueue, Queue, QueueOf, Signal, Store, Watch};

use crate::engine::{Me, Random, Standing, Subject};

/// The order in which a queue gives its items out.
pub(crate) trait Order: Send + Sync + 'static {
    const CAPACITY: usize = 3;

    type Queue: Like + Default + Send + Sync;

    /// Takes the next one out of the model, in which they are in the order in which they came.
    fn next(items: &mut Vec<u64>) -> u64;
}

/// A queue of whatever order.
pub(crate) trait Like {
    fn like(&self) -> &QueueOf<u64, impl Store<u64>>;
}

impl<S: Store<u64>> Like for QueueOf<u64, S> {
    fn like(&self) -> &QueueOf<u64, impl Store<u64>> {
        self
    }
}

pub(crate) struct Fifo;
pub(crate) struct Lifo;
pub(crate) struct Priority;

impl Order for Fifo {
    type Queue = Queue<u64, 3>;

    fn next(items: &mut Vec<u64>) -> u64 {
        items.remove(0)
    }
}

impl Order for Lifo {
    type Queue = LifoQueue<u64, 3>;

    fn next(items: &mut Vec<u64>) -> u64 {
        items.pop().expect("not empty")
    }
}

impl Order for Priority {
    type Queue = PriorityQueue<u64, 3>;

    fn next(items: &mut Vec<u64>) -> u64 {
        let least = (0..items.len()).min_by_key(|&place| items[place]).expect("not empty");
        items.remove(least)
    }
}

/// Those who get, those who put, and those who wait until all is done.
pub(crate) struct OfQueue<O: Order> {
    queue: O::Queue,
    /// What is in the queue, in the order in which it came.
    model: Mutex<Vec<u64>>,
    numbers: AtomicU64,
    _order: PhantomData<O>,
}

const GETTERS: usize = 0;
const PUTTERS: usize = 1;
const JOINERS: usize = 2;

impl<O: Order> OfQueue<O> {
    fn model(&self) -> MutexGuard<'_, Vec<u64>> {
        self.model.lock().expect("not poisoned")
    }

    /// An item unlike the others, neither in rising nor in falling order.
    fn item(&self) -> u64 {
        (self.numbers.fetch_add(1, SeqCst) * 7919) % 10_007
    }

    fn was_put(&self, item: u64) {
        self.model().push(item);
    }

    fn was_got(&self, item: u64) {
        let next = O::next(&mut self.model());
        assert_eq!(item, next, "the next item");
        self.queue.like().task_done().expect("an item was got");
    }

    fn try_put(&self) {
        let item = self.item();
        if self.queue.like().try_put(item).is_ok() {
            self.was_put(item);
        }
    }

    fn try_get(&self) -> bool {
        let got = self.queue.like().try_get();
        got.iter().for_each(|&item| self.was_got(item));
        got.is_ok()
    }
}

impl<O: Order> Subject for OfQueue<O> {
    crate::elsewhere!();

    const LINES: usize = 3;
    // Who was told may find that a newcomer was there first, and lines up anew.
    const DIRECT: bool = false;

    fn new(_: &mut Random) -> Self {
        Self { queue: O::Queue::default(), model: Mutex::default(), numbers: 0.into(), _order: PhantomData }
    }

    fn scarce(line: usize) -> Self {
        let this = Self::new(&mut Random::with(0));
        for _ in 0..if line == GETTERS { 0 } else { O::CAPACITY } {
            this.try_put();
        }
        this
    }

    // It is the order of the items that is kept.
    fn order(_: usize) -> Option<usize> {
        None
    }

    async fn client(this: Arc<Self>, me: Me, line: usize) {
        let queue = this.queue.like();
        match line {
            GETTERS => {
                let get = async { this.was_got(queue.get().await.expect("it is not shut down")) };
                me.wait(get).await;
            }
            PUTTERS => {
                let item = this.item();
                let put = async {
                    queue.put(item).await.expect("it is not shut down");
                    this.was_put(item);
                };
                me.wait(put).await;
            }
            _ => {
                me.wait(queue.join()).await;
            }
        }
    }

    fn act(&self, dice: u64) {
        match dice % 2 {
            0 => self.try_put(),
            _ => _ = self.try_get(),
        }
    }

    fn serve(&self) {
        if self.model().is_empty() {
            self.try_put();
        } else {
            while self.try_get() {}
        }
    }

    fn check(&self, standing: &Standing) {
        let (items, waiting) = (self.model().len(), &standing.waiting);
        assert_eq!(self.queue.like().len(), items, "items");
        assert!(items == 0 || waiting[GETTERS] == 0, "there are {items} items: {standing:?}");
        assert!(items == O::CAPACITY || waiting[PUTTERS] == 0, "there are {items} items: {standing:?}");
        assert!(items > 0 || waiting[JOINERS] == 0, "all is done: {standing:?}");
    }

    fn last(&self) {
        while self.try_get() {}
        assert!(self.model().is_empty(), "nothing is lost: {:?}", self.model());
    }
}

/// Receivers, each of which gets each message since it came, and senders.
#[derive(Default)]
pub(crate) struct OfBroadcast {
    channel: Broadcast<u64, 3>,
    model: Mutex<Sent>,
}

#[derive(Default)]
struct Sent {
    /// All, in order.
    messages: Vec<u64>,
    /// How many of them each receiver has had, or come after.
    receivers: BTreeMap<usize, usize>,
    numbers: u64,
}

impl Sent {
    /// How many are in the channel.
    fn left(&self) -> usize {
        self.receivers.values().min().map_or(0, |slowest| self.messages.len() - slowest)
    }
}

impl OfBroadcast {
    fn model(&self) -> MutexGuard<'_, Sent> {
        self.model.lock().expect("not poisoned")
    }

    fn number(&self) -> u64 {
        let mut model = self.model();
        model.numbers += 1;
        model.numbers
    }
}

struct Leaves<'a>(&'a OfBroadcast, usize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.model().receivers.remove(&self.1);
    }
}

impl Subject for OfBroadcast {
    crate::elsewhere!();

    const LINES: usize = 2;
    const DIRECT: bool = false;

    fn new(_: &mut Random) -> Self {
        Self::default()
    }

    fn scarce(line: usize) -> Self {
        let this = Self::default();
        if line == 1 {
            // One receives nothing, for good.
            std::mem::forget(this.channel.subscribe());
            while this.channel.try_send(0).is_ok() {}
        }
        this
    }

    fn order(line: usize) -> Option<usize> {
        (line == 1).then_some(1)
    }

    async fn client(this: Arc<Self>, me: Me, line: usize) {
        if line == 1 {
            let number = this.number();
            let send = async {
                let receivers = this.channel.send(number).await.expect("it is not closed");
                let mut model = this.model();
                assert_eq!(receivers, model.receivers.len());
                if receivers > 0 {
                    model.messages.push(number);
                }
            };
            me.wait(send).await;
            return;
        }
        let mut receiver = this.channel.subscribe();
        let _leaves = {
            let mut model = this.model();
            let next = model.messages.len();
            model.receivers.insert(me.number(), next);
            Leaves(&this, me.number())
        };
        for _ in 0..1 + me.number() % 3 {
            let recv = async {
                let message = receiver.recv().await.expect("nothing is overwritten");
                let mut model = this.model();
                let next = model.receivers[&me.number()];
                assert_eq!(message, model.messages[next], "the next message");
                model.receivers.insert(me.number(), next + 1);
            };
            if me.wait(recv).await.is_none() {
                return;
            }
            me.hold().await;
        }
    }

    fn act(&self, _: u64) {
        let number = self.number();
        if let Ok(receivers) = self.channel.try_send(number) {
            let mut model = self.model();
            assert_eq!(receivers, model.receivers.len());
            if receivers > 0 {
                model.messages.push(number);
            }
        }
    }

    fn check(&self, standing: &Standing) {
        let model = self.model();
        assert!(model.left() == 3 || standing.waiting[1] == 0, "there is room: {standing:?}");
        for (number, next) in &model.receivers {
            let waits = standing.who_waits.contains(number);
            assert!(!waits || *next == model.messages.len(), "there is a message for {number}: {standing:?}");
        }
    }
}

/// The last of a row of values, and those who wait for the next.
#[derive(Default)]
pub(crate) struct OfWatch {
    watch: Watch<u64>,
    /// What each has seen.
    seen: Mutex<BTreeMap<usize, u64>>,
}

impl Subject for OfWatch {
    crate::elsewhere!();

    const NEWCOMERS_FIRST: bool = true;

    fn new(_: &mut Random) -> Self {
        Self::default()
    }

    fn scarce(_: usize) -> Self {
        Self::default()
    }

    async fn client(this: Arc<Self>, me: Me, _: usize) {
        let mut receiver = this.watch.subscribe();
        for _ in 0..1 + me.number() % 3 {
            let before = receiver.get();
            this.seen.lock().expect("not poisoned").insert(me.number(), before);
            if me.wait(receiver.changed()).await.is_none() {
                return;
            }
            let after = receiver.get();
            assert!(after > before, "it has changed");
            assert_eq!(after, this.watch.get(), "the last value");
        }
    }

    fn act(&self, _: u64) {
        self.watch.send(self.watch.get() + 1);
    }

    fn check(&self, standing: &Standing) {
        let (seen, last) = (self.seen.lock().expect("not poisoned"), self.watch.get());
        for number in &standing.who_waits {
            assert_eq!(seen[number], last, "{number} has seen the last value: {standing:?}");
        }
    }
}

/// A value that is sent once, for one.
#[derive(Default)]
pub(crate) struct OfOneShot {
    shot: OneShot<u64>,
    /// Sent, received.
    model: Mutex<(bool, bool)>,
}

impl Subject for OfOneShot {
    crate::elsewhere!();

    const DIRECT: bool = false;
    const ALL_SERVED: bool = false;

    fn new(_: &mut Random) -> Self {
        Self::default()
    }

    fn scarce(_: usize) -> Self {
        Self::default()
    }

    async fn client(this: Arc<Self>, me: Me, _: usize) {
        let recv = async {
            assert_eq!(this.shot.recv().await, 7);
            let mut model = this.model.lock().expect("not poisoned");
            assert_eq!(*model, (true, false));
            model.1 = true;
        };
        me.wait(recv).await;
    }

    fn act(&self, dice: u64) {
        if dice.is_multiple_of(8) {
            let mut model = self.model.lock().expect("not poisoned");
            assert_eq!(self.shot.send(7).is_ok(), !model.0);
            model.0 = true;
        }
    }

    fn check(&self, standing: &Standing) {
        let (sent, received) = *self.model.lock().expect("not poisoned");
        assert!(!sent || received || standing.waiting[0] == 0, "the value is there: {standing:?}");
    }

    fn last(&self) {
        let (sent, received) = *self.model.lock().expect("not poisoned");
        assert_eq!(self.shot.try_recv().is_some(), sent && !received);
    }
}

/// The latest of a row of values, for one of those who wait.
#[derive(Default)]
pub(crate) struct OfSignal {
    signal: Signal<u64>,
    /// The last that was given, and the one that is there.
    model: Mutex<(u64, Option<u64>)>,
}

impl Subject for OfSignal {
    crate::elsewhere!();

    // Who was told may find that a newcomer was there first.
    const DIRECT: bool = false;

    fn new(_: &mut Random) -> Self {
        Self::default()
    }

    fn scarce(_: usize) -> Self {
        Self::default()
    }

    fn order(_: usize) -> Option<usize> {
        None
    }

    async fn client(this: Arc<Self>, me: Me, _: usize) {
        let wait = async {
            let value = this.signal.wait().await;
            let mut model = this.model.lock().expect("not poisoned");
            assert_eq!(Some(value), model.1.take(), "the latest, once");
        };
        me.wait(wait).await;
    }

    fn act(&self, _: u64) {
        let mut model = self.model.lock().expect("not poisoned");
        model.0 += 1;
        model.1 = Some(model.0);
        let value = model.0;
        drop(model);
        self.signal.signal(value);
    }

    fn check(&self, standing: &Standing) {
        let there = self.model.lock().expect("not poisoned").1;
        assert!(there.is_none() || standing.waiting[0] == 0, "{there:?} is there: {standing:?}");
        assert_eq!(self.signal.is_signaled(), there.is_some());
    }

    fn last(&self) {
        assert_eq!(self.signal.try_take(), self.model.lock().expect("not poisoned").1);
    }
}
