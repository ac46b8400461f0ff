#![no_std]
#![no_main]

use esp_backtrace as _;
use esp_hal::gpio::{Level, Output};
use esp_println::println;

#[esp_hal::main]
fn main() -> ! {
    let p = esp_hal::init(esp_hal::Config::default());
    let mut led = Output::new(p.GPIO8, Level::Low);
    led.toggle();
    println!("output: done");
    loop {}
}
