//! Tests of the chip's blocks and of the parts on a board, one function each, for
//! a runner that chooses one after the boot (embedded-test).
//!
//! What a test measures and cannot judge itself it writes by semihosting, one
//! line `NAME VALUE…`; the runner compares it with what it did to the pins. Values
//! that the runner chooses are in PARAMS.

#![no_std]
#![no_main]
#![allow(unexpected_cfgs)] // of the macros of embedded-test

use core::sync::atomic::{AtomicU32, Ordering};

mod analog;
mod crypto;
mod display;
mod dma;
mod i2s;
mod ledc;
mod link;
mod parts;
mod protection;
mod resets;
mod rmt;
mod sleep;
mod spislave;
mod twai;
mod uart;
mod usb;

esp_bootloader_esp_idf::esp_app_desc!();

/// Written by the runner before a test starts.
#[unsafe(no_mangle)]
pub static PARAMS: [AtomicU32; 512] = [const { AtomicU32::new(0) }; 512];

pub fn param(n: usize) -> u32 {
    PARAMS[n].load(Ordering::Relaxed)
}

/// A register.
pub fn get(addr: u32) -> u32 {
    unsafe { (addr as *const u32).read_volatile() }
}

pub fn set(addr: u32, v: u32) {
    unsafe { (addr as *mut u32).write_volatile(v) }
}

pub fn init() -> esp_hal::peripherals::Peripherals {
    esp_hal::init(esp_hal::Config::default())
}

pub use semihosting::println;
