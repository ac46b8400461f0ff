//! RMT from GPIO2 to GPIO3, which a wire joins.

#[embedded_test::tests(default_timeout = 3)]
mod tests {
    use esp_hal::{
        gpio::Level,
        peripherals::Peripherals,
        rmt::{PulseCode, Rmt, RxChannelConfig, RxChannelCreator, TxChannelConfig, TxChannelCreator},
        time::Rate,
    };

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    // Pulses of different lengths arrive with these lengths, in ticks of 1 us.
    #[test]
    fn lengths(p: Peripherals) {
        let rmt = Rmt::new(p.RMT, Rate::from_mhz(80)).unwrap();
        let tx = rmt
            .channel0
            .configure_tx(&TxChannelConfig::default().with_clk_divider(80).with_idle_output(true).with_idle_output_level(Level::Low))
            .unwrap()
            .with_pin(p.GPIO2);
        let rx = rmt
            .channel2
            .configure_rx(&RxChannelConfig::default().with_clk_divider(80).with_idle_threshold(1500))
            .unwrap()
            .with_pin(p.GPIO3);
        let mut data = [PulseCode::default(); 24];
        for (i, d) in data[..23].iter_mut().enumerate() {
            *d = PulseCode::new(Level::High, 10 + 7 * i as u16, Level::Low, 300 - 11 * i as u16);
        }
        data[23] = PulseCode::end_marker();
        let mut got = [PulseCode::default(); 32];
        let receiving = rx.receive(&mut got).unwrap();
        tx.transmit(&data).unwrap().wait().unwrap();
        let (n, _) = receiving.wait().unwrap();
        assert!(n >= 23, "{n} symbols");
        for i in 0..23 {
            let near = |a: u16, b: u16| a.abs_diff(b) <= 1;
            assert!(near(got[i].length1(), data[i].length1()), "symbol {i}: high {}", got[i].length1());
            if i < 22 {
                assert!(near(got[i].length2(), data[i].length2()), "symbol {i}: low {}", got[i].length2());
            }
        }
    }
}
