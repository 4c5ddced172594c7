#![allow(unsafe_code)] // without an allocator: reads a value through the frame of a poll
//! A future with a variable set: `ContextVar::scope`.

use super::ContextVar;
use crate::sched::current;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

impl<T: Clone> ContextVar<T> {
    /// Has `future` run with the variable set to `value`. This needs no allocator, and works in any future of a loop.
    ///
    /// With one, it is a [`Context::scope`](crate::Context::scope) in a copy of the context at the first poll, which tasks
    /// spawned in it inherit. Without one, variables are set in this way only, and tasks begin with nothing set.
    ///
    /// ```
    /// use corio::{ContextVar, yield_now};
    /// static USER: ContextVar<&str> = ContextVar::with_default(|| "nobody");
    /// # corio_sim::run(async {
    /// USER.scope("ann", async {
    ///     yield_now().await;
    ///     assert_eq!(USER.get(), Some("ann"));
    /// }).await;
    /// assert_eq!(USER.get(), Some("nobody"));
    /// # });
    /// ```
    ///
    /// # Cancel safety
    /// **Loses nothing.** Of its own, that is: dropping it drops `future`, with the variable set, too, and that loses
    /// what `future` does.
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> Bound<T, F> {
        Bound { var: self, held: Held::new(value), future: Some(future) }
    }
}

pin_project_lite::pin_project! {
    /// A future with a variable set: see [`ContextVar::scope`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Bound<T, F>
    where
        T: Clone,
        T: 'static,
    {
        var: &'static ContextVar<T>,
        held: Held<T>,
        #[pin]
        future: Option<F>,
    }

    impl<T, F> PinnedDrop for Bound<T, F>
    where
        T: Clone,
        T: 'static,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.held.with(this.var, || this.future.set(None));
        }
    }
}

impl<T: Clone, F: Future> Future for Bound<T, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        this.held.with(this.var, || {
            let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Pending };
            let polled = future.poll(cx);
            if polled.is_ready() {
                this.future.set(None);
            }
            polled
        })
    }
}

impl<T: Clone, F> fmt::Debug for Bound<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("var", self.var).finish_non_exhaustive()
    }
}

/// With an allocator the value is in a context.
#[cfg(feature = "alloc")]
mod flavour {
    use super::*;
    use crate::context::scoped::Enter;
    use crate::context::table::Context;
    use alloc::rc::Rc;

    pub(super) enum Held<T> {
        /// Until the first poll.
        Value(T),
        In(Context),
    }

    impl<T: Clone + 'static> Held<T> {
        pub(super) fn new(value: T) -> Self {
            Self::Value(value)
        }

        /// Runs `f` with the variable set.
        pub(super) fn with<R>(&mut self, var: &'static ContextVar<T>, f: impl FnOnce() -> R) -> R {
            let Some(here) = current::find() else { return f() };
            if let Self::Value(value) = self {
                let context = Context::current();
                drop(context.set_value(var.key(), Some(Rc::new(value.clone()))));
                *self = Self::In(context);
            }
            let Self::In(context) = self else { return f() };
            let _entered = Enter::new(here, context);
            f()
        }
    }
}

/// Without one it is here.
#[cfg(not(feature = "alloc"))]
mod flavour {
    use super::*;
    use crate::context::frame::Frame;
    use crate::sched::Loop;

    pub(super) struct Held<T>(T);

    impl<T: Clone + 'static> Held<T> {
        pub(super) fn new(value: T) -> Self {
            Self(value)
        }

        /// Runs `f` with the variable set.
        pub(super) fn with<R>(&mut self, var: &'static ContextVar<T>, f: impl FnOnce() -> R) -> R {
            /// Also when `f` panics.
            struct Pop<'a>(&'static Loop, &'a Frame);
            impl Drop for Pop<'_> {
                fn drop(&mut self) {
                    // SAFETY: `OwnThread`: found as the ambient one. `pop` calls nothing.
                    unsafe { self.0.with(|state| state.frames.pop(self.1)) };
                }
            }
            let Some(here) = current::find() else { return f() };
            let frame = Frame::new(var.key(), (&raw const self.0).cast());
            // SAFETY: `OwnThread`, as above. `Framed`: `_pop` goes before the frame and what it points to.
            unsafe { here.with(|state| state.frames.push(&frame)) };
            let _pop = Pop(here, &frame);
            f()
        }
    }

    impl<T: Clone> ContextVar<T> {
        /// The value that the innermost scope around has set, or the default. None: there is neither. asyncio:
        /// `ContextVar.get`.
        pub fn get(&'static self) -> Option<T> {
            // SAFETY: `OwnThread`, as above; `find` calls nothing.
            let found = current::find().and_then(|here| unsafe { here.with(|state| state.frames.find(self.key())) });
            match found {
                // SAFETY: `Framed`; the key is this variable's, so it is a `T`, which nobody changes during the poll.
                Some(value) => Some(unsafe { &*value.cast::<T>() }.clone()),
                None => self.default(),
            }
        }
    }
}

use flavour::Held;
