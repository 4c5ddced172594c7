//! Each context has its own loop: an interrupt handler finds none, unless it runs one itself.
#![no_std]
#![no_main]

use core::convert::Infallible;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use corio::{Handle, Instant, LoopMemory, OneShot, Reactor, Runner, TaskPool, Unpark, now, yield_now};
use corio_cortex_m::{Irq, SysTickReactor};
use cortex_m::peripheral::NVIC;
use cortex_m_rt::entry;
use firmware_tests::{all_passed, passed};
use lm3s6965evb::{HZ, Interrupt, interrupt};

static HANDLED: Irq = Irq::new();
static FOUND_A_LOOP: AtomicBool = AtomicBool::new(true);
static STEPS: AtomicU32 = AtomicU32::new(0);
static NESTED: LoopMemory = LoopMemory::new();
static TASKS: TaskPool<[u64; 8], 2> = TaskPool::new();
static ANSWER: OneShot<Instant> = OneShot::new();

/// A loop in a handler waits for nothing, and lives in a year of its own.
struct Handler;

const ITS_TIME: Instant = Instant::from_secs(31_536_000);

#[derive(Clone)]
struct Never;

impl Unpark for Never {
    fn unpark(&self) {}
}

impl Reactor for Handler {
    type Error = Infallible;
    type Unparker = Never;

    fn now(&self) -> Instant {
        ITS_TIME
    }

    fn park(&mut self, _until: Option<Instant>) -> Result<(), Infallible> {
        Ok(())
    }

    fn unparker(&self) -> Never {
        Never
    }
}

#[interrupt]
fn GPIOA() {
    FOUND_A_LOOP.store(Handle::current().is_some(), Relaxed);
    HANDLED.raise();
}

#[interrupt]
fn GPIOB() {
    let mut runner = Runner::new_in(&NESTED, Handler);
    let steps = async {
        for _ in 0..5 {
            STEPS.store(STEPS.load(Relaxed) + 1, Relaxed);
            yield_now().await;
        }
        now()
    };
    let ran = runner.run(async {
        let Ok(task) = TASKS.spawn(steps) else { return };
        if let Ok(time) = task.await {
            let _ = ANSWER.send(time);
        }
    });
    assert!(ran.is_ok());
    drop(runner);
    FOUND_A_LOOP.store(Handle::current().is_some(), Relaxed);
    HANDLED.raise();
}

async fn handlers() {
    let here = Handle::current().expect("a task has a loop");
    // SAFETY: the handlers share nothing with this code but statics that are made for it.
    unsafe {
        NVIC::unmask(Interrupt::GPIOA);
        NVIC::unmask(Interrupt::GPIOB);
    }
    for _ in 0..3 {
        NVIC::pend(Interrupt::GPIOA);
        HANDLED.wait().await;
        assert!(!FOUND_A_LOOP.swap_relaxed(true));
        assert_eq!(Handle::current(), Some(here));
    }
    passed("a_handler_does_not_find_the_loop_that_it_interrupts");

    NVIC::pend(Interrupt::GPIOB);
    HANDLED.wait().await;
    assert_eq!(STEPS.load(Relaxed), 5);
    assert_eq!(ANSWER.recv().await, ITS_TIME);
    assert!(!FOUND_A_LOOP.swap_relaxed(true));
    passed("a_handler_runs_a_loop_of_its_own_within_another");
    assert_eq!(Handle::current(), Some(here));
    assert!(now() < ITS_TIME);
    passed("the_loop_that_was_interrupted_goes_on");
    all_passed()
}

/// An exchange where the core has none: nobody else writes while this does.
trait SwapRelaxed {
    fn swap_relaxed(&self, to: bool) -> bool;
}

impl SwapRelaxed for AtomicBool {
    fn swap_relaxed(&self, to: bool) -> bool {
        let was = self.load(Relaxed);
        self.store(to, Relaxed);
        was
    }
}

#[entry]
fn main() -> ! {
    let core = cortex_m::Peripherals::take().expect("taken once");
    let mut runner = Runner::new(SysTickReactor::<HZ>::new(core.SYST));
    let _ = runner.run(handlers());
    unreachable!("the image ends itself")
}
