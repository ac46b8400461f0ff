package c3

import (
	"slices"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/emu/parts"
)

const rmtBase = 0x60016000

// train is the waveform of a pin: levels and how long each lasted, in ticks.
func (c *testChip) train(pin int, from emu.Time) (levels []emu.Level, ticks []chip.Duration) {
	last := from
	for _, p := range c.pins {
		if p.Pin != pin || p.At < from {
			continue
		}
		if len(levels) > 0 {
			ticks = append(ticks, p.At.Sub(last))
		}
		levels, last = append(levels, p.Level), p.At
	}
	return levels, ticks
}

func entry(h1 bool, l1 uint32, h2 bool, l2 uint32) uint32 {
	return l1 | b2u(h1)<<15 | l2<<16 | b2u(h2)<<31
}

// rmtPins routes transmitter 0 to GPIO8 and GPIO8 to receiver 2, at one period of
// APB (2 ticks) each, and fills the memory of channel 0.
func rmtPins(c *testChip, div uint32, entries ...uint32) {
	c.w(0x600c0008, 0xd)
	c.w(0x600c0058, 1<<10) // the CPU and APB run from the PLL
	c.run(emu.Microsecond)
	c.pad(8, ioIE)
	c.w(gpioBase+gpFuncOutSel0+4*8, uint32(sigRMT0))
	c.w(gpioBase+gpFuncInSel0+4*uint32(sigRMT0), gpInSelMatrix|8)
	c.w(rmtBase+rmtSysConf, 1<<26|1<<24|1)
	c.w(rmtBase+rmtTxConf0, 1<<16|div<<8|rmtTxIdleEn|rmtTxMemRdRst)
	c.w(rmtBase+rmtRxConf0, 1<<23|100<<8|div)
	for i, e := range entries {
		c.w(rmtBase+rmtRAM+4*uint32(i), e)
	}
}

func TestRMTPulseTrain(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	rmtPins(c, 1, entry(true, 32, false, 68), entry(true, 64, false, 36), 0) // a zero and a one of a WS2812
	c.w(rmtBase+rmtRxConf1, rmtRxOwner|rmtRxMemWrRst|rmtRxEn)
	c.pins = nil
	from := c.m.Now()
	c.w(rmtBase+rmtTxConf0, c.r(rmtBase+rmtTxConf0)|rmtTxStart)
	c.run(50 * emu.Microsecond)
	levels, ticks := c.train(8, from)
	if want := []emu.Level{emu.High, emu.Low, emu.High, emu.Low}; !slices.Equal(levels, want) {
		t.Errorf("levels %v", levels)
	}
	if want := []chip.Duration{64, 136, 128}; !slices.Equal(ticks, want) {
		t.Errorf("lengths %v, want %v", ticks, want)
	}
	c.want(rmtBase+rmtIntRaw, 1|1<<2)
	c.want(rmtBase+rmtRAM+4*96, entry(true, 32, false, 68))
	c.want(rmtBase+rmtRAM+4*97, entry(true, 64, false, 0)) // the last level lasts: an end marker
	if at := c.r(rmtBase+rmtRxStatus) & 0x1ff; at != 96+2 {
		t.Errorf("the receiver is at %d", at)
	}
}

// A train longer than the memory: refilled at each threshold event.
func TestRMTWrap(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	rmtPins(c, 8)
	for i := range uint32(48) {
		c.w(rmtBase+rmtRAM+4*i, entry(true, 10, false, 10))
	}
	c.w(rmtBase+rmtTxLim, 24)
	c.pins = nil
	c.w(rmtBase+rmtTxConf0, c.r(rmtBase+rmtTxConf0)|rmtTxWrap|rmtTxStart)
	refill := uint32(0)
	for n := 0; n < 4; n++ {
		for c.r(rmtBase+rmtIntRaw)&(1<<8) == 0 {
			if c.run(emu.Microsecond); c.m.Now() > emu.Time(emu.Second) {
				t.Fatal("no threshold event")
			}
		}
		c.w(rmtBase+rmtIntClr, 1<<8)
		if n == 3 {
			c.w(rmtBase+rmtRAM+4*refill, 0)
		}
		refill = (refill + 24) % 48
	}
	c.run(emu.Millisecond)
	if raw := c.r(rmtBase + rmtIntRaw); raw&1 == 0 {
		t.Errorf("INT_RAW 0x%x: the train has no end", raw)
	}
	rises := 0
	for _, p := range c.pins {
		if p.Pin == 8 && p.Level == emu.High {
			rises++
		}
	}
	if rises != 48*2+24 {
		t.Errorf("%d pulses, want %d", rises, 48*2+24)
	}
	// Without wrapping, memory without an end marker is an error.
	for i := range uint32(48) {
		c.w(rmtBase+rmtRAM+4*i, entry(true, 1, false, 1))
	}
	c.w(rmtBase+rmtIntClr, ^uint32(0)>>1)
	c.w(rmtBase+rmtTxConf0, 1<<16|8<<8|rmtTxMemRdRst|rmtTxStart)
	c.run(emu.Millisecond)
	if raw := c.r(rmtBase + rmtIntRaw); raw&(1|1<<4) != 1<<4 {
		t.Errorf("INT_RAW 0x%x without an end marker", raw)
	}
}

func TestRMTLoopAndStop(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	rmtPins(c, 1, entry(true, 40, false, 40), 0)
	c.w(rmtBase+rmtTxLim, 0x80|5<<9|rmtLimLoopEn|rmtLimLoopReset)
	c.w(rmtBase+rmtTxConf0, c.r(rmtBase+rmtTxConf0)|rmtTxConti|rmtTxStart)
	c.run(5*emu.Microsecond - 80)
	c.want(rmtBase+rmtIntRaw, 0)
	c.run(100)
	c.want(rmtBase+rmtIntRaw, 1<<12)
	c.w(rmtBase+rmtTxConf0, c.r(rmtBase+rmtTxConf0)|rmtTxStop)
	c.pins = nil
	c.run(10 * emu.Microsecond)
	if len(c.pins) != 0 || c.r(rmtBase+rmtTxStatus)>>9&7 != 0 {
		t.Error("the channel goes on after TX_STOP")
	}
	// Two end markers in a loop end it.
	c.w(rmtBase+rmtRAM, 0)
	c.w(rmtBase+rmtTxConf0, c.r(rmtBase+rmtTxConf0)|rmtTxMemRdRst|rmtTxStart)
	if c.r(rmtBase+rmtIntRaw)&1 == 0 {
		t.Error("an empty loop does not end")
	}
}

// 38 kHz on the high pulses, as infrared remote controls send; the receiver
// takes it away again.
func TestRMTCarrier(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	rmtPins(c, 80, entry(true, 560, false, 560), entry(true, 560, false, 90), 0) // microseconds
	c.w(rmtBase+rmtCarrier, 701<<16|1402)                                        // 702 and 1403 of 12.5 ns: a third of 38 kHz
	c.w(rmtBase+rmtTxConf0, c.r(rmtBase+rmtTxConf0)|rmtTxCarrierEn|rmtTxCarrierLv)
	c.w(rmtBase+rmtRxConf0, 1<<23|600<<8|80|rmtRxCarrierEn|rmtRxCarrierLv)
	c.w(rmtBase+rmtRxCarrier, 20<<16|20)
	c.w(rmtBase+rmtRxConf1, rmtRxOwner|rmtRxMemWrRst|rmtRxEn)
	c.pins = nil
	from := c.m.Now()
	c.w(rmtBase+rmtTxConf0, c.r(rmtBase+rmtTxConf0)|rmtTxStart)
	c.run(5 * emu.Millisecond)
	levels, ticks := c.train(8, from)
	if n := len(levels); n != 2*2*22 {
		t.Errorf("%d edges, want 22 bursts in each of two pulses", n)
	}
	if ticks[0] != 2*702 || ticks[1] != 2*1403 {
		t.Errorf("carrier of %v", ticks[:2])
	}
	got := c.r(rmtBase + rmtRAM + 4*96)
	if l1, l2 := got&0x7fff, got>>16&0x7fff; got>>15&1 != 1 || l1 < 540 || l1 > 580 || l2 < 540 || l2 > 580 {
		t.Errorf("demodulated %d, %d", l1, l2)
	}
}

// The filter removes short pulses; a full memory and one that is not the
// receiver's are errors.
func TestRMTReceiver(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	rmtPins(c, 1)
	c.w(gpioBase+gpFuncOutSel0+4*8, gpOutSelGPIO|gpOEnSel)
	c.w(gpioBase+gpEnable, 1<<8)
	pulse := func(high bool, d chip.Duration) {
		c.w(gpioBase+gpOut, b2u(high)<<8)
		c.run(d)
	}
	c.w(rmtBase+rmtRxConf0, 1<<23|1000<<8|1)
	c.w(rmtBase+rmtRxConf1, rmtRxOwner|rmtRxMemWrRst|rmtRxFilterEn|50<<5|rmtRxEn)
	pulse(true, 400)
	pulse(false, 40) // 20 of 12.5 ns
	pulse(true, 360)
	pulse(false, 600)
	pulse(true, 200)
	pulse(false, 4000)
	got := c.r(rmtBase + rmtRAM + 4*96)
	if l := got & 0x7fff; l < 398 || l > 404 {
		t.Errorf("the first pulse has %d", l)
	}
	if c.r(rmtBase+rmtIntRaw)&(1<<2) == 0 {
		t.Error("no end")
	}
	c.w(rmtBase+rmtIntClr, 0xfff)
	c.w(rmtBase+rmtRxConf1, 0)
	c.w(rmtBase+rmtRxConf1, rmtRxOwner|rmtRxMemWrRst|rmtRxEn)
	for range 60 {
		pulse(true, 100)
		pulse(false, 100)
	}
	if raw := c.r(rmtBase + rmtIntRaw); raw&(1<<6) == 0 {
		t.Errorf("INT_RAW 0x%x with a full memory", raw)
	}
	c.w(rmtBase+rmtIntClr, 0xfff)
	c.w(rmtBase+rmtRxConf1, 0)
	c.w(rmtBase+rmtRxConf1, rmtRxMemWrRst|rmtRxEn)
	pulse(true, 100)
	pulse(false, 100)
	if raw := c.r(rmtBase + rmtIntRaw); raw&(1<<6) == 0 {
		t.Errorf("INT_RAW 0x%x with memory of the APB side", raw)
	}
}

// A strip of LEDs reads the colours that RMT sends.
func TestRMTDrivesWS2812(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	strip := &parts.WS2812{Pin: 8, LEDs: 1}
	if err := strip.Attach(c.board); err != nil {
		t.Fatal(err)
	}
	var entries []uint32
	const grb = 0x20_10_c5
	for bit := 23; bit >= 0; bit-- {
		if grb>>bit&1 != 0 {
			entries = append(entries, entry(true, 64, false, 36))
		} else {
			entries = append(entries, entry(true, 32, false, 68))
		}
	}
	rmtPins(c, 1, append(entries, 0)...)
	c.w(rmtBase+rmtTxConf0, c.r(rmtBase+rmtTxConf0)|rmtTxStart)
	c.run(100 * emu.Microsecond)
	if got := strip.Colors()[0]; got != (parts.RGB{R: 0x10, G: 0x20, B: 0xc5}) {
		t.Errorf("the LED shows %v", got)
	}
}
