//! What the tests test.

#![no_std]

/// The checksum of a frame.
pub fn checksum(frame: &[u8]) -> u8 {
    frame.iter().fold(0, |sum, b| sum.wrapping_add(*b))
}

/// A panic handler for programs that log with defmt.
#[macro_export]
macro_rules! panic_handler {
    () => {
        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo) -> ! {
            defmt::error!("{}", defmt::Display2Format(info));
            semihosting::process::exit(101)
        }
    };
}
