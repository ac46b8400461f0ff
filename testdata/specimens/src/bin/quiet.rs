//! Prints one line and then nothing, for tests of timeouts.

#![no_std]
#![no_main]

use esp_backtrace as _;
use esp_hal::{delay::Delay, main};
use esp_println::println;

esp_bootloader_esp_idf::esp_app_desc!();

#[main]
fn main() -> ! {
    let _ = esp_hal::init(esp_hal::Config::default());
    println!("waiting");
    loop {
        Delay::new().delay_millis(1000);
    }
}
