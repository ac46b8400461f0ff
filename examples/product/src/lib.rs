//! A thermometer: reads a BMP180 when its button is pressed, shows the temperature
//! on a display, lights an LED when it is too warm, and asks a server over Wi-Fi
//! whether there is an update.

#![no_std]

extern crate alloc;

pub mod app;
pub mod bmp180;
pub mod display;
pub mod net;
pub mod radio;
pub mod server;
pub mod update;
