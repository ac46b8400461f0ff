//! Logs every kind of argument of defmt, mixed with plain text, and ends with a
//! panic.

#![no_std]
#![no_main]

use core::fmt;
use core::hint::black_box;

use defmt::{Debug2Format, Display2Format, Format, debug, error, info, trace, warn};
use esp_backtrace as _;
use esp_hal::main;
use esp_println::println;

esp_bootloader_esp_idf::esp_app_desc!();

defmt::timestamp!("{=u64:us}", esp_hal::time::Instant::now().duration_since_epoch().as_micros());

#[derive(Format, Clone, Copy)]
struct Unit;

#[derive(Format, Clone, Copy)]
struct Pair(u8, i16);

#[derive(Format, Clone, Copy)]
struct Point {
    x: i32,
    y: i32,
    unit: Unit,
}

#[derive(Format, Clone, Copy)]
enum Shape {
    Empty,
    Circle { at: Point, radius: u16 },
    Line(Point, Point),
    Named(&'static str),
}

#[derive(Format)]
enum Single {
    Only(u8),
}

#[derive(Format)]
struct Tree {
    shapes: [Shape; 2],
    best: Option<Shape>,
    worst: Result<Pair, Unit>,
    tuple: (bool, char, u64),
}

struct ByHand(u32);

impl Format for ByHand {
    fn format(&self, f: defmt::Formatter) {
        defmt::write!(f, "hand<{=u32:#010x}>", self.0)
    }
}

struct Many(usize);

impl Format for Many {
    fn format(&self, f: defmt::Formatter) {
        for i in 0..self.0 {
            defmt::write!(f, "{=usize}.", i)
        }
    }
}

#[derive(Debug)]
#[allow(dead_code)]
struct Core {
    text: &'static str,
    number: f32,
}

impl fmt::Display for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} {:.2}>", self.text, self.number)
    }
}

defmt::bitflags! {
    struct Flags: u16 {
        const READ = 0b0001;
        const WRITE = 0b0010;
        const BOTH = Self::READ.bits() | Self::WRITE.bits();
        const HIGH = 0x8000;
    }
}

defmt::bitflags! {
    struct Zero: u8 {
        const NOTHING = 0;
        const SOMETHING = 4;
    }
}

#[main]
fn main() -> ! {
    let _ = esp_hal::init(esp_hal::Config::default());
    println!("plain text before the first frame");
    levels();
    integers();
    hints();
    texts();
    bits();
    nested();
    times();
    println!("plain text between frames, with an address 0x{:08x}", levels as usize);
    defmt::println!("println has no level: {}", 1u8);
    info!("last frame");
    panic!("the end of the log")
}

#[inline(never)]
fn levels() {
    trace!("a trace");
    debug!("a debug message");
    info!("an information");
    warn!("a warning");
    error!("an error");
    info!("braces {{}} and {{{=u8}}}", 1);
    info!("no arguments, ünïcödé → and a \"quote\" \\ backslash");
    info!("address {=u32:#010x} in code", levels as usize as u32);
    info!("two\nlines");
}

#[inline(never)]
fn integers() {
    info!("u8 {=u8} {=u8} i8 {=i8} {=i8}", 0, u8::MAX, i8::MIN, i8::MAX);
    info!("u16 {=u16} i16 {=i16} {=i16}", u16::MAX, i16::MIN, -1);
    info!("u32 {=u32} i32 {=i32} {=i32}", u32::MAX, i32::MIN, -1);
    info!("u64 {=u64} i64 {=i64} {=i64}", u64::MAX, i64::MIN, -1);
    info!("u128 {=u128} i128 {=i128} {=i128}", u128::MAX, i128::MIN, -1);
    info!("usize {=usize} isize {=isize}", usize::MAX, isize::MIN);
    info!("f32 {=f32} {=f32} {=f32} {=f32} {=f32}", 1.5, -0.0, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE);
    info!("f32 {=f32} {=f32} {=f32} {=f32}", 1e10, 1e16, 16777216.0, 0.1);
    info!("f64 {=f64} {=f64} {=f64} {=f64}", 1.5, -1e300, core::f64::consts::PI, f64::NEG_INFINITY);
    info!("bool {=bool} {=bool} char {=char} {=char}", true, false, 'x', '€');
    info!("untyped {} {} {} {} {} {}", 1u8, -2i64, 3.5f32, true, 'c', "text");
    info!("again {0=u8} {0=u8:x} {1=i16} {0=u8:08b}", black_box(0x5a), -300);
    info!("order {1=u8} {0=u16}", 500, 5);
}

#[inline(never)]
fn hints() {
    info!("hex {=u8:x} {=u8:#x} {=u16:04x} {=u16:#06x} {=u32:X} {=u32:#X}", 10, 10, 10, 10, 0xBEEF, 0xBEEF);
    info!("hex i {=i8:x} {=i16:#x} {=i32:08X} {=i64:#x} {=i128:x}", -1, -1, -1, -1, -1);
    info!("binary {=u8:b} {=u8:#b} {=u8:08b} {=u8:#010b} {=i8:b}", 5, 5, 5, 5, -5);
    info!("octal {=u8:o} {=u8:#o} {=u8:04o}", 9, 9, 9);
    info!("padded {=u8:03} {=i16:06} {=u32:#08}", 7, -7, 7);
    info!("debug {=str:?} {=u8:?} {=char:?} {=f32:?}", "quoted \"text\"\n\t\u{7f}é", 1, 'c', 2.0);
    info!("inherited {:x} {:#04x} {:?}", Pair(10, -10), [1u8, 0xab], "a\"b");
    info!("inherited {:08b} {:X}", Some(3u8), Point { x: 0xabc, y: -1, unit: Unit });
}

#[inline(never)]
fn texts() {
    info!("str {=str} empty [{=str}]", "hello", "");
    info!("istr {=istr} {=istr:?}", defmt::intern!("interned"), defmt::intern!("in\"terned"));
    info!("bytes {=[u8]} {=[u8]:x} {=[u8]:#04x} {=[u8]:a} {=[u8]:02X}", &[1, 2, 255][..], &[1, 2, 255][..], &[1, 2, 255][..], &b"ascii\0\xff\n\"\\ "[..], &[0, 16][..]);
    info!("bytes {=[u8; 3]} {=[u8; 4]:a} {=[u8; 0]} {=[u8; 2]:b}", [9, 8, 7], *b"abcd", [], [1, 2]);
    info!("slices {=[?]} {=[?]} {=[?; 2]} {}", &[1u16, 2, 3][..], &[] as &[u8], [Pair(1, 2), Pair(3, 4)], ["a", "b"]);
    info!("u8 slices {} {:x} {:a} {=[?]:a}", [1u8, 2], [0xau8, 0xb], *b"ok", &b"ok"[..]);
    info!("enums {=[?]}", &[Shape::Empty, Shape::Named("n")][..]);
    let core = Core { text: "kernel", number: 1.0 / 3.0 };
    info!("core {} {}", Debug2Format(&core), Display2Format(&core));
    info!("alternate {:#?}", Debug2Format(&core));
    warn!("long {=str}", "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz");
}

#[inline(never)]
fn bits() {
    let status = black_box(0b1101_0110_1010_0101u16);
    info!("bitfields {0=0..4} {0=4..8:x} {0=8..12:#b} {0=12..16:04b}", status);
    info!("bitfields {0=3..10} {0=9..10}", black_box(0xdead_beefu32));
    info!("bitfields {0=24..32:x} {1=0..8} {0=60..64:#x}", black_box(0x8123_4567_89ab_cdefu64), black_box(77u8));
    info!("bitfields {0=100..128:x}", black_box(0x0123_4567_89ab_cdef_0123_4567_89ab_cdefu128));
    info!("flags {} {} {} {} {}", Flags::READ, Flags::BOTH, Flags::empty(), Flags::all(), Flags::HIGH | Flags::WRITE);
    info!("flags {} {}", Zero::empty(), Zero::SOMETHING);
}

#[inline(never)]
fn nested() {
    let p = Point { x: 1, y: -2, unit: Unit };
    let circle = Shape::Circle { at: p, radius: 9 };
    info!("{} {} {} {}", Unit, Pair(1, -1), p, Shape::Empty);
    info!("{} {} {}", circle, Shape::Line(p, p), Shape::Named("x|y"));
    info!("{}", Single::Only(3));
    info!("{=?}", Tree { shapes: [circle, Shape::Empty], best: Some(Shape::Line(p, p)), worst: Err(Unit), tuple: (true, 'ß', 1 << 40) });
    info!("{} {} {}", ByHand(7), Many(3), Many(0));
    info!("{} {} {}", Option::<u8>::None, Some(Some(1u8)), Result::<u8, Pair>::Ok(4));
    info!("{:?} {}", core::time::Duration::from_millis(1500), core::ops::Range { start: 1u8, end: 4 });
    error!("{=[?]}", &[ByHand(1), ByHand(2)][..]);
    info!("boxed {}", &&circle);
}

#[inline(never)]
fn times() {
    info!("seconds {=u64:us} {=u64:ms} {=u32:us}", 1_234_567, 1_234, 5);
    info!("times {=u64:tus} {=u64:tms} {=u64:ts}", 3_661_000_001, 3_661_001, 3_661);
    info!("days {=u64:tus} {=u64:tms} {=u64:ts}", 90_061_000_001, 90_061_001, 90_061);
    info!("iso {=u64:iso8601ms} {=u64:iso8601s}", 1_600_000_000_123, 1_600_000_000);
    info!("cbor {=[u8]:cbor} {=[u8]:cbor}", &[0x83, 1, 0x61, 0x61, 0xf5][..], &[0x18][..]);
}
