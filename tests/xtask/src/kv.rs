//! The key-value server, seen through Redis's own programs.

use std::{io::Write, net::TcpStream, time::Duration};

use crate::{
    child::{Background, Outcome, ask, failed, have, missing, run},
    place::command,
};

/// More than any exchange here takes.
const LIMIT: Duration = Duration::from_secs(180);

/// What is typed, and what redis-cli answers, line by line.
const DIALOGUE: &[(&str, &str)] = &[
    ("PING", "PONG"),
    ("ECHO \"two words\"", "\"two words\""),
    ("FLUSHALL", "OK"),
    ("SET k v", "OK"),
    ("GET k", "\"v\""),
    ("SET k w NX", "(nil)"),
    ("SET k w XX EX 100", "OK"),
    ("TTL k", "(integer) 100"),
    ("PERSIST k", "(integer) 1"),
    ("TTL k", "(integer) -1"),
    ("PTTL nothing", "(integer) -2"),
    ("EXISTS k nothing k", "(integer) 2"),
    ("INCR n", "(integer) 1"),
    ("INCR n", "(integer) 2"),
    ("INCR k", "(error) ERR value is not an integer or out of range"),
    ("RPUSH l a b c", "(integer) 3"),
    ("LPUSH l z", "(integer) 4"),
    ("LRANGE l 0 -1", "1) \"z\"\n2) \"a\"\n3) \"b\"\n4) \"c\""),
    ("LPOP l", "\"z\""),
    ("RPOP l", "\"c\""),
    ("LLEN l", "(integer) 2"),
    ("BLPOP l 5", "1) \"l\"\n2) \"a\""),
    ("GET l", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("DBSIZE", "(integer) 3"),
    ("DEL k n l nothing", "(integer) 3"),
    ("BLPOP l 0.05", "(nil)"),
    ("SET gone v PX 20", "OK"),
    ("BLPOP l 0.1", "(nil)"),
    ("GET gone", "(nil)"),
    ("PUBLISH nobody hello", "(integer) 0"),
    ("GET", "(error) ERR wrong number of arguments for 'get' command"),
];

/// A redis-cli that talks to this port of our own machine.
fn redis_cli(port: u16) -> std::process::Command {
    let mut cli = command("redis-cli");
    cli.args(["-h", "127.0.0.1", "-p"]).arg(port.to_string());
    cli
}

/// Makes sure that Redis's programs are here, by installing them where that is possible without a question.
pub(crate) fn provide_redis_tools() -> Outcome {
    let there = || have("redis-cli") && have("redis-benchmark");
    if there() {
        return Ok(());
    }
    if have("apt-get") {
        let install = "apt-get install -y -qq --no-remove --no-install-recommends redis-tools";
        let root = "if [ \"$(id -u)\" = 0 ]; then run=; else run='sudo -n'; fi";
        let script = format!("{root}; $run {install} || {{ $run apt-get update -qq; $run {install}; }}");
        let mut install = command("sh");
        // Whether it worked is seen below.
        let _ = run(install.env("DEBIAN_FRONTEND", "noninteractive").args(["-c", &script]), Duration::from_secs(600));
    }
    if there() {
        return Ok(());
    }
    missing(
        "redis-cli and redis-benchmark: install redis-tools (Debian, Ubuntu), redis (Fedora, Homebrew), or Valkey's",
    )
}

/// Says all of [`DIALOGUE`] on one connection, and as many again on connections of their own; how many answers were right.
pub(crate) fn talk(port: u16) -> Outcome<usize> {
    let typed: String = DIALOGUE.iter().map(|(typed, _)| format!("{typed}\n")).collect();
    let answers = ask(redis_cli(port).arg("--no-raw"), &typed, LIMIT)?;
    compare("the dialogue", &answers, &DIALOGUE.iter().map(|(_, answer)| format!("{answer}\n")).collect::<String>())?;
    // A redis-cli for each: a client may come and go.
    for (typed, answer) in [("SET again 1", "OK"), ("INCR again", "(integer) 2"), ("DEL again", "(integer) 1")] {
        let answers = ask(redis_cli(port).arg("--no-raw").args(typed.split(' ')), "", LIMIT)?;
        compare(typed, answers.trim_end(), answer)?;
    }
    Ok(DIALOGUE.len() + 3)
}

/// Sends `count` commands without waiting for their answers.
pub(crate) fn pipeline(port: u16, count: usize) -> Outcome {
    let commands: String = (0..count).map(|n| format!("SET pipelined {n}\r\n")).collect();
    let said = ask(redis_cli(port).arg("--pipe"), &commands, LIMIT)?;
    if !said.contains(&format!("errors: 0, replies: {count}")) {
        return failed(format!("redis-cli --pipe: {said}"));
    }
    let last = ask(redis_cli(port).args(["GET", "pipelined"]), "", LIMIT)?;
    compare("the last of the pipeline", last.trim_end(), &(count - 1).to_string())?;
    ask(redis_cli(port).args(["DEL", "pipelined"]), "", LIMIT).map(drop)
}

/// A client that leaves while it waits, and one that leaves half a command: neither concerns the next.
pub(crate) fn leave(port: u16) -> Outcome {
    let mut subscriber = Background::start(redis_cli(port).args(["SUBSCRIBE", "news"]))?;
    subscriber.wait_for(LIMIT, |text| text.contains("subscribe\nnews\n1\n").then_some(()))?;
    drop(subscriber);
    let mut half = TcpStream::connect(("127.0.0.1", port))?;
    half.write_all(b"*2\r\n$4\r\nECHO\r\n$100\r\nhalf of it")?;
    drop(half);
    let reply = ask(redis_cli(port).args(["ECHO", "still there"]), "", LIMIT)?;
    compare("after others left", reply.trim_end(), "still there")
}

/// A subscriber and a publisher, and a pop that waits for a push: two clients at a time.
pub(crate) fn meet(port: u16) -> Outcome {
    let mut subscriber = Background::start(redis_cli(port).args(["SUBSCRIBE", "news"]))?;
    subscriber.wait_for(LIMIT, |text| text.contains("subscribe\nnews\n1\n").then_some(()))?;
    let heard = ask(redis_cli(port).args(["PUBLISH", "news", "it works"]), "", LIMIT)?;
    compare("PUBLISH", heard.trim_end(), "1")?;
    subscriber.wait_for(LIMIT, |text| text.contains("message\nnews\nit works\n").then_some(()))?;

    let mut waiting = Background::start(redis_cli(port).args(["BLPOP", "jobs", "30"]))?;
    // It waits or is about to: either way the push is its.
    ask(redis_cli(port).args(["RPUSH", "jobs", "first"]), "", LIMIT)?;
    waiting.wait_for(LIMIT, |text| (text == "jobs\nfirst\n").then_some(()))
}

/// Load, and no error in it; how many results redis-benchmark gave.
pub(crate) fn benchmark(port: u16) -> Outcome<usize> {
    const TESTS: &str = "ping,set,get,incr,lpush,rpush,lpop,rpop";
    let mut results = 0;
    for load in ["-n 10000 -c 50", "-n 20000 -c 50 -P 16", "-n 2000 -c 10 -d 16384"] {
        println!("$ redis-benchmark -q -t {TESTS} {load}");
        let mut bench = command("redis-benchmark");
        bench.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "-t", TESTS]).args(load.split(' '));
        let said = ask(&mut bench, "", LIMIT * 2)?;
        // It redraws a line while it measures; the last state of each is a result.
        let lines: Vec<_> = said.split(['\r', '\n']).filter(|line| line.contains("requests per second")).collect();
        println!("{}", lines.join("\n"));
        if lines.len() < TESTS.split(',').count() || said.to_lowercase().contains("error") {
            return failed(format!("redis-benchmark {load}:\n{said}"));
        }
        results += lines.len();
    }
    Ok(results)
}

fn compare(what: &str, got: &str, want: &str) -> Outcome {
    if got == want {
        return Ok(());
    }
    for (n, line) in want.lines().enumerate() {
        let other = got.lines().nth(n).unwrap_or("(nothing)");
        if line != other {
            return failed(format!("{what}: line {}: wanted {line}, got {other}\nall of it:\n{got}", n + 1));
        }
    }
    failed(format!("{what}: wanted {want:?}, got {got:?}"))
}
