//! Joins a Wi-Fi network and fetches a page over HTTP.

#![no_std]
#![no_main]

extern crate alloc;

mod net;
mod radio;
mod settings;

use esp_alloc as _;
use esp_backtrace as _;
use esp_hal::{clock::CpuClock, main, ram, rng::Rng, time::Duration, timer::timg::TimerGroup};
use esp_println::{print, println};
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, Interface, WifiController, scan::ScanConfig,
    sta::StationConfig,
};

use net::Network;
use radio::{block_on, sleep};

const HOST: &str = "www.mobile-j.de";
const PAUSE: Duration = Duration::from_secs(30);

// The second-stage bootloader looks for this descriptor at the start of the
// application.
esp_bootloader_esp_idf::esp_app_desc!();

#[main]
fn main() -> ! {
    let peripherals = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));

    // The Wi-Fi driver needs a heap and threads; the first block is RAM that the
    // bootloader no longer uses.
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 64 * 1024);
    let timers = TimerGroup::new(peripherals.TIMG0);
    esp_rtos::start(timers.timer0, peripherals.FROM_CPU_INTR0);

    let settings = settings::wifi(peripherals.FLASH);
    if settings.stored {
        println!("the network is that of the partition nvs");
    }
    let mut wifi = WifiController::new(peripherals.WIFI, Default::default()).expect("Wi-Fi driver");
    let station = StationConfig::default()
        .with_ssid(
            (settings.ssid.as_str().try_into()).expect("a network's name has at most 32 bytes"),
        )
        .with_authentication(AuthenticationMethodConfig::Wpa2Personal(
            (settings.password.as_str().try_into()).expect("a passphrase has at most 64 bytes"),
        ));
    wifi.set_config(&Config::Station(station))
        .expect("station mode");

    scan(&mut wifi);

    let rng = Rng::new();
    let seed = u64::from(rng.random()) << 32 | u64::from(rng.random());
    let mut network = Network::new(Interface::station(), seed);
    loop {
        match visit(&mut wifi, &mut network, &settings) {
            Ok(()) => sleep(PAUSE),
            Err(err) => {
                println!("{err}; trying again");
                sleep(Duration::from_secs(2));
            }
        }
    }
}

/// Lists the networks in reach.
fn scan(wifi: &mut WifiController) {
    println!("scanning");
    match block_on(wifi.scan_async(&ScanConfig::default())) {
        Ok(networks) => {
            for ap in networks {
                println!(
                    "  {:<20} channel {:>2} {:>4} dBm {:?}",
                    ap.ssid.as_str(),
                    ap.channel,
                    ap.signal_strength,
                    ap.auth_method,
                );
            }
        }
        Err(err) => println!("scan failed: {err:?}"),
    }
}

/// Fetches the page and prints it; joins the network before if the station is
/// not connected.
fn visit(
    wifi: &mut WifiController,
    network: &mut Network,
    settings: &settings::Wifi,
) -> Result<(), net::Error> {
    if wifi.ap_info().is_err() {
        println!("joining {}", settings.ssid);
        let joined = block_on(wifi.connect_async()).map_err(net::Error::Join)?;
        println!("joined on channel {}", joined.channel);
        network.restart();
    }
    if let Some(lease) = network.lease()? {
        println!("got ip {lease}");
    }
    let address = network.resolve(HOST)?;
    println!("GET http://{HOST}/ from {address}");
    network.get(address, HOST, |text| print!("{text}"))?;
    println!();
    Ok(())
}
