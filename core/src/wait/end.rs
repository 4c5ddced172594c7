//! Work that is done to its end even if something in it panics.
//!
//! Wakers of other executors, items of queues and their comparisons are user code. A panic in one goes to whoever called,
//! after everybody else was told. A second one on the way there ends the process, as everywhere in Rust.

/// Runs what it holds when it is dropped, by unwinding too.
pub(crate) struct Finally<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for Finally<F> {
    #[inline]
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Runs `step` until it answers false. If one panics, the rest is done while the panic goes on.
#[inline]
pub(crate) fn to_the_end(step: impl FnMut() -> bool) {
    struct Rest<F: FnMut() -> bool>(F);
    impl<F: FnMut() -> bool> Drop for Rest<F> {
        fn drop(&mut self) {
            while (self.0)() {}
        }
    }
    let mut rest = Rest(step);
    while (rest.0)() {}
    // Nothing is left: this spares a look.
    core::mem::forget(rest);
}
