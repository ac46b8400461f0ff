package emuport

import "espalier.dev/espalier/emu"

// lines are the modem lines DTR and RTS and the circuit that they drive.
type lines struct {
	dtr, rts bool
	down     bool     // EN is low
	rise     emu.Time // when EN will be high; 0: it is not rising
	download bool     // USB: the chip's flag that selects the ROM's loader
}

// riseTime is how long the capacitor at EN keeps the chip in reset after the
// line was released. It is what makes tools work that change one line after the
// other.
const riseTime = 2 * emu.Millisecond

// uart applies the lines to the circuit of development boards: two transistors,
// each of which conducts only while its line is asserted and the other is not.
// RTS pulls EN low, DTR pulls GPIO9 low. It reports whether a reset began.
func (l *lines) uart(b *emu.Board, dtr, rts bool) (reset bool) {
	l.dtr, l.rts = dtr, rts
	enLow, bootLow := rts && !dtr, dtr && !rts
	strap := emu.StrapFlash
	if bootLow {
		strap = emu.StrapDownload
	}
	b.SetStrap(strap)
	switch {
	case enLow && !l.down:
		l.down, l.rise = true, 0
		b.SetEnable(emu.Low)
		return true
	case enLow:
		l.rise = 0
	case l.down && l.rise == 0:
		l.rise = emu.At(b.Now()).Add(riseTime)
	}
	return false
}

// due raises EN when its time has come, and returns when that will be.
func (l *lines) due(b *emu.Board) emu.Time {
	if l.rise == 0 {
		return emu.Never
	}
	if emu.At(b.Now()) < l.rise {
		return l.rise
	}
	l.rise, l.down = 0, false
	b.SetEnable(emu.High)
	return emu.Never
}

// usb applies the lines as USB-Serial-JTAG does (TRM 30.3.2): RTS alone resets
// the chip, DTR alone selects the loader for the next reset, neither clears
// that, both change nothing. It reports whether the chip was reset.
func (l *lines) usb(b *emu.Board, dtr, rts bool) (reset bool) {
	was := l.rts && !l.dtr
	l.dtr, l.rts = dtr, rts
	switch {
	case rts && !dtr:
		if was {
			return false
		}
		strap := emu.StrapFlash
		if l.download {
			strap = emu.StrapDownload
		}
		b.Reset(strap)
		b.SetStrap(emu.StrapFlash)
		return true
	case !rts:
		l.download = dtr
	}
	return false
}
