//! Steps in which Redis's own programs talk to the key-value server.

use std::time::Duration;

use crate::{
    child::{Background, Outcome, run},
    kv,
    place::{BUILD, cargo, command, target_dir},
    qemu,
};

pub(super) fn hosted() -> Outcome<String> {
    kv::provide_redis_tools()?;
    run(&mut cargo("build -p corio-kv --bin kv"), BUILD)?;
    let program = target_dir()?.join("debug").join("kv");
    let mut server = Background::start(command(&program.to_string_lossy()).args(["--port", "0"]))?;
    let port = server.wait_for(Duration::from_secs(30), |text| {
        text.split_once("listening on 127.0.0.1:")?.1.split_once('\n')?.0.parse().ok()
    })?;
    let answers = kv::talk(port)?;
    kv::pipeline(port, 10_000)?;
    kv::leave(port)?;
    kv::meet(port)?;
    let loads = kv::benchmark(port)?;
    server.interrupt(Duration::from_secs(30))?;
    Ok(format!("{answers} answers of redis-cli, {loads} loads of redis-benchmark, a clean end"))
}

pub(super) fn firmware() -> Outcome<String> {
    kv::provide_redis_tools()?;
    let (_emulator, port) = qemu::boot_kv(0)?;
    let answers = kv::talk(port)?;
    kv::pipeline(port, 100)?;
    kv::leave(port)?;
    Ok(format!("{answers} answers of redis-cli"))
}
