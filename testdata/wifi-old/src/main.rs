//! Joins a Wi-Fi network and fetches a page with esp-hal 1.0 and esp-radio 0.17,
//! whose blocking API programs of that time poll in a loop.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::{vec, vec::Vec};

use esp_alloc as _;
use esp_backtrace as _;
use esp_hal::{
    clock::CpuClock,
    interrupt::software::SoftwareInterruptControl,
    main, ram,
    time::{Duration, Instant},
    timer::timg::TimerGroup,
};
use esp_println::{print, println};
use esp_radio::wifi::{AuthMethod, ClientConfig, ModeConfig, PowerSaveMode, ScanConfig, WifiController, WifiDevice};
use smoltcp::{
    iface::{Config, Interface, SocketSet},
    socket::{dhcpv4, tcp},
    wire::{EthernetAddress, IpAddress, IpCidr},
};

const SSID: &str = env!("SSID");
const PASSWORD: &str = env!("PASSWORD");
/// How many bytes of the page are printed: the console is slow.
const SHOWN: usize = 600;

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
    let mut station = ClientConfig::default()
        .with_ssid(SSID.into())
        .with_password(PASSWORD.into());
    if PASSWORD.is_empty() {
        station = station.with_auth_method(AuthMethod::None);
    }
    wifi.set_config(&ModeConfig::Client(station)).expect("station mode");
    wifi.start().expect("start");
    println!("started: {:?}", wifi.is_started());
    if option_env!("POWER_SAVE").is_some() {
        println!("power save: {:?}", wifi.set_power_saving(PowerSaveMode::Maximum));
    }
    match wifi.scan_with_config(ScanConfig::default().with_max(10)) {
        Ok(list) => {
            for ap in list {
                println!("network {} channel {} {} dBm {:?}", ap.ssid, ap.channel, ap.signal_strength, ap.auth_method);
            }
        }
        Err(err) => println!("scan failed: {err:?}"),
    }

    join(&mut wifi);
    let mut device = interfaces.sta;
    loop {
        match fetch(&mut device) {
            Ok(()) => println!("done"),
            Err(cause) => println!("failed: {cause}"),
        }
        wait(Duration::from_secs(5));
        if !matches!(wifi.is_connected(), Ok(true)) {
            join(&mut wifi);
        }
    }
}

fn join(wifi: &mut WifiController) {
    loop {
        println!("connect: {:?}", wifi.connect());
        loop {
            match wifi.is_connected() {
                Ok(true) => {
                    println!("connected");
                    return;
                }
                Ok(false) => {}
                Err(err) => {
                    println!("not connected: {err:?}");
                    break;
                }
            }
        }
        wait(Duration::from_secs(5));
    }
}

fn fetch(device: &mut WifiDevice) -> Result<(), &'static str> {
    let config = Config::new(EthernetAddress(device.mac_address()).into());
    let mut iface = Interface::new(config, device, now());
    let mut sockets = SocketSet::new(vec![]);
    let dhcp = sockets.add(dhcpv4::Socket::new());
    let tcp = sockets.add(tcp::Socket::new(
        tcp::SocketBuffer::new(vec![0; 16384]),
        tcp::SocketBuffer::new(vec![0; 1024]),
    ));

    let start = Instant::now();
    let router = loop {
        iface.poll(now(), device, &mut sockets);
        if let Some(dhcpv4::Event::Configured(lease)) = sockets.get_mut::<dhcpv4::Socket>(dhcp).poll() {
            iface.update_ip_addrs(|list| {
                list.clear();
                let _ = list.push(IpCidr::Ipv4(lease.address));
            });
            let Some(router) = lease.router else { return Err("the DHCP lease names no router") };
            let _ = iface.routes_mut().add_default_ipv4_route(router);
            println!("got ip {}", lease.address);
            break router;
        }
        if start.elapsed() > Duration::from_secs(20) {
            return Err("no DHCP lease within 20 s");
        }
    };

    let socket = sockets.get_mut::<tcp::Socket>(tcp);
    socket
        .connect(iface.context(), (IpAddress::from(router), 80), 49152)
        .map_err(|_| "opening the connection")?;
    let mut total = 0;
    let mut request: Vec<u8> = b"GET / HTTP/1.0\r\nHost: espalier.lan\r\n\r\n".to_vec();
    let start = Instant::now();
    loop {
        iface.poll(now(), device, &mut sockets);
        let socket = sockets.get_mut::<tcp::Socket>(tcp);
        if !request.is_empty() && socket.can_send() {
            socket.send_slice(&request).map_err(|_| "sending the request")?;
            request.clear();
        }
        if socket.can_recv() {
            let _ = socket.recv(|bytes| {
                let shown = &bytes[..bytes.len().min(SHOWN.saturating_sub(total))];
                print!("{}", core::str::from_utf8(shown).unwrap_or("(not text)"));
                total += bytes.len();
                (bytes.len(), ())
            });
        }
        if request.is_empty() && !socket.may_recv() {
            socket.abort();
            iface.poll(now(), device, &mut sockets);
            println!("received {total} bytes in {} us", start.elapsed().as_micros());
            return Ok(());
        }
        if start.elapsed() > Duration::from_secs(20) {
            return Err("no complete response within 20 s");
        }
    }
}

fn wait(time: Duration) {
    esp_rtos::CurrentThreadHandle::get().delay(time);
}

fn now() -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(Instant::now().duration_since_epoch().as_micros() as i64)
}
