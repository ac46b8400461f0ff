package c3

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
)

// Drivers clear by read-modify-write: if a write-one-to-clear register read as
// its last written value, they would clear new events.
func TestWriteOneToClearReadsZero(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	for _, addr := range []uint32{
		0x60000010, 0x60010010, 0x60043014, 0x6002306c, 0x6001f07c, 0x6002007c, 0x6000804c, 0x600089e4, 0x600c210c,
		0x6000400c, 0x60004008, 0x60004028, 0x60004024, 0x6000404c, 0x60004048, 0x600020c4, 0x6004004c, 0x60008104, 0x60008100,
	} {
		c.w(addr, ^uint32(0)>>1)
		c.want(addr, 0)
	}
}

func TestUnmodelledRegistersAreMemoryAndListed(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	const world = 0x600d0010
	c.want(world, 0)
	c.w(world, 0x1234)
	c.want(world, 0x1234)
	c.w(0x60001008, 7) // no block
	list := c.board.Unmodelled()
	i := slices.IndexFunc(list, func(a emu.Access) bool { return a.Addr == world })
	if i < 0 {
		t.Fatalf("WORLD is not listed: %v", list)
	}
	if a := list[i]; a.Block != "WORLD" || a.Reads != 2 || a.Writes != 1 {
		t.Errorf("listed as %v", a)
	}
	if !slices.ContainsFunc(list, func(a emu.Access) bool { return a.Addr == 0x60001008 && a.Block == "" }) {
		t.Errorf("an access to a hole is not listed: %v", list)
	}
	if slices.ContainsFunc(list, func(a emu.Access) bool { return a.Block == "UART0" || a.Block == "TIMG0" }) {
		t.Errorf("modelled registers are listed: %v", list)
	}
}

// What is not modelled of a block is reported when firmware turns it on, each time,
// and not before.
func TestUnmodelledPartsAreListed(t *testing.T) {
	for name, k := range map[string]struct{ addr, on uint32 }{
		"IrDA": {0x60000000 + uartConf0, 0x1000001c | uartConf0IrDA}, "IrDA of UART1": {0x60010000 + uartConf0, uartConf0IrDA},
		"bus log": {0x600ce000 + asLogSetting, 1}, "triple sampling": {twaiBase + twTiming1, twTripleSample | 0x1c},
		"companding": {0x6002d000 + isTxConf, 0xb200 &^ isPCMBypass}, "expanding": {0x6002d000 + isRxConf, 0x9600 &^ isPCMBypass},
		"wake-up by Wi-Fi": {rtcBase + rtcWakeupState, (wakeTimer | wakeWiFi) << 15}, "wake-up by Bluetooth": {rtcBase + rtcWakeupState, wakeBT << 15},
		"bytes from DMA": {0x6003f000 + gdChannel0 + gdPopPush, 1 << 12},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTestChip(t, emu.Config{})
			c.w(0x600c0010, ^uint32(0)) // clocks of all blocks
			c.w(0x600c0014, ^uint32(0))
			c.w(0x600c0018, 0)
			c.w(0x600c001c, 0)
			off := c.r(k.addr)
			writes := func() (n uint64) {
				for _, a := range c.board.Unmodelled() {
					if a.Addr == k.addr {
						n = a.Writes
					}
				}
				return n
			}
			if name != "bytes from DMA" {
				if c.w(k.addr, off); writes() != 0 {
					t.Error("listed while it is off")
				}
			}
			c.w(k.addr, k.on)
			if writes() != 1 {
				t.Errorf("%d writes are listed", writes())
			}
			if name != "bytes from DMA" {
				c.w(k.addr, k.on)
				if writes() != 1 {
					t.Error("a write that changes nothing is listed")
				}
				c.w(k.addr, off)
				if c.w(k.addr, k.on); writes() != 2 {
					t.Errorf("%d writes after turning it on again", writes())
				}
			}
		})
	}
}

func TestStrictStopsAtTheAccess(t *testing.T) {
	var at uint32
	b := guest(t, emu.Config{Strict: true}, func(a *asm) {
		a.li(t0, 0x600d0000)
		at = a.pc()
		a.lw(a0, t0, 0x10)
		a.print("never")
		a.halt()
	})
	res := b.Run(t.Context(), emu.Limit(time.Second))
	var strict *emu.StrictError
	if res.Reason != emu.StopStrict || !errors.As(res.Err, &strict) {
		t.Fatalf("stopped with %v, %v", res.Reason, res.Err)
	}
	if strict.Access.Addr != 0x600d0010 || strict.Access.PC != at {
		t.Errorf("stopped at %v, want pc 0x%08x", strict.Access, at)
	}
	if !strings.Contains(res.Err.Error(), "WORLD") {
		t.Errorf("message %q names no block", res.Err)
	}
}

func TestNarrowAccesses(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	const store0 = 0x60008050
	c.w(store0, 0x44332211)
	for i := range uint32(4) {
		if v, _ := c.bus.Load(store0+i, 1); v != 0x11*(i+1) {
			t.Errorf("byte %d reads 0x%x", i, v)
		}
	}
	c.bus.Store(store0+2, 2, 0xabcd)
	c.bus.Store(store0, 1, 0xffffff99)
	c.want(store0, 0xabcd2299)
}

func TestOutsideFaults(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	for _, addr := range []uint32{0, 0x20000000, 0x3fc7fffc, 0x40060000, 0x5fffffff &^ 3, 0x600d1000, 0xfffffffc, iromBase, dromBase} {
		if _, ok := c.bus.Load(addr, 4); ok {
			t.Errorf("load from 0x%08x is no fault", addr)
		}
		if c.bus.Store(addr, 4, 0) {
			t.Errorf("store to 0x%08x is no fault", addr)
		}
	}
}

// Registers have the reset values of the manual.
func TestResetValues(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	for _, r := range []struct{ addr, v uint32 }{
		{0x60000014, 0x2b6}, {0x60000020, 0x1000001c}, {0x60023000, 0x46000000}, {0x60020000, 0x60002000}, {0x600c0058, 0xa8001}, // a crystal of 40 MHz
		{0x600c4004, 3}, {0x600c40b0, 1}, {0x60008090, 0}, {0x60009004, 0x800}, {0x6000900c, 0xa00}, {0x60009028, 0xb00}, {0x60004554, 0x80}, {0x600c5000, 0x100},
		{0x60043004, 2}, {0x60008038, 0x3041}, {0x6000301c, 0x5c000007}, {0x60026014, 0xfffce030},
	} {
		c.want(r.addr, r.v)
	}
}

func TestPeripheralReset(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(0x60000014, 5)
	c.w(0x60020010, 77)
	c.w(0x600c0018, 1<<2|1<<15)
	c.want(0x60000014, 0x2b6)
	c.want(0x60020010, 0)
	c.w(0x60000014, 6) // the bit is still set: only its rise resets
	c.w(0x600c0018, 1<<2)
	c.want(0x60000014, 6)
}

func TestRandomIsSeededAndVaries(t *testing.T) {
	read := func(seed uint64) (v [8]uint32) {
		c := newTestChip(t, emu.Config{Seed: seed})
		for i := range v {
			v[i] = c.r(0x600260b0)
		}
		return v
	}
	a, b, other := read(1), read(1), read(2)
	if a != b {
		t.Error("the same seed gives other numbers")
	}
	if a == other {
		t.Error("another seed gives the same numbers")
	}
	if a[0] == a[1] {
		t.Error("numbers do not vary")
	}
}
