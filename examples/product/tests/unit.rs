//! Tests of single functions on the chip.

#![no_std]
#![no_main]

use esp_alloc as _;
use esp_backtrace as _;

esp_bootloader_esp_idf::esp_app_desc!();

extern crate alloc;

#[cfg(test)]
#[embedded_test::tests(default_timeout = 5)]
mod tests {
    use alloc::format;

    use esp_hal::{
        delay::Delay,
        i2c::master::{Config, I2c},
        peripherals::Peripherals,
    };
    use product::{
        bmp180::{self, Calibration, Tenths},
        display, server,
        update::{Decision, decide},
    };

    #[init]
    fn init() -> Peripherals {
        esp_alloc::heap_allocator!(size: 16 * 1024);
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
    fn prints_tenths() {
        for (t, text) in [(215, "21.5"), (-35, "-3.5"), (-4, "-0.4"), (0, "0.0")] {
            assert_eq!(format!("{}", Tenths(t)), text);
        }
    }

    /// The display acknowledges, and a product without one goes on.
    #[test]
    fn shows_a_text(p: Peripherals) {
        let mut i2c = I2c::new(p.I2C0, Config::default()).unwrap().with_sda(p.GPIO4).with_scl(p.GPIO5);
        display::show(&mut i2c, format_args!("{} is longer than the line", 12.5));
    }

    #[test]
    fn reads_the_version_of_a_response() {
        assert_eq!(server::version("HTTP/1.0 200 OK\r\nA: b\r\n\r\n1.4.1\n").as_deref(), Some("1.4.1"));
        assert_eq!(server::version("HTTP/1.0 404 Not Found\r\n\r\n1.4.1\n"), None);
        assert_eq!(server::version("HTTP/1.0 200 OK\r\n\r\n"), None);
        assert_eq!(server::version("1.4.1"), None);
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
