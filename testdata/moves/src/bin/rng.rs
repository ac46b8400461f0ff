#![no_std]
#![no_main]

use esp_backtrace as _;
use esp_hal::rng::Rng;
use esp_println::println;

#[esp_hal::main]
fn main() -> ! {
    let p = esp_hal::init(esp_hal::Config::default());
    let mut rng = Rng::new(p.RNG);
    println!("rng: {}", rng.random() != rng.random());
    loop {}
}
