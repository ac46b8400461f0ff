//! USB-Serial-JTAG: the runner is the host.

#[embedded_test::tests(default_timeout = 3)]
mod tests {
    use esp_hal::{peripherals::Peripherals, usb::usb_serial_jtag::UsbSerialJtag};

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    // Lines come back with their bytes in reverse order, until an empty one.
    #[test]
    fn lines(p: Peripherals) {
        let mut usb = UsbSerialJtag::new(p.USB_DEVICE);
        usb.write(b"ready\n").unwrap();
        usb.flush_tx().unwrap();
        let mut line = [0u8; 300];
        loop {
            let mut n = 0;
            loop {
                if let Ok(b) = usb.read_byte() {
                    if b == b'\n' {
                        break;
                    }
                    line[n] = b;
                    n += 1;
                }
            }
            line[..n].reverse();
            usb.write(&line[..n]).unwrap();
            usb.write(b"\n").unwrap();
            usb.flush_tx().unwrap();
            if n == 0 {
                return;
            }
        }
    }
}
