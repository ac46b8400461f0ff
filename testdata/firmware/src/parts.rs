//! Drivers that others wrote, and two of our own, with the parts that the runner has
//! connected.

#[embedded_test::tests(default_timeout = 5)]
mod tests {
    use crate::println;
    use embedded_graphics::{
        pixelcolor::BinaryColor,
        prelude::*,
        primitives::{PrimitiveStyle, Rectangle},
    };
    use embedded_hal_bus::spi::ExclusiveDevice;
    use esp_hal::{
        Blocking,
        delay::Delay,
        gpio::{Input, InputConfig, Level, Output, OutputConfig, Pull},
        i2c::master::{Config as I2cConfig, I2c},
        peripherals::Peripherals,
        rmt::Rmt,
        spi::{
            Mode,
            master::{Config as SpiConfig, Spi},
        },
        time::Rate,
        uart::{Config as UartConfig, Uart},
    };

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    // SDA is GPIO4, SCL is GPIO5.
    fn i2c(i2c: esp_hal::peripherals::I2C0<'static>, sda: esp_hal::peripherals::GPIO4<'static>, scl: esp_hal::peripherals::GPIO5<'static>) -> I2c<'static, Blocking> {
        I2c::new(i2c, I2cConfig::default().with_frequency(Rate::from_khz(400))).unwrap().with_sda(sda).with_scl(scl)
    }

    #[test]
    fn bmp180(p: Peripherals) {
        let mut sensor = bmp085_180_rs::BMP::new(i2c(p.I2C0, p.GPIO4, p.GPIO5), Delay::new(), Default::default());
        sensor.test_connection().unwrap();
        sensor.init().unwrap();
        println!("millicelsius {}", (sensor.read_temperature().unwrap() * 1000.0) as i32);
        println!("pascals {}", sensor.read_pressure().unwrap());
    }

    #[test]
    fn sht31(p: Peripherals) {
        use sht31::prelude::*;
        let mut sensor = sht31::SHT31::single_shot(i2c(p.I2C0, p.GPIO4, p.GPIO5), SingleShot::new())
            .with_accuracy(Accuracy::High)
            .with_unit(TemperatureUnit::Celsius);
        sensor.clear_status().unwrap();
        sensor.measure().unwrap();
        Delay::new().delay_millis(20);
        let reading = sensor.read().unwrap();
        println!("millicelsius {}", (reading.temperature * 1000.0) as i32);
        println!("millipercent {}", (reading.humidity * 1000.0) as i32);
        // Periodic measurements.
        let mut sensor = sensor.with_mode(Periodic::new().with_mps(MPS::X10));
        sensor.measure().unwrap();
        Delay::new().delay_millis(120);
        let reading = sensor.read().unwrap();
        println!("periodic {}", (reading.temperature * 1000.0) as i32);
        let status = sensor.status().unwrap();
        println!("heater {}", status.heater_on);
    }

    // Sensirion's polynomial, data sheet section 5.10.
    fn crc(bytes: &[u8]) -> u8 {
        let mut crc = 0xffu8;
        for b in bytes {
            crc ^= b;
            for _ in 0..8 {
                crc = if crc & 0x80 != 0 { crc << 1 ^ 0x31 } else { crc << 1 };
            }
        }
        crc
    }

    // By the data sheet: asleep it does not answer; awake it identifies itself, and a
    // measurement without clock stretching is refused until it is complete.
    #[test]
    fn shtc3(p: Peripherals) {
        const ADDRESS: u8 = 0x70;
        let mut i2c = i2c(p.I2C0, p.GPIO4, p.GPIO5);
        i2c.write(ADDRESS, &[0x35, 0x17]).unwrap();
        Delay::new().delay_micros(300);
        let mut id = [0; 3];
        i2c.write_read(ADDRESS, &[0xef, 0xc8], &mut id).unwrap();
        assert_eq!((u16::from_be_bytes([id[0], id[1]]) & 0x083f, crc(&id[..2])), (0x0807, id[2]));
        i2c.write(ADDRESS, &[0x78, 0x66]).unwrap();
        let mut data = [0; 6];
        assert!(i2c.read(ADDRESS, &mut data).is_err(), "measures in no time");
        Delay::new().delay_millis(13);
        i2c.read(ADDRESS, &mut data).unwrap();
        assert_eq!((crc(&data[..2]), crc(&data[3..5])), (data[2], data[5]));
        let word = |at: usize| u16::from_be_bytes([data[at], data[at + 1]]) as i64;
        println!("millicelsius {}", -45_000 + 175_000 * word(0) / 65_536);
        println!("millipercent {}", 100_000 * word(3) / 65_536);
        i2c.write(ADDRESS, &[0xb0, 0x98]).unwrap();
        assert!(i2c.write(ADDRESS, &[0xef, 0xc8]).is_err(), "does not sleep");
    }

    // Accelerometer and temperature by the data sheet's registers.
    #[test]
    fn icm42670(p: Peripherals) {
        const ADDRESS: u8 = 0x68;
        let mut i2c = i2c(p.I2C0, p.GPIO4, p.GPIO5);
        let mut who = [0];
        i2c.write_read(ADDRESS, &[0x75], &mut who).unwrap();
        assert_eq!(who[0], 0x67, "WHO_AM_I");
        i2c.write(ADDRESS, &[0x1f, 0x0f]).unwrap(); // PWR_MGMT0: both in low noise mode
        i2c.write(ADDRESS, &[0x21, 0x47]).unwrap(); // ACCEL_CONFIG0: 4 g, 400 Hz
        Delay::new().delay_millis(50);
        let mut data = [0; 8];
        i2c.write_read(ADDRESS, &[0x09], &mut data).unwrap();
        let word = |at: usize| i16::from_be_bytes([data[at], data[at + 1]]) as i32;
        println!("millicelsius {}", word(0) * 1000 / 128 + 25_000);
        for axis in 0..3 {
            println!("axis{axis} {}", word(2 + 2 * axis) * 4000 / 32_768); // thousandths of g
        }
    }

    #[test]
    fn ssd1306(p: Peripherals) {
        use ssd1306::{I2CDisplayInterface, Ssd1306, prelude::*};
        let interface = I2CDisplayInterface::new(i2c(p.I2C0, p.GPIO4, p.GPIO5));
        let mut display = Ssd1306::new(interface, DisplaySize128x64, DisplayRotation::Rotate0).into_buffered_graphics_mode();
        display.init().unwrap();
        Rectangle::new(Point::new(10, 20), Size::new(30, 8))
            .into_styled(PrimitiveStyle::with_fill(BinaryColor::On))
            .draw(&mut display)
            .unwrap();
        Pixel(Point::new(127, 63), BinaryColor::On).draw(&mut display).unwrap();
        Pixel(Point::new(0, 0), BinaryColor::On).draw(&mut display).unwrap();
        display.flush().unwrap();
    }

    #[test]
    fn flash(p: Peripherals) {
        let spi = Spi::new(p.SPI2, SpiConfig::default().with_frequency(Rate::from_mhz(20)).with_mode(Mode::_0))
            .unwrap()
            .with_sck(p.GPIO6)
            .with_mosi(p.GPIO7)
            .with_miso(p.GPIO2);
        let cs = Output::new(p.GPIO10, Level::High, OutputConfig::default());
        let device = ExclusiveDevice::new(spi, cs, Delay::new()).unwrap();
        let hold = Output::new(p.GPIO3, Level::High, OutputConfig::default());
        let wp = Output::new(p.GPIO8, Level::High, OutputConfig::default());
        let mut flash = w25q32jv::W25q32jv::new(device, hold, wp).unwrap();
        println!("id {:02x?}", flash.device_id().unwrap());
        let mut data = [0u8; 600];
        flash.read(0x1000 - 300, &mut data).unwrap();
        assert!(data.iter().all(|&b| b == 0xff), "not erased");
        for (i, b) in data.iter_mut().enumerate() {
            *b = (i * 7) as u8;
        }
        flash.write_blocking(0x1000 - 300, &data).unwrap();
        let mut got = [0u8; 600];
        flash.read(0x1000 - 300, &mut got).unwrap();
        assert_eq!(got, data);
        flash.erase_sector(1).unwrap();
        flash.read(0x1000 - 300, &mut got).unwrap();
        assert_eq!(got[..300], data[..300]);
        assert!(got[300..].iter().all(|&b| b == 0xff));
    }

    #[test]
    fn ws2812(p: Peripherals) {
        use esp_hal_smartled::{RmtSmartLeds, WS2812B_TIMING, buffer_size, color_order};
        use smart_leds::{RGB8, SmartLedsWrite};
        let rmt = Rmt::new(p.RMT, Rate::from_mhz(80)).unwrap();
        let mut strip = RmtSmartLeds::<{ buffer_size::<RGB8>(3) }, _, RGB8, color_order::Grb>::new(
            WS2812B_TIMING,
            rmt.channel0,
            p.GPIO8,
            Rate::from_mhz(80),
        )
        .unwrap();
        strip.write([RGB8::new(1, 2, 3), RGB8::new(255, 128, 0), RGB8::new(0, 0, 200)]).unwrap();
        Delay::new().delay_millis(1);
    }

    // Counts what a button at GPIO9 does to the pin for 300 ms, with and without
    // waiting until the contact has come to rest.
    #[test]
    fn button(p: Peripherals) {
        let pin = Input::new(p.GPIO9, InputConfig::default().with_pull(Pull::Up));
        println!("ready");
        let (mut edges, mut presses) = (0, 0);
        let (mut last, mut stable, mut since) = (pin.is_low(), false, 0);
        for now in 0..30_000u32 {
            let low = pin.is_low();
            if low != last {
                edges += 1;
                last = low;
                since = now;
            }
            if now - since == 2_000 && last != stable {
                stable = last;
                presses += stable as u32;
            }
            Delay::new().delay_micros(10);
        }
        println!("edges {edges}");
        println!("presses {presses}");
    }

    // A modem: the runner's script answers. GPIO4 is TX, GPIO5 is RX.
    #[test]
    fn modem(p: Peripherals) {
        let mut uart = Uart::new(p.UART1, UartConfig::default().with_baudrate(9600)).unwrap().with_tx(p.GPIO4).with_rx(p.GPIO5);
        for (ask, want) in [("AT\r\n", "OK\r\n"), ("AT+CSQ\r\n", "+CSQ: 21,0\r\nOK\r\n")] {
            uart.write(ask.as_bytes()).unwrap();
            let mut got = [0; 32];
            let mut n = 0;
            while n < want.len() {
                n += uart.read(&mut got[n..want.len()]).unwrap();
            }
            assert_eq!(&got[..n], want.as_bytes());
        }
    }

    // SCK GPIO6, MOSI GPIO7, CS GPIO10, D/C GPIO3, reset GPIO2.
    #[test]
    fn st7789(p: Peripherals) {
        use embedded_graphics::pixelcolor::Rgb565;
        let spi = Spi::new(p.SPI2, SpiConfig::default().with_frequency(Rate::from_mhz(40)).with_mode(Mode::_0))
            .unwrap()
            .with_sck(p.GPIO6)
            .with_mosi(p.GPIO7);
        let cs = Output::new(p.GPIO10, Level::High, OutputConfig::default());
        let dc = Output::new(p.GPIO3, Level::Low, OutputConfig::default());
        let reset = Output::new(p.GPIO2, Level::High, OutputConfig::default());
        let device = ExclusiveDevice::new_no_delay(spi, cs).unwrap();
        let mut buffer = [0u8; 512];
        let interface = mipidsi::interface::SpiInterface::new(device, dc, &mut buffer);
        let mut display = mipidsi::Builder::new(mipidsi::models::ST7789, interface)
            .display_size(240, 240)
            .reset_pin(reset)
            .invert_colors(mipidsi::options::ColorInversion::Inverted)
            .init(&mut Delay::new())
            .unwrap();
        display.clear(Rgb565::BLACK).unwrap();
        for (x, colour) in [(10, Rgb565::RED), (60, Rgb565::GREEN), (110, Rgb565::BLUE), (160, Rgb565::new(8, 16, 24))] {
            Rectangle::new(Point::new(x, 30), Size::new(40, 20)).into_styled(PrimitiveStyle::with_fill(colour)).draw(&mut display).unwrap();
        }
        Pixel(Point::new(239, 239), Rgb565::WHITE).draw(&mut display).unwrap();
    }
}
