package scenario

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/png"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
	"espalier.dev/espalier/emu/parts"
	"espalier.dev/espalier/emu/radio"
)

// Parts are the parts of a board, by name.
type Parts interface {
	Part(name string) emu.Part
	Picture(name string) (img image.Image, ok bool)
}

// Player performs a scenario on one board. Its owner lets guest time pass, gives
// it the lines of the board, and calls Advance.
type Player struct {
	// Save receives the picture of a Screenshot, as PNG, with the file of the step;
	// nil drops it.
	Save func(file string, png []byte) error

	s      *Scenario
	parts  Parts
	access *radio.AccessPoint
	faults faults.Schedule
	probes map[int]*probe

	begin   time.Duration
	step    int
	since   time.Duration // when the current step could begin
	entered bool
	unread  string // lines that no Expect has read, the last maxUnread bytes
	met     bool   // see Met
	release []release
}

// release is a button that opens again.
type release struct {
	at time.Duration
	b  *parts.Button
}

// maxUnread bounds the output in which Expect looks for its text.
const maxUnread = 64 << 10

// poll is how often pins are looked at.
const poll = time.Millisecond

// Play returns a player for a board that has the given parts, made of s.Board.
func (s *Scenario) Play(on Parts) *Player {
	p := &Player{s: s, parts: on, probes: map[int]*probe{}}
	for _, st := range s.Steps {
		if st.Action == ExpectPWM && p.probes[st.Pin] == nil {
			p.probes[st.Pin] = &probe{pin: st.Pin}
		}
	}
	return p
}

// Attach implements emu.Part: it attaches what the player measures with. The parts
// of the board are attached by its owner.
func (p *Player) Attach(b *emu.Board) error {
	for _, pin := range slices.Sorted(maps.Keys(p.probes)) {
		if err := p.probes[pin].Attach(b); err != nil {
			return err
		}
	}
	return nil
}

// Start begins the scenario at a guest time. ap is the access point and its faults,
// nil without one.
func (p *Player) Start(now time.Duration, ap *radio.AccessPoint, f faults.Schedule) {
	p.begin, p.since, p.access, p.faults = now, now, ap, f
	p.step, p.entered, p.unread = 0, false, ""
}

// Line takes a line of the board. Its owner ends the run when Met holds then.
func (p *Player) Line(text string) {
	p.unread += text + "\n"
	if n := len(p.unread) - maxUnread; n > 0 {
		p.unread = p.unread[n:]
	}
	if p.step < len(p.s.Steps) && p.s.Steps[p.step].Action == Expect {
		p.met = p.met || p.find(p.s.Steps[p.step]) >= 0
	}
}

// Met reports whether a line has come that the current step waits for. Advance is
// wanted at once then: the next step begins at this instant, not when the time of
// this one is over.
func (p *Player) Met() bool { return p.met }

// Steps is how many steps there are.
func (p *Player) Steps() int { return len(p.s.Steps) }

// Done reports whether all steps were performed.
func (p *Player) Done() bool { return p.step == len(p.s.Steps) && len(p.release) == 0 }

// Next is when Advance is wanted at the latest; ok is false after the last step.
func (p *Player) Next(now time.Duration) (at time.Duration, ok bool) {
	if p.Done() {
		return 0, false
	}
	at = now + time.Hour
	for _, r := range p.release {
		at = min(at, r.at)
	}
	if p.step < len(p.s.Steps) {
		st := p.s.Steps[p.step]
		switch begin := max(p.since, p.begin+st.At); {
		case now < begin:
			at = min(at, begin)
		case st.Action == Wait:
			at = min(at, begin+st.Time)
		case st.Action == Expect:
			at = min(at, begin+st.Within)
		default:
			at = min(at, now+poll)
		}
	}
	return max(at, now+time.Microsecond), true
}

// Advance performs the steps that are due. The error is an *Error: what was
// expected has not come.
func (p *Player) Advance(b *emu.Board) error {
	now := b.Now()
	p.met = false
	kept := p.release[:0]
	for _, r := range p.release {
		if now >= r.at {
			r.b.Release()
		} else {
			kept = append(kept, r)
		}
	}
	p.release = kept
	for p.step < len(p.s.Steps) {
		st := p.s.Steps[p.step]
		begin := max(p.since, p.begin+st.At)
		if now < begin {
			return nil
		}
		done, err := p.perform(b, st, begin)
		if err != nil {
			return &Error{cmp.Or(st.File, p.s.Name), st.Pos, err}
		}
		if !done {
			return nil
		}
		p.step, p.since, p.entered = p.step+1, max(now, begin), false
	}
	return nil
}

// Pending is the step that has not been performed, as an error; nil after the last.
func (p *Player) Pending() error {
	if p.step == len(p.s.Steps) {
		return nil
	}
	st := p.s.Steps[p.step]
	return &Error{cmp.Or(st.File, p.s.Name), st.Pos, fmt.Errorf("not reached: %s", st)}
}

func (p *Player) perform(b *emu.Board, st Step, begin time.Duration) (done bool, err error) {
	now := b.Now()
	late := now >= begin+st.Within
	switch st.Action {
	case Wait:
		return now >= begin+st.Time, nil
	case Press:
		b, ok := p.parts.Part(st.Part).(*parts.Button)
		if !ok {
			return false, fmt.Errorf("%q is not a button", st.Part)
		}
		b.Press()
		if st.Time > 0 {
			p.release = append(p.release, release{now + st.Time, b})
		}
	case Release:
		b, ok := p.parts.Part(st.Part).(*parts.Button)
		if !ok {
			return false, fmt.Errorf("%q is not a button", st.Part)
		}
		b.Release()
	case Set:
		return true, p.set(b, st)
	case DrivePin:
		b.SetPin(st.Pin, st.Level)
	case Serial:
		port := emu.UART0
		if st.USB {
			port = emu.USB
		}
		b.Send(port, []byte(st.Text))
	case Reset:
		b.Reset(emu.StrapFlash)
	case WiFiOff, WiFiOn:
		return true, p.wifi(now, st.Action == WiFiOn)
	case Screenshot:
		return true, p.screenshot(st)
	case Expect:
		if p.read(st) {
			return true, nil
		}
		if late {
			return false, fmt.Errorf("no line with %s within %v", st.quoted(), st.Within)
		}
		return false, nil
	case ExpectPin:
		if got := b.Pin(st.Pin); got == st.Level {
			return true, nil
		} else if late {
			return false, fmt.Errorf("pin %d is %v, not %v, within %v", st.Pin, got, st.Level, st.Within)
		}
		return false, nil
	case ExpectPWM:
		share, ok := p.probes[st.Pin].share(now)
		if ok && share >= st.Value-st.Margin-1e-9 && share <= st.Value+st.Margin+1e-9 {
			return true, nil
		}
		if late && !ok {
			return false, fmt.Errorf("pin %d does not change within %v", st.Pin, st.Within)
		}
		if late {
			return false, fmt.Errorf("pin %d is high for %.1f%%, not %.1f%% ±%.1f%%", st.Pin, 100*share, 100*st.Value, 100*st.Margin)
		}
		return false, nil
	}
	return true, nil
}

// read looks for the text of a step in what was not read yet.
func (p *Player) read(st Step) bool {
	end := p.find(st)
	if end < 0 {
		return false
	}
	p.unread = p.unread[end:]
	return true
}

// find returns the end of the text of a step in what was not read yet, or -1.
func (p *Player) find(st Step) int {
	if st.Match != nil {
		if at := st.Match.FindStringIndex(p.unread); at != nil {
			return at[1]
		}
	} else if i := strings.Index(p.unread, st.Text); i >= 0 {
		return i + len(st.Text)
	}
	return -1
}

func (p *Player) set(b *emu.Board, st Step) error {
	name, what := st.Part, st.Text
	if q, ok := ofChip[what]; ok && name == "" {
		if !(st.Value >= q.low && st.Value <= q.high) {
			return fmt.Errorf("%v is not a value of %s: %v to %v", st.Value, what, q.low, q.high)
		}
		milli := int(math.Round(st.Value * 1000))
		if what == "supply" {
			b.SetSupply(milli)
		} else {
			b.SetTemperature(milli)
		}
		return nil
	}
	if name == "" {
		name, what = st.Text, ""
	}
	switch part := p.parts.Part(name).(type) {
	case *parts.Potentiometer:
		return part.Set(st.Value)
	case *parts.BMP180:
		if what == "pressure" {
			part.Pascals = st.Value
		} else {
			part.Celsius = st.Value
		}
	case *parts.SHT3x:
		if what == "humidity" {
			part.Humidity = st.Value
		} else {
			part.Celsius = st.Value
		}
	case *parts.SHTC3:
		if what == "humidity" {
			part.Humidity = st.Value
		} else {
			part.Celsius = st.Value
		}
	case *parts.ICM42670P:
		part.Celsius = st.Value
	default:
		return fmt.Errorf("%q has no quantity to set", name)
	}
	return nil
}

func (p *Player) screenshot(st Step) error {
	img, ok := p.parts.Picture(st.Part)
	if !ok {
		return fmt.Errorf("%q is not a display", st.Part)
	}
	if p.Save == nil {
		return nil
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return err
	}
	if err := p.Save(st.Text, b.Bytes()); err != nil {
		return fmt.Errorf("screenshot: %w", err)
	}
	return nil
}

func (p *Player) wifi(now time.Duration, on bool) error {
	if p.access == nil {
		return errors.New("there is no access point to switch")
	}
	at := emu.At(now) + 1
	kept := faults.Schedule{}
	for _, f := range p.faults {
		if f.Kind == faults.NoNetwork && f.From < at && at < f.To {
			f.To = at
		}
		kept = append(kept, f)
	}
	if !on {
		kept = append(kept, faults.Fault{Kind: faults.NoNetwork, From: at, To: emu.Never})
	}
	p.faults = faults.New(kept...)
	p.access.SetFaults(p.faults)
	return nil
}

// String describes a step for messages.
func (st Step) String() string {
	switch st.Action {
	case Expect:
		return "expect " + st.quoted()
	case ExpectPin:
		return fmt.Sprintf("expect pin %d %v", st.Pin, st.Level)
	case ExpectPWM:
		return fmt.Sprintf("expect pin %d pwm %.1f%%", st.Pin, 100*st.Value)
	}
	return map[Action]string{Wait: "wait", Press: "press", Release: "release", Set: "set", DrivePin: "pin", Serial: "serial", Reset: "reset",
		WiFiOff: "wifi off", WiFiOn: "wifi on", Screenshot: "screenshot"}[st.Action]
}

func (st Step) quoted() string {
	if st.Match != nil {
		return st.Text
	}
	return fmt.Sprintf("%q", st.Text)
}
