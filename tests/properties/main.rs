//! What holds of everything that can be waited for, whatever happens and in whatever order: nothing is lost.
//!
//! For each thing there is a test with random histories, see `engine`; one that those who wait are polled once, however long
//! they wait; and for some, histories in which real threads take part. A failure names its seed and says how to run it alone. For a longer run than the usual:
//! `CORIO_SEEDS=100000 cargo test --release -p corio-tests --test properties`.

#[macro_use]
mod engine;
mod locks;
mod queues;

use queues::{Fifo, Lifo, Priority};

macro_rules! properties {
    ($($name:ident: $subject:ty $(, $threads:ident)?;)*) => {$(mod $name {
        use super::*;

        #[test]
        fn histories() {
            engine::histories::<$subject>(concat!(stringify!($name), "::histories"));
        }

        #[test]
        fn idle() {
            engine::idle::<$subject>();
        }

        $(#[test]
        fn $threads() {
            engine::threads::<$subject>();
        })?
    })*};
}

properties! {
    barrier: locks::OfBarrier;
    bounded_semaphore: locks::OfBoundedSemaphore, threads;
    broadcast: queues::OfBroadcast;
    condition: locks::OfCondition, threads;
    event: locks::OfEvent, threads;
    future: locks::OfFuture;
    lifo_queue: queues::OfQueue<Lifo>;
    mutex: locks::OfMutex, threads;
    once_cell: locks::OfOnceCell, threads;
    one_shot: queues::OfOneShot;
    priority_queue: queues::OfQueue<Priority>;
    queue: queues::OfQueue<Fifo>;
    raw_condition: locks::OfRawCondition;
    raw_lock: locks::OfRawLock, threads;
    rw_lock: locks::OfRwLock, threads;
    semaphore: locks::OfSemaphore, threads;
    signal: queues::OfSignal;
    wait_queue: locks::OfWaitQueue, threads;
    watch: queues::OfWatch;
}
