//! Two boards that are joined: each runs one of these.

#[embedded_test::tests(default_timeout = 5)]
mod tests {
    use crate::println;
    use esp_hal::{
        gpio::{Input, InputConfig, Level, Output, OutputConfig, Pull},
        i2c::master::{Config as I2cConfig, I2c},
        peripherals::Peripherals,
        time::{Instant, Rate},
        uart::{Config, Uart},
    };

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    fn read<const N: usize>(uart: &mut Uart<'_, esp_hal::Blocking>) -> [u8; N] {
        let mut got = [0; N];
        let mut n = 0;
        while n < N {
            n += uart.read(&mut got[n..]).unwrap();
        }
        got
    }

    // GPIO4 is TX and GPIO5 RX on both; the runner crosses them.
    #[test]
    fn uart_asks(p: Peripherals) {
        let mut uart = Uart::new(p.UART1, Config::default()).unwrap().with_tx(p.GPIO4).with_rx(p.GPIO5);
        esp_hal::delay::Delay::new().delay_millis(20); // the other board boots
        for i in 0..8u8 {
            let sent = [i, 0x80 | i, !i];
            uart.write(&sent).unwrap();
            assert_eq!(read::<3>(&mut uart), [!i, 0x7f & !i, i]);
        }
        println!("asked at {}", Instant::now().duration_since_epoch().as_micros());
    }

    #[test]
    fn uart_answers(p: Peripherals) {
        let mut uart = Uart::new(p.UART1, Config::default()).unwrap().with_tx(p.GPIO4).with_rx(p.GPIO5);
        for _ in 0..8 {
            let got = read::<3>(&mut uart);
            uart.write(&got.map(|b| !b)).unwrap();
        }
        uart.flush().unwrap();
        println!("answered at {}", Instant::now().duration_since_epoch().as_micros());
    }

    // One wire, GPIO6 to GPIO6: the first board drives it, the second measures.
    #[test]
    fn pin_drives(p: Peripherals) {
        let mut pin = Output::new(p.GPIO6, Level::Low, OutputConfig::default());
        let delay = esp_hal::delay::Delay::new();
        delay.delay_millis(20);
        for i in 1..=10 {
            pin.set_high();
            delay.delay_micros(100 * i);
            pin.set_low();
            delay.delay_micros(500);
        }
        delay.delay_millis(5);
    }

    #[test]
    fn pin_measures(p: Peripherals) {
        let pin = Input::new(p.GPIO6, InputConfig::default().with_pull(Pull::Down));
        for i in 1..=10u64 {
            while pin.is_low() {}
            let start = Instant::now();
            while pin.is_high() {}
            let took = start.elapsed().as_micros();
            assert!(took.abs_diff(100 * i) <= 4, "pulse {i} of {took} us");
        }
    }

    // A sensor on the other board: SDA and SCL are GPIO4 and GPIO5.
    #[test]
    fn bus_reads(p: Peripherals) {
        let mut i2c = I2c::new(p.I2C0, I2cConfig::default().with_frequency(Rate::from_khz(100)))
            .unwrap()
            .with_sda(p.GPIO4)
            .with_scl(p.GPIO5);
        let mut id = [0];
        i2c.write_read(0x77u8, &[0xd0], &mut id).unwrap();
        assert_eq!(id, [0x55]);
    }
}
