//! The world outside of the loop: other threads and interrupts, which do something at an instant of virtual time.
//!
//! Each thing is done in a thread of its own, while the loop is parked, and has been done before anything else happens: it
//! goes the way that a wake from another thread goes, and two runs do the same all the same.

use core::fmt;
use corio::Instant;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What is done outside of the loop, and when: see [`SimReactor::outside`](crate::SimReactor::outside).
///
/// ```
/// use corio::{Duration, Event, Instant, Runner, now};
/// use corio_sim::SimReactor;
/// static PRESSED: Event = Event::new();
///
/// let sim = SimReactor::new();
/// sim.outside().at(Instant::ZERO + Duration::from_secs(5), || PRESSED.set());
/// let mut runner = Runner::new(sim);
/// runner.run(async {
///     PRESSED.wait().await;
///     assert_eq!(now().as_secs(), 5);
/// }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Outside {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// In the order in which they were asked for.
    things: Vec<Thing>,
    random: Option<Random>,
}

struct Thing {
    when: Instant,
    call: Box<dyn FnOnce() + Send>,
}

impl Outside {
    pub(crate) fn seeded(seed: u64) -> Self {
        let shared = Shared { things: Vec::new(), random: Some(Random(seed)) };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// Has `call` called by another thread at `when`, or as soon as the loop waits if that is past.
    ///
    /// What is to happen at one instant happens in the order in which it was asked for, and before the timers of that
    /// instant; or as the seed says, see [`SimReactor::seeded`](crate::SimReactor::seeded). A panic in it goes on in the loop's thread.
    pub fn at(&self, when: Instant, call: impl FnOnce() + Send + 'static) {
        self.lock().things.push(Thing { when, call: Box::new(call) });
    }

    /// True while something is still to happen.
    pub fn is_pending(&self) -> bool {
        !self.lock().things.is_empty()
    }

    /// The instant of what happens next, if that is before the loop goes on at `until`.
    pub(crate) fn next(&self, now: Instant, until: Option<Instant>) -> Option<Instant> {
        let mut shared = self.lock();
        let next = shared.things.iter().map(|thing| thing.when).min()?.max(now);
        match until.map(|until| until.max(now)) {
            Some(until) if next > until => None,
            Some(until) if next == until => (!shared.toss()).then_some(next),
            _ => Some(next),
        }
    }

    /// Does what is due: one thing at least, and as much more as the seed says.
    pub(crate) fn happen(&self, now: Instant) {
        loop {
            let mut shared = self.lock();
            let due: Vec<_> = (0..shared.things.len()).filter(|&i| shared.things[i].when <= now).collect();
            let Some(&first) = due.first() else { return };
            let i = match &mut shared.random {
                Some(random) => due[random.below(due.len())],
                None => due.iter().copied().min_by_key(|&i| shared.things[i].when).unwrap_or(first),
            };
            let thing = shared.things.remove(i);
            let enough = shared.toss();
            // It may ask for more.
            drop(shared);
            if let Err(payload) = thread::spawn(thing.call).join() {
                std::panic::resume_unwind(payload);
            }
            if enough {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing of others is called with the lock held.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Heads or tails; tails if there is no seed.
    fn toss(&mut self) -> bool {
        self.random.as_mut().is_some_and(|random| random.below(2) == 0)
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("pending", &self.is_pending()).finish()
    }
}

/// A generator of random numbers: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
