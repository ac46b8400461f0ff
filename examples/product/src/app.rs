//! What the product does, from its start on.

use esp_hal::{
    delay::Delay,
    gpio::{Input, InputConfig, Level, Output, OutputConfig, Pull},
    i2c::master::{Config, I2c},
    peripherals::Peripherals,
};
use esp_println::println;

use crate::{bmp180, update};

/// Above this temperature the LED lights, in tenths of a degree Celsius.
pub const TOO_WARM: i32 = 300;

pub fn run(p: Peripherals) -> ! {
    let delay = Delay::new();
    let button = Input::new(p.GPIO9, InputConfig::default().with_pull(Pull::Up));
    let mut led = Output::new(p.GPIO8, Level::Low, OutputConfig::default());
    let mut i2c = I2c::new(p.I2C0, Config::default())
        .expect("the bus speed is possible")
        .with_sda(p.GPIO4)
        .with_scl(p.GPIO5);
    println!("product {}: {:?}", env!("CARGO_PKG_VERSION"), update::decide(env!("CARGO_PKG_VERSION"), "1.4.1"));
    println!("ready");
    let mut pressed = false;
    loop {
        if button.is_low() != pressed {
            pressed = !pressed;
            if pressed {
                match bmp180::temperature(&mut i2c, &delay) {
                    Ok(t) => {
                        let (sign, t10) = (if t < 0 { "-" } else { "" }, t.unsigned_abs());
                        println!("temperature {sign}{}.{}", t10 / 10, t10 % 10);
                        led.set_level(if t > TOO_WARM { Level::High } else { Level::Low });
                    }
                    Err(e) => println!("sensor: {e:?}"),
                }
            }
        }
        delay.delay_millis(5);
    }
}
