package c3

import (
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// counter is a device with clocked registers.
type counter interface {
	// spinLoad returns the possible values of a clocked register until to, if
	// there are only writes to latch registers.
	spinLoad(off uint32, to chip.Time) rv32.SpinValue
}

// SpinLoad implements rv32.SpinBus: the possible values of a register between
// two cycles without an event in between.
func (b *bus) SpinLoad(addr uint32, size int, _, to uint64) rv32.SpinValue {
	if addr-periBase >= periEnd-periBase || size != 4 {
		return rv32.SpinValue{}
	}
	d, st, off := b.find(addr)
	switch k := st.kinds[off>>2]; {
	case k&varies != 0:
		return rv32.SpinValue{}
	case k&clocked != 0:
		return d.(counter).spinLoad(off, b.soc.m.TimeAt(to))
	}
	v := d.read(off)
	return rv32.SpinValue{OK: true, Lo: v, Hi: v, Latched: true}
}

// SpinStore implements rv32.SpinBus: only stores that latch a counter, or that
// change nothing, may be repeated.
func (b *bus) SpinStore(addr uint32, size int, v uint32, _, _ uint64) bool {
	if addr-periBase >= periEnd-periBase || size != 4 {
		return false
	}
	_, st, off := b.find(addr)
	// Storing the value that is there again changes nothing, whatever else the
	// loop does.
	return st.kinds[off>>2]&latch != 0 || st.kinds[off>>2]&polled != 0 && st.words[off>>2] == v
}

// spinConstant is the value of a register that only changes at events.
func spinConstant(v uint32) rv32.SpinValue {
	return rv32.SpinValue{OK: true, Lo: v, Hi: v, Latched: true}
}

// spinValue returns the bounds of one half of a count that is latched now and
// is at most last later. A half that wraps in between has no bounds; a counter
// that counts down is not fast-forwarded.
func spinValue(latched, last uint64, high bool) rv32.SpinValue {
	switch {
	case last < latched:
		return rv32.SpinValue{}
	case high:
		return rv32.SpinValue{OK: true, Lo: uint32(latched >> 32), Hi: uint32(last >> 32), Latched: true}
	case last>>32 != latched>>32:
		return rv32.SpinValue{}
	}
	return rv32.SpinValue{OK: true, Lo: uint32(latched), Hi: uint32(last), Latched: true}
}
