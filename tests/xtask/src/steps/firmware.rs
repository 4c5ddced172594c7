//! Steps that need the bare-metal toolchain; most of them QEMU too.

use std::{fs, path::Path, time::Duration};

use crate::{
    child::{Outcome, failed, run, tee},
    embedded::{CHIPS, Toolchain},
    place::{BUILD, root},
};

pub(super) fn no_std() -> Outcome<String> {
    let tools = Toolchain::get()?;
    for (target, _) in CHIPS {
        // corio without alloc, kv without its heap, and the backend, at once; then what a firmware with a heap has.
        let bare = format!("build --target {target} --no-default-features -p corio -p corio-kv -p corio-cortex-m");
        run(&mut tools.cargo(&bare), BUILD)?;
        let with_alloc = format!("build --target {target} --no-default-features -p corio -p corio-kv");
        run(tools.cargo(&with_alloc).args(["--features", "corio/alloc,corio-kv/alloc"]), BUILD)?;
    }
    Ok(format!("{} targets, with and without alloc", CHIPS.len()))
}

pub(super) fn lint() -> Outcome<String> {
    let tools = Toolchain::get()?;
    // Debian's toolchain comes without clippy; the compiler's own warnings are denied all the same.
    let check = if tools.is_rustup() { "clippy" } else { "check" };
    for (target, _) in CHIPS {
        for (workspace, packages) in [
            ("examples/firmware", "--workspace"),
            // With a heap, which the others are without: on its own.
            ("tests/firmware", "--workspace --exclude firmware-conformance"),
            ("tests/firmware", "--package firmware-conformance"),
        ] {
            let words = format!("{check} --manifest-path {workspace}/Cargo.toml {packages} --target {target}");
            let mut command = tools.cargo(&words);
            if tools.is_rustup() {
                command.args(["--", "-D", "warnings"]);
            } else {
                command.env("RUSTFLAGS", "-D warnings");
            }
            run(&mut command, BUILD)?;
        }
    }
    Ok(format!("cargo {check} on {} targets: no warning", CHIPS.len()))
}

pub(super) fn images() -> Outcome<String> {
    let tools = Toolchain::get()?;
    let mut passed = 0;
    for (target, chip) in CHIPS {
        let manifest = "tests/firmware/images/Cargo.toml";
        run(&mut tools.cargo(&format!("build --release --manifest-path {manifest} --target {target}")), BUILD)?;
        let built = tools.target_dir().join(target).join("release");
        for image in bins(&root().join("tests/firmware/images"))? {
            let mut qemu = tools.qemu(chip);
            // Time is counted in instructions, and idling takes none of ours: every run is the same.
            qemu.args(["-serial", "none", "-icount", "shift=0,sleep=off"]);
            qemu.args(["-semihosting-config", "enable=on,target=native", "-kernel"]).arg(built.join(&image));
            let printed = tee(&mut qemu, Duration::from_secs(400))?;
            let good = printed.lines().filter(|line| line.starts_with("test ") && line.ends_with("... ok")).count();
            if good == 0 {
                return failed(format!("{image} on {chip} ended well, but ran no test"));
            }
            passed += good;
        }
    }
    Ok(format!("{passed} tests on {} chips", CHIPS.len()))
}

/// The programs of a package, by their files.
fn bins(package: &Path) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(package.join("src/bin"))? {
        let path = entry?.path();
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}
