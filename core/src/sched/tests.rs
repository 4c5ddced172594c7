#![allow(unsafe_code)] // looks into the state of the loop
//! What only the crate itself can see of its loops and slots.

use super::current;
use crate::reactor::Still;
use crate::task::slot::Slot;
use crate::{Duration, Runner, all_tasks, spawn, timeout, yield_now};
use alloc::boxed::Box;
use core::future::{Future, pending};
use core::pin::Pin;

#[test]
fn no_task_is_overlooked_when_numbers_wrap() {
    Runner::new(Still)
        .run(async {
            // SAFETY: `OwnThread`; the closure calls nothing.
            unsafe { current::get("a test").with(|state| state.adopted = u32::MAX - 2) };
            let tasks = [(); 5].map(|()| spawn(pending::<()>()));
            assert_eq!(all_tasks().len(), 1 + tasks.len());
        })
        .unwrap();
}

fn within_timeouts(depth: usize) -> Pin<Box<dyn Future<Output = ()>>> {
    if depth == 0 {
        return Box::pin(yield_now());
    }
    Box::pin(async move { timeout(Duration::from_secs(1), within_timeouts(depth - 1)).await.unwrap() })
}

#[test]
fn timeouts_in_time_leave_nothing_to_look_for_at_the_end_of_the_task() {
    Runner::new(Still)
        .run(async {
            for depth in [1, 2, 3, 4, 14] {
                within_timeouts(depth).await;
                let task = current::get("a test").ready().running();
                assert_eq!(task.map(Slot::has_timeouts), Some(false), "{depth} within each other");
            }
        })
        .unwrap();
}

#[test]
fn requests_to_cancel_are_counted_up_to_63() {
    Runner::new(Still)
        .run(async {
            let task = spawn(pending::<()>());
            for n in 1..100 {
                task.cancel();
                assert_eq!(task.cancelling(), n.min(63));
            }
            assert_eq!((task.uncancel(), task.cancelling()), (62, 62));
            yield_now().await;
            assert!(task.is_done());
        })
        .unwrap();
}
