//! Prints a line and toggles a pin, twice a second.

#![no_std]
#![no_main]

use esp_backtrace as _;
use esp_hal::{
    clock::CpuClock,
    delay::Delay,
    gpio::{Level, Output, OutputConfig},
    main,
};
use esp_println::println;

// The second-stage bootloader looks for this descriptor at the start of the
// application.
esp_bootloader_esp_idf::esp_app_desc!();

#[main]
fn main() -> ! {
    let peripherals = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    let mut led = Output::new(peripherals.GPIO8, Level::Low, OutputConfig::default());
    let delay = Delay::new();

    println!("Hello from an ESP32-C3!");
    for count in 1u32.. {
        led.toggle();
        println!("blink {count}: GPIO8 is {}", level(&led));
        delay.delay_millis(500);
    }
    unreachable!("the counter lasts for 68 years")
}

fn level(pin: &Output) -> &'static str {
    if pin.is_set_high() { "high" } else { "low" }
}
