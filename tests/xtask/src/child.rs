//! Other programs: started here, shown as they run, bounded in time, and ended by id.
//!
//! Every program gets a process group of its own, so that ending `cargo test` ends the test it waits for as well.
//! [`RUNNING`] knows them all; an interrupt ends them before it ends us.

use std::{
    fmt,
    io::{self, Read, Write},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::group;

/// Why something did not succeed.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// It ran and is wrong.
    Failed(String),
    /// It could not run, for lack of a tool; says what would help.
    Missing(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Failed(why) | Self::Missing(why)) = self;
        f.write_str(why)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What comes of an attempt.
pub(crate) type Outcome<T = ()> = Result<T, Trouble>;

/// Ends an attempt as failed, for this reason.
pub(crate) fn failed<T>(why: impl Into<String>) -> Outcome<T> {
    Err(Trouble::Failed(why.into()))
}

/// Ends an attempt for lack of a tool.
pub(crate) fn missing<T>(why: impl Into<String>) -> Outcome<T> {
    Err(Trouble::Missing(why.into()))
}

/// How often a running program is looked at.
const PAUSE: Duration = Duration::from_millis(10);
/// What a program has to end by itself, once asked.
const GRACE: Duration = Duration::from_secs(2);

/// The process groups that live.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes Ctrl-C and SIGTERM end what was started, and then this program with `code`.
pub(crate) fn end_all_on_interrupt(code: i32) {
    let end = move || {
        // Locked until the end: nothing starts any more.
        let running = running();
        for &id in running.iter() {
            group::terminate(id);
        }
        let asked = Instant::now();
        while asked.elapsed() < GRACE && !running.iter().all(|&id| group::leader_is_over(id)) {
            thread::sleep(PAUSE);
        }
        for &id in running.iter() {
            group::kill(id);
        }
        eprintln!("\nxtask: interrupted");
        std::process::exit(code);
    };
    // Without a handler an interrupt ends us alone, which is no reason not to work.
    if let Err(error) = ctrlc::set_handler(end) {
        eprintln!("xtask: cannot handle Ctrl-C: {error}");
    }
}

/// Runs `command`, its output going where ours goes.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Outcome {
    show(command);
    let mut child = Started::new(command.stdin(Stdio::null()))?;
    let ended = child.wait(limit)?;
    judge(command, ended, limit)
}

/// Like [`run`], and returns what was printed on standard output.
pub(crate) fn tee(command: &mut Command, limit: Duration) -> Outcome<String> {
    show(command);
    let mut child = Started::new(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let printed = Printed::read(child.child.stdout.take(), true);
    let ended = child.wait(limit)?;
    judge(command, ended, limit)?;
    Ok(printed.to_the_end())
}

/// Runs `command` unseen, with `input` on its standard input, and returns its standard output.
pub(crate) fn ask(command: &mut Command, input: &str, limit: Duration) -> Outcome<String> {
    let mut child = Started::new(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let printed = Printed::read(child.child.stdout.take(), false);
    let complaints = Printed::read(child.child.stderr.take(), false);
    if let Some(mut stdin) = child.child.stdin.take() {
        // Who ends before having read everything says so by its exit code.
        let _ = stdin.write_all(input.as_bytes());
    }
    let ended = child.wait(limit)?;
    let (text, complaints) = (printed.to_the_end(), complaints.to_the_end());
    match judge(command, ended, limit) {
        Ok(()) => Ok(text),
        Err(trouble) => failed(format!("{trouble}\n{text}{complaints}")),
    }
}

/// True if a program of that name can be started.
pub(crate) fn have(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A program that runs beside us until it is dropped. What it prints on standard output is kept.
pub(crate) struct Background {
    child: Started,
    printed: Printed,
    line: String,
}

impl Background {
    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        show(command);
        let mut child = Started::new(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let printed = Printed::read(child.child.stdout.take(), false);
        Ok(Self { child, printed, line: line_of(command) })
    }

    /// Waits until `wanted` finds what it looks for in what was printed.
    pub(crate) fn wait_for<T>(&mut self, limit: Duration, wanted: impl Fn(&str) -> Option<T>) -> Outcome<T> {
        let start = Instant::now();
        loop {
            let over = self.child.child.try_wait()?;
            if over.is_some() {
                self.child.forget();
            }
            let text = if over.is_some() { self.printed.to_the_end() } else { self.printed.until_now() };
            if let Some(found) = wanted(&text) {
                return Ok(found);
            }
            if let Some(status) = over {
                return failed(format!("`{}` ended early ({status}); it printed:\n{text}", self.line));
            }
            if start.elapsed() > limit {
                return failed(format!("`{}` took more than {limit:?}; it printed:\n{text}", self.line));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Waits until it ends by itself.
    pub(crate) fn join(mut self) -> Outcome {
        match self.child.wait(Duration::MAX)? {
            Some(status) if status.success() => Ok(()),
            _ => failed(format!("`{}` ended; it printed:\n{}", self.line, self.printed.to_the_end())),
        }
    }

    /// Interrupts it as Ctrl-C does; it has to end with success within `limit`.
    pub(crate) fn interrupt(mut self, limit: Duration) -> Outcome {
        group::interrupt(self.child.child.id());
        match self.child.wait(limit)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => failed(format!("`{}` ended with {status} when interrupted", self.line)),
            None => failed(format!("`{}` did not end within {limit:?} of an interrupt", self.line)),
        }
    }
}

/// A child in its own process group. Dropping ends the group.
struct Started {
    child: Child,
    over: bool,
}

impl Started {
    fn new(command: &mut Command) -> Outcome<Self> {
        group::lead(command);
        // Locked over the start, so that an interrupt cannot miss the new one.
        let mut running = running();
        let child = command.spawn().map_err(|error| {
            let line = line_of(command);
            match error.kind() {
                io::ErrorKind::NotFound => Trouble::Missing(format!("cannot start `{line}`: not found")),
                _ => Trouble::Failed(format!("cannot start `{line}`: {error}")),
            }
        })?;
        running.push(child.id());
        Ok(Self { child, over: false })
    }

    /// Waits for the end; `None` if it was ended because the time was up.
    fn wait(&mut self, limit: Duration) -> Outcome<Option<ExitStatus>> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.forget();
                return Ok(Some(status));
            }
            if start.elapsed() > limit {
                self.end();
                return Ok(None);
            }
            thread::sleep(PAUSE);
        }
    }

    fn forget(&mut self) {
        self.over = true;
        let id = self.child.id();
        running().retain(|&other| other != id);
    }

    fn end(&mut self) {
        if self.over {
            return;
        }
        let id = self.child.id();
        group::terminate(id);
        let asked = Instant::now();
        // The leader is not reaped yet, so that its id is nobody else's when the rest of the group is killed.
        while asked.elapsed() < GRACE && !group::leader_is_over(id) {
            thread::sleep(PAUSE);
        }
        group::kill(id);
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.forget();
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a program prints, read by a thread so that it never waits for us.
struct Printed {
    text: Arc<Mutex<Vec<u8>>>,
    closed: Arc<AtomicBool>,
}

impl Printed {
    fn read(pipe: Option<impl Read + Send + 'static>, show: bool) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let closed = Arc::new(AtomicBool::new(pipe.is_none()));
        if let Some(mut pipe) = pipe {
            let (text, closed) = (text.clone(), closed.clone());
            thread::spawn(move || {
                let mut chunk = [0; 4096];
                while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                    if show {
                        let mut out = io::stdout();
                        let _ = out.write_all(&chunk[..length]).and_then(|()| out.flush());
                    }
                    text.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..length]);
                }
                closed.store(true, Ordering::Release);
            });
        }
        Self { text, closed }
    }

    fn until_now(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Everything, once the program is over. A process that it left behind may keep the pipe open: not waited for.
    fn to_the_end(&self) -> String {
        let start = Instant::now();
        while !self.closed.load(Ordering::Acquire) && start.elapsed() < GRACE {
            thread::sleep(PAUSE);
        }
        self.until_now()
    }
}

fn judge(command: &Command, ended: Option<ExitStatus>, limit: Duration) -> Outcome {
    match ended {
        Some(status) if status.success() => Ok(()),
        Some(status) => failed(format!("`{}` ended with {status}", line_of(command))),
        None => failed(format!("`{}` took more than {limit:?} and was ended", line_of(command))),
    }
}

fn show(command: &Command) {
    println!("$ {}", line_of(command));
}

fn line_of(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        if argument.is_empty() || argument.contains([' ', '"', '\'', '$', '\\']) {
            line.push_str(&format!(" {argument:?}"));
        } else {
            line.push(' ');
            line.push_str(&argument);
        }
    }
    line
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn input_goes_in_and_output_comes_out() {
        assert_eq!(ask(&mut sh("cat; echo end"), "hello\n", GRACE).unwrap(), "hello\nend\n");
    }

    #[test]
    fn a_failure_names_the_command_and_shows_what_it_printed() {
        let trouble = ask(&mut sh("echo out; echo err >&2; exit 3"), "", GRACE).unwrap_err().to_string();
        for part in ["exit 3", "status: 3", "out", "err"] {
            assert!(trouble.contains(part), "{part} in {trouble}");
        }
    }

    #[test]
    fn a_missing_program_is_not_a_failure() {
        let outcome = ask(&mut Command::new("corio-has-no-such-program"), "", GRACE);
        assert!(matches!(outcome, Err(Trouble::Missing(_))));
    }

    #[test]
    fn what_hangs_is_ended_with_everything_it_started() {
        let mut shell = sh("sleep 1000 & echo $!; wait");
        let mut hanging = Background::start(&mut shell).unwrap();
        let sleeper: u32 = hanging.wait_for(GRACE, |text| text.trim().parse().ok()).unwrap();
        drop(hanging);
        let gone = (0..200).any(|_| {
            thread::sleep(PAUSE);
            !alive(sleeper)
        });
        assert!(gone);
    }

    /// Neither gone nor a zombie, as far as the system tells.
    fn alive(id: u32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let outcome = ask(&mut sh("sleep 1000"), "", Duration::from_millis(50));
        assert!(outcome.unwrap_err().to_string().contains("took more than"));
    }

    #[test]
    fn waiting_for_output_ends_with_the_program() {
        let mut ended = Background::start(&mut sh("echo one")).unwrap();
        assert_eq!(ended.wait_for(GRACE, |text| text.contains("one").then_some(1)).unwrap(), 1);
        let trouble = ended.wait_for::<()>(GRACE, |_| None).unwrap_err();
        assert!(trouble.to_string().contains("ended early"));
    }
}
