//! One of two boards that are joined by UART1, TX at GPIO4 and RX at GPIO5. The one
//! whose GPIO3 is high asks, the other answers.

#![no_std]
#![no_main]

use esp_backtrace as _;
use esp_hal::{
    Blocking,
    gpio::{Input, InputConfig, Pull},
    main,
    uart::{Config, Uart},
};
use esp_println::println;

esp_bootloader_esp_idf::esp_app_desc!();

fn read(uart: &mut Uart<'_, Blocking>) -> u8 {
    let mut byte = [0];
    while uart.read(&mut byte).unwrap() == 0 {}
    byte[0]
}

#[main]
fn main() -> ! {
    let p = esp_hal::init(esp_hal::Config::default());
    let asks = Input::new(p.GPIO3, InputConfig::default().with_pull(Pull::Down)).is_high();
    let mut uart = Uart::new(p.UART1, Config::default()).unwrap().with_tx(p.GPIO4).with_rx(p.GPIO5);
    if asks {
        // The other board may not be ready: ask until it has answered.
        let mut byte = [0];
        while byte[0] != b'!' {
            uart.write(b"?").unwrap();
            esp_hal::delay::Delay::new().delay_millis(5);
            if uart.read_ready() {
                uart.read(&mut byte).unwrap();
            }
        }
        for n in 1..=5 {
            uart.write(&[n]).unwrap();
            println!("the square of {n} is {}", read(&mut uart));
        }
        println!("asked");
    }
    loop {
        match read(&mut uart) {
            b'?' => _ = uart.write(b"!").unwrap(),
            n => {
                println!("asked for {n}");
                uart.write(&[n * n]).unwrap();
            }
        };
    }
}
