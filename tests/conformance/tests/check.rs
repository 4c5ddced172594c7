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

/// None may differ but those that `deviations.toml` tells of, and none of those may have become equal.
fn compare(backend: Backend) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = scenario_files(&here.join("scenarios")).expect("the scenarios are part of the repository");
    let report = check(backend, &files);

    let deviations = include_str!("../deviations.toml");
    let deviations: BTreeSet<_> =
        deviations.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']')).collect();
    let mut wrong = String::new();
    for (name, verdict) in &report.verdicts {
        match (verdict, deviations.contains(name.as_str())) {
            (Verdict::Equal, false) | (Verdict::Different { .. }, true) => {}
            (Verdict::Equal, true) => wrong += &format!("{name}: is equal, but listed as a deviation\n"),
            (Verdict::Different { got, want }, false) => wrong += &format!("{name}:\n{}\n", diff(want, got)),
            (Verdict::Failed(reason), _) => wrong += &format!("{name}: {reason}\n"),
        }
    }
    assert!(wrong.is_empty(), "traces differ (-: CPython, +: corio)\n{wrong}");

    let index = include_str!("../scenarios/INDEX.tsv").lines().skip(1).filter_map(|line| line.split('\t').next());
    let there: BTreeSet<_> = report.verdicts.keys().map(String::as_str).collect();
    assert_eq!(there, index.chain(deviations).collect(), "the scenarios are those of the index");
}
