package c3

// resetCause is the value of RTC_CNTL_RESET_STATE after a reset, TRM 6.1.
type resetCause uint8

// Causes, TRM table 6.1-1.
const (
	causePowerOn   resetCause = 0x01
	causeSWSystem  resetCause = 0x03
	causeDeepSleep resetCause = 0x05
	causeTG0WDT    resetCause = 0x07
	causeTG1WDT    resetCause = 0x08
	causeRTCWDTSys resetCause = 0x09
	causeTG0WDTCPU resetCause = 0x0b
	causeSWCPU     resetCause = 0x0c
	causeRTCWDTCPU resetCause = 0x0d
	causeRTCWDTRTC resetCause = 0x10
	causeTG1WDTCPU resetCause = 0x11
	causeSuperWDT  resetCause = 0x12
	causeBrownOut  resetCause = 0x0f

	// causeBrownOutChip has the code of causeBrownOut, and resets RTC, too.
	causeBrownOutChip resetCause = 0x80 | causeBrownOut
)

// name returns the mask ROM's name of a cause.
func (r resetCause) name() string {
	switch r {
	case causePowerOn:
		return "POWERON"
	case causeSWSystem:
		return "RTC_SW_SYS_RST"
	case causeDeepSleep:
		return "DSLEEP"
	case causeTG0WDT:
		return "TG0WDT_SYS_RST"
	case causeTG1WDT:
		return "TG1WDT_SYS_RST"
	case causeRTCWDTSys:
		return "RTCWDT_SYS_RST"
	case causeTG0WDTCPU:
		return "TG0WDT_CPU_RST"
	case causeSWCPU:
		return "RTC_SW_CPU_RST"
	case causeRTCWDTCPU:
		return "RTCWDT_CPU_RST"
	case causeRTCWDTRTC:
		return "RTCWDT_RTC_RST"
	case causeTG1WDTCPU:
		return "TG1WDT_CPU_RST"
	case causeSuperWDT:
		return "SUPER_WDT_RST"
	case causeBrownOut, causeBrownOutChip:
		return "BROWNOUT_RST"
	}
	return "UNKNOWN"
}

// code is what RESET_STATE holds.
func (r resetCause) code() uint32 { return uint32(r & 0x3f) }

// Levels of reset, TRM 6.1.2. Each includes those before it.
const (
	resetCPU  = iota // the CPU only
	resetCore        // the digital core: everything but RTC
	resetChip        // RTC too: its registers are reset, its memory is not
)

func (r resetCause) level() int {
	switch r {
	case causeTG0WDTCPU, causeTG1WDTCPU, causeRTCWDTCPU, causeSWCPU:
		return resetCPU
	case causePowerOn, causeRTCWDTRTC, causeSuperWDT, causeBrownOutChip:
		return resetChip
	}
	return resetCore
}

// requestReset resets the chip before the next instruction. Of several requests
// the first counts.
func (c *soc) requestReset(r resetCause) {
	if c.s.Held {
		return
	}
	if c.rtc.s.Sleep == deepSleep && (r == causeTG0WDT || r == causeTG1WDT) {
		return // without power
	}
	if c.s.Cause == 0 {
		c.s.Cause = uint8(r)
	}
	c.m.RequestReset()
}

// Reset performs the requested reset; emu calls it between two instructions.
func (c *soc) Reset() {
	cause := resetCause(c.s.Cause)
	c.s.Cause = 0
	c.resetTo(cause)
	c.m.NoteReset(uint8(cause.code()), cause.name())
}

func (c *soc) resetTo(cause resetCause) {
	level := cause.level()
	c.rtc.s.Sleep = awake
	c.m.Halt(false)
	// Permissions and their locks last until the CPU is reset: IDF restarts
	// only the CPU, and does not start when a lock is set.
	c.sensitive.reset()
	c.assist.record(c.m.CPU.PC(), c.m.CPU.Reg(2))
	if level >= resetCore {
		c.gpio.latchStraps() // before the watchdogs, which depend on the boot mode
		for _, d := range c.devices {
			if d != device(c.rtc) && d != device(c.efuse) {
				d.reset()
			}
		}
		c.efuse.latch()
	}
	if level >= resetChip {
		c.rtc.reset()
		c.gpio.s.AutoHeld = 0
		c.assist.powerOn()
	}
	c.gpio.hold(false)
	c.rtc.booted(cause)
	c.m.CPU.Reset(resetVector)
}
