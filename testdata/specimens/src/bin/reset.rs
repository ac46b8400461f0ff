//! Resets itself by software twice, counting in an RTC register, then stops.

#![no_std]
#![no_main]

use esp_backtrace as _;
use esp_hal::{main, system::software_reset};
use esp_println::println;

esp_bootloader_esp_idf::esp_app_desc!();

const STORE0: *mut u32 = 0x6000_8050 as *mut u32; // RTC_CNTL_STORE0, survives a reset

#[main]
fn main() -> ! {
    let _ = esp_hal::init(esp_hal::Config::default());
    // SAFETY: a scratch register that neither ROM nor esp-hal uses.
    let count = unsafe { STORE0.read_volatile() };
    println!("start {count}");
    if count < 2 {
        // SAFETY: as above.
        unsafe { STORE0.write_volatile(count + 1) };
        software_reset()
    }
    println!("done");
    loop {}
}
