//! Panics a few frames deep: reports must show message, location and callers.

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
    println!("about to panic");
    let reading = sensor(black_box(7));
    unreachable!("a sensor read {reading}")
}

#[inline(never)]
fn sensor(channel: usize) -> u32 {
    calibrate(channel) + 1
}

#[inline(never)]
fn calibrate(channel: usize) -> u32 {
    let table = black_box([10u32, 20, 30]);
    table[channel]
}
