package c3

// Sleep, TRM 9.4: the CPU is halted until a wake-up source ends it.
const (
	rtcDigPWC     = 0x88
	rtcGPIOWakeup = 0x110

	rtcDGWrapPD = 1 << 31 // DIG_PWC: the digital core loses power, which is deep sleep

	// Wake-up sources: bits of WAKEUP_ENA and SLP_WAKEUP_CAUSE.
	wakeGPIO  = 1 << 2
	wakeTimer = 1 << 3
	wakeWiFi  = 1 << 5
	wakeBT    = 1 << 10
	wakeUSB   = 1 << 14 // traffic of the host

	rtcPads = 6 // GPIO0 to GPIO5 can end deep sleep
)

// sleepMode is how the chip sleeps.
type sleepMode uint8

const (
	awake sleepMode = iota
	lightSleep
	deepSleep
)

// sleep is the effect of SLEEP_EN. Falling asleep and waking take no time, and
// in light sleep the clocks of the digital core go on; on silicon they stand.
// Wake-up sources are the main timer, pins, UARTs, USB and the brown-out detector;
// a chip that enables only others (Wi-Fi, Bluetooth) sleeps until it is reset.
func (r *rtc) sleep() {
	r.set(rtcWakeupCause, 0)
	r.s.Sleep = lightSleep
	if r.get(rtcDigPWC)&rtcDGWrapPD != 0 {
		r.s.Sleep = deepSleep
		r.soc.gpio.hold(true) // keeps what the pads do before the registers lose it
		r.soc.powerDown()
	} else {
		r.soc.gpio.slept()
	}
	if r.get(rtcWDTConfig)>>9&1 != 0 { // WDT_PAUSE_IN_SLP
		r.wdt.pause()
		r.wdt.timer.Stop()
	}
	r.soc.m.Halt(true)
	r.pinsMoved()
}

// wake ends sleep, if the source is enabled. From deep sleep the chip comes
// back through a reset.
func (r *rtc) wake(source uint32) {
	if r.s.Sleep == awake || r.get(rtcWakeupState)>>15&source == 0 {
		return
	}
	mode := r.s.Sleep
	r.s.Sleep = awake
	if mode == lightSleep {
		r.soc.gpio.slept()
	}
	r.set(rtcWakeupCause, source)
	r.intr.raise(rtcIntSlpWakeup)
	if r.get(rtcWDTConfig)>>9&1 != 0 && r.wdt.s.On {
		r.wdt.arm(r.wdt.s.Left)
	}
	r.soc.m.Halt(false)
	if mode == deepSleep {
		r.soc.requestReset(causeDeepSleep)
	}
}

// pinsMoved ends sleep when a pin is at the level that was asked for.
func (r *rtc) pinsMoved() {
	switch r.s.Sleep {
	case lightSleep:
		if r.soc.gpio.wakes() {
			r.wake(wakeGPIO)
		}
	case deepSleep:
		v := r.get(rtcGPIOWakeup)
		for n := range uint32(rtcPads) {
			kind, high := v>>(23-3*n)&7, r.soc.gpio.s.Levels>>n&1 != 0
			if v>>(31-n)&1 != 0 && (kind == gpIntHigh && high || kind == gpIntLow && !high) {
				r.set(rtcGPIOWakeup, v|1<<n) // GPIO_WAKEUP_STATUS
				r.wake(wakeGPIO)
				return
			}
		}
	}
}

// powerDown takes the power from the digital core.
func (c *soc) powerDown() {
	for _, d := range c.devices {
		if d != device(c.rtc) && d != device(c.efuse) {
			d.reset()
		}
	}
}
