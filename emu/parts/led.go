package parts

import (
	"time"

	"espalier.dev/espalier/emu"
)

// LED is a light-emitting diode at a pin, to ground or, with ActiveLow, to the
// supply. Its own current does not change the level of the pin.
type LED struct {
	Pin       int
	ActiveLow bool
	// Changed, if not nil, is called when the LED is switched.
	Changed func(on bool)

	board *emu.Board
	pin   *emu.Terminal
	s     struct {
		On     bool
		Since  time.Duration // of the last switch
		Lit    time.Duration // since Asked, up to Since
		Asked  time.Duration
		Counts uint64
	}
}

// Attach implements emu.Part.
func (l *LED) Attach(b *emu.Board) error {
	l.board = b
	l.pin = b.NewTerminal(func(high bool) { l.set(high != l.ActiveLow) })
	b.AddState(&l.s)
	b.Join(l.pin.Pin(), l.Pin)
	l.s.On = l.pin.High() != l.ActiveLow
	return nil
}

func (l *LED) set(on bool) {
	if on == l.s.On {
		return
	}
	now := l.pin.Now()
	if l.s.On {
		l.s.Lit += now - l.s.Since
	}
	l.s.On, l.s.Since = on, now
	l.s.Counts++
	if l.Changed != nil {
		l.Changed(on)
	}
}

// Now returns the guest time.
func (l *LED) Now() time.Duration { return l.pin.Now() }

// On reports whether the LED is lit.
func (l *LED) On() bool { return l.s.On }

// Switched returns how often the LED was switched on or off.
func (l *LED) Switched() uint64 { return l.s.Counts }

// Brightness returns the part of the guest time since the last call, or since
// power-on, for which the LED was lit, from 0 to 1: what a PWM sets.
func (l *LED) Brightness() float64 {
	now := l.pin.Now()
	lit := l.s.Lit
	if l.s.On {
		lit += now - max(l.s.Since, l.s.Asked)
	}
	span := now - l.s.Asked
	l.s.Asked, l.s.Since, l.s.Lit = now, now, 0
	if span <= 0 {
		if l.s.On {
			return 1
		}
		return 0
	}
	return float64(lit) / float64(span)
}
