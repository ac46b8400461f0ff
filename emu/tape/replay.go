package tape

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"espalier.dev/espalier/emu"
)

// Recording is a run that was written down.
type Recording struct {
	Header Header
	Inputs []emu.Input // for emu.Config.Replay
	End    End         // zero when the recording was cut short
	air    []line      // RX, idle and TX, in order
}

// maxLine bounds one line: a frame, or what somebody pasted into a console.
const maxLine = 4 << 20

// Read reads a recording. One that was cut short by a crash is good up to its
// last complete line.
func Read(r io.Reader) (*Recording, error) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	rec := &Recording{}
	number := 0
	last := emu.Time(0)
	for s.Scan() {
		number++
		if number == 1 {
			if !bytes.Contains(s.Bytes(), []byte(`"espalier-run"`)) || json.Unmarshal(s.Bytes(), &rec.Header) != nil {
				return nil, errors.New("not a recording of a run")
			}
			if rec.Header.Version != Version {
				return nil, fmt.Errorf("recording of version %d; this espalier plays version %d", rec.Header.Version, Version)
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
			rec.Inputs = append(rec.Inputs, emu.Input{
				At: l.At, Kind: in.Kind, Port: in.Port, Data: in.Data, Pin: in.Pin, Level: in.Level, Strap: in.Strap,
				Other: in.Other, Source: emu.Source{MilliVolts: in.MilliVolts, Ohms: in.Ohms},
			})
		case l.RX != nil || l.TX != "" || l.Idle:
			if l.At < last {
				return nil, fmt.Errorf("line %d: time goes backwards", number)
			}
			last = l.At
			rec.air = append(rec.air, l)
		default:
			return nil, fmt.Errorf("line %d: nothing happens in it", number)
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

// Check compares what is to be run with what was: a nil error means that a
// board made with h does the same.
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
		return fmt.Errorf("the recording is of another %s", strings.Join(differ, ", "))
	}
	return nil
}

// Player is what the air did in a recording, as an emu.Radio.
type Player struct {
	rx, tx []line
	err    error
}

// Player returns a player at the start.
func (r *Recording) Player() *Player {
	p := &Player{}
	for _, l := range r.air {
		if l.TX != "" {
			p.tx = append(p.tx, l)
		} else {
			p.rx = append(p.rx, l)
		}
	}
	return p
}

// Err returns where the board first did something else than in the recording,
// nil when it did the same so far.
func (p *Player) Err() error { return p.err }

// Tune implements emu.Radio.
func (p *Player) Tune(emu.Time, int) {}

// Next implements emu.Radio.
func (p *Player) Next() emu.Time {
	if len(p.rx) == 0 {
		return emu.Never
	}
	return p.rx[0].At
}

// Transmit implements emu.Radio.
func (p *Player) Transmit(now emu.Time, f emu.RadioTX) (emu.Time, bool) {
	if len(p.tx) == 0 {
		p.differs(now, "sends a frame after the end of the recording")
		return now.Add(300 * emu.Microsecond), false
	}
	l := p.tx[0]
	p.tx = p.tx[1:]
	switch {
	case l.At != now:
		p.differs(now, fmt.Sprintf("sends a frame that it sent at %s", l.At))
	case l.TX != sumOf(f.Frame):
		p.differs(now, "sends another frame")
	}
	return max(l.Done, now), l.Acked
}

// Receive implements emu.Radio.
func (p *Player) Receive(now emu.Time) (emu.RadioRX, bool) {
	if len(p.rx) == 0 || p.rx[0].At > now {
		return emu.RadioRX{}, false
	}
	l := p.rx[0]
	p.rx = p.rx[1:]
	if l.At != now {
		p.differs(now, fmt.Sprintf("listens, as it did at %s", l.At))
	}
	if l.Idle {
		return emu.RadioRX{}, false
	}
	return emu.RadioRX{Frame: bytes.Clone(l.RX), Channel: l.Channel, Level: l.Level}, true
}

func (p *Player) differs(at emu.Time, what string) {
	if p.err == nil {
		p.err = fmt.Errorf("replay differs at %s: the board %s", at, what)
	}
}
