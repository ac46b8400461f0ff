//! GDMA, memory to memory.

#[embedded_test::tests(default_timeout = 3)]
mod tests {
    use esp_hal::{
        dma::{DmaDescriptor, Mem2Mem},
        dma_buffers, dma_buffers_chunk_size,
        peripherals::Peripherals,
    };

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    fn fill(b: &mut [u8], seed: u32) {
        let mut x = seed;
        for v in b {
            x = x.wrapping_mul(1664525).wrapping_add(1013904223);
            *v = (x >> 24) as u8;
        }
    }

    // Sizes around the limits of a descriptor, with bytes after the end untouched.
    #[test]
    fn copies(p: Peripherals) {
        let (rx, rx_descriptors, tx, tx_descriptors) = dma_buffers!(9000);
        let mut copy = Mem2Mem::new(p.DMA_CH1, p.SPI2)
            .with_descriptors(rx_descriptors, tx_descriptors, Default::default())
            .unwrap();
        for (i, size) in [4usize, 8, 64, 4088, 4092, 4096, 8996].into_iter().enumerate() {
            fill(&mut tx[..size], i as u32);
            rx.fill(0xee);
            copy.start_transfer(&mut rx[..size], &tx[..size]).unwrap().wait().unwrap();
            assert_eq!(rx[..size], tx[..size], "{size} bytes");
            assert!(rx[size..].iter().all(|&b| b == 0xee), "bytes after {size}");
        }
    }

    // Many small descriptors.
    #[test]
    fn chains(p: Peripherals) {
        let (rx, rx_descriptors, tx, tx_descriptors) = dma_buffers_chunk_size!(2048, 24);
        fill(tx, 7);
        rx.fill(0);
        let _: &[DmaDescriptor] = rx_descriptors;
        let mut copy = Mem2Mem::new(p.DMA_CH2, p.SPI2)
            .with_descriptors(rx_descriptors, tx_descriptors, Default::default())
            .unwrap();
        copy.start_transfer(rx, tx).unwrap().wait().unwrap();
        assert_eq!(rx, tx);
    }
}
