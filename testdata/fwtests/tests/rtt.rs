//! Logs by RTT, and answers what it reads from the down channel.

#![no_std]
#![no_main]

use esp_hal::{delay::Delay, main};
use panic_rtt_target as _;
use rtt_target::{rprintln, rtt_init};

esp_bootloader_esp_idf::esp_app_desc!();

#[main]
fn main() -> ! {
    let _ = esp_hal::init(esp_hal::Config::default());
    let channels = rtt_init! {
        up: {
            0: { size: 512, name: "Terminal" }
        }
        down: {
            0: { size: 16, name: "Terminal" }
        }
    };
    rtt_target::set_print_channel(channels.up.0);
    let mut down = channels.down.0;
    for n in 0..40 {
        rprintln!("line {} by RTT, long enough to fill the buffer soon", n);
        Delay::new().delay_millis(1);
    }
    let mut buf = [0; 16];
    for _ in 0..100 {
        let n = down.read(&mut buf);
        if n > 0 {
            rprintln!("received {} bytes", n);
            semihosting::process::exit(0);
        }
        Delay::new().delay_millis(5);
    }
    rprintln!("received nothing");
    semihosting::process::exit(0)
}
