fn main() {
    println!("cargo:rustc-link-arg-bins=-T{}/app.x", std::env::var("CARGO_MANIFEST_DIR").unwrap());
    println!("cargo:rerun-if-changed=app.x");
}
