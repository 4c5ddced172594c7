//! Says whether the target is of ARM's M profile, which `cfg` cannot tell: there the core itself knows which exception
//! is being handled.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(mclass)");
    let target = std::env::var("TARGET").unwrap_or_default();
    if ["thumbv6m", "thumbv7m", "thumbv7em", "thumbv8m"].iter().any(|profile| target.starts_with(profile)) {
        println!("cargo::rustc-cfg=mclass");
    }
}
