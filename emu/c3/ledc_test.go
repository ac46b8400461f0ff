package c3

import (
	"slices"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/chip"
)

const (
	ledcBase = 0x60019000
	sdmBase  = 0x60004f00
)

// pwm starts timer 0 with 8 bits at APB and channel 2 on GPIO8.
func pwm(c *testChip, duty uint32) {
	c.w(0x600c0008, 0xd)
	c.w(0x600c0058, 1<<10)
	c.run(emu.Microsecond)
	c.pad(8, ioIE)
	c.w(gpioBase+gpFuncOutSel0+4*8, uint32(sigLEDC0)+2)
	c.w(ledcBase+ledcConf, 1)
	c.w(ledcBase+ledcTimer0, 256<<4|8)
	ch := uint32(ledcBase + 2*ledcChannel)
	c.w(ch+ledcDuty, duty<<4)
	c.w(ch+ledcConf1, ledcDutyStart|ledcDutyInc|1<<20|1<<10)
	c.w(ch+ledcConf0, ledcSigOutEn|ledcParaUp)
	c.run(2 * 512) // two periods of 256 APB cycles
}

func TestLEDCWaveform(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	pwm(c, 64)
	c.pins = nil
	c.run(3*512 + 1)
	levels, ticks := c.train(8, 0)
	if len(levels) < 5 {
		t.Fatalf("%d edges in three periods", len(levels))
	}
	for i, d := range ticks {
		want := chip.Duration(128)
		if levels[i] == emu.Low {
			want = 384
		}
		if d != want {
			t.Errorf("%v for %d ticks, want %d", levels[i], d, want)
		}
	}
	ch := uint32(ledcBase + 2*ledcChannel)
	for _, k := range []struct {
		name string
		duty uint32
		want []emu.Level
	}{{"always low", 0, []emu.Level{emu.Low}}, {"always high", 256, []emu.Level{emu.High}}} {
		c.w(ch+ledcDuty, k.duty<<4)
		c.w(ch+ledcConf1, ledcDutyStart|1<<20|1<<10)
		c.w(ch+ledcConf0, ledcSigOutEn|ledcParaUp)
		c.run(2 * 512)
		c.pins = nil
		c.run(4 * 512)
		if got := c.board.Pin(8); got != k.want[0] || len(c.pins) != 0 {
			t.Errorf("%s: %v after %d edges", k.name, got, len(c.pins))
		}
	}
	c.w(ch+ledcConf0, ledcIdleLevel)
	if got := c.board.Pin(8); got != emu.High {
		t.Errorf("not enabled: %v", got)
	}
}

// A fraction of 8/16 makes every other half of 16 periods one count longer.
func TestLEDCFraction(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	pwm(c, 64)
	ch := uint32(ledcBase + 2*ledcChannel)
	c.w(ch+ledcDuty, 64<<4|8)
	c.w(ch+ledcConf1, ledcDutyStart|1<<20|1<<10)
	c.w(ch+ledcConf0, ledcSigOutEn|ledcParaUp)
	c.run(2 * 512)
	c.pins = nil
	c.run(32 * 512)
	levels, ticks := c.train(8, 0)
	n := map[chip.Duration]int{}
	for i, d := range ticks {
		if levels[i] == emu.High {
			n[d]++
		}
	}
	if n[130] < 15 || n[128] < 15 {
		t.Errorf("pulse lengths %v", n)
	}
}

func TestLEDCFade(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	pwm(c, 10)
	ch := uint32(ledcBase + 2*ledcChannel)
	c.w(ledcBase+ledcIntClr, 0xffff)
	c.w(ledcBase+ledcIntEna, ledcIntChange<<2)
	c.w(ch+ledcDuty, 10<<4)
	c.w(ch+ledcConf1, ledcDutyStart|ledcDutyInc|5<<20|3<<10|7) // 5 steps of 7, one each 3 periods
	c.w(ch+ledcConf0, ledcSigOutEn|ledcParaUp)
	c.run(512 + 14*512)
	c.want(ledcBase+ledcIntSt, 0)
	var seen []uint32
	for range 6 {
		seen = append(seen, c.r(ch+ledcDutyR)>>4)
		c.run(512)
	}
	if c.want(ch+ledcDutyR, 45<<4); !slices.Contains(seen, 45) {
		t.Errorf("duties %v", seen)
	}
	c.want(ledcBase+ledcIntSt, ledcIntChange<<2)
	if c.r(0x600c20f8)>>srcLEDC&1 != 1 {
		t.Error("no interrupt")
	}
	// Down below zero stays at zero.
	c.w(ledcBase+ledcIntClr, 0xffff)
	c.w(ch+ledcConf1, ledcDutyStart|9<<20|1<<10|100)
	c.w(ch+ledcConf0, ledcSigOutEn|ledcParaUp)
	c.run(12 * 512)
	c.want(ch+ledcDutyR, 0)
}

func TestLEDCOverflow(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	pwm(c, 10)
	ch := uint32(ledcBase + 2*ledcChannel)
	c.w(ledcBase+ledcIntClr, 0xffff)
	c.run(513)
	if c.r(ledcBase+ledcIntRaw)&ledcIntOvf == 0 {
		t.Error("no overflow in a period")
	}
	c.w(ch+ledcConf0, ledcSigOutEn|ledcOvfCntEn|9<<5|ledcOvfReset)
	c.w(ledcBase+ledcIntClr, 0xffff)
	c.run(9 * 512)
	if c.r(ledcBase+ledcIntRaw)&(ledcIntCount<<2) != 0 {
		t.Error("counted 10 overflows after 9")
	}
	c.run(513)
	if c.r(ledcBase+ledcIntRaw)&(ledcIntCount<<2) == 0 {
		t.Error("did not count 10 overflows")
	}
	c.w(ledcBase+ledcTimer0, 256<<4|8|ledcPause)
	v := c.r(ledcBase + ledcTimer0 + 4)
	c.run(777)
	c.want(ledcBase+ledcTimer0+4, v)
	c.w(ledcBase+ledcTimer0, 256<<4|8|ledcRst)
	c.want(ledcBase+ledcTimer0+4, 0)
}

// The count goes on at another speed when APB changes.
func TestLEDCClockChange(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	pwm(c, 64)
	c.w(ledcBase+ledcTimer0, 256<<4|14)
	c.w(ledcBase+ledcTimer0, 256<<4|14|ledcRst)
	c.w(ledcBase+ledcTimer0, 256<<4|14)
	c.run(1000) // 500 cycles of 80 MHz
	c.w(0x600c0058, 0)
	ticks := c.apbTicks() // of the crystal now
	c.run(1000)
	want := 500 + 1000/uint32(ticks)
	if got := c.r(ledcBase + ledcTimer0 + 4); got < want-2 || got > want+2 || ticks == 2 {
		t.Errorf("the count is %d, want %d (%d ticks)", got, want, ticks)
	}
}

// The density of the pulses is the duty, whatever it is.
func TestSigmaDelta(t *testing.T) {
	for _, duty := range []uint32{0, 1, 10, 128, 200, 255} {
		c := newTestChip(t, emu.Config{})
		c.pad(8, 0)
		c.w(gpioBase+gpFuncOutSel0+4*8, uint32(sigGPIOSD0)+1)
		c.w(sdmBase+4, (duty-128)&0xff|3<<8)
		c.w(sdmBase+sdmMisc, sdmFunctionOn)
		c.run(emu.Microsecond)
		c.pins = nil
		from := c.m.Now()
		high := c.board.Pin(8) == emu.High
		tick := chip.Duration(4 * c.apbTicks())
		total := 2560 * tick
		c.run(total)
		var on chip.Duration
		last := from
		for _, p := range c.pins {
			if high {
				on += p.At.Sub(last)
			}
			last, high = p.At, p.Level == emu.High
		}
		if high {
			on += c.m.Now().Sub(last)
		}
		if want := total * chip.Duration(duty) / 256; on < want-2*tick || on > want+2*tick {
			t.Errorf("duty %d: high for %d of %d ticks, want %d", duty, on, total, want)
		}
	}
}

// Whether the user looks at pins changes nothing that the guest can see: the
// levels of outputs that no one watches are computed when they are read.
func TestObservationChangesNothing(t *testing.T) {
	program := func(a *asm) {
		quietWatchdogs(a)
		for n, sig := range []uint32{uint32(sigLEDC0), uint32(sigGPIOSD0), uint32(sigRMT0), uint32(sigU1TXD)} {
			a.poke(iomuxBase+ioPin0+4*uint32(n), 1<<12|ioIE)
			a.poke(gpioBase+gpFuncOutSel0+4*uint32(n), sig)
		}
		a.poke(ledcBase+ledcConf, 1)
		a.poke(ledcBase+ledcTimer0, 300<<4|7)
		a.poke(ledcBase+ledcDuty, 33<<4|5)
		a.poke(ledcBase+ledcConf1, ledcDutyStart|ledcDutyInc|1<<20|1<<10)
		a.poke(ledcBase+ledcConf0, ledcSigOutEn|ledcParaUp)
		a.poke(sdmBase, 0x0325)
		a.poke(sdmBase+sdmMisc, sdmFunctionOn)
		a.poke(rmtBase+rmtSysConf, 1<<26|1<<24|1)
		a.poke(rmtBase+rmtRAM, entry(true, 70, false, 30))
		a.poke(rmtBase+rmtTxConf0, 1<<16|1<<8|rmtTxConti|rmtTxCarrierEn|rmtTxCarrierLv|rmtTxStart)
		loop := a.pc()
		a.poke(0x60010000, 0x35) // UART1 FIFO
		for range 5 {
			a.li(t0, gpioBase)
			a.lw(a0, t0, gpIn)
			a.li(t0, 0x60008050)
			a.sw(a0, t0, 0) // into the trace
		}
		a.j(loop)
	}
	var want uint64
	for i, pin := range []func(emu.PinChange){nil, func(emu.PinChange) {}} {
		b := guest(t, emu.Config{Pin: pin}, program)
		res := b.Run(t.Context(), emu.Limit(3*time.Millisecond))
		if i == 0 {
			want = res.Trace
			continue
		}
		if res.Trace != want {
			t.Errorf("trace %x with an observer, %x without", res.Trace, want)
		}
		// And a snapshot of the one goes on as the other.
		quiet := guest(t, emu.Config{}, program)
		if err := quiet.Restore(b.Snapshot()); err != nil {
			t.Fatal(err)
		}
		x, y := b.Run(t.Context(), emu.Limit(time.Millisecond)), quiet.Run(t.Context(), emu.Limit(time.Millisecond))
		if x.Trace != y.Trace {
			t.Errorf("trace %x after a snapshot, %x without", y.Trace, x.Trace)
		}
	}
}
