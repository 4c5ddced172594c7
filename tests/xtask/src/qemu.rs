//! `cargo xtask qemu`: firmware on an emulated Cortex-M3.

use std::{path::PathBuf, time::Duration};

use crate::{
    Mistake,
    child::{Background, Outcome, Trouble, run},
    embedded::Toolchain,
    options::{Options, wrong},
    place::BUILD,
    relay,
};

const TARGET: &str = "thumbv7m-none-eabi";
const CHIP: &str = "cortex-m3";
const SEMIHOSTING: [&str; 2] = ["-semihosting-config", "enable=on,target=native"];
const UNTIL_INTERRUPTED: Duration = Duration::MAX;

/// Boots the program asked for, until interrupted.
pub(crate) fn qemu(words: &[String]) -> Result<(), Mistake> {
    let (mut program, mut port) = (None, None);
    let mut options = Options::new(words);
    while let Some(option) = options.next()? {
        match option {
            "--port" => {
                port = match options.value()?.parse() {
                    Ok(port @ 1..=u16::MAX) => Some(port),
                    _ => return wrong("--port needs a number from 1 to 65535"),
                }
            }
            "kv" | "blinky" if program.is_none() => program = Some(option),
            _ => return options.unknown(),
        }
    }
    match (program, port) {
        (Some("kv"), port) => {
            let (emulator, port) = boot_kv(port.unwrap_or(7379))?;
            println!("listening on 127.0.0.1:{port}: redis-cli -p {port} talks to it. Ctrl-C ends it.");
            emulator.join()?;
        }
        (Some(_), None) => {
            let image = build("blinky-lm3s6965evb")?;
            let mut emulator = Toolchain::get()?.qemu(CHIP);
            emulator.args(["-serial", "none"]).args(SEMIHOSTING).arg("-kernel").arg(image);
            run(&mut emulator, UNTIL_INTERRUPTED)?;
        }
        (Some(_), Some(_)) => return wrong("--port is for kv: blinky has no serial line"),
        (None, _) => return wrong("qemu needs a program: kv or blinky"),
    }
    Ok(())
}

fn build(program: &str) -> Outcome<PathBuf> {
    let tools = Toolchain::get()?;
    let words = format!("build --release --manifest-path examples/firmware/{program}/Cargo.toml --target {TARGET}");
    run(&mut tools.cargo(&words), BUILD)?;
    Ok(tools.target_dir().join(TARGET).join("release").join(program))
}

/// Boots the key-value server, with a TCP port of our own machine (0 for any) as its serial line. Returns once it answers.
pub(crate) fn boot_kv(port: u16) -> Outcome<(Background, u16)> {
    let listener = relay::listen(port)?;
    let port = listener.local_addr()?.port();
    let image = build("kv-lm3s6965evb")?;
    let mut trouble = Trouble::Failed(String::new());
    for _ in 0..5 {
        // Between this and QEMU's own listening somebody else may take the port; then another will do.
        let line = relay::listen(0)?.local_addr()?.port();
        let mut emulator = Toolchain::get()?.qemu(CHIP);
        // QEMU waits for us before it boots.
        emulator.arg("-serial").arg(format!("telnet:127.0.0.1:{line},server=on,wait=on"));
        emulator.args(SEMIHOSTING).arg("-kernel").arg(&image);
        let mut emulator = Background::start(&mut emulator)?;
        match emulator.wait_for(Duration::from_secs(20), |_| relay::connect(line).ok()) {
            Ok(line) => {
                relay::relay(listener, line)?;
                return Ok((emulator, port));
            }
            Err(other) => trouble = other,
        }
    }
    Err(trouble)
}
