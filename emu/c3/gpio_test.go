package c3

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/rv32"
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
		{"not connected", ioIE, emu.Floating, -1, false, emu.Floating},
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

// pad configures a pad for the GPIO matrix, with other bits of its register.
func (c *testChip) pad(n, bits uint32) { c.w(iomuxBase+ioPin0+4*n, 1<<12|bits) }

func (c *testChip) in(n uint32) bool { return c.r(gpioBase+gpIn)>>n&1 != 0 }

// Two joined pins, as the jumper of a test board: the same sequence with the
// wire and without it.
func TestJoinedPins(t *testing.T) {
	for _, joined := range []bool{true, false} {
		c := newTestChip(t, emu.Config{})
		if joined {
			c.board.Join(2, 3)
			c.run(emu.Tick)
		}
		c.pad(2, ioIE|ioWPD)
		c.pad(3, ioIE)
		c.w(gpioBase+gpEnable, 1<<3)
		c.w(gpioBase+gpPin0+4*2, gpIntRising<<7|gpIntCPU)
		for i, high := range []bool{true, false, true} {
			c.w(gpioBase+gpStatus+8, 1<<2)
			if high {
				c.w(gpioBase+gpOut+4, 1<<3)
			} else {
				c.w(gpioBase+gpOut+8, 1<<3)
			}
			if got, want := c.in(2), high && joined; got != want {
				t.Errorf("joined %v, step %d: input is %v, want %v", joined, i, got, want)
			}
			if got, want := c.r(gpioBase+gpPCPUInt)>>2&1 != 0, high && joined; got != want {
				t.Errorf("joined %v, step %d: interrupt is %v, want %v", joined, i, got, want)
			}
		}
		c.board.Cut(3)
		c.run(emu.Tick)
		if c.in(2) || c.board.Pin(2) != emu.Low || c.board.Pin(3) != emu.High {
			t.Errorf("after the cut: %v, %v, %v", c.in(2), c.board.Pin(2), c.board.Pin(3))
		}
	}
}

// Open drain with the pull resistor at the other end of the wire.
func TestJoinedOpenDrain(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.board.Join(2, 3)
	c.run(emu.Tick)
	c.pad(2, 0)
	c.w(gpioBase+gpPin0+4*2, gpOpenDrain)
	c.w(gpioBase+gpOut, 1<<2)
	c.w(gpioBase+gpEnable, 1<<2)
	for _, k := range []struct {
		pull uint32
		out  bool
		in   bool
	}{{ioWPU, true, true}, {ioWPU, false, false}, {ioWPU, true, true}, {ioWPD, true, false}, {ioWPD, false, false}, {ioWPU, true, true}} {
		c.pad(3, ioIE|k.pull)
		c.w(gpioBase+gpOut, b2u(k.out)<<2)
		if got := c.in(3); got != k.in {
			t.Errorf("pull 0x%x, output %v: input is %v", k.pull, k.out, got)
		}
	}
	if n := len(c.board.Conflicts()); n != 0 {
		t.Errorf("%d conflicts", n)
	}
	c.pad(3, ioIE)
	c.w(gpioBase+gpPin0+4*2, 0)
	c.w(gpioBase+gpOut, 1<<2)
	c.w(gpioBase+gpEnable, 1<<2|1<<3) // 2 drives high, 3 low
	if got := c.board.Conflicts(); len(got) != 1 || !slices.Equal(got[0].Pins, []int{2, 3}) {
		t.Errorf("conflicts %v", got)
	}
}

func b2u(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// Every output signal reaches a pad by the matrix and comes back as an input
// signal by another; inversions, enables and constants on the way.
func TestMatrixPaths(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	g := c.gpio
	const sig = sigCPUGPIO0 + 3
	heard := 0
	g.observe(sigTWAIRX, func(bool) { heard++ }) // an observer in place of a block
	c.pad(4, ioIE)
	c.pad(5, ioIE)
	in := func(cfg uint32) { c.w(gpioBase+gpFuncInSel0+4*uint32(sigTWAIRX), cfg) }
	out := func(cfg uint32) { c.w(gpioBase+gpFuncOutSel0+4*4, cfg) }
	in(gpInSelMatrix | 4)
	for _, k := range []struct {
		name    string
		out, in uint32
		oen     uint32
		level   uint32
		want    bool
		pin     emu.Level
	}{
		{"low", uint32(sig), 4, 8, 0, false, emu.Low},
		{"high", uint32(sig), 4, 8, 8, true, emu.High},
		{"inverted output", uint32(sig) | gpOutInv, 4, 8, 8, false, emu.Low},
		{"inverted input", uint32(sig), 4 | gpInInv, 8, 8, false, emu.High},
		{"both inverted", uint32(sig) | gpOutInv, 4 | gpInInv, 8, 8, true, emu.Low},
		{"not enabled by the peripheral", uint32(sig), 4, 0, 8, false, emu.Floating},
		{"enable inverted", uint32(sig) | gpOEnInv, 4, 0, 8, true, emu.High},
		{"enabled by GPIO_ENABLE", uint32(sig) | gpOEnSel, 4, 0, 8, false, emu.Floating},
		{"another pad", uint32(sig), 5, 8, 8, false, emu.High},
		{"constant high", uint32(sig), gpInHigh, 8, 0, true, emu.Low},
		{"constant low", uint32(sig), 0x1f, 8, 8, false, emu.High},
		{"no such output", 110, 4, 8, 8, false, emu.Low},
	} {
		t.Run(k.name, func(t *testing.T) {
			out(k.out)
			in(gpInSelMatrix | k.in)
			c.bus.StoreCSR(csrGPIOOEN, k.oen)
			c.bus.StoreCSR(csrGPIOOut, k.level)
			if got := g.input(sigTWAIRX); got != k.want {
				t.Errorf("input signal is %v", got)
			}
			if has(&g.matrix.s.Seen, sigTWAIRX) != k.want {
				t.Error("the observer knows another level")
			}
			if got := c.board.Pin(4); got != k.pin {
				t.Errorf("pin is %v, want %v", got, k.pin)
			}
		})
	}
	if heard < 8 {
		t.Errorf("the observer was called %d times", heard)
	}
	in(4) // not the matrix: the signal rests
	if !g.input(sigTWAIRX) {
		t.Error("an input without a pad does not rest high")
	}
}

// A pad's own function goes past the matrix.
func TestDirectFunctions(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	g := c.gpio
	g.enableOutput(sigFSPID, true) // SPI2 itself drives it during a transfer only
	g.drive(sigFSPID, true)
	c.w(iomuxBase+ioPin0+4*7, 2<<12|ioIE)
	if got := c.board.Pin(7); got != emu.High {
		t.Errorf("FSPID on GPIO7 is %v", got)
	}
	g.drive(sigFSPID, false)
	if got := c.board.Pin(7); got != emu.Low {
		t.Errorf("FSPID on GPIO7 is %v", got)
	}
	g.enableOutput(sigFSPID, false)
	c.board.SetPin(7, emu.High)
	c.run(emu.Tick)
	if !g.input(sigFSPID) {
		t.Error("FSPID does not come from GPIO7")
	}
	c.w(gpioBase+gpFuncInSel0+4*uint32(sigFSPID), gpInSelMatrix|0x1f)
	if g.input(sigFSPID) {
		t.Error("the matrix does not rule the input")
	}
	c.pad(7, ioIE)
	c.w(gpioBase+gpFuncInSel0+4*uint32(sigFSPID), 0)
	if g.input(sigFSPID) {
		t.Error("FSPID comes from a pad that has another function")
	}
}

// Signals 97 to 100 connect an input of the matrix with an output.
func TestMatrixPassThrough(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.pad(0, ioIE)
	c.pad(1, 0)
	c.w(gpioBase+gpFuncInSel0+4*98, gpInSelMatrix) // pad 0
	c.w(gpioBase+gpFuncOutSel0+4*1, 98)
	for _, l := range []emu.Level{emu.High, emu.Low, emu.High} {
		c.board.SetPin(0, l)
		c.run(emu.Tick)
		if got := c.board.Pin(1); got != l {
			t.Errorf("GPIO1 is %v, GPIO0 %v", got, l)
		}
	}
}

// The matrix can feed an inverted pad back to itself: that ends, with a report.
func TestMatrixRing(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.pad(0, ioIE)
	c.w(gpioBase+gpFuncOutSel0, 97|gpOutInv)
	c.w(gpioBase+gpFuncInSel0+4*97, gpInSelMatrix) // pad 0
	if got := c.board.Conflicts(); len(got) == 0 || !got[0].Oscillates {
		t.Errorf("conflicts %v", got)
	}
	c.board.Join(0, 1)
	c.run(emu.Microsecond)
	c.board.Cut(0)
	c.run(emu.Microsecond)
}

func TestPadHold(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	const rtcBase = 0x60008000
	for _, k := range []struct{ pin, reg uint32 }{{2, rtcPadHold}, {8, rtcDigPadHold}} {
		bit := uint32(1) << k.pin
		c.pad(k.pin, ioIE)
		c.w(gpioBase+gpEnable, bit)
		c.w(gpioBase+gpOut, bit)
		c.w(rtcBase+k.reg, bit)
		c.w(gpioBase+gpOut, 0)
		c.w(gpioBase+gpEnable, 0)
		if got := c.board.Pin(int(k.pin)); got != emu.High {
			t.Errorf("held pin %d is %v", k.pin, got)
		}
		c.requestReset(causeSWSystem)
		c.run(emu.Tick)
		if got := c.board.Pin(int(k.pin)); got != emu.High {
			t.Errorf("held pin %d is %v after a reset of the core", k.pin, got)
		}
		c.pad(k.pin, ioIE)
		c.w(gpioBase+gpEnable, bit)
		c.w(rtcBase+k.reg, 0)
		if got := c.board.Pin(int(k.pin)); got != emu.Low {
			t.Errorf("released pin %d is %v", k.pin, got)
		}
	}
}

// Dedicated GPIO, as a program uses it: CSR instructions on two joined pins.
func TestDedicatedGPIO(t *testing.T) {
	for _, engine := range []rv32.Engine{rv32.EngineBlock, rv32.EngineReference} {
		b := guest(t, emu.Config{Engine: engine}, func(a *asm) {
			quietWatchdogs(a)
			a.poke(iomuxBase+ioPin0+4*2, 1<<12|ioIE)
			a.poke(iomuxBase+ioPin0+4*3, 1<<12)
			a.poke(gpioBase+gpFuncInSel0+4*uint32(sigCPUGPIO0), gpInSelMatrix|2)
			a.poke(gpioBase+gpFuncOutSel0+4*3, uint32(sigCPUGPIO0)+1)
			a.csrsi(csrGPIOOEN, 2)
			a.li(a1, 0x50000000)
			for i := range 4 {
				if i%2 == 0 {
					a.csrsi(csrGPIOOut, 2)
				} else {
					a.word(csrGPIOOut<<20 | 2<<15 | 7<<12 | 0x73) // csrci
				}
				a.word(csrGPIOIn<<20 | 2<<12 | a0<<7 | 0x73) // csrr a0
				a.sw(a0, a1, 4*i)
			}
			a.halt()
		})
		b.Join(2, 3)
		b.Run(t.Context(), emu.Limit(time.Millisecond))
		for i := range uint32(4) {
			if v := loadWord(b, 0x50000000+4*i); v != (i+1)%2 {
				t.Errorf("%v: CSR 804 read %d is 0x%x", engine, i, v)
			}
		}
	}
}

// loadWord reads a word of a board's memory.
func loadWord(b *emu.Board, addr uint32) uint32 {
	var p [4]byte
	b.CPU().Memory().Read(addr, p[:])
	return binary.LittleEndian.Uint32(p[:])
}
