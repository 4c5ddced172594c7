//! `conformance`: prints the traces of scenarios, or compares them with the recorded ones.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use corio_conformance::{Backend, Verdict, check, diff, run, scenario_files};

const HELP: &str = "\
conformance FILE.json ...          print the trace of each scenario, as corio runs it
conformance --check PATH ...       compare with the recorded traces (NAME.trace beside NAME.json)
conformance --check --diff PATH    the same, and show where they differ (-: CPython, +: corio)
conformance --check --mio PATH     in real time, by the operating system's clock: the order is compared
conformance --help                 this text

PATH is a scenario file or a folder of them. README.md beside this program's sources describes the language.
Exit status: 0; 1 when a trace differs or a scenario is broken; 2 for wrong usage.
";

enum Mode {
    Print,
    Check { with_diff: bool },
}

fn main() -> ExitCode {
    let (mut mode, mut with_diff, mut backend, mut paths) = (Mode::Print, false, Backend::Sim, Vec::new());
    for argument in std::env::args_os().skip(1) {
        match argument.to_str() {
            Some("--help" | "-h") => {
                print!("{HELP}");
                return ExitCode::SUCCESS;
            }
            Some("--check") => mode = Mode::Check { with_diff: false },
            Some("--diff") => with_diff = true,
            Some("--mio") => backend = Backend::Mio,
            Some(option) if option.starts_with('-') => return wrong_usage(&format!("no option {option}")),
            _ => paths.push(PathBuf::from(argument)),
        }
    }
    match &mut mode {
        Mode::Check { with_diff: wanted } => *wanted = with_diff,
        _ if with_diff => return wrong_usage("--diff goes with --check"),
        _ if backend != Backend::Sim => return wrong_usage("--mio goes with --check"),
        _ => {}
    }
    if paths.is_empty() {
        return wrong_usage("no scenario given");
    }

    let mut files = Vec::new();
    for path in &paths {
        match scenario_files(path) {
            Ok(found) => files.extend(found),
            Err(e) => return wrong_usage(&format!("{}: {e}", path.display())),
        }
    }
    let done = match mode {
        Mode::Print => print_traces(&files),
        Mode::Check { with_diff } => compare(backend, &files, with_diff),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        // A reader that left early has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

fn wrong_usage(what: &str) -> ExitCode {
    eprintln!("conformance: {what}\n\n{HELP}");
    ExitCode::from(2)
}

fn print_traces(files: &[PathBuf]) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let mut good = true;
    for file in files {
        let complaint = match fs::read_to_string(file).map_err(|e| e.to_string()).map(|json| run(&json)) {
            Ok(Ok(lines)) => {
                if files.len() > 1 {
                    writeln!(out, "== {}", name(file))?;
                }
                for line in lines {
                    writeln!(out, "{line}")?;
                }
                continue;
            }
            Ok(Err(mistake)) => mistake.to_string(),
            Err(e) => e,
        };
        eprintln!("conformance: {}: {complaint}", file.display());
        good = false;
    }
    Ok(good)
}

fn compare(backend: Backend, files: &[PathBuf], with_diff: bool) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let report = check(backend, files);
    if with_diff {
        for (name, verdict) in &report.verdicts {
            if let Verdict::Different { got, want } = verdict {
                writeln!(out, "== {name}\n{}", diff(want, got))?;
            }
        }
    }
    writeln!(out, "{report}")?;
    Ok(report.unequal().next().is_none())
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
