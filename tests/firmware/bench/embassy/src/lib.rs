//! The peer's side: embassy as its users run it, with a clock that counts ticks in RAM.
//!
//! The time driver is embassy's usual one, alarm included; its ticks come from the SysTick exception.
#![no_std]

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Waker;

use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

struct Ticks {
    now: AtomicU32,
    alarm: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static TICKS: Ticks = Ticks {
    now: AtomicU32::new(0),
    alarm: Mutex::new(Cell::new(u64::MAX)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Ticks {
    fn now(&self) -> u64 {
        u64::from(self.now.load(Ordering::Relaxed))
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            let mut queue = self.queue.borrow_ref_mut(cs);
            if queue.schedule_wake(at, waker) {
                self.serve(cs, &mut queue);
            }
        });
    }
}

impl Ticks {
    fn serve(&self, cs: CriticalSection<'_>, queue: &mut Queue) {
        let mut next = queue.next_expiration(self.now());
        while !self.set_alarm(cs, next) {
            next = queue.next_expiration(self.now());
        }
    }

    fn set_alarm(&self, cs: CriticalSection<'_>, at: u64) -> bool {
        let ahead = at > self.now();
        self.alarm.borrow(cs).set(if ahead { at } else { u64::MAX });
        ahead
    }

    fn tick(&self) {
        self.now.store(self.now.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        critical_section::with(|cs| {
            if self.alarm.borrow(cs).get() <= self.now() {
                self.serve(cs, &mut self.queue.borrow_ref_mut(cs));
            }
        });
    }
}

#[cortex_m_rt::exception]
fn SysTick() {
    TICKS.tick();
}
