package c3

import (
	"testing"
	"time"

	"espalier.dev/espalier/emu"
)

const (
	sysTimer = 0x60023000
	timg1    = 0x60020000
	sysClk   = 0x600c0058
	cpuPer   = 0x600c0008
	intRaw1  = 0x600c20fc // sources 32 to 61
)

func (c *testChip) systimer(unit uint32) uint64 {
	c.w(sysTimer+4+4*unit, 1<<30)
	return uint64(c.r(sysTimer+0x40+8*unit))<<32 | uint64(c.r(sysTimer+0x44+8*unit))
}

// SYSTIMER counts at 16 MHz of guest time with any CPU clock.
func TestSystimerKeepsTimeAcrossCPUClocks(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	for _, clk := range []struct {
		name       string
		sysclk     uint32
		period     uint32
		wantPeriod emu.Duration
	}{
		{"reset", 1, 0xc, 8},
		{"crystal", 0, 0xc, 4},
		{"PLL 80 MHz", 1 << 10, 0xc, 2},
		{"PLL 160 MHz", 1 << 10, 0xd, 1},
		{"crystal / 10", 9, 0xc, 40},
	} {
		t.Run(clk.name, func(t *testing.T) {
			c.w(cpuPer, clk.period)
			c.w(sysClk, clk.sysclk)
			c.run(emu.Millisecond)
			if got := c.m.CPUPeriod(); got != clk.wantPeriod {
				t.Errorf("cpu period %d ticks, want %d", got, clk.wantPeriod)
			}
			before, at := c.systimer(0), c.m.Now()
			res := c.run(3 * emu.Millisecond)
			counts, ticks := c.systimer(0)-before, uint64(c.m.Now()-at)
			if diff := int64(counts) - int64(ticks/10); diff < -1 || diff > 1 {
				t.Errorf("%d counts in %d ticks", counts, ticks)
			}
			if res.Elapsed < 3*time.Millisecond || res.Elapsed > 3*time.Millisecond+time.Microsecond {
				t.Errorf("a limit of 3 ms took %v", res.Elapsed)
			}
		})
	}
}

func TestSystimerUnits(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.run(emu.Millisecond)
	if n := c.systimer(0); n < 16000 || n > 16100 {
		t.Errorf("unit 0 is at %d a millisecond after reset", n)
	}
	if n := c.systimer(1); n != 0 {
		t.Errorf("unit 1 is at %d and should stand", n)
	}
	c.w(sysTimer+0x14, 5) // UNIT1_LOAD_HI
	c.w(sysTimer+0x18, 9)
	c.w(sysTimer+0x60, 1)
	if n := c.systimer(1); n != 5<<32+9 {
		t.Errorf("unit 1 was loaded with %d", n)
	}
	c.w(sysTimer, 0x46000000|1<<29)
	c.run(emu.Millisecond)
	if n := c.systimer(1) - (5<<32 + 9); n != 16000 && n != 16001 {
		t.Errorf("unit 1 counted %d in a millisecond", n)
	}
}

func TestSystimerTargets(t *testing.T) {
	for _, k := range []struct {
		name   string
		target uint64 // counts from now, one-shot
		period uint32
		fires  []emu.Duration
	}{
		{"one-shot", 1600, 0, []emu.Duration{100 * emu.Microsecond}},
		{"in the past fires at once", ^uint64(0), 0, []emu.Duration{0}},
		{"now fires at once", 0, 0, []emu.Duration{0}},
		{"period", 0, 3200, []emu.Duration{200 * emu.Microsecond, 400 * emu.Microsecond, 600 * emu.Microsecond}},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newTestChip(t, emu.Config{})
			c.run(emu.Millisecond)
			goal := c.systimer(0) + k.target
			c.w(sysTimer+0x24, uint32(goal>>32)&0xfffff) // TARGET1
			c.w(sysTimer+0x28, uint32(goal))
			if k.period > 0 {
				c.w(sysTimer+0x38, 1<<30|k.period)
			}
			c.w(sysTimer+0x54, 1)
			c.w(sysTimer+0x64, 2)
			start := c.m.Now()
			c.w(sysTimer, 0x46000000|1<<23)
			for _, d := range k.fires {
				want := start.Add(d)
				if d > 0 {
					c.run(want.Sub(c.m.Now()) - emu.Microsecond)
					c.want(sysTimer+0x68, 0)
				}
				c.run(2 * emu.Microsecond)
				c.want(sysTimer+0x70, 2)
				if c.r(intRaw1)>>(38-32)&1 != 1 {
					t.Error("source 38 is low")
				}
				c.w(sysTimer+0x6c, 2)
				c.want(sysTimer+0x68, 0)
			}
			if k.period == 0 {
				c.run(10 * emu.Millisecond)
				c.want(sysTimer+0x68, 0)
			}
		})
	}
}

// The sequence of esp-rtos: stop, load zero, arm, start.
func (c *testChip) armT0(config, alarm uint32) {
	c.w(timg1, config&^(1<<31|1<<10))
	c.w(timg1+0x7c, 1)
	c.w(timg1+0x18, 0)
	c.w(timg1+0x1c, 0)
	c.w(timg1+0x20, 1)
	c.w(timg1+0x10, alarm)
	c.w(timg1+0x14, 0)
	c.w(timg1, config|1<<31)
	c.w(timg1, config|1<<31|1<<10)
	c.w(timg1+0x70, 1)
}

func TestTIMGAlarm(t *testing.T) {
	const reset, xtal, up = 0x60002000, 1 << 9, 1 << 30
	for _, k := range []struct {
		name   string
		pll    bool
		config uint32
		alarm  uint32
		after  emu.Duration
	}{
		{"APB/2 from the PLL", true, reset, 40_000, emu.Millisecond},
		{"crystal/2", true, reset | xtal, 20_000, emu.Millisecond},
		{"APB at 20 MHz", false, reset, 10_000, emu.Millisecond},
		{"divider 80", true, up | 80<<13, 1000, emu.Millisecond},
		{"divider 0 is 65536", true, up, 10, 65536 * 20},
		{"alarm 0 is now", true, reset, 0, 0},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newTestChip(t, emu.Config{})
			if k.pll {
				c.w(cpuPer, 0xd)
				c.w(sysClk, 1<<10)
				c.run(emu.Tick)
			}
			c.armT0(k.config, k.alarm)
			if k.after > 0 {
				c.run(k.after - emu.Microsecond)
				c.want(timg1+0x74, 0)
			}
			c.run(2 * emu.Microsecond)
			c.want(timg1+0x78, 1)
			if c.r(intRaw1)>>(34-32)&1 != 1 {
				t.Error("source 34 is low")
			}
			if c.r(timg1)>>10&1 != 0 {
				t.Error("ALARM_EN did not clear itself")
			}
		})
	}
}

func TestTIMGAutoreload(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.armT0(1<<30|1<<29|1<<9|40<<13, 100) // 1 MHz, 100 us
	for range 3 {
		c.run(100*emu.Microsecond + 1)
		c.want(timg1+0x74, 1)
		c.w(timg1+0x7c, 1)
		c.w(timg1, c.r(timg1)|1<<10)
	}
	c.w(timg1+0xc, 1<<31)
	c.want(timg1+0xc, 0) // esp-hal waits for it to clear
	if n := c.r(timg1 + 4); n > 2 {
		t.Errorf("counter is at %d after the reload", n)
	}
}

func TestTIMGCountsDown(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(timg1, 1<<9|40<<13)
	c.w(timg1+0x18, 1000)
	c.w(timg1+0x20, 1)
	c.w(timg1+0x10, 900)
	c.w(timg1, 1<<31|1<<10|1<<9|40<<13)
	c.run(99 * emu.Microsecond)
	c.want(timg1+0x74, 0)
	c.run(2 * emu.Microsecond)
	c.want(timg1+0x74, 1)
}

// The count continues when its clock changes.
func TestTIMGSurvivesClockChange(t *testing.T) {
	c := newTestChip(t, emu.Config{}) // APB 20 MHz
	c.armT0(1<<30|20<<13, 2000)       // 1 MHz, 2 ms
	c.run(emu.Millisecond)
	c.w(cpuPer, 0xd)
	c.w(sysClk, 1<<10) // APB 80 MHz: the rest takes a quarter
	c.run(240 * emu.Microsecond)
	c.want(timg1+0x74, 0)
	c.run(12 * emu.Microsecond)
	c.want(timg1+0x74, 1)
}

func TestCalibration(t *testing.T) {
	for _, k := range []struct {
		name string
		sel  uint32
		hz   float64
	}{{"RC_SLOW", 0, 136_000}, {"RC_FAST/256", 1, 68_359}, {"XTAL32K", 2, 32_768}} {
		t.Run(k.name, func(t *testing.T) {
			c := newTestChip(t, emu.Config{})
			const tg = 0x6001f068
			c.w(tg, 0)
			c.w(tg, k.sel<<13|100<<16)
			c.w(tg, k.sel<<13|100<<16|1<<31)
			if c.r(tg)>>15&1 != 0 {
				t.Error("ready at once")
			}
			c.run(emu.Duration(101 * float64(emu.Second) / k.hz))
			if c.r(tg)>>15&1 != 1 {
				t.Fatal("never ready")
			}
			want := 100 * 40e6 / k.hz
			if got := float64(c.r(tg+4) >> 7); got < want*0.999 || got > want*1.001 {
				t.Errorf("%v crystal cycles, want %v", got, want)
			}
		})
	}
}

// Another chip's slow clock is what calibration measures, and what RTC counts.
func TestSlowClockOfAnotherChip(t *testing.T) {
	const hz = 150_500
	c := newTestChip(t, emu.Config{SlowClock: hz})
	c.w(0x6001f000+tgCaliCfg, 0)
	c.w(0x6001f000+tgCaliCfg, 1024<<16|tgCaliStart)
	c.run(10 * emu.Millisecond)
	if got, want := c.r(0x6001f000+tgCaliCfg1)>>7, uint32(1024*40_000_000/hz); got < want-1 || got > want+1 {
		t.Errorf("1024 cycles are %d of the crystal, want %d", got, want)
	}
	count := func() uint32 {
		c.w(rtcBase+rtcTimeUpdate, 1<<31)
		return c.r(rtcBase + rtcTimeLow0)
	}
	from := count()
	c.run(emu.Second)
	if got := count() - from; got < hz-1 || got > hz+1 {
		t.Errorf("%d cycles in a second", got)
	}
}
