//! Hands the linker scripts of esp-hal, embedded-test and defmt to the linker.

fn main() {
    for script in ["linkall.x", "embedded-test.x", "defmt.x"] {
        println!("cargo:rustc-link-arg-tests=-T{script}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
