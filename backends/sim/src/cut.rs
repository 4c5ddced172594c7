//! `cancel_everywhere`: a scenario that is run again and again, and each time cut off at another point.
//!
//! ```text
//!   run 0: drop before the first poll           ─► the rest of the scenario checks
//!   run 1: poll ─► Pending ─► drop              ─► checks
//!   run 2: poll ─► Pending ─► poll ─► Pending ─► drop ─► checks
//!   run n: poll ─► … ─► Ready: it has ended by itself, so there are no more points; on to the next way
//! ```
//!
//! What the n-th run does is known from n alone, for the simulator repeats itself; so a failure names its point, and that
//! point can be run by itself.

use crate::SimReactor;
use core::cell::Cell;
use core::fmt;
use core::future::{Future, IntoFuture, pending, poll_fn, ready};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use corio::{RunError, Runner, Task, TimeLimit, current_task, finally, now, spawn};
use std::any::Any;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// Names one point in the environment, to be run alone: `CORIO_CUT=drop:3`.
const REPLAY: &str = "CORIO_CUT";

/// Whoever is suspended so often is taken to go on for ever.
const MOST: usize = 10_000;

/// How the future under test is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is dropped where it waits. Point 0 is before its first poll.
    Drop,
    /// It is dropped when it was woken, in place of the step that it was woken for.
    DropWoken,
    /// It is cancelled where it waits. Point 0 is before its first poll.
    Cancel,
    /// It is cancelled when it was woken, before it knows what for.
    CancelWoken,
}

impl Way {
    /// All there are, in the order in which they are tried.
    pub const ALL: [Self; 4] = [Self::Drop, Self::DropWoken, Self::Cancel, Self::CancelWoken];

    const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::DropWoken => "drop-woken",
            Self::Cancel => "cancel",
            Self::CancelWoken => "cancel-woken",
        }
    }

    const fn cancels(self) -> bool {
        matches!(self, Self::Cancel | Self::CancelWoken)
    }

    /// It waits for the step after.
    const fn when_woken(self) -> bool {
        matches!(self, Self::DropWoken | Self::CancelWoken)
    }

    /// Nothing is woken before it has waited.
    const fn first(self) -> usize {
        self.when_woken() as usize
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drop => "dropped at",
            Self::DropWoken => "dropped when woken from",
            Self::Cancel => "cancelled at",
            Self::CancelWoken => "cancelled when woken from",
        })
    }
}

/// Runs `scenario` many times, each in a simulation of its own, and cuts the future that it puts under test off at every
/// point at which that waits: by dropping it, by cancelling it, and by both in the moment in which it was woken.
///
/// A scenario builds its world, has the future under test run by [`Cut::apply`] (or [`Cut::spawn`]), and then checks
/// whatever must hold, whether the future came to its end or was cut off. Returned is the number of points.
///
/// ```
/// use corio::{DynQueue, sleep, spawn, Duration};
/// use std::rc::Rc;
///
/// let points = corio_sim::cancel_everywhere(async |cut| {
///     let queue = Rc::new(DynQueue::new(0));
///     let producer = spawn({
///         let queue = queue.clone();
///         async move {
///             for item in 1..=2 {
///                 sleep(Duration::from_secs(1)).await;
///                 queue.try_put(item).unwrap();
///             }
///         }
///     });
///
///     let mut got = Vec::new();
///     cut.apply(async {
///         while got.len() < 2 {
///             got.push(queue.get().await.unwrap());
///         }
///     }).await;
///
///     // `get` loses nothing: wherever the consumer was cut off, both items are to be had.
///     producer.await.unwrap();
///     while let Ok(item) = queue.try_get() {
///         got.push(item);
///     }
///     assert_eq!(got, [1, 2]);
/// });
/// assert_eq!(points, 2);
/// ```
///
/// # Panics
/// When a run does, or deadlocks: a wake-up was lost. The message says in which way and at which point the future was cut
/// off, and how to run that alone: with `CORIO_CUT=drop:3` in the environment.
///
/// ```should_panic
/// # use std::cell::Cell;
/// corio_sim::cancel_everywhere(async |cut| {
///     let busy = Cell::new(false);
///     cut.apply(async {
///         busy.set(true);
///         corio::yield_now().await; // dropped here, it leaves the flag up
///         busy.set(false);
///     }).await;
///     assert!(!busy.get());
/// });
/// ```
#[track_caller]
pub fn cancel_everywhere(scenario: impl AsyncFn(&Cut)) -> usize {
    CancelEverywhere::new().run(scenario)
}

/// [`cancel_everywhere`] with options.
///
/// ```
/// use corio_sim::{CancelEverywhere, Way};
///
/// let points = CancelEverywhere::new().ways(&[Way::Drop]).run(async |cut| {
///     cut.apply(corio::yield_now()).await;
/// });
/// assert_eq!(points, 1);
/// ```
#[derive(Clone, Debug)]
pub struct CancelEverywhere {
    ways: Vec<Way>,
    only: Option<(Way, usize)>,
}

impl Default for CancelEverywhere {
    fn default() -> Self {
        Self::new()
    }
}

impl CancelEverywhere {
    /// All ways, at all points; or what `CORIO_CUT` in the environment names.
    ///
    /// # Panics
    /// When it names no point.
    #[track_caller]
    pub fn new() -> Self {
        let only = env::var(REPLAY).ok().map(|text| match parse(&text) {
            Some(point) => point,
            None => panic!("corio: {REPLAY} is a way and a point, `drop:3` or `cancel-woken:1`; it is {text:?}"),
        });
        Self { ways: Way::ALL.to_vec(), only }
    }

    /// In these ways only.
    pub fn ways(mut self, ways: &[Way]) -> Self {
        self.ways = ways.to_vec();
        self
    }

    /// In this way and at this point only.
    pub fn only(mut self, way: Way, point: usize) -> Self {
        self.only = Some((way, point));
        self
    }

    /// Runs the scenario in simulations: see [`cancel_everywhere`].
    ///
    /// # Panics
    /// See [`cancel_everywhere`].
    #[track_caller]
    pub fn run(&self, scenario: impl AsyncFn(&Cut)) -> usize {
        self.run_on(
            |main| {
                let mut runner = Runner::new(SimReactor::new());
                runner.run(main).and_then(|()| runner.close().map_err(RunError::Park))
            },
            scenario,
        )
    }

    /// Runs the scenario on any backend: `run` is called with its main future, once for each run.
    ///
    /// # Panics
    /// See [`cancel_everywhere`].
    #[track_caller]
    pub fn run_on<E: fmt::Display>(
        &self,
        mut run: impl FnMut(Pin<&mut dyn Future<Output = ()>>) -> Result<(), E>,
        scenario: impl AsyncFn(&Cut),
    ) -> usize {
        let mut at = |way, point| {
            let cut = Cut::new(way, point);
            let ended = catch_unwind(AssertUnwindSafe(|| run(pin!(scenario(&cut)))));
            let why = match ended {
                Ok(Ok(())) if cut.0.used.get() => return Ok(cut),
                Ok(Ok(())) => "the scenario puts nothing under test: call `cut.apply(future).await`".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(payload) => text(&*payload).to_owned(),
            };
            Err(if cut.was_cut() {
                format!(
                    "corio: the future under test was {way} suspension point {point}: {why}\nto run this alone: {REPLAY}={}:{point}",
                    way.name()
                )
            } else {
                format!(
                    "corio: the future under test was not cut off, having {} suspension points: {why}",
                    cut.0.count.get()
                )
            })
        };
        let mut points = 0;
        let mut each = |way, point| {
            let cut = at(way, point)?;
            points = points.max(cut.0.count.get());
            Ok(cut.was_cut())
        };
        let all = match self.only {
            Some((way, point)) => each(way, point).and_then(|_| each(way, usize::MAX)).map(drop),
            None => self.ways.iter().try_for_each(|&way| {
                let mut point = way.first();
                while each(way, point)? {
                    point += 1;
                }
                Ok(())
            }),
        };
        // Not in a closure: the place that is named is the caller's.
        match all {
            Ok(()) => points,
            Err::<_, String>(why) => panic!("{why}"),
        }
    }
}

fn parse(text: &str) -> Option<(Way, usize)> {
    let (way, point) = text.split_once(':')?;
    let way = Way::ALL.into_iter().find(|known| known.name() == way)?;
    Some((way, point.parse().ok()?)).filter(|&(way, point)| point >= way.first())
}

/// What a panic says.
fn text(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

/// Cuts off the future under test in one run of [`cancel_everywhere`].
pub struct Cut(Rc<Plan>);

struct Plan {
    way: Way,
    point: usize,
    /// How often what is under test was suspended so far.
    count: Cell<usize>,
    /// There is something under test.
    used: Cell<bool>,
    cut: Cell<bool>,
}

impl Cut {
    fn new(way: Way, point: usize) -> Self {
        let (count, used, cut) = (Cell::new(0), Cell::new(false), Cell::new(false));
        Self(Rc::new(Plan { way, point, count, used, cut }))
    }

    /// The way of this run.
    pub fn way(&self) -> Way {
        self.0.way
    }

    /// The point of this run: the future is cut off when it has been suspended so often.
    pub fn point(&self) -> usize {
        self.0.point
    }

    /// True once the future was cut off in this run. What is applied after that runs to its end.
    pub fn was_cut(&self) -> bool {
        self.0.cut.get()
    }

    /// Runs `future`, to its end or to the point of this run. None: it was cut off.
    ///
    /// It may borrow. In the ways that cancel, the unwinding ends here, as at the root of a task. A future that waits for
    /// something while it unwinds is waited for.
    ///
    /// # Cancel safety
    /// Loses nothing of its own; `future` is dropped with it.
    pub async fn apply<F: IntoFuture>(&self, future: F) -> Option<F::Output> {
        let plan = &*self.0;
        if plan.begin() {
            return None;
        }
        if plan.way.cancels() {
            let limit = TimeLimit::new(None);
            let cancel = || limit.reschedule(now()).expect("this is in its scope, which was not left");
            // In the turn in between it might come to its end.
            return limit.scope(plan.cancelled(future, cancel, || limit.has_expired())).await.ok();
        }
        let mut future = pin!(future.into_future());
        let mut armed = false;
        poll_fn(|cx| plan.step(future.as_mut(), cx, &mut armed)).await.ok()
    }

    /// Runs `future` in a task of its own, which [`Task::cancel`] cancels in the ways that cancel; in the others the future
    /// is dropped, and the task returns none.
    pub fn spawn<F: Future + 'static>(&self, future: F) -> Task<Option<F::Output>> {
        let this = Self(Rc::clone(&self.0));
        if !self.0.way.cancels() {
            return spawn(async move { this.apply(future).await });
        }
        let at_once = self.0.begin();
        let task = spawn(async move {
            let cancel = || {
                current_task().expect("this is in one").cancel();
            };
            Some(this.0.cancelled(future, cancel, || true).await)
        });
        if at_once {
            task.cancel();
        }
        task
    }
}

/// The future under test is to be cut off now.
struct Now;

impl Plan {
    /// There is a future under test: true if it is not even polled.
    fn begin(&self) -> bool {
        self.used.set(true);
        let at_once = self.point == 0 && !self.cut.get();
        self.cut.set(self.cut.get() || at_once);
        at_once
    }

    /// A step of the future under test, unless it is to be cut off in place of it, or after it. `armed`: it was woken from
    /// the point.
    fn step<F: Future>(
        &self,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
        armed: &mut bool,
    ) -> Poll<Result<F::Output, Now>> {
        if *armed && !self.cut.replace(true) {
            return Poll::Ready(Err(Now));
        }
        if let Poll::Ready(output) = future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        if self.cut.get() {
            return Poll::Pending;
        }
        let count = self.count.get() + 1;
        self.count.set(count);
        assert!(count < MOST, "the future under test was suspended {count} times: does it end?");
        if count != self.point {
            return Poll::Pending;
        }
        *armed = self.way.when_woken();
        if *armed {
            return Poll::Pending;
        }
        self.cut.set(true);
        Poll::Ready(Err(Now))
    }

    /// Runs `future`, which `cancel` cancels at the point; from then on it stands still until that has `come`.
    ///
    /// A task is asked to unwind through its scopes if it was pending in one in its last step. A step that is not given to
    /// `future` does not show whether it has any; so it is put into one, which knows, and in that step another stands for it.
    async fn cancelled<F: IntoFuture>(&self, future: F, cancel: impl Fn(), come: impl Fn() -> bool) -> F::Output {
        let unlimited = TimeLimit::new(None);
        let mut future = pin!(unlimited.scope(future));
        let (mut armed, mut cancelled) = (false, false);
        let ended = poll_fn(|cx| {
            if !cancelled || come() {
                match self.step(future.as_mut(), cx, &mut armed) {
                    Poll::Ready(Ok(ended)) => return Poll::Ready(ended),
                    Poll::Ready(Err(Now)) => cancelled = true,
                    Poll::Pending => return Poll::Pending,
                }
                cancel();
            }
            pin!(finally(pending(), ready(()))).poll(cx)
        });
        ended.await.expect("there is no limit")
    }
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cut").field("way", &self.way()).field("point", &self.point()).finish()
    }
}
