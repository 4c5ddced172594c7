//! An item is in one place: with who puts it, in the queue, or with who got it.

use std::rc::Rc;

use corio::{Broadcast, DynQueue, OneShot, Signal, Watch, sleep, spawn, wait::WaitQueue, yield_now};
use corio_sim::cancel_everywhere;
use std::cell::Cell;

use super::{Owned, SECOND, comes, later, loses_nothing, never_comes};

pub(crate) fn queue_get() -> usize {
    cancel_everywhere(async |cut| {
        let queue = Rc::new(DynQueue::new(0));
        let behind = spawn({
            let queue = queue.clone();
            async move {
                sleep(SECOND / 2).await;
                queue.get().await.unwrap()
            }
        });
        let putter = later(SECOND, {
            let queue = queue.clone();
            move || queue.try_put(1).unwrap()
        });
        let got = cut.apply(queue.get()).await;
        assert_eq!(got, (!cut.was_cut()).then_some(Ok(1)));
        putter.await.unwrap();
        if got.is_some() {
            queue.try_put(2).unwrap();
        }
        // What was not got goes to the next in line.
        assert_eq!(comes(behind).await, Ok(if got.is_some() { 2 } else { 1 }));
        assert!(queue.is_empty());
    })
}

/// The queue is full; the future under test waits for room; another is behind it. Then one item is taken.
pub(crate) fn queue_put() -> usize {
    cancel_everywhere(async |cut| {
        let (queue, items) = (Rc::new(DynQueue::new(1)), Owned::default());
        queue.try_put((0, items.one())).ok().unwrap();
        let behind = spawn({
            let (queue, item) = (queue.clone(), items.one());
            async move {
                sleep(SECOND / 2).await;
                queue.put((2, item)).await.ok().unwrap();
            }
        });
        let getter = later(SECOND, {
            let queue = queue.clone();
            move || assert_eq!(queue.try_get().unwrap().0, 0)
        });
        let put = cut.apply(queue.put((1, items.one()))).await.is_some();
        getter.await.unwrap();
        // Whoever was dropped has no part in it, and their item is gone.
        assert_eq!(items.count(), if put { 2 } else { 1 });
        if put {
            assert_eq!(queue.try_get().unwrap().0, 1);
        }
        comes(behind).await.unwrap();
        assert_eq!(queue.try_get().unwrap().0, 2);
        assert!(queue.is_empty() && items.count() == 0);
    })
}

pub(crate) fn queue_join() -> usize {
    cancel_everywhere(async |cut| {
        let queue = Rc::new(DynQueue::new(0));
        queue.try_put(()).unwrap();
        let worker = later(SECOND, {
            let queue = queue.clone();
            move || {
                queue.try_get().unwrap();
                queue.task_done().unwrap();
            }
        });
        loses_nothing(cut, async || queue.join().await, ()).await;
        worker.await.unwrap();
    })
}

/// The channel is full; the future under test waits for room; another is behind it.
pub(crate) fn broadcast_send() -> usize {
    cancel_everywhere(async |cut| {
        let news = Rc::new(Broadcast::<u32, 1>::new());
        let mut receiver = news.subscribe();
        news.try_send(0).unwrap();
        let behind = spawn({
            let news = news.clone();
            async move {
                sleep(SECOND / 2).await;
                news.send(2).await
            }
        });
        let (sent, got) = corio::join((cut.apply(news.send(1)), async {
            sleep(SECOND).await;
            receiver.recv().await
        }))
        .await;
        assert_eq!(got, Ok(0));
        assert_eq!(sent, (!cut.was_cut()).then_some(Ok(1)));
        if sent.is_some() {
            assert_eq!(comes(receiver.recv()).await, Ok(1));
        }
        assert_eq!(comes(receiver.recv()).await, Ok(2));
        assert_eq!(comes(behind).await, Ok(Ok(1)));
        never_comes(receiver.recv()).await;
    })
}

pub(crate) fn broadcast_recv() -> usize {
    cancel_everywhere(async |cut| {
        let news = Rc::new(Broadcast::<u32, 2>::new());
        let mut receiver = news.subscribe();
        let sender = later(SECOND, {
            let news = news.clone();
            move || {
                news.try_send(1).unwrap();
                news.try_send(2).unwrap();
            }
        });
        let mut got: Vec<u32> = cut.apply(receiver.recv()).await.into_iter().map(Result::unwrap).collect();
        while got.len() < 2 {
            got.push(comes(receiver.recv()).await.unwrap());
        }
        assert_eq!(got, [1, 2]);
        sender.await.unwrap();
        never_comes(receiver.recv()).await;
    })
}

pub(crate) fn one_shot_recv() -> usize {
    cancel_everywhere(async |cut| {
        let shot = Rc::new(OneShot::new());
        let sender = later(SECOND, {
            let shot = shot.clone();
            move || shot.send(7).unwrap()
        });
        loses_nothing(cut, async || shot.recv().await, 7).await;
        sender.await.unwrap();
        never_comes(shot.recv()).await;
    })
}

pub(crate) fn signal_wait() -> usize {
    cancel_everywhere(async |cut| {
        let signal = Rc::new(Signal::new());
        let sender = later(SECOND, {
            let signal = signal.clone();
            move || signal.signal(7)
        });
        loses_nothing(cut, async || signal.wait().await, 7).await;
        sender.await.unwrap();
        never_comes(signal.wait()).await;
    })
}

pub(crate) fn watch_changed() -> usize {
    cancel_everywhere(async |cut| {
        let mode = Rc::new(Watch::new(0));
        let mut follower = mode.subscribe();
        let sender = later(SECOND, {
            let mode = mode.clone();
            move || mode.send(1)
        });
        if cut.apply(follower.changed()).await.is_none() {
            comes(follower.changed()).await;
        }
        assert_eq!(follower.get(), 1);
        sender.await.unwrap();
        never_comes(follower.changed()).await;
    })
}

pub(crate) fn watch_wait_for() -> usize {
    cancel_everywhere(async |cut| {
        let level = Rc::new(Watch::new(0));
        let mut follower = level.subscribe();
        let senders = [1, 2].map(|value| {
            let level = level.clone();
            later(SECOND * value, move || level.send(value))
        });
        let value = match cut.apply(follower.wait_for(|level| *level > 1)).await {
            Some(value) => value,
            None => comes(follower.wait_for(|level| *level > 1)).await,
        };
        assert_eq!(value, 2);
        for sender in senders {
            sender.await.unwrap();
        }
    })
}

/// One is told, and there is something for one: if who was told does not look, the next does.
pub(crate) fn wait_queue_wait_until() -> usize {
    cancel_everywhere(async |cut| {
        let shared = Rc::new((WaitQueue::new(), Cell::new(0)));
        let take = |shared: &(WaitQueue, Cell<u32>)| {
            let left = shared.1.get().checked_sub(1);
            left.map(|left| shared.1.set(left))
        };
        let behind = spawn({
            let shared = shared.clone();
            async move {
                sleep(SECOND / 2).await;
                shared.0.wait_until(|| take(&shared)).await;
            }
        });
        let teller = later(SECOND, {
            let shared = shared.clone();
            move || {
                shared.1.set(1);
                shared.0.wake_one();
            }
        });
        let taken = cut.apply(shared.0.wait_until(|| take(&shared))).await.is_some();
        teller.await.unwrap();
        yield_now().await;
        yield_now().await;
        assert_eq!((behind.is_done(), shared.1.get()), (!taken, 0));
        if taken {
            shared.1.set(1);
            assert!(shared.0.wake_one());
        }
        comes(behind).await.unwrap();
        assert!(shared.0.is_empty());
    })
}
