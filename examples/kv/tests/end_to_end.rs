//! The program itself: options, signals, sockets, and Redis's own clients.
//!
//! Tests with `redis-cli` and `redis-benchmark` (Debian package redis-tools) say so when they could not run.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{encode, text};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kv");

/// The limit for whatever should happen soon; only a failure waits so long.
const SOON: Duration = Duration::from_secs(20);

/// A running server on a port of its own.
struct Kv {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    address: SocketAddr,
}

impl Kv {
    fn start(options: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["--port", "0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it prints its address");
        let address = line.trim().strip_prefix("kv: listening on ").and_then(|address| address.parse().ok());
        Self { child, stdout, address: address.unwrap_or_else(|| panic!("no address in {line:?}")) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(SOON)).expect("sockets have timeouts");
        stream.set_write_timeout(Some(SOON)).expect("sockets have timeouts");
        stream
    }

    fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// The exit code, once it has ended.
    fn wait(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status.code();
            }
            assert!(begin.elapsed() < SOON, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Resident bytes, where the system tells.
    fn resident(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<usize>().ok().map(|kib| kib << 10)
    }
}

impl Drop for Kv {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn ask(stream: &mut TcpStream, request: impl AsRef<[u8]>, reply: &str) {
    stream.write_all(request.as_ref()).expect("it reads");
    expect(stream, reply);
}

#[track_caller]
fn expect(stream: &mut TcpStream, reply: &str) {
    let mut got = vec![0; reply.len()];
    stream.read_exact(&mut got).expect("it replies");
    assert_eq!(text(&got), reply);
}

fn run(options: &[&str]) -> Output {
    Command::new(PROGRAM).args(options).output().expect("the program starts")
}

/// Whether a tool is installed; says what is left out if not.
fn have(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        // Past the test harness, which would keep it for itself.
        let _ = writeln!(std::io::stderr(), "NOT RUN: {tool} is not installed (Debian package redis-tools)");
    }
    found
}

#[test]
fn options_are_explained_and_checked() {
    for option in ["--help", "-h"] {
        let help = run(&[option]);
        assert_eq!(help.status.code(), Some(0));
        assert!(text(&help.stdout).contains("--port N"), "{}", text(&help.stdout));
    }
    let version = run(&["--version"]);
    assert_eq!(text(&version.stdout), format!("corio-kv {}\n", env!("CARGO_PKG_VERSION")));
    for (options, complaint) in [
        (&["--what"][..], "unknown option '--what'"),
        (&["--port"], "--port needs a value"),
        (&["--port", "70000"], "bad value '70000' for --port"),
        (&["--port=x"], "bad value 'x' for --port"),
        (&["--bind", "nowhere"], "bad value 'nowhere' for --bind"),
        (&["--maxmemory", "1tb"], "bad value"),
        (&["6379"], "unknown option '6379'"),
    ] {
        let output = run(options);
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(text(&output.stderr).contains(complaint), "{options:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_port_in_use_is_an_error_that_says_so() {
    let first = Kv::start(&[]);
    let second = run(&["--port", &first.port()]);
    assert_eq!(second.status.code(), Some(1));
    let complaint = text(&second.stderr);
    assert!(complaint.contains(&format!("cannot listen on 127.0.0.1:{}", first.port())), "{complaint}");
    assert!(complaint.contains("--port"), "{complaint}");
    // An address of nobody, reserved for documentation.
    let elsewhere = run(&["--bind", "192.0.2.1", "--port", "0"]);
    assert_eq!(elsewhere.status.code(), Some(1));
    assert!(text(&elsewhere.stderr).contains("cannot listen on 192.0.2.1:0"));
}

#[test]
fn clients_share_the_data() {
    let kv = Kv::start(&[]);
    let mut clients: Vec<_> = (0..200).map(|_| kv.connect()).collect();
    for (number, client) in (1..).zip(&mut clients) {
        ask(client, encode(&[b"INCR", b"n"]), &format!(":{number}\r\n"));
    }
    let requests = "SET k v\r\nGET k\r\n".repeat(1000);
    let sender = std::thread::spawn({
        let mut stream = clients[0].try_clone().expect("sockets can be shared");
        move || stream.write_all(requests.as_bytes()).expect("it reads")
    });
    expect(&mut clients[0], &"+OK\r\n$1\r\nv\r\n".repeat(1000));
    sender.join().expect("all is sent");
    // Blocked in one connection, served by another; and a message.
    clients[1].write_all(b"BLPOP queue 0\r\n").expect("it reads");
    ask(&mut clients[2], "SUBSCRIBE c\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    while !info(&mut clients[3]).contains("blocked_clients:1\r\n") {}
    ask(&mut clients[3], "RPUSH queue x\r\nPUBLISH c hello\r\n", ":1\r\n:1\r\n");
    expect(&mut clients[1], "*2\r\n$5\r\nqueue\r\n$1\r\nx\r\n");
    expect(&mut clients[2], "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n");
}

/// Waits until the server has noticed that all but so many clients are gone.
fn until_clients(stream: &mut TcpStream, count: usize) {
    let begin = Instant::now();
    while !info(stream).contains(&format!("connected_clients:{count}\r\n")) {
        assert!(begin.elapsed() < SOON, "{}", info(stream));
    }
}

fn info(stream: &mut TcpStream) -> String {
    stream.write_all(b"INFO clients\r\n").expect("it reads");
    let mut header = Vec::new();
    while !header.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("it replies");
        header.push(byte[0]);
    }
    let len: usize = text(&header[1..header.len() - 2]).parse().expect("a bulk string");
    let mut body = vec![0; len + 2];
    stream.read_exact(&mut body).expect("it replies");
    text(&body)
}

#[test]
fn bad_clients_do_not_hurt_good_ones() {
    let kv = Kv::start(&["--maxclients", "20"]);
    let mut good = kv.connect();
    ask(&mut good, "SET k v\r\n", "+OK\r\n");
    let mut broken = kv.connect();
    broken.write_all(b"*1\r\n$99999999999\r\n").expect("it reads");
    let mut reply = String::new();
    broken.read_to_string(&mut reply).expect("it closes");
    assert_eq!(reply, "-ERR Protocol error: invalid bulk length\r\n");
    // Half a request, and gone.
    for _ in 0..50 {
        let mut half = kv.connect();
        let _ = half.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nxxx");
    }
    until_clients(&mut good, 1);
    // A promise, kept as far as one mebibyte.
    let mut promise = kv.connect();
    promise.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n").expect("it reads");
    promise.write_all(&vec![b'x'; 1 << 20]).expect("it reads");
    ask(&mut good, "GET k\r\n", "$1\r\nv\r\n");
    if let Some(resident) = kv.resident() {
        assert!(resident < 64 << 20, "{resident} bytes");
    }
    until_clients(&mut good, 2);
    // One more than there is room for is told so.
    let mut clients: Vec<_> = (0..18).map(|_| kv.connect()).collect();
    for client in &mut clients {
        ask(client, "PING\r\n", "+PONG\r\n");
    }
    let mut reply = String::new();
    kv.connect().read_to_string(&mut reply).expect("it closes");
    assert_eq!(reply, "-ERR max number of clients reached\r\n");
}

#[test]
fn a_client_that_never_reads_has_bounded_replies_and_gets_them_all() {
    let kv = Kv::start(&[]);
    let mut slow = kv.connect();
    let value = "x".repeat(100_000);
    ask(
        &mut slow,
        format!("SET k {value}\r\n").replace("SET k ", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n"),
        "+OK\r\n",
    );
    let mut asking = slow.try_clone().expect("sockets can be shared");
    let asked = std::thread::spawn(move || asking.write_all("GET k\r\n".repeat(2000).as_bytes()));
    // 200 MB of replies are under way; other clients are served, and they are not all in memory.
    let mut good = kv.connect();
    for number in 1..=200 {
        ask(&mut good, "INCR n\r\n", &format!(":{number}\r\n"));
    }
    if let Some(resident) = kv.resident() {
        assert!(resident < 64 << 20, "{resident} bytes");
    }
    let mut left = 2000 * (value.len() + "$100000\r\n\r\n".len());
    let mut bytes = vec![0; 1 << 16];
    while left > 0 {
        let count = slow.read(&mut bytes).expect("it replies");
        assert!(count > 0, "it closed with {left} bytes to go");
        left -= count;
    }
    asked.join().expect("no panic").expect("all is sent");
}

#[cfg(unix)]
#[test]
fn signals_end_it_cleanly() {
    for signal in ["-INT", "-TERM"] {
        let mut kv = Kv::start(&[]);
        let mut idle = kv.connect();
        let mut blocked = kv.connect();
        ask(&mut idle, "PING\r\n", "+PONG\r\n");
        blocked.write_all(b"BLPOP k 0\r\n").expect("it reads");
        // Its replies are more than the socket holds, so they are in flight when the signal comes.
        let mut slow = kv.connect();
        let size = 8_000_000;
        slow.write_all(&encode(&[b"SET", b"k", &vec![b'x'; size]])).expect("it reads");
        expect(&mut slow, "+OK\r\n");
        slow.write_all(b"GET k\r\n").expect("it reads");
        let mut first = [0; 1];
        slow.read_exact(&mut first).expect("it replies");
        let sent =
            Command::new("kill").args([signal, &kv.child.id().to_string()]).status().expect("kill is everywhere");
        assert!(sent.success());
        let mut line = String::new();
        kv.stdout.read_line(&mut line).expect("it says so");
        assert_eq!(line, "kv: closing\n");
        assert_eq!(idle.read(&mut first).ok(), Some(0));
        assert_eq!(blocked.read(&mut first).ok(), Some(0));
        let mut rest = Vec::new();
        slow.read_to_end(&mut rest).expect("it closes");
        assert_eq!(rest.len(), format!("${size}\r\n\r\n").len() + size - 1);
        assert_eq!(kv.wait(), Some(0), "{signal}");
        assert!(TcpStream::connect(kv.address).is_err());
    }
}

#[test]
fn redis_cli_works_unmodified() {
    if !have("redis-cli") {
        return;
    }
    let kv = Kv::start(&[]);
    let cli = |words: &[&str]| {
        let output = Command::new("redis-cli").args(["-p", &kv.port()]).args(words).output().expect("it is installed");
        text(&output.stdout).trim_end().to_owned()
    };
    assert_eq!(cli(&["ping"]), "PONG");
    assert_eq!(cli(&["set", "key", "a value"]), "OK");
    assert_eq!(cli(&["get", "key"]), "a value");
    assert_eq!(cli(&["expire", "key", "100"]), "1");
    assert_eq!(cli(&["ttl", "key"]), "100");
    assert_eq!(cli(&["rpush", "list", "a", "b", "c"]), "3");
    assert_eq!(cli(&["lrange", "list", "0", "-1"]), "a\nb\nc");
    assert_eq!(cli(&["blpop", "list", "0"]), "list\na");
    assert_eq!(cli(&["blpop", "nothing", "0.01"]), "");
    assert_eq!(cli(&["publish", "c", "x"]), "0");
    assert_eq!(cli(&["nonsense"]), "ERR unknown command 'nonsense', with args beginning with:");
    assert!(cli(&["info", "server"]).contains("redis_version:7"));
    assert!(cli(&["command", "docs", "get"]).contains("Returns the string value of a key"));
    assert!(cli(&["-r", "3", "incr", "n"]).ends_with('3'));
    let mut piped = Command::new("redis-cli")
        .args(["-p", &kv.port(), "--pipe"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it is installed");
    let mut input = piped.stdin.take().expect("it is piped");
    for number in 0..1000 {
        let (key, value) = (format!("key:{number}"), format!("{number}"));
        input.write_all(&encode(&[b"SET", key.as_bytes(), value.as_bytes()])).expect("it reads");
    }
    drop(input);
    let output = piped.wait_with_output().expect("it ends");
    assert!(text(&output.stdout).contains("errors: 0, replies: 1000"), "{}", text(&output.stdout));
    assert_eq!(cli(&["dbsize"]), "1003");
}

#[test]
fn redis_benchmark_works_unmodified() {
    if !have("redis-benchmark") {
        return;
    }
    let kv = Kv::start(&[]);
    let commands = "ping,set,get,incr,lpush,rpush,lpop,rpop";
    // Long lists in smaller numbers: this may be a debug build.
    for (requests, pipeline, tests, reports) in
        [("10000", "16", commands, 9), ("2000", "1", commands, 9), ("1000", "16", "lrange", 5)]
    {
        let output = Command::new("redis-benchmark")
            .args(["-p", &kv.port(), "-q", "-c", "50", "-n", requests, "-P", pipeline, "-t", tests])
            .output()
            .expect("it is installed");
        let report = text(&output.stdout);
        assert!(output.status.success(), "{report}{}", text(&output.stderr));
        assert_eq!(report.matches("requests per second").count(), reports, "{report}");
        assert!(!report.contains("rror"), "{report}");
    }
    ask(&mut kv.connect(), "EXISTS counter:__rand_int__\r\n", ":1\r\n");
}
