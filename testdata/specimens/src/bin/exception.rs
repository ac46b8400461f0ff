//! Loads from an unmapped address, which causes a load access fault.

#![no_std]
#![no_main]

use esp_backtrace as _;
use esp_hal::main;
use esp_println::println;

esp_bootloader_esp_idf::esp_app_desc!();

#[main]
fn main() -> ! {
    let _ = esp_hal::init(esp_hal::Config::default());
    println!("about to fault");
    // SAFETY: none; the fault is the purpose.
    let word = unsafe { core::ptr::read_volatile(0x1000 as *const u32) };
    println!("still here: {word}");
    loop {}
}
