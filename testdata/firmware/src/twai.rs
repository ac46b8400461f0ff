//! TWAI alone (self test) and with a peer on the bus.

#[embedded_test::tests(default_timeout = 3)]
mod tests {
    use crate::println;
    use esp_hal::{
        gpio::Flex,
        peripherals::Peripherals,
        twai::{BaudRate, EspTwaiFrame, ExtendedId, Id, StandardId, TwaiConfiguration, TwaiMode},
    };

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    #[test]
    fn self_test(p: Peripherals) {
        let (rx, tx) = unsafe { Flex::new(p.GPIO2).split() };
        tx_pull(&tx);
        let mut twai =
            TwaiConfiguration::new(p.TWAI0, rx, tx, BaudRate::B1000K, TwaiMode::SelfTest).start();
        for (id, data) in [
            (Id::from(StandardId::new(0x7ff).unwrap()), &[][..]),
            (Id::from(StandardId::new(0).unwrap()), &[0; 8][..]),
            (Id::from(ExtendedId::new(0x1555_aaaa).unwrap()), &[1, 2, 3, 0xff, 0xff][..]),
        ] {
            let frame = EspTwaiFrame::new_self_reception(id, data).unwrap();
            nb::block!(twai.transmit(&frame)).unwrap();
            let got = nb::block!(twai.receive()).unwrap();
            assert_eq!(got.data(), data);
            assert_eq!(got.identifier(), id);
        }
    }

    fn tx_pull<T>(_: &T) {}

    // The peer of the runner: it acknowledges, and sends each frame back with its
    // identifier plus one and its bytes complemented. GPIO2 is TX, GPIO3 is RX.
    #[test]
    fn peer(p: Peripherals) {
        let mut twai =
            TwaiConfiguration::new(p.TWAI0, p.GPIO3, p.GPIO2, BaudRate::B500K, TwaiMode::Normal).start();
        for (i, data) in [&b"12345678"[..], &[0; 3], &[0xff; 8], &[]].into_iter().enumerate() {
            let frame = EspTwaiFrame::new(StandardId::new(0x120 + 2 * i as u16).unwrap(), data).unwrap();
            nb::block!(twai.transmit(&frame)).unwrap();
            let got = nb::block!(twai.receive()).unwrap();
            assert_eq!(got.identifier(), Id::from(StandardId::new(0x121 + 2 * i as u16).unwrap()));
            assert_eq!(got.data().len(), data.len());
            assert!(got.data().iter().zip(data).all(|(a, b)| *a == !b), "{:?}", got.data());
        }
        println!("errors {} {}", twai.transmit_error_count(), twai.receive_error_count());
    }
}
