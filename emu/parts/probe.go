package parts

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"espalier.dev/espalier/emu"
)

// Sample is a change of a level that a Probe has seen.
type Sample struct {
	At   time.Duration // guest time
	Pin  int           // index in Probe.Pins
	High bool
}

// Probe records the logic levels of pins. Its samples are not part of a snapshot.
type Probe struct {
	Pins []int
	// Limit bounds the samples; 0 is a million. Later ones are lost, and Lost counts
	// them.
	Limit int

	board   *emu.Board
	samples []Sample
	lost    int
	begin   time.Duration // of the recording
	first   []bool        // levels then
}

// AllPins returns a probe at all 22 pins of the ESP32-C3.
func AllPins() *Probe {
	p := &Probe{}
	for pin := range 22 {
		p.Pins = append(p.Pins, pin)
	}
	return p
}

// Attach implements emu.Part.
func (p *Probe) Attach(b *emu.Board) error {
	p.board = b
	if p.Limit == 0 {
		p.Limit = 1_000_000
	}
	for i, pin := range p.Pins {
		var t *emu.Terminal
		t = b.NewTerminal(func(high bool) {
			if len(p.samples) == p.Limit {
				p.lost++
				return
			}
			p.samples = append(p.samples, Sample{t.Now(), i, high})
		})
		b.Join(t.Pin(), pin)
	}
	return nil
}

// Begin begins the recording anew, with the levels that the pins have now: after a
// snapshot was restored, or where only what follows is of interest.
func (p *Probe) Begin() {
	p.samples, p.lost, p.begin, p.first = nil, 0, p.board.Now(), nil
	for _, pin := range p.Pins {
		p.first = append(p.first, p.board.Pin(pin) == emu.High)
	}
}

// Samples returns the changes so far, in their order.
func (p *Probe) Samples() []Sample { return p.samples }

// Lost returns how many changes came after the limit.
func (p *Probe) Lost() int { return p.lost }

// WriteVCD writes the recording as a value change dump (IEEE 1364, section 18),
// which waveform viewers read, in nanoseconds.
func (p *Probe) WriteVCD(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "$timescale 1ns $end\n$scope module board $end")
	for i, pin := range p.Pins {
		fmt.Fprintf(b, "$var wire 1 %c gpio%d $end\n", '!'+rune(i), pin)
	}
	fmt.Fprintln(b, "$upscope $end\n$enddefinitions $end")
	fmt.Fprintf(b, "#%d\n", p.begin.Nanoseconds())
	value := func(i int, high bool) {
		v := '0'
		if high {
			v = '1'
		}
		fmt.Fprintf(b, "%c%c\n", v, '!'+rune(i))
	}
	for i := range p.Pins {
		value(i, p.first != nil && p.first[i])
	}
	last := p.begin
	for _, s := range p.samples {
		if s.At != last {
			fmt.Fprintf(b, "#%d\n", s.At.Nanoseconds())
			last = s.At
		}
		value(s.Pin, s.High)
	}
	fmt.Fprintf(b, "#%d\n", p.board.Now().Nanoseconds())
	return b.Flush()
}
