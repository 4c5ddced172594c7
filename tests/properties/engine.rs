//! Histories: tasks that wait for one thing in all the ways there are, and are dropped and cancelled at all times, as a
//! seed says.
//!
//! A driver, which is the main task, has clients come and go, has the thing under test give somebody something, from a task
//! or from another thread, and lets time pass. Now and then it waits until all is quiet, and then what must hold is
//! checked: by the subject, whose model of the thing has kept pace; and here, that who waits was not polled in vain. At the
//! end everybody who is left is served, in the order in which they came.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use corio::{Duration, Either, Runner, Task, now, select, sleep, spawn, timeout, yield_now};
use corio_sim::{Outside, SimReactor};

pub(crate) const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Steps of a history.
const STEPS: usize = 120;
/// Seeds of a test, unless `CORIO_SEEDS` says otherwise.
const SEEDS: u64 = 100;
/// Clients at a time, at most.
const CROWD: usize = 14;

/// [`Subject::elsewhere`] of one that other threads may use.
#[macro_export]
macro_rules! elsewhere {
    () => {
        fn elsewhere(this: &Arc<Self>, dice: u64) -> Option<Box<dyn FnOnce() + Send>> {
            let this = this.clone();
            Some(Box::new(move || this.act(dice)))
        }
    };
}

/// What is waited for.
///
/// It is used by tasks and by threads, never by two at a time, so its model can keep pace with it: between a poll and what
/// is noted of that in the model nothing else runs.
pub(crate) trait Subject: Sized + 'static {
    /// In how many ways it can be waited for.
    const LINES: usize = 1;
    /// Who was told has what they wait for: a wait takes two steps at most.
    const DIRECT: bool = true;
    /// A newcomer may find what somebody who was told has not come for yet.
    const NEWCOMERS_FIRST: bool = false;
    /// Whoever waits at the end can be served.
    const ALL_SERVED: bool = true;

    /// One in a state that the dice choose.
    fn new(random: &mut Random) -> Self;

    /// One for which nearly everybody who comes to that line has to wait.
    fn scarce(line: usize) -> Self;

    /// Of the lines that are served in one order of arrival, the name; none if a line has no order.
    fn order(line: usize) -> Option<usize> {
        Some(line)
    }

    /// One who comes, waits by [`Me::wait`], and keeps what they got for as long as [`Me::hold`] takes.
    fn client(this: Arc<Self>, me: Me, line: usize) -> impl Future<Output = ()>;

    /// Does something that others may have waited for.
    fn act(&self, dice: u64);

    /// `act` for another thread, if those may use it.
    fn elsewhere(_this: &Arc<Self>, _dice: u64) -> Option<Box<dyn FnOnce() + Send>> {
        None
    }

    /// Serves somebody who waits, if there is one.
    fn serve(&self) {
        self.act(0);
    }

    /// What holds when all is quiet.
    fn check(&self, standing: &Standing);

    /// What holds when everybody is gone.
    fn last(&self) {}
}

/// Who is where, by line.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pub(crate) waiting: Vec<usize>,
    pub(crate) holding: Vec<usize>,
    /// The numbers of those who wait.
    pub(crate) who_waits: Vec<usize>,
}

/// A generator of random numbers: splitmix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn with(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Waiting,
    Has,
    Over,
}

/// Through what the task polls what it waits for.
#[derive(Clone, Copy, Debug)]
enum Style {
    Plain,
    /// By a waker that is not the task's own.
    Foreign,
    /// Within a limit on time.
    Limited(Duration),
    /// Beside something that never comes.
    Beside,
}

/// Says what happens, when one seed is run alone.
macro_rules! note {
    ($($arguments:tt)*) => {
        if is_alone() {
            eprintln!($($arguments)*);
        }
    };
}

fn is_alone() -> bool {
    static ALONE: OnceLock<bool> = OnceLock::new();
    *ALONE.get_or_init(|| std::env::var_os("CORIO_SEED").is_some())
}

struct Client {
    number: usize,
    line: usize,
    style: Style,
    stage: Cell<Stage>,
    /// Its number in the order of arrival, from its first poll on.
    arrived: Cell<u64>,
    polls: Cell<usize>,
    released: Cell<bool>,
    /// It is to drop what it waits for, and go.
    quits: Cell<bool>,
    /// It does.
    has_quit: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// One who was served.
struct Served {
    line: usize,
    arrived: u64,
    polls: usize,
    number: usize,
}

/// What a client is given.
pub(crate) struct Me {
    client: Rc<Client>,
    arrivals: Rc<Cell<u64>>,
    served: Rc<RefCell<Vec<Served>>>,
}

impl Drop for Me {
    fn drop(&mut self) {
        note!("  {} is gone, having been {:?}", self.client.number, self.client.stage.get());
        self.client.stage.set(Stage::Over);
        // It may name another task by then.
        drop(self.client.waker.take());
    }
}

impl Me {
    pub(crate) fn number(&self) -> usize {
        self.client.number
    }

    /// True if it has dropped what it waited for of its own accord, its task not being cancelled.
    pub(crate) fn has_quit(&self) -> bool {
        self.client.has_quit.get()
    }

    /// Waits for `future`, in the client's style. None: its time was up, or it was told to go.
    pub(crate) async fn wait<F: Future>(&self, future: F) -> Option<F::Output> {
        let watched = self.watched(future);
        match self.client.style {
            Style::Plain => watched.await,
            Style::Foreign => Relayed::new(pin!(watched)).await,
            Style::Limited(limit) => timeout(limit, watched).await.ok().flatten(),
            Style::Beside => match select((watched, pending::<()>())).await {
                Either::First(output) => output,
                Either::Second(()) => unreachable!("it never comes"),
            },
        }
    }

    async fn watched<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let client = &*self.client;
        client.polls.set(0);
        poll_fn(|cx| {
            if client.polls.get() == 0 {
                client.arrived.set(self.arrivals.get());
                self.arrivals.set(self.arrivals.get() + 1);
            }
            if client.quits.get() {
                note!("  {} quits", client.number);
                client.has_quit.set(true);
                return Poll::Ready(None);
            }
            client.polls.set(client.polls.get() + 1);
            let Poll::Ready(output) = future.as_mut().poll(cx) else {
                note!("  {} waits", client.number);
                client.stage.set(Stage::Waiting);
                *client.waker.borrow_mut() = Some(cx.waker().clone());
                return Poll::Pending;
            };
            note!("  {} has it", client.number);
            client.stage.set(Stage::Has);
            drop(client.waker.take());
            let (line, arrived, polls) = (client.line, client.arrived.get(), client.polls.get());
            self.served.borrow_mut().push(Served { line, arrived, polls, number: client.number });
            Poll::Ready(Some(output))
        })
        .await
    }

    /// Keeps what it has, until the driver has had enough of it.
    pub(crate) async fn hold(&self) {
        poll_fn(|cx| {
            if self.client.released.replace(false) {
                return Poll::Ready(());
            }
            *self.client.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// Polls by a waker of its own, which passes on to the task's.
struct Relayed<'a, F> {
    future: Pin<&'a mut F>,
    relay: Arc<Relay>,
}

struct Relay(Mutex<Option<Waker>>);

impl<'a, F> Relayed<'a, F> {
    fn new(future: Pin<&'a mut F>) -> Self {
        Self { future, relay: Arc::new(Relay(Mutex::new(None))) }
    }
}

impl<F: Future> Future for Relayed<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        *self.relay.0.lock().expect("not poisoned") = Some(cx.waker().clone());
        let waker = Waker::from(self.relay.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        let waker = self.0.lock().expect("not poisoned").clone();
        waker.expect("polled before").wake();
    }
}

struct Driver<S> {
    subject: Arc<S>,
    random: Random,
    /// None: other threads act by themselves, at any time, and nothing can be checked before they are done.
    outside: Option<Outside>,
    clients: Vec<(Rc<Client>, Option<Task<()>>)>,
    next: usize,
    favoured: usize,
    arrivals: Rc<Cell<u64>>,
    served: Rc<RefCell<Vec<Served>>>,
    /// How often another thread has acted.
    acted: Arc<AtomicUsize>,
}

impl<S: Subject> Driver<S> {
    fn new(subject: Arc<S>, mut random: Random, outside: Option<Outside>) -> Self {
        Self {
            subject,
            favoured: random.below(S::LINES),
            random,
            outside,
            clients: Vec::new(),
            next: 0,
            arrivals: Rc::default(),
            served: Rc::default(),
            acted: Arc::default(),
        }
    }

    async fn step(&mut self) {
        match self.random.below(16) {
            0..=4 => self.come(),
            5 => {
                let all = self.with_handles();
                self.cut_off(all);
            }
            6 => {
                // Who has waited longest is likely to be the one that is served.
                note!("act");
                self.subject.act(self.random.next());
                let mut first = self.with_handles();
                first.retain(|&place| self.clients[place].0.stage.get() == Stage::Waiting);
                first.truncate(2);
                self.cut_off(first);
            }
            7..=9 => self.release_one(),
            10 => {
                note!("act");
                self.subject.act(self.random.next());
            }
            11 | 12 => {
                let (when, dice) = (now() + MS * self.random.below(3) as u32, self.random.next());
                if let Some(outside) = &self.outside
                    && let Some(act) = S::elsewhere(&self.subject, dice)
                {
                    let acted = self.acted.clone();
                    outside.at(when, move || {
                        note!("act, elsewhere");
                        act();
                        acted.fetch_add(1, SeqCst);
                    });
                }
            }
            13 => {
                note!("turns");
                for _ in 0..self.random.below(4) {
                    yield_now().await;
                }
            }
            14 => {
                note!("time");
                sleep(MS * self.random.below(4) as u32).await;
            }
            _ if self.outside.is_some() => self.settle().await,
            _ => self.turns().await,
        }
    }

    fn come(&mut self) {
        if self.clients.iter().filter(|(client, _)| client.stage.get() != Stage::Over).count() >= CROWD {
            return;
        }
        // Lines grow long where most go to the same one.
        if self.random.below(20) == 0 {
            self.favoured = self.random.below(S::LINES);
        }
        let line = if self.random.below(4) == 0 { self.random.below(S::LINES) } else { self.favoured };
        let style = match self.random.below(8) {
            0 | 1 => Style::Foreign,
            2 => Style::Limited(MS * self.random.below(12) as u32),
            3 => Style::Beside,
            _ => Style::Plain,
        };
        note!("{} comes, to line {line}: {style:?}", self.next);
        self.one(line, style);
        let (_, task) = self.clients.last_mut().expect("one has come");
        match self.random.below(24) {
            0 => *task = None,
            1 => drop(task.as_ref().expect("just put there").cancel()),
            _ => {}
        }
    }

    fn one(&mut self, line: usize, style: Style) {
        let client = Rc::new(Client {
            number: self.next,
            line,
            style,
            stage: Cell::new(Stage::New),
            arrived: Cell::new(0),
            polls: Cell::new(0),
            released: Cell::new(false),
            quits: Cell::new(false),
            has_quit: Cell::new(false),
            waker: RefCell::new(None),
        });
        self.next += 1;
        let me = Me { client: client.clone(), arrivals: self.arrivals.clone(), served: self.served.clone() };
        let task = spawn(S::client(self.subject.clone(), me, line));
        self.clients.push((client, Some(task)));
    }

    /// Those who are there, and have a handle.
    fn with_handles(&self) -> Vec<usize> {
        let there = |(client, task): &(Rc<Client>, Option<_>)| client.stage.get() != Stage::Over && task.is_some();
        (0..self.clients.len()).filter(|&place| there(&self.clients[place])).collect()
    }

    /// Cuts one of them off, in one of the ways.
    fn cut_off(&mut self, places: Vec<usize>) {
        if places.is_empty() {
            return;
        }
        let (client, task) = &mut self.clients[places[self.random.below(places.len())]];
        match self.random.below(3) {
            0 => {
                note!("cancel {}", client.number);
                task.as_ref().expect("it has a handle").cancel();
            }
            1 => {
                // Which cancels it.
                note!("let go of {}", client.number);
                *task = None;
            }
            _ if client.stage.get() == Stage::Waiting => {
                note!("{} is to quit", client.number);
                client.quits.set(true);
                // None: it was told before.
                if let Some(waker) = client.waker.take() {
                    waker.wake();
                }
            }
            _ => {}
        }
    }

    fn release_one(&mut self) {
        let has = |client: &Client| client.stage.get() == Stage::Has && client.waker.borrow().is_some();
        let all: Vec<_> = self.clients.iter().map(|(client, _)| client).filter(|client| has(client)).collect();
        if !all.is_empty() {
            release(all[self.random.below(all.len())]);
        }
    }

    /// Waits until nobody has anything left to do, and checks.
    async fn settle(&mut self) {
        loop {
            let acted = self.acted.load(SeqCst);
            self.turns().await;
            if self.acted.load(SeqCst) == acted {
                break;
            }
        }
        let standing = self.standing();
        note!("quiet: {standing:?}");
        self.subject.check(&standing);
        if S::DIRECT {
            for (client, _) in self.clients.iter().filter(|(client, _)| client.stage.get() == Stage::Waiting) {
                assert_eq!(
                    client.polls.get(),
                    1,
                    "{} was polled and has nothing, in line {}",
                    client.number,
                    client.line
                );
            }
        }
    }

    async fn turns(&self) {
        // Each may be told once more by the one before.
        for _ in 0..8 + 4 * self.clients.len() {
            yield_now().await;
        }
    }

    fn standing(&self) -> Standing {
        let mut standing = Standing { waiting: vec![0; S::LINES], holding: vec![0; S::LINES], who_waits: Vec::new() };
        for (client, _) in &self.clients {
            match client.stage.get() {
                Stage::Waiting => {
                    standing.waiting[client.line] += 1;
                    standing.who_waits.push(client.number);
                }
                Stage::Has => standing.holding[client.line] += 1,
                Stage::New | Stage::Over => {}
            }
        }
        standing
    }

    /// Serves all who are left.
    async fn finish(mut self) {
        while self.outside.as_ref().is_some_and(Outside::is_pending) {
            sleep(MS).await;
        }
        for _ in 0..20 * CROWD {
            self.clients.iter().for_each(|(client, _)| release(client));
            self.subject.serve();
            sleep(MS).await;
            self.settle().await;
            if self.clients.iter().all(|(client, _)| client.stage.get() == Stage::Over) {
                break;
            }
        }
        let left = self.standing();
        assert!(!S::ALL_SERVED || left.who_waits.is_empty(), "nobody serves {:?}: {left:?}", left.who_waits);
        for (_, task) in self.clients.drain(..) {
            drop(task);
        }
        yield_now().await;
        yield_now().await;
        self.subject.last();
        if self.outside.is_some() {
            in_order::<S>(&self.served.borrow());
        }
    }
}

fn release(client: &Client) {
    if client.stage.get() != Stage::Has {
        return;
    }
    if let Some(waker) = client.waker.take() {
        note!("release {}", client.number);
        client.released.set(true);
        waker.wake();
    }
}

/// Those who were served in the same order have come in it.
fn in_order<S: Subject>(served: &[Served]) {
    for order in (0..S::LINES).filter_map(S::order) {
        let same = |served: &&Served| S::order(served.line) == Some(order) && (served.polls > 1 || !S::NEWCOMERS_FIRST);
        let all: Vec<_> = served.iter().filter(same).collect();
        for pair in all.windows(2) {
            assert!(
                pair[0].arrived < pair[1].arrived,
                "{} was served before {}, and came after it",
                pair[0].number,
                pair[1].number
            );
        }
    }
    if S::DIRECT {
        for served in served {
            assert!(served.polls <= 2, "{} was polled {} times", served.number, served.polls);
        }
    }
}

/// Histories of a subject, one for each seed. A failure says how to run it alone.
pub(crate) fn histories<S: Subject>(name: &str) {
    with_seeds(name, |seed| {
        let sim = SimReactor::seeded(seed);
        let outside = sim.outside();
        let mut runner = Runner::new(sim);
        let history = async {
            let mut random = Random(seed);
            let mut driver = Driver::new(Arc::new(S::new(&mut random)), random, Some(outside));
            for _ in 0..STEPS {
                driver.step().await;
            }
            driver.finish().await;
        };
        runner.run(history).unwrap_or_else(|error| panic!("{error}"));
        runner.close().unwrap_or_else(|error| panic!("{error}"));
    });
}

/// As many who wait as there are polls, however long they wait, and whatever others do.
pub(crate) fn idle<S: Subject>() {
    const N: usize = 40;
    for line in 0..S::LINES {
        let sim = SimReactor::new();
        let outside = sim.outside();
        Runner::new(sim)
            .run(async {
                let mut driver = Driver::new(Arc::new(S::scarce(line)), Random(0), Some(outside));
                for n in 0..N {
                    let styles = [Style::Plain, Style::Foreign, Style::Limited(HOUR * 100), Style::Beside];
                    driver.one(line, styles[n % styles.len()]);
                }
                driver.turns().await;
                let waiting: Vec<_> = driver
                    .clients
                    .iter()
                    .map(|(client, _)| client.clone())
                    .filter(|client| client.stage.get() == Stage::Waiting)
                    .collect();
                assert!(waiting.len() >= N - 4, "{} wait in line {line}", waiting.len());
                for _ in 0..10 {
                    spawn(yield_now()).detach();
                    sleep(HOUR).await;
                    driver.turns().await;
                }
                let polls: usize = waiting.iter().map(|client| client.polls.get()).sum();
                assert_eq!(polls, waiting.len(), "polls of those who wait in line {line}");
            })
            .unwrap();
    }
}

/// Histories on a real loop, while other threads act as they like. What is checked is what is left at the end.
pub(crate) fn threads<S: Subject + Send + Sync>() {
    for seed in 0..8 {
        let history = async {
            let mut random = Random(seed);
            let subject = Arc::new(S::new(&mut random));
            let threads: Vec<_> = (1..=2)
                .map(|thread| {
                    let (subject, mut random) = (subject.clone(), Random(seed + thread * 1000));
                    std::thread::spawn(move || {
                        for _ in 0..300 {
                            subject.act(random.next());
                            std::thread::yield_now();
                        }
                    })
                })
                .collect();
            let mut driver = Driver::new(subject, random, None);
            for _ in 0..STEPS {
                driver.step().await;
            }
            for thread in threads {
                thread.join().expect("a thread failed");
            }
            driver.finish().await;
        };
        corio_mio::run(history).expect("the loop runs");
    }
}

/// Runs `test` with many seeds, or with the one that `CORIO_SEED` says.
fn with_seeds(name: &str, test: impl Fn(u64)) {
    let number = |key: &str| {
        let text = std::env::var(key).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|error| panic!("{key} is a number, not {text:?}: {error}")))
    };
    let seeds = match number("CORIO_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CORIO_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
            let owned = payload.downcast_ref::<String>().map(String::as_str);
            let why = owned.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message");
            panic!(
                "with the seed {seed}: {why}\nto run this alone: \
                 CORIO_SEED={seed} cargo test -p corio-tests --test properties {name} -- --nocapture"
            );
        }
    }
}
