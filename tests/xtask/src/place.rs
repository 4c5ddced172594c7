//! Where things are, and the commands that start from there.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use serde_json::Value;

use crate::child::{Outcome, Trouble, ask};

/// Enough for a cold build on two cores, with room.
pub(crate) const BUILD: Duration = Duration::from_secs(25 * 60);

/// The top of the repository.
pub(crate) fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        // Set by `cargo run`; what the compiler knew is for a program that was started by hand.
        let own = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        Path::new(&own).ancestors().nth(2).unwrap_or(Path::new(".")).to_path_buf()
    })
}

/// A program to be run at the top of the repository.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The host's cargo, with these words (no quoting is understood).
pub(crate) fn cargo(words: &str) -> Command {
    let mut command = command("cargo");
    command.args(words.split_whitespace());
    command
}

/// What `cargo metadata` says of a workspace, from its top folder; with an option of cargo's, or none.
pub(crate) fn metadata(workspace: &str, option: &str) -> Outcome<Value> {
    let manifest = root().join(workspace).join("Cargo.toml");
    let mut command = cargo(&format!("metadata --format-version 1 {option}"));
    let text = ask(command.arg("--manifest-path").arg(manifest), "", BUILD)?;
    serde_json::from_str(&text).map_err(|e| Trouble::Failed(format!("cargo metadata of {workspace}: {e}")))
}

/// Where the host's cargo puts what it builds.
pub(crate) fn target_dir() -> Outcome<&'static Path> {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    if let Some(known) = TARGET.get() {
        return Ok(known);
    }
    let found = metadata("", "--no-deps")?["target_directory"].as_str().map(PathBuf::from);
    let found = found.ok_or_else(|| Trouble::Failed("cargo metadata names no target directory".into()))?;
    Ok(TARGET.get_or_init(|| found))
}
