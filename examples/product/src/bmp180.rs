//! The pressure sensor BMP180, of which only the temperature is used (data sheet
//! BST-BMP180-DS000, section 3.5).

use core::fmt;

use esp_hal::{
    Blocking,
    delay::Delay,
    i2c::master::{Error, I2c},
};

const ADDRESS: u8 = 0x77;
const CALIBRATION: u8 = 0xaa;
const CONTROL: u8 = 0xf4;
const RESULT: u8 = 0xf6;
const READ_TEMPERATURE: u8 = 0x2e;

/// The calibration values of a sensor that the temperature needs.
#[derive(Clone, Copy, Debug)]
pub struct Calibration {
    pub ac5: i32,
    pub ac6: i32,
    pub mc: i32,
    pub md: i32,
}

impl Calibration {
    /// Tenths of a degree Celsius of a raw reading.
    pub fn celsius(&self, raw: i32) -> i32 {
        let x1 = (raw - self.ac6) * self.ac5 >> 15;
        let x2 = (self.mc << 11) / (x1 + self.md);
        (x1 + x2 + 8) >> 4
    }
}

/// Prints tenths of a degree, such as -35 as -3.5.
pub struct Tenths(pub i32);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let t = self.0.unsigned_abs();
        write!(f, "{}{}.{}", if self.0 < 0 { "-" } else { "" }, t / 10, t % 10)
    }
}

/// Measures, in tenths of a degree Celsius.
pub fn temperature(i2c: &mut I2c<'_, Blocking>, delay: &Delay) -> Result<i32, Error> {
    let mut b = [0; 22];
    i2c.write_read(ADDRESS, &[CALIBRATION], &mut b)?;
    let word = |i: usize| u16::from_be_bytes([b[2 * i], b[2 * i + 1]]);
    let calibration = Calibration {
        ac5: word(4).into(),
        ac6: word(5).into(),
        mc: (word(9) as i16).into(),
        md: (word(10) as i16).into(),
    };
    i2c.write(ADDRESS, &[CONTROL, READ_TEMPERATURE])?;
    delay.delay_millis(5);
    let mut raw = [0; 2];
    i2c.write_read(ADDRESS, &[RESULT], &mut raw)?;
    Ok(calibration.celsius(u16::from_be_bytes(raw).into()))
}
