//! Hands the linker scripts of esp-hal and embedded-test to the linker.

fn main() {
    println!("cargo:rustc-link-arg-bins=-Tlinkall.x");
    println!("cargo:rustc-link-arg-bins=-Tembedded-test.x");
    println!("cargo:rerun-if-changed=build.rs");
}
