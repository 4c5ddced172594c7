//! Puts the linker's files where it looks for them.
use std::{env, fs, path::Path};

fn main() {
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    for file in ["memory.x", "device.x"] {
        fs::copy(file, Path::new(&out).join(file)).expect("copying a linker file");
        println!("cargo::rerun-if-changed={file}");
    }
    println!("cargo::rustc-link-search={out}");
}
