package c3

import (
	"testing"

	"espalier.dev/espalier/emu"
)

func (c *testChip) resets(d emu.Duration) []emu.Reset {
	c.t.Helper()
	return c.run(d).Resets
}

func TestWatchdogStages(t *testing.T) {
	const mwdt, rwdt = 0x60020048, 0x60008090
	for _, k := range []struct {
		name   string
		setup  [][2]uint32
		before emu.Duration
		cause  uint8
	}{
		{"MWDT1 stage 0 resets the system", [][2]uint32{
			{mwdt + 4, 20 << 16}, {mwdt + 8, 1000}, {mwdt, 1<<31 | 3<<29 | 1<<22}, // APB 20 MHz / 20: 1 us
		}, emu.Millisecond, 0x08},
		{"MWDT1 stage 1 resets the CPU", [][2]uint32{
			{mwdt + 4, 20 << 16}, {mwdt + 8, 1000}, {mwdt + 12, 2000}, {mwdt, 1<<31 | 2<<27 | 1<<22},
		}, 3 * emu.Millisecond, 0x11},
		{"RWDT stage 0 resets the core", [][2]uint32{
			{0x600080a8, wdtKey}, {rwdt + 4, 68}, {rwdt, 1<<31 | 3<<28}, // stretched by two
		}, emu.Millisecond, 0x09},
		{"RWDT stage 0 resets the CPU", [][2]uint32{
			{0x600080a8, wdtKey}, {rwdt + 4, 68}, {rwdt, 1<<31 | 2<<28},
		}, emu.Millisecond, 0x0d},
		{"RWDT stage 3 resets RTC", [][2]uint32{
			{0x600080a8, wdtKey}, {rwdt + 4, 34}, {rwdt + 8, 68}, {rwdt + 12, 68}, {rwdt + 16, 136}, {rwdt, 1<<31 | 4<<19},
		}, emu.Duration(340 * 1176 * emu.Tick), 0x10},
		{"super watchdog", [][2]uint32{
			{0x6000810c, 0},
		}, 950 * emu.Millisecond, 0x12},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newTestChip(t, emu.Config{})
			const uartDiv = 0x60000014
			c.w(uartDiv, 99)
			for _, w := range k.setup {
				c.w(w[0], w[1])
			}
			if r := c.resets(k.before - 20*emu.Microsecond); len(r) != 0 {
				t.Fatalf("reset too early: %v", r)
			}
			r := c.resets(40 * emu.Microsecond)
			if len(r) == 0 || r[0].Cause != k.cause {
				t.Fatalf("resets %v, want cause 0x%x", r, k.cause)
			}
			if got := c.r(0x60008038) & 0x3f; got != uint32(k.cause) {
				t.Errorf("RESET_STATE holds cause 0x%x", got)
			}
			onlyCPU := k.cause == 0x0b || k.cause == 0x0d || k.cause == 0x11
			if kept := c.r(uartDiv) == 99; kept != onlyCPU {
				t.Errorf("peripherals are kept: %v", kept)
			}
		})
	}
}

func TestWatchdogInterruptFeedAndKey(t *testing.T) {
	const mwdt = 0x60020048
	c := newTestChip(t, emu.Config{})
	c.w(mwdt+4, 20<<16)
	c.w(mwdt+8, 1000)
	c.w(mwdt, 1<<31|1<<29|3<<27|1<<22)
	c.w(timg1+0x70, 2)
	for range 5 { // fed: nothing happens
		c.run(900 * emu.Microsecond)
		c.w(mwdt+0x18, 1)
		c.want(timg1+0x78, 0)
	}
	c.run(1010 * emu.Microsecond)
	c.want(timg1+0x78, 2) // stage 0 interrupts
	if c.r(intRaw1)>>(35-32)&1 != 1 {
		t.Error("source 35 is low")
	}
	c.w(timg1+0x64, 0) // protected
	c.w(mwdt, 0)
	if c.r(mwdt) == 0 {
		t.Error("a protected register was written")
	}
	c.w(timg1+0x64, wdtKey)
	c.w(mwdt, 1<<22)
	if r := c.resets(2 * emu.Second); len(r) != 0 {
		t.Errorf("a stopped watchdog fires: %v", r)
	}
}

// State that is kept at each level of reset, TRM 6.1.2.
func TestWhatAResetKeeps(t *testing.T) {
	const store0, rtcRAM, sram, uartDiv = 0x60008050, rtcFastBase, sram1Data, 0x60000014
	for _, k := range []struct {
		name            string
		options0        uint32
		cause           uint8
		keepsPeripheral bool
	}{
		{"CPU reset", 1 << 5, 0x0c, true},
		{"system reset", 1 << 31, 0x03, false},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newTestChip(t, emu.Config{})
			mem := c.m.CPU.Memory()
			c.w(store0, 42)
			c.w(uartDiv, 99)
			c.w(0x600c1000, 1) // a lock of SENSITIVE
			mem.Write(rtcRAM, []byte{1, 2, 3, 4})
			mem.Write(sram, []byte{5})
			c.w(0x60008000, k.options0)
			r := c.resets(emu.Microsecond)
			if len(r) != 1 || r[0].Cause != k.cause {
				t.Fatalf("resets %v", r)
			}
			c.want(store0, 42)
			c.want(0x600c1000, 0)
			var b [4]byte
			mem.Read(rtcRAM, b[:])
			if b != [4]byte{1, 2, 3, 4} {
				t.Errorf("RTC RAM is %v", b)
			}
			if kept := c.r(uartDiv) == 99; kept != k.keepsPeripheral {
				t.Errorf("UART divider kept: %v", kept)
			}
		})
	}
}

func TestResetPin(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(0x60008050, 42)
	c.want(0x60004038, strapFlash)
	c.board.Reset(emu.StrapDownload)
	if r := c.resets(emu.Microsecond); len(r) != 1 || r[0].Name != "POWERON" {
		t.Fatalf("resets %v", r)
	}
	c.want(0x60004038, strapDownload)
	c.want(0x60008050, 0)
}

func TestRTCTime(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	read := func() uint64 {
		c.w(0x6000800c, 1<<31)
		return uint64(c.r(0x60008014))<<32 | uint64(c.r(0x60008010))
	}
	start := read()
	c.run(emu.Second)
	if n := read() - start; n < 135990 || n > 136010 {
		t.Errorf("%d slow cycles in a second, want 136000", n)
	}
	// A year of sleep is fast on an idle board.
	start = read()
	c.run(365 * 86400 * emu.Second)
	if n, want := read()-start, uint64(365*86400*136000); n < want-1000 || n > want+1000 {
		t.Errorf("%d slow cycles in a year, want %d", n, want)
	}
	// Main timer alarm.
	goal := read() + 1360
	c.w(0x60008004, uint32(goal))
	c.w(0x60008008, uint32(goal>>32)|1<<16)
	c.run(9900 * emu.Microsecond)
	c.want(0x60008044, 0)
	c.run(200 * emu.Microsecond)
	c.want(0x60008044, 1<<10)
}

// The super watchdog does not fire while hardware feeds it, while software does, or
// when its reset is disabled; its registers need their key.
func TestSuperWatchdogFed(t *testing.T) {
	for _, k := range []struct {
		name  string
		conf  uint32
		feed  bool
		key   uint32
		reset bool
	}{
		{"AUTO_FEED", rtcSWDAutoFeed, false, swdKey, false},
		{"fed by software", 0, true, swdKey, false},
		{"DISABLE", rtcSWDBypass, false, swdKey, false},
		{"not fed", 0, false, swdKey, true},
		{"AUTO_FEED without the key", rtcSWDAutoFeed, false, 0, true},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newTestChip(t, emu.Config{})
			c.w(rtcBase+rtcFibSel, 0)
			c.w(rtcBase+rtcSWDKey, k.key)
			c.w(rtcBase+rtcSWDConf, k.conf)
			var resets []emu.Reset
			for range 4 {
				resets = append(resets, c.resets(600*emu.Millisecond)...)
				if k.feed {
					c.w(rtcBase+rtcSWDConf, rtcSWDFeed)
				}
			}
			if got := len(resets) > 0 && resets[0].Cause == uint8(causeSuperWDT); got != k.reset {
				t.Errorf("resets %v", resets)
			}
		})
	}
}
