//! Fetches a page over TLS 1.3 from each of several hosts, verifying their
//! certificates against one root, and expects some of them to be rejected.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec;
use core::sync::atomic::{AtomicU32, Ordering};

use embassy_executor::Spawner;
use embassy_net::{
    IpAddress, Runner, Stack, StackResources,
    dns::DnsQueryType,
    tcp::TcpSocket,
    udp::{PacketMetadata, UdpSocket},
};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_tls::{
    Aes128GcmSha256, Certificate, CryptoProvider, CryptoRngCore, TlsClock, TlsConfig,
    TlsConnection, TlsContext, TlsError, TlsVerifier, pki::CertVerifier,
};
use esp_alloc as _;
use esp_backtrace as _;
use esp_hal::{
    clock::CpuClock,
    ram,
    rng::{Rng, Trng},
    timer::timg::TimerGroup,
};
use esp_println::{print, println};
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, Interface, WifiController, sta::StationConfig,
};
use static_cell::StaticCell;

const SSID: &str = env!("SSID");
const PASSWORD: &str = env!("PASSWORD");

/// The only certificate authority that this program trusts.
static ROOT: &[u8] = include_bytes!("../../root.der");

/// The NTP server, and the hosts to request: only the first and the last have a
/// valid certificate.
const TIME_SERVER: &str = "espalier.lan";
const HOSTS: [&str; 5] = [
    "espalier.lan",
    "untrusted.espalier.lan",
    "wrong-name.espalier.lan",
    "expired.espalier.lan",
    "www.example.com",
];

const TIMEOUT: Duration = Duration::from_secs(10);

esp_bootloader_esp_idf::esp_app_desc!();

#[esp_rtos::main]
async fn main(spawner: Spawner) -> ! {
    static RESOURCES: StaticCell<StackResources<4>> = StaticCell::new();

    let peripherals = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 64 * 1024);
    let timers = TimerGroup::new(peripherals.TIMG0);
    esp_rtos::start(timers.timer0, peripherals.FROM_CPU_INTR0);

    let mut wifi = WifiController::new(peripherals.WIFI, Default::default()).expect("Wi-Fi driver");
    let station = StationConfig::default()
        .with_ssid(SSID.try_into().expect("SSID has at most 32 bytes"))
        .with_authentication(AuthenticationMethodConfig::Wpa2Personal(
            PASSWORD.try_into().expect("PASSWORD has at most 64 bytes"),
        ));
    wifi.set_config(&Config::Station(station))
        .expect("station mode");

    let rng = Rng::new();
    let seed = u64::from(rng.random()) << 32 | u64::from(rng.random());
    let (stack, runner) = embassy_net::new(
        Interface::station(),
        embassy_net::Config::dhcpv4(Default::default()),
        RESOURCES.init(StackResources::new()),
        seed,
    );
    spawner.spawn(network(runner).expect("spawning the network task"));

    wifi.connect_async().await.expect("connecting to the access point");
    stack.wait_config_up().await;
    if let Err(err) = set_clock(stack).await {
        println!("setting the clock: {err}");
    }
    for host in HOSTS {
        println!("GET https://{host}/");
        if let Err(err) = fetch(stack, host).await {
            println!("{host}: {err:?}");
        }
    }
    println!("all hosts requested");
    loop {
        Timer::after_secs(60).await;
    }
}

/// Moves packets between the driver and the TCP/IP stack.
#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Interface>) -> ! {
    runner.run().await
}

/// The wall clock, for the validity of certificates.
struct Clock;

/// Unix time at power-on in seconds, 0 while it is unknown.
static EPOCH: AtomicU32 = AtomicU32::new(0);

impl TlsClock for Clock {
    fn now() -> Option<u64> {
        let epoch = u64::from(EPOCH.load(Ordering::Relaxed));
        // While the time is unknown this returns 1970, so that no certificate
        // is valid: with None the verifier would accept expired ones.
        Some(
            epoch
                + if epoch > 0 {
                    Instant::now().as_secs()
                } else {
                    0
                },
        )
    }
}

/// Requests the time from the NTP server (RFC 4330), with retries because
/// packets can be lost.
async fn set_clock(stack: Stack<'_>) -> Result<(), &'static str> {
    const SINCE_1900: u32 = 2_208_988_800;
    let address = resolve(stack, TIME_SERVER).await.ok_or("no address of the time server")?;
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 1], [PacketMetadata::EMPTY; 1]);
    let (mut rx, mut tx) = ([0; 48], [0; 48]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    socket.bind(0).map_err(|_| "no free UDP port")?;
    for _ in 0..5 {
        let mut packet = [0; 48];
        packet[0] = 4 << 3 | 3; // version 4, client
        socket
            .send_to(&packet, (address, 123))
            .await
            .map_err(|_| "sending the request failed")?;
        let reply = with_timeout(Duration::from_secs(1), socket.recv_from(&mut packet)).await;
        if let Ok(Ok((48, _))) = reply {
            let seconds = u32::from_be_bytes([packet[40], packet[41], packet[42], packet[43]]);
            let now = seconds.wrapping_sub(SINCE_1900);
            EPOCH.store(now - Instant::now().as_secs() as u32, Ordering::Relaxed);
            println!("Unix time {now}");
            return Ok(());
        }
    }
    Err("no reply from the time server")
}

async fn resolve(stack: Stack<'_>, host: &str) -> Option<IpAddress> {
    let query = stack.dns_query(host, DnsQueryType::A);
    with_timeout(TIMEOUT, query)
        .await
        .ok()?
        .ok()?
        .first()
        .copied()
}

/// The random numbers and the certificate verifier of a TLS handshake.
struct Provider {
    random: Trng,
    verifier: CertVerifier<'static, Aes128GcmSha256, Clock, 1024>,
}

impl CryptoProvider for Provider {
    type CipherSuite = Aes128GcmSha256;
    type Signature = &'static [u8];

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut self.random
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut self.verifier)
    }
}

#[derive(Debug)]
enum Error {
    Unknown,
    Unreachable,
    #[allow(dead_code, reason = "printed by Debug")]
    Tls(TlsError),
}

impl From<TlsError> for Error {
    fn from(err: TlsError) -> Self {
        Error::Tls(err)
    }
}

/// Fetches the root page of a host and prints it.
async fn fetch(stack: Stack<'_>, host: &str) -> Result<(), Error> {
    let address = resolve(stack, host).await.ok_or(Error::Unknown)?;
    let (mut rx, mut tx) = ([0; 4096], [0; 1024]);
    let mut socket = TcpSocket::new(stack, &mut rx, &mut tx);
    socket.set_timeout(Some(TIMEOUT));
    socket
        .connect((address, 443))
        .await
        .map_err(|_| Error::Unreachable)?;

    // Received TLS records have up to 16 KiB; those that this program sends are short.
    let (mut incoming, mut outgoing) = (vec![0; 16640], vec![0; 2048]);
    let mut tls: TlsConnection<_, Aes128GcmSha256> =
        TlsConnection::new(socket, &mut incoming, &mut outgoing);
    let config = TlsConfig::new().with_server_name(host);
    let provider = Provider {
        random: Trng::try_new().expect("the radio is a source of entropy"),
        verifier: CertVerifier::new(Certificate::X509(ROOT)),
    };
    let start = Instant::now();
    tls.open(TlsContext::new(&config, provider)).await?;
    println!(
        "{host}: certificate verified, handshake took {} ms",
        start.elapsed().as_millis()
    );

    for part in [
        "GET / HTTP/1.0\r\nHost: ",
        host,
        "\r\nConnection: close\r\n\r\n",
    ] {
        embedded_io_async::Write::write_all(&mut tls, part.as_bytes()).await?;
    }
    tls.flush().await?;
    let mut buffer = [0; 512];
    loop {
        match tls.read(&mut buffer).await {
            Ok(0) | Err(TlsError::ConnectionClosed) => break,
            Ok(size) => match core::str::from_utf8(&buffer[..size]) {
                Ok(text) => print!("{text}"),
                Err(_) => print!("(not text)"),
            },
            Err(err) => return Err(err.into()),
        }
    }
    println!();
    Ok(())
}
