//! `Broadcast`: each message for every receiver.

use core::pin::pin;

use corio::{Broadcast, RecvError, SendError, TryRecvError, TrySendError, yield_now};

use crate::World;
use crate::harness::{Bell, Count, Log, NoteOnDrop, counted, poll, poll_opt, run, spawn};

pub(crate) fn every_receiver_gets_every_message_in_order<W: World>(world: &mut W) {
    static CHANNEL: Broadcast<u8, 2> = Broadcast::new();
    static LOG: Log = Log::new();
    static POLLS: Count = Count::new();
    run(world, async {
        let tasks = [0; 3].map(|_| {
            let mut receiver = CHANNEL.subscribe();
            spawn(async move {
                while let Ok(letter) = counted(&POLLS, receiver.recv()).await {
                    LOG.note(letter);
                }
            })
        });
        yield_now().await;
        assert!(POLLS.get() == 3);
        for letter in b'a'..=b'd' {
            assert!(CHANNEL.send(letter).await == Ok(3));
            yield_now().await;
        }
        LOG.expect("aaabbbcccddd");
        assert!(POLLS.get() == 3 + 4 * 6, "one poll to take a message, one to wait for the next");
        CHANNEL.close();
        for task in tasks {
            assert!(task.await.is_ok());
        }
        LOG.expect("");
    });
}

pub(crate) fn a_message_is_for_those_who_have_subscribed<W: World>(_: &mut W) {
    let channel = Broadcast::<u8, 2>::new();
    for letter in 0..10 {
        assert!(channel.try_send(letter) == Ok(0), "nobody there, so there is always room");
        assert!(channel.publish(letter) == Ok(0));
    }
    assert!(channel.is_empty() && channel.receivers() == 0);
    let mut one = channel.subscribe();
    assert!(one.try_recv() == Err(TryRecvError::Empty) && one.is_empty());
    assert!(channel.try_send(b'a') == Ok(1));
    let mut two = channel.subscribe();
    assert!(two.is_empty() && one.len() == 1);
    assert!(channel.try_send(b'b') == Ok(2) && channel.len() == 2 && channel.receivers() == 2);
    assert!(two.try_recv() == Ok(b'b') && two.try_recv() == Err(TryRecvError::Empty));
    assert!(channel.len() == 2, "the other has yet to take them");
    assert!(one.try_recv() == Ok(b'a') && one.try_recv() == Ok(b'b') && channel.is_empty());
}

pub(crate) fn a_sender_waits_for_the_slowest_receiver<W: World>(_: &mut W) {
    static BELL: Bell = Bell::new();
    let channel = Broadcast::<u8, 2>::new();
    let (mut fast, mut slow) = (channel.subscribe(), channel.subscribe());
    assert!(channel.try_send(b'a') == Ok(2) && channel.try_send(b'b') == Ok(2));
    assert!(channel.try_send(b'x') == Err(TrySendError::Full(b'x')));
    let mut send = pin!(channel.send(b'c'));
    assert!(poll(send.as_mut(), &BELL).is_none());
    assert!(fast.try_recv() == Ok(b'a') && fast.try_recv() == Ok(b'b'));
    assert!(!BELL.rang() && poll(send.as_mut(), &BELL).is_none());
    assert!(slow.try_recv() == Ok(b'a'));
    assert!(BELL.rang() && poll(send, &BELL) == Some(Ok(2)));
    assert!(slow.len() == 2 && fast.len() == 1 && channel.len() == channel.capacity());
    assert!(slow.try_recv() == Ok(b'b') && slow.try_recv() == Ok(b'c') && fast.try_recv() == Ok(b'c'));
}

pub(crate) fn senders_that_wait_are_served_in_order_of_arrival<W: World>(world: &mut W) {
    static CHANNEL: Broadcast<u8, 1> = Broadcast::new();
    static LOG: Log = Log::new();
    run(world, async {
        let mut receiver = CHANNEL.subscribe();
        let senders = [b'a', b'b', b'c', b'd', b'e'].map(|letter| spawn(CHANNEL.send(letter)));
        yield_now().await;
        // Passed over, as one whose task is about to drop it.
        senders[2].cancel();
        for _ in 0..4 {
            LOG.note(receiver.recv().await.unwrap_or(b'?'));
        }
        LOG.expect("abde");
        assert!(receiver.is_empty() && senders.iter().all(|sender| sender.is_done()));
    });
}

pub(crate) fn a_newcomer_does_not_overtake_who_was_promised_room<W: World>(_: &mut W) {
    static BELLS: [Bell; 3] = [const { Bell::new() }; 3];
    let channel = Broadcast::<u8, 2>::new();
    let mut receiver = channel.subscribe();
    assert!(channel.try_send(b'a').is_ok() && channel.try_send(b'b').is_ok());
    let mut waiter = pin!(Some(channel.send(b'c')));
    assert!(poll_opt(waiter.as_mut(), &BELLS[0]).is_none());
    assert!(receiver.try_recv() == Ok(b'a') && receiver.try_recv() == Ok(b'b'));
    assert!(channel.is_empty() && BELLS[0].rang());
    assert!(channel.try_send(b'x') == Err(TrySendError::Full(b'x')), "first come, first served, though there is room");
    let (mut d, mut e) = (pin!(channel.send(b'd')), pin!(channel.send(b'e')));
    assert!(poll(d.as_mut(), &BELLS[1]).is_none() && poll(e.as_mut(), &BELLS[2]).is_none());
    assert!(poll_opt(waiter.as_mut(), &BELLS[0]) == Some(Ok(1)));
    assert!(BELLS[1].rang() && !BELLS[2].rang(), "there is room for one more");
    assert!(poll(d, &BELLS[1]) == Some(Ok(1)));
    assert!(receiver.try_recv() == Ok(b'c') && BELLS[2].rang() && poll(e, &BELLS[2]) == Some(Ok(1)));
    assert!(receiver.try_recv() == Ok(b'd') && receiver.try_recv() == Ok(b'e'));
    assert!(channel.try_send(b'f') == Ok(1));
}

pub(crate) fn what_is_published_takes_the_place_of_the_oldest_and_who_lags_is_told<W: World>(world: &mut W) {
    static CHANNEL: Broadcast<u8, 3> = Broadcast::new();
    run(world, async {
        let (mut fast, mut slow) = (CHANNEL.subscribe(), CHANNEL.subscribe());
        for letter in b'a'..=b'h' {
            assert!(CHANNEL.publish(letter) == Ok(2));
            assert!(fast.recv().await == Ok(letter));
        }
        assert!(slow.len() == 8 && CHANNEL.len() == 3);
        assert!(slow.recv().await == Err(RecvError::Lagged(5)) && slow.len() == 3);
        assert!(slow.recv().await == Ok(b'f') && slow.try_recv() == Ok(b'g'));
        for letter in b'i'..=b'k' {
            assert!(CHANNEL.publish(letter) == Ok(2));
        }
        assert!(slow.try_recv() == Err(TryRecvError::Lagged(1)) && slow.try_recv() == Ok(b'i'));
        assert!(fast.try_recv() == Ok(b'i') && slow.len() == 2);
    });
}

pub(crate) fn who_finds_the_promised_room_taken_waits_again<W: World>(_: &mut W) {
    static BELLS: [Bell; 2] = [const { Bell::new() }; 2];
    let channel = Broadcast::<u8, 1>::new();
    let mut receiver = channel.subscribe();
    assert!(channel.try_send(b'a').is_ok());
    let (mut b, mut c) = (pin!(channel.send(b'b')), pin!(channel.send(b'c')));
    assert!(poll(b.as_mut(), &BELLS[0]).is_none() && poll(c.as_mut(), &BELLS[1]).is_none());
    assert!(receiver.try_recv() == Ok(b'a') && BELLS[0].rang());
    assert!(channel.publish(b'p') == Ok(1), "which waits for nobody");
    assert!(poll(b.as_mut(), &BELLS[0]).is_none());
    assert!(receiver.try_recv() == Ok(b'p') && BELLS[1].rang() && !BELLS[0].rang(), "at the end of the line");
    assert!(poll(c, &BELLS[1]) == Some(Ok(1)) && receiver.try_recv() == Ok(b'c'));
    assert!(BELLS[0].rang() && poll(b, &BELLS[0]) == Some(Ok(1)));
}

pub(crate) fn a_receiver_that_goes_gives_up_what_it_has_not_taken<W: World>(_: &mut W) {
    static BELLS: [Bell; 3] = [const { Bell::new() }; 3];
    static LOG: Log = Log::new();
    let channel = Broadcast::<Noted, 3>::new();
    let (slow, mut fast) = (channel.subscribe(), channel.subscribe());
    for letter in b'a'..=b'c' {
        assert!(channel.try_send(Noted::new(&LOG, letter)).is_ok());
    }
    let (mut d, mut e) = (pin!(channel.send(Noted::new(&LOG, b'd'))), pin!(channel.send(Noted::new(&LOG, b'e'))));
    assert!(poll(d.as_mut(), &BELLS[0]).is_none() && poll(e.as_mut(), &BELLS[1]).is_none());
    drop((fast.try_recv(), fast.try_recv()));
    LOG.expect("AB");
    assert!(!BELLS[0].rang());
    drop(slow);
    LOG.expect("ab");
    assert!(BELLS[0].rang() && BELLS[1].rang() && channel.len() == 1, "room for two");
    assert!(poll(d, &BELLS[0]).is_some() && poll(e, &BELLS[1]).is_some());
    assert!(fast.len() == 3);
    drop(fast);
    LOG.expect("cde");
    assert!(channel.is_empty());
}

pub(crate) fn with_the_last_receiver_all_senders_go_on<W: World>(world: &mut W) {
    static CHANNEL: Broadcast<u8, 1> = Broadcast::new();
    run(world, async {
        let receiver = CHANNEL.subscribe();
        assert!(CHANNEL.try_send(b'a') == Ok(1));
        let senders = [b'b', b'c', b'd'].map(|letter| spawn(CHANNEL.send(letter)));
        yield_now().await;
        drop(receiver);
        for sender in senders {
            assert!(sender.await == Ok(Ok(0)));
        }
        assert!(CHANNEL.is_empty());
    });
}

pub(crate) fn closed_it_gives_what_is_left_and_takes_no_more<W: World>(world: &mut W) {
    static CHANNEL: Broadcast<u8, 1> = Broadcast::new();
    static LOG: Log = Log::new();
    run(world, async {
        let (mut one, mut two) = (CHANNEL.subscribe(), CHANNEL.subscribe());
        assert!(CHANNEL.try_send(b'a') == Ok(2) && one.recv().await == Ok(b'a'));
        let receiver = spawn(async move {
            assert!(one.recv().await == Err(RecvError::Closed) && one.try_recv() == Err(TryRecvError::Closed));
            LOG.note(b'r');
        });
        let senders = [b'b', b'c'].map(|letter| {
            spawn(async move {
                assert!(CHANNEL.send(letter).await == Err(SendError::Closed(letter)));
                LOG.note(letter);
            })
        });
        yield_now().await;
        CHANNEL.close();
        CHANNEL.close();
        yield_now().await;
        LOG.expect("rbc");
        assert!(CHANNEL.is_closed() && CHANNEL.try_send(b'x') == Err(TrySendError::Closed(b'x')));
        assert!(CHANNEL.publish(b'x') == Err(SendError::Closed(b'x')));
        assert!(CHANNEL.send(b'x').await == Err(SendError::Closed(b'x')));
        assert!(two.recv().await == Ok(b'a') && two.recv().await == Err(RecvError::Closed));
        assert!(receiver.await.is_ok() && senders.iter().all(|sender| sender.is_done()));
    });
}

/// Notes its letter when dropped; a copy notes one that is capital.
struct Noted(NoteOnDrop);

impl Noted {
    const fn new(log: &'static Log, letter: u8) -> Self {
        Self(NoteOnDrop(log, letter))
    }
}

impl Clone for Noted {
    fn clone(&self) -> Self {
        Self::new(self.0.0, self.0.1.to_ascii_uppercase())
    }
}

pub(crate) fn messages_are_dropped_once_and_the_last_is_no_copy<W: World>(_: &mut W) {
    static LOG: Log = Log::new();
    static BELL: Bell = Bell::new();
    let channel = Broadcast::<Noted, 2>::new();
    assert!(channel.try_send(Noted::new(&LOG, b'n')).is_ok());
    LOG.expect("n");
    let (mut one, mut two) = (channel.subscribe(), channel.subscribe());
    assert!(channel.try_send(Noted::new(&LOG, b'a')).is_ok() && channel.try_send(Noted::new(&LOG, b'b')).is_ok());
    drop(channel.try_send(Noted::new(&LOG, b'x')));
    LOG.expect("x");
    {
        let mut send = pin!(channel.send(Noted::new(&LOG, b'y')));
        assert!(poll(send.as_mut(), &BELL).is_none());
    }
    LOG.expect("y");
    drop(one.try_recv());
    LOG.expect("A");
    drop(two.try_recv());
    LOG.expect("a");
    assert!(channel.publish(Noted::new(&LOG, b'c')).is_ok());
    LOG.expect("");
    assert!(channel.publish(Noted::new(&LOG, b'd')).is_ok());
    LOG.expect("b");
    drop((one, two));
    LOG.expect("cd");
    let receiver = channel.subscribe();
    assert!(channel.try_send(Noted::new(&LOG, b'e')).is_ok());
    core::mem::forget(receiver);
    drop(channel);
    LOG.expect("e");
}

pub(crate) fn messages_are_published_from_elsewhere<W: World>(world: &mut W) {
    static CHANNEL: Broadcast<u8, 2> = Broadcast::new();
    run(world, async {
        let mut receivers = [CHANNEL.subscribe(), CHANNEL.subscribe()];
        for _ in 0..4 {
            W::elsewhere(|| assert!(CHANNEL.publish(7) == Ok(2)));
            for receiver in &mut receivers {
                assert!(receiver.recv().await == Ok(7));
            }
        }
        assert!(CHANNEL.is_empty());
    });
}
