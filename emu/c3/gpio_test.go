package c3

import (
	"slices"
	"testing"

	"espalier.dev/espalier/emu"
)

const (
	gpioBase  = 0x60004000
	iomuxBase = 0x60009000
)

func TestGPIOOutput(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(iomuxBase+4+4*8, 1<<12|ioIE)
	c.pins = nil
	c.w(gpioBase+gpEnable+4, 1<<8)
	c.w(gpioBase+gpOut+4, 1<<8)
	c.run(emu.Microsecond)
	c.w(gpioBase+gpOut+8, 1<<8)
	c.w(gpioBase+gpEnable+8, 1<<8)
	var levels []emu.Level
	for _, p := range c.pins {
		if p.Pin != 8 {
			t.Errorf("pin %d changed", p.Pin)
		}
		levels = append(levels, p.Level)
	}
	if want := []emu.Level{emu.Low, emu.High, emu.Low, emu.Floating}; !slices.Equal(levels, want) {
		t.Errorf("levels %v, want %v", levels, want)
	}
	if d := c.pins[2].At.Sub(c.pins[1].At); d < emu.Microsecond {
		t.Errorf("high for %v", d)
	}
}

func TestGPIOLevels(t *testing.T) {
	for _, k := range []struct {
		name string
		pad  uint32
		ext  emu.Level
		out  int // -1: not driven, else the output
		in   bool
		pin  emu.Level
	}{
		{"nothing", ioIE, emu.Floating, -1, false, emu.Floating},
		{"pull-up", ioIE | ioWPU, emu.Floating, -1, true, emu.High},
		{"pull-down", ioIE | ioWPD, emu.Floating, -1, false, emu.Low},
		{"outside high", ioIE, emu.High, -1, true, emu.High},
		{"outside beats pull", ioIE | ioWPU, emu.Low, -1, false, emu.Low},
		{"guest drives high", ioIE, emu.Floating, 1, true, emu.High},
		{"guest beats outside", ioIE, emu.High, 0, false, emu.Low},
		{"input disabled reads low", 0, emu.High, -1, false, emu.High},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newTestChip(t, emu.Config{})
			c.w(iomuxBase+4+4*3, 1<<12|k.pad)
			if k.out >= 0 {
				c.w(gpioBase+gpOut, uint32(k.out)<<3)
				c.w(gpioBase+gpEnable, 1<<3)
			}
			c.board.SetPin(3, k.ext)
			c.run(emu.Microsecond)
			if got := c.r(gpioBase+gpIn)>>3&1 == 1; got != k.in {
				t.Errorf("IN reads %v", got)
			}
			if got := c.board.Pin(3); got != k.pin {
				t.Errorf("pin is %v, want %v", got, k.pin)
			}
		})
	}
}

func TestGPIOInterrupts(t *testing.T) {
	for _, k := range []struct {
		name   string
		kind   uint32
		levels []emu.Level
		status []bool // after each level, cleared in between
	}{
		{"rising", gpIntRising, []emu.Level{emu.High, emu.Low, emu.High}, []bool{true, false, true}},
		{"falling", gpIntFalling, []emu.Level{emu.High, emu.Low, emu.High}, []bool{false, true, false}},
		{"any", gpIntAny, []emu.Level{emu.High, emu.High, emu.Low}, []bool{true, false, true}},
		{"high level", gpIntHigh, []emu.Level{emu.Low, emu.High, emu.High}, []bool{false, true, true}},
		{"low level", gpIntLow, []emu.Level{emu.Low, emu.High, emu.Low}, []bool{true, false, true}},
		{"off", 0, []emu.Level{emu.High, emu.Low}, []bool{false, false}},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newTestChip(t, emu.Config{})
			c.w(iomuxBase+4+4*5, 1<<12|ioIE)
			c.w(gpioBase+gpPin0+4*5, k.kind<<7|1<<13)
			for i, l := range k.levels {
				if k.kind < gpIntLow {
					c.w(gpioBase+gpStatus+8, 1<<5)
				}
				c.board.SetPin(5, l)
				c.run(emu.Microsecond)
				if k.kind >= gpIntLow { // a level raises it again
					c.w(gpioBase+gpStatus+8, 1<<5)
				}
				want := uint32(0)
				if k.status[i] {
					want = 1 << 5
				}
				c.want(gpioBase+gpStatus, want)
				c.want(gpioBase+gpPCPUInt, want)
				if got := c.r(0x600c20f8)>>16&1 == 1; got != k.status[i] {
					t.Errorf("source 16 is %v after %v", got, l)
				}
			}
		})
	}
}

func TestGPIOMatrixInversionAndOpenDrain(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(iomuxBase+4+4*2, 1<<12)
	c.w(gpioBase+gpEnable, 1<<2)
	c.w(gpioBase+gpFuncOutSel0+4*2, gpOutSelGPIO|gpOutInv)
	if got := c.board.Pin(2); got != emu.High {
		t.Errorf("inverted output is %v", got)
	}
	c.w(gpioBase+gpFuncOutSel0+4*2, gpOutSelGPIO)
	c.w(gpioBase+gpPin0+4*2, 1<<2) // open drain
	if got := c.board.Pin(2); got != emu.Low {
		t.Errorf("open drain low is %v", got)
	}
	c.w(gpioBase+gpOut, 1<<2)
	if got := c.board.Pin(2); got != emu.Floating {
		t.Errorf("open drain high is %v", got)
	}
	for _, n := range []int{-1, 22, 100} {
		c.board.SetPin(n, emu.High)
		if got := c.board.Pin(n); got != emu.Floating {
			t.Errorf("pin %d is %v", n, got)
		}
	}
	c.run(emu.Microsecond)
}
