package c3

import "espalier.dev/espalier/emu/chip"

// ASSIST_DEBUG registers, TRM 17.4.
const (
	asRcdEn      = 0x44 // RCD_RECORDEN 0, RCD_PDEBUGEN 1
	asRcdPC      = 0x48
	asRcdSP      = 0x4c
	asDebugMode  = 0x98
	asLastKnown  = 0x98
	asDate       = 0x1fc
	asRcdRecord  = 1 << 0
	asDateC3     = 0x2008010
	asFirstKnown = 0
)

// assistDebug is ASSIST_DEBUG, TRM 17: the recorder of the program counter,
// which the ROM prints as "Saved PC" after a reset, and monitors of bus
// regions and the stack pointer, which never trip. There is no debugger:
// DEBUG_MODE reads 0; IDF looks there before it sleeps.
type assistDebug struct{ block }

func newAssistDebug() *assistDebug {
	d := &assistDebug{newBlock("ASSIST_DEBUG", 0x600ce000, []reg{{asDate, "DATE", asDateC3}})}
	d.know(asFirstKnown, asLastKnown)
	return d
}

func (d *assistDebug) write(off, v uint32) {
	if off != asRcdPC && off != asRcdSP && off != asDebugMode {
		d.block.write(off, v)
	}
}

// record keeps where the CPU is when it is reset.
func (d *assistDebug) record(pc, sp uint32) {
	if d.get(asRcdEn)&asRcdRecord != 0 {
		d.set(asRcdPC, pc)
		d.set(asRcdSP, sp)
	}
}

// reset keeps the recorder: it is there to be read after a reset.
func (d *assistDebug) reset() {
	en, pc, sp := d.get(asRcdEn), d.get(asRcdPC), d.get(asRcdSP)
	d.block.reset()
	d.set(asRcdEn, en)
	d.set(asRcdPC, pc)
	d.set(asRcdSP, sp)
}

func (d *assistDebug) powerOn() { d.block.reset() }

func (d *assistDebug) state(s *chip.State) { s.Fixed(&d.words) }
