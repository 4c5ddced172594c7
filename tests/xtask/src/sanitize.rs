//! `cargo xtask loom`, `asan`, `tsan`: the tests, seen by tools that find what tests alone do not.

use std::{path::Path, time::Duration};

use crate::{
    Mistake,
    child::{Outcome, Trouble, ask, failed, run, tee},
    place::{BUILD, cargo, command, target_dir},
};

/// What needs no other targets, and runs threads or unsafe code.
const PACKAGES: &str = "-p corio -p corio-sim -p corio-mio -p corio-suite -p corio-tests -p corio-kv";

/// Models in core, every interleaving of them.
pub(crate) fn loom(words: &[String]) -> Result<(), Mistake> {
    models(words)?;
    Ok(())
}

/// The same, for those who read what it prints.
pub(crate) fn models(words: &[String]) -> Outcome<String> {
    let mut test = cargo("test -p corio --release --lib");
    test.env("RUSTFLAGS", "--cfg loom").env("CARGO_TARGET_DIR", target_dir()?.join("loom"));
    tee(test.arg("--").args(words), BUILD)
}

/// Memory errors and leaks. Rustup's standard library will do.
pub(crate) fn asan(words: &[String]) -> Result<(), Mistake> {
    let about = ask(command("rustc").arg("-vV"), "", Duration::from_secs(60))?;
    let host = field(&about, "host: ")?;
    // An unstable flag; this is how a stable compiler is told to take it.
    let mut test = cargo(&format!("test {PACKAGES} --lib --bins --tests --no-fail-fast --target {host}"));
    test.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address");
    test.env("CARGO_TARGET_DIR", target_dir()?.join("asan"));
    run(test.arg("--").args(words), BUILD)?;
    Ok(())
}

/// Data races. The standard library must be instrumented too, so it is built from source, by Debian's compiler; and the
/// run-time library is Debian's.
pub(crate) fn tsan(words: &[String]) -> Result<(), Mistake> {
    let tools = "rustc-web cargo-web rust-web-src lld and libclang-rt-NN-dev, NN being the LLVM of /usr/bin/rustc -vV";
    let rustc = "/usr/bin/rustc";
    if !Path::new(rustc).exists() {
        return Err(Trouble::Missing(format!("tsan needs Debian's packages {tools}")).into());
    }
    let about = ask(command(rustc).arg("-vV"), "", Duration::from_secs(60))?;
    let host = field(&about, "host: ")?;
    let llvm = field(&about, "LLVM version: ")?;
    let major = llvm.split('.').next().unwrap_or(llvm);
    let architecture = host.split('-').next().unwrap_or(host);
    let library = format!("/usr/lib/llvm-{major}/lib/clang/{major}/lib/linux/libclang_rt.tsan-{architecture}.a");
    if !Path::new(&library).exists() {
        return Err(Trouble::Missing(format!("{library} is not there: tsan needs Debian's packages {tools}")).into());
    }
    let flags = format!(
        "-Zsanitizer=thread -Zexternal-clangrt -Clink-arg=-fuse-ld=lld -Clink-arg=-Wl,--whole-archive \
         -Clink-arg={library} -Clink-arg=-Wl,--no-whole-archive -Clink-arg=-Wl,--dynamic-list={library}.syms \
         -Clink-arg=-lm -Clink-arg=-lc"
    );
    let mut test = command("/usr/bin/cargo");
    test.args(
        format!("test {PACKAGES} --lib --bins --tests --no-fail-fast -Zbuild-std --target {host}").split_whitespace(),
    );
    test.env_remove("RUSTUP_TOOLCHAIN").env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", flags);
    test.env("CARGO_TARGET_DIR", target_dir()?.join("tsan"));
    run(test.arg("--").args(words), BUILD)?;
    Ok(())
}

fn field<'a>(about: &'a str, name: &str) -> Outcome<&'a str> {
    match about.lines().find_map(|line| line.strip_prefix(name)) {
        Some(value) => Ok(value.trim()),
        None => failed(format!("rustc -vV has no line {name:?}")),
    }
}
