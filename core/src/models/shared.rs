//! What many share, between threads that poll by hand.

use super::*;
use crate::{Broadcast, OnceCell, RecvError, RwLock, Signal, Watch};

#[test]
fn a_writer_is_alone_and_readers_see_what_it_wrote() {
    check(3, || {
        let lock = forever(RwLock::new(Cell::new(0)));
        let add = move || {
            let value = block_on(lock.write());
            value.set(value.get() + 1);
        };
        let threads = [thread::spawn(add), thread::spawn(move || assert!(block_on(lock.read()).get() < 3))];
        add();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((lock.readers(), lock.is_written()), (0, false));
        assert_eq!(block_on(lock.read()).get(), 2);
    });
}

/// A writer in line that goes, granted or not, lets the reader behind it in.
#[test]
fn a_writer_that_is_dropped_keeps_no_reader_out() {
    check(3, || {
        let lock = forever(RwLock::new(Cell::new(0)));
        let held = lock.try_write().unwrap();
        let threads = [thread::spawn(move || drop(held)), thread::spawn(move || drop(poll_and_drop(lock.write())))];
        assert_eq!(block_on(lock.read()).get(), 0);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn a_downgraded_lock_is_shared_with_who_waits() {
    check(3, || {
        let lock = forever(RwLock::new(Cell::new(0)));
        let held = lock.try_write().unwrap();
        let reading = thread::spawn(move || block_on(lock.read()).get());
        held.set(1);
        let held = crate::RwLockWriteGuard::downgrade(held);
        assert_eq!((reading.join().unwrap(), held.get()), (1, 1));
        drop(held);
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn a_value_is_made_once_and_seen_by_all() {
    check(3, || {
        let cell = forever(OnceCell::new());
        let made = forever(Cell::new(0));
        let need = move || {
            let value = block_on(cell.get_or_init(async || {
                made.set(made.get() + 1);
                Cell::new(7)
            }));
            assert_eq!(value.get(), 7);
        };
        let threads = [thread::spawn(need), thread::spawn(move || assert_eq!(block_on(cell.wait()).get(), 7))];
        need();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(made.get(), 1);
    });
}

/// Who has the turn to make the value, or is told to have it, and goes, hands it on.
#[test]
fn the_turn_to_make_a_value_is_not_lost() {
    check(3, || {
        let cell = forever(OnceCell::new());
        let give_up = move || {
            let _made = poll_and_drop(cell.get_or_init(pending::<Cell<u32>>));
        };
        let threads = [thread::spawn(give_up), thread::spawn(give_up)];
        assert_eq!(block_on(cell.get_or_init(async || Cell::new(1))).get(), 1);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(cell.get().map(Cell::get), Some(1));
    });
}

/// Room is made by who takes the oldest message, and by who goes without it.
#[test]
fn a_sender_that_waits_for_room_is_told() {
    check(2, || {
        let channel = forever(Broadcast::<u32, 1>::new());
        let (mut one, two) = (channel.subscribe(), channel.subscribe());
        let threads = [
            thread::spawn(move || assert!((1..=2).all(|message| block_on(channel.send(message)).is_ok()))),
            thread::spawn(move || drop(two)),
        ];
        assert_eq!([1, 2].map(|_| block_on(one.recv())), [Ok(1), Ok(2)]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(channel.is_empty());
    });
}

#[test]
fn what_is_published_is_taken_or_lost_and_told() {
    check(3, || {
        let channel = forever(Broadcast::<u32, 1>::new());
        let mut receiver = channel.subscribe();
        let publishing = thread::spawn(move || {
            for message in 1..=2 {
                assert_eq!(channel.publish(message), Ok(1));
            }
        });
        let mut next = 1;
        while next <= 2 {
            match block_on(receiver.recv()) {
                Ok(message) => {
                    assert_eq!(message, next);
                    next += 1;
                }
                Err(error) => {
                    assert_eq!((error, next), (RecvError::Lagged(1), 1));
                    next = 2;
                }
            }
        }
        publishing.join().unwrap();
    });
}

#[test]
fn no_change_is_lost_and_the_last_is_seen() {
    check(3, || {
        let watch = forever(Watch::new(0));
        let mut receiver = watch.subscribe();
        let add = move || watch.modify(|value| *value += 1);
        let threads = [thread::spawn(add), thread::spawn(add)];
        while receiver.get() < 2 {
            block_on(receiver.changed());
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(watch.get(), 2);
    });
}

#[test]
fn a_signal_reaches_who_is_left() {
    check(3, || {
        let signal = forever(Signal::new());
        let threads = [
            thread::spawn(move || signal.signal(1)),
            thread::spawn(move || {
                if let Some(value) = poll_and_drop(signal.wait()) {
                    signal.signal(value);
                }
            }),
        ];
        assert_eq!(block_on(signal.wait()), 1);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(!signal.is_signaled());
    });
}
