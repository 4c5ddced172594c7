//! Context variables: who inherits what, who sees what, and that nothing of it stays behind.

use std::cell::Cell;
use std::rc::Rc;

use corio::{Context, ContextVar, ResetError, Runner, Spawn, Task, sleep, spawn, spawn_with, timeout, yield_now};

use super::{Hosted, Trace, runner};
use crate::harness::{MS, turns};

pub(crate) fn a_task_inherits_what_was_set_when_it_was_spawned<W: Hosted>(world: &mut W) {
    static VAR: ContextVar<u32> = ContextVar::new();
    world.run(async {
        assert_eq!(VAR.get(), None);
        VAR.set(1);
        let child = spawn(async {
            let first = VAR.get();
            let grandchild = spawn(async { VAR.get() });
            VAR.set(3);
            turns(2).await;
            (first, VAR.get(), grandchild.await.unwrap())
        });
        VAR.set(2);
        assert_eq!(child.await.unwrap(), (Some(1), Some(3), Some(1)));
        assert_eq!(VAR.get(), Some(2));
    });
}

pub(crate) fn what_a_task_sets_is_its_own_over_its_waits<W: Hosted>(world: &mut W) {
    static VAR: ContextVar<u32> = ContextVar::with_default(|| 0);
    world.run(async {
        let tasks = [1, 2, 3].map(|n| {
            spawn(async move {
                assert_eq!(VAR.get(), Some(0));
                VAR.set(n);
                for _ in 0..3 {
                    yield_now().await;
                    sleep(MS).await;
                    assert_eq!(timeout(MS, async { VAR.get() }).await, Ok(Some(n)));
                }
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(VAR.get(), Some(0));
    });
}

pub(crate) fn many_variables_keep_apart<W: Hosted>(world: &mut W) {
    static VARS: [ContextVar<usize>; 40] = [const { ContextVar::new() }; 40];
    static NOTHING: ContextVar<()> = ContextVar::new();
    world.run(async {
        // In an order of no use to a sorted list.
        let order = || (0..40).map(|n| n * 17 % 40);
        for n in order() {
            VARS[n].set(n);
        }
        let copy = Context::current();
        assert_eq!(copy.len(), 40);
        for n in order() {
            VARS[n].set(n + 100);
        }
        assert!(order().all(|n| VARS[n].get() == Some(n + 100) && copy.get(&VARS[n]) == Some(n)));
        assert_eq!(NOTHING.get(), None);
        NOTHING.set(());
        assert_eq!((NOTHING.get(), copy.get(&NOTHING)), (Some(()), None));
    });
}

pub(crate) fn a_token_leads_back_once_in_its_own_context_only<W: Hosted>(world: &mut W) {
    static VAR: ContextVar<u32> = ContextVar::new();
    static OTHER: ContextVar<u32> = ContextVar::new();
    world.run(async {
        let first = VAR.set(1);
        let second = VAR.set(2);
        assert_eq!((first.old_value(), second.old_value()), (None, Some(1)));
        let Err(ResetError(second)) = OTHER.reset(second) else { panic!("of another variable") };
        let second = spawn(async { VAR.reset(second).map_err(|ResetError(token)| token) }).await;
        let Ok(Err(second)) = second else { panic!("of another context") };
        let Err(ResetError(second)) = Context::current().run(|| VAR.reset(second)) else { panic!("of a copy") };
        assert_eq!(VAR.get(), Some(2));
        VAR.reset(second).unwrap();
        assert_eq!(VAR.get(), Some(1));
        VAR.reset(first).unwrap();
        assert_eq!(VAR.get(), None);
        assert!(Context::current().is_empty());
    });
}

pub(crate) fn tasks_in_a_given_context_share_it<W: Hosted>(world: &mut W) {
    static VAR: ContextVar<u32> = ContextVar::new();
    world.run(async {
        VAR.set(1);
        let context = Context::current();
        VAR.set(2);
        let add = || {
            let before = VAR.get().unwrap();
            VAR.set(before * 10);
        };
        let tasks = [0; 2].map(|_| {
            spawn_with(Spawn::new().name("shares").context(&context), async move {
                add();
                yield_now().await;
                VAR.get()
            })
        });
        for task in tasks {
            assert_eq!(task.await, Ok(Some(100)));
        }
        context.run(add);
        assert_eq!((VAR.get(), context.get(&VAR), context.copy().get(&VAR)), (Some(2), Some(1000), Some(1000)));
    });
}

pub(crate) fn a_future_in_a_scope_has_its_context_at_each_poll_and_in_its_end<W: Hosted>(world: &mut W) {
    static VAR: ContextVar<u32> = ContextVar::new();
    struct Looks(Trace);
    impl Drop for Looks {
        fn drop(&mut self) {
            self.0.note(format!("{:?}", VAR.get()));
        }
    }
    let trace = Trace::default();
    world.run(async {
        VAR.set(1);
        let inside = || {
            let looks = Looks(trace.clone());
            async move {
                let _looks = looks;
                VAR.set(VAR.get().unwrap() + 1);
                sleep(MS).await;
                assert_eq!(VAR.get(), Some(2));
                std::future::pending::<()>().await;
            }
        };
        // Two that take turns in one task.
        let (one, two) = (Context::current(), Context::current());
        let both = async {
            let mut one = std::pin::pin!(one.scope(inside()));
            let mut two = std::pin::pin!(two.scope(inside()));
            std::future::poll_fn(|cx| {
                assert!(one.as_mut().poll(cx).is_pending());
                assert_eq!(VAR.get(), Some(1));
                two.as_mut().poll(cx)
            })
            .await;
        };
        assert!(timeout(3 * MS, both).await.is_err());
        drop(one.scope(inside()));
        assert_eq!((VAR.get(), one.scope(async { VAR.get() }).await), (Some(1), Some(2)));
    });
    trace.expect(&["Some(2)", "Some(2)", "Some(2)"]);
}

pub(crate) fn a_task_ends_in_its_own_context_however_it_ends<W: Hosted>(world: &mut W) {
    static VAR: ContextVar<u32> = ContextVar::new();
    struct Looks(Trace);
    impl Drop for Looks {
        fn drop(&mut self) {
            self.0.note(format!("{:?} {}", VAR.get(), corio::current_task().is_some()));
            VAR.set(9);
        }
    }
    let trace = Trace::default();
    world.run(async {
        let task = |wait: bool| -> Task<()> {
            let looks = Looks(trace.clone());
            spawn(async move {
                let _looks = looks;
                VAR.set(5);
                yield_now().await;
                if wait {
                    std::future::pending::<()>().await;
                }
            })
        };
        task(false).await.unwrap();
        let (cancelled, dropped) = (task(true), task(true));
        turns(3).await;
        cancelled.cancel();
        cancelled.await.unwrap_err();
        drop(dropped);
        turns(2).await;
        // Before its first step.
        drop(task(true));
        turns(2).await;
        assert_eq!(VAR.get(), None);
    });
    trace.expect(&["Some(5) true", "Some(5) true", "Some(5) true", "None true"]);
}

pub(crate) fn values_go_with_the_last_who_has_them<W: Hosted>(world: &mut W) {
    static VAR: ContextVar<Rc<Cell<u32>>> = ContextVar::new();
    let value = Rc::new(Cell::new(0));
    world.run(async {
        let token = VAR.set(value.clone());
        let tasks = [0; 10].map(|_| {
            spawn(async {
                VAR.get().unwrap().set(VAR.get().unwrap().get() + 1);
                sleep(MS).await;
            })
        });
        VAR.reset(token).unwrap();
        assert!(Rc::strong_count(&value) > 1);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!((value.get(), Rc::strong_count(&value)), (10, 1));
        VAR.set(value.clone());
    });
    turns_out(world);
    assert_eq!(Rc::strong_count(&value), 1, "the main task has ended");
}

/// Whatever is left of a run has its end.
fn turns_out<W: Hosted>(world: &mut W) {
    world.run(turns(2));
}

pub(crate) fn a_value_may_use_its_variable_in_its_drop<W: Hosted>(world: &mut W) {
    static VAR: ContextVar<Rc<Uses>> = ContextVar::new();
    struct Uses(Trace);
    impl Drop for Uses {
        fn drop(&mut self) {
            self.0.note(VAR.get().map_or("gone", |_| "set"));
            spawn(async {}).detach();
            Context::current().run(|| ());
        }
    }
    let trace = Trace::default();
    let uses = || Rc::new(Uses(trace.clone()));
    world.run(async {
        drop(VAR.set(uses()));
        drop(VAR.set(uses())); // with the token goes the value before
        let token = VAR.set(uses());
        VAR.reset(token).unwrap();
        trace.expect(&["set", "set"]);
        spawn(async { VAR.set(Rc::new(Uses(Trace::default()))) }).await.unwrap();
    });
    turns_out(world);
    trace.expect(&["gone"]);
}

pub(crate) fn where_no_context_is_nothing_is_set_and_setting_says_so<W: Hosted>(_: &mut W) {
    static VAR: ContextVar<u32> = ContextVar::with_default(|| 7);
    let told = |set: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(set)).unwrap_err();
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap()
    };
    assert_eq!(VAR.get(), Some(7));
    assert!(Context::current().is_empty());
    assert!(told(&|| drop(VAR.set(1))).contains("needs a running loop"));
    assert!(told(&|| Context::new().run(|| ())).contains("needs a running loop"));
    let mut runner = runner::<W>();
    let lent = std::pin::pin!(async {
        assert_eq!(VAR.get(), Some(7));
        assert!(told(&|| drop(VAR.set(1))).contains("Context::scope"));
        let context = Context::new();
        context
            .scope(async {
                VAR.set(1);
                yield_now().await;
                assert_eq!(VAR.get(), Some(1));
                assert_eq!(spawn(async { VAR.get() }).await, Ok(Some(1)));
            })
            .await;
        assert_eq!((VAR.get(), context.get(&VAR)), (Some(7), Some(1)));
    });
    runner.run_all([lent]).unwrap();
}

pub(crate) fn each_run_begins_with_nothing_set_and_loops_within_loops_keep_apart<W: Hosted>(_: &mut W) {
    static VAR: ContextVar<u32> = ContextVar::new();
    let mut outer: Runner<W::Reactor> = runner::<W>();
    let run = |runner: &mut Runner<W::Reactor>, n: u32, inner: &mut dyn FnMut()| {
        runner
            .run(async {
                assert_eq!(VAR.get(), None);
                VAR.set(n);
                inner();
                assert_eq!(VAR.get(), Some(n));
            })
            .unwrap();
    };
    run(&mut outer, 1, &mut || run(&mut runner::<W>(), 2, &mut || ()));
    run(&mut outer, 3, &mut || ());
}

pub(crate) fn a_panic_leaves_the_context_that_it_goes_through<W: Hosted>(world: &mut W) {
    static VAR: ContextVar<u32> = ContextVar::new();
    world.run(async {
        VAR.set(1);
        let context = Context::current();
        let panics = || {
            context.run(|| {
                VAR.set(2);
                panic!("on purpose");
            })
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!((VAR.get(), context.get(&VAR)), (Some(1), Some(2)));
    });
}
