#![no_std]
#![no_main]

use esp_backtrace as _;

esp_bootloader_esp_idf::esp_app_desc!();

#[esp_hal::main]
fn main() -> ! {
    product::app::run(esp_hal::init(esp_hal::Config::default()))
}
