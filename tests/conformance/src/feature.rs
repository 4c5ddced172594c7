//! What the language has and this interpreter does not have yet.
//!
//! A scenario that needs one of these is never started: the parser collects all that it lacks, and the runner says so.
//! The names are those of the `needs` column of `scenarios/INDEX.tsv` where it has one.

use std::fmt::{self, Display};

/// A part of the scenario language that corio, or this interpreter of it, lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// `as_completed`.
    AsCompleted,
    /// `barrier_…`, and the object.
    Barrier,
    /// A cancellation that reaches a task, or the body of a timeout, which waits for another task: it is passed on
    /// to that task, and the waiter goes on when that task has ended.
    CancelAwait,
    /// `cond_…`, `notify…`, and the object.
    Condition,
    /// `ctx_…`, the object, and `spawn` into a context.
    Context,
    /// `gather`.
    Gather,
    /// `group`, and `spawn` into one.
    Group,
    /// `reschedule`, `tm_state`: a timeout that its body can reach.
    Reschedule,
    /// `shield`.
    Shield,
    /// `wait`.
    Wait,
    /// `wait_for` with no time at all: it cancels and waits for the end.
    WaitForZero,
}

impl Feature {
    /// What a known op needs; `None` for a word that is not in the language.
    pub(crate) fn of_op(op: &str) -> Option<Self> {
        Some(match op {
            "as_completed" => Feature::AsCompleted,
            "barrier_wait" | "barrier_abort" | "barrier_reset" | "barrier_state" => Feature::Barrier,
            "cond_wait" | "cond_wait_for" | "notify" | "notify_all" => Feature::Condition,
            "ctx_set" | "ctx_get" | "ctx_reset" | "ctx_copy" => Feature::Context,
            "gather" => Feature::Gather,
            "group" => Feature::Group,
            "reschedule" | "tm_state" => Feature::Reschedule,
            "shield" => Feature::Shield,
            "wait" => Feature::Wait,
            _ => return None,
        })
    }

    /// What a known kind of object needs; `None` for a word that is not in the language.
    pub(crate) fn of_object(kind: &str) -> Option<Self> {
        Some(match kind {
            "barrier" => Feature::Barrier,
            "condition" => Feature::Condition,
            "context_var" => Feature::Context,
            _ => return None,
        })
    }
}

impl Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Feature::AsCompleted => "as_completed",
            Feature::Barrier => "barrier",
            Feature::CancelAwait => "cancel_await",
            Feature::Condition => "condition",
            Feature::Context => "context",
            Feature::Gather => "gather",
            Feature::Group => "group",
            Feature::Reschedule => "reschedule",
            Feature::Shield => "shield",
            Feature::Wait => "wait",
            Feature::WaitForZero => "wait_for_zero",
        })
    }
}
