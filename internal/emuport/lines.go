package emuport

import "espalier.dev/espalier/emu"

// lines are DTR and RTS, and what they do to the chip.
type lines struct {
	dtr, rts bool
	down     bool     // EN is low
	rise     emu.Time // when EN will be high; 0: it does not rise
	download bool     // USB: the flag in the chip that selects the loader
}

// riseTime is how long the capacitor at EN keeps the chip in reset after it
// has been let go: what makes lines that change one after the other work.
const riseTime = 2 * emu.Millisecond

// uart is the circuit of development boards: two transistors of which each
// conducts only while its line is asserted and the other is not. RTS pulls EN,
// DTR pulls GPIO9.
func (l *lines) uart(b *emu.Board, dtr, rts bool) {
	l.dtr, l.rts = dtr, rts
	reset, boot := rts && !dtr, dtr && !rts
	strap := emu.StrapFlash
	if boot {
		strap = emu.StrapDownload
	}
	b.SetStrap(strap)
	switch {
	case reset && !l.down:
		l.down, l.rise = true, 0
		b.SetEnable(emu.Low)
	case reset:
		l.rise = 0
	case l.down && l.rise == 0:
		l.rise = b.Now().Add(riseTime)
	}
}

// due lets EN rise when it is time, and returns when it will be.
func (l *lines) due(b *emu.Board) emu.Time {
	if l.rise == 0 {
		return emu.Never
	}
	if b.Now() < l.rise {
		return l.rise
	}
	l.rise, l.down = 0, false
	b.SetEnable(emu.High)
	return emu.Never
}

// usb is what USB-Serial-JTAG makes of the lines, TRM 30.3.2: RTS alone resets,
// DTR alone asks for the loader, none takes that back, both do nothing. It
// reports whether the chip was reset.
func (l *lines) usb(b *emu.Board, dtr, rts bool) bool {
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
