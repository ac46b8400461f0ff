//! What the product does, from its start on.

use esp_hal::{
    delay::Delay,
    gpio::{Input, InputConfig, Level, Output, OutputConfig, Pull},
    i2c::master::{Config, I2c},
    peripherals::{FROM_CPU_INTR0, Peripherals, TIMG0},
    ram,
    time::{Duration, Instant},
    timer::timg::TimerGroup,
};
use esp_println::println;

use crate::{bmp180, display, radio::sleep, server::Server, update};

/// Above this temperature the LED lights, in tenths of a degree Celsius.
pub const TOO_WARM: i32 = 300;

/// How often the server is asked for an update.
const CHECK: Duration = Duration::from_secs(10);

/// Starts what the Wi-Fi driver needs: a heap, whose first block is RAM that the
/// bootloader no longer uses, and the scheduler of its threads.
pub fn start(timer: TIMG0<'static>, interrupt: FROM_CPU_INTR0<'static>) {
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 64 * 1024);
    esp_rtos::start(TimerGroup::new(timer).timer0, interrupt);
}

pub fn run(p: Peripherals) -> ! {
    start(p.TIMG0, p.FROM_CPU_INTR0);
    let delay = Delay::new();
    let button = Input::new(p.GPIO9, InputConfig::default().with_pull(Pull::Up));
    let mut led = Output::new(p.GPIO8, Level::Low, OutputConfig::default());
    let mut i2c = I2c::new(p.I2C0, Config::default())
        .expect("the bus speed is possible")
        .with_sda(p.GPIO4)
        .with_scl(p.GPIO5);
    let mut server = Server::new(p.WIFI);
    println!("product {}", env!("CARGO_PKG_VERSION"));
    display::show(&mut i2c, format_args!("ready"));
    println!("ready");

    let mut pressed = false;
    let mut next_check = Instant::now();
    loop {
        if Instant::now() >= next_check {
            check_update(&mut server);
            next_check = Instant::now() + CHECK;
        }
        if button.is_low() != pressed {
            pressed = !pressed;
            if pressed {
                match bmp180::temperature(&mut i2c, &delay) {
                    Ok(t) => {
                        println!("temperature {}", bmp180::Tenths(t));
                        display::show(&mut i2c, format_args!("{} C", bmp180::Tenths(t)));
                        led.set_level(if t > TOO_WARM { Level::High } else { Level::Low });
                    }
                    Err(e) => {
                        println!("sensor: {e:?}");
                        display::show(&mut i2c, format_args!("no sensor"));
                    }
                }
            }
        }
        sleep(Duration::from_millis(5));
    }
}

/// Prints what is to be done about the version that the server offers.
pub fn check_update(server: &mut Server) {
    match server.offered() {
        Ok(version) => println!("update {version}: {:?}", update::decide(env!("CARGO_PKG_VERSION"), &version)),
        Err(err) => println!("update: {err}"),
    }
}
