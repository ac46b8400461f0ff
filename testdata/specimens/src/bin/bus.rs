//! One of two boards on an I2C bus, SDA at GPIO4 and SCL at GPIO5. The one whose GPIO3
//! is high is the controller, the other is a memory of 16 bytes at address 0x2a: what
//! is written is the place and the bytes for it, and a read begins at that place.

#![no_std]
#![no_main]

use esp_backtrace as _;
use esp_hal::{
    Blocking,
    gpio::{Input, InputConfig, Pull},
    i2c::{
        master::{Config, I2c},
        slave::{self, Command, I2cSlave},
    },
    main,
};
use esp_println::println;

esp_bootloader_esp_idf::esp_app_desc!();

const ADDRESS: u8 = 0x2a;

#[main]
fn main() -> ! {
    let p = esp_hal::init(esp_hal::Config::default());
    if Input::new(p.GPIO3, InputConfig::default().with_pull(Pull::Down)).is_high() {
        control(I2c::new(p.I2C0, Config::default()).unwrap().with_sda(p.GPIO4).with_scl(p.GPIO5))
    }
    let config = slave::Config::new(ADDRESS);
    remember(I2cSlave::new(p.I2C0, config).unwrap().with_sda(p.GPIO4).with_scl(p.GPIO5))
}

fn control(mut i2c: I2c<'_, Blocking>) -> ! {
    // The other board boots, and prints a line after each transaction.
    let pause = || esp_hal::delay::Delay::new().delay_millis(5);
    let mut tries = 1;
    while i2c.write(ADDRESS, &[0]).is_err() {
        tries += 1;
        pause();
    }
    pause();
    println!("a device after {tries} tries");
    for n in 0..4 {
        i2c.write(ADDRESS, &[4 * n, n, !n, 0x55, n * n]).unwrap();
        pause();
        i2c.write(ADDRESS, &[4 * n]).unwrap();
        pause();
        let mut got = [0; 4];
        i2c.read(ADDRESS, &mut got).unwrap();
        println!("at {}: {got:02x?}", 4 * n);
        pause();
    }
    println!("at another address: {:?}", i2c.write(ADDRESS + 1, &[0]).unwrap_err());
    loop {}
}

fn remember(mut i2c: I2cSlave<'_, Blocking>) -> ! {
    let (mut memory, mut place) = ([0; 16], 0);
    let mut buffer = [0; 17];
    loop {
        match i2c.listen(&mut buffer).unwrap() {
            Command::Write(0) => {}
            Command::Write(n) => {
                place = usize::from(buffer[0]);
                memory[place..place + n - 1].copy_from_slice(&buffer[1..n]);
                println!("{} bytes for {place}", n - 1);
            }
            Command::Read => {
                let status = i2c.respond_to_read(&memory[place..place + 4]).unwrap();
                println!("read at {place}: {status:?}");
            }
        }
    }
}
