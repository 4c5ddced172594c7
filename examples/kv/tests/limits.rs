//! Every bound in `Limits`: what happens at it, and that memory stays below it.

mod common;

use common::{Client, encode, hosted, start, text};
use corio::yield_now;
use corio_kv::{Bounded, Ended, Limits, Server};

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[test]
fn one_client_too_many_is_told_so() {
    corio_sim::run(async {
        let running = hosted(Limits { max_clients: 2, ..Limits::REDIS });
        let mut first = Client::connect(&running.server);
        let second = Client::connect(&running.server);
        settle().await;
        let mut third = Client::connect(&running.server);
        assert_eq!(text(&third.rest().await), "-ERR max number of clients reached\r\n");
        assert_eq!(third.session.await, Ok(Ok(Ended::Refused)));
        assert_eq!(second.hang_up().await, Ok(Ended::HungUp));
        let mut fourth = Client::connect(&running.server);
        fourth.ask("PING", "+PONG\r\n").await;
        first.ask("PING", "+PONG\r\n").await;
    });
}

#[test]
fn requests_are_bounded() {
    let limits = Limits { max_bulk: 1000, max_args: 10, max_inline: 100, max_query: 3000, ..Limits::REDIS };
    let long = "x".repeat(1001);
    let cases = [
        (encode(&[b"ECHO", long.as_bytes()]), "invalid bulk length"),
        (encode(&[&b"x"[..]; 11]), "invalid multibulk length"),
        (long.clone().into_bytes(), "too big inline request"),
        (format!("*{long}").into_bytes(), "too big mbulk count string"),
        (format!("*1\r\n${long}").into_bytes(), "too big bulk count string"),
        (encode(&[&long.as_bytes()[1..]; 4]), "too big request"),
    ];
    for (request, error) in cases {
        corio_sim::run(async {
            let running = hosted(limits.clone());
            let mut client = Client::connect(&running.server);
            client.send(request).await;
            assert_eq!(text(&client.rest().await), format!("-ERR Protocol error: {error}\r\n"));
            assert_eq!(client.session.await, Ok(Ok(Ended::Protocol)));
        });
    }
    corio_sim::run(async {
        let running = hosted(limits.clone());
        let mut client = Client::connect(&running.server);
        let most = &long[1..];
        client.request(&[b"ECHO", most.as_bytes()]).await;
        client.expect(format!("$1000\r\n{most}\r\n")).await;
        client.request(&[&b"DEL"[..]; 10]).await;
        client.expect(":0\r\n").await;
    });
}

#[test]
fn a_promise_of_half_a_gibibyte_costs_nothing() {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let mut client = Client::connect(&running.server);
        client.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n").await;
        settle().await;
        assert!(running.server.used_buffers() < 20_000, "{}", running.server.used_buffers());
        client.send("x".repeat(100_000)).await;
        settle().await;
        assert!(running.server.used_buffers() < 300_000, "{}", running.server.used_buffers());
        assert_eq!(client.hang_up().await, Ok(Ended::HungUp));
        assert_eq!(running.server.used_buffers(), 0);
        let mut client = Client::connect(&running.server);
        client.send("*1\r\n$536870913\r\n").await;
        assert_eq!(text(&client.rest().await), "-ERR Protocol error: invalid bulk length\r\n");
    });
}

#[test]
fn all_clients_together_are_bounded() {
    corio_sim::run(async {
        let running = hosted(Limits { max_buffers: 1 << 20, ..Limits::REDIS });
        let mut good = Client::connect(&running.server);
        good.ask("SET k v", "+OK\r\n").await;
        let mut clients = Vec::new();
        let mut refused = 0;
        for _ in 0..40 {
            let mut client = Client::connect(&running.server);
            // Half a request each; whoever finds no memory is told so and loses its connection.
            let half = format!("*1\r\n$1000000\r\n{}", "x".repeat(60_000));
            if embedded_io_async::Write::write_all(&mut client.writer, half.as_bytes()).await.is_err() {
                refused += 1;
                assert_eq!(text(&client.rest().await), "-ERR Protocol error: too big request\r\n");
            }
            settle().await;
            assert!(running.server.used_buffers() <= (1 << 20) + 1024, "{}", running.server.used_buffers());
            clients.push(client);
        }
        assert!(refused > 10, "{refused}");
        good.ask("GET k", "$1\r\nv\r\n").await;
        drop(clients);
        settle().await;
        let mut again = Client::connect(&running.server);
        again.request(&[b"ECHO", &[b'x'; 100_000]]).await;
        assert_eq!(again.receive(100_011).await.len(), 100_011);
    });
}

#[test]
fn a_reply_beyond_all_bounds_is_refused_and_changes_nothing() {
    corio_sim::run(async {
        let running = hosted(Limits { max_buffers: 200_000, ..Limits::REDIS });
        let mut client = Client::connect(&running.server);
        let value = "x".repeat(10_000);
        for number in 1..=30 {
            client.ask(&format!("RPUSH l {value}"), &format!(":{number}\r\n")).await;
        }
        client.ask("LRANGE l 0 -1", "-ERR reply does not fit the output buffer\r\n").await;
        client.ask("LPOP l 30", "-ERR reply does not fit the output buffer\r\n").await;
        client.ask("LLEN l", ":30\r\n").await;
        client.ask("LRANGE l 0 0", &format!("*1\r\n$10000\r\n{value}\r\n")).await;
    });
    corio_sim::run(async {
        let running = start(Server::<Bounded<1, 4096, 512, 1024>>::bounded());
        let mut client = Client::connect(&running.server);
        let value = "x".repeat(300);
        for number in 1..=5 {
            client.ask(&format!("RPUSH l {value}"), &format!(":{number}\r\n")).await;
        }
        client.ask("LRANGE l 0 -1", "-ERR reply does not fit the output buffer\r\n").await;
        client.ask("RPOP l 5", "-ERR reply does not fit the output buffer\r\n").await;
        client.ask("LLEN l", ":5\r\n").await;
        client.ask("LRANGE l 0 1", &format!("*2\r\n$300\r\n{value}\r\n$300\r\n{value}\r\n")).await;
    });
}

#[test]
fn data_is_bounded_and_what_is_there_stays() {
    corio_sim::run(async {
        let running = hosted(Limits { max_memory: 100_000, ..Limits::REDIS });
        full(Client::connect(&running.server), 1000).await;
        assert!(running.server.used_memory() <= 100_000);
    });
    corio_sim::run(async {
        let running = start(Server::<Bounded<1, 4096>>::bounded());
        full(Client::connect(&running.server), 100).await;
        assert!(running.server.used_memory() <= 4096);
    });

    async fn full(mut client: Client, size: usize) {
        let value = "x".repeat(size);
        client.ask("SET n 1", "+OK\r\n").await;
        client.ask("RPUSH list a", ":1\r\n").await;
        let mut stored = 0;
        loop {
            client.line(&format!("SET key{stored} {value}")).await;
            match client.receive_until(b'\n').await.as_str() {
                "+OK\r\n" => stored += 1,
                refused => {
                    assert_eq!(refused, OOM);
                    break;
                }
            }
        }
        assert!(stored > 20, "{stored}");
        client.ask(&format!("RPUSH list {value}"), OOM).await;
        client.ask(&format!("SET n {value}"), OOM).await;
        // A list of items goes in whole or not at all.
        client.ask(&format!("RPUSH list b c {value}"), OOM).await;
        client.ask("LRANGE list 0 -1", "*1\r\n$1\r\na\r\n").await;
        client.ask("GET n", "$1\r\n1\r\n").await;
        client.ask("INCR n", ":2\r\n").await;
        client.ask("DBSIZE", &format!(":{}\r\n", stored + 2)).await;
        client.ask("GET key0", &format!("${size}\r\n{value}\r\n")).await;
        // Room is made by removing, and by deadlines.
        client.ask("DEL key1", ":1\r\n").await;
        client.ask(&format!("SET key1 {value}"), "+OK\r\n").await;
        client.ask("PEXPIRE key2 10", ":1\r\n").await;
        client.ask(&format!("SET more {value}"), OOM).await;
        corio::sleep(common::ms(10)).await;
        client.ask(&format!("SET more {value}"), "+OK\r\n").await;
        client.ask("FLUSHALL", "+OK\r\n").await;
        client.ask(&format!("SET more {value}"), "+OK\r\n").await;
    }
}

#[test]
fn blocked_keys_are_bounded() {
    corio_sim::run(async {
        let running = start(Server::<Bounded<2, 1024, 512, 1024, 2>>::bounded());
        let mut client = Client::connect(&running.server);
        client.ask("BLPOP a b c 1", "-ERR too many subscriptions or blocked keys\r\n").await;
        // Nothing is left of the attempt.
        client.ask("RPUSH a x", ":1\r\n").await;
        client.ask("LLEN a", ":1\r\n").await;
        client.ask("BLPOP b c 0.01", "*-1\r\n").await;
    });
}

#[test]
fn requests_are_bounded_in_small_memory() {
    for (request, error) in [
        (encode(&[b"ECHO", &[b'x'; 449]]), "invalid bulk length"),
        (encode(&[&b"x"[..]; 33]), "invalid multibulk length"),
        (vec![b'x'; 513], "too big inline request"),
        (encode(&[&[b'x'; 200][..]; 3]), "too big request"),
    ] {
        corio_sim::run(async {
            let running = start(Server::<Bounded<1, 1024, 512, 1024>>::bounded());
            let mut client = Client::connect(&running.server);
            client.send(request).await;
            assert_eq!(text(&client.rest().await), format!("-ERR Protocol error: {error}\r\n"));
        });
    }
    corio_sim::run(async {
        let running = start(Server::<Bounded<1, 1024, 512, 1024>>::bounded());
        let mut client = Client::connect(&running.server);
        let value = "x".repeat(448);
        client.request(&[b"SET", b"k", value.as_bytes()]).await;
        client.expect("+OK\r\n").await;
        client.ask("GET k", &format!("$448\r\n{value}\r\n")).await;
    });
}
