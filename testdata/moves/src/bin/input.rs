#![no_std]
#![no_main]

use esp_backtrace as _;
use esp_hal::gpio::{Input, Pull};
use esp_println::println;

#[esp_hal::main]
fn main() -> ! {
    let p = esp_hal::init(esp_hal::Config::default());
    let button = Input::new(p.GPIO9, Pull::Up);
    println!("input: {}", button.is_high());
    loop {}
}
