//! UART1 from GPIO2 to GPIO3, which a wire joins.

#[embedded_test::tests(default_timeout = 3)]
mod tests {
    use crate::println;
    use esp_hal::{
        peripherals::Peripherals,
        time::{Duration, Instant},
        uart::{AtCmdConfig, Config, DataBits, Parity, RxConfig, RxError, StopBits, Uart, UartInterrupt},
    };

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    // Every format of a byte, and the time that the line takes.
    #[test]
    fn formats(p: Peripherals) {
        let mut uart = Uart::new(p.UART1, Config::default()).unwrap().with_tx(p.GPIO2).with_rx(p.GPIO3);
        for (baud, data, parity, stop, bits) in [
            (115_200, DataBits::_8, Parity::None, StopBits::_1, 10),
            (9_600, DataBits::_7, Parity::Even, StopBits::_1, 10),
            (1_000_000, DataBits::_8, Parity::Odd, StopBits::_2, 12),
            (57_600, DataBits::_5, Parity::None, StopBits::_1, 7),
        ] {
            uart.apply_config(
                &Config::default().with_baudrate(baud).with_data_bits(data).with_parity(parity).with_stop_bits(stop),
            )
            .unwrap();
            let mask = match data {
                DataBits::_5 => 0x1f,
                DataBits::_7 => 0x7f,
                _ => 0xff,
            };
            let sent: [u8; 40] = core::array::from_fn(|i| (i as u8).wrapping_mul(37) & mask);
            let start = Instant::now();
            assert_eq!(uart.write(&sent).unwrap(), 40);
            uart.flush().unwrap();
            let took = start.elapsed().as_micros() as u32;
            let want = 40 * bits * 1_000_000 / baud;
            assert!(took.abs_diff(want) < want / 20 + 30, "{baud} baud: {took} us, want {want}");
            let mut got = [0; 40];
            let mut n = 0;
            while n < 40 {
                n += uart.read(&mut got[n..]).unwrap();
            }
            assert_eq!(got, sent, "{baud} baud");
        }
    }

    // A break is seen by the receiver, and one byte of another speed is an error.
    #[test]
    fn breaks(p: Peripherals) {
        let mut uart = Uart::new(p.UART1, Config::default()).unwrap().with_tx(p.GPIO2).with_rx(p.GPIO3);
        assert!(!uart.is_break_detected());
        uart.send_break(20);
        assert!(uart.wait_for_break_with_timeout(Duration::from_millis(20)));
        println!("break seen");
    }

    // More bytes than the FIFO holds are lost, and an error says so.
    #[test]
    fn overflow(p: Peripherals) {
        let mut uart = Uart::new(p.UART1, Config::default().with_baudrate(1_000_000)).unwrap().with_tx(p.GPIO2).with_rx(p.GPIO3);
        let sent = [0x55; 200];
        let mut n = 0;
        while n < 200 {
            n += uart.write(&sent[n..]).unwrap();
        }
        uart.flush().unwrap();
        esp_hal::delay::Delay::new().delay_millis(2);
        let mut got = [0; 256];
        match uart.read(&mut got) {
            Err(RxError::FifoOverflowed) => {}
            r => panic!("{r:?}"),
        }
    }

    // The interrupt of a full FIFO, and of a line that is idle after fewer bytes.
    #[test]
    fn interrupts(p: Peripherals) {
        let rx = RxConfig::default().with_fifo_full_threshold(20).with_timeout(10);
        let mut uart = Uart::new(p.UART1, Config::default().with_rx(rx)).unwrap().with_tx(p.GPIO2).with_rx(p.GPIO3);
        uart.set_at_cmd(AtCmdConfig::default().with_cmd_char(b'+').with_char_num(3).with_pre_idle_count(0).with_post_idle_count(0));
        uart.clear_interrupts(UartInterrupt::AtCmd | UartInterrupt::RxFifoFull | UartInterrupt::RxTimeout);
        uart.write(&[1; 21]).unwrap();
        uart.flush().unwrap();
        esp_hal::delay::Delay::new().delay_millis(2);
        let seen = uart.interrupts();
        assert!(seen.contains(UartInterrupt::RxFifoFull), "{seen:?}");
        assert!(!seen.contains(UartInterrupt::AtCmd), "{seen:?}");
        uart.write(b"+++").unwrap();
        uart.flush().unwrap();
        esp_hal::delay::Delay::new().delay_millis(5);
        let seen = uart.interrupts();
        assert!(seen.contains(UartInterrupt::AtCmd), "{seen:?}");
    }
}
