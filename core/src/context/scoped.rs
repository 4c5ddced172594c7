//! To run something in a context: a function, or a future at each of its polls.

use super::table::{Context, Entered};
use crate::sched::{Loop, current};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{self, Poll};

impl Context {
    /// A copy of the current context. asyncio: `contextvars.copy_context`.
    ///
    /// Where there is none, outside of a loop say, it is empty.
    pub fn current() -> Self {
        current::find().and_then(|here| here.context()).map_or_else(Self::new, |context| context.copy())
    }

    /// Runs `f` in this context: what it sets is set here, and stays. asyncio: `Context.run`.
    ///
    /// # Panics
    /// Outside a loop.
    #[track_caller]
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        let _entered = Enter::new(current::get("Context::run()"), self);
        f()
    }

    /// Has `future` run in this context: what it sets is set here, and stays.
    ///
    /// ```
    /// use corio::{Context, ContextVar, yield_now};
    /// static USER: ContextVar<&str> = ContextVar::new();
    /// # corio_sim::run(async {
    /// let context = Context::current();
    /// context.scope(async {
    ///     USER.set("ann");
    ///     yield_now().await;
    ///     assert_eq!(USER.get(), Some("ann"));
    /// }).await;
    /// assert_eq!((USER.get(), context.get(&USER)), (None, Some("ann")));
    /// # });
    /// ```
    ///
    /// # Cancel safety
    /// **Loses nothing.** Of its own, that is: dropping it drops `future`, in the context too, and that loses what
    /// `future` does.
    pub fn scope<F: Future>(&self, future: F) -> Scoped<F> {
        Scoped { context: self.clone(), future: Some(future) }
    }
}

/// A context is the current one as long as this lives, in the step in which it was made.
pub(super) struct Enter {
    here: &'static Loop,
    before: Option<Entered>,
}

impl Enter {
    pub(super) fn new(here: &'static Loop, context: &Context) -> Self {
        Self { here, before: Some(here.enter_context(context.clone())) }
    }
}

impl Drop for Enter {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            self.here.leave_context(before);
        }
    }
}

pin_project_lite::pin_project! {
    /// A future in a context: see [`Context::scope`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Scoped<F> {
        context: Context,
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = current::find().map(|here| Enter::new(here, this.context));
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let _entered = current::find().map(|here| Enter::new(here, this.context));
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Pending };
        let polled = future.poll(cx);
        if polled.is_ready() {
            this.future.set(None);
        }
        polled
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").field("context", &self.context).finish_non_exhaustive()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("len", &self.len()).finish()
    }
}
