//! Tests of single functions on the chip.

#![no_std]
#![no_main]

use esp_backtrace as _;

esp_bootloader_esp_idf::esp_app_desc!();

#[cfg(test)]
#[embedded_test::tests(default_timeout = 5)]
mod tests {
    use esp_hal::{
        delay::Delay,
        i2c::master::{Config, I2c},
        peripherals::Peripherals,
    };
    use product::{
        bmp180::{self, Calibration},
        update::{Decision, decide},
    };

    #[init]
    fn init() -> Peripherals {
        esp_hal::init(esp_hal::Config::default())
    }

    /// The example of the data sheet.
    #[test]
    fn calibrates() {
        let c = Calibration { ac5: 32757, ac6: 23153, mc: -8711, md: 2868 };
        assert_eq!(c.celsius(27898), 150);
    }

    #[test]
    fn reads_the_sensor(p: Peripherals) {
        let mut i2c = I2c::new(p.I2C0, Config::default()).unwrap().with_sda(p.GPIO4).with_scl(p.GPIO5);
        let t = bmp180::temperature(&mut i2c, &Delay::new()).unwrap();
        assert!((150..=350).contains(&t), "{t}");
    }

    #[test]
    fn installs_newer_versions_only() {
        assert_eq!(decide("1.4.0", "1.4.1"), Decision::Install);
        assert_eq!(decide("1.4.0", "1.10.0"), Decision::Install);
        assert_eq!(decide("1.4.0", "1.4.0"), Decision::UpToDate);
        assert_eq!(decide("1.4.0", "1.3.9"), Decision::Refuse);
        assert_eq!(decide("1.4.0", "1.4"), Decision::Invalid);
        assert_eq!(decide("1.4.0", "1.4.0.1"), Decision::Invalid);
    }
}
