#![allow(unsafe_code)] // an element for the wake queue, and calls that only a loop may make
//! Models for loom: the crate's protocols between threads, in every interleaving and with every value that the memory
//! model lets a load return.
//!
//! A wake that is lost shows as a deadlock, a race as an access to one of `sync`'s cells (or of a model's own) that
//! another does not happen before. `cargo xtask loom` runs them; without `--cfg loom` they do not exist.

use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use crate::sync::{ByteLock, Linked, Wakes, here};
use crate::wait::WaitCell;
use crate::{
    Cancelled, Event, Instant, Mutex, OneShot, Queue, RawLock, Reactor, Runner, Semaphore, ShutDown, Shutdown,
    TaskPool, Unpark, spawn, yield_now,
};
use core::convert::Infallible;
use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::ptr;
use core::task::{Context, Poll, Waker};
use loom::cell::Cell;
use loom::sync::Notify;
use loom::thread;
use std::boxed::Box;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;
use std::vec::Vec;

mod meeting;
mod shared;

/// Every interleaving in which threads are preempted, where they need not wait, this often at most.
fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
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
            let Some(mut batch) = (unsafe { self.wakes.batch() }) else { return };
            loop {
                let look = |element: &Element| {
                    assert!(element.queued.load(Ordering::Relaxed), "popped without a mark");
                    Some(())
                };
                // SAFETY: as above; elements are leaked.
                let (element, _) = unsafe { batch.pop(look) };
                // SAFETY: elements are leaked.
                run(unsafe { &*element.as_ptr() });
                if batch.ends_with(element) {
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

    // All of these park between their turns, also where that is not the point: loom does not try a thread switch between
    // a load and another thread's load and exchange of the same, which is all that a push and `batch` have in common.

    #[test]
    fn each_is_popped_once_in_the_order_of_its_pusher() {
        check(2, || {
            let home = Home::new();
            let elements = [1, 2, 11, 12].map(|name| home.element(name));
            let threads = [[elements[0], elements[1]], [elements[2], elements[3]]]
                .map(|mine| thread::spawn(move || mine.into_iter().for_each(push)));
            let mut popped = Vec::new();
            while popped.len() < 4 {
                home.turn(|element| popped.push(element.name));
                if popped.len() < 4 {
                    home.park();
                }
            }
            for thread in threads {
                thread.join().unwrap();
            }
            home.turn(|element| panic!("{} was popped twice", element.name));
            let of = |pusher: usize| popped.iter().copied().filter(move |name| name / 10 == pusher).collect::<Vec<_>>();
            assert_eq!((of(0), of(1)), (std::vec![1, 2], std::vec![11, 12]));
        });
    }

    /// `Marked`: also by the loop's own thread, which does not push by way of the stack.
    #[test]
    fn one_pushed_by_all_is_popped_once_for_each_mark() {
        check(3, || {
            let home = Home::new();
            let element = home.element(0);
            let marks = forever(AtomicUsize::new(0));
            let wake = move || {
                element.wanted.fetch_add(1, Ordering::Relaxed);
                // As `push`, but it counts.
                if Wakes::mark(element) {
                    marks.fetch_add(1, Ordering::Relaxed);
                    // SAFETY: `Marked`, just now.
                    if let Some(home) = unsafe { Wakes::push_marked(element) } {
                        home.unparked.notify();
                    }
                }
            };
            let threads = [thread::spawn(wake), thread::spawn(wake)];
            wake();
            let (mut seen, mut pops) = (0, 0);
            while seen < 3 {
                home.turn(|element| {
                    seen = element.wanted.load(Ordering::Relaxed);
                    pops += 1;
                });
                if seen < 3 {
                    home.park();
                }
            }
            for thread in threads {
                thread.join().unwrap();
            }
            home.turn(|_| pops += 1);
            assert_eq!(pops, marks.load(Ordering::Relaxed));
        });
    }

    /// `Seen`: the last wake may find the mark set, and must not be missed for that.
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
            while seen < 2 {
                home.turn(|element| seen = element.wanted.load(Ordering::Relaxed));
                if seen < 2 {
                    home.park();
                }
            }
            for thread in threads {
                thread.join().unwrap();
            }
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

mod bare_wakes {
    //! The queue of bare metal, with a lock for what is a critical section there: as it is between two cores. (What an
    //! interrupt handler can do is less: it runs to its end before what it has interrupted goes on.)

    use super::*;
    use crate::sync::bare::{Linked, Wakes};

    struct Home {
        wakes: Wakes<Element>,
        unparked: Notify,
    }

    struct Element {
        next: AtomicPtr<Element>,
        home: &'static Home,
        name: usize,
        ended: Cell<bool>,
        /// What its wakers write for it, each in a place of its own.
        wanted: [AtomicUsize; 2],
    }

    // SAFETY: `ended` is for the thread of the home alone, and checked; the rest is atomic.
    unsafe impl Sync for Element {}
    // SAFETY: as above.
    unsafe impl Send for Element {}
    // SAFETY: as above.
    unsafe impl Sync for Home {}

    // SAFETY: always the same field; elements are leaked.
    unsafe impl Linked for Element {
        type Home = Home;
        fn next(&self) -> &AtomicPtr<Self> {
            &self.next
        }
        fn home(&self) -> &'static Home {
            self.home
        }
        fn wakes(home: &Home) -> &Wakes<Self> {
            &home.wakes
        }
    }

    impl Home {
        fn new() -> &'static Self {
            let home = forever(Self { wakes: Wakes::new(), unparked: Notify::new() });
            // SAFETY: leaked, and new.
            unsafe { home.wakes.open() };
            home
        }

        fn element(&'static self, name: usize) -> &'static Element {
            forever(Element {
                next: AtomicPtr::new(ptr::null_mut()),
                home: self,
                name,
                ended: Cell::new(false),
                wanted: [AtomicUsize::new(0), AtomicUsize::new(0)],
            })
        }

        /// One batch, as a turn takes it.
        fn turn(&self, mut run: impl FnMut(&'static Element)) {
            // SAFETY: on the thread of the home, here and below.
            let Some(mut batch) = (unsafe { self.wakes.batch() }) else { return };
            loop {
                // SAFETY: as above; elements are leaked.
                let (element, alive) = unsafe { batch.pop(|element| (!element.ended.get()).then_some(())) };
                if alive.is_some() {
                    // SAFETY: elements are leaked.
                    run(unsafe { &*element.as_ptr() });
                }
                if batch.ends_with(element) {
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
        check(2, || {
            let home = Home::new();
            let elements = [1, 2, 11, 12].map(|name| home.element(name));
            let threads = [[elements[0], elements[1]], [elements[2], elements[3]]]
                .map(|mine| thread::spawn(move || mine.into_iter().for_each(push)));
            let mut popped = Vec::new();
            while popped.len() < 4 {
                home.turn(|element| popped.push(element.name));
                if popped.len() < 4 {
                    home.park();
                }
            }
            for thread in threads {
                thread.join().unwrap();
            }
            home.turn(|element| panic!("{} was popped twice", element.name));
            let of = |pusher: usize| popped.iter().copied().filter(move |name| name / 10 == pusher).collect::<Vec<_>>();
            assert_eq!((of(0), of(1)), (std::vec![1, 2], std::vec![11, 12]));
        });
    }

    /// `Seen`, by plain stores and loads: only the fences order them.
    #[test]
    fn a_wake_that_finds_the_mark_set_is_seen() {
        check(3, || {
            let home = Home::new();
            let element = home.element(0);
            let threads = [0, 1].map(|waker: usize| {
                thread::spawn(move || {
                    element.wanted[waker].store(1, Ordering::Relaxed);
                    push(element);
                })
            });
            let mut seen = 0;
            while seen < 2 {
                home.turn(|element| seen = element.wanted.iter().map(|wanted| wanted.load(Ordering::Relaxed)).sum());
                if seen < 2 {
                    home.park();
                }
            }
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }

    /// `Told`.
    #[test]
    fn a_loop_that_parks_again_is_told_again() {
        check(3, || {
            let home = Home::new();
            let element = home.element(0);
            let pusher = thread::spawn(move || {
                for wanted in &element.wanted {
                    wanted.store(1, Ordering::Relaxed);
                    push(element);
                }
            });
            let mut seen = 0;
            while seen < 2 {
                home.turn(|element| seen = element.wanted.iter().map(|wanted| wanted.load(Ordering::Relaxed)).sum());
                if seen < 2 {
                    home.park();
                }
            }
            pusher.join().unwrap();
        });
    }

    /// An element that ended is popped no more, and free when whoever was on the way to wake it is through.
    #[test]
    fn one_that_is_retired_is_left_alone_and_can_be_taken_into_use() {
        check(3, || {
            let home = Home::new();
            let element = home.element(0);
            let pusher = thread::spawn(move || (0..2).for_each(|_| push(element)));
            element.ended.set(true);
            Wakes::retire(element);
            home.turn(|_| panic!("ran after its end"));
            pusher.join().unwrap();
            home.turn(|_| panic!("ran after its end"));
            // SAFETY: on the thread of the home.
            assert!(unsafe { home.wakes.idle() });
            assert!(Wakes::mark(element) && !Wakes::mark(element));
        });
    }
}

mod byte_lock {
    //! The lock of hosted targets. (Everywhere else in here `Short` is loom's own mutex, which is easier on the checker.)

    use super::*;

    /// `Excluded`: the value is in a cell that is checked.
    #[test]
    fn one_thread_at_a_time() {
        check(3, || {
            let lock = forever(ByteLock::new(0));
            let add = move || (0..2).for_each(|_| lock.with(|value| *value += 1));
            let other = thread::spawn(add);
            add();
            other.join().unwrap();
            assert_eq!(lock.with(|value| *value), 4);
        });
    }
}

mod cell {
    //! `WaitCell`: look, register, look again.

    use super::*;

    struct Button {
        pressed: AtomicBool,
        cell: WaitCell,
    }

    impl Button {
        fn new() -> &'static Self {
            forever(Self { pressed: AtomicBool::new(false), cell: WaitCell::new() })
        }

        /// Relaxed: what orders it is the cell.
        fn press(&self) {
            self.pressed.store(true, Ordering::Relaxed);
            self.cell.wake();
        }

        fn is_pressed(&self) -> bool {
            self.pressed.load(Ordering::Relaxed)
        }

        async fn wait(&self) {
            poll_fn(|cx| {
                if self.is_pressed() {
                    return Poll::Ready(());
                }
                self.cell.register(cx.waker());
                if self.is_pressed() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await
        }
    }

    #[test]
    fn no_wake_is_lost() {
        check(3, || {
            let button = Button::new();
            let presser = thread::spawn(move || button.press());
            block_on(button.wait());
            presser.join().unwrap();
        });
    }

    /// Who wakes without having anything to say takes the waker; the poll that it causes puts it back.
    #[test]
    fn nor_by_a_wake_in_vain() {
        check(3, || {
            let button = Button::new();
            let vain = thread::spawn(move || button.cell.wake());
            let presser = thread::spawn(move || button.press());
            block_on(button.wait());
            vain.join().unwrap();
            presser.join().unwrap();
        });
    }

    /// Of two that register the second stays.
    #[test]
    fn a_second_waker_takes_the_place_of_the_first() {
        check(3, || {
            let button = Button::new();
            let presser = thread::spawn(move || button.press());
            let _was_polled = poll_and_drop(button.wait());
            block_on(button.wait());
            presser.join().unwrap();
            button.cell.register(&ByHand::new().1);
            assert!(button.cell.take().is_some() && button.cell.take().is_none());
        });
    }
}

mod lines {
    //! The primitives, between threads that poll by hand.

    use super::*;

    /// A value in a cell that notices two who use it at a time, or one after the other without knowing of it.
    fn count(cell: &Cell<u32>) {
        cell.set(cell.get() + 1);
    }

    #[test]
    fn a_permit_goes_from_hand_to_hand() {
        check(3, || {
            let seat = forever((Semaphore::new(1), Cell::new(0)));
            let sit = move || {
                let permit = block_on(seat.0.acquire());
                count(&seat.1);
                drop(permit);
            };
            let threads = [thread::spawn(sit), thread::spawn(sit)];
            sit();
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!((seat.0.available(), seat.1.get()), (1, 3));
        });
    }

    #[test]
    fn permits_released_by_others_reach_all_who_wait() {
        check(3, || {
            let semaphore = forever(Semaphore::new(0));
            let threads = [
                thread::spawn(move || (0..2).for_each(|_| semaphore.release())),
                thread::spawn(move || block_on(semaphore.acquire()).forget()),
            ];
            block_on(semaphore.acquire()).forget();
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(semaphore.available(), 0);
        });
    }

    /// Whether it was granted a permit or not.
    #[test]
    fn a_waiter_that_is_dropped_takes_no_permit_along() {
        check(3, || {
            let semaphore = forever(Semaphore::new(0));
            let threads = [
                thread::spawn(move || semaphore.release()),
                thread::spawn(move || drop(poll_and_drop(semaphore.acquire()))),
            ];
            drop(block_on(semaphore.acquire()));
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(semaphore.available(), 1);
        });
    }

    #[test]
    fn a_mutex_excludes() {
        check(3, || {
            let mutex = forever(Mutex::new(Cell::new(0)));
            let add = move || count(&block_on(mutex.lock()));
            let threads = [thread::spawn(add), thread::spawn(add)];
            add();
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(mutex.try_lock().unwrap().get(), 3);
        });
    }

    #[test]
    fn a_waiter_that_is_dropped_hands_the_mutex_on() {
        check(3, || {
            let mutex = forever(Mutex::new(Cell::new(0)));
            let held = mutex.try_lock().unwrap();
            let threads = [
                thread::spawn(move || drop(poll_and_drop(mutex.lock()))),
                thread::spawn(move || count(&block_on(mutex.lock()))),
            ];
            count(&held);
            drop(held);
            count(&block_on(mutex.lock()));
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(mutex.try_lock().unwrap().get(), 3);
        });
    }

    #[test]
    fn a_raw_lock_released_elsewhere_is_handed_on() {
        check(3, || {
            let lock = forever(RawLock::new());
            assert!(lock.try_acquire());
            let threads = [
                thread::spawn(move || lock.release().unwrap()),
                thread::spawn(move || {
                    if poll_and_drop(lock.acquire()).is_some() {
                        lock.release().unwrap();
                    }
                }),
            ];
            block_on(lock.acquire());
            for thread in threads {
                thread.join().unwrap();
            }
            assert!(lock.is_locked() && lock.release().is_ok());
        });
    }

    #[test]
    fn an_event_releases_all_who_wait() {
        check(3, || {
            let event = forever((Event::new(), Cell::new(0)));
            let setter = thread::spawn(move || {
                event.1.set(1);
                event.0.set();
            });
            let wait = move || {
                block_on(event.0.wait());
                event.1.get()
            };
            let waiter = thread::spawn(wait);
            assert_eq!((wait(), waiter.join().unwrap()), (1, 1));
            setter.join().unwrap();
        });
    }

    #[test]
    fn an_event_that_is_cleared_at_once_releases_those_in_line() {
        check(3, || {
            let event = forever(Event::new());
            let setter = thread::spawn(move || {
                event.set();
                event.clear();
                event.set();
            });
            let waiter = thread::spawn(move || block_on(event.wait()));
            let _was_set = poll_and_drop(event.wait());
            block_on(event.wait());
            setter.join().unwrap();
            waiter.join().unwrap();
        });
    }

    #[test]
    fn items_arrive_in_order() {
        check(3, || {
            let queue = forever(Queue::<u32, 1>::new());
            let putter = thread::spawn(move || {
                for item in 1..=3 {
                    block_on(queue.put(item)).unwrap();
                }
            });
            for item in 1..=3 {
                assert_eq!(block_on(queue.get()), Ok(item));
                queue.task_done().unwrap();
            }
            putter.join().unwrap();
            block_on(queue.join());
        });
    }

    #[test]
    fn a_getter_that_is_dropped_leaves_the_item_to_another() {
        check(3, || {
            let queue = forever(Queue::<u32, 1>::new());
            let threads = [
                thread::spawn(move || queue.try_put(1).unwrap()),
                thread::spawn(move || {
                    if let Some(item) = poll_and_drop(queue.get()) {
                        queue.try_put(item.unwrap()).unwrap();
                    }
                }),
            ];
            assert_eq!(block_on(queue.get()), Ok(1));
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }

    #[test]
    fn a_putter_that_is_dropped_leaves_the_room_to_another() {
        check(3, || {
            let queue = forever(Queue::<u32, 1>::new());
            queue.try_put(0).unwrap();
            let threads = [
                thread::spawn(move || assert_eq!(queue.try_get(), Ok(0))),
                thread::spawn(move || {
                    if poll_and_drop(queue.put(1)).is_some() {
                        assert_eq!(queue.try_get(), Ok(1));
                    }
                }),
            ];
            block_on(queue.put(2)).unwrap();
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(queue.try_get(), Ok(2));
        });
    }

    #[test]
    fn a_shut_down_queue_keeps_nobody() {
        check(3, || {
            let queue = forever(Queue::<u32, 1>::new());
            let threads = [
                thread::spawn(move || queue.shutdown(Shutdown::Drain)),
                thread::spawn(move || assert_eq!(block_on(queue.get()), Err(ShutDown))),
            ];
            assert_eq!(block_on(queue.get()), Err(ShutDown));
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }

    #[test]
    fn who_joins_learns_of_the_last_item() {
        check(3, || {
            let queue = forever(Queue::<u32, 2>::new());
            queue.try_put(1).unwrap();
            queue.try_put(2).unwrap();
            let threads = [0, 1].map(|_| {
                thread::spawn(move || {
                    queue.try_get().unwrap();
                    queue.task_done().unwrap();
                })
            });
            block_on(queue.join());
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }

    #[test]
    fn one_shot_arrives() {
        check(3, || {
            let shot = forever(OneShot::new());
            let sender = thread::spawn(move || shot.send(Cell::new(1)).ok().unwrap());
            assert_eq!(block_on(shot.recv()).get(), 1);
            sender.join().unwrap();
        });
    }

    #[test]
    fn a_receiver_that_is_dropped_leaves_the_value_to_another() {
        check(3, || {
            let (shot, back) = forever((OneShot::new(), OneShot::new()));
            let threads = [
                thread::spawn(move || shot.send(1).unwrap()),
                thread::spawn(move || {
                    if let Some(value) = poll_and_drop(shot.recv()) {
                        back.send(value).unwrap();
                    }
                }),
            ];
            let (mut first, mut second) = (pin!(shot.recv()), pin!(back.recv()));
            let either = poll_fn(|cx| match first.as_mut().poll(cx) {
                Poll::Pending => second.as_mut().poll(cx),
                ready => ready,
            });
            assert_eq!(block_on(either), 1);
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }
}

mod loops {
    //! Whole loops, each in a thread of its own.

    use super::*;

    /// A reactor without time and events.
    struct Still(Parker);

    #[derive(Clone, Copy)]
    struct Parker(&'static Notify);

    impl Still {
        fn new() -> Self {
            Self(Parker(forever(Notify::new())))
        }
    }

    impl Unpark for Parker {
        fn unpark(&self) {
            self.0.notify();
        }
    }

    impl Reactor for Still {
        type Error = Infallible;
        type Unparker = Parker;

        fn now(&self) -> Instant {
            Instant::ZERO
        }

        fn park(&mut self, until: Option<Instant>) -> Result<(), Infallible> {
            if until.is_none() {
                self.0.0.wait();
            }
            Ok(())
        }

        fn unparker(&self) -> Parker {
            self.0
        }
    }

    fn run<F: Future>(main: F) -> F::Output {
        Runner::new(Still::new()).run(main).unwrap()
    }

    /// `Told` and `Seen`, through a task's waker.
    #[test]
    fn a_loop_is_woken_from_elsewhere() {
        check(3, || {
            let (semaphore, threads) = (forever(Semaphore::new(0)), [(); 2]);
            let threads = threads.map(|()| thread::spawn(move || semaphore.release()));
            run(async {
                for _ in 0..2 {
                    semaphore.acquire().await.forget();
                }
            });
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }

    /// A task that ends at once, leaving a thread that wakes it all the same.
    fn stale(place: &'static Cell<u32>) -> impl Future<Output = thread::JoinHandle<()>> + 'static {
        poll_fn(move |cx| {
            place.set(place.get() + 1);
            let waker = cx.waker().clone();
            Poll::Ready(thread::spawn(move || waker.wake()))
        })
    }

    /// `Claimed`: two loops use one slot in turn, while a wake of its first task is under way.
    #[test]
    fn a_slot_changes_loops_under_a_stale_wake() {
        check(3, || {
            let pool = forever(TaskPool::<[u64; 8], 1>::new());
            let place = forever(Cell::new(0));
            let other = thread::spawn(move || {
                run(async {
                    let here = thread::current().id();
                    let task = pool.spawn(async move {
                        place.set(place.get() + 1);
                        yield_now().await;
                        assert_eq!(thread::current().id(), here);
                        place.set(place.get() + 1);
                    });
                    if let Ok(task) = task {
                        assert_eq!(task.await, Ok(()));
                    }
                });
            });
            let waking = run(async {
                match pool.spawn(stale(place)) {
                    Ok(task) => task.await.ok(),
                    Err(_) => None,
                }
            });
            other.join().unwrap();
            if let Some(waking) = waking {
                waking.join().unwrap();
            }
        });
    }

    /// The same within one loop, which takes over a slot that the wake holds.
    #[test]
    fn a_slot_is_used_again_under_a_stale_wake() {
        check(3, || {
            let pool = forever(TaskPool::<[u64; 8], 1>::new());
            let place = forever(Cell::new(0));
            run(async {
                let waking = pool.spawn(stale(place)).ok().unwrap().await.unwrap();
                let again = pool.spawn(async { yield_now().await }).ok();
                if let Some(again) = again {
                    assert_eq!(again.await, Ok(()));
                }
                waking.join().unwrap();
            });
        });
    }

    /// Slots from the heap.
    #[test]
    fn a_spawned_slot_is_used_again_under_a_stale_wake() {
        check(3, || {
            let place = forever(Cell::new(0));
            run(async {
                let waking = spawn(stale(place)).await.unwrap();
                let again = spawn(async { yield_now().await });
                assert_eq!(again.await, Ok(()));
                waking.join().unwrap();
            });
        });
    }

    /// A loop that has ended is used by the runner of another thread, while a wake for the first is under way.
    #[test]
    fn a_loop_is_used_again_under_a_stale_wake() {
        check(3, || {
            let place = forever(Cell::new(0));
            let waking = run(stale(place));
            let next = thread::spawn(move || {
                run(async { yield_now().await });
            });
            next.join().unwrap();
            waking.join().unwrap();
        });
    }

    /// `Closed`: a wake that was under way when its loop ended does not keep the task's place from other loops.
    #[test]
    fn a_place_is_free_for_another_loop_after_a_stale_wake() {
        check(3, || {
            let pool = forever(TaskPool::<[u64; 8], 1>::new());
            let place = forever(Cell::new(0));
            let mut runner = Runner::new(Still::new());
            let ended = thread::spawn(move || run(async { pool.spawn(stale(place)).ok().unwrap().await.unwrap() }));
            ended.join().unwrap().join().unwrap();
            runner.run(async { assert!(pool.spawn(async {}).is_ok()) }).unwrap();
        });
    }

    /// A lock is not handed to a task that was cancelled; its end passes the matter on.
    #[test]
    fn a_cancelled_task_keeps_no_lock() {
        check(3, || {
            let mutex = forever(Mutex::new(Cell::new(0)));
            let held = mutex.try_lock().unwrap();
            let releasing = thread::spawn(move || drop(held));
            run(async {
                let cancelled = spawn(async {
                    let _held = mutex.lock().await;
                    pending::<()>().await
                });
                yield_now().await;
                let next = spawn(async { mutex.lock().await.set(1) });
                yield_now().await;
                cancelled.cancel();
                assert_eq!((next.await, cancelled.await), (Ok(()), Err(Cancelled)));
            });
            releasing.join().unwrap();
        });
    }

    /// A task that ends at once, and leaves a thread that wakes it all the same: the thread.
    async fn waking() -> thread::JoinHandle<()> {
        poll_fn(|cx| {
            let waker = cx.waker().clone();
            Poll::Ready(thread::spawn(move || waker.wake()))
        })
        .await
    }

    // A settable future, and the combinators of tasks, are their loop's alone: their types do not leave the thread. What
    // threads have of them is the wakers of those who wait, and of those whose places they have.

    #[test]
    fn a_future_is_awaited_under_wakes_from_elsewhere() {
        for cancel in [false, true] {
            let model = move || {
                run(async move {
                    let answer = Rc::new(crate::Future::new());
                    let (side, threads) = (answer.clone(), Rc::new(Cell::new(None)));
                    let woken = threads.clone();
                    let waits = spawn(async move {
                        let thread = waking().await;
                        woken.set(Some(thread));
                        side.wait().await.copied()
                    });
                    yield_now().await;
                    if cancel {
                        assert!(waits.cancel());
                        assert_eq!((waits.await, answer.is_cancelled()), (Err(Cancelled), true));
                    } else {
                        answer.set(7).unwrap();
                        assert_eq!(waits.await, Ok(Ok(7)));
                    }
                    threads.take().unwrap().join().unwrap();
                });
            };
            check(3, model);
        }
    }

    /// The place of the task that is woken is that of a callback by then.
    #[test]
    fn a_gather_goes_on_once_under_a_stale_wake() {
        check(3, || {
            run(async {
                let answer = Rc::new(crate::Future::new());
                let thread = spawn(waking()).await.unwrap();
                let side = answer.clone();
                let waits = spawn(async move { crate::gather([&side]).await.map(|[value]| *value) });
                yield_now().await;
                answer.set(7).unwrap();
                assert_eq!(waits.await, Ok(Ok(7)));
                thread.join().unwrap();
            });
        });
    }

    /// The loop of a callback has ended, and is another thread's: it must not be called there.
    #[test]
    fn a_callback_does_not_change_threads_with_its_loop() {
        struct Here(thread::ThreadId);
        impl Wake for Here {
            fn wake(self: Arc<Self>) {
                assert_eq!(thread::current().id(), self.0);
            }
        }
        check(3, || {
            let answer = Rc::new(crate::Future::new());
            let mut all = Box::pin(crate::gather([&answer]));
            let waker = Arc::new(Here(thread::current().id())).into();
            run(async { assert!(all.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()) });
            // It parks meanwhile, for the reason that is given with the models of `Wakes`.
            let semaphore = forever(Semaphore::new(0));
            let next = thread::spawn(move || {
                run(async {
                    semaphore.acquire().await.forget();
                    yield_now().await;
                });
            });
            answer.set(7).unwrap();
            semaphore.release();
            next.join().unwrap();
            drop(all);
        });
    }
}
