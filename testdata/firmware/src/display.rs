//! A whole display by DMA, for measurements of speed.

#[embedded_test::tests(default_timeout = 10)]
mod tests {
    use crate::println;
    use esp_hal::{
        dma_tx_buffer,
        gpio::{Level, Output, OutputConfig},
        peripherals::Peripherals,
        spi::{
            Mode,
            master::{Config, Spi},
        },
        time::{Duration, Instant, Rate},
    };

    #[init]
    fn init() -> Peripherals {
        esp_hal::init(esp_hal::Config::default().with_cpu_clock(esp_hal::clock::CpuClock::max()))
    }

    // 60 frames of 240 x 240 pixels of 16 bits at 80 MHz, one each 1/60 s: the bus
    // is busy for 11.5 ms of each 16.7 ms.
    #[test]
    fn frames(p: Peripherals) {
        const LINE: usize = 240 * 2;
        const LINES: usize = 60;
        let mut spi = Spi::new(p.SPI2, Config::default().with_frequency(Rate::from_mhz(80)).with_mode(Mode::_0))
            .unwrap()
            .with_sck(p.GPIO6)
            .with_mosi(p.GPIO7)
            .with_dma(p.DMA_CH0);
        let mut cs = Output::new(p.GPIO10, Level::High, OutputConfig::default());
        let mut dc = Output::new(p.GPIO3, Level::Low, OutputConfig::default());
        let _reset = Output::new(p.GPIO2, Level::High, OutputConfig::default());
        let mut pixels = dma_tx_buffer!(LINE * LINES).unwrap();
        let mut command = dma_tx_buffer!(16).unwrap();
        macro_rules! send {
            ($byte:expr, $args:expr) => {{
                command.as_mut_slice()[0] = $byte;
                cs.set_low();
                dc.set_low();
                let (s, c) = spi.write_buffer(1, command).map_err(|e| e.0).unwrap().wait();
                spi = s;
                command = c;
                dc.set_high();
                let args: &[u8] = $args;
                if !args.is_empty() {
                    command.as_mut_slice()[..args.len()].copy_from_slice(args);
                    let (s, c) = spi.write_buffer(args.len(), command).map_err(|e| e.0).unwrap().wait();
                    spi = s;
                    command = c;
                }
                cs.set_high();
            }};
        }
        send!(0x11, &[]);
        send!(0x3a, &[0x55]);
        send!(0x29, &[]);
        let start = Instant::now();
        for frame in 0..60u32 {
            let begin = start + Duration::from_micros(16_667) * frame;
            while Instant::now() < begin {}
            send!(0x2a, &[0, 0, 0, 239]);
            send!(0x2b, &[0, 0, 0, 239]);
            send!(0x2c, &[]);
            cs.set_low();
            for part in 0..4u32 {
                let colour = (frame * 1057 + part * 311) as u16;
                for v in pixels.as_mut_slice().chunks_exact_mut(2) {
                    v.copy_from_slice(&colour.to_be_bytes());
                }
                let (s, b) = spi.write_buffer(LINE * LINES, pixels).map_err(|e| e.0).unwrap().wait();
                spi = s;
                pixels = b;
            }
            cs.set_high();
        }
        println!("frames {}", start.elapsed().as_micros());
    }
}
