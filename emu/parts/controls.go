package parts

import (
	"fmt"
	"time"

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
	// Bounce is for how long the contact opens and closes again when it is pressed
	// or released; 0 is a contact that does not bounce.
	Bounce time.Duration

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

// bounces are the instants, in thousandths of Bounce, at which the contact opens
// and closes in turn after it has moved for the first time: short and long ones.
var bounces = [...]time.Duration{30, 55, 120, 200, 215, 380, 470, 700, 790, 1000}

// Press closes the contact, now; Release opens it. A contact that bounces is at
// rest after Bounce.
func (k *Button) Press() { k.move(true) }

// Release opens the contact, now.
func (k *Button) Release() { k.move(false) }

func (k *Button) move(closed bool) {
	now := k.board.Now()
	k.set(now, closed)
	if k.Bounce <= 0 {
		return
	}
	for i, at := range bounces {
		k.set(now+k.Bounce*at/1000, closed == (i%2 != 0))
	}
}

// set is an input of the board, so that a recording of the run has it.
func (k *Button) set(at time.Duration, closed bool) {
	var s emu.Source
	if closed {
		s = rail(k.ActiveHigh, contactOhms)
	}
	k.board.Inject(emu.Input{At: emu.At(at), Kind: emu.InputVoltage, Pin: k.pin.Pin(), Source: s})
}

// Potentiometer is a voltage divider between supply and ground whose wiper is at a
// pin.
type Potentiometer struct {
	Pin int
	// Ohms is its whole resistance; 0 is 10 kOhm.
	Ohms uint32
	// Start is where the wiper is at power-on, 0 to 1; nil is the middle.
	Start *float64

	board *emu.Board
	pin   *emu.Terminal
}

// Attach implements emu.Part.
func (p *Potentiometer) Attach(b *emu.Board) error {
	if p.Ohms == 0 {
		p.Ohms = 10_000
	}
	p.board, p.pin = b, b.NewTerminal(nil)
	at := 0.5
	if p.Start != nil {
		at = *p.Start
	}
	s := p.source(at)
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
