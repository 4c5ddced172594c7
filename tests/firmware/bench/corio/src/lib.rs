//! corio's side: a reactor whose clock counts ticks in RAM, as the peer's does.
#![no_std]
#![cfg(feature = "counts")]

use core::convert::Infallible;
use core::sync::atomic::{AtomicU32, Ordering};

use corio::{Instant, Reactor, Unpark};

static NOW: AtomicU32 = AtomicU32::new(0);

/// A tick is a millisecond.
pub struct Ticks<Idle>(pub Idle);

impl<Idle: Fn()> Reactor for Ticks<Idle> {
    type Error = Infallible;
    type Unparker = Nobody;

    fn now(&self) -> Instant {
        Instant::from_nanos(u64::from(NOW.load(Ordering::Relaxed)) * 1_000_000)
    }

    fn park(&mut self, until: Option<Instant>) -> Result<(), Infallible> {
        if until != Some(Instant::ZERO) {
            (self.0)();
        }
        Ok(())
    }

    fn unparker(&self) -> Nobody {
        Nobody
    }
}

/// The idle hook never sleeps.
#[derive(Clone)]
pub struct Nobody;

impl Unpark for Nobody {
    fn unpark(&self) {}
}

#[cortex_m_rt::exception]
fn SysTick() {
    NOW.store(NOW.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}
