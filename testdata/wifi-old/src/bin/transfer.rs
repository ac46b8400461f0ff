//! Sends 1 MiB over TCP, receives 1 MiB, and prints the duration of each.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../station.rs"]
mod station;

use alloc::vec;

use esp_alloc as _;
use esp_backtrace as _;
use esp_hal::{
    clock::CpuClock,
    interrupt::software::SoftwareInterruptControl,
    main, ram,
    time::{Duration, Instant},
    timer::timg::TimerGroup,
};
use esp_println::println;
use esp_radio::wifi::{ClientConfig, ModeConfig, PowerSaveMode, WifiDevice};
use smoltcp::{
    iface::{Interface, SocketHandle, SocketSet},
    socket::tcp,
    wire::{IpAddress, Ipv4Address},
};
use station::{PASSWORD, SSID, interface, join, now, poll, wait};

const SIZE: usize = 1 << 20;
const DISCARD: u16 = 9;
const HTTP: u16 = 80;
const REQUEST: &[u8] = b"GET /bytes/1048576 HTTP/1.0\r\nHost: espalier.lan\r\n\r\n";
static CHUNK: [u8; 1024] = [b'.'; 1024];

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
    let _ = wifi.set_power_saving(PowerSaveMode::None);
    join(&mut wifi);

    let mut device = interfaces.sta;
    let mut sockets = SocketSet::new(vec![]);
    let (mut iface, dhcp) = interface(&mut device, &mut sockets);
    let router = loop {
        if let Some(router) = poll(&mut iface, &mut device, &mut sockets, dhcp) {
            break router;
        }
    };
    let buffer = || tcp::SocketBuffer::new(vec![0; 16384]);
    let socket = sockets.add(tcp::Socket::new(buffer(), buffer()));

    let mut net = Net { iface: &mut iface, device: &mut device, sockets: &mut sockets, socket };
    match net.send(router) {
        Ok(took) => println!("sent {SIZE} bytes in {} us", took.as_micros()),
        Err(cause) => println!("sending failed: {cause}"),
    }
    match net.receive(router) {
        Ok((bytes, took)) => println!("received {bytes} bytes in {} us", took.as_micros()),
        Err(cause) => println!("receiving failed: {cause}"),
    }
    println!("done");
    loop {
        wait(Duration::from_secs(60));
    }
}

struct Net<'a, 'd, 's> {
    iface: &'a mut Interface,
    device: &'a mut WifiDevice<'d>,
    sockets: &'a mut SocketSet<'s>,
    socket: SocketHandle,
}

impl<'s> Net<'_, '_, 's> {
    fn poll(&mut self) -> &mut tcp::Socket<'s> {
        self.iface.poll(now(), self.device, self.sockets);
        self.sockets.get_mut(self.socket)
    }

    fn connect(&mut self, to: Ipv4Address, port: u16, from: u16) -> Result<(), &'static str> {
        let socket = self.sockets.get_mut::<tcp::Socket>(self.socket);
        socket
            .connect(self.iface.context(), (IpAddress::from(to), port), from)
            .map_err(|_| "opening the connection")?;
        let start = Instant::now();
        while !self.poll().may_send() {
            if start.elapsed() > Duration::from_secs(5) {
                return Err("no connection within 5 s");
            }
        }
        Ok(())
    }

    /// Sends SIZE bytes and returns the time until the last acknowledgement.
    fn send(&mut self, to: Ipv4Address) -> Result<Duration, &'static str> {
        self.connect(to, DISCARD, 49152)?;
        let start = Instant::now();
        let mut left = SIZE;
        loop {
            let socket = self.poll();
            while left > 0 && socket.can_send() {
                left -= socket.send_slice(&CHUNK[..left.min(CHUNK.len())]).map_err(|_| "writing to the socket")?;
            }
            if left == 0 && socket.send_queue() == 0 {
                break;
            }
            if start.elapsed() > Duration::from_secs(30) {
                return Err("not complete within 30 s");
            }
        }
        let took = start.elapsed();
        self.poll().abort();
        self.poll();
        Ok(took)
    }

    /// Requests and receives SIZE bytes. Returns their number and the time from
    /// the request to the end of the connection.
    fn receive(&mut self, from: Ipv4Address) -> Result<(usize, Duration), &'static str> {
        self.connect(from, HTTP, 49153)?;
        let start = Instant::now();
        self.poll().send_slice(REQUEST).map_err(|_| "writing to the socket")?;
        let mut total = 0;
        loop {
            let socket = self.poll();
            while socket.can_recv() {
                total += socket.recv(|bytes| (bytes.len(), bytes.len())).map_err(|_| "reading from the socket")?;
            }
            if !socket.may_recv() {
                return Ok((total, start.elapsed()));
            }
            if start.elapsed() > Duration::from_secs(30) {
                return Err("not complete within 30 s");
            }
        }
    }
}
