//! Tests of defmt-test, with a log that also a serial port shows: all of them in one
//! boot, in their order.

#![no_std]
#![no_main]

use esp_hal as _;
use esp_println as _;

esp_bootloader_esp_idf::esp_app_desc!();
frameworks::panic_handler!();

#[cfg(test)]
#[defmt_test::tests]
mod tests {
    use defmt::assert_eq;

    #[init]
    fn init() -> u8 {
        let _ = esp_hal::init(esp_hal::Config::default());
        0
    }

    #[test]
    fn an_empty_frame(_state: &mut u8) {
        assert_eq!(frameworks::checksum(&[]), 0);
    }

    #[test]
    fn wraps(state: &mut u8) {
        defmt::println!("in the second test");
        *state = frameworks::checksum(&[200, 100]);
        assert_eq!(*state, 44);
    }

    // defmt-test calls an ignored test, and ignores what becomes of it.
    #[test]
    #[ignore]
    fn later() -> Result<(), ()> {
        Err(())
    }

    #[test]
    fn keeps_its_state(state: &mut u8) {
        assert_eq!(*state, 44);
    }

    #[test]
    #[should_error]
    fn refuses() -> Result<(), ()> {
        Err(())
    }
}
