//! What is run, how long, and how often.

/// All runtimes, in the order of the columns.
pub(crate) const RUNTIMES: [&str; 6] = ["corio", "tokio", "tokio-local", "smol", "monoio", "rawmio"];

/// A test inside one process.
pub(crate) struct Test {
    pub(crate) name: &'static str,
    /// N of a run against the clock; a quarter of it with `--quick`. 0: not timed.
    pub(crate) timed: u64,
    /// The two N whose difference is counted. Equal: not counted.
    pub(crate) counted: (u64, u64),
    /// The most instructions an operation of corio should take.
    pub(crate) goal: Option<u64>,
}

const fn test(name: &'static str, timed: u64, counted: (u64, u64), goal: Option<u64>) -> Test {
    Test { name, timed, counted, goal }
}

pub(crate) const TESTS: [Test; 17] = [
    test("spawn-join", 200_000, (2_000, 6_000), Some(450)),
    // 1.3 times the goal of spawn-join.
    test("group-join", 200_000, (2_000, 6_000), Some(585)),
    test("spawn-1000", 200, (2, 6), None),
    test("switch-2", 400_000, (2_000, 6_000), Some(80)),
    test("hand-over", 300_000, (2_000, 6_000), None),
    test("yield-1", 300_000, (2_000, 6_000), None),
    test("yield-2", 200_000, (2_000, 6_000), Some(80)),
    test("yield-10000", 40, (2, 5), Some(80)),
    test("request-reply", 200_000, (2_000, 6_000), Some(600)),
    test("queue-1-1", 800_000, (4_000, 12_000), Some(150)),
    test("queue-4-1", 800_000, (4_000, 12_000), None),
    test("mutex-free", 2_000_000, (2_000, 6_000), None),
    test("mutex-8", 400_000, (1_600, 8_000), None),
    test("far-sleep", 300_000, (2_000, 6_000), Some(200)),
    test("timeout-ready", 2_000_000, (2_000, 6_000), Some(60)),
    // Whether the loop sleeps when a wake comes is the timing's to decide, and decides what it costs: no count of it.
    test("wake-remote", 10_000, (0, 0), None),
    test("wake-parked", 0, (100, 300), None),
];

/// An echo test: a server and the load on it.
pub(crate) struct Echo {
    pub(crate) name: &'static str,
    pub(crate) connections: u64,
    pub(crate) bytes: u64,
    /// Requests of a run against the clock; a quarter of it with `--quick`.
    pub(crate) timed: u64,
    /// The two numbers of requests whose difference of instructions is counted.
    pub(crate) counted: (u64, u64),
    /// The most user-mode instructions a request should take on corio's side.
    pub(crate) goal: Option<u64>,
}

const fn echo(
    name: &'static str,
    connections: u64,
    bytes: u64,
    timed: u64,
    counted: (u64, u64),
    goal: Option<u64>,
) -> Echo {
    Echo { name, connections, bytes, timed, counted, goal }
}

pub(crate) const ECHOES: [Echo; 6] = [
    echo("echo-1-64", 1, 64, 10_000, (500, 1_500), None),
    echo("echo-50-64", 50, 64, 80_000, (1_000, 5_000), Some(450)),
    echo("echo-1000-64", 1000, 64, 60_000, (2_000, 6_000), None),
    echo("echo-1-16384", 1, 16_384, 8_000, (500, 1_500), None),
    echo("echo-50-16384", 50, 16_384, 40_000, (1_000, 5_000), None),
    echo("echo-1000-16384", 1000, 16_384, 40_000, (2_000, 6_000), None),
];

/// The sleeps of the test `sleeps`.
pub(crate) const SLEEPS: u64 = 100_000;

impl Test {
    /// Whether there is such a test on `runtime`. The second tokio differs in how tasks start and switch, no more.
    pub(crate) fn runs_on(&self, runtime: &str) -> bool {
        match self.name {
            // tokio's is a JoinSet.
            "group-join" => matches!(runtime, "corio" | "tokio"),
            "timeout-ready" => matches!(runtime, "corio" | "tokio" | "monoio"),
            _ => runtime != "rawmio",
        }
    }
}

/// Whether `runtime` stands for itself in the tests with a backend at their heart: echo, sleeps, memory.
pub(crate) fn has_io(runtime: &str) -> bool {
    runtime != "tokio-local"
}

/// Runs against the clock, of which the median counts.
pub(crate) fn rounds(quick: bool) -> u64 {
    if quick { 3 } else { 5 }
}
