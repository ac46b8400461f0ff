//! Prints what all its parts say, through the mask ROM, and waits.
#![no_std]
#![no_main]

const PRINTF: usize = 0x4000_0040; // ets_printf of the ESP32-C3's mask ROM

#[repr(C)]
pub struct AppDescriptor([u32; 64]);

#[no_mangle]
#[link_section = ".flash.appdesc"]
pub static ESP_APP_DESC: AppDescriptor = {
    let mut words = [0; 64];
    words[0] = 0xABCD_5432;
    AppDescriptor(words)
};

#[no_mangle]
pub extern "C" fn _start() -> ! {
    let printf: unsafe extern "C" fn(*const u8, ...) -> i32 = unsafe { core::mem::transmute(PRINTF) };
    unsafe {
        printf(b"mini: %s, %d\n\0".as_ptr(), cfg::text().as_ptr(), macros::answer!() as u32);
    }
    loop {}
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
