//! Joins a Wi-Fi network and fetches a page over HTTP, with async tasks: one
//! keeps the connection to the access point, one moves packets, and main fetches
//! the page.

#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::{Runner, Stack, StackResources, dns::DnsQueryType, tcp::TcpSocket};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::Write as _;
use esp_alloc as _;
use esp_backtrace as _;
use esp_hal::{clock::CpuClock, ram, rng::Rng, timer::timg::TimerGroup};
use esp_println::{print, println};
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, Interface, WifiController, scan::ScanConfig,
    sta::StationConfig,
};
use static_cell::StaticCell;

// From [env] in .cargo/config.toml.
const SSID: &str = env!("SSID");
const PASSWORD: &str = env!("PASSWORD");

const HOST: &str = "www.mobile-j.de";
const TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(30);

// The second-stage bootloader looks for this descriptor at the start of the
// application.
esp_bootloader_esp_idf::esp_app_desc!();

#[esp_rtos::main]
async fn main(spawner: Spawner) -> ! {
    static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();

    let peripherals = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));

    // The Wi-Fi driver needs a heap and threads; the first block is RAM that the
    // bootloader no longer uses.
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 64 * 1024);
    let timers = TimerGroup::new(peripherals.TIMG0);
    esp_rtos::start(timers.timer0, peripherals.FROM_CPU_INTR0);

    let wifi = WifiController::new(peripherals.WIFI, Default::default()).expect("Wi-Fi driver");
    let rng = Rng::new();
    let seed = u64::from(rng.random()) << 32 | u64::from(rng.random());
    let (stack, runner) = embassy_net::new(
        Interface::station(),
        embassy_net::Config::dhcpv4(Default::default()),
        RESOURCES.init(StackResources::new()),
        seed,
    );
    spawner.spawn(network(runner).expect("spawning the network task"));
    spawner.spawn(station(wifi).expect("spawning the station task"));

    loop {
        stack.wait_config_up().await;
        if let Some(config) = stack.config_v4() {
            println!("got ip {}", config.address);
        }
        while stack.is_config_up() {
            match fetch(stack).await {
                Ok(()) => Timer::after(PAUSE).await,
                Err(err) => {
                    println!("{err}; trying again");
                    Timer::after_secs(2).await;
                }
            }
        }
    }
}

/// Keeps the connection to the access point.
#[embassy_executor::task]
async fn station(mut wifi: WifiController<'static>) {
    let config = StationConfig::default()
        .with_ssid(SSID.try_into().expect("SSID has at most 32 bytes"))
        .with_authentication(AuthenticationMethodConfig::Wpa2Personal(
            PASSWORD.try_into().expect("PASSWORD has at most 64 bytes"),
        ));
    wifi.set_config(&Config::Station(config)).expect("station mode");

    println!("scanning");
    match wifi.scan_async(&ScanConfig::default()).await {
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

    loop {
        println!("joining {SSID}");
        match wifi.connect_async().await {
            Ok(joined) => {
                println!("joined on channel {}", joined.channel);
                if let Ok(left) = wifi.wait_for_disconnect_async().await {
                    println!("disconnected: {:?}", left.reason);
                }
            }
            Err(err) => println!("not joined: {err:?}"),
        }
        Timer::after_secs(2).await;
    }
}

/// Moves packets between the driver and the TCP/IP stack.
#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Interface>) -> ! {
    runner.run().await
}

/// Fetches the page and prints it.
async fn fetch(stack: Stack<'_>) -> Result<(), &'static str> {
    let query = stack.dns_query(HOST, DnsQueryType::A);
    let addresses = with_timeout(TIMEOUT, query)
        .await
        .map_err(|_| "no answer to a name")?
        .map_err(|_| "no such host")?;
    let address = *addresses.first().ok_or("no such host")?;
    println!("GET http://{HOST}/ from {address}");

    let (mut incoming, mut outgoing) = ([0; 4096], [0; 1024]);
    let mut socket = TcpSocket::new(stack, &mut incoming, &mut outgoing);
    socket.set_timeout(Some(TIMEOUT));
    socket
        .connect((address, 80))
        .await
        .map_err(|_| "no connection")?;

    for part in ["GET / HTTP/1.0\r\nHost: ", HOST, "\r\nConnection: close\r\n\r\n"] {
        socket
            .write_all(part.as_bytes())
            .await
            .map_err(|_| "connection reset")?;
    }
    socket.flush().await.map_err(|_| "connection reset")?;

    let mut buffer = [0; 512];
    loop {
        match socket.read(&mut buffer).await {
            Ok(0) => break,
            Ok(size) => match core::str::from_utf8(&buffer[..size]) {
                Ok(text) => print!("{text}"),
                Err(_) => print!("(not text)"),
            },
            Err(_) => return Err("connection reset"),
        }
    }
    println!();
    Ok(())
}
