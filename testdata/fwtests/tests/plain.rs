//! A program that ends by a semihosting exit.

#![no_std]
#![no_main]

use esp_backtrace as _;
use esp_hal::main;
use esp_println::println;

esp_bootloader_esp_idf::esp_app_desc!();

#[main]
fn main() -> ! {
    let _ = esp_hal::init(esp_hal::Config::default());
    println!("plain program");
    assert_eq!(fwtests::celsius(-16), -1);
    semihosting::process::exit(0)
}
