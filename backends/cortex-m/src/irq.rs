//! The way from an interrupt handler to a task: a flag, and the waker of whoever waits for it.

use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};

use corio::wait::WaitCell;

/// Something that an interrupt handler reports and one task waits for.
///
/// It remembers one report: those made before anybody waits are not lost, and several of them count as one. The
/// handler keeps what there is to tell (a byte, a time) elsewhere, in a queue for instance, before it raises.
///
/// Usable from tasks and handlers; a `static` as a rule. One task waits at a time; if a second one does, it takes the
/// first one's place, who then waits for ever.
///
/// ```
/// use corio_cortex_m::Irq;
/// static BUTTON: Irq = Irq::new();
///
/// // #[interrupt]
/// fn gpio() {
///     // acknowledge it at the peripheral, then:
///     BUTTON.raise();
/// }
/// async fn count() -> u32 {
///     let mut presses = 0;
///     loop {
///         BUTTON.wait().await;
///         presses += 1;
/// #       if presses == 2 { return presses }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Irq {
    raised: AtomicBool,
    waiter: WaitCell,
}

impl Irq {
    /// Nothing reported yet.
    pub const fn new() -> Self {
        Self { raised: AtomicBool::new(false), waiter: WaitCell::new() }
    }

    /// Reports, and wakes the task that waits, if one does.
    pub fn raise(&self) {
        // Release and Acquire pair: what the handler stored before raising is seen by the task that was woken.
        self.raised.store(true, Ordering::Release);
        self.waiter.wake();
    }

    /// Takes the report, if there is one, without waiting.
    pub fn take(&self) -> bool {
        // Two steps, for thumbv6m has no swap. A report between them is made to the task that is just being told.
        let raised = self.raised.load(Ordering::Acquire);
        if raised {
            self.raised.store(false, Ordering::Relaxed);
        }
        raised
    }

    /// Waits for a report and takes it.
    ///
    /// # Cancel safety
    /// **Loses nothing.** A report that the dropped future did not return stays for the next wait.
    pub fn wait(&self) -> IrqWait<'_> {
        IrqWait { irq: self }
    }
}

impl Default for Irq {
    fn default() -> Self {
        Self::new()
    }
}

/// The future of [`Irq::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct IrqWait<'a> {
    irq: &'a Irq,
}

impl Future for IrqWait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.irq.take() {
            return Poll::Ready(());
        }
        self.irq.waiter.register(cx.waker());
        // A report before `register` woke nobody.
        if self.irq.take() { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::pin::pin;
    use core::task::Waker;

    #[test]
    fn a_report_before_the_wait_is_kept_and_two_count_as_one() {
        let irq = Irq::new();
        irq.raise();
        irq.raise();
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(pin!(irq.wait()).poll(cx).is_ready());
        assert!(pin!(irq.wait()).poll(cx).is_pending());
    }

    #[test]
    fn a_dropped_wait_leaves_the_report() {
        let irq = Irq::new();
        let cx = &mut Context::from_waker(Waker::noop());
        {
            let mut wait = pin!(irq.wait());
            assert!(wait.as_mut().poll(cx).is_pending());
            irq.raise();
        }
        assert!(irq.take());
        assert!(!irq.take());
    }
}
