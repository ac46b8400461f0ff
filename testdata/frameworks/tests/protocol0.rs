//! Tests of embedded-test 0.6.

#![no_std]
#![no_main]

use defmt as _;
use defmt_rtt as _;
use esp_hal as _;

esp_bootloader_esp_idf::esp_app_desc!();
frameworks::panic_handler!();

#[cfg(test)]
#[embedded_test::tests]
mod tests {
    use esp_hal::{delay::Delay, peripherals::Peripherals};

    #[init]
    fn init() -> Peripherals {
        esp_hal::init(esp_hal::Config::default())
    }

    #[test]
    fn sums(_p: Peripherals) {
        defmt::println!("a frame of three bytes");
        assert_eq!(frameworks::checksum(&[1, 2, 253]), 0);
    }

    #[test]
    #[should_panic]
    fn panics() {
        assert_eq!(frameworks::checksum(&[1]), 2);
    }

    #[test]
    #[ignore]
    fn fails() -> Result<(), u8> {
        Err(frameworks::checksum(&[7]))
    }

    #[test]
    #[ignore]
    #[timeout(1)]
    fn hangs() {
        Delay::new().delay_millis(1500);
    }
}
