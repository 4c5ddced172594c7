//! `cargo xtask qemu`: firmware on an emulated Cortex-M3.

use std::{net::TcpListener, path::PathBuf, time::Duration};

use crate::{
    Mistake,
    child::{Background, Outcome, Trouble, failed, run},
    embedded::Toolchain,
    kv,
    options::{Options, wrong},
    place::BUILD,
};

const TARGET: &str = "thumbv7m-none-eabi";
const CHIP: &str = "cortex-m3";

/// Boots the program asked for, until interrupted.
pub(crate) fn qemu(words: &[String]) -> Result<(), Mistake> {
    let (mut program, mut port) = (None, 7379);
    let mut options = Options::new(words);
    while let Some(option) = options.next()? {
        match option {
            "--port" => {
                port = match options.value()?.parse() {
                    Ok(port @ 1..) => port,
                    _ => return wrong("--port needs a number from 1 to 65535"),
                }
            }
            "kv" | "blinky" if program.is_none() => program = Some(option),
            _ => return options.unknown(),
        }
    }
    let tools = Toolchain::get()?;
    match program {
        Some("kv") => {
            kv::port_is_free(port)?;
            let image = build("kv-lm3s6965evb")?;
            println!("redis-cli -p {port}    talks to it, one client at a time; Ctrl-C ends it");
            let mut emulator = tools.qemu(CHIP);
            emulator.args(["-serial", &serial(port), "-semihosting-config", "enable=on,target=native", "-kernel"]);
            run(emulator.arg(image), FOREVER)?;
        }
        Some(_) => {
            let image = build("blinky-lm3s6965evb")?;
            let mut emulator = tools.qemu(CHIP);
            emulator.args(["-serial", "stdio", "-semihosting-config", "enable=on,target=native", "-kernel"]);
            run(emulator.arg(image), FOREVER)?;
        }
        None => return wrong("qemu needs a program: kv or blinky"),
    }
    Ok(())
}

/// Until interrupted.
const FOREVER: Duration = Duration::MAX;

fn serial(port: u16) -> String {
    format!("tcp:127.0.0.1:{port},server=on,wait=off")
}

fn build(program: &str) -> Outcome<PathBuf> {
    let tools = Toolchain::get()?;
    let words = format!("build --release --manifest-path examples/firmware/{program}/Cargo.toml --target {TARGET}");
    run(&mut tools.cargo(&words), BUILD)?;
    Ok(tools.target_dir().join(TARGET).join("release").join(program))
}

/// Boots the key-value server, its serial port being a TCP port that was free.
pub(crate) fn boot_kv() -> Outcome<(Background, u16)> {
    let tools = Toolchain::get()?;
    let image = build("kv-lm3s6965evb")?;
    // Between the look and QEMU's own listening somebody else may take the port; then another will do.
    let mut last = Trouble::Failed(String::new());
    for _ in 0..5 {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut emulator = tools.qemu(CHIP);
        emulator.args(["-serial", &serial(port), "-semihosting-config", "enable=on,target=native", "-kernel"]);
        let mut emulator = Background::start(emulator.arg(&image))?;
        match emulator.wait_for(Duration::from_secs(20), |_| std::net::TcpStream::connect(("127.0.0.1", port)).ok()) {
            Ok(_) => return Ok((emulator, port)),
            Err(trouble) => last = trouble,
        }
    }
    failed(last.to_string())
}
