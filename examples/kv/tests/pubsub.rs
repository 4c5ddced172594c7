//! Subscriptions: every message to every subscriber, in order; and what becomes of those that do not read.

mod common;

use common::{Client, hosted, start};
use corio::yield_now;
use corio_kv::{Bounded, Ended, Limits, Memory, Server};

async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

fn subscribed(kind: &str, channel: &str, count: usize) -> String {
    format!("*3\r\n${}\r\n{kind}\r\n${}\r\n{channel}\r\n:{count}\r\n", kind.len(), channel.len())
}

fn message(channel: &str, text: &str) -> String {
    format!("*3\r\n$7\r\nmessage\r\n${}\r\n{channel}\r\n${}\r\n{text}\r\n", channel.len(), text.len())
}

#[test]
fn messages_reach_all_subscribers_in_order() {
    async fn check<M: Memory + 'static>(server: Server<M>) {
        let running = start(server);
        let mut subscribers: Vec<_> = (0..3).map(|_| Client::connect(&running.server)).collect();
        for subscriber in &mut subscribers {
            let both = subscribed("subscribe", "news", 1) + &subscribed("subscribe", "chat", 2);
            subscriber.ask("SUBSCRIBE news chat", &both).await;
        }
        let mut publisher = Client::connect(&running.server);
        publisher.ask("PUBLISH nowhere x", ":0\r\n").await;
        publisher.send("PUBLISH news 1\r\nPUBLISH chat 2\r\nPUBLISH news 3\r\n").await;
        publisher.expect(":3\r\n:3\r\n:3\r\n").await;
        for subscriber in &mut subscribers {
            subscriber.expect(message("news", "1") + &message("chat", "2") + &message("news", "3")).await;
        }
        let last = subscribers.remove(2);
        assert_eq!(last.hang_up().await, Ok(Ended::HungUp));
        subscribers[1].ask("UNSUBSCRIBE news", &subscribed("unsubscribe", "news", 1)).await;
        publisher.ask("PUBLISH news 4", ":1\r\n").await;
        subscribers[0].expect(message("news", "4")).await;
        subscribers[1].ask("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n").await;
    }
    corio_sim::run(check(common::Hosted::hosted(Limits::REDIS)));
    corio_sim::run(check(Server::<Bounded<4, 1024>>::bounded()));
}

#[test]
fn a_subscriber_may_only_do_so_much() {
    corio_sim::run(async {
        let running = hosted(Limits::REDIS);
        let mut client = Client::connect(&running.server);
        client.ask("UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n").await;
        client.ask("UNSUBSCRIBE a", &subscribed("unsubscribe", "a", 0)).await;
        client.ask("SUBSCRIBE a a", &(subscribed("subscribe", "a", 1) + &subscribed("subscribe", "a", 1))).await;
        client
            .ask(
                "GET k",
                "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed \
                 in this context\r\n",
            )
            .await;
        client.ask("PING x", "*2\r\n$4\r\npong\r\n$1\r\nx\r\n").await;
        client.ask("UNSUBSCRIBE", &subscribed("unsubscribe", "a", 0)).await;
        client.ask("GET k", "$-1\r\n").await;
        client.ask("SUBSCRIBE a", &subscribed("subscribe", "a", 1)).await;
        client.ask("QUIT", "+OK\r\n").await;
        assert_eq!(client.session.await, Ok(Ok(Ended::Quit)));
    });
}

#[test]
fn a_subscriber_that_does_not_read_is_cut_off_and_nobody_else_notices() {
    corio_sim::run(async {
        let limits = Limits { max_backlog: 10_000, ..Limits::REDIS };
        let running = hosted(limits);
        let mut slow = Client::connect_through(&running.server, 100);
        let mut quick = Client::connect(&running.server);
        let mut publisher = Client::connect(&running.server);
        for client in [&mut slow, &mut quick] {
            client.ask("SUBSCRIBE c", &subscribed("subscribe", "c", 1)).await;
        }
        let text = "x".repeat(500);
        let (mut told, mut most) = (Vec::new(), 0);
        for _ in 0..100 {
            publisher.line(&format!("PUBLISH c {text}")).await;
            told.push(publisher.receive_until(b'\n').await);
            quick.expect(message("c", &text)).await;
            most = most.max(running.server.used_buffers());
        }
        // For about as long as its backlog lasts, then no more.
        assert!(told[..18].iter().all(|told| told == ":2\r\n"), "{told:?}");
        assert!(told[21..].iter().all(|told| told == ":1\r\n"), "{told:?}");
        assert!(most < 60_000, "{most}");
        assert_eq!(slow.session.await, Ok(Ok(Ended::CutOff)));
        assert_eq!(running.server.clients(), 2);
    });
}

#[test]
fn subscriptions_are_bounded() {
    corio_sim::run(async {
        let running = hosted(Limits { max_buffers: 100_000, ..Limits::REDIS });
        let mut client = Client::connect(&running.server);
        let mut refused = false;
        for channel in 0..1000 {
            client.line(&format!("SUBSCRIBE channel-{channel}")).await;
            let first = client.receive_until(b'\n').await;
            if first.starts_with('-') {
                assert_eq!(first, "-ERR too many subscriptions or blocked keys\r\n");
                refused = true;
                break;
            }
            client.expect(&subscribed("subscribe", &format!("channel-{channel}"), channel + 1)["*3\r\n".len()..]).await;
        }
        assert!(refused);
        assert!(running.server.used_buffers() <= 100_000);
        assert_eq!(client.hang_up().await, Ok(Ended::HungUp));
        settle().await;
        assert_eq!(running.server.used_buffers(), 0);
    });
    corio_sim::run(async {
        let running = start(Server::<Bounded<1, 1024, 512, 1024, 2>>::bounded());
        let mut client = Client::connect(&running.server);
        client.ask("SUBSCRIBE a b", &(subscribed("subscribe", "a", 1) + &subscribed("subscribe", "b", 2))).await;
        client.ask("SUBSCRIBE c", "-ERR too many subscriptions or blocked keys\r\n").await;
        client.ask("UNSUBSCRIBE a", &subscribed("unsubscribe", "a", 1)).await;
        client.ask("SUBSCRIBE c", &subscribed("subscribe", "c", 2)).await;
    });
}
