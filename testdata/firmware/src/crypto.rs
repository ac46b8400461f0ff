//! HMAC and DS with keys in eFuse blocks that the runner has burned: KEY0 is for
//! HMAC upstream, KEY1 for the digital signature.

#[embedded_test::tests(default_timeout = 5)]
mod tests {
    use crate::{get, param, println, set};
    use esp_hal::{
        hmac::{Error, Hmac, HmacPurpose, KeyId},
        peripherals::Peripherals,
        system::Cpu,
    };

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    fn hmac(h: &mut Hmac<'_>, mut message: &[u8]) -> [u8; 32] {
        h.init();
        nb(|| h.configure(HmacPurpose::ToUser, KeyId::Key0)).unwrap();
        while !message.is_empty() {
            message = loop {
                if let Ok(rest) = h.update(message) {
                    break rest;
                }
            };
        }
        let mut out = [0; 32];
        while h.finalize(&mut out).is_err() {}
        out
    }

    fn nb<E>(mut f: impl FnMut() -> Result<(), nb_error::Error<E>>) -> Result<(), E> {
        loop {
            match f() {
                Ok(()) => return Ok(()),
                Err(nb_error::Error::WouldBlock) => {}
                Err(nb_error::Error::Other(e)) => return Err(e),
            }
        }
    }
    use ::nb as nb_error;

    // RFC 4231: test case 2 has another key length, so the runner computes the
    // digests of three messages around the block size with the key of KEY0.
    #[test]
    fn hmac_digests(p: Peripherals) {
        let mut h = Hmac::new(p.HMAC);
        for message in [&b"what do ya want for nothing?"[..], &[0x61; 55], &[0x5a; 64], &[0x33; 200]] {
            let out = hmac(&mut h, message);
            let word = |i: usize| u32::from_be_bytes(out[4 * i..4 * i + 4].try_into().unwrap());
            println!(
                "hmac {:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}",
                word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7)
            );
        }
    }

    // KEY1 has another purpose.
    #[test]
    fn hmac_purpose(p: Peripherals) {
        let mut h = Hmac::new(p.HMAC);
        h.init();
        assert_eq!(nb(|| h.configure(HmacPurpose::ToUser, KeyId::Key1)), Err(Error::KeyPurposeMismatch));
        h.init();
        assert_eq!(nb(|| h.configure(HmacPurpose::ToUser, KeyId::Key0)), Ok(()));
        let _ = Cpu::ProCpu;
    }

    // TRM, Digital Signature (DS): encrypted parameters C of 1200 bytes at 0, IV at
    // 0x630, message X at 0x800, signature Z at 0xa00, SET_START 0xe00, SET_CONTINUE
    // 0xe04, SET_FINISH 0xe08, QUERY_BUSY 0xe0c, QUERY_CHECK 0xe14. Parameters are in
    // PARAMS: C (300 words), IV (4), X (96), and the expected Z (96).
    #[test]
    fn signature(_p: Peripherals) {
        const DS: u32 = 0x6003d000;
        const HMAC: u32 = 0x6003e000;
        // Clocks of SHA, RSA, HMAC and DS on, resets off (PERIP_CLK_EN1, PERIP_RST_EN1).
        set(0x600c0014, get(0x600c0014) | 0x3e);
        set(0x600c001c, get(0x600c001c) & !0x3e);
        set(0x600c0014, get(0x600c0014));
        // RSA memory has power (SYSTEM_RSA_PD_CTRL).
        set(0x600c0038, 0);
        // HMAC derives the key: SET_START, purpose 7, KEY1, SET_PARA_FINISH.
        set(HMAC + 0x40, 1);
        set(HMAC + 0x44, 7);
        set(HMAC + 0x48, 1);
        set(HMAC + 0x4c, 1);
        assert_eq!(get(HMAC + 0x68), 0, "HMAC refuses the key");
        set(DS + 0xe00, 1);
        let mut polls = 0;
        while get(DS + 0xe0c) != 0 {
            polls += 1;
            assert!(polls < 1_000_000, "DS is busy after the start");
        }
        for i in 0..300 {
            set(DS + 4 * i, param(i as usize));
        }
        for i in 0..4 {
            set(DS + 0x630 + 4 * i, param(300 + i as usize));
        }
        for i in 0..96 {
            set(DS + 0x800 + 4 * i, param(304 + i as usize));
        }
        set(DS + 0xe04, 1);
        polls = 0;
        while get(DS + 0xe0c) != 0 {
            polls += 1;
            assert!(polls < 10_000_000, "DS is busy");
        }
        println!("check {}", get(DS + 0xe14));
        assert_eq!(get(DS + 0xe14), 0, "digest or padding of the parameters");
        for i in 0..96 {
            assert_eq!(get(DS + 0xa00 + 4 * i), param(400 + i as usize), "word {i} of the signature");
        }
        set(DS + 0xe08, 1);
    }
}
