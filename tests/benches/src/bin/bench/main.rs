//! Runs every test on every runtime and writes the tables: `cargo run --release --bin bench -- --help`.

mod plan;
mod run;
mod tables;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::run::Programs;

const HELP: &str = "\
Measures corio and its peers side by side.

usage: bench [--quick] [--only TEST]... [--runtime RUNTIME]... [--profile release|plain]

  --quick            shorter and fewer runs: under 3 minutes instead of under 15
  --only TEST        only tests whose name starts with TEST (spawn, queue-1-1, echo-50, memory, ...)
  --runtime RUNTIME  only this one: corio, tokio, tokio-local, smol, monoio, rawmio
  --profile plain    build as a user does who sets nothing, without link-time optimization

Needs valgrind for instructions, and perf or strace for system calls; without them these columns stay empty.
Writes bench.md and bench.tsv to the folder bench of the target directory.";

/// What was asked for.
struct Options {
    quick: bool,
    only: Vec<String>,
    runtimes: Vec<String>,
    profile: String,
}

impl Options {
    fn from_args() -> Result<Self, String> {
        let mut options = Self { quick: false, only: Vec::new(), runtimes: Vec::new(), profile: "release".into() };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                "--quick" => options.quick = true,
                "--only" => options.only.push(value()?),
                "--runtime" => options.runtimes.push(value()?),
                "--profile" => options.profile = value()?,
                "--help" => return Err(HELP.into()),
                _ => return Err(format!("{arg} is no option\n\n{HELP}")),
            }
        }
        for name in &options.runtimes {
            if !plan::RUNTIMES.contains(&name.as_str()) {
                return Err(format!("{name} is no runtime; there are {}", plan::RUNTIMES.join(", ")));
            }
        }
        Ok(options)
    }

    fn wants(&self, test: &str, runtime: &str) -> bool {
        // The second tokio is for completeness; a quick run has it when it is named.
        let named = self.runtimes.iter().any(|name| name == runtime);
        let by_default = self.runtimes.is_empty() && !(self.quick && runtime == "tokio-local");
        (self.only.is_empty() || self.only.iter().any(|only| test.starts_with(only))) && (named || by_default)
    }
}

fn main() -> ExitCode {
    let options = match Options::from_args() {
        Ok(options) => options,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let target = target_dir();
    let Ok(programs) = build(&options.profile, &target) else { return ExitCode::FAILURE };
    let (results, failures) = run::all(&options, &programs);

    let text = tables::markdown(&options, &results);
    print!("{text}");
    let folder = target.join("bench");
    let written = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join("bench.md"), text))
        .and_then(|()| std::fs::write(folder.join("bench.tsv"), tables::tsv(&results)));
    match written {
        Ok(()) => eprintln!("written: {}/bench.md and bench.tsv", folder.display()),
        Err(error) => eprintln!("cannot write to {}: {error}", folder.display()),
    }
    for failure in &failures {
        eprintln!("failed: {failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The target directory this program was built in.
fn target_dir() -> PathBuf {
    let program = std::env::current_exe().expect("a program has a path");
    program.ancestors().nth(2).expect("cargo puts programs in TARGET/PROFILE").to_path_buf()
}

/// Builds all programs, and monoio once more with wakes from other threads.
fn build(profile: &str, target: &Path) -> Result<Programs, ()> {
    let remote = target.join("monoio-remote");
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let cargo_build = |target: &Path, more: &[&str]| {
        let mut command = Command::new(&cargo);
        command.args(["build", "--quiet", "--profile", profile]).args(more);
        command.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
        match command.arg("--target-dir").arg(target).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(()),
            Err(error) => {
                eprintln!("cannot start cargo: {error}");
                Err(())
            }
        }
    };
    cargo_build(target, &["--bins"])?;
    cargo_build(&remote, &["--bin", "bench-monoio", "--features", "monoio-remote"])?;
    Ok(Programs { folder: target.join(profile), remote: remote.join(profile), scratch: target.join("bench") })
}
