//! Advertises a Bluetooth LE peripheral with the trouble-host crate.

#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_futures::join::join;
use esp_alloc as _;
use esp_backtrace as _;
use esp_hal::{clock::CpuClock, ram, timer::timg::TimerGroup};
use esp_println::println;
use esp_radio::ble::controller::BleConnector;
use trouble_host::prelude::*;

esp_bootloader_esp_idf::esp_app_desc!();

#[esp_rtos::main]
async fn main(_spawner: Spawner) -> ! {
    let peripherals = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 64 * 1024);
    let timers = TimerGroup::new(peripherals.TIMG0);
    esp_rtos::start(timers.timer0, peripherals.FROM_CPU_INTR0);

    println!("starting Bluetooth LE");
    let connector =
        BleConnector::new(peripherals.BT, Default::default()).expect("Bluetooth controller");
    let controller: ExternalController<_, 1> = ExternalController::new(connector);
    let mut resources: HostResources<DefaultPacketPool, 1, 1> = HostResources::new();
    let stack = trouble_host::new(controller, &mut resources)
        .set_random_address(Address::random([0xc0, 0x65, 0x73, 0x70, 0x00, 0x01]))
        .build();
    let mut runner = stack.runner();
    let mut peripheral = stack.peripheral();

    let mut data = [0; 31];
    let size = AdStructure::encode_slice(
        &[
            AdStructure::Flags(LE_GENERAL_DISCOVERABLE | BR_EDR_NOT_SUPPORTED),
            AdStructure::CompleteLocalName(b"espalier"),
        ],
        &mut data,
    )
    .expect("31 bytes are enough");

    join(runner.run(), async {
        loop {
            let advertisement = Advertisement::ConnectableScannableUndirected {
                adv_data: &data[..size],
                scan_data: &[],
            };
            match peripheral
                .advertise(&Default::default(), advertisement)
                .await
            {
                Ok(advertiser) => {
                    println!("advertising");
                    let _ = advertiser.accept().await;
                    println!("connected");
                }
                Err(_) => println!("advertising failed"),
            }
        }
    })
    .await;
    panic!("the Bluetooth host task returned");
}
