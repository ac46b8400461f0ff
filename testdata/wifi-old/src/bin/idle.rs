//! An idle station in power save mode: it renews its lease, responds to ARP and
//! ping, and reconnects when the connection is lost.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../station.rs"]
mod station;

use alloc::vec;

use esp_alloc as _;
use esp_backtrace as _;
use esp_hal::{
    clock::CpuClock, interrupt::software::SoftwareInterruptControl, main, ram, time::Duration, timer::timg::TimerGroup,
};
use esp_println::println;
use esp_radio::wifi::{ClientConfig, ModeConfig, PowerSaveMode};
use smoltcp::iface::SocketSet;
use station::{PASSWORD, SSID, interface, join, poll, wait};

esp_bootloader_esp_idf::esp_app_desc!();

#[main]
fn main() -> ! {
    let peripherals = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 64 * 1024);
    let timers = TimerGroup::new(peripherals.TIMG0);
    let software = SoftwareInterruptControl::new(peripherals.SW_INTERRUPT);
    esp_rtos::start(timers.timer0, software.software_interrupt0);

    let radio = esp_radio::init().expect("radio");
    let (mut wifi, interfaces) =
        esp_radio::wifi::new(&radio, peripherals.WIFI, Default::default()).expect("Wi-Fi driver");
    let station = ClientConfig::default()
        .with_ssid(SSID.into())
        .with_password(PASSWORD.into());
    wifi.set_config(&ModeConfig::Client(station)).expect("station mode");
    wifi.start().expect("start");
    println!("power save: {:?}", wifi.set_power_saving(PowerSaveMode::Maximum));

    let mut device = interfaces.sta;
    let mut sockets = SocketSet::new(vec![]);
    let (mut iface, dhcp) = interface(&mut device, &mut sockets);
    loop {
        join(&mut wifi);
        while matches!(wifi.is_connected(), Ok(true)) {
            poll(&mut iface, &mut device, &mut sockets, dhcp);
            wait(Duration::from_secs(1));
        }
        println!("disconnected");
    }
}
