//! Destructors that come back to what is dropping them.

use core::future::{Future, pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corio::{
    Cancelled, Duration, DynQueue, Emitter, Event, Mutex, PriorityQueue, Queue, Semaphore, Shutdown, Task, TimeLimit,
    current_task, gather, generator, now, sleep, spawn, timeout, yield_now,
};

use super::waker::{Move, witnessed};
use super::{Hosted, Noted, Trace, on_drop, runner};
use crate::World;
use crate::harness::{LONG, MS, turns};

type Handle<T> = Rc<RefCell<Option<Task<T>>>>;

pub(crate) fn a_task_that_owns_its_own_handle_ends_in_one_piece<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        for (cancel, wait) in [(false, false), (false, true), (true, false), (true, true)] {
            let handle: Handle<[u64; 8]> = Rc::default();
            let (own, guard) = (handle.clone(), trace.on_drop("future"));
            let output = trace.clone();
            let task = spawn(async move {
                let _own = (own, guard);
                if wait {
                    turns(2).await;
                }
                if cancel {
                    pending::<()>().await;
                }
                // A value that has drop glue of its own to run.
                let _output = output.on_drop("body");
                [7; 8]
            });
            if cancel {
                yield_now().await;
                task.cancel();
            }
            *handle.borrow_mut() = Some(task);
            // Now the future owns the last reference to the handle of its own task.
            drop(handle);
            turns(6).await;
            trace.expect(if cancel { &["future"] } else { &["body", "future"] });
        }
    });
}

pub(crate) fn tasks_that_wait_for_each_other_can_be_cancelled<W: World>(world: &mut W) {
    /// Whom each waits for; and whether by a gather.
    const CIRCLES: &[&[(usize, bool)]] = &[
        &[(0, false)],
        &[(0, true)],
        &[(1, false), (0, false)],
        &[(1, true), (0, false)],
        &[(1, true), (0, true)],
        &[(1, false), (2, true), (3, false), (1, false)],
        &[(1, false), (2, false), (3, false), (4, false), (5, false), (6, false), (2, false)],
    ];
    world.run(async {
        for (circle, itself) in CIRCLES.iter().flat_map(|circle| [(circle, false), (circle, true)]) {
            let tasks: Rc<RefCell<Vec<Rc<Task<()>>>>> = Rc::default();
            for &(other, by_gather) in *circle {
                let all = tasks.clone();
                let task = spawn(async move {
                    yield_now().await;
                    let (own, other) = (all.borrow()[0].clone(), all.borrow()[other].clone());
                    if itself && current_task() == Some(own.id()) {
                        // In the very step in which it comes to wait, when all others do.
                        yield_now().await;
                        own.cancel();
                    }
                    if by_gather {
                        let _ = gather(vec![&*other]).await;
                    } else {
                        other.ended().await;
                    }
                });
                tasks.borrow_mut().push(Rc::new(task));
            }
            turns(4).await;
            let all = tasks.take();
            all[0].cancel();
            turns(4 * all.len() + 4).await;
            assert!(all.iter().all(|task| task.is_done()), "{circle:?}");
            assert_eq!(all[0].outcome(), Some(Err(Cancelled)));
        }
    });
}

/// Ready with `output` at its second poll; `owned` goes when the future is dropped, not before.
fn ends_with<T, O>(mut output: Option<T>, owned: O) -> impl Future<Output = T> {
    let mut polled = false;
    poll_fn(move |cx| {
        let _ = &owned;
        if core::mem::replace(&mut polled, true) {
            return Poll::Ready(output.take().expect("polled once more"));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

pub(crate) fn a_future_that_drops_its_own_handle_after_it_was_ready<W: World>(world: &mut W) {
    // The handle goes between the future's end and the output's arrival in its place.
    world.run(async {
        let trace = Trace::default();
        let handle: Handle<Box<dyn Sized1>> = Rc::default();
        let own = handle.clone();
        let task = spawn(ends_with(Some(Box::new(trace.on_drop("output")) as Box<dyn Sized1>), own));
        *handle.borrow_mut() = Some(task);
        drop(handle);
        turns(5).await;
        trace.expect(&["output"]);
    });
}

/// Anything, in a box.
trait Sized1 {}
impl<T> Sized1 for T {}

pub(crate) fn a_future_that_awaits_its_own_handle_in_its_drop<W: World>(world: &mut W) {
    world.run(async {
        for cancel in [false, true] {
            let handle: Handle<u8> = Rc::default();
            let (own, seen) = (handle.clone(), Rc::new(Cell::new(None)));
            let result = seen.clone();
            let asks = on_drop(move || {
                if let Some(mut task) = own.take() {
                    let mut cx = Context::from_waker(Waker::noop());
                    result.set(Some(match pin!(&mut task).poll(&mut cx) {
                        Poll::Ready(outcome) => outcome.is_ok(),
                        Poll::Pending => false,
                    }));
                    assert!(!task.cancel(), "it is over");
                }
            });
            let task = spawn(ends_with(Some(5), asks));
            turns(1).await;
            if cancel {
                task.cancel();
            }
            *handle.borrow_mut() = Some(task);
            turns(5).await;
            assert_eq!(seen.get(), Some(false), "there is no output yet");
        }
    });
}

pub(crate) fn an_output_that_owns_the_handle_of_its_task<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let handle: Handle<Box<dyn Sized1>> = Rc::default();
        let (own, guard) = (handle.clone(), trace.on_drop("output"));
        let task = spawn(async move {
            yield_now().await;
            Box::new((own, guard)) as Box<dyn Sized1>
        });
        *handle.borrow_mut() = Some(task);
        turns(3).await;
        // A circle: handle, body, output, handle. Opened from outside.
        trace.expect(&[]);
        let task = handle.take();
        drop(handle);
        drop(task);
        trace.expect(&["output"]);
    });
}

pub(crate) fn an_output_that_drops_the_last_handle_of_another_task<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        // A chain of ended tasks, each the output of the next: one drop frees them all.
        let mut task: Task<Box<dyn Sized1>> = {
            let guard = trace.on_drop("innermost");
            spawn(async move { Box::new(guard) as Box<dyn Sized1> })
        };
        for _ in 0..20 {
            let inner = task;
            task = spawn(async move { Box::new(inner) as Box<dyn Sized1> });
        }
        turns(25).await;
        trace.expect(&[]);
        drop(task);
        turns(2).await;
        trace.expect(&["innermost"]);
    });
}

pub(crate) fn a_destructor_spawns_and_cancels_and_drops_handles<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let victims: Rc<RefCell<Vec<Task<()>>>> = Rc::default();
        for i in 0..4 {
            let guard = trace.on_drop(format!("victim {i}"));
            victims.borrow_mut().push(spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            }));
        }
        let (others, spawned) = (victims.clone(), trace.clone());
        let killer = spawn(async move {
            let _guard = on_drop(move || {
                let trace = spawned.clone();
                spawn(async move { trace.note("spawned") }).detach();
                let mut victims = others.borrow_mut();
                victims[0].cancel();
                drop(victims.pop());
                let cancelled = others.clone();
                drop(victims);
                for victim in cancelled.borrow().iter() {
                    victim.cancel();
                }
            });
            pending::<()>().await;
        });
        yield_now().await;
        killer.cancel();
        assert!(killer.await.is_err());
        turns(3).await;
        trace.expect(&["spawned", "victim 0", "victim 3", "victim 1", "victim 2"]);
        assert!(victims.borrow().iter().all(Task::is_done));
    });
}

/// An item whose drop comes back to its queue.
struct Item {
    queue: Rc<DynQueue<Item>>,
    dropped: Rc<Cell<usize>>,
    children: u32,
}

impl Drop for Item {
    fn drop(&mut self) {
        self.dropped.set(self.dropped.get() + 1);
        let _ = (self.queue.len(), self.queue.is_full(), self.queue.is_shut_down());
        if self.children > 0 {
            let child = Item { queue: self.queue.clone(), dropped: self.dropped.clone(), children: self.children - 1 };
            // Full, shut down or put: it is dropped in the end, and then comes back in turn.
            let _ = self.queue.try_put(child);
        }
        let _ = self.queue.task_done();
        drop(self.queue.try_get());
    }
}

pub(crate) fn items_whose_drop_comes_back_to_their_queue<W: World>(world: &mut W) {
    world.run(async {
        for how in [None, Some(Shutdown::Drain), Some(Shutdown::Immediate)] {
            let (queue, dropped) = (Rc::new(DynQueue::new(4)), Rc::new(Cell::new(0)));
            let item = |children| Item { queue: queue.clone(), dropped: dropped.clone(), children };
            for _ in 0..4 {
                assert!(queue.try_put(item(2)).is_ok());
            }
            // Putters that wait, and are dropped or shut out with their items.
            let mut puts: Vec<_> = (0..3).map(|_| Box::pin(queue.put(item(2)))).collect();
            for put in &mut puts {
                let mut cx = Context::from_waker(Waker::noop());
                assert!(put.as_mut().poll(&mut cx).is_pending());
            }
            drop(queue.try_get());
            if let Some(how) = how {
                queue.shutdown(how);
            }
            drop(puts);
            while queue.try_get().is_ok() {}
            assert!(queue.is_empty());
            assert!(dropped.get() >= 7, "each at least, and once");
            assert_eq!(Rc::strong_count(&queue), 1, "none is left anywhere");
        }
    });
}

pub(crate) fn an_order_that_comes_back_to_its_queue_is_noticed<W: Hosted>(_: &mut W) {
    // `Ord::cmp` runs under the queue's lock. Coming back from there must be an answer or a panic: not a hang, not a
    // second borrow.
    thread_local! {
        static QUEUE: PriorityQueue<Meddler, 8> = const { PriorityQueue::new() };
        static ON: Cell<bool> = const { Cell::new(false) };
    }
    #[derive(PartialEq, Eq)]
    struct Meddler(u32);
    impl PartialOrd for Meddler {
        fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Meddler {
        fn cmp(&self, other: &Self) -> core::cmp::Ordering {
            if ON.get() {
                QUEUE.with(|queue| queue.len());
            }
            self.0.cmp(&other.0)
        }
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    // In a thread of its own: if it hangs, the test fails and the thread is left behind.
    std::thread::spawn(move || {
        QUEUE.with(|queue| {
            assert!(queue.try_put(Meddler(2)).is_ok());
            ON.set(true);
            let result = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| queue.try_put(Meddler(1)).is_ok()));
            ON.set(false);
            // Usable afterwards.
            let _ = result;
            let _ = queue.try_put(Meddler(3));
            assert!(queue.try_get().is_ok());
        });
        let _ = sender.send(());
    });
    receiver.recv_timeout(core::time::Duration::from_secs(600)).expect("it came to an end");
}

pub(crate) fn guards_in_cancelled_tasks_let_the_next_through<W: World>(world: &mut W) {
    world.run(async {
        let (mutex, permits) = (Rc::new(Mutex::new(0)), Rc::new(Semaphore::new(1)));
        for _ in 0..10 {
            let tasks: Vec<_> = (0..10)
                .map(|_| {
                    let (mutex, permits) = (mutex.clone(), permits.clone());
                    spawn(async move {
                        let _permit = permits.acquire().await;
                        *mutex.lock().await += 1;
                        pending::<()>().await;
                    })
                })
                .collect();
            // Each holds the permit until it is cancelled.
            for task in tasks {
                turns(2).await;
                drop(task);
            }
            turns(2).await;
        }
        assert_eq!(*mutex.lock().await, 100);
        assert_eq!(permits.available(), 1);
    });
}

pub(crate) fn a_timed_out_future_whose_drop_waits_for_nobody<W: World>(world: &mut W) {
    world.run(async {
        let (queue, event) = (Rc::new(Queue::<u8, 1>::new()), Rc::new(Event::new()));
        for _ in 0..5 {
            let (drop_queue, drop_event) = (queue.clone(), event.clone());
            let limited = timeout(MS, async move {
                let _guard = on_drop(move || {
                    let _ = drop_queue.try_put(1);
                    drop_event.set();
                    spawn(async {}).detach();
                });
                sleep(LONG).await;
            });
            assert!(limited.await.is_err());
            event.wait().await;
            event.clear();
            assert_eq!(queue.get().await, Ok(1));
        }
    });
}

pub(crate) fn tasks_that_drop_each_others_handles<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        let (a, b): (Handle<()>, Handle<()>) = (Rc::default(), Rc::default());
        let make = |name: &'static str, other: Handle<()>| {
            let trace = trace.clone();
            spawn(async move {
                let _other = other;
                let _guard = trace.on_drop(name);
                pending::<()>().await;
            })
        };
        *a.borrow_mut() = Some(make("a", b.clone()));
        *b.borrow_mut() = Some(make("b", a.clone()));
        yield_now().await;
        let first = a.take();
        drop((a, b));
        // b's future owned the place of a's handle, a's that of b's.
        drop(first);
        turns(4).await;
        trace.expect(&["a", "b"]);
    });
}

pub(crate) fn a_sleep_dropped_by_the_waker_of_another_that_is_due_with_it<W: World>(world: &mut W) {
    world.run(async {
        let deadline = corio::now() + MS;
        let victim: Rc<RefCell<Option<Pin<Box<corio::Sleep>>>>> = Rc::default();
        let drops = {
            let victim = victim.clone();
            witnessed(move |what| {
                if what == Move::Wake {
                    drop(victim.take());
                }
            })
        };
        let (wakes, waker) = super::Wakes::new();
        let mut first = Box::pin(corio::sleep_until(deadline));
        let mut second = Box::pin(corio::sleep_until(deadline));
        let mut third = Box::pin(corio::sleep_until(deadline));
        assert!(first.as_mut().poll(&mut Context::from_waker(&drops)).is_pending());
        assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(third.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        *victim.borrow_mut() = Some(second);
        sleep(MS * 3).await;
        assert!(victim.borrow().is_none());
        assert_eq!(wakes.take(), 1, "the third, not the second, which is gone");
        assert!(third.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    });
}

pub(crate) fn a_closing_runner_whose_tasks_spawn_wake_and_wait_in_their_destructors<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    let permits = Rc::new(Semaphore::new(0));
    runner
        .run(async {
            for i in 0..5 {
                let (trace, permits) = (trace.clone(), permits.clone());
                spawn(async move {
                    let inner = trace.clone();
                    let _guard = on_drop(move || {
                        inner.note(format!("drop {i}"));
                        let trace = inner.clone();
                        let child = spawn(async move {
                            let _guard = trace.on_drop(format!("child {i}"));
                            pending::<()>().await;
                        });
                        child.detach();
                    });
                    permits.acquire().await.forget();
                })
                .detach();
            }
            yield_now().await;
        })
        .expect("main ends");
    drop(runner.close());
    let noted = trace.0.borrow().clone();
    let (drops, children): (Vec<_>, Vec<_>) = noted.iter().partition(|note| note.starts_with("drop"));
    assert_eq!(drops, ["drop 0", "drop 1", "drop 2", "drop 3", "drop 4"], "in order of creation");
    assert!(children.len() <= 5 && children.is_sorted(), "at most once each, in order");
    assert_eq!(Rc::strong_count(&trace.0), 1, "nothing is left alive");
    assert_eq!(Rc::strong_count(&permits), 1);
}

/// Emits something in its destructor, as far as that goes.
struct EmitsInDrop<'a, 'g>(&'a mut Emitter<'g, Noted>, Trace);

impl Drop for EmitsInDrop<'_, '_> {
    fn drop(&mut self) {
        let item = self.1.on_drop("item dropped");
        let mut emit = self.0.emit(item);
        assert!(Pin::new(&mut emit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        self.1.note("emitted");
        // It does not take its item back.
        core::mem::forget(emit);
    }
}

pub(crate) fn a_body_that_emits_while_it_is_dropped<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        for (close, waits) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut late = pin!(Some(generator(async |mut y| {
                let late = EmitsInDrop(&mut y, trace.clone());
                late.0.emit(trace.on_drop("first")).await;
                pending().await
            })));
            let mut generator = late.as_mut().as_pin_mut().expect("just put there");
            assert!(generator.next().await.is_some());
            trace.expect(&["first"]);
            if waits {
                assert!(pin!(generator.next()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
            if close {
                generator.close().await;
                assert!(generator.next().await.is_none());
            }
            late.set(None);
            trace.expect(&["emitted", "item dropped"]);
        }
    });
}

pub(crate) fn tasks_that_await_each_other_are_cancelled<W: World>(world: &mut W) {
    world.run(async {
        let trace = Trace::default();
        for gathered in [false, true] {
            let (a, b): (Handle<()>, Handle<()>) = (Rc::default(), Rc::default());
            let make = |name: &'static str, other: Handle<()>| {
                let trace = trace.clone();
                spawn(async move {
                    let _guard = trace.on_drop(name);
                    yield_now().await;
                    let other = other.take().expect("put there by the test");
                    let _ended = if gathered { gather([other]).await.map(|[()]| ()) } else { other.await };
                })
            };
            let tasks = (make("a", b.clone()), make("b", a.clone()));
            let names = (tasks.0.id(), tasks.1.id());
            *a.borrow_mut() = Some(tasks.0);
            *b.borrow_mut() = Some(tasks.1);
            turns(3).await;
            trace.expect(&[]);
            // The request goes round, and comes to an end.
            assert!(names.0.cancel());
            turns(6).await;
            assert!(names.0.is_done() && names.1.is_done());
            let mut ended = core::mem::take(&mut *trace.0.borrow_mut());
            ended.sort();
            assert_eq!(ended, ["a", "b"]);
        }
    });
}

pub(crate) fn a_time_limit_taken_away_while_a_waker_is_cloned<W: World>(world: &mut W) {
    world.run(async {
        for moved in [None, Some(Duration::from_secs(3600))] {
            let limit = Rc::new(TimeLimit::new(MS * 10));
            let (meddles, drops) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
            let waker = {
                let (limit, meddles, drops) = (limit.clone(), meddles.clone(), drops.clone());
                witnessed(move |what| match what {
                    Move::Clone if meddles.take() => {
                        limit.reschedule(moved.map(|after| now() + after)).expect("it is in force");
                    }
                    Move::Clone => drops.set(drops.get() + 1),
                    Move::Wake | Move::Drop => drops.set(drops.get() - 1),
                })
            };
            {
                let mut scope = Box::pin(limit.scope(pending::<()>()));
                assert!(scope.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                meddles.set(true);
                // The limit keeps the waker, and while it is cloned for that it is taken away, or moved.
                assert!(scope.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                assert!(!meddles.get() && !limit.has_expired());
                sleep(MS * 15).await;
                assert!(!limit.has_expired());
            }
            assert_eq!(drops.get(), -1, "each clone but the one that has meddled is dropped, once, and that one too");
        }
    });
}
