//! Recurses until the stack is used up: esp-hal's stack guard must stop it.

#![no_std]
#![no_main]

use core::hint::black_box;

use esp_backtrace as _;
use esp_hal::main;
use esp_println::println;

esp_bootloader_esp_idf::esp_app_desc!();

#[main]
fn main() -> ! {
    let _ = esp_hal::init(esp_hal::Config::default());
    println!("recursing");
    println!("came back with {}", deeper(black_box(0)));
    loop {}
}

#[inline(never)]
fn deeper(level: u32) -> u32 {
    let frame = black_box([level; 64]);
    if level == u32::MAX {
        return 0;
    }
    deeper(level + 1).wrapping_add(frame[(level % 64) as usize])
}
