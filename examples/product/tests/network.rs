//! The part that talks to the server, without the rest of the product.

#![no_std]
#![no_main]

use esp_alloc as _;
use esp_backtrace as _;
use esp_hal::{clock::CpuClock, time::Duration};
use product::{app, radio::sleep, server::Server};

esp_bootloader_esp_idf::esp_app_desc!();

#[esp_hal::main]
fn main() -> ! {
    let p = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    app::start(p.TIMG0, p.FROM_CPU_INTR0);
    let mut server = Server::new(p.WIFI);
    loop {
        app::check_update(&mut server);
        sleep(Duration::from_secs(1));
    }
}
