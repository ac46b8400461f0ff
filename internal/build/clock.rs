// Sets the wall clock of dynamically linked programs ahead: a library for
// LD_PRELOAD. The kernel's clock stays, and so do the times of files.
#![no_std]

use core::ffi::{c_int, c_long};

#[repr(C)]
pub struct Timespec {
    seconds: i64,
    rest: i64, // nanoseconds, or microseconds of gettimeofday
}

extern "C" {
    fn syscall(number: c_long, ...) -> c_long; // sets errno
}

#[cfg(target_arch = "x86_64")]
const CLOCK_GETTIME: c_long = 228;
#[cfg(target_arch = "aarch64")]
const CLOCK_GETTIME: c_long = 113;

const fn offset() -> i64 {
    let digits = env!("ESPALIER_CLOCK").as_bytes();
    let (mut n, mut i) = (0, 0);
    while i < digits.len() {
        n = n * 10 + (digits[i] - b'0') as i64;
        i += 1;
    }
    n
}

#[no_mangle]
pub unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int {
    let failed = syscall(CLOCK_GETTIME, clock as c_long, time);
    // CLOCK_REALTIME, _COARSE, CLOCK_TAI
    if failed == 0 && matches!(clock, 0 | 5 | 11) {
        (*time).seconds += offset();
    }
    failed as c_int
}

#[no_mangle]
pub unsafe extern "C" fn gettimeofday(time: *mut Timespec, _zone: *mut u8) -> c_int {
    if time.is_null() {
        return 0;
    }
    let failed = clock_gettime(0, time);
    (*time).rest /= 1000;
    failed
}

#[no_mangle]
pub unsafe extern "C" fn time(to: *mut i64) -> i64 {
    let mut now = Timespec { seconds: 0, rest: 0 };
    clock_gettime(0, &mut now);
    if !to.is_null() {
        *to = now.seconds;
    }
    now.seconds
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
