package c3

import (
	"testing"

	"espalier.dev/espalier/emu"
)

func TestBrownOut(t *testing.T) {
	const (
		enabled = boEnable | 0x3ff<<16 | 2<<4
		cycle   = emu.Second / 136_000
	)
	level := func(c *testChip, n uint32) { c.w(0x6000e000, anaWrite|n<<16|boThreshold<<8|boSlave) }
	for _, k := range []struct {
		name       string
		conf       uint32
		level      uint32
		milliVolts int
		detected   bool
		interrupt  bool
		cause      uint8 // 0: no reset
		keepsRTC   bool
	}{
		{"default level", enabled, 0, 2690, true, true, 0, true},
		{"above it", enabled, 0, 2710, false, false, 0, true},
		{"a high level", enabled | boResetEnable, 2, 3200, true, true, 0x0f, true},
		{"system reset", enabled | boResetEnable, 7, 2500, true, true, 0x0f, true},
		{"chip reset", enabled | boResetEnable | boResetChip, 7, 2500, true, true, 0x0f, false},
		{"at once", enabled | boAnalog, 7, 2500, true, false, 0x0f, false},
		{"disabled", enabled&^boEnable | boResetEnable, 7, 2000, false, false, 0, true},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newTestChip(t, emu.Config{})
			c.w(rtcBase+0x50, 77) // STORE0
			level(c, k.level)
			c.w(rtcBase+rtcBrownOut, k.conf)
			c.board.SetSupply(k.milliVolts)
			res := c.run(20 * cycle)
			if k.conf&boAnalog == 0 {
				if got := c.r(rtcBase+rtcBrownOut)&boDetected != 0; got != k.detected || len(res.Resets) > 0 {
					t.Errorf("detected: %v, resets %v", got, res.Resets)
				}
				if got := c.r(rtcBase+rtcIntRaw)&rtcIntBrownOut != 0; got != k.interrupt {
					t.Errorf("interrupt: %v", got)
				}
			}
			c.board.SetSupply(k.milliVolts)
			resets := append(res.Resets, c.run(1100*cycle).Resets...)
			switch {
			case k.cause == 0 && len(resets) > 0:
				t.Errorf("resets %v", resets)
			case k.cause != 0 && (len(resets) == 0 || resets[0].Cause != k.cause || resets[0].Name != "BROWNOUT_RST"):
				t.Errorf("resets %v", resets)
			}
			if got := c.r(rtcBase+0x50) == 77; got != k.keepsRTC {
				t.Errorf("STORE0 is kept: %v", got)
			}
		})
	}
}

// A dip that ends before RST_WAIT does not reset; a supply that stays low resets
// again and again.
func TestBrownOutLasts(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(rtcBase+rtcBrownOut, boEnable|boResetEnable|100<<16|2<<4)
	for range 5 {
		c.board.SetSupply(2000)
		c.run(500 * emu.Microsecond)
		c.board.SetSupply(3300)
		if res := c.run(2 * emu.Millisecond); len(res.Resets) > 0 {
			t.Fatalf("a dip: %v", res.Resets)
		}
	}
	c.board.SetSupply(2000)
	if n := len(c.run(5 * emu.Millisecond).Resets); n < 5 || n > 7 {
		t.Errorf("%d resets in 5 ms, one each 0.74 ms", n)
	}
}

// USB and the brown-out detector end light sleep when they are enabled to.
func TestWakeByUSBAndBrownOut(t *testing.T) {
	for name, k := range map[string]struct {
		source uint32
		event  func(c *testChip)
	}{
		"USB data":  {wakeUSB, func(c *testChip) { c.board.Send(emu.USB, []byte("x")) }},
		"USB host":  {wakeUSB, func(c *testChip) { c.board.Inject(emu.Input{Kind: emu.InputUSBHost, Level: emu.High}) }},
		"brown-out": {wakeBrownOut, func(c *testChip) { c.board.SetSupply(2000) }},
	} {
		for _, enable := range []bool{true, false} {
			c := newTestChip(t, emu.Config{})
			c.w(rtcBase+rtcBrownOut, boEnable|2<<4)
			if enable {
				c.w(rtcBase+rtcWakeupState, k.source<<15)
			}
			c.w(rtcBase+rtcState0, 1<<31)
			c.run(emu.Millisecond)
			k.event(c)
			c.run(emu.Millisecond)
			if got := c.r(rtcBase+rtcWakeupCause) == k.source; got != enable {
				t.Errorf("%s, enabled %v: woke: %v", name, enable, got)
			}
		}
	}
}
