//! Joining the Wi-Fi network, and a network interface that has an address by
//! DHCP, for the programs in bin/.

use esp_hal::time::{Duration, Instant};
use esp_println::println;
use esp_radio::wifi::{WifiController, WifiDevice};
use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    socket::dhcpv4,
    wire::{EthernetAddress, IpCidr, Ipv4Address},
};

pub const SSID: &str = env!("SSID");
pub const PASSWORD: &str = env!("PASSWORD");

/// Connects to the access point; retries until the station is associated.
pub fn join(wifi: &mut WifiController) {
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

/// Returns an interface without an address and the DHCP socket that requests one.
pub fn interface(device: &mut WifiDevice, sockets: &mut SocketSet) -> (Interface, SocketHandle) {
    let config = Config::new(EthernetAddress(device.mac_address()).into());
    let iface = Interface::new(config, device, now());
    (iface, sockets.add(dhcpv4::Socket::new()))
}

/// Polls the network stack. When DHCP has a new lease, it sets the address and
/// returns the router.
pub fn poll(iface: &mut Interface, device: &mut WifiDevice, sockets: &mut SocketSet, dhcp: SocketHandle) -> Option<Ipv4Address> {
    iface.poll(now(), device, sockets);
    match sockets.get_mut::<dhcpv4::Socket>(dhcp).poll()? {
        dhcpv4::Event::Configured(lease) => {
            iface.update_ip_addrs(|list| {
                list.clear();
                let _ = list.push(IpCidr::Ipv4(lease.address));
            });
            println!("got ip {}", lease.address);
            let router = lease.router?;
            let _ = iface.routes_mut().add_default_ipv4_route(router);
            Some(router)
        }
        dhcpv4::Event::Deconfigured => {
            iface.update_ip_addrs(|list| list.clear());
            None
        }
    }
}

pub fn wait(time: Duration) {
    esp_rtos::CurrentThreadHandle::get().delay(time);
}

pub fn now() -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(Instant::now().duration_since_epoch().as_micros() as i64)
}
