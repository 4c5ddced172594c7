//! Starts the programs and reads what they print.
//!
//! Every process has a time limit (`timeout`) and a processor of its own (`taskset`): the measured one the first, the
//! load generator the last. What is compared runs alternately, so that a noisy minute meets all runtimes alike.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::Options;
use crate::plan::{self, ECHOES, Echo, RUNTIMES, TESTS, Test};

/// Where the programs are.
pub(crate) struct Programs {
    pub(crate) folder: PathBuf,
    /// monoio with wakes from other threads.
    pub(crate) remote: PathBuf,
    /// For the files that perf and strace write.
    pub(crate) scratch: PathBuf,
}

/// One measured quantity: every run's value.
pub(crate) struct Measured {
    pub(crate) test: String,
    pub(crate) runtime: &'static str,
    pub(crate) metric: String,
    pub(crate) values: Vec<f64>,
}

impl Measured {
    pub(crate) fn median(&self) -> f64 {
        median(self.values.clone())
    }

    /// How many times `base`: the median over pairs of runs that followed each other, where they can be paired.
    fn ratio(&self, base: &Self) -> f64 {
        if self.values.len() == base.values.len() {
            median(self.values.iter().zip(&base.values).map(|(value, base)| value / base).collect())
        } else {
            self.median() / base.median()
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Results(pub(crate) Vec<Measured>);

impl Results {
    fn add(&mut self, test: &str, runtime: &'static str, metric: &str, value: f64) {
        match self.0.iter_mut().find(|m| m.test == test && m.runtime == runtime && m.metric == metric) {
            Some(measured) => measured.values.push(value),
            None => self.0.push(Measured { test: test.into(), runtime, metric: metric.into(), values: vec![value] }),
        }
    }

    fn find(&self, test: &str, runtime: &str, metric: &str) -> Option<&Measured> {
        self.0.iter().find(|m| m.test == test && m.runtime == runtime && m.metric == metric)
    }

    pub(crate) fn get(&self, test: &str, runtime: &str, metric: &str) -> Option<f64> {
        self.find(test, runtime, metric).map(Measured::median)
    }

    /// How many times what `base` takes.
    pub(crate) fn ratio(&self, test: &str, runtime: &str, base: &str, metric: &str) -> Option<f64> {
        let ratio = self.find(test, runtime, metric)?.ratio(self.find(test, base, metric)?);
        ratio.is_finite().then_some(ratio)
    }
}

/// How system calls can be counted here.
enum SystemCalls {
    /// By the kernel, at full speed.
    Perf,
    /// By a tracer, which slows the program down.
    Strace,
    Uncounted,
}

struct Run<'a> {
    programs: &'a Programs,
    results: Results,
    failures: Vec<String>,
    valgrind: bool,
    system_calls: SystemCalls,
    last_cpu: usize,
    quick: bool,
}

/// Runs what was asked for; also returns what failed.
pub(crate) fn all(options: &Options, programs: &Programs) -> (Results, Vec<String>) {
    let _ = fs::create_dir_all(&programs.scratch);
    let system_calls = if works("perf", &["stat", "-e", "raw_syscalls:sys_enter", "true"]) {
        SystemCalls::Perf
    } else if works("strace", &["-c", "-o", "/dev/null", "true"]) {
        SystemCalls::Strace
    } else {
        SystemCalls::Uncounted
    };
    let mut run = Run {
        programs,
        results: Results::default(),
        failures: Vec::new(),
        valgrind: works("valgrind", &["--version"]),
        system_calls,
        last_cpu: thread::available_parallelism().map_or(0, |n| n.get() - 1),
        quick: options.quick,
    };
    let rounds = plan::rounds(options.quick);
    let runtimes = |test: &str| -> Vec<&'static str> {
        RUNTIMES.into_iter().filter(|runtime| options.wants(test, runtime)).collect()
    };

    for test in &TESTS {
        let mut on = runtimes(test.name);
        on.retain(|runtime| test.runs_on(runtime));
        progress(test.name, &on);
        for _ in 0..rounds {
            on.iter().for_each(|runtime| run.timed(test, runtime));
        }
        on.iter().for_each(|runtime| run.counted(test, runtime));
    }

    let mut on = runtimes("sleeps");
    on.retain(|runtime| plan::has_io(runtime) && *runtime != "rawmio");
    progress("sleeps", &on);
    for _ in 0..if run.quick { 1 } else { 3 } {
        on.iter().for_each(|runtime| run.sleeps(runtime));
    }

    let mut on = runtimes("memory");
    on.retain(|runtime| plan::has_io(runtime) && *runtime != "rawmio");
    progress("memory", &on);
    on.iter().for_each(|runtime| run.memory(runtime));

    for echo in &ECHOES {
        let mut on = runtimes(echo.name);
        on.retain(|runtime| plan::has_io(runtime));
        progress(echo.name, &on);
        for round in 0..rounds {
            // Alternately from either end, so that none always follows the same.
            let order: Vec<_> = if round % 2 == 0 { on.clone() } else { on.iter().rev().copied().collect() };
            order.iter().for_each(|runtime| run.echo_timed(echo, runtime));
        }
        for _ in 0..if run.quick { 1 } else { 3 } {
            on.iter().for_each(|runtime| run.echo_system_calls(echo, runtime));
        }
        if !run.quick || echo.bytes == 64 {
            on.iter().for_each(|runtime| run.echo_instructions(echo, runtime));
        }
    }
    (run.results, run.failures)
}

impl Run<'_> {
    fn program(&self, test: &str, runtime: &str) -> PathBuf {
        let remote = runtime == "monoio" && test.starts_with("wake-");
        let folder = if remote { &self.programs.remote } else { &self.programs.folder };
        folder.join(format!("bench-{runtime}"))
    }

    /// Notes a value, or why there is none.
    fn note(&mut self, test: &str, runtime: &'static str, metric: &str, value: Result<f64, String>) {
        match value {
            Ok(value) => self.results.add(test, runtime, metric, value),
            Err(error) => self.failures.push(format!("{test} on {runtime}, {metric}: {error}")),
        }
    }

    fn timed(&mut self, test: &Test, runtime: &'static str) {
        if test.timed == 0 {
            return;
        }
        let n = if self.quick { test.timed / 4 } else { test.timed };
        let program = self.program(test.name, runtime);
        // A wake from another thread comes from another processor; all else keeps to one.
        let cpus = if test.name == "wake-remote" { format!("0-{}", self.last_cpu) } else { "0".into() };
        let output = finish(&mut pinned(&cpus, &[], &program, test.name, n));
        let value = output.and_then(|output| Ok(field(&output, "wall_ns")? / field(&output, "ops")?));
        self.note(test.name, runtime, "wall ns", value);
    }

    /// Instructions and system calls, as the difference between two lengths of run.
    fn counted(&mut self, test: &Test, runtime: &'static str) {
        let program = self.program(test.name, runtime);
        let (short, long) = test.counted;
        if short == long {
            return;
        }
        if self.valgrind {
            // A count is not disturbed by company, so the two run side by side.
            let cpus = format!("0-{}", self.last_cpu);
            let count = |n| instructions(&mut pinned(&cpus, &callgrind(), &program, test.name, n));
            let value = thread::scope(|scope| {
                let short = scope.spawn(|| count(short));
                let long = count(long);
                difference(short.join().expect("counting returns its errors"), long)
            });
            self.note(test.name, runtime, "instructions", value);
        }
        if let Some((wrapper, file)) = self.counting_calls() {
            let count = |n| {
                let output = finish(&mut pinned("0", &wrapper, &program, test.name, n))?;
                Ok((field(&output, "ops")?, calls_in(&file)?))
            };
            let value = difference(count(short), count(long));
            self.note(test.name, runtime, "system calls", value);
        }
    }

    fn sleeps(&mut self, runtime: &'static str) {
        let program = self.program("sleeps", runtime);
        match finish(&mut pinned("0", &[], &program, "sleeps", plan::SLEEPS)) {
            Ok(output) => {
                for (metric, key, unit) in [
                    ("CPU ms", "cpu_ns", 1e6),
                    ("late p50 us", "late_p50_ns", 1e3),
                    ("late p99 us", "late_p99_ns", 1e3),
                    ("late max us", "late_max_ns", 1e3),
                ] {
                    self.note("sleeps", runtime, metric, field(&output, key).map(|value| value / unit));
                }
            }
            Err(error) => self.note("sleeps", runtime, "CPU ms", Err(error)),
        }
    }

    fn memory(&mut self, runtime: &'static str) {
        let program = self.programs.folder.join("bench-memory");
        let output = finish(Command::new("timeout").arg("60").arg(program).arg(runtime));
        for what in ["idle_task", "pending_timer"] {
            for how in ["requested", "usable"] {
                let key = format!("{what}_{how}");
                let value = output.as_ref().map_err(String::clone).and_then(|output| field(output, &key));
                self.note("memory", runtime, &key.replace('_', " "), value);
            }
        }
    }

    fn echo_timed(&mut self, echo: &Echo, runtime: &'static str) {
        let n = if self.quick { echo.timed / 4 } else { echo.timed };
        let done = self.echo(echo, runtime, n, &[], Stdio::null());
        let wall = done.as_ref().map_err(String::clone).and_then(|done| field(&done.load, "wall_ns"));
        let cpu = done.as_ref().map_err(String::clone).and_then(|done| field(&done.server, "cpu_ns"));
        self.note(echo.name, runtime, "wall ns", wall.map(|ns| ns / n as f64));
        self.note(echo.name, runtime, "server CPU ns", cpu.map(|ns| ns / n as f64));
    }

    fn echo_system_calls(&mut self, echo: &Echo, runtime: &'static str) {
        let Some((wrapper, file)) = self.counting_calls() else { return };
        let count = |n| {
            self.echo(echo, runtime, n, &wrapper, Stdio::null())?;
            Ok((n as f64, calls_in(&file)?))
        };
        let value = difference(count(echo.timed / 16), count(echo.timed / 4));
        self.note(echo.name, runtime, "system calls", value);
    }

    fn echo_instructions(&mut self, echo: &Echo, runtime: &'static str) {
        if !self.valgrind {
            return;
        }
        let file = self.programs.scratch.join("valgrind.txt");
        let count = |n| {
            let log = File::create(&file).map_err(|error| error.to_string())?;
            self.echo(echo, runtime, n, &callgrind(), log.into())?;
            let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
            Ok((n as f64, collected(&text)?))
        };
        let value = difference(count(echo.counted.0), count(echo.counted.1));
        self.note(echo.name, runtime, "instructions", value);
    }

    /// Runs one server and one load of `n` requests to their ends.
    fn echo(&self, echo: &Echo, runtime: &str, n: u64, wrapper: &[String], errors: Stdio) -> Result<Exchanged, String> {
        let program = self.program(echo.name, runtime);
        let mut server = pinned("0", wrapper, &program, echo.name, n);
        let mut server = server.stdout(Stdio::piped()).stderr(errors).spawn().map_err(|error| error.to_string())?;
        let load = self.load(echo, n, &mut server);
        if load.is_err() {
            // `timeout` passes the signal on to whatever it runs.
            let _ = Command::new("kill").arg(server.id().to_string()).status();
        }
        let mut output = String::new();
        if let Some(stdout) = &mut server.stdout {
            let _ = stdout.read_to_string(&mut output);
        }
        let ended = server.wait().map_err(|error| error.to_string())?;
        let load = load?;
        if ended.success() {
            Ok(Exchanged { server: output, load })
        } else {
            Err(format!("the server ended with {ended}"))
        }
    }

    /// Waits for the server's port, then puts the load on it.
    fn load(&self, echo: &Echo, n: u64, server: &mut Child) -> Result<String, String> {
        let stdout = server.stdout.as_mut().ok_or("no output")?;
        // One byte at a time: what follows the line must stay in the pipe.
        let mut line = String::new();
        BufReader::with_capacity(1, stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        let port = field(&line, "port")?;
        let mut load = Command::new("timeout");
        load.args(["90", "taskset", "-c"]).arg(self.last_cpu.to_string()).arg(self.programs.folder.join("load"));
        finish(load.args([port as u64, echo.connections, echo.bytes, n].map(|number| number.to_string())))
    }

    /// What to put before a command so that its system calls are counted, and the file that will tell.
    fn counting_calls(&self) -> Option<(Vec<String>, PathBuf)> {
        let file = self.programs.scratch.join("calls.txt");
        let path = file.to_str()?;
        let wrapper: &[&str] = match self.system_calls {
            SystemCalls::Perf => &["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o", path],
            SystemCalls::Strace => &["strace", "-f", "-c", "-o", path],
            SystemCalls::Uncounted => return None,
        };
        Some((wrapper.iter().map(|word| word.to_string()).collect(), file))
    }
}

/// What the two sides of an echo printed.
struct Exchanged {
    server: String,
    load: String,
}

/// `PROGRAM TEST N`, on the given processors, inside `wrapper`.
fn pinned(cpus: &str, wrapper: &[String], program: &Path, test: &str, n: u64) -> Command {
    let mut command = Command::new("timeout");
    command.args(["100", "taskset", "-c", cpus]).args(wrapper).arg(program).arg(test).arg(n.to_string());
    command
}

fn callgrind() -> Vec<String> {
    ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"].map(String::from).into()
}

fn works(program: &str, args: &[&str]) -> bool {
    let status = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let works = status.is_ok_and(|status| status.success());
    if !works {
        eprintln!("{program} is not here, or may not do its work");
    }
    works
}

/// Runs a command to its end and returns its output.
fn finish(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}", output.status, errors.lines().last().unwrap_or("no message")))
}

/// Runs a command under callgrind; returns its operations and its instructions.
fn instructions(command: &mut Command) -> Result<(f64, f64), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(output.status.to_string());
    }
    let operations = field(&String::from_utf8_lossy(&output.stdout), "ops")?;
    Ok((operations, collected(&String::from_utf8_lossy(&output.stderr))?))
}

/// Callgrind's total.
fn collected(text: &str) -> Result<f64, String> {
    let line = text.lines().find_map(|line| line.split_once("Collected :")).ok_or("callgrind counted nothing")?;
    line.1.trim().parse().map_err(|_| "callgrind's count is no number".into())
}

/// The total in the file that perf or strace has written.
fn calls_in(file: &Path) -> Result<f64, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let number = text.lines().find_map(|line| {
        if line.contains("raw_syscalls:sys_enter") {
            line.split(',').next()
        } else if line.trim_end().ends_with("total") {
            line.split_whitespace().nth(3)
        } else {
            None
        }
    });
    number.and_then(|number| number.parse().ok()).ok_or("no count of system calls".into())
}

/// The cost of an operation, from (operations, cost) of a short run and of a long one.
fn difference(short: Result<(f64, f64), String>, long: Result<(f64, f64), String>) -> Result<f64, String> {
    let (short, long) = (short?, long?);
    Ok((long.1 - short.1) / (long.0 - short.0))
}

/// The number after `key=`.
fn field(output: &str, key: &str) -> Result<f64, String> {
    output
        .split_whitespace()
        .filter_map(|word| word.split_once('='))
        .find(|(name, _)| *name == key)
        .and_then(|(_, value)| value.parse().ok())
        .ok_or_else(|| format!("no {key} in its output"))
}

fn progress(test: &str, runtimes: &[&str]) {
    if !runtimes.is_empty() {
        eprintln!("{test}: {}", runtimes.join(" "));
    }
}
