package board

import (
	"fmt"
	"image"
	"slices"
	"time"

	"espalier.dev/espalier/emu"
)

// Event says that a part shows something else.
type Event struct {
	At    time.Duration // guest time
	Part  string        // its name
	Type  string
	Value string // on, off or a brightness of an LED, colours, "picture" of a display, what a peer received
}

// Instance is the parts of a board for one run. It is an emu.Part: its Attach
// attaches all of them and their wires.
type Instance struct {
	board *Board
	parts []made
	show  func(Event)
	last  []time.Duration // of the last event of displays
	emu   *emu.Board
}

// Open makes the parts of a run; b may be nil, a bare chip. Show, if not nil, receives their events; a
// display has at most ten a second of guest time.
func (b *Board) Open(show func(Event)) *Instance {
	b = b.clone()
	i := &Instance{board: b, show: show, last: make([]time.Duration, len(b.Parts))}
	for n, p := range b.Parts {
		i.parts = append(i.parts, p.open(func(value string) { i.changed(n, value) }))
	}
	return i
}

// pictureEvents is the time between two events of a display.
const pictureEvents = 100 * time.Millisecond

func (i *Instance) changed(n int, value string) {
	if i.show == nil || i.emu == nil {
		return
	}
	now := i.emu.Now()
	if i.parts[n].picture != nil {
		if i.last[n] != 0 && now-i.last[n] < pictureEvents {
			return
		}
		i.last[n] = now
	}
	p := i.board.Parts[n]
	i.show(Event{At: now, Part: p.Name, Type: p.Type, Value: value})
}

// Attach implements emu.Part.
func (i *Instance) Attach(b *emu.Board) error {
	for n, p := range i.parts {
		if err := p.part.Attach(b); err != nil {
			return fmt.Errorf("part %s: %w", i.board.Parts[n].Name, err)
		}
	}
	for _, pins := range i.board.Wires {
		for _, pin := range pins[1:] {
			b.Join(pins[0], pin)
		}
	}
	i.emu = b
	return nil
}

// Part returns a part by its name, such as a *parts.Button, nil when there is
// none.
func (i *Instance) Part(name string) emu.Part {
	if n := i.index(name); n >= 0 {
		return i.parts[n].part
	}
	return nil
}

func (i *Instance) index(name string) int {
	return slices.IndexFunc(i.board.Parts, func(p Part) bool { return p.Name == name })
}

// Displays returns the names of the parts that have a picture.
func (i *Instance) Displays() (names []string) {
	for n, p := range i.parts {
		if p.picture != nil {
			names = append(names, i.board.Parts[n].Name)
		}
	}
	return names
}

// Picture returns what a display shows; ok is false when no part of that name has
// one.
func (i *Instance) Picture(name string) (img image.Image, ok bool) {
	n := i.index(name)
	if n < 0 || i.parts[n].picture == nil {
		return nil, false
	}
	return i.parts[n].picture(), true
}
