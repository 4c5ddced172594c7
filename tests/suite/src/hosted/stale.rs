//! Names, wakers and waiters that have outlived what they were for: they lead to nothing that came after it.

use core::future::{Future as _, pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::Wake;
use std::thread::{self, ThreadId};

use corio::{
    Cancelled, Future, TimedOut, Until, as_completed, call_later, call_soon, gather, sleep, spawn, wait, yield_now,
};

use super::waker::{Move, witnessed};
use super::{Hosted, Trace, leak, on_drop, runner};
use crate::World;
use crate::harness::{LONG, MS, turns};

/// Polls once, by nobody's waker.
fn begin<F: core::future::Future>(future: Pin<&mut F>) {
    assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

pub(crate) fn a_handle_of_a_callback_that_was_called_leads_to_no_other<W: World>(world: &mut W) {
    world.run(async {
        let (one, two) = (Rc::new(Future::<u8>::new()), Rc::new(Future::<u8>::new()));
        let (soon, later) = (call_soon(|| {}), call_later(MS, || {}));
        sleep(MS * 3).await;
        // The places of both are taken by the callbacks of a gather.
        let mut all = pin!(gather((&one, &two)));
        begin(all.as_mut());
        assert!(!soon.cancel() && !later.cancel());
        one.set(1).expect("pending");
        two.set(2).expect("pending");
        assert_eq!(all.await, Ok((&1, &2)));
    });
}

pub(crate) fn a_name_of_a_task_that_has_ended_leads_to_no_callback<W: World>(world: &mut W) {
    world.run(async {
        let answer = Rc::new(Future::<u8>::new());
        let task = spawn(async {});
        let name = task.id();
        task.await.expect("it ends");
        let mut all = pin!(gather([&answer]));
        begin(all.as_mut());
        assert!(name.is_done() && !name.cancel());
        assert_eq!((name.cancelling(), name.uncancel(), name.name()), (0, 0, None));
        answer.set(1).expect("pending");
        assert_eq!(all.await, Ok([&1]));
    });
}

pub(crate) fn a_name_of_a_task_that_has_ended_leads_to_no_lent_future<W: Hosted>(_: &mut W) {
    let mut runner = runner::<W>();
    let name = runner.run(async { spawn(async {}).id() }).expect("main ends");
    let polls = Cell::new(0);
    let lent = pin!(async {
        for _ in 0..3 {
            polls.set(polls.get() + 1);
            assert!(name.is_done() && !name.cancel() && name.name().is_none());
            yield_now().await;
        }
    });
    runner.run_all([lent]).expect("it ends");
    assert_eq!(polls.get(), 3);
}

pub(crate) fn a_callback_is_called_though_the_place_of_its_task_is_taken<W: World>(world: &mut W) {
    world.run(async {
        let (trace, answer) = (Trace::default(), Rc::new(Future::<u8>::new()));
        let task = spawn(async {});
        let done = trace.clone();
        task.on_done(move |_| done.note("done"));
        task.detach();
        let waits = spawn({
            // In the turn in which the task ends, and behind it.
            let answer = answer.clone();
            async move { gather([&answer]).await.map(|[value]| *value) }
        });
        turns(3).await;
        trace.expect(&["done"]);
        answer.set(1).expect("pending");
        assert_eq!(waits.await, Ok(Ok(1)));
    });
}

/// Ends at once, and gives a waker of its task.
async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

pub(crate) fn a_stale_wake_is_no_end_of_time_and_no_end_of_a_task<W: World>(world: &mut W) {
    world.run(async {
        let tasks: Vec<_> = (0..8).map(|_| spawn(own_waker())).collect();
        let mut wakers = Vec::new();
        for task in tasks {
            wakers.push(task.await.expect("it ends"));
        }
        let (answer, never) = (Rc::new(Future::<u8>::new()), spawn(pending::<()>()));
        // Their places are those of the callbacks, the one for the limit among them.
        let mut ended = as_completed([&answer]).within(LONG);
        let mut both = pin!(gather((&answer, &never)));
        begin(both.as_mut());
        for _ in 0..3 {
            wakers.iter().for_each(Waker::wake_by_ref);
            yield_now().await;
        }
        begin(pin!(ended.next()));
        begin(both.as_mut());
        answer.set(5).expect("pending");
        assert!(matches!(ended.next().await, Some(Ok(answer)) if answer.outcome() == Some(Ok(&5))));
        assert!(ended.next().await.is_none());
        // And the limit counts when it is reached.
        let mut ended = as_completed([&never]).within(MS);
        wakers.iter().for_each(Waker::wake_by_ref);
        assert!(matches!(ended.next().await, Some(Err(TimedOut))));
    });
}

/// Notes in which thread it is woken.
#[derive(Default)]
struct Where(std::sync::Mutex<Vec<ThreadId>>);

impl Wake for Where {
    fn wake(self: Arc<Self>) {
        self.0.lock().expect("no panic in there").push(thread::current().id());
    }
}

pub(crate) fn a_callback_of_a_loop_that_has_ended_is_called_by_no_other<W: Hosted>(_: &mut W) {
    // Its loop is used again, by another thread perhaps, while this thread wakes the callback's place.
    let woken = Arc::new(Where::default());
    let waker = Waker::from(woken.clone());
    for _ in 0..20 {
        let answer = Rc::new(Future::<u8>::new());
        let of = [&answer];
        let mut waits = Box::pin(wait(of, Until::All, None));
        runner::<W>()
            .run(async { assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()) })
            .expect("main ends");
        let ((begun, begins), stop) = (mpsc::channel(), Arc::new(AtomicBool::new(false)));
        let next = thread::spawn({
            let stop = stop.clone();
            move || {
                let mut runner = runner::<W>();
                runner
                    .run(async {
                        begun.send(()).expect("the test waits");
                        while !stop.load(SeqCst) {
                            yield_now().await;
                        }
                        turns(3).await;
                    })
                    .expect("main ends");
            }
        });
        begins.recv().expect("it begins");
        answer.set(1).expect("pending");
        stop.store(true, SeqCst);
        next.join().expect("nothing happens there");
        assert!(woken.0.lock().expect("no panic in there").iter().all(|&thread| thread == thread::current().id()));
        // Here it goes on.
        let waited = runner::<W>().run(waits.as_mut()).expect("main ends");
        assert_eq!((waited.done.len(), waited.pending.len()), (1, 0));
    }
}

pub(crate) fn a_waiter_that_was_leaked_does_not_lead_to_where_its_future_was<W: World>(world: &mut W) {
    world.run(async {
        for between_steps in [false, true] {
            let seen = Rc::new(Cell::new(0));
            let result = seen.clone();
            let moved: Rc<RefCell<Option<Future<u8>>>> = Rc::default();
            let place = moved.clone();
            let task = spawn(async move {
                let _guard = on_drop(move || result.set(result.get() + 1));
                let mut places = vec![Future::<u8>::new()];
                let mut waits = Box::pin(places[0].wait());
                poll_fn(|cx| {
                    assert!(waits.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                leak(waits);
                // Where it was there is another now.
                *place.borrow_mut() = Some(core::mem::replace(&mut places[0], Future::new()));
                if !between_steps {
                    assert!(corio::current_task().expect("a task").cancel());
                }
                assert!(!places[0].is_done(), "nobody waits for this one");
                pending::<()>().await;
                drop(places);
            });
            yield_now().await;
            if between_steps {
                assert!(task.cancel());
            }
            assert_eq!(task.await, Err(Cancelled));
            assert_eq!(seen.get(), 1);
            let future = moved.take().expect("put there by the task");
            assert!(future.is_cancelled(), "wherever it is");
            assert_eq!(future.wait().await, Err(Cancelled));
        }
    });
}

pub(crate) fn a_future_is_cancelled_through_a_waiter_whatever_wakers_do<W: World>(world: &mut W) {
    // All who wait are told, in order, though the first who is told drops the others, one of them the one through whom
    // the future was cancelled.
    world.run(async {
        for drops in [0b000_u8, 0b001, 0b010, 0b011, 0b100, 0b110, 0b111] {
            let answer = Rc::new(Future::<u8>::new());
            type Waits = Pin<Box<dyn core::future::Future<Output = Result<u8, Cancelled>>>>;
            let waits = |answer: &Rc<Future<u8>>| -> Waits {
                let answer = answer.clone();
                Box::pin(async move { answer.wait().await.copied() })
            };
            let others: Rc<RefCell<Vec<Option<Waits>>>> = Rc::new(RefCell::new(Vec::new()));
            let order = Rc::new(RefCell::new(Vec::new()));
            let noted = |name: u8, drops: u8| {
                let (others, order) = (others.clone(), order.clone());
                witnessed(move |what| {
                    if what == Move::Wake {
                        order.borrow_mut().push(name);
                        for index in 0..3 {
                            if drops & 1 << index != 0 {
                                let gone = others.borrow_mut().get_mut(index).and_then(Option::take);
                                drop(gone);
                            }
                        }
                    }
                })
            };
            let mut first = waits(&answer);
            let first_waker = noted(0, drops);
            assert!(first.as_mut().poll(&mut Context::from_waker(&first_waker)).is_pending());
            // The task that is cancelled waits through the one in the middle, which others may drop.
            let middle: Rc<RefCell<Vec<Option<Waits>>>> = others.clone();
            let mut early = waits(&answer);
            let early_waker = noted(1, 0);
            assert!(early.as_mut().poll(&mut Context::from_waker(&early_waker)).is_pending());
            others.borrow_mut().push(Some(early));
            others.borrow_mut().push(Some(waits(&answer)));
            let task = spawn(poll_fn(move |cx| {
                let waits = middle.borrow_mut()[1].take();
                let Some(mut waits) = waits else { return Poll::Ready(None) };
                let polled = waits.as_mut().poll(cx);
                middle.borrow_mut()[1] = Some(waits);
                polled.map(Some)
            }));
            yield_now().await;
            let mut late = waits(&answer);
            let late_waker = noted(3, 0);
            assert!(late.as_mut().poll(&mut Context::from_waker(&late_waker)).is_pending());
            others.borrow_mut().push(Some(late));
            assert!(task.cancel());
            assert!(answer.is_cancelled());
            let told: &[u8] = match (drops & 0b001 == 0, drops & 0b100 == 0) {
                (true, true) => &[0, 1, 3],
                (true, false) => &[0, 1],
                (false, true) => &[0, 3],
                (false, false) => &[0],
            };
            assert_eq!(*order.borrow(), told, "with {drops:b}");
            let _outcome = task.await;
            let mut cx = Context::from_waker(Waker::noop());
            assert_eq!(first.as_mut().poll(&mut cx), Poll::Ready(Err(Cancelled)));
            for mut other in others.take().into_iter().flatten() {
                assert_eq!(other.as_mut().poll(&mut cx), Poll::Ready(Err(Cancelled)));
            }
            assert_eq!(answer.wait().await, Err(Cancelled));
            drop(first);
            assert_eq!(Rc::strong_count(&answer), 1);
        }
    });
}

pub(crate) fn a_closing_runner_drops_tasks_whose_places_callbacks_take<W: Hosted>(_: &mut W) {
    let mut runner = runner::<W>();
    let answer = Rc::new(Future::<u8>::new());
    let kept = Rc::new(RefCell::new(None));
    let dropped = Rc::new(Cell::new(0));
    runner
        .run(async {
            let (count, answer, kept) = (dropped.clone(), answer.clone(), kept.clone());
            // A task, and behind it in order of creation a callback that its destructor takes back.
            let handles = Rc::new(RefCell::new(Vec::new()));
            let own = handles.clone();
            spawn(async move {
                let _guard = on_drop(move || {
                    assert!(own.borrow().iter().all(|handle: &corio::TimerHandle| handle.cancel()));
                    let answer: &'static Rc<Future<u8>> = leak(answer.clone());
                    let mut all = Box::pin(gather([answer, answer, answer, answer]));
                    begin(all.as_mut());
                    *kept.borrow_mut() = Some(all);
                    count.set(count.get() + 1);
                });
                pending::<()>().await;
            })
            .detach();
            for _ in 0..4 {
                handles.borrow_mut().push(call_later(LONG, || {}));
            }
            yield_now().await;
        })
        .expect("main ends");
    drop(runner);
    assert_eq!(dropped.get(), 1);
    assert!(kept.borrow().is_some());
    drop(kept.take());
    answer.set(1).expect("pending");
}

thread_local! {
    static WAITS: RefCell<Option<Box<dyn core::any::Any>>> = const { RefCell::new(None) };
    static VALUES: Cell<usize> = const { Cell::new(0) };
    static SEEN: Cell<bool> = const { Cell::new(false) };
}

/// A value that is counted while it is there.
struct Counted(u8);

impl Counted {
    fn new(value: u8) -> Self {
        VALUES.set(VALUES.get() + 1);
        Self(value)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        VALUES.set(VALUES.get() - 1);
    }
}

pub(crate) fn a_predicate_that_drops_the_task_that_it_looks_at<W: World>(world: &mut W) {
    fn looks(outcome: Result<&Counted, Cancelled>) -> bool {
        drop(WAITS.take());
        // The task and its handle are gone; the value that was lent is there until this returns.
        SEEN.set(outcome.is_ok_and(|value| VALUES.get() == 1 && value.0 == 7));
        true
    }
    world.run(async {
        SEEN.set(false);
        let task = spawn(async { Counted::new(7) });
        let mut waits = Box::pin(wait([task], Until::First(looks), None));
        begin(waits.as_mut());
        WAITS.set(Some(Box::new(waits)));
        turns(4).await;
        assert!(SEEN.get() && VALUES.get() == 0);
    });
}
