//! Steps that need the host's cargo alone.

use std::time::Duration;

use crate::{
    child::{Outcome, Trouble, ask, failed, run, tee},
    place::{BUILD, cargo, metadata, root, target_dir},
    sanitize,
};

/// The workspaces: the top one, and those built for other targets or with other profiles.
pub(super) const WORKSPACES: [&str; 4] = ["", "examples/firmware", "tests/firmware", "tests/benches"];

pub(super) fn fmt() -> Outcome<String> {
    component("fmt", "rustfmt")?;
    for workspace in WORKSPACES {
        let manifest = root().join(workspace).join("Cargo.toml");
        run(cargo("fmt --all --check").arg("--manifest-path").arg(manifest), Duration::from_secs(120))?;
    }
    Ok(format!("{} workspaces", WORKSPACES.len()))
}

/// A stale lock file would be written again by each build, and not be what was tested.
pub(super) fn lock() -> Outcome<String> {
    for workspace in WORKSPACES {
        metadata(workspace, "--locked")?;
    }
    Ok(format!("{} workspaces", WORKSPACES.len()))
}

pub(super) fn clippy() -> Outcome<String> {
    component("clippy", "clippy")?;
    run(&mut cargo("clippy --workspace --all-targets -- -D warnings"), BUILD)?;
    run(&mut cargo("clippy -p corio --lib --no-default-features -- -D warnings"), BUILD)?;
    run(&mut cargo("clippy -p corio --lib --no-default-features --features alloc -- -D warnings"), BUILD)?;
    run(&mut cargo("clippy -p corio-kv --lib --no-default-features -- -D warnings"), BUILD)?;
    run(&mut cargo("clippy -p corio-suite --all-targets --no-default-features -- -D warnings"), BUILD)?;
    run(&mut cargo("clippy -p corio-conformance --lib --no-default-features -- -D warnings"), BUILD)?;
    Ok("no warning".into())
}

pub(super) fn doc() -> Outcome<String> {
    run(cargo("doc --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"), BUILD)?;
    Ok("no warning".into())
}

pub(super) fn test() -> Outcome<String> {
    let mut printed = tee(&mut cargo("test --workspace"), BUILD)?;
    // Built on its own, without `std`: corio as it is on a chip.
    printed += &tee(&mut cargo("test -p corio-suite --no-default-features --test bare"), BUILD)?;
    let (passed, ignored) = tests_in(&printed);
    if passed == 0 { failed("no test ran") } else { Ok(format!("{passed} passed, {ignored} ignored")) }
}

pub(super) fn conformance() -> Outcome<String> {
    let mut counts = Vec::new();
    for (backend, option) in [("sim", ""), ("mio", "--mio ")] {
        let run = format!("run -p corio-conformance --bin conformance -- --check {option}tests/conformance/scenarios");
        let printed = tee(&mut cargo(&run), BUILD)?;
        // The last row of its table: equal, different.
        let total = printed.lines().find_map(|line| line.strip_prefix("total"));
        match total.map(|line| line.split_whitespace().collect::<Vec<_>>()).as_deref() {
            Some([equal, different]) => counts.push(format!("{backend}: {equal} equal, {different} different")),
            _ => return failed("the runner printed no total"),
        }
    }
    Ok(counts.join("; "))
}

pub(super) fn loom() -> Outcome<String> {
    let (passed, _) = tests_in(&sanitize::loom(&[])?);
    if passed == 0 { failed("no model ran") } else { Ok(format!("{passed} models and tests")) }
}

pub(super) fn benches() -> Outcome<String> {
    component("clippy", "clippy")?;
    let mut clippy = cargo("clippy --manifest-path tests/benches/Cargo.toml --all-targets --locked -- -D warnings");
    run(clippy.env("CARGO_TARGET_DIR", target_dir()?), BUILD)?;
    Ok("no warning".into())
}

/// A part of the toolchain that not everybody has.
fn component(subcommand: &str, name: &str) -> Outcome {
    ask(&mut cargo(&format!("{subcommand} --version")), "", Duration::from_secs(60))
        .map(drop)
        .map_err(|_| Trouble::Missing(format!("cargo {subcommand} is not there: rustup component add {name}")))
}

/// How many tests passed and were ignored, by the closing lines of the test programs.
pub(super) fn tests_in(printed: &str) -> (u32, u32) {
    let count = |line: &str, what: &str| -> u32 {
        let number = line.split([';', '.']).find_map(|part| part.trim().strip_suffix(what));
        number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    let results = printed.lines().filter(|line| line.starts_with("test result: "));
    results.fold((0, 0), |(passed, ignored), line| (passed + count(line, "passed"), ignored + count(line, "ignored")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_over_all_programs() {
        let printed = "test a ... ok\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                       test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s\n";
        assert_eq!(tests_in(printed), (7, 1));
    }
}
