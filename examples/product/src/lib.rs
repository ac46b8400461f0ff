//! A thermometer: reads a BMP180 when its button is pressed, lights an LED when
//! it is too warm, and decides about updates.

#![no_std]

pub mod app;
pub mod bmp180;
pub mod update;
