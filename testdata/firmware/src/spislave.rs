//! SPI2 as a slave; pins that the program moves are the master.

#[embedded_test::tests(default_timeout = 5)]
mod tests {
    use esp_hal::{
        dma_rx_buffer, dma_tx_buffer,
        gpio::{Flex, InputConfig, Level, OutputConfig},
        peripherals::Peripherals,
        spi::{Mode, slave::Spi},
    };

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    fn output<'a>(pin: impl esp_hal::gpio::Pin + 'a, level: Level) -> Flex<'a> {
        let mut f = Flex::new(pin);
        f.apply_output_config(&OutputConfig::default());
        f.set_level(level);
        f.set_output_enable(true);
        f.set_input_enable(true);
        f
    }

    fn exchange(p: Peripherals, mode: Mode, idle: Level, second_edge: bool) {
        const SIZE: usize = 40;
        let mut clock = output(p.GPIO4, idle);
        let mut mosi = output(p.GPIO5, Level::Low);
        let mut cs = output(p.GPIO6, Level::High);
        let mut miso = Flex::new(p.GPIO7);
        miso.set_input_enable(true);
        miso.apply_input_config(&InputConfig::default());
        let (miso_in, miso_out) = unsafe { miso.split_into_drivers() };
        let spi = Spi::new(p.SPI2, mode)
            .with_sck(clock.peripheral_input())
            .with_mosi(mosi.peripheral_input())
            .with_miso(miso_out)
            .with_cs(cs.peripheral_input())
            .with_dma(p.DMA_CH0);
        let mut rx = dma_rx_buffer!(SIZE).unwrap();
        let mut tx = dma_tx_buffer!(SIZE).unwrap();
        for (i, v) in tx.as_mut_slice().iter_mut().enumerate() {
            *v = 0xc3 ^ (i as u8).wrapping_mul(29);
        }
        rx.as_mut_slice().fill(0);
        let transfer = spi.transfer(SIZE, rx, SIZE, tx).map_err(|e| e.0).unwrap();
        let mut got = [0u8; SIZE];
        cs.set_level(Level::Low);
        for (i, byte) in got.iter_mut().enumerate() {
            let out = 0x5a ^ (i as u8).wrapping_mul(17);
            for bit in (0..8).rev() {
                if second_edge {
                    clock.set_level(!idle);
                }
                mosi.set_level(Level::from(out >> bit & 1 != 0));
                if second_edge {
                    clock.set_level(idle);
                } else {
                    clock.set_level(!idle);
                }
                *byte = *byte << 1 | (miso_in.level() == Level::High) as u8;
                if !second_edge {
                    clock.set_level(idle);
                }
            }
        }
        cs.set_level(Level::High);
        let (_, (rx, tx)) = transfer.wait();
        for (i, &v) in rx.as_slice().iter().enumerate() {
            assert_eq!(v, 0x5a ^ (i as u8).wrapping_mul(17), "byte {i} at the slave");
        }
        assert_eq!(got, tx.as_slice());
    }

    #[test]
    fn mode1(p: Peripherals) {
        exchange(p, Mode::_1, Level::Low, true);
    }

    #[test]
    fn mode3(p: Peripherals) {
        exchange(p, Mode::_3, Level::High, true);
    }
}
