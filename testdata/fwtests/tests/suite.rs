//! Tests of embedded-test: each kind of end.

#![no_std]
#![no_main]

esp_bootloader_esp_idf::esp_app_desc!();

use esp_println::println;

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    println!("{info}");
    semihosting::process::exit(101)
}

#[cfg(test)]
#[embedded_test::tests(default_timeout = 2)]
mod tests {
    use core::hint::black_box;

    use esp_hal::{delay::Delay, peripherals::Peripherals};
    use esp_println::println;

    #[init]
    fn init() -> Peripherals {
        esp_hal::init(esp_hal::Config::default())
    }

    #[test]
    fn celsius() {
        assert_eq!(fwtests::celsius(16 * 21), 21);
    }

    #[test]
    fn sees_a_fresh_board(_p: Peripherals) {
        static mut COUNT: u32 = 0;
        let n = unsafe {
            COUNT += 1;
            COUNT
        };
        assert_eq!(n, 1);
    }

    #[test]
    #[should_panic]
    fn panics() {
        println!("this is expected");
        assert_eq!(black_box(1), 2);
    }

    #[test]
    #[ignore]
    fn slow() {
        Delay::new().delay_millis(1500);
    }

    #[test]
    fn returns_ok() -> Result<(), &'static str> {
        Delay::new().delay_millis(5);
        Ok(())
    }

    mod fails {
        #[cfg(test)]
        #[embedded_test::tests(default_timeout = 1)]
        mod tests {
            use core::hint::black_box;

            use esp_println::println;

            #[init]
            fn init() {
                let _ = esp_hal::init(esp_hal::Config::default());
            }

            #[test]
            #[ignore]
            fn with_a_panic() {
                println!("reading the sensor");
                sensor(black_box(7));
            }

            #[inline(never)]
            fn sensor(channel: usize) -> u32 {
                let table = black_box([10u32, 20, 30]);
                table[channel]
            }

            #[test]
            #[ignore]
            fn with_an_error() -> Result<(), &'static str> {
                Err("no acknowledge")
            }

            #[test]
            #[ignore]
            fn hangs() {
                loop {}
            }

            #[test]
            #[ignore]
            fn resets() {
                esp_hal::system::software_reset()
            }

            #[test]
            #[ignore]
            #[should_panic]
            fn does_not_panic() {}

            #[test]
            #[ignore]
            fn floods() {
                loop {
                    println!("line after line after line after line");
                }
            }
        }
    }
}
