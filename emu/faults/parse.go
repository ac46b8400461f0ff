package faults

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"espalier.dev/espalier/emu"
)

// SyntaxError reports a text that is not a fault.
type SyntaxError struct {
	Text string
	Msg  string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("fault %q: %s", e.Text, e.Msg) }

// Defaults of omitted parameters.
const (
	weakLevel     = -92                 // dBm, slightly above the sensitivity of the chip
	deauthReason  = 7                   // class 3 frame from a station that is not associated
	reorderWithin = 5 * emu.Millisecond // by which a frame is delayed at most
)

// Parse reads one fault:
//
//	[at TIME [for TIME] | from TIME [to TIME]] KIND [PERCENT%] [TIME] [LEVELdBm] [reason N] [servfail|nxdomain|silence]
//
// Times are written as Go writes durations: "2s", "1m30s", "250ms". Without a
// time, a fault lasts for the whole run. The error is a *SyntaxError.
func Parse(text string) (Fault, error) {
	p := parser{words: strings.Fields(text)}
	f := p.fault()
	if p.msg == "" && len(p.words) > 0 {
		p.fail("%q does not belong to %s", p.words[0], f.Kind)
	}
	if p.msg != "" {
		return Fault{}, &SyntaxError{text, p.msg}
	}
	return f, nil
}

// ParseAll reads several faults. The error is a *SyntaxError.
func ParseAll(texts []string) (Schedule, error) {
	var list []Fault
	for _, t := range texts {
		f, err := Parse(t)
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return New(list...), nil
}

// parser consumes words from the front and keeps the first error.
type parser struct {
	words []string
	msg   string
}

func (p *parser) fail(format string, args ...any) {
	if p.msg == "" {
		p.msg = fmt.Sprintf(format, args...)
	}
}

func (p *parser) fault() Fault {
	f := Fault{To: emu.Never}
	timed := true
	open := false // "at" without "for"
	switch {
	case p.word("at"):
		f.From = p.instant()
		open = true
		if p.word("for") {
			d := p.duration(false)
			if d == 0 {
				p.fail("the duration after for is zero")
			}
			f.To, open = f.From.Add(d), false
		}
	case p.word("from"):
		f.From = p.instant()
		if p.word("to") {
			if f.To = p.instant(); f.To <= f.From {
				p.fail("it ends before it starts")
			}
		}
	default:
		timed = false
	}
	f.Kind = p.kind()
	if p.msg != "" {
		return f
	}
	sh := kinds[f.Kind]
	if sh.instant {
		if !timed || !open {
			p.fail("%s happens at an instant: at 2s %s", f.Kind, f.Kind)
		}
		f.To = f.From
	} else if f.Kind == TCPReset && open {
		f.To = f.From // once
	}
	p.parameters(&f, sh)
	return f
}

func (p *parser) parameters(f *Fault, sh syntax) {
	if sh.percent {
		f.PPM = p.percent()
	}
	if sh.delay {
		if sh.hasDefault && len(p.words) == 0 {
			f.Delay = reorderWithin
		} else {
			f.Delay = p.duration(sh.signed)
		}
	}
	if sh.level {
		f.Level = p.level()
	}
	if sh.reason {
		f.Reason = deauthReason
		if p.word("reason") {
			n, err := strconv.ParseUint(p.next("a number"), 10, 16)
			if err != nil || n == 0 {
				p.fail("a reason is a number from 1 to 65535")
			}
			f.Reason = uint16(n)
		}
	}
	if sh.answer {
		switch {
		case p.word("nxdomain"):
			f.Answer = NXDomain
		case p.word("silence"):
			f.Answer = Silence
		default:
			p.word("servfail")
		}
	}
}

// word consumes the next word if it is w.
func (p *parser) word(w string) bool {
	if len(p.words) == 0 || p.words[0] != w {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *parser) next(what string) string {
	if len(p.words) == 0 {
		p.fail("%s is missing at the end", what)
		return ""
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

func (p *parser) kind() Kind {
	w := p.next("the kind of fault")
	for k, sh := range kinds {
		if sh.name == w {
			return Kind(k)
		}
	}
	var names []string
	for _, sh := range kinds {
		names = append(names, sh.name)
	}
	p.fail("%q is none of %s", w, strings.Join(names, ", "))
	return 0
}

// maxTime bounds times so that the sum of two does not overflow.
const maxTime = 1000 * 24 * time.Hour

func (p *parser) duration(signed bool) emu.Duration {
	w := p.next("a time such as 2s")
	d, err := time.ParseDuration(w)
	switch {
	case p.msg != "":
	case err != nil:
		p.fail("%q is not a time such as 2s or 250ms", w)
	case d < 0 && !signed:
		p.fail("%q is negative", w)
	case d > maxTime || d < -maxTime:
		p.fail("%q exceeds 1000 days", w)
	}
	if p.msg != "" {
		return 0
	}
	// String has a resolution of one microsecond, too: it is the inverse of Parse.
	return emu.Duration(d/time.Microsecond) * emu.Microsecond
}

func (p *parser) instant() emu.Time { return emu.Time(p.duration(false)) }

func (p *parser) percent() uint32 {
	w := p.next("a percentage such as 5%")
	number, ok := strings.CutSuffix(w, "%")
	v, err := strconv.ParseFloat(number, 64)
	if p.msg == "" && (!ok || err != nil || !(v > 0 && v <= 100)) {
		p.fail("%q is not a percentage such as 5%% or 0.1%%", w)
		return 0
	}
	return uint32(math.Round(v * 1e4))
}

func (p *parser) level() int8 {
	if len(p.words) == 0 {
		return weakLevel
	}
	w := p.next("a level")
	v, err := strconv.ParseInt(strings.TrimSuffix(strings.ToLower(w), "dbm"), 10, 8)
	if err != nil || v >= 0 || v < -120 {
		p.fail("%q is not a level such as -90dBm", w)
	}
	return int8(v)
}

// String writes the fault as Parse reads it.
func (f Fault) String() string {
	var words []string
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	sh := syntax{name: f.Kind.String()}
	if int(f.Kind) < len(kinds) {
		sh = kinds[f.Kind]
	}
	once := f.To == f.From
	switch {
	case once:
		add("at %s", span(emu.Duration(f.From)))
	case f.To != emu.Never:
		add("from %s to %s", span(emu.Duration(f.From)), span(emu.Duration(f.To)))
	case f.From != 0:
		add("from %s", span(emu.Duration(f.From)))
	}
	add("%s", sh.name)
	if sh.percent {
		add("%s%%", strconv.FormatFloat(float64(f.PPM)/1e4, 'f', -1, 64))
	}
	if sh.delay {
		add("%s", span(f.Delay))
	}
	if sh.level {
		add("%ddBm", f.Level)
	}
	if sh.reason {
		add("reason %d", f.Reason)
	}
	if sh.answer {
		add("%s", [...]string{ServFail: "servfail", NXDomain: "nxdomain", Silence: "silence"}[f.Answer%3])
	}
	return strings.Join(words, " ")
}

func span(d emu.Duration) string {
	return (time.Duration(d/emu.Microsecond) * time.Microsecond).String()
}
