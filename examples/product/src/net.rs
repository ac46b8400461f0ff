//! The TCP/IP stack, with calls that block.

use alloc::{format, vec};
use core::{fmt, net::Ipv4Addr};

use esp_hal::time::{Duration, Instant};
use esp_radio::wifi::{ConnectionError, Interface as Station};
use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    socket::{dhcpv4, dns, tcp},
    wire::{DnsQueryType, EthernetAddress, IpAddress, IpCidr, Ipv4Cidr},
};

use crate::radio::{Link, tick};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a page could not be fetched.
pub enum Error {
    Join(ConnectionError),
    Link,
    Timeout(&'static str),
    Unknown,
    Refused,
    Reset,
    /// The response has no version.
    NoVersion,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Error::Join(ConnectionError::Failed(info)) => write!(f, "not joined: {:?}", info.reason),
            Error::Join(err) => write!(f, "not joined: {err:?}"),
            Error::Link => f.write_str("the network is down"),
            Error::Timeout(what) => write!(f, "no {what} for {} s", TIMEOUT.as_secs()),
            Error::Unknown => f.write_str("no such host"),
            Error::Refused => f.write_str("connection refused"),
            Error::Reset => f.write_str("connection reset"),
            Error::NoVersion => f.write_str("the server has no version"),
        }
    }
}

/// A host on the network.
pub struct Network {
    link: Link,
    interface: Interface,
    sockets: SocketSet<'static>,
    dhcp: SocketHandle,
    dns: SocketHandle,
    tcp: SocketHandle,
    port: u16,
}

impl Network {
    /// The seed makes port and sequence numbers hard to guess.
    pub fn new(station: Station, seed: u64) -> Self {
        let mut config = Config::new(EthernetAddress(station.mac_address()).into());
        config.random_seed = seed;
        let mut link = Link(station);
        let interface = Interface::new(config, &mut link, now());
        let mut sockets = SocketSet::new(vec![]);
        let dhcp = sockets.add(dhcpv4::Socket::new());
        let dns = sockets.add(dns::Socket::new(&[], vec![]));
        let tcp = sockets.add(tcp::Socket::new(
            tcp::SocketBuffer::new(vec![0; 4096]),
            tcp::SocketBuffer::new(vec![0; 1024]),
        ));
        let port = 0xc000 | (seed as u16 & 0x3fff);
        Network { link, interface, sockets, dhcp, dns, tcp, port }
    }

    /// Drops the lease, for a new connection to the access point.
    pub fn restart(&mut self) {
        self.address(None);
        self.sockets.get_mut::<dhcpv4::Socket>(self.dhcp).reset();
    }

    /// Waits until this host has an address, and returns it when it is new.
    pub fn lease(&mut self) -> Result<Option<Ipv4Cidr>, Error> {
        let start = Instant::now();
        loop {
            self.poll();
            if let Some(event) = self.sockets.get_mut::<dhcpv4::Socket>(self.dhcp).poll() {
                let dhcpv4::Event::Configured(config) = event else {
                    self.address(None);
                    continue;
                };
                let address = config.address;
                let router = config.router;
                let mut servers = [IpAddress::v4(0, 0, 0, 0); 2];
                let count = config.dns_servers.len().min(servers.len());
                for (to, from) in servers.iter_mut().zip(&config.dns_servers) {
                    *to = (*from).into();
                }
                self.sockets.get_mut::<dns::Socket>(self.dns).update_servers(&servers[..count]);
                self.address(Some((address, router)));
                return Ok(Some(address));
            }
            if self.interface.ipv4_addr().is_some() {
                return Ok(None);
            }
            pause(start, "address")?;
        }
    }

    /// Resolves a host name with the name server of the lease.
    pub fn resolve(&mut self, host: &str) -> Result<Ipv4Addr, Error> {
        let query = self
            .sockets
            .get_mut::<dns::Socket>(self.dns)
            .start_query(self.interface.context(), host, DnsQueryType::A)
            .map_err(|_| Error::Unknown)?;
        let start = Instant::now();
        loop {
            self.poll();
            let socket = self.sockets.get_mut::<dns::Socket>(self.dns);
            match socket.get_query_result(query) {
                Ok(addresses) => {
                    let first = addresses.into_iter().find_map(|address| match address {
                        IpAddress::Ipv4(address) => Some(address),
                    });
                    return first.ok_or(Error::Unknown);
                }
                Err(dns::GetQueryResultError::Failed) => return Err(Error::Unknown),
                Err(dns::GetQueryResultError::Pending) => {}
            }
            if let Err(err) = pause(start, "answer to a name") {
                self.sockets.get_mut::<dns::Socket>(self.dns).cancel_query(query);
                return Err(err);
            }
        }
    }

    /// Fetches a page of a host and passes the response to show as it arrives.
    pub fn get(
        &mut self,
        address: Ipv4Addr,
        host: &str,
        path: &str,
        mut show: impl FnMut(&str),
    ) -> Result<(), Error> {
        let result = self.request(address, host, path, &mut show);
        // The socket is closed in any case, so that the next request can use it.
        self.sockets.get_mut::<tcp::Socket>(self.tcp).abort();
        self.poll();
        result
    }

    fn request(
        &mut self,
        address: Ipv4Addr,
        host: &str,
        path: &str,
        show: &mut impl FnMut(&str),
    ) -> Result<(), Error> {
        self.port = 0xc000 | self.port.wrapping_add(1);
        let socket = self.sockets.get_mut::<tcp::Socket>(self.tcp);
        socket
            .connect(self.interface.context(), (IpAddress::from(address), 80), self.port)
            .map_err(|_| Error::Link)?;

        let mut start = Instant::now();
        loop {
            self.poll();
            let socket = self.sockets.get_mut::<tcp::Socket>(self.tcp);
            if socket.may_send() {
                break;
            }
            if !socket.is_open() {
                return Err(Error::Refused);
            }
            pause(start, "connection")?;
        }

        let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let socket = self.sockets.get_mut::<tcp::Socket>(self.tcp);
        socket.send_slice(request.as_bytes()).map_err(|_| Error::Reset)?;

        start = Instant::now();
        loop {
            self.poll();
            let socket = self.sockets.get_mut::<tcp::Socket>(self.tcp);
            if socket.can_recv() {
                let _ = socket.recv(|bytes| {
                    show(core::str::from_utf8(bytes).unwrap_or("(not text)"));
                    (bytes.len(), ())
                });
                start = Instant::now();
            } else if !socket.may_recv() {
                // CloseWait: the server has sent everything. Any other state: a reset.
                let complete = socket.state() == tcp::State::CloseWait;
                return if complete { Ok(()) } else { Err(Error::Reset) };
            } else {
                pause(start, "data")?;
            }
        }
    }

    fn address(&mut self, lease: Option<(Ipv4Cidr, Option<Ipv4Addr>)>) {
        self.interface.update_ip_addrs(|addresses| {
            addresses.clear();
            if let Some((address, _)) = lease {
                let _ = addresses.push(IpCidr::Ipv4(address));
            }
        });
        let routes = self.interface.routes_mut();
        routes.remove_default_ipv4_route();
        if let Some((_, Some(router))) = lease {
            let _ = routes.add_default_ipv4_route(router);
        }
    }

    fn poll(&mut self) {
        self.interface.poll(now(), &mut self.link, &mut self.sockets);
    }
}

/// Sleeps for one tick; an error when TIMEOUT has passed since start.
fn pause(start: Instant, what: &'static str) -> Result<(), Error> {
    if start.elapsed() > TIMEOUT {
        return Err(Error::Timeout(what));
    }
    tick();
    Ok(())
}

fn now() -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(Instant::now().duration_since_epoch().as_micros() as i64)
}
