//! Every cause of a reset: a test provokes it, and after it the ROM's function
//! names it.

#[embedded_test::tests(default_timeout = 5)]
mod tests {
    use crate::{get, println, set};
    use esp_hal::{
        peripherals::Peripherals,
        rtc_cntl::{Rtc, Rwdt, RwdtStage, RwdtStageAction, SocResetReason, reset_reason},
        system::{Cpu, software_reset, software_reset_cpu},
        time::Duration,
        timer::timg::{MwdtStage, MwdtStageAction, TimerGroup},
    };

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    /// Ends the test when the chip has been reset for this reason; one that the
    /// first boot cannot have.
    fn after(want: SocResetReason) -> bool {
        let got = reset_reason(Cpu::ProCpu).unwrap();
        println!("reason {:#x}", got as u32);
        if got == want {
            return true;
        }
        assert_eq!(got, SocResetReason::ChipPowerOn, "wanted {want:?}");
        false
    }

    fn wait() -> ! {
        loop {
            core::hint::spin_loop();
        }
    }

    #[test]
    fn power_on(_p: Peripherals) {
        assert!(after(SocResetReason::ChipPowerOn));
    }

    #[test]
    fn software_system(_p: Peripherals) {
        if !after(SocResetReason::CoreSw) {
            software_reset();
        }
    }

    #[test]
    fn software_cpu(_p: Peripherals) {
        if !after(SocResetReason::Cpu0Sw) {
            software_reset_cpu(Cpu::ProCpu);
            wait();
        }
    }

    #[test]
    fn mwdt0_system(p: Peripherals) {
        if !after(SocResetReason::CoreMwdt0) {
            let mut wdt = TimerGroup::new(p.TIMG0).wdt;
            wdt.set_timeout(MwdtStage::Stage0, Duration::from_millis(50));
            wdt.set_stage_action(MwdtStage::Stage0, MwdtStageAction::ResetSystem);
            wdt.enable();
            wait();
        }
    }

    #[test]
    fn mwdt1_system(p: Peripherals) {
        if !after(SocResetReason::CoreMwdt1) {
            let mut wdt = TimerGroup::new(p.TIMG1).wdt;
            wdt.set_timeout(MwdtStage::Stage0, Duration::from_millis(50));
            wdt.set_stage_action(MwdtStage::Stage0, MwdtStageAction::ResetSystem);
            wdt.enable();
            wait();
        }
    }

    // A stage that resets the CPU leaves the peripherals as they are: the pin keeps its
    // level until esp-hal configures it again. So does the watchdog: its timeout is
    // longer than a boot, at the end of which esp-hal disables it.
    #[test]
    fn mwdt0_cpu(p: Peripherals) {
        const OUT_SET: u32 = 0x6000_4008;
        const OUT: u32 = 0x6000_4004;
        if after(SocResetReason::Cpu0Mwdt0) {
            assert_eq!(get(OUT) >> 4 & 1, 1, "GPIO was reset");
            return;
        }
        set(OUT_SET, 1 << 4);
        let mut wdt = TimerGroup::new(p.TIMG0).wdt;
        wdt.enable(); // sets the action of stage 0; the timeout makes all of it valid
        wdt.set_stage_action(MwdtStage::Stage0, MwdtStageAction::ResetCpu);
        wdt.set_timeout(MwdtStage::Stage0, Duration::from_millis(500));
        wait();
    }

    fn rwdt(p: Peripherals, action: RwdtStageAction) -> ! {
        let mut wdt: Rwdt = Rtc::new(p.RTC_TIMER).rwdt;
        wdt.set_timeout(RwdtStage::Stage0, Duration::from_millis(50));
        wdt.enable();
        wdt.set_stage_action(RwdtStage::Stage0, action);
        wait();
    }

    #[test]
    fn rwdt_cpu(p: Peripherals) {
        if !after(SocResetReason::Cpu0RtcWdt) {
            rwdt(p, RwdtStageAction::ResetCpu);
        }
    }

    #[test]
    fn rwdt_core(p: Peripherals) {
        if !after(SocResetReason::CoreRtcWdt) {
            rwdt(p, RwdtStageAction::ResetCore);
        }
    }

    #[test]
    fn rwdt_system(p: Peripherals) {
        if !after(SocResetReason::SysRtcWdt) {
            rwdt(p, RwdtStageAction::ResetSystem);
        }
    }

    // A watchdog that is fed does not reset.
    #[test]
    fn rwdt_fed(p: Peripherals) {
        assert!(after(SocResetReason::ChipPowerOn));
        let mut wdt: Rwdt = Rtc::new(p.RTC_TIMER).rwdt;
        wdt.set_timeout(RwdtStage::Stage0, Duration::from_millis(50));
        wdt.enable();
        for _ in 0..10 {
            esp_hal::delay::Delay::new().delay_millis(20);
            wdt.feed();
        }
        wdt.disable();
    }

    // The super watchdog without automatic feeding (SWD_CONF, SWD_WPROTECT).
    #[test]
    fn super_watchdog(_p: Peripherals) {
        if !after(SocResetReason::SysSuperWdt) {
            const CONF: u32 = 0x600080ac;
            const PROTECT: u32 = 0x600080b0;
            set(PROTECT, 0x8f1d312a);
            set(CONF, get(CONF) & !(1 << 31 | 1 << 30));
            wait();
        }
    }
}
