//! The results as text: tables for people, lines for programs.

use std::fmt::Write;

use crate::Options;
use crate::plan::{ECHOES, RUNTIMES, TESTS};
use crate::run::Results;

/// Every measured value: test, runtime, metric, median, least, greatest, number of runs.
pub(crate) fn tsv(results: &Results) -> String {
    let mut text = String::from("test\truntime\tmetric\tmedian\tmin\tmax\truns\n");
    for measured in &results.0 {
        let least = measured.values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = measured.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (test, runtime, metric) = (&measured.test, measured.runtime, &measured.metric);
        let (median, runs) = (measured.median(), measured.values.len());
        let _ = writeln!(text, "{test}\t{runtime}\t{metric}\t{median:.3}\t{least:.3}\t{most:.3}\t{runs}");
    }
    text
}

/// The tables, under a line that says how they came about.
pub(crate) fn markdown(options: &Options, results: &Results) -> String {
    let mut text = heading(options);
    let tests: Vec<_> = TESTS.iter().map(|test| (test.name, test.goal)).collect();
    let echoes: Vec<_> = ECHOES.iter().map(|echo| (echo.name, echo.goal)).collect();
    let without_goals = |rows: &[(&'static str, Option<u64>)]| rows.iter().map(|row| (row.0, None)).collect::<Vec<_>>();

    let mut table = |title: &str, metric: &str, rows: &[(&'static str, Option<u64>)], base: &str, digits: usize| {
        text.push_str(&compare(results, title, metric, rows, base, digits));
    };
    table("User-mode instructions per operation", "instructions", &tests, "corio", 0);
    table("Wall time per operation, ns", "wall ns", &without_goals(&tests), "corio", 0);
    table("System calls per operation", "system calls", &without_goals(&tests), "", 2);
    table("TCP echo: server's user-mode instructions per request", "instructions", &echoes, "rawmio", 0);
    table("TCP echo: server CPU per request, ns", "server CPU ns", &without_goals(&echoes), "rawmio", 0);
    table("TCP echo: server's system calls per request", "system calls", &without_goals(&echoes), "rawmio", 2);
    table("TCP echo: wall time per request, ns", "wall ns", &without_goals(&echoes), "rawmio", 0);
    text.push_str(&by_metric(
        results,
        "100,000 sleeps spread over a second",
        "sleeps",
        &["CPU ms", "late p50 us", "late p99 us", "late max us"],
    ));
    text.push_str(&by_metric(
        results,
        "Bytes of heap: an idle task beyond its future, a pending timer with its future",
        "memory",
        &["idle task requested", "idle task usable", "pending timer requested", "pending timer usable"],
    ));
    text
}

/// What ran, built how, on what.
fn heading(options: &Options) -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("an unknown processor", |model| model.trim_start_matches(['\t', ' ', ':']));
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let built = match options.profile.as_str() {
        "release" => "opt-level 3, fat LTO, one codegen unit",
        _ => "opt-level 3, no LTO",
    };
    let length = if options.quick { "quick run" } else { "full run" };
    let mut text =
        format!("# corio and its peers\n\nA {length}, {cores} cores of {processor}, all built with {built}.\n");
    text.push_str("Peers:");
    for name in ["tokio", "async-executor", "async-io", "monoio", "local-sync", "mio"] {
        let _ = write!(text, " {name} {},", version(name));
    }
    text.pop();
    text.push_str(
        ". tokio: current_thread with spawn; tokio-local: the same with a LocalSet; monoio: legacy driver (epoll);\n\
         rawmio: a loop over mio by hand. Medians; ×: how many times the base column (corio, for echo rawmio),\n\
         the median over pairs of runs that followed each other.\n",
    );
    text
}

/// The newest version of a package in the lock file.
fn version(package: &str) -> String {
    let lock = include_str!("../../../Cargo.lock");
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines();
    let mut newest = String::from("?");
    while let Some(line) = lines.next() {
        if line == name {
            let version = lines.next().unwrap_or_default();
            newest = version.trim_start_matches("version = ").trim_matches('"').into();
        }
    }
    newest
}

/// Tests down, runtimes across; each cell with its ratio to the column `base`, if there is one.
fn compare(
    results: &Results,
    title: &str,
    metric: &str,
    rows: &[(&'static str, Option<u64>)],
    base: &str,
    digits: usize,
) -> String {
    let has = |test: &str, runtime: &str| results.get(test, runtime, metric).is_some();
    let columns: Vec<_> = RUNTIMES.into_iter().filter(|runtime| rows.iter().any(|row| has(row.0, runtime))).collect();
    if columns.is_empty() {
        return String::new();
    }
    let goals = rows.iter().any(|row| row.1.is_some());
    let mut head = vec!["test".to_string()];
    head.extend(columns.iter().map(|runtime| runtime.to_string()));
    if goals {
        head.push("goal".into());
    }
    let mut lines = Vec::new();
    for &(test, goal) in rows.iter().filter(|row| columns.iter().any(|runtime| has(row.0, runtime))) {
        let mut line = vec![test.to_string()];
        line.extend(columns.iter().map(|&runtime| {
            let Some(value) = results.get(test, runtime, metric) else { return "-".into() };
            // What a difference leaves below the last digit has no sign worth showing.
            let value = if value.abs() < 0.005 { 0.0 } else { value };
            match results.ratio(test, runtime, base, metric) {
                Some(ratio) if runtime != base => format!("{value:.digits$} ×{ratio:.2}"),
                _ => format!("{value:.digits$}"),
            }
        }));
        if goals {
            line.push(goal.map_or(String::new(), |goal| format!("<= {goal}")));
        }
        lines.push(line);
    }
    render(title, &head, &lines)
}

/// Metrics of one test down, runtimes across.
fn by_metric(results: &Results, title: &str, test: &str, metrics: &[&str]) -> String {
    let columns: Vec<_> =
        RUNTIMES.into_iter().filter(|runtime| results.get(test, runtime, metrics[0]).is_some()).collect();
    if columns.is_empty() {
        return String::new();
    }
    let mut head = vec![String::new()];
    head.extend(columns.iter().map(|runtime| runtime.to_string()));
    let line = |metric: &&str| {
        let cell = |&runtime: &&str| results.get(test, runtime, metric).map_or("-".into(), |v| format!("{v:.0}"));
        [metric.to_string()].into_iter().chain(columns.iter().map(cell)).collect()
    };
    render(title, &head, &metrics.iter().map(line).collect::<Vec<_>>())
}

/// A markdown table whose columns also line up as plain text.
fn render(title: &str, head: &[String], lines: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let row = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            let space = " ".repeat(width - cell.chars().count());
            if column == 0 { format!(" {cell}{space} ") } else { format!(" {space}{cell} ") }
        });
        format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.iter().enumerate().map(|(column, width)| {
        let dashes = "-".repeat(width + 1);
        if column == 0 { format!("{dashes}-") } else { format!("{dashes}:") }
    });
    let rule = format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    let body: String = lines.iter().map(|line| row(line)).collect();
    format!("\n### {title}\n\n{}{rule}{body}", row(head))
}
