//! What the tests test.

#![no_std]

/// Celsius of a raw reading: 16 steps a degree.
pub fn celsius(raw: i16) -> i16 {
    raw >> 4
}
