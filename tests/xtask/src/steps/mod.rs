//! `cargo xtask test` and `soak`: the steps, in the order of what fails soonest, and their summary.

mod conformance;
mod firmware;
mod host;
mod server;

use std::{env, fmt::Write as _, time::Duration, time::Instant};

use crate::{
    Mistake,
    child::{Outcome, Trouble, failed},
    layers, msrv,
    options::{Options, wrong},
    place::root,
    sanitize,
};

/// Something that can be wrong with the project; says in a few words what it saw.
struct Step {
    name: &'static str,
    about: &'static str,
    /// Needs cargo alone, and little time.
    fast: bool,
    run: fn() -> Outcome<String>,
}

const fn step(name: &'static str, fast: bool, run: fn() -> Outcome<String>, about: &'static str) -> Step {
    Step { name, about, fast, run }
}

const STEPS: &[Step] = &[
    step("fmt", true, host::fmt, "every workspace is formatted"),
    step("lock", true, host::lock, "lock files are complete"),
    step("layers", true, || layers::check(&root().join("core/src")), "imports in core obey its layering"),
    step("msrv", true, msrv::check, "no dependency wants a newer Rust than stated"),
    step("clippy", true, host::clippy, "no warning, in the workspace and in core's three feature sets"),
    step("doc", true, host::doc, "the documentation builds without a warning"),
    step("test", true, host::test, "unit tests, documentation tests, and the suite on sim and mio"),
    step("conformance", true, host::conformance, "scenarios give CPython's traces"),
    step("loom", false, host::loom, "core's protocols between threads, in every interleaving"),
    step("benches", false, host::benches, "the host's benches build without a warning"),
    step(
        "no-std",
        false,
        firmware::no_std,
        "core, kv and cortex-m build for Cortex-M0 and Cortex-M3, without std or alloc",
    ),
    step("firmware", false, firmware::images, "test images boot in QEMU, on Cortex-M0 and Cortex-M3, and pass"),
    step(
        "conformance-firmware",
        false,
        conformance::firmware,
        "scenarios give CPython's traces on chips with a heap, and leak nothing",
    ),
    step("firmware-lint", false, firmware::lint, "the firmware workspaces build without a warning"),
    step("kv-firmware", false, server::firmware, "redis-cli talks to a Cortex-M3 in QEMU through its serial port"),
    step("kv-hosted", false, server::hosted, "redis-cli and redis-benchmark talk to the server"),
];

/// What takes too long for each change: the tests again, under the eyes of tools that see what they do not.
const SOAK: &[Step] = &[
    step("loom", false, host::loom, "core's protocols between threads, in every interleaving"),
    step(
        "release",
        false,
        || soaked(sanitize::release),
        "the suite with optimizations, a million tasks in a storm of stale wakes",
    ),
    step("dawdle", false, || soaked(sanitize::dawdle), "the suite on a machine that is late, by 16 seeds: order alone"),
    step("asan", false, || soaked(sanitize::asan), "AddressSanitizer, every test of a host: memory errors and leaks"),
    step(
        "tsan",
        false,
        || soaked(sanitize::tsan),
        "ThreadSanitizer, what runs threads: data races in core, mio, kv and the suite on sim and mio",
    ),
    step(
        "valgrind",
        false,
        || soaked(sanitize::valgrind),
        "valgrind, the suite on sim and mio: memory errors, and what is lost",
    ),
    step(
        "miri",
        false,
        || soaked(sanitize::miri),
        "Miri, core's unit tests and what of the suite needs no heap: undefined behaviour",
    ),
];

fn soaked(tool: fn(&[String]) -> Outcome<String>) -> Outcome<String> {
    let (passed, ignored) = host::tests_in(&tool(&[])?);
    if passed == 0 { failed("no test ran") } else { Ok(format!("{passed} passed, {ignored} ignored")) }
}

/// How a step went.
enum Verdict {
    Passed(String),
    Failed(String),
    CouldNotRun(String),
}

/// Runs the steps asked for.
pub(crate) fn test(words: &[String]) -> Result<(), Mistake> {
    run("test", STEPS, words)
}

/// Runs those that take long.
pub(crate) fn soak(words: &[String]) -> Result<(), Mistake> {
    run("soak", SOAK, words)
}

fn run(command: &str, steps: &'static [Step], words: &[String]) -> Result<(), Mistake> {
    let (mut list, mut fast, mut only, mut skip) = (false, false, Vec::new(), Vec::new());
    let mut options = Options::new(words);
    while let Some(option) = options.next()? {
        match option {
            "--list" => list = true,
            "--fast" if command == "test" => fast = true,
            "--only" => only.push(known(command, steps, options.value()?)?),
            "--skip" => skip.push(known(command, steps, options.value()?)?),
            _ => return options.unknown(),
        }
    }
    if list {
        for step in steps {
            let note = if step.fast || command != "test" { "" } else { " (not with --fast)" };
            println!("{:14}{}{note}", step.name, step.about);
        }
        return Ok(());
    }
    let wanted = |step: &Step| {
        (only.is_empty() || only.contains(&step.name)) && !skip.contains(&step.name) && (step.fast || !fast)
    };
    let strict = env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
    let start = Instant::now();
    let mut done = Vec::new();
    for step in steps.iter().filter(|step| wanted(step)) {
        println!("\n=== {}: {}", step.name, step.about);
        let start = Instant::now();
        let verdict = match (step.run)() {
            Ok(seen) => Verdict::Passed(seen),
            Err(Trouble::Failed(why)) => Verdict::Failed(why),
            Err(Trouble::Missing(what)) => Verdict::CouldNotRun(what),
        };
        let took = start.elapsed();
        match &verdict {
            Verdict::Passed(seen) => println!("=== {}: ok ({seen}), {}", step.name, seconds(took)),
            Verdict::Failed(why) => println!("=== {}: FAILED, {}\n{why}", step.name, seconds(took)),
            Verdict::CouldNotRun(what) => println!("=== {}: COULD NOT RUN\n{what}", step.name),
        }
        done.push((step.name, verdict, took));
    }
    let (text, good) = summary(&done, strict, steps.len() - done.len(), start.elapsed());
    println!("\n{text}");
    if good { Ok(()) } else { failed::<()>("not everything passed").map_err(Mistake::from) }
}

fn known(command: &str, steps: &'static [Step], name: &str) -> Result<&'static str, Mistake> {
    match steps.iter().find(|step| step.name == name) {
        Some(step) => Ok(step.name),
        None => wrong(format!("no step `{name}`; `cargo xtask {command} --list` names them")),
    }
}

/// What ran and what did not, with cargo's own closing line, which test runners know; and whether that is a success.
fn summary(done: &[(&str, Verdict, Duration)], strict: bool, left_out: usize, all: Duration) -> (String, bool) {
    let mut text = String::new();
    let (mut passed, mut wrong, mut ignored) = (0, 0, 0);
    for (name, verdict, took) in done {
        let (word, note) = match verdict {
            Verdict::Passed(seen) => ("ok", seen),
            Verdict::Failed(why) => ("FAILED", why),
            Verdict::CouldNotRun(what) if strict => ("FAILED", what),
            Verdict::CouldNotRun(what) => ("ignored", what),
        };
        match word {
            "ok" => passed += 1,
            "FAILED" => wrong += 1,
            _ => ignored += 1,
        }
        let note = note.lines().next().unwrap_or_default();
        let step = format!("test {name} ... {word}");
        let _ = writeln!(text, "{step:32} {:>8}  {note}", seconds(*took));
    }
    let lacking = done.iter().filter_map(|(name, verdict, _)| match verdict {
        Verdict::CouldNotRun(what) => Some((name, what)),
        _ => None,
    });
    for (n, (name, what)) in lacking.enumerate() {
        if n == 0 {
            let _ = writeln!(text, "\nCOULD NOT RUN, for lack of a tool:");
        }
        let _ = writeln!(text, "  {name}: {}", what.replace('\n', "\n    "));
    }
    let result = if wrong == 0 { "ok" } else { "FAILED" };
    let _ = write!(
        text,
        "\ntest result: {result}. {passed} passed; {wrong} failed; {ignored} ignored; 0 measured; {left_out} filtered \
         out; finished in {:.2}s",
        all.as_secs_f64()
    );
    (text, wrong == 0)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(strict: bool, verdicts: Vec<Verdict>) -> (String, bool) {
        let done: Vec<_> = verdicts.into_iter().map(|verdict| ("step", verdict, Duration::from_secs(2))).collect();
        summary(&done, strict, 3, Duration::from_secs(5))
    }

    #[test]
    fn a_missing_tool_is_said_aloud_and_fails_in_ci_alone() {
        let verdicts =
            || vec![Verdict::Passed("3 files".into()), Verdict::CouldNotRun("no emulator\ninstall one".into())];
        let (text, good) = of(false, verdicts());
        assert!(good);
        assert!(text.contains("COULD NOT RUN, for lack of a tool:\n  step: no emulator\n    install one\n"), "{text}");
        assert!(text.ends_with(
            "test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 5.00s"
        ));
        let (text, good) = of(true, verdicts());
        assert!(!good);
        assert!(text.contains("test result: FAILED. 1 passed; 1 failed; 0 ignored;"), "{text}");
    }

    #[test]
    fn a_failure_fails() {
        let (text, good) = of(false, vec![Verdict::Failed("one line\nmore".into())]);
        assert!(!good);
        assert!(text.starts_with("test step ... FAILED"), "{text}");
        assert!(text.contains("2.0 s  one line\n"), "{text}");
    }

    #[test]
    fn steps_have_names_of_their_own() {
        for steps in [STEPS, SOAK] {
            for (n, step) in steps.iter().enumerate() {
                assert!(steps[..n].iter().all(|other| other.name != step.name), "{}", step.name);
            }
        }
    }
}
