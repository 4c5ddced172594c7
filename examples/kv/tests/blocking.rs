//! Blocked pops: who is served, when, and that no item is ever lost.

mod common;

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use common::{Client, Random, hosted, ms, start, text};
use corio::{now, sleep, spawn, yield_now};
use corio_kv::{Bounded, Ended, Limits, Memory, Server};

/// Lets everything that is ready run to rest, without time passing.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

fn item(key: &str, item: &str) -> String {
    format!("*2\r\n${}\r\n{key}\r\n${}\r\n{item}\r\n", key.len(), item.len())
}

#[test]
fn the_first_to_wait_is_the_first_to_be_served() {
    async fn check<M: Memory + 'static>(server: Server<M>) {
        let running = start(server);
        let mut waiters: Vec<_> = (0..3).map(|_| Client::connect(&running.server)).collect();
        for waiter in &mut waiters {
            waiter.line("BLPOP k 0").await;
            settle().await;
        }
        let mut pusher = Client::connect(&running.server);
        // The push answers with the length before anybody is served, and the next command sees the list after.
        pusher.send("RPUSH k a b\r\nLLEN k\r\n").await;
        pusher.expect(":2\r\n:0\r\n").await;
        waiters[0].expect(item("k", "a")).await;
        waiters[1].expect(item("k", "b")).await;
        assert_eq!(waiters[2].unread(), 0);
        pusher.ask("LPUSH k c d", ":2\r\n").await;
        waiters[2].expect(item("k", "d")).await;
        pusher.ask("LRANGE k 0 -1", "*1\r\n$1\r\nc\r\n").await;
    }
    corio_sim::run(check(common::Hosted::hosted(Limits::REDIS)));
    corio_sim::run(check(Server::<Bounded<4, 2048>>::bounded()));
}

#[test]
fn timeouts_are_exact() {
    async fn check<M: Memory + 'static>(server: Server<M>) {
        let running = start(server);
        let mut client = Client::connect(&running.server);
        for (timeout, millis) in [("0.25", 250), ("1", 1000), ("0.0001", 1), ("3600.5", 3_600_500)] {
            let before = now();
            client.ask(&format!("BLPOP a b {timeout}"), "*-1\r\n").await;
            assert_eq!(now() - before, ms(millis), "{timeout}");
        }
        // Nobody waits any more.
        client.ask("RPUSH a x", ":1\r\n").await;
        client.ask("LLEN a", ":1\r\n").await;
    }
    corio_sim::run(check(common::Hosted::hosted(Limits::REDIS)));
    corio_sim::run(check(Server::<Bounded<4, 2048>>::bounded()));
}

#[test]
fn who_waits_for_several_keys_is_served_once() {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let mut waiter = Client::connect(&running.server);
        let mut pusher = Client::connect(&running.server);
        waiter.line("BLPOP a b c b 0").await;
        settle().await;
        pusher.ask("RPUSH b 1", ":1\r\n").await;
        waiter.expect(item("b", "1")).await;
        pusher.ask("RPUSH a 2", ":1\r\n").await;
        pusher.ask("LLEN a", ":1\r\n").await;
        waiter.ask("PING", "+PONG\r\n").await;
    });
}

#[test]
fn requests_behind_a_blocked_pop_wait_for_it() {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let mut waiter = Client::connect(&running.server);
        waiter.send("SET x 1\r\nBLPOP k 2\r\nINCR x\r\n").await;
        waiter.expect("+OK\r\n").await;
        let mut other = Client::connect(&running.server);
        sleep(ms(1999)).await;
        other.ask("GET x", "$1\r\n1\r\n").await;
        waiter.expect("*-1\r\n:2\r\n").await;
        assert_eq!(now().as_millis(), 2000);
    });
}

#[test]
fn a_key_of_the_other_kind_serves_nobody() {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let mut waiter = Client::connect(&running.server);
        let mut other = Client::connect(&running.server);
        waiter.line("BLPOP k 10").await;
        settle().await;
        other.ask("SET k v", "+OK\r\n").await;
        settle().await;
        assert_eq!(waiter.unread(), 0);
        other.ask("DEL k", ":1\r\n").await;
        other.ask("RPUSH k v", ":1\r\n").await;
        waiter.expect(item("k", "v")).await;
    });
}

#[test]
fn who_hangs_up_loses_its_place_and_no_item() {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let mut gone = Client::connect(&running.server);
        let mut waiter = Client::connect(&running.server);
        let mut pusher = Client::connect(&running.server);
        gone.line("BLPOP k 0").await;
        settle().await;
        waiter.line("BLPOP k 0").await;
        settle().await;
        assert_eq!(gone.hang_up().await, Ok(Ended::HungUp));
        // The newcomer takes its place in the table, not in the line.
        let mut newcomer = Client::connect(&running.server);
        newcomer.ask("PING", "+PONG\r\n").await;
        pusher.ask("RPUSH k a b", ":2\r\n").await;
        waiter.expect(item("k", "a")).await;
        assert_eq!(newcomer.unread(), 0);
        pusher.ask("LRANGE k 0 -1", "*1\r\n$1\r\nb\r\n").await;
    });
}

#[test]
fn an_item_for_a_client_that_turns_out_to_be_gone_goes_to_the_next() {
    for others in [false, true] {
        corio_sim::run(async {
            let running = hosted(Limits::REDIS);
            let mut gone = Client::connect(&running.server);
            let mut next = Client::connect(&running.server);
            let mut pusher = Client::connect(&running.server);
            gone.line("BLPOP k 0").await;
            settle().await;
            if others {
                next.line("BLPOP k 0").await;
                settle().await;
            }
            // The push is executed before the session of the one that is gone gets its turn to notice.
            pusher.line("RPUSH k a").await;
            let session = gone.vanish();
            pusher.expect(":1\r\n").await;
            assert_eq!(session.await, Ok(Ok(Ended::HungUp)));
            if others {
                next.expect(item("k", "a")).await;
                pusher.ask("EXISTS k", ":0\r\n").await;
            } else {
                pusher.ask("LRANGE k 0 -1", "*1\r\n$1\r\na\r\n").await;
            }
        });
    }
}

#[test]
fn a_cancelled_session_gives_back_what_it_had_not_sent() {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let mut waiter = Client::connect(&running.server);
        let mut pusher = Client::connect(&running.server);
        waiter.line("BLPOP k 0").await;
        settle().await;
        pusher.line("RPUSH k a").await;
        waiter.session.cancel();
        pusher.expect(":1\r\n").await;
        settle().await;
        assert!(waiter.session.is_done());
        pusher.ask("LRANGE k 0 -1", "*1\r\n$1\r\na\r\n").await;
        assert_eq!(running.server.clients(), 1);
    });
}

/// Clients come, block with and without timeouts, and vanish, while items are pushed: what was pushed is exactly what
/// was received and what is left, and nobody was served out of turn.
#[test]
fn nothing_is_lost_and_nothing_doubled() {
    async fn check<M: Memory + 'static>(server: Server<M>, seed: u64) {
        let running = start(server);
        let received = Rc::new(RefCell::new(BTreeMap::<usize, usize>::new()));
        let mut random = Random::new(seed);
        let mut tasks = Vec::new();
        for _ in 0..12 {
            let (server, received) = (running.server.clone(), received.clone());
            let mut random = Random::new(random.next());
            tasks.push(spawn(async move {
                for _ in 0..20 {
                    let mut client = Client::connect(&server);
                    let millis = random.below(30);
                    client.line(&format!("BLPOP k other 0.0{millis:02}")).await;
                    sleep(ms(random.below(40) as u64)).await;
                    // Gone, if nothing has arrived so far; else the reply is read.
                    if client.unread() == 0 {
                        client.vanish().detach();
                        continue;
                    }
                    drop(client.writer);
                    let mut reader = client.reader;
                    let reply = {
                        use embedded_io_async::Read;
                        let mut bytes = [0; 64];
                        let count = reader.read(&mut bytes).await.expect("pipes do not fail");
                        text(&bytes[..count])
                    };
                    if reply != "*-1\r\n" {
                        let number = reply.split("\r\n").nth(4).and_then(|item| item.parse().ok());
                        *received.borrow_mut().entry(number.expect(&reply)).or_default() += 1;
                    }
                }
            }));
        }
        let mut pusher = Client::connect(&running.server);
        let mut pushed = 0;
        while pushed < 150 {
            sleep(ms(random.below(6) as u64)).await;
            let count = random.below(3) + 1;
            let items: String = (0..count).map(|more| format!(" {}", pushed + more)).collect();
            pusher.line(&format!("RPUSH k{items}")).await;
            pushed += count;
            pusher.receive_until(b'\n').await;
        }
        for task in tasks {
            task.await.expect("nobody cancels it");
        }
        let mut received = received.take();
        loop {
            pusher.line("LPOP k").await;
            let reply = pusher.receive_until(b'\n').await;
            if reply == "$-1\r\n" {
                break;
            }
            let item = pusher.receive_until(b'\n').await;
            *received.entry(item.trim().parse().expect("a number")).or_default() += 1;
        }
        assert_eq!(received.len(), pushed, "seed {seed}");
        assert!(received.values().all(|count| *count == 1), "seed {seed}: {received:?}");
        drop(pusher);
        settle().await;
        assert_eq!(running.server.clients(), 0);
        assert_eq!(running.server.keys(), 0);
    }
    for seed in 1..20 {
        corio_sim::run(check(common::Hosted::hosted(Limits::REDIS), seed));
        corio_sim::run(check(Server::<Bounded<16, 4096, 512, 1024, 32>>::bounded(), seed));
    }
}
