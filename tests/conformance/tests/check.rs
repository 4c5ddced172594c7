//! The whole suite against the recorded traces of CPython.

use std::{collections::BTreeSet, path::Path};

use corio_conformance::{Backend, Verdict, check, diff, scenario_files};

#[test]
fn every_scenario_that_runs_is_equal_and_none_is_lost() {
    compare(Backend::Sim);
}

#[test]
fn in_real_time_the_order_is_equal_too() {
    compare(Backend::Mio);
}

/// Nothing that runs may differ, and nothing that was equal once may be left out later.
///
/// `baseline.txt` grows with what corio can do; `README.md` says how it is written.
fn compare(backend: Backend) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = scenario_files(&here.join("scenarios")).expect("the scenarios are part of the repository");
    let report = check(backend, &files);

    let mut wrong = String::new();
    for (name, verdict) in &report.verdicts {
        match verdict {
            Verdict::Equal => {}
            Verdict::Different { got, want } => wrong += &format!("{name}:\n{}\n", diff(want, got)),
            Verdict::Failed(reason) => wrong += &format!("{name}: {reason}\n"),
        }
    }
    assert!(wrong.is_empty(), "traces differ (-: CPython, +: corio)\n{wrong}");

    let baseline = include_str!("../baseline.txt");
    let equal: BTreeSet<_> = report.equal().collect();
    let lost: Vec<_> = baseline.lines().filter(|name| !equal.contains(name)).collect();
    assert!(lost.is_empty(), "these scenarios were equal and are not run any more: {lost:?}");
}
