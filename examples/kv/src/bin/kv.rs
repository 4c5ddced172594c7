//! The key-value server of a host: TCP connections in, one task each.
//!
//! `cargo run --release --bin kv`, then `redis-cli`. Ctrl-C or SIGTERM stops accepting, lets replies in flight leave,
//! and ends the program with code 0; a second one ends it at once.

use core::fmt::Display;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::Poll;
use std::hash::RandomState;
use std::io::{self, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::rc::Rc;

use corio::{Duration, Event, RunError, spawn, timeout};
use corio_kv::{Heap, Limits, Server, serve};
use corio_mio::TcpListener;

const HELP: &str = "\
A key-value server that speaks the Redis protocol.

Usage: kv [OPTIONS]

Options:
  --port N            TCP port to listen on; 0 lets the system choose [6379]
  --bind ADDR         address to listen on [127.0.0.1]
  --maxclients N      clients at one time [10000]
  --maxmemory BYTES   keys and values, with kb, mb or gb [1gb]
  -h, --help          print this
  -V, --version       print the version
";

/// How long clients that do not read are waited for at the end.
const GRACE: Duration = Duration::from_secs(5);

static STOP: Event = Event::new();

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Asked::Serve(options)) => options,
        Ok(Asked::Print(text)) => {
            print(&text);
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            eprintln!("kv: {complaint}\nTry 'kv --help'.");
            return ExitCode::from(2);
        }
    };
    let done = stop_on_signals().and_then(|()| match corio_mio::run(listen(options)) {
        Ok(done) => done,
        Err(RunError::Park(error)) => Err(failed("the event loop failed", error)),
        Err(RunError::Cancelled) => Ok(()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kv: {error}");
            ExitCode::FAILURE
        }
    }
}

fn stop_on_signals() -> io::Result<()> {
    let stop = || {
        if STOP.is_set() {
            std::process::exit(130);
        }
        STOP.set();
    };
    ctrlc::set_handler(stop).map_err(|error| failed("cannot handle signals", io::Error::other(error)))
}

async fn listen(options: Options) -> io::Result<()> {
    let Options { bind, port, limits } = options;
    let listener = TcpListener::bind((bind, port)).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "; is a server running there already? Choose another port with --port",
            io::ErrorKind::PermissionDenied => "; ports below 1024 may need privileges",
            _ => "",
        };
        io::Error::new(error.kind(), format!("cannot listen on {bind}:{port}: {error}{hint}"))
    })?;
    print(&format!("kv: listening on {}\n", listener.local_addr()?));

    let server = Rc::new(Server::<Heap<RandomState>>::hosted(limits));
    let _expiry = spawn({
        let server = server.clone();
        async move { server.expire().await }
    });
    let mut accepting = spawn(accept(listener, server.clone()));
    let mut stop = pin!(STOP.wait());
    let refused = poll_fn(|cx| match Pin::new(&mut accepting).poll(cx) {
        Poll::Ready(ended) => Poll::Ready(ended.ok()),
        Poll::Pending => stop.as_mut().poll(cx).map(|()| None),
    })
    .await;
    drop(accepting);
    if let Some(error) = refused {
        return Err(failed("cannot accept connections", error));
    }
    print("kv: closing\n");
    server.close();
    // Whoever does not read its replies by then will not read them.
    let _ = timeout(GRACE, server.emptied()).await;
    Ok(())
}

/// Gives every connection a task, until the listener fails.
async fn accept(listener: TcpListener, server: Rc<Server<Heap<RandomState>>>) -> io::Error {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => return error,
        };
        let server = server.clone();
        let session = async move {
            // A reply is written whole, so there is nothing to wait for before it is sent.
            let _ = stream.set_nodelay(true);
            let (reader, writer) = stream.into_split();
            // A broken connection concerns nobody else, and its client cannot be told.
            let _ = serve(reader, writer, &*server).await;
        };
        spawn(session).detach();
    }
}

/// Prints, whether or not anybody reads it.
fn print(text: &str) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn failed(what: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

struct Options {
    bind: IpAddr,
    port: u16,
    limits: Limits,
}

enum Asked {
    Serve(Options),
    Print(String),
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Asked, String> {
        let mut options = Self { bind: IpAddr::from([127, 0, 0, 1]), port: 6379, limits: Limits::REDIS };
        while let Some(arg) = args.next() {
            let (name, inline) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (arg.as_str(), None),
            };
            let mut value = || inline.clone().or_else(|| args.next()).ok_or(format!("{name} needs a value"));
            match name {
                "--port" => options.port = parse(name, &value()?)?,
                "--bind" => options.bind = parse(name, &value()?)?,
                "--maxclients" => options.limits.max_clients = parse(name, &value()?)?,
                "--maxmemory" => options.limits.max_memory = bytes(name, &value()?)?,
                "-h" | "--help" => return Ok(Asked::Print(HELP.to_owned())),
                "-V" | "--version" => {
                    return Ok(Asked::Print(format!("corio-kv {}\n", env!("CARGO_PKG_VERSION"))));
                }
                _ => return Err(format!("unknown option '{arg}'")),
            }
        }
        Ok(Asked::Serve(options))
    }
}

fn parse<T: core::str::FromStr<Err: Display>>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("bad value '{value}' for {name}: {error}"))
}

/// A size as in Redis's configuration: `100`, `64kb`, `1gb`.
fn bytes(name: &str, value: &str) -> Result<usize, String> {
    let lower = value.to_ascii_lowercase();
    let units = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30), ("", 1)];
    let (digits, unit) = units
        .iter()
        .find_map(|(suffix, unit)| lower.strip_suffix(suffix).map(|digits| (digits, *unit)))
        .unwrap_or((&lower, 1));
    let count: usize = parse(name, digits)?;
    count.checked_mul(unit).ok_or(format!("bad value '{value}' for {name}: too large"))
}
