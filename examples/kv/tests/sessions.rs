//! Sessions: bursts, half requests, slow readers, closing; many clients at once, the same way every time.

mod common;

use core::cell::RefCell;
use std::rc::Rc;

use common::{Client, Random, encode, hosted, ms, start, text};
use corio::{now, sleep, spawn, yield_now};
use corio_kv::{Bounded, Ended, Limits, Memory, Server, serve};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[test]
fn the_replies_to_a_burst_leave_in_one_write() {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let mut client = Client::connect(&running.server);
        client.send("SET k v\r\n".repeat(50) + &"GET k\r\n".repeat(50)).await;
        client.expect("+OK\r\n".repeat(50) + &"$1\r\nv\r\n".repeat(50)).await;
        assert_eq!(client.writes(), 1);
    });
}

#[test]
fn requests_may_come_byte_by_byte() {
    async fn check<M: Memory + 'static>(server: Server<M>) {
        let running = start(server);
        let mut client = Client::connect_through(&running.server, 1);
        client.send(encode(&[b"SET", b"key", b"value"])).await;
        client.expect("+OK\r\n").await;
        client.send(encode(&[b"GET", b"key"])).await;
        client.expect("$5\r\nvalue\r\n").await;
    }
    corio_sim::run(check(common::Hosted::hosted(Limits::REDIS)));
    corio_sim::run(check(Server::<Bounded>::bounded()));
}

#[test]
fn half_a_request_does_nothing() {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let request = encode(&[b"SET", b"key", b"value"]);
        for end in 0..request.len() {
            let mut client = Client::connect(&running.server);
            client.send(&request[..end]).await;
            settle().await;
            assert_eq!(client.hang_up().await, Ok(Ended::HungUp), "{end} bytes");
        }
        assert_eq!(running.server.keys(), 0);
        assert_eq!(running.server.used_buffers(), 0);
    });
}

#[test]
fn requests_before_the_end_of_the_stream_are_answered() {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let Client { reader, mut writer, session } = Client::connect(&running.server);
        Write::write_all(&mut writer, b"SET k v\r\nGET k\r\nGE").await.expect("the server reads");
        drop(writer);
        let mut client = Client { reader, writer: common::pipe(1).1, session };
        assert_eq!(text(&client.rest().await), "+OK\r\n$1\r\nv\r\n");
        assert_eq!(client.session.await, Ok(Ok(Ended::HungUp)));
    });
}

#[test]
fn a_breach_of_the_protocol_ends_its_own_session_only() {
    for (bytes, error) in [
        ("*x\r\n", "invalid multibulk length"),
        ("*1\r\n:x\r\n", "expected '$', got ':'"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("GET \"k\r\n", "unbalanced quotes in request"),
    ] {
        corio_sim::run(async {
            let running = hosted(Limits::REDIS);
            let mut good = Client::connect(&running.server);
            let mut bad = Client::connect(&running.server);
            good.ask("SET k v", "+OK\r\n").await;
            bad.send(format!("PING\r\n{bytes}PING\r\n")).await;
            assert_eq!(text(&bad.rest().await), format!("+PONG\r\n-ERR Protocol error: {error}\r\n"));
            assert_eq!(bad.session.await, Ok(Ok(Ended::Protocol)));
            good.ask("GET k", "$1\r\nv\r\n").await;
        });
    }
}

#[test]
fn who_does_not_read_replies_has_to_wait_with_its_requests() {
    async fn check<M: Memory + 'static>(server: Server<M>, value: usize, most: usize) {
        let running = start(server);
        let mut slow = Client::connect_through(&running.server, 200);
        let value = "x".repeat(value);
        slow.ask(&format!("SET k {value}"), "+OK\r\n").await;
        let Client { reader, mut writer, session } = slow;
        // A thousand requests, as fast as the server takes them.
        let asking = spawn(async move {
            let requests = "GET k\r\nINCR n\r\n".repeat(1000);
            Write::write_all(&mut writer, requests.as_bytes()).await.expect("the server reads");
            writer
        });
        sleep(ms(1000)).await;
        assert!(!asking.is_done(), "the server has taken all requests of a client that reads no reply");
        assert!(running.server.used_buffers() < most, "{}", running.server.used_buffers());
        // Nobody else has to wait.
        let mut other = Client::connect(&running.server);
        other.ask("PING", "+PONG\r\n").await;
        // And nothing is lost.
        let mut slow = Client { reader, writer: common::pipe(1).1, session };
        for number in 1..=1000 {
            slow.expect(format!("${}\r\n{value}\r\n:{number}\r\n", value.len())).await;
        }
        asking.await.expect("nobody cancels it");
    }
    let limits = Limits { max_pending: 10_000, ..Limits::REDIS };
    corio_sim::run(check(common::Hosted::hosted(limits), 3000, 60_000));
    corio_sim::run(check(Server::<Bounded<2, 2048>>::bounded(), 800, usize::MAX));
}

/// A client that always has sent more.
struct Flood;

impl ErrorType for Flood {
    type Error = ErrorKind;
}

impl Read for Flood {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        let count = into.len() / 6 * 6;
        into[..count].copy_from_slice(&b"PING\r\n".repeat(count / 6));
        Ok(count)
    }
}

impl Write for Flood {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[test]
fn one_client_s_flood_does_not_keep_others_waiting() {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let server = running.server.clone();
        let flood = spawn(async move { serve(Flood, Flood, &*server).await });
        let mut other = Client::connect(&running.server);
        for number in 1..=20 {
            other.ask("INCR n", &format!(":{number}\r\n")).await;
        }
        running.server.close();
        assert_eq!(flood.await, Ok(Ok(Ended::Closed)));
    });
}

#[test]
fn closing_lets_the_replies_in_flight_leave() {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let mut slow = Client::connect_through(&running.server, 10);
        let mut blocked = Client::connect(&running.server);
        let mut subscribed = Client::connect(&running.server);
        let idle = Client::connect(&running.server);
        slow.send(format!("ECHO {}\r\n", "x".repeat(100))).await;
        blocked.line("BLPOP k 0").await;
        subscribed.line("SUBSCRIBE c").await;
        settle().await;
        running.server.close();
        let emptied = spawn({
            let server = running.server.clone();
            async move { server.emptied().await }
        });
        settle().await;
        assert!(!emptied.is_done(), "a reply is still under way");
        assert_eq!(slow.rest().await.len(), "$100\r\n\r\n".len() + 100);
        emptied.await.expect("nobody cancels it");
        for client in [slow, blocked, subscribed, idle] {
            assert_eq!(client.session.await, Ok(Ok(Ended::Closed)));
        }
        let mut late = Client::connect(&running.server);
        assert_eq!(text(&late.rest().await), "-ERR max number of clients reached\r\n");
    });
}

/// A thousand clients, each with its own list of things to do at its own times. What everybody saw, and when.
fn thousand(seed: u64) -> Vec<String> {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let log = Rc::new(RefCell::new(Vec::new()));
        let mut random = Random::new(seed);
        let clients: Vec<_> = (0..1000)
            .map(|number| {
                let (server, log) = (running.server.clone(), log.clone());
                let mut random = Random::new(random.next());
                spawn(async move {
                    let mut client = Client::connect_through(&server, 256);
                    for _ in 0..10 {
                        sleep(ms(random.below(5000) as u64)).await;
                        let key = random.below(50);
                        let line = match random.below(8) {
                            0 => format!("SET s{key} {number} PX {}", random.below(3000) + 1),
                            1 => format!("GET s{key}"),
                            2 => "INCR n".to_owned(),
                            3 => format!("LPUSH l{key} {number}"),
                            4 => format!("PUBLISH c{key} {number}"),
                            5 => format!("PTTL s{key}"),
                            6 => "DBSIZE".to_owned(),
                            _ => format!("BLPOP l{key} l{} 0.{}", key + 1, random.below(9) + 1),
                        };
                        client.line(&line).await;
                        let mut reply = client.receive_until(b'\n').await;
                        let more = match reply.as_str() {
                            "*2\r\n" => 4,
                            "$-1\r\n" => 0,
                            bulk if bulk.starts_with('$') => 1,
                            _ => 0,
                        };
                        for _ in 0..more {
                            reply += &client.receive_until(b'\n').await;
                        }
                        log.borrow_mut().push(format!("{} {number} {line}: {reply:?}", now().as_micros()));
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.expect("nobody cancels it");
        }
        settle().await;
        assert_eq!(running.server.clients(), 0);
        assert_eq!(running.server.used_buffers(), 0);
        log.take()
    })
}

#[test]
fn a_thousand_clients_see_the_same_in_every_run() {
    let first = thousand(1);
    assert_eq!(first.len(), 10_000);
    assert!(first == thousand(1), "two runs differ");
    assert!(first != thousand(2), "the seed makes no difference");
}

#[test]
fn the_expiry_task_frees_memory_when_nobody_looks() {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let mut client = Client::connect(&running.server);
        for key in 0..1000 {
            client.line(&format!("SET {key} v PX {}", 1000 - key % 10)).await;
            client.expect("+OK\r\n").await;
        }
        client.ask("SET stays v", "+OK\r\n").await;
        assert_eq!(running.server.keys(), 1001);
        sleep(ms(990)).await;
        assert_eq!(running.server.keys(), 1001);
        for gone in 1..=10 {
            sleep(ms(1)).await;
            settle().await;
            assert_eq!(running.server.keys(), 1001 - 100 * gone, "at {}", now().as_millis());
        }
        // The task sleeps now, and wakes for a nearer deadline that is set meanwhile.
        client.ask("PEXPIRE stays 3600000", ":1\r\n").await;
        client.ask("SET soon v PX 5", "+OK\r\n").await;
        sleep(ms(5)).await;
        settle().await;
        assert_eq!(running.server.keys(), 1);
        let used = running.server.used_memory();
        client.ask("PERSIST stays", ":1\r\n").await;
        assert!(running.server.used_memory() < used);
    });
}

#[test]
fn no_bytes_whatever_take_the_server_down() {
    async fn check<M: Memory + 'static>(server: Server<M>, seed: u64) {
        let running = start(server);
        let mut good = Client::connect(&running.server);
        good.ask("SET precious v", "+OK\r\n").await;
        let mut random = Random::new(seed);
        let words = [
            "SET",
            "GET",
            "k",
            "*3\r\n",
            "$3\r\n",
            "\r\n",
            "\"",
            "LPUSH",
            "l",
            "BLPOP",
            "0.01",
            " ",
            "SUBSCRIBE",
            "UNSUBSCRIBE",
            "-1",
            "999999999999",
            "COMMAND",
            "DOCS",
            "INFO",
            "LRANGE",
            "EXPIRE",
            "CONFIG",
            "*",
            "\0",
            "\n",
        ];
        for _ in 0..200 {
            let mut client = Client::connect_through(&running.server, 512);
            let mut bytes = Vec::new();
            for _ in 0..random.below(30) {
                match random.below(5) {
                    0 => bytes.push(random.next() as u8),
                    1 => {
                        let chosen: Vec<_> = (0..random.below(4)).map(|_| words[random.below(words.len())]).collect();
                        bytes.extend(encode(&chosen.iter().map(|word| word.as_bytes()).collect::<Vec<_>>()));
                    }
                    _ => bytes.extend_from_slice(words[random.below(words.len())].as_bytes()),
                }
            }
            // It may be cut short, or never read what it is told.
            let sending = corio::timeout(ms(20), Write::write_all(&mut client.writer, &bytes));
            let _ = sending.await;
            if random.below(2) == 0 {
                let _ = corio::timeout(ms(5), client.receive(200)).await;
            }
        }
        settle().await;
        good.ask("GET precious", "$1\r\nv\r\n").await;
        assert_eq!(running.server.clients(), 1);
    }
    for seed in 1..10 {
        corio_sim::run(check(common::Hosted::hosted(Limits::REDIS), seed));
        corio_sim::run(check(Server::<Bounded<4, 4096>>::bounded(), seed));
    }
}
