//! `cargo xtask`: everything that CI does, by name.

mod bench;
mod child;
mod embedded;
mod group;
mod kv;
mod layers;
mod msrv;
mod options;
mod place;
mod qemu;
mod relay;
mod sanitize;
mod steps;

use std::process::ExitCode;

use child::Trouble;

const HELP: &str = "\
cargo xtask test     everything that CI checks; says at the end what ran, and what could not and why
    --list           name the steps, and do nothing
    --fast           only the steps that need neither QEMU nor other tools
    --only STEP      that step alone (may be given several times)
    --skip STEP      all but that step (may be given several times)
    With CI=true in the environment a step that cannot run for lack of a tool is a failure.

cargo xtask qemu kv       boot the key-value server on an emulated Cortex-M3, until interrupted
    --port N              TCP port on 127.0.0.1, for its serial line [7379]
cargo xtask qemu blinky   boot the smallest program

cargo xtask bench    corio beside its peers, as tables in Markdown
    --quick          fewer and shorter runs, to see that it works
    --host           on this machine only
    --firmware       on an emulated Cortex-M only
    --only NAME      only the benches whose name starts with NAME

cargo xtask soak     what finds more than tests alone, and takes longer: an hour. Says at the end what ran, and
                     what could not and why; --list, --only STEP, --skip STEP as above

cargo xtask loom     models of the lock-free parts, every interleaving
cargo xtask asan     the tests under AddressSanitizer
cargo xtask tsan     the tests under ThreadSanitizer
cargo xtask valgrind the suite under valgrind
cargo xtask miri     the suite in Miri
    further words go to the test programs (the name of a test, for example)
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let command = words.first().map_or("--help", String::as_str);
    let rest = words.get(1..).unwrap_or_default();
    if matches!(command, "--help" | "-h" | "help") || rest.iter().any(|word| word == "--help" || word == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    // The emulator runs until then: that is no failure.
    child::end_all_on_interrupt(if command == "qemu" { 0 } else { 130 });
    let done = match command {
        "test" => steps::test(rest),
        "qemu" => qemu::qemu(rest),
        "bench" => bench::bench(rest),
        "soak" => steps::soak(rest),
        "loom" => seen(sanitize::loom(rest)),
        "asan" => seen(sanitize::asan(rest)),
        "tsan" => seen(sanitize::tsan(rest)),
        "valgrind" => seen(sanitize::valgrind(rest)),
        "miri" => seen(sanitize::miri(rest)),
        other => options::wrong(format!("no command `{other}`")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Mistake::Usage(what)) => {
            eprintln!("xtask: {what}\nTry `cargo xtask --help`.");
            ExitCode::from(2)
        }
        Err(Mistake::Trouble(trouble)) => {
            eprintln!("xtask: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// What was printed has been seen by whoever gave the command.
fn seen(done: child::Outcome<String>) -> Result<(), Mistake> {
    done.map(drop).map_err(Mistake::from)
}

/// Why a command ends without success.
enum Mistake {
    Usage(String),
    Trouble(Trouble),
}

impl From<Trouble> for Mistake {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}
