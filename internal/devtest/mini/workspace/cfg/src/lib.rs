#![no_std]

include!(concat!(env!("OUT_DIR"), "/generated.rs"));

cfg_if::cfg_if! {
    if #[cfg(target_arch = "riscv32")] {
        pub fn text() -> &'static str { GENERATED }
    } else {
        pub fn text() -> &'static str { "elsewhere\0" }
    }
}
