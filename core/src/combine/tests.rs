//! Branches with scopes that take their time, as only the crate itself can make them here.

use super::{join, select};
use crate::reactor::Still;
use crate::sched::current;
use crate::scope::{self, Unwound};
use crate::{Cancelled, Duration, Runner, spawn, timeout, yield_now};
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::RefCell;
use core::future::{Future, pending};
use core::pin::Pin;
use core::task::{Context, Poll};

type Log = Rc<RefCell<String>>;

/// Notes its letter when dropped.
struct Guard(Log, char);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

async fn stays(log: Log, letter: char) {
    let _guard = Guard(log, letter);
    pending().await
}

pin_project_lite::pin_project! {
    /// A scope that when the task unwinds drops what it holds, waits for some turns, notes its letter, and goes on unwinding.
    struct Lingers<F> {
        #[pin]
        held: Option<F>,
        nested: bool,
        turns: u8,
        leaving: bool,
        log: Log,
        letter: char,
    }
}

fn lingers<F: Future>(log: &Log, letter: char, turns: u8, held: F) -> Lingers<F> {
    Lingers { held: Some(held), nested: false, turns, leaving: false, log: log.clone(), letter }
}

impl<F: Future> Future for Lingers<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let here = current::find().expect("in a loop");
        if !*this.leaving {
            match scope::poll(this.held, this.nested, cx) {
                Poll::Ready(Ok(output)) => return Poll::Ready(output),
                Poll::Ready(Err(Unwound)) => *this.leaving = true,
                Poll::Pending => return Poll::Pending,
            }
        }
        if *this.turns == 0 {
            this.log.borrow_mut().push(*this.letter);
            here.set_unwinding(true);
            return Poll::Pending;
        }
        *this.turns -= 1;
        here.set_unwinding(false);
        here.ready().set_scoped(true);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Cancels a task that runs `body`; what was noted until it had ended, a stroke for each turn.
fn cancelled<F: Future<Output = ()> + 'static>(body: impl FnOnce(&Log) -> F) -> String {
    let log = Log::default();
    let task_log = log.clone();
    let body = body(&log);
    Runner::new(Still)
        .run(async move {
            let task = spawn(body);
            yield_now().await;
            yield_now().await;
            task.cancel();
            while !task.is_done() {
                task_log.borrow_mut().push('|');
                yield_now().await;
            }
            assert_eq!(task.await, Err(Cancelled));
        })
        .unwrap();
    log.take()
}

#[test]
fn all_branches_unwind_together_and_the_slowest_says_when_it_is_over() {
    let noted = cancelled(|log| {
        let all = join((
            lingers(log, 'A', 2, stays(log.clone(), 'a')),
            stays(log.clone(), 'b'),
            lingers(log, 'C', 1, stays(log.clone(), 'c')),
        ));
        let outer = Guard(log.clone(), 'o');
        async move {
            let _outer = outer;
            all.await;
        }
    });
    assert_eq!(noted, "|abc|C|Ao");
}

#[test]
fn a_select_that_unwinds_waits_for_all_of_its_scopes() {
    let noted = cancelled(|log| {
        let race = select([
            lingers(log, 'A', 0, stays(log.clone(), 'a')),
            lingers(log, 'B', 2, stays(log.clone(), 'b')),
            lingers(log, 'C', 1, stays(log.clone(), 'c')),
        ]);
        async move {
            race.await;
        }
    });
    assert_eq!(noted, "|aAbc|C|B");
}

#[test]
fn scopes_around_branches_go_after_them() {
    let noted = cancelled(|log| {
        let inner = join((lingers(log, 'A', 1, stays(log.clone(), 'a')), stays(log.clone(), 'b')));
        let middle = select((timeout(Duration::MAX, inner), stays(log.clone(), 'm')));
        let outer = lingers(log, 'O', 1, middle);
        async move {
            let _ = outer.await;
        }
    });
    assert_eq!(noted, "|abm|A|O");
}

#[test]
fn a_timeout_in_a_branch_waits_for_the_scope_in_it_and_its_neighbours_do_not_notice() {
    let log = Log::default();
    let both = join((
        lingers(&log, 'N', 9, async {
            for _ in 0..9 {
                yield_now().await;
            }
        }),
        timeout(Duration::ZERO, lingers(&log, 'A', 3, stays(log.clone(), 'a'))),
    ));
    let (steady, limited) = Runner::new(Still).run(both).unwrap();
    assert_eq!((steady, limited.is_err()), ((), true));
    assert_eq!(log.take(), "aA");
}
