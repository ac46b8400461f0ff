//! A program whose assertion fails: with a panic handler that halts.

#![no_std]
#![no_main]

use esp_backtrace as _;
use esp_hal::main;

esp_bootloader_esp_idf::esp_app_desc!();

#[main]
fn main() -> ! {
    let _ = esp_hal::init(esp_hal::Config::default());
    assert_eq!(fwtests::celsius(core::hint::black_box(32)), 3);
    semihosting::process::exit(0)
}
