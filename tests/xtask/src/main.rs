//! Everything that CI does, by name.
fn main() {}
