//! Light and deep sleep, their causes of waking, and what memory keeps.

use core::sync::atomic::{AtomicU32, Ordering};
use esp_hal::ram;

/// Kept in deep sleep.
#[ram(unstable(rtc_fast, persistent))]
static mut KEPT: u32 = 0;

/// Main memory loses power.
static LOST: AtomicU32 = AtomicU32::new(0);

#[embedded_test::tests(default_timeout = 5)]
mod tests {
    use super::*;
    use crate::println;
    use esp_hal::{
        gpio::{Event, Input, InputConfig, Pull, WakeupConfig},
        peripherals::Peripherals,
        rtc_cntl::{
            Rtc, SocResetReason, WakeupSource, reset_reason,
            sleep::{LowPower, RtcSleepConfig},
            wakeup_cause,
        },
        system::Cpu,
        time::{Duration, Instant},
    };

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    #[test]
    fn light_timer(p: Peripherals) {
        let rtc = Rtc::new(p.RTC_TIMER);
        let mut power = LowPower::new(p.LPWR);
        let before = rtc.time_since_power_up().as_micros();
        LOST.store(0x1234_5678, Ordering::Relaxed);
        power.set_wakeup_deadline(Instant::now() + Duration::from_millis(200));
        power.sleep_light(RtcSleepConfig::default());
        let slept = rtc.time_since_power_up().as_micros() - before;
        assert!((195_000..215_000).contains(&slept), "slept for {slept} us");
        assert!(wakeup_cause().contains(WakeupSource::Timer), "{:?}", wakeup_cause());
        assert_eq!(LOST.load(Ordering::Relaxed), 0x1234_5678);
    }

    // The runner pulls GPIO4 low 100 ms after the line that says so.
    #[test]
    fn light_gpio(p: Peripherals) {
        let rtc = Rtc::new(p.RTC_TIMER);
        let mut pin = Input::new(p.GPIO4, InputConfig::default().with_pull(Pull::Up));
        pin.listen(Event::LowLevel);
        let mut power = LowPower::new(p.LPWR);
        let before = rtc.time_since_power_up().as_micros();
        println!("sleeping");
        power.sleep_light(RtcSleepConfig::default());
        let slept = rtc.time_since_power_up().as_micros() - before;
        assert!((95_000..120_000).contains(&slept), "slept for {slept} us");
        assert!(wakeup_cause().contains(WakeupSource::Gpio), "{:?}", wakeup_cause());
    }

    fn count(magic: u32) -> u32 {
        let n = unsafe { (&raw const KEPT).read_volatile() };
        if n & 0xffff_0000 == magic { n & 0xffff } else { 0 }
    }

    #[test]
    fn deep_timer(p: Peripherals) {
        const MAGIC: u32 = 0x5a11_0000;
        let mut power = LowPower::new(p.LPWR);
        let reason = reset_reason(Cpu::ProCpu);
        let n = if reason == Some(SocResetReason::CoreDeepSleep) { count(MAGIC) } else { 0 };
        println!("boot {n} {}", Rtc::new(p.RTC_TIMER).time_since_power_up().as_micros());
        if n > 0 {
            assert_eq!(reason, Some(SocResetReason::CoreDeepSleep));
            assert!(wakeup_cause().contains(WakeupSource::Timer), "{:?}", wakeup_cause());
            assert_eq!(LOST.load(Ordering::Relaxed), 0, "main memory kept its content");
        }
        if n == 3 {
            return;
        }
        unsafe { (&raw mut KEPT).write_volatile(MAGIC | (n + 1)) };
        LOST.store(1, Ordering::Relaxed);
        power.set_wakeup_deadline(Instant::now() + Duration::from_millis(500));
        power.sleep_deep(RtcSleepConfig::deep());
    }

    // The runner pulls GPIO4 low 100 ms after the line that says so.
    #[test]
    fn deep_gpio(p: Peripherals) {
        if reset_reason(Cpu::ProCpu) == Some(SocResetReason::CoreDeepSleep) {
            assert!(wakeup_cause().contains(WakeupSource::Gpio), "{:?}", wakeup_cause());
            println!("woken");
            return;
        }
        let mut pin = Input::new(p.GPIO4, InputConfig::default().with_pull(Pull::Up));
        pin.apply_wakeup_config(&WakeupConfig::default().with_low_power_path(true)).unwrap();
        pin.listen(Event::LowLevel);
        let mut power = LowPower::new(p.LPWR);
        println!("sleeping");
        power.sleep_deep(RtcSleepConfig::deep());
    }
}
