//! I2S in a loop inside the block.

#[embedded_test::tests(default_timeout = 3)]
mod tests {
    use esp_hal::{
        delay::Delay,
        dma_rx_stream_buffer, dma_tx_stream_buffer,
        gpio::{Flex, NoPin},
        i2s::master::{Channels, DataFormat, I2s, TdmConfig},
        peripherals::Peripherals,
        time::{Instant, Rate},
    };

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    // Samples come back in order, at the rate of the line: 32 kHz, two channels of
    // 16 bits are 128,000 bytes a second.
    #[test]
    fn loopback(p: Peripherals) {
        let rx_buffer = dma_rx_stream_buffer!(8000, 1000);
        let mut tx_buffer = dma_tx_stream_buffer!(8000, 1000);
        let i2s = I2s::new(
            p.I2S0,
            p.DMA_CH0,
            TdmConfig::new_tdm_philips()
                .with_signal_loopback(true)
                .with_sample_rate(Rate::from_khz(32))
                .with_data_format(DataFormat::Data16Channel16)
                .with_channels(Channels::STEREO),
        )
        .unwrap();
        let (din, dout) = unsafe { Flex::new(p.GPIO2).split() };
        let tx = i2s.i2s_tx.with_bclk(NoPin).with_ws(NoPin).with_dout(dout).build();
        let rx = i2s.i2s_rx.with_bclk(NoPin).with_ws(NoPin).with_din(din).build();
        let mut next = 1u8;
        let mut source = |b: &mut [u8]| {
            for v in b.iter_mut() {
                *v = next;
                next = if next == 251 { 1 } else { next + 1 };
            }
        };
        tx_buffer.push_with(|b| {
            source(b);
            b.len()
        });
        let mut reading = rx.read(rx_buffer).ok().unwrap();
        let mut writing = tx.write(tx_buffer).ok().unwrap();
        let mut chunk = [0; 1000];
        let mut want = 0u8;
        let mut seen = 0;
        let start = Instant::now();
        while seen < 16_000 {
            let room = writing.available_bytes().min(chunk.len());
            if room > 0 {
                source(&mut chunk[..room]);
                writing.push(&chunk[..room]);
            }
            let n = reading.available_bytes().min(chunk.len());
            if n > 0 {
                reading.pop(&mut chunk[..n]);
                for &b in &chunk[..n] {
                    if want == 0 {
                        if b == 0 {
                            continue; // silence before the first sample
                        }
                        want = b;
                        assert!(b == 1, "the first byte is {b}");
                    }
                    assert_eq!(b, want, "byte {seen}");
                    want = if want == 251 { 1 } else { want + 1 };
                    seen += 1;
                }
            }
        }
        let took = start.elapsed().as_micros();
        // 16,000 bytes in chunks of 1,000.
        assert!((118_000..142_000).contains(&took), "took {took} us");
        let _ = Delay::new();
    }
}
