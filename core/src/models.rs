#![allow(unsafe_code)] // an element for the wake queue, and calls that only a loop may make
//! Models for loom: the crate's protocols between threads, in every interleaving and with every value that the memory
//! model lets a load return.
//!
//! A wake that is lost shows as a deadlock, a race as an access to one of `sync`'s cells (or of a model's own) that
//! another does not happen before. `cargo xtask loom` runs them; without `--cfg loom` they do not exist.

use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use crate::sync::{ByteLock, Linked, Wakes, here};
use crate::task::ready::Ready;
use crate::task::slot::{Slot, Step};
use crate::task::waker;
use crate::wait::WaitCell;
use crate::{
    Event, Instant, Mutex, OneShot, PutError, Queue, RawLock, Reactor, Runner, Semaphore, ShutDown, Shutdown, TaskPool,
    Unpark,
};
use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::mem::ManuallyDrop;
use core::pin::{Pin, pin};
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, Waker};
use loom::cell::Cell;
use loom::sync::Notify;
use loom::thread;
use std::boxed::Box;
use std::sync::Arc;
use std::task::Wake;
use std::vec::Vec;

/// Every interleaving in which threads are preempted, where they need not wait, this often at most.
fn check(preemptions: usize, model: fn()) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.check(model);
}

/// For what lives as long as the process, which in a model it does.
fn forever<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Wakes the thread that polls by hand.
struct ByHand(Notify);

impl Wake for ByHand {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

impl ByHand {
    fn new() -> (Arc<Self>, Waker) {
        let this = Arc::new(Self(Notify::new()));
        let waker = this.clone().into();
        (this, waker)
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let (thread, waker) = ByHand::new();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread.0.wait();
    }
}

/// Polls once and drops the future, granted something or not.
fn poll_and_drop<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(&ByHand::new().1)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

mod wakes {
    //! `sync::Wakes` by itself, with elements that do nothing.

    use super::*;

    struct Home {
        wakes: Wakes<Element>,
        unparked: Notify,
    }

    struct Element {
        next: AtomicPtr<Element>,
        queued: AtomicBool,
        home: &'static Home,
        name: usize,
        /// What its wakers write for it.
        wanted: AtomicUsize,
    }

    // SAFETY: always the same fields; elements are leaked.
    unsafe impl Linked for Element {
        type Home = Home;
        fn next(&self) -> &AtomicPtr<Self> {
            &self.next
        }
        fn queued(&self) -> &AtomicBool {
            &self.queued
        }
        fn home(&self) -> &'static Home {
            self.home
        }
        fn wakes(home: &Home) -> &Wakes<Self> {
            &home.wakes
        }
        fn is_here(home: &Home) -> bool {
            here::is(ptr::from_ref(home).cast())
        }
    }

    impl Home {
        /// The home of this thread.
        fn new() -> &'static Self {
            let home = forever(Self { wakes: Wakes::new(), unparked: Notify::new() });
            here::replace(ptr::from_ref(home).cast());
            home
        }

        fn element(&'static self, name: usize) -> &'static Element {
            forever(Element {
                next: AtomicPtr::new(ptr::null_mut()),
                queued: AtomicBool::new(false),
                home: self,
                name,
                wanted: AtomicUsize::new(0),
            })
        }

        /// One batch, as a turn takes it.
        fn turn(&self, mut run: impl FnMut(&'static Element)) {
            // SAFETY: on the thread of the home, here and below.
            let Some(last) = (unsafe { self.wakes.batch() }) else { return };
            loop {
                let look = |element: &Element| assert!(element.queued.load(Ordering::Relaxed), "popped without a mark");
                // SAFETY: as above; elements are leaked.
                let (element, ()) = unsafe { self.wakes.pop(look).expect("the batch ends before its last") };
                // SAFETY: elements are leaked.
                run(unsafe { &*element.as_ptr() });
                if element == last {
                    return;
                }
            }
        }

        /// As a loop does when it has nothing to do.
        fn park(&self) {
            // SAFETY: on the thread of the home.
            if unsafe { self.wakes.idle() } {
                self.unparked.wait();
            }
            self.wakes.awake();
        }
    }

    fn push(element: &'static Element) {
        if let Some(home) = Wakes::push(element) {
            home.unparked.notify();
        }
    }

    #[test]
    fn each_is_popped_once_in_the_order_of_its_pusher() {
        check(3, || {
            let home = Home::new();
            let elements = [1, 2, 11, 12].map(|name| home.element(name));
            let threads = [[elements[0], elements[1]], [elements[2], elements[3]]]
                .map(|mine| thread::spawn(move || mine.into_iter().for_each(push)));
            let mut popped = Vec::new();
            home.turn(|element| popped.push(element.name));
            for thread in threads {
                thread.join().unwrap();
            }
            home.turn(|element| popped.push(element.name));
            let of = |pusher: usize| popped.iter().copied().filter(move |name| name / 10 == pusher).collect::<Vec<_>>();
            assert_eq!((of(0), of(1)), (std::vec![1, 2], std::vec![11, 12]));
            // SAFETY: on the thread of the home.
            assert!(unsafe { home.wakes.idle() }, "something is left");
        });
    }

    #[test]
    fn one_pushed_by_all_is_popped_for_each_mark() {
        check(3, || {
            let home = Home::new();
            let (shared, other) = (home.element(0), home.element(1));
            let marks = forever(AtomicUsize::new(0));
            let threads = [0, 1].map(|_| {
                thread::spawn(move || {
                    // As `push`, but it counts.
                    if Wakes::mark(shared) {
                        marks.fetch_add(1, Ordering::Relaxed);
                        // SAFETY: `Marked`, just now.
                        unsafe { Wakes::push_marked(shared) };
                    }
                })
            });
            push(other); // on this thread: not by way of the stack
            let mut pops = [0, 0];
            home.turn(|element| pops[element.name] += 1);
            push(shared);
            home.turn(|element| pops[element.name] += 1);
            for thread in threads {
                thread.join().unwrap();
            }
            home.turn(|element| pops[element.name] += 1);
            let here = pops[0] - marks.load(Ordering::Relaxed);
            assert!(pops[1] == 1 && here <= 1 && pops[0] > 0, "{pops:?}");
            // SAFETY: on the thread of the home.
            assert!(unsafe { home.wakes.idle() }, "something is left");
        });
    }

    /// `Seen`.
    #[test]
    fn a_wake_that_finds_the_mark_set_is_seen() {
        check(3, || {
            let home = Home::new();
            let element = home.element(0);
            let threads = [0, 1].map(|_| {
                thread::spawn(move || {
                    element.wanted.fetch_add(1, Ordering::Relaxed);
                    push(element);
                })
            });
            let mut seen = 0;
            for _ in 0..2 {
                home.turn(|element| seen = element.wanted.load(Ordering::Relaxed));
            }
            for thread in threads {
                thread.join().unwrap();
            }
            home.turn(|element| seen = element.wanted.load(Ordering::Relaxed));
            assert_eq!(seen, 2);
        });
    }

    /// `Told`.
    #[test]
    fn no_loop_sleeps_over_a_push() {
        check(3, || {
            let home = Home::new();
            let threads = [0, 1].map(|name| {
                let element = home.element(name);
                thread::spawn(move || push(element))
            });
            let mut popped = 0;
            loop {
                home.turn(|_| popped += 1);
                if popped == 2 {
                    break;
                }
                home.park();
            }
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }

    /// Those who push while it runs, and it itself, make no difference: `asleep` is up only when it should be.
    #[test]
    fn a_loop_that_parks_again_is_told_again() {
        check(3, || {
            let home = Home::new();
            let element = home.element(0);
            let pusher = thread::spawn(move || {
                for _ in 0..2 {
                    element.wanted.fetch_add(1, Ordering::Relaxed);
                    push(element);
                }
            });
            let mut seen = 0;
            while seen < 2 {
                home.turn(|element| seen = element.wanted.load(Ordering::Relaxed));
                if seen < 2 {
                    home.park();
                }
            }
            pusher.join().unwrap();
        });
    }
}
