//! Scopes: futures that hold another, and decide what its unwinding comes to.
//!
//! A task that is cancelled while it stands in a scope is polled once more, with its loop's flag that says "unwinding".
//! That poll goes down to the innermost pending scope, which drops what it holds, synchronously, with all guards, and then
//! decides: it lowers the flag and goes on (a timeout that has expired returns its error, a group waits for its children), or
//! it leaves the flag up and stays pending, and then the next scope outside does the same. The root of the task is the last.
//!
//! No leaf is asked: it is dropped. So only scopes know of all this, and what is in no scope is just dropped.
//!
//! A future that is not a task of ours (one lent to `run_all`, or one below a foreign combinator with wakers of its own)
//! has scopes too, as far as they unwind themselves, as a timeout does.

use crate::sched::{Loop, current};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// What is held was dropped, for the task unwinds. The flag is up.
pub(crate) struct Unwound;

/// A place that holds a future, until it is dropped there.
pub(crate) trait Holds {
    type Future: Future;

    fn held(self: Pin<&mut Self>) -> Option<Pin<&mut Self::Future>>;

    /// Drops the future.
    fn let_go(self: Pin<&mut Self>);
}

impl<F: Future> Holds for Option<F> {
    type Future = F;

    fn held(self: Pin<&mut Self>) -> Option<Pin<&mut F>> {
        self.as_pin_mut()
    }

    fn let_go(mut self: Pin<&mut Self>) {
        self.set(None);
    }
}

/// Polls what a scope holds. `nested` is the scope's: that there is a pending scope within it.
#[inline]
pub(crate) fn poll<H: Holds>(
    held: Pin<&mut H>,
    nested: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<Result<<H::Future as Future>::Output, Unwound>> {
    poll_held(held, nested, cx, true)
}

/// Polls one of several that a future holds side by side, which is no scope itself: it need not be asked when the task
/// unwinds, unless one of them is.
#[inline]
pub(crate) fn poll_branch<H: Holds>(
    held: Pin<&mut H>,
    nested: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<Result<<H::Future as Future>::Output, Unwound>> {
    poll_held(held, nested, cx, false)
}

/// `scoped`: whoever holds it is a scope, which is noted when it is pending.
#[inline]
fn poll_held<H: Holds>(
    mut held: Pin<&mut H>,
    nested: &mut bool,
    cx: &mut Context<'_>,
    scoped: bool,
) -> Poll<Result<<H::Future as Future>::Output, Unwound>> {
    let here = current::find();
    if let Some(here) = here
        && here.is_unwinding()
        && !*nested
    {
        return Poll::Ready(Err(unwind(held, here)));
    }
    let Some(future) = held.as_mut().held() else {
        if scoped && let Some(here) = here {
            here.ready().set_scoped(true);
        }
        return Poll::Pending;
    };
    let beside = here.is_some_and(|here| here.ready().set_scoped(false));
    let polled = future.poll(cx);
    let Some(here) = here else { return polled.map(Ok) };
    if polled.is_ready() {
        here.ready().set_scoped(beside);
        return polled.map(Ok);
    }
    after(held, nested, here, beside, scoped)
}

/// The rest of it when what is held is pending. `beside`: there was a pending scope before it in this step.
#[inline]
pub(crate) fn after<H: Holds>(
    held: Pin<&mut H>,
    nested: &mut bool,
    here: &'static Loop,
    beside: bool,
    scoped: bool,
) -> Poll<Result<<H::Future as Future>::Output, Unwound>> {
    *nested = here.ready().set_scoped(beside || scoped);
    if here.is_unwinding() {
        here.ready().set_scoped(beside);
        return Poll::Ready(Err(unwind(held, here)));
    }
    if !scoped {
        here.ready().set_scoped(beside | *nested);
    }
    Poll::Pending
}

/// For a scope that holds no future and waits for something itself: true when its task unwinds, which it takes upon itself
/// by this. It goes on with it by `unwind_on`.
pub(crate) fn take_unwinding() -> bool {
    current::find().is_some_and(|here| here.is_unwinding() && here.set_unwinding(false))
}

/// Goes on with what `take_unwinding` or the like has stopped. The scope is pending from here on, until it is dropped. The
/// step is marked as one with a scope, also where it is the scope's last, so that the task's root looks at the flag.
pub(crate) fn unwind_on() {
    if let Some(here) = current::find() {
        here.set_unwinding(true);
        here.ready().set_scoped(true);
    }
}

/// Says, before such a scope is pending, that it is there.
pub(crate) fn stay() {
    if let Some(here) = current::find() {
        here.ready().set_scoped(true);
    }
}

/// Drops what is held. Its guards are no part of the unwinding: they may poll what they like.
#[cold]
fn unwind<H: Holds>(held: Pin<&mut H>, here: &'static Loop) -> Unwound {
    here.set_unwinding(false);
    held.let_go();
    here.set_unwinding(true);
    Unwound
}
