package c3

import (
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/rv32"
)

const pmsBase = 0x600c1000

// setLine places split line n at an offset in SRAM1, as IDF's memprot does.
func setLine(c *testChip, n, off uint32) {
	var v uint32
	for seg := range uint32(3) {
		switch {
		case off/pmsSegment == seg:
			v |= 2 << (2 * seg)
		case off/pmsSegment < seg:
			v |= 3 << (2 * seg)
		}
	}
	c.w(pmsBase+pmsLineID+4*n, v|off>>9&0xff<<14)
}

// A store to an area without the permission has no effect, is recorded with its
// address, and raises the interrupt; what the areas beside it do is as before,
// also within a page of the model.
func TestPermissionsOfSRAM(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	mem := func(addr uint32) uint32 {
		v, ok := c.bus.Load(addr, 4)
		if !ok {
			t.Fatalf("load of 0x%08x faults", addr)
		}
		return v
	}
	const line = 0x21200 // not at the border of a page
	for n := range uint32(5) {
		setLine(c, n, line)
	}
	c.w(pmsBase+pmsIRAM, 0x1c7fff&^(7<<9)|3<<9) // no code above the line
	c.w(pmsBase+pmsDRAM, 0xf0ff0ff&^3|1)        // only loads below it
	for _, m := range []uint32{pmsIRAMMonitor, pmsDRAMMonitor} {
		c.w(pmsBase+m+4, pmsMonitorOn)
	}
	if !c.bus.Store(sram1Data+line, 4, 5) || !c.bus.Store(sram1Data+line-4, 4, 6) {
		t.Fatal("a store faults")
	}
	if mem(sram1Data+line) != 5 || mem(sram1Data+line-4) != 0 {
		t.Errorf("0x%x above the line and 0x%x below", mem(sram1Data+line), mem(sram1Data+line-4))
	}
	c.want(pmsBase+pmsDRAMMonitor+8, 1|pmsWorld0<<2|(sram1Data+line-4-pmsDRAMBase)>>2<<4)
	c.want(pmsBase+pmsDRAMMonitor+12, 1|0xf<<1)
	c.want(0x600c2000+regSourceStatus1, 1<<(srcDMAPMS+2-32))
	// only the first violation is recorded
	c.bus.Store(sram1Data, 1, 6)
	c.want(pmsBase+pmsDRAMMonitor+12, 1|0xf<<1)
	c.w(pmsBase+pmsDRAMMonitor+4, pmsMonitorOn|pmsMonitorClear)
	c.want(pmsBase+pmsDRAMMonitor+8, 0)
	c.want(0x600c2000+regSourceStatus1, 0)

	// code: a whole page above the line is not executable
	cpu := c.m.CPU
	cpu.Reset(sram1Code + line + 0x2000)
	var trap rv32.Trap
	cpu.OnTrap = func(t rv32.Trap) { trap = t }
	cpu.Step()
	if trap.Cause != rv32.CauseFetch {
		t.Errorf("cause %d, want a fetch fault", trap.Cause)
	}
	c.want(pmsBase+pmsIRAMMonitor+8, 1|pmsWorld0<<3|(sram1Code+line+0x2000-pmsIRAMBase)>>2<<5)

	// a lock holds until the CPU is reset
	c.w(pmsBase+pmsIRAM-8, 1)
	c.w(pmsBase+pmsIRAM, 0x1c7fff)
	if got, _ := c.bus.Load(pmsBase+pmsIRAM, 4); got == 0x1c7fff {
		t.Error("a locked register is written")
	}
	s := c.board.Snapshot()
	c.soc.resetTo(causeSWCPU)
	c.want(pmsBase+pmsIRAM, 0x1c7fff)
	if !c.bus.Store(sram1Data+line-4, 4, 7) || mem(sram1Data+line-4) != 7 {
		t.Error("permissions outlive a reset of the CPU")
	}
	if err := c.board.Restore(s); err != nil {
		t.Fatal(err)
	}
	if c.bus.Store(sram1Data+line-4, 4, 8); mem(sram1Data+line-4) == 8 {
		t.Error("a snapshot loses the permissions")
	}
}

func TestPermissionsOfPeripherals(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(pmsBase+pmsPIFMonitor+4, pmsMonitorOn)
	c.w(ledcBase+4, 3)
	all := uint32(0xfcc30cf3)
	c.w(pmsBase+pmsPIF+4, all&^(3<<16)|pifRead<<16) // LEDC: loads only
	c.w(ledcBase+4, 9)
	c.want(ledcBase+4, 3)
	c.want(pmsBase+pmsPIFMonitor+8, 1|1<<1|2<<2|1<<5|pmsWorld0<<6)
	c.want(pmsBase+pmsPIFMonitor+12, ledcBase+4)
	c.w(pmsBase+pmsPIF+4, all&^(3<<16))
	c.want(ledcBase+4, 0)
	c.w(pmsBase+pmsPIF+4, all)
	c.want(ledcBase+4, 3)
}

// The DMA may neither read nor write what its peripheral has no permission for.
func TestPermissionsOfDMA(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(pmsBase+pmsDMAMonitor+4, pmsMonitorOn)
	if !c.sensitive.dma(dmaSHA, sram1Data+0x100, 64, false) {
		t.Error("refused after reset")
	}
	setLine(c, 0, 0x200)
	c.w(pmsBase+0x074, 0xff0ff&^3|2) // SHA: stores only below the line
	if c.sensitive.dma(dmaSHA, sram1Data+0x1f0, 64, false) || !c.sensitive.dma(dmaSHA, sram1Data+0x200, 64, false) ||
		!c.sensitive.dma(dmaSHA, sram1Data, 64, true) || !c.sensitive.dma(dmaAES, sram1Data, 64, false) {
		t.Error("wrong decision")
	}
	c.want(pmsBase+pmsDMAMonitor+8, 1|pmsWorld0<<1|(sram1Data+0x1f0-pmsDRAMBase)>>2<<3)
}

// An access to a shut window, a store to flash and a fetch that the table does
// not map are told apart, with the address.
func TestCacheFaults(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	const ext = 0x600c4000
	c.w(ext+exAcsEna, exAcsAll)
	if _, ok := c.bus.Load(dromBase, 4); ok {
		t.Error("a shut window answers")
	}
	c.want(ext+exAcsSt, exAcsDbusShut)
	c.want(0x600c2000+regSourceStatus1, 1<<(srcCacheAccess-32))
	c.w(ext+exAcsClr, exAcsAll)
	c.want(0x600c2000+regSourceStatus1, 0)
	c.w(ext+exCtrl, 1)
	c.w(ext+exCtrl1, 0)
	c.w(mmuBase, 0)
	c.bus.Store(dromBase, 4, 1)
	c.want(ext+exAcsSt, exAcsDbusWrite)
	c.want(ext+exIlgSt, 0)
	c.m.CPU.Reset(iromBase + 0x10000)
	c.m.CPU.Step()
	c.want(ext+exIlgSt, exMMUFaultBit)
	c.want(ext+exMMUFaultVA, iromBase+0x10000)
	c.want(ext+exMMUFault, mmuInvalid)
}
