//! Leaf futures made of a waker and nothing else. They are the same for all runtimes, so a difference is the runtime's.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::task::Poll;
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use atomic_waker::AtomicWaker;

/// Wakes its own task and is ready at the next poll.
pub fn self_wake() -> impl Future<Output = ()> {
    let mut woken = false;
    poll_fn(move |cx| {
        if woken {
            return Poll::Ready(());
        }
        woken = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Two tasks that take turns: each wakes the other and waits until it is woken in return.
///
/// Unlike [`self_wake`] this cannot be answered by polling the same task again.
#[derive(Default)]
pub struct Turns {
    next: AtomicU64,
    waiting: AtomicWaker,
}

impl Turns {
    /// Waits for turn `mine` and passes the next one on.
    pub async fn take(&self, mine: u64) {
        poll_fn(|cx| {
            if self.next.load(Relaxed) != mine {
                self.waiting.register(cx.waker());
                return Poll::Pending;
            }
            self.next.store(mine + 1, Relaxed);
            self.waiting.wake();
            Poll::Ready(())
        })
        .await
    }
}

/// Polls `future` once, which must leave it pending.
pub async fn poll_once<F: Future>(mut future: Pin<&mut F>) {
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await
}

/// A thread that rings, and a task that waits for the next ring and acknowledges it.
pub struct Bell {
    shared: Arc<Shared>,
    ringer: Thread,
    heard: u64,
}

struct Shared {
    rung: AtomicU64,
    acknowledged: AtomicU64,
    waker: AtomicWaker,
}

impl Bell {
    /// Starts the thread, which will ring `times` times, each a `pause` after the acknowledgement of the one before.
    pub fn new(times: u64, pause: Duration) -> (Self, JoinHandle<()>) {
        let shared =
            Arc::new(Shared { rung: AtomicU64::new(0), acknowledged: AtomicU64::new(0), waker: AtomicWaker::new() });
        let there = shared.clone();
        let thread = thread::spawn(move || {
            for ring in 1..=times {
                if !pause.is_zero() {
                    thread::sleep(pause);
                }
                there.rung.store(ring, SeqCst);
                there.waker.wake();
                while there.acknowledged.load(SeqCst) < ring {
                    thread::park();
                }
            }
        });
        (Self { shared, ringer: thread.thread().clone(), heard: 0 }, thread)
    }

    /// Waits for the next ring, then lets the thread go on.
    pub async fn answer(&mut self) {
        self.heard += 1;
        poll_fn(|cx| {
            if self.shared.rung.load(SeqCst) >= self.heard {
                return Poll::Ready(());
            }
            self.shared.waker.register(cx.waker());
            if self.shared.rung.load(SeqCst) >= self.heard { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.shared.acknowledged.store(self.heard, SeqCst);
        self.ringer.unpark();
    }
}
