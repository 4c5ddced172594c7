//! Branches: futures that another one holds side by side, and polls in place.
//!
//! They share one task, and so they share what a task has one of. Two things follow:
//! - A branch does not speak for the task. A timeout in it does not cancel the task when its time is up, which would
//!   unwind its neighbours too, but unwinds by itself; and a cancellation of the task is not passed on to what one
//!   branch among several waits for (`Ready::enter_branch`).
//! - When the task unwinds, each branch is to: one with no scope in it is dropped on the spot, one with a scope is polled and
//!   may take its time. When the last is gone the unwinding goes on outside (`Pass`).

use crate::sched::{Loop, current};
use crate::scope::{self, Holds, Unwound};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

pin_project_lite::pin_project! {
    /// One of several futures.
    #[project = BranchProj]
    #[project_replace = BranchOwned]
    pub enum Branch<F>
    where
        F: Future,
    {
        /// `nested`: it is pending, in a scope.
        Running { #[pin] future: F, nested: bool },
        Done { output: F::Output },
        Gone,
    }
}

impl<F: Future> Branch<F> {
    pub(super) fn new(future: F) -> Self {
        Self::Running { future, nested: false }
    }

    /// Polls it, unless it is at its end; what it has come to, once. Then it is gone.
    pub(super) fn poll(mut self: Pin<&mut Self>, pass: &mut Pass<'_, '_>) -> Option<F::Output> {
        let BranchProj::Running { nested, .. } = self.as_mut().project() else { return None };
        let mut within = *nested;
        match pass.poll(self.as_mut(), &mut within) {
            Poll::Ready(Ok(output)) => {
                self.set(Self::Gone);
                return Some(output);
            }
            Poll::Ready(Err(Unwound)) => pass.stand.gone(),
            Poll::Pending => {
                pass.held = true;
                if let BranchProj::Running { nested, .. } = self.project() {
                    *nested = within;
                }
            }
        }
        None
    }

    /// Polls it, unless it is at its end, and keeps what it comes to.
    pub(super) fn poll_to_keep(mut self: Pin<&mut Self>, pass: &mut Pass<'_, '_>) {
        if let Some(output) = self.as_mut().poll(pass) {
            self.keep(output);
        }
    }

    /// Keeps what it has come to.
    pub(super) fn keep(mut self: Pin<&mut Self>, output: F::Output) {
        self.set(Self::Done { output });
    }

    /// What was kept.
    pub(super) fn take(self: Pin<&mut Self>) -> Option<F::Output> {
        match self.project_replace(Self::Gone) {
            BranchOwned::Done { output } => Some(output),
            BranchOwned::Running { .. } | BranchOwned::Gone => None,
        }
    }
}

impl<F: Future> Holds for Branch<F> {
    type Future = F;

    fn held(self: Pin<&mut Self>) -> Option<Pin<&mut F>> {
        match self.project() {
            BranchProj::Running { future, .. } => Some(future),
            BranchProj::Done { .. } | BranchProj::Gone => None,
        }
    }

    fn let_go(mut self: Pin<&mut Self>) {
        self.set(Self::Gone);
    }
}

/// How it stands with the branches, from one poll to the next.
#[derive(Clone, Copy, Default)]
pub(super) struct Stand {
    told: Told,
    /// Some branch was dropped because the task unwinds.
    gone: bool,
    /// The outcome was given away.
    pub(super) over: bool,
}

/// Whether the branches know that the task unwinds.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Told {
    #[default]
    No,
    /// One has begun it: the others are to be told with the next poll.
    Begun,
    All,
}

impl Stand {
    fn gone(&mut self) {
        self.gone = true;
        if self.told == Told::No {
            self.told = Told::Begun;
        }
    }
}

/// One poll of all branches.
pub struct Pass<'a, 'b> {
    cx: &'a mut Context<'b>,
    stand: &'a mut Stand,
    here: Option<&'static Loop>,
    /// They are told to unwind.
    telling: bool,
    /// Some branch is pending.
    held: bool,
    /// Some branch has ended with the flag up: it has left the unwinding to others.
    up: bool,
}

impl<'a, 'b> Pass<'a, 'b> {
    pub(super) fn begin(stand: &'a mut Stand, cx: &'a mut Context<'b>) -> Self {
        let here = current::find();
        let telling = stand.told == Told::Begun || here.is_some_and(Loop::is_unwinding);
        if telling {
            stand.told = Told::All;
        }
        Self { cx, stand, here, telling, held: false, up: false }
    }

    fn poll<H: Holds>(
        &mut self,
        held: Pin<&mut H>,
        nested: &mut bool,
    ) -> Poll<Result<<H::Future as Future>::Output, Unwound>> {
        let Some(here) = self.here else { return scope::poll_branch(held, nested, self.cx) };
        here.set_unwinding(self.telling);
        let polled = {
            let _in_branch = here.ready().enter_branch();
            scope::poll_branch(held, nested, self.cx)
        };
        self.up |= matches!(polled, Poll::Ready(Ok(_))) && here.is_unwinding();
        polled
    }

    /// True when not all have come to something.
    pub(super) fn is_pending(&self) -> bool {
        self.held || self.stand.gone
    }

    /// True when the task does not unwind.
    pub(super) fn goes_on(&self) -> bool {
        self.stand.told == Told::No
    }

    /// The end of the poll.
    pub(super) fn end(self) {
        if let Some(here) = self.here {
            let up = !self.held && (self.stand.gone || self.up);
            here.set_unwinding(up);
            if up && self.is_pending() {
                scope::unwind_on();
            }
        }
        if self.held && self.stand.told == Told::Begun {
            self.cx.waker().wake_by_ref();
        }
    }

    /// One branch has decided for all: the end of the poll, with the flag as that one has left it. `rest` drops the others,
    /// which is no part of an unwinding.
    pub(super) fn decided(self, rest: impl FnOnce()) {
        self.stand.over = true;
        if let Some(here) = self.here {
            let up = here.set_unwinding(false);
            rest();
            here.set_unwinding(up);
        } else {
            rest();
        }
    }
}
