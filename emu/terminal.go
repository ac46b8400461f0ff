package emu

import (
	"time"

	"espalier.dev/espalier/emu/chip"
)

// Terminal is a connection of a part, such as the data line of a sensor: a pin
// of the board with a number of its own, to be joined with pins of the chip.
type Terminal struct {
	m   *chip.Machine
	pin int
}

// NewTerminal adds a pin to the board, for a part. Changed, when not nil, is
// called when its level changes, between two instructions; it may call Drive.
// Terminals are added before the board's first run, in the same order on each
// board that shares snapshots or recordings.
func (b *Board) NewTerminal(changed func(high bool)) *Terminal {
	return &Terminal{b.m, b.m.Chip().Nets().AddPin(changed, nil)}
}

// Pin returns the number of the terminal, for Board.Join.
func (t *Terminal) Pin() int { return t.pin }

// High reports the logic level of the terminal.
func (t *Terminal) High() bool { return t.m.Chip().Nets().High(t.pin) }

// MilliVolts returns the voltage of the terminal.
func (t *Terminal) MilliVolts() int { return t.m.Chip().Nets().MilliVolts(t.pin) }

// Drive sets what the part does to the terminal; the zero Source releases it.
func (t *Terminal) Drive(s Source) { t.m.Chip().Nets().Drive(t.pin, s) }

// Clocked says that a part only takes bits from the terminal data when clock
// rises, as a display does. A controller of the chip that is alone with such parts
// on its lines calls take with the bits that it sends, the upper bit of each byte
// first, instead of changing the levels of the terminals for each of them. Edges of
// any other origin are seen by the terminals as usual.
func (b *Board) Clocked(clock, data *Terminal, take func(bytes []byte, bits int)) {
	b.m.Chip().Nets().AddTaker(clock.pin, data.pin, take)
}

// Now returns the guest time, also while the board runs.
func (t *Terminal) Now() time.Duration { return t.m.Now().Duration() }

// AddState makes values part of the board's snapshots, in the order of the
// calls: pointers to integers, to arrays, or to structs of exported fields that
// are such values. Parts call it when they are attached.
func (b *Board) AddState(values ...any) {
	b.m.AddState(func(s *chip.State) { s.Fixed(values...) })
}

// State is the walk over the state of a board that saves and restores snapshots.
type State = chip.State

// AddStateFunc makes what f walks over part of the board's snapshots: state of a
// part that has no fixed size.
func (b *Board) AddStateFunc(f func(*State)) { b.m.AddState(f) }

// Timer is a deadline in guest time.
type Timer = chip.Timer

// NewTimer adds a timer to the board, for a part: fire is called at its deadline,
// between two instructions. As terminals, timers are added before the first run.
func (b *Board) NewTimer(fire func()) *Timer { return b.m.NewTimer(fire) }
