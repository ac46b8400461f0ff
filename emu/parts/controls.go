package parts

import (
	"fmt"

	"espalier.dev/espalier/emu"
)

// contactOhms is the resistance of a closed contact.
const contactOhms = 10

// Button is a push button between a pin and ground or, with ActiveHigh, the
// supply. It has no pull resistor unless Pull says so.
type Button struct {
	Pin        int
	ActiveHigh bool
	// Pull is the resistor in ohms to the other side, 0 for none.
	Pull uint32

	board *emu.Board
	pin   *emu.Terminal
}

// Attach implements emu.Part.
func (k *Button) Attach(b *emu.Board) error {
	k.board, k.pin = b, b.NewTerminal(nil)
	b.Join(k.pin.Pin(), k.Pin)
	if k.Pull != 0 {
		k.pin.Drive(rail(!k.ActiveHigh, k.Pull))
	}
	return nil
}

func rail(high bool, ohms uint32) emu.Source {
	if high {
		return emu.Source{MilliVolts: emu.Supply, Ohms: ohms}
	}
	return emu.Source{Ohms: ohms}
}

// Press closes the contact, now; Release opens it.
func (k *Button) Press() {
	s := rail(k.ActiveHigh, contactOhms)
	k.board.SetVoltage(k.pin.Pin(), int(s.MilliVolts), s.Ohms)
}

// Release opens the contact, now.
func (k *Button) Release() { k.board.SetVoltage(k.pin.Pin(), 0, 0) }

// Potentiometer is a voltage divider between supply and ground whose wiper is at a
// pin.
type Potentiometer struct {
	Pin int
	// Ohms is its whole resistance; 0 is 10 kOhm.
	Ohms uint32

	board *emu.Board
	pin   *emu.Terminal
}

// Attach implements emu.Part. The wiper is in the middle.
func (p *Potentiometer) Attach(b *emu.Board) error {
	if p.Ohms == 0 {
		p.Ohms = 10_000
	}
	p.board, p.pin = b, b.NewTerminal(nil)
	s := p.source(0.5)
	b.SetVoltage(p.pin.Pin(), int(s.MilliVolts), s.Ohms)
	b.Join(p.pin.Pin(), p.Pin)
	return nil
}

// source is the divider as one source: the voltage of the open wiper behind both
// parts in parallel.
func (p *Potentiometer) source(at float64) emu.Source {
	return emu.Source{
		MilliVolts: int32(at*emu.Supply + 0.5),
		Ohms:       max(contactOhms, uint32(float64(p.Ohms)*at*(1-at))),
	}
}

// Set moves the wiper, now: 0 is ground, 1 the supply.
func (p *Potentiometer) Set(at float64) error {
	if !(at >= 0 && at <= 1) {
		return fmt.Errorf("potentiometer at %v: want 0 to 1", at)
	}
	s := p.source(at)
	p.board.SetVoltage(p.pin.Pin(), int(s.MilliVolts), s.Ohms)
	return nil
}
