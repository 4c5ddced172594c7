//! The memory of the board, and cortex-m-rt's script to link with.

use std::{env, fs, path::Path};

/// mps2-an385: a Cortex-M3 with 4 MiB of each.
const LARGE: Board = Board { flash: 4 << 20, ram: 4 << 20, stack: 512 << 10 };
/// lm3s6965evb.
const SMALL: Board = Board { flash: 256 << 10, ram: 64 << 10, stack: 20 << 10 };

struct Board {
    flash: u32,
    ram: u32,
    /// The lowest part of the RAM: below it there is nothing that a stack too small could overwrite.
    stack: u32,
}

fn main() {
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let board = if env::var_os("CARGO_FEATURE_SMALL").is_some() { SMALL } else { LARGE };
    let Board { flash, ram, stack } = board;
    let memory = format!(
        "MEMORY {{ FLASH : ORIGIN = 0, LENGTH = {flash}  RAM : ORIGIN = 0x20000000 + {stack}, LENGTH = {ram} - {stack} }}
         _stack_start = ORIGIN(RAM);
         _stack_end = 0x20000000;
         _heap_end = ORIGIN(RAM) + LENGTH(RAM);"
    );
    fs::write(Path::new(&out).join("memory.x"), memory).expect("writing memory.x");
    println!("cargo::rustc-link-search={out}");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-changed=build.rs");
}
