//! Context variables as they are without an allocator: a future around sets them.

use core::future::pending;
use core::pin::pin;

use corio::{ContextVar, sleep, timeout, yield_now};

use crate::World;
use crate::harness::{Bell, Log, MS, poll, poll_opt, run, spawn, turns};

pub(crate) fn a_variable_is_set_for_what_runs_in_its_scope<W: World>(world: &mut W) {
    static VAR: ContextVar<u8> = ContextVar::new();
    static OTHER: ContextVar<u8> = ContextVar::with_default(|| 9);
    run(world, async {
        assert!(VAR.get().is_none() && OTHER.get() == Some(9));
        let inner = async {
            assert!(VAR.get() == Some(2) && OTHER.get() == Some(3));
            sleep(MS).await;
            assert!(VAR.get() == Some(2) && OTHER.get() == Some(3));
        };
        let outer = async {
            assert!(VAR.get() == Some(1) && OTHER.get() == Some(3));
            VAR.scope(2, inner).await;
            assert!(VAR.get() == Some(1));
            OTHER.get()
        };
        assert!(OTHER.scope(3, VAR.scope(1, outer)).await == Some(3));
        assert!(VAR.get().is_none() && OTHER.get() == Some(9));
    });
    assert!(VAR.get().is_none() && OTHER.get() == Some(9), "outside of a loop");
}

pub(crate) fn tasks_that_take_turns_have_their_own<W: World>(world: &mut W) {
    static VAR: ContextVar<u8> = ContextVar::with_default(|| 0);
    run(world, async {
        let tasks = [1, 2, 3].map(|n| {
            spawn(VAR.scope(n, async move {
                for _ in 0..3 {
                    assert!(VAR.get() == Some(n));
                    yield_now().await;
                }
            }))
        });
        let bare = spawn(async { VAR.get() });
        assert!(VAR.get() == Some(0) && bare.await == Ok(Some(0)));
        for task in tasks {
            assert!(task.await.is_ok());
        }
    });
}

pub(crate) fn two_scopes_in_one_task_keep_apart<W: World>(world: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    static VAR: ContextVar<u8> = ContextVar::new();
    run(world, async {
        let looks = |n| async move {
            assert!(VAR.get() == Some(n));
            yield_now().await;
            VAR.get()
        };
        let mut one = pin!(VAR.scope(1, looks(1)));
        let mut two = pin!(VAR.scope(2, looks(2)));
        assert!(poll(one.as_mut(), &BELLS[0]).is_none() && poll(two.as_mut(), &BELLS[1]).is_none());
        assert!(VAR.get().is_none());
        assert!(poll(one, &BELLS[0]) == Some(Some(1)) && poll(two, &BELLS[1]) == Some(Some(2)));
        assert!(BELLS.iter().all(|bell| bell.rang()));
    });
}

pub(crate) fn a_scope_is_left_with_its_variable_set<W: World>(world: &mut W) {
    static BELL: Bell = Bell::new();
    static LOG: Log = Log::new();
    static VAR: ContextVar<u8> = ContextVar::with_default(|| b'-');
    struct Looks;
    impl Drop for Looks {
        fn drop(&mut self) {
            LOG.note(VAR.get().unwrap_or(b'?'));
        }
    }
    async fn waits() {
        let _looks = Looks;
        pending::<()>().await;
    }
    run(world, async {
        let cancelled = spawn(VAR.scope(b'c', waits()));
        turns(2).await;
        cancelled.cancel();
        assert!(cancelled.await.is_err());
        assert!(timeout(MS, VAR.scope(b't', waits())).await.is_err());
        let mut dropped = pin!(Some(VAR.scope(b'd', waits())));
        assert!(poll_opt(dropped.as_mut(), &BELL).is_none());
        dropped.set(None);
        VAR.scope(b'e', async { drop(Looks) }).await;
        drop(Looks);
        LOG.expect("ctde-");
    });
}
