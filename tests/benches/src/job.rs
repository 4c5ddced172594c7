//! What a bench program was asked for, and the clocks around it.

use std::time::Instant;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_gettime};

use crate::Echo;

/// The arguments `TEST N`.
pub struct Job {
    pub test: String,
    pub n: u64,
}

impl Job {
    /// Reads the program's arguments; without them it says what they are, and ends.
    pub fn from_args() -> Self {
        let mut args = std::env::args().skip(1);
        match (args.next(), args.next().and_then(|n| n.parse().ok())) {
            (Some(test), Some(n)) => Self { test, n },
            _ => {
                eprintln!("usage: bench-RUNTIME TEST N");
                std::process::exit(2);
            }
        }
    }

    /// How many operations the test does for its N.
    pub fn operations(&self) -> u64 {
        match self.test.as_str() {
            "spawn-1000" => self.n * 1000,
            "switch-2" | "hand-over" | "yield-2" => self.n * 2,
            "yield-10000" => self.n * 10_000,
            _ => self.n,
        }
    }

    /// The echo server asked for, if the test is one.
    pub fn echo(&self) -> Option<Echo> {
        let (connections, bytes) = self.test.strip_prefix("echo-")?.split_once('-')?;
        raise_open_files();
        Some(Echo { connections: connections.parse().ok()?, bytes: bytes.parse().ok()? })
    }

    /// The test is not one of this program's.
    pub fn unknown(&self) -> ! {
        eprintln!("unknown test {}", self.test);
        std::process::exit(2);
    }

    /// Reads the clocks.
    pub fn start(&self) -> Clocks {
        Clocks { operations: self.operations(), wall: Instant::now(), cpu: cpu_ns() }
    }

    /// Runs the test between two readings of the clocks and prints what it took.
    pub fn measure(&self, test: impl FnOnce()) {
        let clocks = self.start();
        test();
        clocks.report();
    }
}

/// A reading of the clocks, and what is counted from it.
pub struct Clocks {
    operations: u64,
    wall: Instant,
    cpu: u64,
}

impl Clocks {
    /// Reads the clocks again and prints the difference.
    pub fn report(&self) {
        let (wall, cpu) = (self.wall.elapsed().as_nanos(), cpu_ns() - self.cpu);
        println!("ops={} wall_ns={wall} cpu_ns={cpu}", self.operations);
    }
}

/// CPU time of this process so far, all its threads, in user and system mode.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the kernel has this clock");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// A thousand connections need more descriptors than the usual soft limit.
fn raise_open_files() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
