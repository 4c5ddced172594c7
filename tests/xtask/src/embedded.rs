//! The bare-metal toolchain and QEMU, as `tools/embedded-toolchain.sh` provides them.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use crate::{
    child::{Outcome, Trouble, ask, have, missing},
    place::{command, root, target_dir},
};

/// Cortex-M0 (no compare-and-swap) and Cortex-M3, with the name of QEMU's processor.
pub(crate) const CHIPS: [(&str, &str); 2] = [("thumbv6m-none-eabi", "cortex-m0"), ("thumbv7m-none-eabi", "cortex-m3")];

/// A cargo that builds for these targets, and the environment that it and QEMU need.
pub(crate) struct Toolchain {
    environment: BTreeMap<String, String>,
    target_dir: PathBuf,
}

impl Toolchain {
    /// Finds or installs it, once.
    pub(crate) fn get() -> Outcome<&'static Self> {
        static FOUND: OnceLock<Outcome<Toolchain>> = OnceLock::new();
        FOUND.get_or_init(Self::find).as_ref().map_err(Clone::clone)
    }

    fn find() -> Outcome<Self> {
        let by_hand =
            "install qemu-system-arm, and the targets by `rustup target add thumbv6m-none-eabi thumbv7m-none-eabi`";
        if !have("bash") {
            return missing(format!("tools/embedded-toolchain.sh needs bash; {by_hand}"));
        }
        // Prints every exported variable, ended by a zero byte.
        let script = r#"settings=$(tools/embedded-toolchain.sh) && eval "$settings" || exit 1
            for name in $(compgen -e); do printf '%s=%s\0' "$name" "${!name}"; done"#;
        let mut bash = command("bash");
        let printed = ask(bash.args(["-c", script]), "", Duration::from_secs(15 * 60))
            .map_err(|trouble| Trouble::Missing(format!("no bare-metal toolchain; {by_hand}\n{trouble}")))?;
        let environment: BTreeMap<String, String> = printed
            .split_terminator('\0')
            .filter_map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
            .collect();
        let mut target_dir = target_dir()?.to_path_buf();
        if environment.get("CORIO_EMBEDDED").is_some_and(|which| which == "debian") {
            // Another compiler: two of them in one folder would build everything again and again.
            target_dir.push("debian");
        }
        Ok(Self { environment, target_dir })
    }

    /// True if this is rustup's toolchain, which has clippy.
    pub(crate) fn is_rustup(&self) -> bool {
        self.variable("CORIO_EMBEDDED") == "rustup"
    }

    /// Where it puts what it builds.
    pub(crate) fn target_dir(&self) -> &PathBuf {
        &self.target_dir
    }

    /// cargo, with these words.
    pub(crate) fn cargo(&self, words: &str) -> Command {
        let mut command = Command::new(self.variable("CORIO_CARGO"));
        command.args(words.split_whitespace());
        self.settle(&mut command);
        command
    }

    /// QEMU with the board that has each of [`CHIPS`]' processors.
    pub(crate) fn qemu(&self, chip: &str) -> Command {
        self.qemu_with(chip, "lm3s6965evb")
    }

    /// QEMU with this processor on this board.
    pub(crate) fn qemu_with(&self, chip: &str, board: &str) -> Command {
        let mut command = Command::new(self.variable("CORIO_QEMU_ARM"));
        command.args(["-cpu", chip, "-machine", board, "-nographic", "-monitor", "none"]);
        self.settle(&mut command);
        command.stdin(Stdio::null());
        command
    }

    fn variable(&self, name: &str) -> &str {
        self.environment.get(name).map_or("", String::as_str)
    }

    fn settle(&self, command: &mut Command) {
        command.current_dir(root()).env_clear().envs(&self.environment);
        command.env("CARGO_TARGET_DIR", &self.target_dir);
    }
}
