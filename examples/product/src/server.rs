//! Asks the update server, over Wi-Fi, which version it offers.

use alloc::string::String;

use esp_hal::{peripherals::WIFI, rng::Rng};
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, Interface, WifiController, sta::StationConfig,
};

use crate::{
    net::{Error, Network},
    radio::block_on,
};

// From [env] in .cargo/config.toml.
const SSID: &str = env!("SSID");
const PASSWORD: &str = env!("PASSWORD");

/// The emulated network has this host; a product names its own.
const HOST: &str = "espalier.lan";
const PATH: &str = "/version";

pub struct Server {
    wifi: WifiController<'static>,
    network: Network,
}

impl Server {
    /// Starts the Wi-Fi driver, which needs the heap and the scheduler.
    pub fn new(wifi: WIFI<'static>) -> Server {
        let mut wifi = WifiController::new(wifi, Default::default()).expect("Wi-Fi driver");
        let station = StationConfig::default()
            .with_ssid(SSID.try_into().expect("SSID has at most 32 bytes"))
            .with_authentication(AuthenticationMethodConfig::Wpa2Personal(
                PASSWORD.try_into().expect("PASSWORD has at most 64 bytes"),
            ));
        wifi.set_config(&Config::Station(station)).expect("station mode");
        let rng = Rng::new();
        let seed = u64::from(rng.random()) << 32 | u64::from(rng.random());
        Server { wifi, network: Network::new(Interface::station(), seed) }
    }

    /// The version that the server offers. Joins the network when it has to.
    pub fn offered(&mut self) -> Result<String, Error> {
        if self.wifi.ap_info().is_err() {
            block_on(self.wifi.connect_async()).map_err(Error::Join)?;
            self.network.restart();
        }
        self.network.lease()?;
        let address = self.network.resolve(HOST)?;
        let mut response = String::new();
        self.network.get(address, HOST, PATH, |text| response.push_str(text))?;
        version(&response).ok_or(Error::NoVersion)
    }
}

/// The first line of the body of a response that says 200.
pub fn version(response: &str) -> Option<String> {
    let (head, body) = response.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?;
    let line = body.lines().next()?.trim();
    (status == "200" && !line.is_empty()).then(|| line.into())
}
