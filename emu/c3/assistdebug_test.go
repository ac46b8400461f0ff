package c3

import (
	"testing"

	"espalier.dev/espalier/emu"
)

// The monitors record where a region is used and the stack pointer leaves its
// bounds, and raise their interrupt.
func TestAssistDebugMonitors(t *testing.T) {
	const base, data = 0x600ce000, sram1Data + 0x10000
	c := newTestChip(t, emu.Config{})
	c.w(base+asRegions, data)
	c.w(base+asRegions+4, data+3)
	c.w(base+asRegions+8*2, timg1)
	c.w(base+asRegions+8*2+4, timg1+0xfff)
	c.w(base+asSPMin, data+0x100)
	c.w(base+asIntEna, asIntAll)
	c.w(base+asMonitor, 1<<1|1<<4|asSpillMin)
	high := func() bool { return c.r(0x600c20fc)>>(srcAssistDebug-32)&1 != 0 }
	c.r(timg1 + 4)
	c.want(base+asIntRaw, 1<<4)
	if !high() {
		t.Error("no interrupt")
	}
	c.w(timg1+0x10, 5) // only reading is monitored
	c.w(base+asIntClr, 1<<4)
	c.want(base+asIntRaw, 0)

	code := func(write func(a *asm)) uint32 {
		a := &asm{base: sram1Code + 0x20000}
		write(a)
		a.halt()
		c.pokeBytes(a.base-sram1Code+sram1Data, a.code)
		c.m.CPU.Reset(a.base)
		c.run(emu.Microsecond)
		return a.base
	}
	pc := code(func(a *asm) {
		a.li(t0, data)
		a.lw(t1, t0, 0)
		a.sw(t1, t0, 4)
		a.sw(t1, t0, 0)
	})
	c.want(base+asIntRaw, 1<<1)
	c.want(base+asAreaPC, pc+16)
	c.w(base+asIntClr, 1<<1)
	snapshot := c.board.Snapshot()
	pc = code(func(a *asm) {
		a.li(sp, data+0x200)
		a.addi(sp, sp, -0x200)
	})
	c.want(base+asIntRaw, asSpillMin)
	c.want(base+asSPPC, pc+8)
	if err := c.board.Restore(snapshot); err != nil {
		t.Fatal(err)
	}
	c.want(base+asIntRaw, 0)
	code(func(a *asm) {
		a.li(t0, data)
		a.sw(t1, t0, 0)
	})
	c.want(base+asIntRaw, 1<<1) // monitors are part of a snapshot
}
