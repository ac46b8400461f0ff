package c3

import (
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// ASSIST_DEBUG registers, TRM 17.4.
const (
	asMonitor    = 0x00 // MONTR_ENA, bits as in the interrupt registers
	asIntRaw     = 0x04
	asIntEna     = 0x08
	asIntClr     = 0x0c
	asRegions    = 0x10 // MIN and MAX of DRAM0_0, DRAM0_1, PIF_0, PIF_1
	asAreaPC     = 0x30
	asAreaSP     = 0x34
	asSPMin      = 0x38
	asSPMax      = 0x3c
	asSPPC       = 0x40
	asRcdEn      = 0x44 // RCD_RECORDEN 0, RCD_PDEBUGEN 1
	asRcdPC      = 0x48
	asRcdSP      = 0x4c
	asDebugMode  = 0x98
	asLastKnown  = 0x98
	asLogSetting = 0x70
	asLogEnable  = 7
	asDate       = 0x1fc
	asRcdRecord  = 1 << 0
	asDateC3     = 0x2008010

	asAreas    = 4 // two regions of data memory, two of peripherals
	asMemAreas = 2
	asSpillMin = 1 << 8
	asSpillMax = 1 << 9
	asIntAll   = 1<<10 - 1
)

// assistDebug is ASSIST_DEBUG, TRM 17: the recorder of the program counter,
// which the ROM prints as "Saved PC" after a reset, and monitors that raise an
// interrupt when a region is read or written or the stack pointer leaves its
// bounds. There is no debugger: DEBUG_MODE reads 0; IDF looks there before it
// sleeps. The log of the bus is not modelled: the format of
// its records is not published.
type assistDebug struct {
	block
	soc  *soc
	intr interrupts
	pif  uint32 // enabled monitors of peripherals, bits of MONTR_ENA
}

func newAssistDebug(c *soc) *assistDebug {
	d := &assistDebug{soc: c}
	d.intr.line = c.intc.source(srcAssistDebug)
	d.block = newBlock("ASSIST_DEBUG", 0x600ce000, []reg{{asDate, "DATE", asDateC3}})
	d.know(0, asLastKnown)
	d.unmodelled(asLogSetting, asLogEnable, 0)
	return d
}

func (d *assistDebug) read(off uint32) uint32 {
	switch off {
	case asIntRaw:
		return d.intr.Raw
	case asIntEna:
		return d.intr.Ena
	case asIntClr:
		return 0
	}
	return d.block.read(off)
}

func (d *assistDebug) write(off, v uint32) {
	switch {
	case off == asIntEna:
		d.intr.enable(v & asIntAll)
	case off == asIntClr:
		d.intr.clear(v)
	case off == asMonitor:
		d.block.write(off, v&asIntAll)
		d.watch()
	case off >= asRegions && off < asAreaPC, off == asSPMin, off == asSPMax:
		d.block.write(off, v)
		d.watch()
	case off == asIntRaw, off == asAreaPC, off == asAreaSP, off == asSPPC, off == asRcdPC, off == asRcdSP, off == asDebugMode:
	default:
		d.block.write(off, v)
	}
}

// watch sets the monitors of the CPU as the registers say.
func (d *assistDebug) watch() {
	ena := d.get(asMonitor)
	d.pif = ena >> (2 * asMemAreas) & 0xf << (2 * asMemAreas)
	var regions []rv32.Region
	var bits []uint32
	for n := range uint32(asMemAreas) {
		from, to := d.get(asRegions+8*n), d.get(asRegions+8*n+4)
		for k, r := range []rv32.Region{{From: from, To: to, Load: true}, {From: from, To: to, Store: true}} {
			if bit := uint32(1) << (2*n + uint32(k)); ena&bit != 0 {
				regions, bits = append(regions, r), append(bits, bit)
			}
		}
	}
	cpu := d.soc.m.CPU
	cpu.SetMonitors(regions, func(i int) { d.area(bits[i]) })
	low, high := uint32(0), ^uint32(0)
	if ena&asSpillMin != 0 {
		low = d.get(asSPMin)
	}
	if ena&asSpillMax != 0 {
		high = d.get(asSPMax)
	}
	if ena&(asSpillMin|asSpillMax) == 0 {
		cpu.SetStackMonitor(0, 0, nil)
		return
	}
	cpu.SetStackMonitor(low, high, func(pc, sp uint32) {
		d.set(asSPPC, pc)
		if sp < low {
			d.intr.raise(asSpillMin)
		} else {
			d.intr.raise(asSpillMax)
		}
	})
}

// area records an access to a monitored region.
func (d *assistDebug) area(bit uint32) {
	d.set(asAreaPC, d.soc.m.CPU.PC())
	d.set(asAreaSP, d.soc.m.CPU.Reg(2))
	d.intr.raise(bit)
}

// peripheral checks an access to a register; the bus calls it while a monitor of
// peripherals is enabled.
func (d *assistDebug) peripheral(addr uint32, write bool) {
	for n := uint32(asMemAreas); n < asAreas; n++ {
		bit := uint32(1) << (2 * n)
		if write {
			bit <<= 1
		}
		if d.pif&bit != 0 && addr >= d.get(asRegions+8*n) && addr <= d.get(asRegions+8*n+4) {
			d.area(bit)
		}
	}
}

// record stores program counter and stack pointer at a reset of the CPU.
func (d *assistDebug) record(pc, sp uint32) {
	if d.get(asRcdEn)&asRcdRecord != 0 {
		d.set(asRcdPC, pc)
		d.set(asRcdSP, sp)
	}
}

// reset keeps the recorded values: they are read after a reset.
func (d *assistDebug) reset() {
	en, pc, sp := d.get(asRcdEn), d.get(asRcdPC), d.get(asRcdSP)
	d.block.reset()
	d.set(asRcdEn, en)
	d.set(asRcdPC, pc)
	d.set(asRcdSP, sp)
	d.intr.reset(0)
	d.watch()
}

func (d *assistDebug) powerOn() {
	d.block.reset()
	d.watch()
}

func (d *assistDebug) state(s *chip.State) {
	s.Fixed(&d.words, &d.intr.Raw, &d.intr.Ena)
	if s.Loading() {
		d.watch()
	}
}
