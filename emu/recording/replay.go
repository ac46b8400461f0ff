package recording

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"espalier.dev/espalier/emu/chip"
)

// Recording is a recorded run.
type Recording struct {
	Header Header
	Inputs []chip.Input // for emu.Config.Replay
	End    End          // zero when the recording was cut short
	radio  []line       // RX, idle and TX, in order
}

// maxLine bounds one line: a frame, or text pasted into a terminal.
const maxLine = 4 << 20

// Read reads a recording. One that was cut short by a crash is valid up to its
// last complete line and has no End.
func Read(r io.Reader) (*Recording, error) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	rec := &Recording{}
	number := 0
	last := chip.Time(0)
	for s.Scan() {
		number++
		if number == 1 {
			if !bytes.Contains(s.Bytes(), []byte(`"espalier-run"`)) || json.Unmarshal(s.Bytes(), &rec.Header) != nil {
				return nil, errors.New("not a recording of a run")
			}
			if rec.Header.Version != Version {
				return nil, fmt.Errorf("recording of version %d; this espalier replays version %d", rec.Header.Version, Version)
			}
			continue
		}
		var l line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			if rec.End == (End{}) && !s.Scan() {
				break // cut short
			}
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		switch {
		case l.End != nil:
			rec.End = *l.End
		case l.Input != nil:
			in := l.Input
			rec.Inputs = append(rec.Inputs, chip.Input{
				At: l.At, Kind: in.Kind, Port: in.Port, Data: in.Data, Pin: in.Pin, Level: in.Level, Strap: in.Strap,
				Other: in.Other, Source: chip.Source{MilliVolts: in.MilliVolts, Ohms: in.Ohms}, MilliCelsius: in.MilliCelsius,
			})
		case l.RX != nil || l.TX != "" || l.Idle:
			if l.At < last {
				return nil, fmt.Errorf("line %d: time goes backwards", number)
			}
			last = l.At
			rec.radio = append(rec.radio, l)
		default:
			return nil, fmt.Errorf("line %d: neither a frame nor an input nor the end", number)
		}
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	if number == 0 {
		return nil, errors.New("not a recording of a run: it is empty")
	}
	return rec, nil
}

// Check compares the header of the recording with that of a new run. With a nil
// error, the replay does the same.
func (r *Recording) Check(h Header) error {
	var differ []string
	note := func(what string, same bool) {
		if !same {
			differ = append(differ, what)
		}
	}
	was := r.Header
	note("mask ROM", was.ROM == h.ROM)
	note("flash", was.Flash == h.Flash)
	note("eFuse", bytes.Equal(was.EFuse, h.EFuse))
	note("MAC address", was.MAC == h.MAC)
	note("seed", was.Seed == h.Seed)
	note("USB host", was.USBHost == h.USBHost)
	note("strapping pins", was.Download == h.Download)
	if len(differ) > 0 {
		return fmt.Errorf("the recording is of a run with another %s", strings.Join(differ, ", "))
	}
	return nil
}

// Replay is the radio traffic of a recording as a chip.Radio.
type Replay struct {
	rx, tx []line
	err    error
}

// Replay returns the radio traffic, from its beginning.
func (r *Recording) Replay() *Replay {
	p := &Replay{}
	for _, l := range r.radio {
		if l.TX != "" {
			p.tx = append(p.tx, l)
		} else {
			p.rx = append(p.rx, l)
		}
	}
	return p
}

// Err returns the first difference between the run and the recording, nil when
// there is none so far.
func (p *Replay) Err() error { return p.err }

// Tune implements chip.Radio.
func (p *Replay) Tune(chip.Time, int) {}

// Next implements chip.Radio.
func (p *Replay) Next() chip.Time {
	if len(p.rx) == 0 {
		return chip.Never
	}
	return p.rx[0].At
}

// Transmit implements chip.Radio.
func (p *Replay) Transmit(now chip.Time, f chip.RadioTX) (chip.Time, bool) {
	if len(p.tx) == 0 {
		p.differs(now, "sends a frame after the last one of the recording")
		return now.Add(300 * chip.Microsecond), false
	}
	l := p.tx[0]
	p.tx = p.tx[1:]
	switch {
	case l.At != now:
		p.differs(now, fmt.Sprintf("sends a frame; in the recording it did at %s", l.At))
	case l.TX != sumOf(f.Frame):
		p.differs(now, "sends another frame")
	}
	return max(l.Done, now), l.Acked
}

// Receive implements chip.Radio.
func (p *Replay) Receive(now chip.Time) (chip.RadioRX, bool) {
	if len(p.rx) == 0 || p.rx[0].At > now {
		return chip.RadioRX{}, false
	}
	l := p.rx[0]
	p.rx = p.rx[1:]
	if l.At != now {
		p.differs(now, fmt.Sprintf("polls its radio; in the recording it did at %s", l.At))
	}
	if l.Idle {
		return chip.RadioRX{}, false
	}
	return chip.RadioRX{Frame: bytes.Clone(l.RX), Channel: l.Channel, Level: l.Level}, true
}

func (p *Replay) differs(at chip.Time, what string) {
	if p.err == nil {
		p.err = fmt.Errorf("replay differs at %s: the board %s", at, what)
	}
}
