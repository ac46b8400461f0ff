//! A test of defmt-test that fails: those after it do not run.

#![no_std]
#![no_main]

use defmt_rtt as _;
use esp_hal as _;

esp_bootloader_esp_idf::esp_app_desc!();
frameworks::panic_handler!();

#[cfg(test)]
#[defmt_test::tests]
mod tests {
    #[test]
    fn good() {
        defmt::assert_eq!(frameworks::checksum(&[1, 2]), 3);
    }

    #[test]
    fn bad() {
        defmt::assert_eq!(frameworks::checksum(&[1, 2]), 4, "the sum of {}", [1u8, 2]);
    }

    #[test]
    fn never() {}
}
