//! Comparison with the recorded traces: a verdict for each scenario, a table by area.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::backend::Backend;

/// A scenario takes milliseconds; one that has not ended after this long never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// How one scenario compares with its recorded trace.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same, byte for byte.
    Equal,
    /// Another trace than the recorded one.
    Different {
        /// What corio did.
        got: String,
        /// What CPython did.
        want: String,
    },
    /// There is no trace to compare: a mistake in the scenario, a panic, a file that cannot be read.
    Failed(String),
}

/// The verdicts on a set of scenarios, by name.
#[derive(Debug, Default)]
pub struct Report {
    /// One entry for each scenario.
    pub verdicts: BTreeMap<String, Verdict>,
}

impl Report {
    /// The area of a scenario: the first word of its name.
    pub fn area(name: &str) -> &str {
        name.split('_').next().unwrap_or(name)
    }

    /// The names of the scenarios that ran and whose traces are not equal, or that failed.
    pub fn unequal(&self) -> impl Iterator<Item = &str> {
        let bad = |v: &Verdict| matches!(v, Verdict::Different { .. } | Verdict::Failed(_));
        self.verdicts.iter().filter(move |(_, v)| bad(v)).map(|(name, _)| name.as_str())
    }

    fn counts(&self) -> BTreeMap<&str, [usize; 2]> {
        let mut areas = BTreeMap::<_, [usize; 2]>::new();
        for (name, verdict) in &self.verdicts {
            let column = match verdict {
                Verdict::Equal => 0,
                Verdict::Different { .. } | Verdict::Failed(_) => 1,
            };
            areas.entry(Self::area(name)).or_default()[column] += 1;
        }
        areas
    }
}

/// What went wrong, and the table by area.
impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, verdict) in &self.verdicts {
            match verdict {
                Verdict::Equal => {}
                Verdict::Different { .. } => writeln!(f, "DIFF {name}")?,
                Verdict::Failed(reason) => writeln!(f, "FAIL {name}: {reason}")?,
            }
        }
        let mut total = [0; 2];
        writeln!(f, "{:10}{:>10}{:>10}", "area", "equal", "different")?;
        for (area, [equal, different]) in self.counts() {
            writeln!(f, "{area:10}{equal:>10}{different:>10}")?;
            for (sum, n) in total.iter_mut().zip([equal, different]) {
                *sum += n;
            }
        }
        let [equal, different] = total;
        write!(f, "{:10}{equal:>10}{different:>10}", "total")
    }
}

/// The scenario files a path stands for: itself, or those in the folder it names, sorted.
///
/// # Errors
/// When a folder cannot be read.
pub fn scenario_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

/// How often a scenario in real time may be tried: a machine that stands still for 10 ms at the wrong moment changes what
/// is simultaneous.
const TRIES: usize = 5;

/// Scenarios in real time that run at once; they mostly sleep.
const AT_ONCE: usize = 8;

/// Runs scenario files and compares each with the `.trace` beside it: in virtual time byte for byte, in real time without
/// the times.
pub fn check(backend: Backend, files: &[PathBuf]) -> Report {
    let name = |file: &Path| file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if backend == Backend::Sim {
        return Report { verdicts: files.iter().map(|file| (name(file), verdict(backend, file))).collect() };
    }
    let share = files.len().div_ceil(AT_ONCE).max(1);
    let mut verdicts = BTreeMap::new();
    thread::scope(|scope| {
        let work = move |part: &[PathBuf]| -> Vec<_> {
            part.iter().map(|file| (name(file), patient(backend, file))).collect()
        };
        let workers: Vec<_> = files.chunks(share).map(|part| scope.spawn(move || work(part))).collect();
        for worker in workers {
            verdicts.extend(worker.join().expect("a verdict on a panic is no panic"));
        }
    });
    Report { verdicts }
}

fn patient(backend: Backend, file: &Path) -> Verdict {
    let mut last = verdict(backend, file);
    for _ in 1..TRIES {
        if !matches!(last, Verdict::Different { .. }) {
            break;
        }
        last = verdict(backend, file);
    }
    last
}

/// A trace without its times.
fn order(trace: &str) -> String {
    trace.lines().flat_map(|line| [line.split_once(' ').map_or(line, |(_, what)| what), "\n"]).collect()
}

fn verdict(backend: Backend, file: &Path) -> Verdict {
    let trace = file.with_extension("trace");
    let read = |path: &Path| fs::read_to_string(path).map_err(|e| Verdict::Failed(format!("{}: {e}", path.display())));
    let json = match read(file) {
        Ok(json) => json,
        Err(failed) => return failed,
    };
    match run_apart(backend, json) {
        Err(reason) => Verdict::Failed(reason),
        Ok(lines) => {
            let got: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
            match read(&trace) {
                Err(failed) => failed,
                Ok(want) if want == got => Verdict::Equal,
                Ok(want) if backend != Backend::Sim && order(&want) == order(&got) => Verdict::Equal,
                Ok(want) => Verdict::Different { got, want },
            }
        }
    }
}

/// On a thread of its own, so that a panic or an endless loop is one scenario's verdict and not the end of the check.
fn run_apart(backend: Backend, json: String) -> Result<Vec<String>, String> {
    let (send, receive) = mpsc::channel();
    let work = thread::spawn(move || send.send(backend.run(&json).map_err(|mistake| mistake.to_string())));
    match receive.recv_timeout(PATIENCE) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Timeout) => Err("does not end".to_owned()),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let panic = work.join().expect_err("it sends, or it panics");
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(format!("panicked: {}", text.or_else(|| panic.downcast_ref().copied()).unwrap_or("?")))
        }
    }
}

/// Line by line: `-` is in `want` only, `+` in `got` only.
pub fn diff(want: &str, got: &str) -> String {
    let (want, got): (Vec<_>, Vec<_>) = (want.lines().collect(), got.lines().collect());
    // common[i][j]: the longest common subsequence of what follows line i of the one and line j of the other.
    let mut common = vec![vec![0; got.len() + 1]; want.len() + 1];
    for i in (0..want.len()).rev() {
        for j in (0..got.len()).rev() {
            common[i][j] =
                if want[i] == got[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut text = String::new();
    while i < want.len() || j < got.len() {
        let (mark, line) = if i < want.len() && j < got.len() && want[i] == got[j] {
            (i, j) = (i + 1, j + 1);
            (' ', want[i - 1])
        } else if j == got.len() || (i < want.len() && common[i + 1][j] >= common[i][j + 1]) {
            i += 1;
            ('-', want[i - 1])
        } else {
            j += 1;
            ('+', got[j - 1])
        };
        text.extend([mark, ' ']);
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_keeps_what_is_common() {
        assert_eq!(diff("a\nb\nc\n", "a\nx\nc\nd\n"), "  a\n- b\n+ x\n  c\n+ d\n");
        assert_eq!(diff("", "a\n"), "+ a\n");
        assert_eq!(diff("a\n", ""), "- a\n");
    }

    #[test]
    fn the_table_counts_by_area() {
        let mut report = Report::default();
        let different = Verdict::Different { got: String::new(), want: "x".to_owned() };
        report.verdicts.insert("lock_a".to_owned(), Verdict::Equal);
        report.verdicts.insert("lock_b".to_owned(), different);
        report.verdicts.insert("wait_a".to_owned(), Verdict::Failed("does not end".to_owned()));
        let text = report.to_string();
        let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            ["DIFF lock_b", "FAIL wait_a: does not end", "area equal different", "lock 1 1", "wait 0 1", "total 1 2"]
        );
    }
}
