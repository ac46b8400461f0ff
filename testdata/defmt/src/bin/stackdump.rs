//! Panics a few frames deep without frame pointers: esp-backtrace prints the
//! stack, and the callers can only be found with the debug information.

#![no_std]
#![no_main]

use core::hint::black_box;

use esp_backtrace as _;
use esp_hal::main;
use esp_println::println;

esp_bootloader_esp_idf::esp_app_desc!();

defmt::timestamp!("{=u64:us}", esp_hal::time::Instant::now().duration_since_epoch().as_micros());

#[main]
fn main() -> ! {
    let _ = esp_hal::init(esp_hal::Config::default());
    println!("about to panic");
    let reading = sensor(black_box(7));
    unreachable!("a sensor read {reading}")
}

#[inline(never)]
fn sensor(channel: usize) -> u32 {
    let samples = black_box([channel; 9]);
    average(&samples) + samples[0] as u32
}

#[inline(never)]
fn average(samples: &[usize]) -> u32 {
    let mut sum = 0;
    for &s in samples {
        sum += calibrate(s);
    }
    sum / samples.len() as u32
}

#[inline(never)]
fn calibrate(channel: usize) -> u32 {
    let table = black_box([10u32, 20, 30]);
    table[channel]
}
