//! `cargo xtask loom`, `asan`, `tsan`, `valgrind`, `miri`: the tests, seen by tools that find what tests alone do not.

use std::{path::Path, process::Command, time::Duration};

use crate::{
    child::{Outcome, Trouble, ask, failed, missing, tee},
    place::{BUILD, cargo, command, target_dir},
};

/// Each is to take a quarter of an hour at most, on two cores; longer where they have other things to do.
const LONG: Duration = Duration::from_secs(45 * 60);

/// Has the suite divide its large counts, where a tool is slow: see `rounds` in there.
const DIVIDE: &str = "CORIO_SUITE_DIVIDE";

/// What needs no other targets, and runs threads or unsafe code.
const PACKAGES: &str = "-p corio -p corio-sim -p corio-mio -p corio-suite -p corio-tests -p corio-kv";

/// Models in core, every interleaving of them.
pub(crate) fn loom(words: &[String]) -> Outcome<String> {
    let mut test = cargo("test -p corio --release --lib");
    test.env("RUSTFLAGS", "--cfg loom").env("CARGO_TARGET_DIR", target_dir()?.join("loom"));
    tee(test.arg("--").args(words), BUILD)
}

/// Memory errors and leaks. Rustup's standard library will do.
pub(crate) fn asan(words: &[String]) -> Outcome<String> {
    let host = host()?;
    // An unstable flag; this is how a stable compiler is told to take it.
    let mut test = cargo(&format!("test {PACKAGES} --lib --bins --tests --no-fail-fast --target {host}"));
    test.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address");
    test.env("CARGO_TARGET_DIR", target_dir()?.join("asan"));
    tee(test.arg("--").args(words), LONG)
}

/// Memory errors and what is lost for good, in programs as they are compiled anyway: the suite on both backends of a host.
pub(crate) fn valgrind(words: &[String]) -> Outcome<String> {
    there(&mut command("valgrind"), "valgrind, of the package of that name")?;
    let host = host()?;
    let mut test = cargo(&format!("test -p corio-tests --test sim --test mio --no-fail-fast --target {host}"));
    let runner = format!("CARGO_TARGET_{}_RUNNER", host.replace('-', "_").to_uppercase());
    test.env(runner, "valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite");
    test.env("CARGO_TARGET_DIR", target_dir()?.join("valgrind")).env(DIVIDE, "100");
    tee(test.arg("--").args(words), LONG)
}

/// What the language itself calls undefined, which no machine need show.
pub(crate) fn miri(words: &[String]) -> Outcome<String> {
    there(cargo("+nightly miri").env_remove("RUSTUP_TOOLCHAIN"), "Miri: rustup +nightly component add miri rust-src")?;
    let mut printed = String::new();
    // The rest of the suite takes it hours. Filters given by hand choose from all of it.
    for (what, part) in [("-p corio --lib", ""), ("-p corio-tests --test sim", "no_heap::")] {
        let mut test = cargo(&format!("+nightly miri test {what} --no-fail-fast --"));
        test.env_remove("RUSTUP_TOOLCHAIN").env("CARGO_TARGET_DIR", target_dir()?.join("miri")).env(DIVIDE, "10000");
        // A waker is kept as an address with a tag; loops and slots live as long as the process.
        test.env("MIRIFLAGS", "-Zmiri-permissive-provenance -Zmiri-ignore-leaks -Zmiri-disable-isolation");
        if words.is_empty() && !part.is_empty() {
            test.arg(part);
        }
        printed += &tee(test.args(words), LONG)?;
    }
    Ok(printed)
}

/// The suite with optimizations, and with assertions nevertheless: other schedules, and a compiler that takes all it is
/// promised.
pub(crate) fn release(words: &[String]) -> Outcome<String> {
    let mut test = cargo("test -p corio -p corio-tests --release --lib --tests --no-fail-fast");
    test.env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true").env("CARGO_TARGET_DIR", target_dir()?.join("soak"));
    tee(test.arg("--").args(words), LONG)
}

/// The suite on a machine that is late at random.
pub(crate) fn dawdle(words: &[String]) -> Outcome<String> {
    let mut printed = String::new();
    for seed in 1..=16 {
        let mut test = cargo("test -p corio-tests --test dawdle --no-fail-fast -- -q");
        printed += &tee(test.env("CORIO_DAWDLE_SEED", seed.to_string()).args(words), BUILD)?;
    }
    Ok(printed)
}

/// Data races. The standard library must be instrumented too, so it is built from source, by Debian's compiler; and the
/// run-time library is Debian's.
pub(crate) fn tsan(words: &[String]) -> Outcome<String> {
    let tools = "rustc-web cargo-web rust-web-src lld and libclang-rt-NN-dev, NN being the LLVM of /usr/bin/rustc -vV";
    let rustc = "/usr/bin/rustc";
    if !Path::new(rustc).exists() {
        return missing(format!("tsan needs Debian's packages {tools}"));
    }
    let about = ask(command(rustc).arg("-vV"), "", Duration::from_secs(60))?;
    let host = field(&about, "host: ")?;
    let llvm = field(&about, "LLVM version: ")?;
    let major = llvm.split('.').next().unwrap_or(llvm);
    let architecture = host.split('-').next().unwrap_or(host);
    let library = format!("/usr/lib/llvm-{major}/lib/clang/{major}/lib/linux/libclang_rt.tsan-{architecture}.a");
    if !Path::new(&library).exists() {
        return missing(format!("{library} is not there: tsan needs Debian's packages {tools}"));
    }
    let flags = format!(
        "-Zsanitizer=thread -Zexternal-clangrt -Clink-arg=-fuse-ld=lld -Clink-arg=-Wl,--whole-archive \
         -Clink-arg={library} -Clink-arg=-Wl,--no-whole-archive -Clink-arg=-Wl,--dynamic-list={library}.syms \
         -Clink-arg=-lm -Clink-arg=-lc"
    );
    let mut printed = String::new();
    for what in ["-p corio -p corio-mio -p corio-kv --lib --bins --tests", "-p corio-tests --test sim --test mio"] {
        let mut test = command("/usr/bin/cargo");
        test.args(format!("test {what} --no-fail-fast -Zbuild-std --target {host}").split_whitespace());
        test.env_remove("RUSTUP_TOOLCHAIN").env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", &flags);
        test.env("CARGO_TARGET_DIR", target_dir()?.join("tsan")).env(DIVIDE, "10");
        printed += &tee(test.arg("--").args(words), LONG)?;
    }
    Ok(printed)
}

/// The host's target, as its compiler calls it.
fn host() -> Outcome<String> {
    let about = ask(command("rustc").arg("-vV"), "", Duration::from_secs(60))?;
    field(&about, "host: ").map(str::to_owned)
}

/// Without the tool nothing is tried.
fn there(tool: &mut Command, what: &str) -> Outcome {
    match ask(tool.arg("--version"), "", Duration::from_secs(60)) {
        Ok(_) => Ok(()),
        Err(_) => Err(Trouble::Missing(format!("it needs {what}"))),
    }
}

fn field<'a>(about: &'a str, name: &str) -> Outcome<&'a str> {
    match about.lines().find_map(|line| line.strip_prefix(name)) {
        Some(value) => Ok(value.trim()),
        None => failed(format!("rustc -vV has no line {name:?}")),
    }
}
