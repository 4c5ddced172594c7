//! Links with cortex-m-rt's script, whatever folder cargo is called in.
fn main() {
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
}
