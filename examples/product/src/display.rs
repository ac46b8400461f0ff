//! The display: 128 by 32 pixels with an SSD1306, on the sensor's bus.

use core::fmt::{self, Write};

use embedded_graphics::{
    mono_font::{MonoTextStyle, ascii::FONT_10X20},
    pixelcolor::BinaryColor,
    prelude::{Drawable, Point},
    text::{Baseline, Text},
};
use esp_hal::{Blocking, i2c::master::I2c};
use ssd1306::{
    I2CDisplayInterface, Ssd1306,
    mode::DisplayConfig,
    rotation::DisplayRotation,
    size::DisplaySize128x32,
};

/// Shows one line of up to 12 characters in the place of the last one. A display
/// that does not answer is no error: the product works without one.
pub fn show(i2c: &mut I2c<'_, Blocking>, text: fmt::Arguments<'_>) {
    let mut line = Line { text: [0; 12], len: 0 };
    let _ = line.write_fmt(text);
    let mut display = Ssd1306::new(I2CDisplayInterface::new(i2c), DisplaySize128x32, DisplayRotation::Rotate0)
        .into_buffered_graphics_mode();
    if display.init().is_err() {
        return;
    }
    let style = MonoTextStyle::new(&FONT_10X20, BinaryColor::On);
    let _ = Text::with_baseline(line.as_str(), Point::new(4, 6), style, Baseline::Top).draw(&mut display);
    let _ = display.flush();
}

/// Text that is cut at its end.
struct Line {
    text: [u8; 12],
    len: usize,
}

impl Line {
    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.text[..self.len]).unwrap_or("?")
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for c in s.bytes().filter(u8::is_ascii) {
            if self.len == self.text.len() {
                return Err(fmt::Error);
            }
            self.text[self.len] = c;
            self.len += 1;
        }
        Ok(())
    }
}
