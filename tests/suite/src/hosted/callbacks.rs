//! Callbacks: `call_soon` and its kin, `on_done`; tasks that start eagerly; and whom the loop tells of failures.

use core::future::{Future as _, pending, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::sync::mpsc;

use corio::{
    CallHandle, Cancelled, ContextVar, Failed, Future, Handle, LoopMemory, Runner, Spawn, Task, TimerHandle, all_tasks,
    call_at, call_later, call_soon, current_task, gather, now, sleep, sleep_until, spawn, spawn_with, yield_now,
};

use super::{Hosted, Trace, Wakes, leak, on_drop, runner};
use crate::harness::{LONG, MS, turns};

struct Boom;

fn boom() {
    std::panic::resume_unwind(Box::new(Boom))
}

#[track_caller]
fn panics(f: impl FnOnce()) {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(()) => panic!("no panic came through"),
        Err(payload) if payload.is::<Boom>() => {}
        Err(payload) => panic_any(payload),
    }
}

impl Trace {
    /// A callback that notes `what`; dropped without being called, it notes that.
    fn callback(&self, what: &'static str) -> impl FnOnce() + use<> {
        let mut call = Call { trace: self.clone(), what, called: false };
        move || {
            call.called = true;
            call.trace.note(what);
        }
    }
}

struct Call {
    trace: Trace,
    what: &'static str,
    called: bool,
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.called {
            self.trace.note(format!("{} dropped", self.what));
        }
    }
}

pub(crate) fn callbacks_and_steps_stand_in_one_line<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        call_soon(trace.callback("a"));
        let step = trace.callback("b");
        let task = spawn(async { step() });
        call_soon(trace.callback("c"));
        trace.expect(&[]);
        assert_eq!(task.await, Ok(()));
        trace.expect(&["a", "b", "c"]);
    });
}

pub(crate) fn what_a_callback_makes_ready_waits_for_the_next_turn<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let (inner, again) = (trace.callback("second"), trace.clone());
        call_soon(move || {
            again.note("first");
            call_soon(inner);
        });
        yield_now().await;
        trace.expect(&["first"]);
        yield_now().await;
        trace.expect(&["second"]);
    });
}

pub(crate) fn a_timers_callback_runs_in_the_very_turn_in_which_it_is_due<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let start = now();
        call_at(start + MS * 2, trace.callback("2"));
        call_at(start + MS, trace.callback("1"));
        let noted = trace.callback("sleeper");
        let sleeper = spawn(async move {
            sleep_until(start + MS).await;
            noted();
        });
        call_at(start + MS * 3, trace.callback("3"));
        sleep_until(start + MS * 3).await;
        assert_eq!(sleeper.await, Ok(()));
        if W::VIRTUAL {
            trace.expect(&["1", "sleeper", "2", "3"]);
        } else {
            // All may be due in one turn, and the sleeper goes on in the next.
            trace.expect_without(&["1", "2", "3"], "sleeper");
        }
    });
}

pub(crate) fn what_a_timers_callback_starts_is_all_in_the_next_turn<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let (soon, later, after) = (trace.callback("soon"), trace.callback("later"), trace.callback("after"));
        call_later(MS, move || {
            call_soon(move || {
                soon();
                call_soon(after);
            });
            call_at(corio::Instant::ZERO, later);
        });
        sleep(MS * 5).await;
        turns(4).await;
        trace.expect(&["soon", "later", "after"]);
    });
}

pub(crate) fn taken_back_a_callback_is_dropped_at_once<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let soon = call_soon(trace.callback("soon"));
        let later = call_later(MS, trace.callback("later"));
        assert!(!soon.is_cancelled() && !later.is_cancelled());
        assert!(soon.cancel() && later.cancel());
        trace.expect(&["soon dropped", "later dropped"]);
        assert!(soon.is_cancelled() && later.is_cancelled());
        assert!(!soon.cancel() && !later.cancel());
        let called = call_soon(trace.callback("called"));
        sleep(MS * 2).await;
        trace.expect(&["called"]);
        assert!(!called.cancel() && !called.is_cancelled());
    });
}

pub(crate) fn a_callback_takes_back_itself_in_vain_and_the_next_in_time<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let handles: Rc<RefCell<Vec<CallHandle>>> = Rc::default();
        let (own, noted) = (handles.clone(), trace.clone());
        let first = call_soon(move || {
            let taken: Vec<_> = own.borrow().iter().map(CallHandle::cancel).collect();
            noted.note(format!("{taken:?}"));
        });
        let second = call_soon(trace.callback("second"));
        handles.borrow_mut().extend([first, second]);
        yield_now().await;
        trace.expect(&["second dropped", "[false, true]"]);
    });
}

pub(crate) fn handles_and_names_of_what_is_over_leave_alone_what_has_its_place<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let (soon, later) = (call_soon(trace.callback("soon")), call_later(MS, trace.callback("later")));
        let task = spawn(async {});
        let (done, id) = (task.on_done(|_| {}), task.id());
        task.await.unwrap();
        sleep(MS * 2).await;
        trace.expect(&["soon", "later"]);
        // What waits here takes the places of all that was there before.
        let futures: Vec<Rc<Future<u8>>> = (0..40).map(|_| Rc::default()).collect();
        let mut all = pin!(gather(futures.iter().collect::<Vec<_>>()));
        assert!(poll_fn(|cx| Poll::Ready(all.as_mut().poll(cx).is_pending())).await);
        assert!(!soon.cancel() && !later.cancel() && !done.remove() && !id.cancel());
        assert!(id.is_done() && id.cancelling() == 0 && id.uncancel() == 0 && id.name().is_none());
        let told = trace.callback("told");
        id.on_done(|_| told());
        for (n, future) in futures.iter().enumerate() {
            future.set(n as u8).unwrap();
        }
        assert!(all.await.unwrap().into_iter().copied().eq(0..40));
        trace.expect(&["told"]);
    });
}

pub(crate) fn names_of_tasks_that_are_over_leave_lent_futures_alone<W: Hosted>(_: &mut W) {
    let mut runner = runner::<W>();
    let ids: Vec<_> = (0..40).map(|_| runner.spawn(async {})).map(|task| (task.id(), task.detach()).0).collect();
    runner.run(turns(3)).expect("main ends");
    let (mut one, mut other) = (pin!(turns(3)), pin!(turns(5)));
    let cancels = pin!(async {
        for id in ids {
            assert!(!id.cancel() && id.is_done());
            yield_now().await;
        }
    });
    runner.run_all([one.as_mut(), cancels, other.as_mut()]).expect("all end");
}

pub(crate) fn between_turns_a_handle_calls_and_afterwards_nothing_does<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    let handle = runner.handle();
    handle.call_soon(trace.callback("soon"));
    let later = handle.call_later(MS, trace.callback("later"));
    assert_eq!(later.when(), handle.now().expect("it lives") + MS);
    handle.call_at(corio::Instant::MAX, trace.callback("never"));
    runner.run(sleep(MS * 3)).expect("main ends");
    trace.expect(&["soon", "later"]);
    drop(runner);
    trace.expect(&["never dropped"]);
    handle.call_soon(trace.callback("soon"));
    handle.call_at(corio::Instant::ZERO, trace.callback("past"));
    trace.expect(&["soon dropped", "past dropped"]);
    assert!(!later.cancel());
}

pub(crate) fn callbacks_that_are_left_run_in_the_next_run_or_are_dropped_at_the_end<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    runner
        .run(async {
            // The batch after main's last step runs; what it makes ready stays.
            let left = trace.callback("left");
            call_soon(move || {
                call_soon(left);
            });
            call_later(LONG, trace.callback("late"));
        })
        .expect("main ends");
    trace.expect(&[]);
    runner.run(async {}).expect("main ends");
    trace.expect(&["left"]);
    runner.close().expect("nothing waits");
    trace.expect(&["late dropped"]);
}

pub(crate) fn what_a_dropped_callback_takes_back_and_begins_to_wait_for_ends_in_one_piece<W: Hosted>(_: &mut W) {
    let (runner, trace) = (runner::<W>(), Trace::default());
    let handle = runner.handle();
    let future: Rc<Future<u8>> = Rc::default();
    let kept = Rc::new(RefCell::new(Vec::new()));
    let later: Rc<RefCell<Vec<TimerHandle>>> = Rc::default();
    let (at_the_end, own) = (later.clone(), kept.clone());
    let waited_for = future.clone();
    let guard = on_drop(move || {
        for later in at_the_end.take() {
            assert!(later.cancel());
            // In the place of what was taken back, which the loop has yet to come to.
            let waited_for = waited_for.clone();
            let mut gathered = Box::pin(async move { gather(vec![&waited_for]).await.map(|all| *all[0]) });
            assert!(gathered.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            own.borrow_mut().push(gathered);
        }
    });
    handle.call_later(MS, move || drop(guard));
    later.borrow_mut().extend((0..5).map(|_| handle.call_later(MS, trace.callback("late"))));
    drop(runner);
    trace.expect(&["late dropped"; 5]);
    future.set(8).unwrap();
    for gathered in &mut *kept.borrow_mut() {
        assert_eq!(gathered.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(8)));
    }
}

pub(crate) fn callbacks_that_outlive_their_loop_are_not_called_by_the_thread_that_has_it_next<W: Hosted>(_: &mut W) {
    // A thread can have the loop after another.
    static MEMORY: LoopMemory = LoopMemory::new();
    let future = Rc::new(Future::new());
    let mut gathered = pin!(gather([&future]));
    let (wakes, waker) = Wakes::new();
    let mut runner = Runner::new_in(&MEMORY, W::reactor());
    let polled = async { gathered.as_mut().poll(&mut Context::from_waker(&waker)) };
    assert!(runner.run(polled).expect("main ends").is_pending());
    drop(runner);
    let (tell, told) = mpsc::channel();
    let (begin, begun) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut runner = Runner::new_in(&MEMORY, W::reactor());
            begin.send(()).unwrap();
            told.recv().unwrap();
            runner.run(turns(5)).expect("main ends");
        });
        begun.recv().unwrap();
        future.set(5).unwrap();
        tell.send(()).unwrap();
    });
    assert_eq!(wakes.take(), 0);
    assert_eq!(gathered.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok([&5])));
}

pub(crate) fn what_the_hook_leaves_when_it_is_dropped_is_not_left_to_the_next_loop<W: Hosted>(_: &mut W) {
    static MEMORY: LoopMemory = LoopMemory::new();
    let trace = Trace::default();
    let runner = Runner::new_in(&MEMORY, W::reactor());
    let (handle, noted, slept) = (runner.handle(), trace.clone(), Rc::new(RefCell::new(None)));
    let kept = slept.clone();
    let guard = on_drop(move || {
        let noted = noted.clone();
        handle.on_failure(move |_| noted.note("told"));
        let mut sleep = Box::pin(sleep(LONG));
        assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        *kept.borrow_mut() = Some(sleep);
    });
    handle.on_failure(move |_| {
        let _guard = &guard;
    });
    drop(runner);
    let mut runner = Runner::new_in(&MEMORY, W::reactor());
    assert_eq!(runner.turn().next, None);
    runner.handle().call_soon(|| Err("nobody is told but by printing"));
    runner.run(turns(2)).expect("main ends");
    trace.expect(&[]);
    drop(slept);
}

pub(crate) fn callbacks_are_no_tasks<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let noted = trace.clone();
        call_later(LONG, || {});
        call_soon(move || {
            noted.note(format!("{:?} {}", current_task(), all_tasks().len()));
        });
        yield_now().await;
        trace.expect(&["None 1"]);
    });
}

pub(crate) fn done_callbacks_and_awaiters_of_a_task_go_in_order<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let task = Rc::new(spawn(turns(2)));
        let name = task.id();
        let (a, c) = (trace.callback("a"), trace.callback("c"));
        task.on_done(move |ended| {
            assert!(ended == name && ended.is_done());
            a();
        });
        let (awaited, b) = (task.clone(), trace.callback("b"));
        let awaiter = spawn(async move {
            awaited.ended().await;
            b();
        });
        yield_now().await;
        task.on_done(|_| c());
        let removed = task.on_done({
            let d = trace.callback("d");
            move |_| d()
        });
        assert!(removed.remove() && !removed.remove());
        trace.expect(&["d dropped"]);
        assert_eq!(awaiter.await, Ok(()));
        trace.expect(&["a", "b", "c"]);
        let late = trace.callback("late");
        let kept = task.on_done(|_| late());
        assert!(!kept.remove(), "the task has ended");
        trace.expect(&[]);
        yield_now().await;
        trace.expect(&["late"]);
    });
}

pub(crate) fn the_end_of_a_task_is_told_however_it_ends<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let on_done = |task: &Task<()>, what| {
            let call = trace.callback(what);
            task.on_done(|_| call());
        };
        let detached = spawn(async {});
        on_done(&detached, "detached");
        detached.detach();
        let dropped = spawn(pending());
        on_done(&dropped, "dropped");
        drop(dropped);
        let cancelled = spawn(pending());
        on_done(&cancelled, "cancelled");
        cancelled.cancel();
        let id = current_task().expect("main is one");
        let main = trace.callback("main");
        id.on_done(|_| main());
        turns(3).await;
        trace.expect(&["detached", "dropped", "cancelled"]);
    });
    trace.expect(&["main"]);
}

pub(crate) fn callbacks_and_awaiters_of_a_future_go_in_order<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let future = Rc::new(Future::new());
        let on_done = |what: &'static str| {
            let noted = trace.clone();
            future.on_done(move |future| noted.note(format!("{what} {:?}", future.outcome())))
        };
        on_done("a");
        let (awaited, b) = (future.clone(), trace.callback("b"));
        let awaiter = spawn(async move {
            assert_eq!((&*awaited).await, Ok(&7));
            b();
        });
        yield_now().await;
        let removed = on_done("removed");
        let kept = on_done("c");
        assert!(removed.remove() && !removed.remove());
        assert_eq!(future.set(7), Ok(()));
        assert!(!kept.remove(), "it is on its way");
        on_done("d");
        trace.expect(&[]);
        assert_eq!(awaiter.await, Ok(()));
        trace.expect(&["a Some(Ok(7))", "b", "c Some(Ok(7))", "d Some(Ok(7))"]);
    });
}

pub(crate) fn a_callback_keeps_its_future_until_it_has_run<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let future = Rc::new(Future::new());
        let call = trace.callback("called");
        future.on_done(move |_| call());
        assert!(future.set(trace.on_drop("value dropped")).is_ok());
        drop(future);
        yield_now().await;
        trace.expect(&["called", "value dropped"]);
        let future = Rc::new(Future::<u8>::new());
        let call = trace.callback("never");
        let handle = future.on_done(move |_| call());
        assert!(handle.remove());
        trace.expect(&["never dropped"]);
        assert_eq!(Rc::strong_count(&future), 1);
    });
}

pub(crate) fn a_leaked_awaiter_leads_nowhere<W: Hosted>(world: &mut W) {
    world.run(async {
        for set in [None, Some(1)] {
            let task = spawn(async move {
                let future = Box::new(Future::<u8>::new());
                let mut leaked = Box::pin(future.wait());
                core::future::poll_fn(|cx| {
                    assert!(core::future::Future::poll(leaked.as_mut(), cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                leak(leaked);
                assert!(set.is_none_or(|value| future.set(value).is_ok()));
                drop(future);
                pending::<()>().await;
            });
            yield_now().await;
            assert!(task.cancel());
            assert_eq!(task.await, Err(Cancelled));
        }
    });
}

pub(crate) fn errors_of_callbacks_go_to_the_hook_and_the_batch_goes_on<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    let noted = trace.clone();
    runner.handle().on_failure(move |failure| {
        assert!(failure.of == Failed::Callback && failure.at.file().ends_with("callbacks.rs"));
        noted.note(format!("hook {:?}", failure.error));
    });
    runner
        .run(async {
            call_soon(|| Err("a"));
            call_soon(trace.callback("b"));
            let future = Rc::new(Future::new());
            future.on_done(|_| Err("c"));
            assert!(future.set(()).is_ok());
            let task = spawn(async {});
            task.on_done(|_| Err("d"));
            turns(3).await;
            call_later(MS, || Err("e"));
            call_later(MS, || Ok::<(), ()>(()));
            sleep(MS * 3).await;
        })
        .expect("main ends");
    trace.expect(&["hook \"a\"", "b", "hook \"c\"", "hook \"d\"", "hook \"e\""]);
}

pub(crate) fn a_hook_may_put_another_in_its_place<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    let (first, second) = (trace.on_drop("first hook dropped"), trace.clone());
    let handle = runner.handle();
    handle.on_failure(move |failure| {
        first.0.note(format!("first {failure:?}").split_inclusive("Callback").next().unwrap_or_default());
        let second = second.clone();
        handle.on_failure(move |_| second.note("second"));
    });
    runner
        .run(async {
            call_soon(|| Err(()));
            call_soon(|| Err(()));
            turns(2).await;
        })
        .expect("main ends");
    trace.expect(&["first Failure { of: Callback", "first hook dropped", "second"]);
}

pub(crate) fn a_task_that_was_let_go_reports_its_error<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    let noted = trace.clone();
    runner.handle().on_failure(move |failure| {
        noted.note(failure.to_string().split(" let go").next().unwrap_or_default());
        noted.note(format!("{:?}", failure.error));
    });
    runner
        .run(async {
            let failing = async {
                sleep(MS).await;
                Err::<(), _>("no")
            };
            spawn_with(Spawn::new().name("rx"), failing).detach_and_report();
            spawn(async { Ok::<_, ()>(1) }).detach_and_report();
            let ended = spawn(async { Err::<(), _>("late") });
            yield_now().await;
            ended.detach_and_report();
            trace.expect(&["the task", "\"late\""]);
            sleep(MS * 3).await;
            // Both may have been due in one turn.
            turns(3).await;
            trace.expect(&["the task `rx`", "\"no\""]);
        })
        .expect("main ends");
}

pub(crate) fn a_panic_in_a_callback_goes_through_run_and_the_others_are_called<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    panics(|| {
        let _ = runner.run(async {
            let guard = trace.on_drop("callback dropped");
            call_soon(move || {
                let _guard = guard;
                boom();
            });
            call_soon(trace.callback("soon"));
            pending::<()>().await;
        });
    });
    trace.expect(&["callback dropped"]);
    runner.run(yield_now()).expect("the loop goes on");
    trace.expect(&["soon"]);
    panics(|| {
        let _ = runner.run(async {
            call_later(MS, || {
                boom();
            });
            call_later(MS, trace.callback("later"));
            pending::<()>().await;
        });
    });
    trace.expect(&[]);
    runner.run(sleep(MS)).expect("the loop goes on");
    trace.expect(&["later"]);
}

pub(crate) fn an_eager_task_takes_its_first_step_within_spawn<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let main = current_task();
        let noted = trace.clone();
        let eager = || Spawn::new().eager();
        let task = spawn_with(eager().name("eager"), async move {
            let me = current_task().expect("it is one");
            assert!(Some(me) != main && me.name() == Some("eager") && all_tasks().len() == 2);
            noted.note("first");
            yield_now().await;
            noted.note("second");
            7
        });
        assert!(current_task() == main && !task.is_done());
        trace.expect(&["first"]);
        assert_eq!(task.await, Ok(7));
        trace.expect(&["second"]);
        let nested = spawn_with(eager(), async move { spawn_with(eager(), async { 2 }).await });
        assert!(nested.is_done(), "no turn was needed");
        assert_eq!(nested.outcome(), Some(Ok(&Ok(2))));
        assert!(current_task() == main);
    });
}

pub(crate) fn an_eager_step_cancels_its_spawner_who_ends_where_it_next_waits<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let noted = trace.clone();
        let spawner = spawn(async move {
            let me = current_task().expect("it is one");
            let _guard = noted.on_drop("spawner dropped");
            spawn_with(Spawn::new().eager(), async move { assert!(me.cancel()) }).detach();
            assert_eq!(me.cancelling(), 1);
            call_soon(noted.callback("called"));
            noted.note("spawner goes on");
            pending::<()>().await;
        });
        assert_eq!(spawner.await, Err(Cancelled));
        trace.expect(&["spawner goes on", "called", "spawner dropped"]);
    });
}

pub(crate) fn a_panic_in_an_eager_step_is_the_spawners_too<W: Hosted>(_: &mut W) {
    let (mut runner, trace) = (runner::<W>(), Trace::default());
    let spawner: Rc<Cell<Option<Task<()>>>> = Rc::default();
    panics(|| {
        let _ = runner.run(async {
            let (outer, inner) = (trace.on_drop("spawner dropped"), trace.on_drop("eager dropped"));
            spawner.set(Some(spawn(async move {
                let _guard = outer;
                let eager = async move {
                    let _guard = inner;
                    boom()
                };
                spawn_with(Spawn::new().eager(), eager).detach();
            })));
            pending::<()>().await;
        });
    });
    trace.expect(&["eager dropped", "spawner dropped"]);
    assert!(spawner.take().is_some_and(|task| task.is_done()));
    runner.run(yield_now()).expect("the loop goes on");
}

pub(crate) fn an_eager_task_starts_in_a_destructor_of_a_task_that_unwinds<W: Hosted>(world: &mut W) {
    let trace = Trace::default();
    world.run(async {
        let noted = trace.clone();
        let task = spawn(async move {
            let _guard = on_drop(|| {
                let noted = noted.clone();
                let eager = async move {
                    corio::timeout(MS, yield_now()).await.expect("it is in time");
                    noted.note("eager goes on");
                };
                spawn_with(Spawn::new().eager(), eager).detach();
            });
            corio::timeout(LONG, pending::<()>()).await
        });
        yield_now().await;
        task.cancel();
        assert_eq!(task.await, Err(Cancelled));
        turns(2).await;
        trace.expect(&["eager goes on"]);
    });
}

pub(crate) fn awaiters_under_wakers_of_others_are_woken_too<W: Hosted>(world: &mut W) {
    world.run(async {
        let future = Future::new();
        let (wakes, waker) = super::Wakes::new();
        let mut awaiter = pin!(future.wait());
        let mut cx = Context::from_waker(&waker);
        assert!(core::future::Future::poll(awaiter.as_mut(), &mut cx).is_pending());
        assert_eq!(future.set(3), Ok(()));
        assert_eq!(wakes.take(), 1);
        assert_eq!(core::future::Future::poll(awaiter, &mut cx), Poll::Ready(Ok(&3)));
        assert!(Handle::current().is_some());
    });
}

pub(crate) fn a_callback_registered_while_the_loop_closes_is_dropped<W: Hosted>(_: &mut W) {
    let (runner, trace) = (runner::<W>(), Trace::default());
    let noted = trace.clone();
    let guard = on_drop(move || {
        call_soon(noted.callback("soon"));
        call_later(MS, noted.callback("later"));
    });
    // It is left, and dropped when the loop takes no more.
    runner.handle().call_later(LONG, move || drop(guard));
    trace.expect(&[]);
    drop(runner);
    trace.expect(&["soon dropped", "later dropped"]);
}

pub(crate) fn callbacks_run_in_a_copy_of_the_context_in_which_they_were_registered<W: Hosted>(world: &mut W) {
    static NUMBER: ContextVar<u8> = ContextVar::with_default(|| 0);
    let trace = Trace::default();
    world.run(async {
        let note = |what: &'static str| {
            let noted = trace.clone();
            move || {
                noted.note(format!("{what} {:?}", NUMBER.get()));
                NUMBER.set(9);
                noted.note(format!("{what} {:?}", NUMBER.get()));
            }
        };
        call_soon(note("bare"));
        NUMBER.set(1);
        call_soon(note("soon"));
        let (task, ended) = (spawn(async {}), note("done"));
        task.on_done(move |_| ended());
        NUMBER.set(2);
        turns(3).await;
        call_later(MS, note("later"));
        NUMBER.set(3);
        sleep(MS * 3).await;
        assert_eq!(NUMBER.get(), Some(3));
        let nine = "Some(9)";
        let expected = [("bare", "Some(0)"), ("soon", "Some(1)"), ("done", "Some(1)"), ("later", "Some(2)")];
        let lines: Vec<_> = expected.iter().flat_map(|(a, b)| [format!("{a} {b}"), format!("{a} {nine}")]).collect();
        trace.expect(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    });
}

pub(crate) fn a_callback_dropped_in_a_step_leaves_the_step_its_task<W: Hosted>(world: &mut W) {
    world.run(async {
        let main = current_task();
        let guard = on_drop(|| assert!(current_task().is_none()));
        let callback = call_soon(move || drop(guard));
        assert!(callback.cancel());
        assert!(current_task() == main && main.is_some());
        // It is still its own to cancel.
        let task = spawn(async {
            let me = current_task().expect("it is one");
            call_soon(|| ()).cancel();
            assert!(me.cancel());
            yield_now().await;
        });
        assert_eq!(task.await, Err(Cancelled));
    });
}
