//! LEDC: the runner measures period, duty and fade at the pin.

#[embedded_test::tests(default_timeout = 3)]
mod tests {
    use crate::println;
    use esp_hal::{
        delay::Delay,
        gpio::DriveMode,
        ledc::{
            LSGlobalClkSource, Ledc, LowSpeed,
            channel::{self, ChannelIFace},
            timer::{self, TimerIFace},
        },
        peripherals::Peripherals,
        time::{Instant, Rate},
    };

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    #[test]
    fn duty(p: Peripherals) {
        let mut ledc = Ledc::new(p.LEDC);
        ledc.set_global_slow_clock(LSGlobalClkSource::APBClk);
        let mut timer = ledc.timer::<LowSpeed>(timer::Number::Timer0);
        timer
            .configure(timer::config::Config {
                duty: timer::config::Duty::Duty10Bit,
                clock_source: timer::LSClockSource::APBClk,
                frequency: Rate::from_khz(5),
            })
            .unwrap();
        let mut channel = ledc.channel(channel::Number::Channel0, p.GPIO3);
        channel
            .configure(channel::config::Config {
                timer: &timer,
                duty_pct: 25,
                drive_mode: DriveMode::PushPull,
            })
            .unwrap();
        Delay::new().delay_millis(10);
        channel.set_duty(75).unwrap();
        Delay::new().delay_millis(10);
    }

    #[test]
    fn fade(p: Peripherals) {
        let mut ledc = Ledc::new(p.LEDC);
        ledc.set_global_slow_clock(LSGlobalClkSource::APBClk);
        let mut timer = ledc.timer::<LowSpeed>(timer::Number::Timer2);
        timer
            .configure(timer::config::Config {
                duty: timer::config::Duty::Duty8Bit,
                clock_source: timer::LSClockSource::APBClk,
                frequency: Rate::from_khz(20),
            })
            .unwrap();
        let mut channel = ledc.channel(channel::Number::Channel5, p.GPIO3);
        channel
            .configure(channel::config::Config {
                timer: &timer,
                duty_pct: 0,
                drive_mode: DriveMode::PushPull,
            })
            .unwrap();
        let start = Instant::now();
        channel.start_duty_fade(0, 100, 100).unwrap();
        while channel.is_duty_fade_running() {}
        println!("fade {}", start.elapsed().as_micros());
    }
}
