//! What commands answer: one script, run on the server of a host and on that of a microcontroller.

mod common;

use std::rc::Rc;

use common::{Client, start, text};
use corio::{Duration, sleep};
use corio_kv::{Bounded, Limits, Memory, Server};

type Small = Bounded<4, 4096, 1024, 2048, 8, 32>;

/// Lines and their replies, each pair on a fresh line of one connection, on both kinds of storage.
fn script(lines: &[(&str, &str)]) {
    async fn talk<M: Memory + 'static>(server: Server<M>, lines: &[(&str, &str)]) {
        let running = start(server);
        let mut client = Client::connect(&running.server);
        for (line, reply) in lines {
            client.ask(line, reply).await;
        }
        // Nothing was left over.
        client.ask("PING end", "$3\r\nend\r\n").await;
    }
    corio_sim::run(talk(common::Hosted::hosted(Limits::REDIS), lines));
    corio_sim::run(talk(Server::<Small>::bounded(), lines));
}

const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const NOT_INT: &str = "-ERR value is not an integer or out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";

fn arity(name: &str) -> String {
    format!("-ERR wrong number of arguments for '{name}' command\r\n")
}

#[test]
fn connection_commands() {
    script(&[
        ("PING", "+PONG\r\n"),
        ("ping hello", "$5\r\nhello\r\n"),
        ("PING a b", &arity("ping")),
        ("ECHO x", "$1\r\nx\r\n"),
        ("ECHO", &arity("echo")),
        ("FOO", "-ERR unknown command 'FOO', with args beginning with: \r\n"),
        ("foo a b", "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n"),
        ("\"f\\r\\no\" \"a\\nb\"", "-ERR unknown command 'f  o', with args beginning with: 'a b' \r\n"),
        ("GET", &arity("get")),
        ("GET a b", &arity("get")),
    ]);
}

#[test]
fn strings() {
    script(&[
        ("GET k", "$-1\r\n"),
        ("SET k v", "+OK\r\n"),
        ("GET k", "$1\r\nv\r\n"),
        ("SET k \"a\\x00\\r\\n\"", "+OK\r\n"),
        ("GET k", "$4\r\na\0\r\n\r\n"),
        ("SET k v NX", "$-1\r\n"),
        ("SET n v NX", "+OK\r\n"),
        ("SET k w XX", "+OK\r\n"),
        ("SET m w XX", "$-1\r\n"),
        ("SET k v NX XX", SYNTAX),
        ("SET k v EX", SYNTAX),
        ("SET k v EX 1 PX 1", SYNTAX),
        ("SET k v WHAT", SYNTAX),
        ("SET k v EX x", NOT_INT),
        ("SET k v EX 0", "-ERR invalid expire time in 'set' command\r\n"),
        ("SET k v PX -1", "-ERR invalid expire time in 'set' command\r\n"),
        ("SET k v EX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n"),
        ("SET k", &arity("set")),
        ("GET k", "$1\r\nw\r\n"),
        ("EXISTS k n k nope", ":3\r\n"),
        ("DEL k nope n", ":2\r\n"),
        ("DBSIZE", ":0\r\n"),
    ]);
}

#[test]
fn counters() {
    script(&[
        ("INCR c", ":1\r\n"),
        ("INCR c", ":2\r\n"),
        ("GET c", "$1\r\n2\r\n"),
        ("SET c 9223372036854775806", "+OK\r\n"),
        ("INCR c", ":9223372036854775807\r\n"),
        ("INCR c", "-ERR increment or decrement would overflow\r\n"),
        ("SET c -1", "+OK\r\n"),
        ("INCR c", ":0\r\n"),
        ("SET c 01", "+OK\r\n"),
        ("INCR c", NOT_INT),
        ("SET c \" 1\"", "+OK\r\n"),
        ("INCR c", NOT_INT),
        ("RPUSH l a", ":1\r\n"),
        ("INCR l", WRONG),
    ]);
}

#[test]
fn lists() {
    script(&[
        ("RPUSH l a b c", ":3\r\n"),
        ("LPUSH l x y", ":5\r\n"),
        ("LRANGE l 0 -1", "*5\r\n$1\r\ny\r\n$1\r\nx\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"),
        ("LRANGE l 1 2", "*2\r\n$1\r\nx\r\n$1\r\na\r\n"),
        ("LRANGE l -2 -1", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"),
        ("LRANGE l -100 0", "*1\r\n$1\r\ny\r\n"),
        ("LRANGE l 4 100", "*1\r\n$1\r\nc\r\n"),
        ("LRANGE l 5 100", "*0\r\n"),
        ("LRANGE l 3 1", "*0\r\n"),
        ("LRANGE l 0 -9223372036854775808", "*0\r\n"),
        ("LRANGE nope 0 -1", "*0\r\n"),
        ("LRANGE l a 1", NOT_INT),
        ("LLEN l", ":5\r\n"),
        ("LLEN nope", ":0\r\n"),
        ("LPOP l", "$1\r\ny\r\n"),
        ("RPOP l", "$1\r\nc\r\n"),
        ("RPOP l 2", "*2\r\n$1\r\nb\r\n$1\r\na\r\n"),
        ("LPOP l 0", "*0\r\n"),
        ("LPOP l -1", "-ERR value is out of range, must be positive\r\n"),
        ("LPOP l x", "-ERR value is out of range, must be positive\r\n"),
        ("LPOP l 1 2", &arity("lpop")),
        ("LPOP l 10", "*1\r\n$1\r\nx\r\n"),
        ("EXISTS l", ":0\r\n"),
        ("LPOP l", "$-1\r\n"),
        ("LPOP l 3", "*-1\r\n"),
        ("RPOP l 0", "*-1\r\n"),
        ("SET s v", "+OK\r\n"),
        ("LPUSH s a", WRONG),
        ("RPOP s", WRONG),
        ("LPOP s 0", WRONG),
        ("LLEN s", WRONG),
        ("LRANGE s 0 1", WRONG),
        ("BLPOP s 0", WRONG),
        ("RPUSH l a", ":1\r\n"),
        ("GET l", WRONG),
        ("SET l v", "+OK\r\n"),
        ("GET l", "$1\r\nv\r\n"),
    ]);
}

#[test]
fn deadlines() {
    script(&[
        ("TTL k", ":-2\r\n"),
        ("PTTL k", ":-2\r\n"),
        ("EXPIRE k 10", ":0\r\n"),
        ("PERSIST k", ":0\r\n"),
        ("SET k v", "+OK\r\n"),
        ("TTL k", ":-1\r\n"),
        ("PERSIST k", ":0\r\n"),
        ("EXPIRE k 10", ":1\r\n"),
        ("TTL k", ":10\r\n"),
        ("PTTL k", ":10000\r\n"),
        ("PEXPIRE k 1499", ":1\r\n"),
        ("TTL k", ":1\r\n"),
        ("PEXPIRE k 1500", ":1\r\n"),
        ("TTL k", ":2\r\n"),
        ("INCR k", NOT_INT),
        ("PERSIST k", ":1\r\n"),
        ("TTL k", ":-1\r\n"),
        ("EXPIRE k 5 XX", ":0\r\n"),
        ("EXPIRE k 5 GT", ":0\r\n"),
        ("EXPIRE k 5 LT", ":1\r\n"),
        ("EXPIRE k 5 NX", ":0\r\n"),
        ("EXPIRE k 6 LT", ":0\r\n"),
        ("EXPIRE k 6 gt xx", ":1\r\n"),
        ("EXPIRE k 6 NX GT", "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n"),
        ("EXPIRE k 6 LT GT", "-ERR GT and LT options at the same time are not compatible\r\n"),
        ("EXPIRE k 6 FOO", "-ERR Unsupported option FOO\r\n"),
        ("EXPIRE k x", NOT_INT),
        ("EXPIRE k 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n"),
        ("PEXPIRE k 9223372036854775807", "-ERR invalid expire time in 'pexpire' command\r\n"),
        // SET forgets the deadline, INCR keeps it.
        ("SET k 1", "+OK\r\n"),
        ("TTL k", ":-1\r\n"),
        ("SET k 1 EX 100", "+OK\r\n"),
        ("INCR k", ":2\r\n"),
        ("TTL k", ":100\r\n"),
        ("SET k 1 px 2500", "+OK\r\n"),
        ("PTTL k", ":2500\r\n"),
        ("EXPIRE k 0", ":1\r\n"),
        ("EXISTS k", ":0\r\n"),
        ("SET k v", "+OK\r\n"),
        ("EXPIRE k -1", ":1\r\n"),
        ("DBSIZE", ":0\r\n"),
    ]);
}

#[test]
fn timeouts_of_blpop() {
    script(&[
        ("BLPOP k x", "-ERR timeout is not a float or out of range\r\n"),
        ("BLPOP k -1", "-ERR timeout is negative\r\n"),
        ("BLPOP k 1e30", "-ERR timeout is out of range\r\n"),
        ("BLPOP k", &arity("blpop")),
        ("BLPOP k 0.1", "*-1\r\n"),
        ("RPUSH b 1 2", ":2\r\n"),
        ("BLPOP a b 0", "*2\r\n$1\r\nb\r\n$1\r\n1\r\n"),
        ("LRANGE b 0 -1", "*1\r\n$1\r\n2\r\n"),
    ]);
}

#[test]
fn server_commands() {
    script(&[
        ("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
        ("CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"),
        ("CONFIG GET nope", "*0\r\n"),
        ("CONFIG GET a*nly DATABASES", "*4\r\n$10\r\nappendonly\r\n$2\r\nno\r\n$9\r\ndatabases\r\n$1\r\n1\r\n"),
        ("CONFIG", &arity("config")),
        ("CONFIG GET", &arity("config|get")),
        ("CONFIG foo", "-ERR unknown subcommand 'foo'. Try CONFIG HELP.\r\n"),
        ("COMMAND COUNT", ":28\r\n"),
        ("COMMAND COUNT x", &arity("command|count")),
        ("COMMAND foo", "-ERR unknown subcommand 'foo'. Try COMMAND HELP.\r\n"),
        (
            "COMMAND INFO get nope",
            "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*0\r\n*0\r\n*0\r\n*0\r\n$-1\r\n",
        ),
        ("COMMAND DOCS nope", "*0\r\n"),
        ("SET k v", "+OK\r\n"),
        ("SET l v EX 10", "+OK\r\n"),
        ("INFO keyspace", "$44\r\n# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=0\r\n\r\n"),
        ("DBSIZE", ":2\r\n"),
        ("DBSIZE x", &arity("dbsize")),
        ("FLUSHALL now", SYNTAX),
        ("FLUSHALL ASYNC", "+OK\r\n"),
        ("DBSIZE", ":0\r\n"),
        ("INFO keyspace", "$12\r\n# Keyspace\r\n\r\n"),
    ]);
}

#[test]
fn the_list_of_commands_is_longer_than_a_small_output_and_arrives_whole() {
    async fn replies<M: Memory + 'static>(server: Rc<Server<M>>, line: &str) -> String {
        let mut client = Client::connect_through(&server, 64);
        client.line(line).await;
        client.line("QUIT").await;
        text(&client.rest().await)
    }
    for line in ["COMMAND", "COMMAND DOCS", "COMMAND LIST", "COMMAND DOCS get nope set", "INFO", "INFO memory nope"] {
        let small = corio_sim::run(async { replies(Rc::new(Server::<Small>::bounded()), line).await });
        let large = corio_sim::run(async { replies(Rc::new(common::Hosted::hosted(Limits::REDIS)), line).await });
        assert!(small.ends_with("+OK\r\n"), "{line}: {small}");
        if !line.starts_with("INFO") {
            assert_eq!(small, large, "{line}");
        }
    }
}

#[test]
fn quit_answers_and_closes() {
    corio_sim::run(async {
        let running = common::hosted(Limits::REDIS);
        let mut client = Client::connect(&running.server);
        client.send("SET k v\r\nQUIT\r\nSET k w\r\n").await;
        assert_eq!(text(&client.rest().await), "+OK\r\n+OK\r\n");
        assert_eq!(client.session.await, Ok(Ok(corio_kv::Ended::Quit)));
        let mut other = Client::connect(&running.server);
        other.ask("GET k", "$1\r\nv\r\n").await;
    });
}

#[test]
fn keys_are_gone_at_their_deadline_and_not_before() {
    async fn check<M: Memory + 'static>(server: Server<M>) {
        let running = start(server);
        let mut client = Client::connect(&running.server);
        client.ask("SET hour v EX 3600", "+OK\r\n").await;
        client.ask("SET minute v PX 60000", "+OK\r\n").await;
        client.ask("RPUSH list v", ":1\r\n").await;
        client.ask("PEXPIRE list 1800001", ":1\r\n").await;
        sleep(Duration::from_millis(59_999)).await;
        client.ask("GET minute", "$1\r\nv\r\n").await;
        client.ask("PTTL minute", ":1\r\n").await;
        sleep(Duration::from_millis(1)).await;
        client.ask("GET minute", "$-1\r\n").await;
        client.ask("DBSIZE", ":2\r\n").await;
        sleep(Duration::from_millis(1_740_000)).await;
        client.ask("LLEN list", ":1\r\n").await;
        sleep(Duration::from_millis(1)).await;
        client.ask("LLEN list", ":0\r\n").await;
        sleep(Duration::from_millis(1_799_998)).await;
        client.ask("TTL hour", ":0\r\n").await;
        client.ask("PTTL hour", ":1\r\n").await;
        sleep(Duration::from_millis(1)).await;
        client.ask("EXISTS hour", ":0\r\n").await;
        client.ask("DBSIZE", ":0\r\n").await;
        assert_eq!(corio::now().as_secs(), 3600);
    }
    corio_sim::run(check(common::Hosted::hosted(Limits::REDIS)));
    corio_sim::run(check(Server::<Small>::bounded()));
}
