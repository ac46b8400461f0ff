//! Logs with defmt over the serial port that is connected, and ends by a semihosting exit.

#![no_std]
#![no_main]

use esp_hal::main;
use esp_println as _;

esp_bootloader_esp_idf::esp_app_desc!();
frameworks::panic_handler!();

#[main]
fn main() -> ! {
    let _ = esp_hal::init(esp_hal::Config::default());
    defmt::error!("a checksum of {=u8:#x}", frameworks::checksum(&[0x40, 2]));
    semihosting::process::exit(0)
}
