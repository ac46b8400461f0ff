package scenario

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/board"
)

// Bounds of a text.
const (
	maxSize  = 1 << 20
	maxSteps = 10_000
	maxPin   = 21
	maxTime  = 1000 * time.Hour
)

// Parse reads a scenario for a board whose parts are on (nil: a bare chip); name is
// the file's, for messages. A name that ends in .yaml or .yml is one of Wokwi's
// scenarios. The error is an *Error.
func Parse(name string, text []byte, on *board.Board) (*Scenario, error) {
	if len(text) > maxSize {
		return nil, &Error{name, Pos{1, 1}, fmt.Errorf("%d bytes are too long for a scenario", len(text))}
	}
	if !utf8.Valid(text) {
		return nil, &Error{name, Pos{1, 1}, errors.New("not UTF-8")}
	}
	if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
		return parseWokwi(name, text, on)
	}
	s := &Scenario{Name: name, Board: on}
	declared := map[string]bool{}
	for i, line := range strings.Split(string(text), "\n") {
		words, err := split(strings.TrimSuffix(line, "\r"), i+1)
		if err == nil && len(words) > 0 {
			err = s.statement(&reader{words: words}, declared)
		}
		var at *Error
		if errors.As(err, &at) {
			at.Name = name
			return nil, at
		}
		if len(s.Steps) > maxSteps {
			return nil, &Error{name, Pos{i + 1, 1}, fmt.Errorf("more than %d steps", maxSteps)}
		}
	}
	return s, nil
}

// word is a word of a line, or a text in quotes.
type word struct {
	text   string
	quoted bool
	pos    Pos
}

// split splits a line into words, up to a comment.
func split(line string, number int) (words []word, err error) {
	for i := 0; i < len(line); {
		switch c := line[i]; {
		case c == ' ' || c == '\t':
			i++
		case c == '#':
			return words, nil
		case c == '"':
			q, err := strconv.QuotedPrefix(line[i:])
			if err != nil {
				return nil, &Error{Pos: Pos{number, i + 1}, Err: errors.New("the text has no end, or a wrong escape")}
			}
			text, _ := strconv.Unquote(q)
			words = append(words, word{text, true, Pos{number, i + 1}})
			i += len(q)
		case c == '/':
			end := strings.IndexByte(line[i+1:], '/')
			if end < 0 {
				return nil, &Error{Pos: Pos{number, i + 1}, Err: errors.New("the expression has no end")}
			}
			words = append(words, word{line[i : i+end+2], false, Pos{number, i + 1}})
			i += end + 2
		default:
			end := strings.IndexAny(line[i:], " \t#\"")
			if end < 0 {
				end = len(line) - i
			}
			words = append(words, word{line[i : i+end], false, Pos{number, i + 1}})
			i += end
		}
	}
	return words, nil
}

// reader reads the words of a statement. After an error it returns zero values.
type reader struct {
	words []word
	last  Pos // after the last word
	err   error
}

func (r *reader) fail(pos Pos, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Pos: pos, Err: fmt.Errorf(format, args...)}
	}
}

func (r *reader) next(what string) word {
	if len(r.words) == 0 {
		r.fail(r.last, "%s is missing", what)
		return word{pos: r.last}
	}
	w := r.words[0]
	r.words = r.words[1:]
	r.last = Pos{w.pos.Line, w.pos.Column + len(w.text)}
	return w
}

// take reads a word if it is the next one.
func (r *reader) take(text string) bool {
	if len(r.words) > 0 && !r.words[0].quoted && r.words[0].text == text {
		r.next("")
		return true
	}
	return false
}

func (r *reader) duration(what string) time.Duration {
	w := r.next(what)
	d, err := time.ParseDuration(w.text)
	if r.err == nil && (err != nil || d < 0 || d > maxTime) {
		r.fail(w.pos, "%q is not a duration, such as 2s or 100ms", w.text)
	}
	return d
}

func (r *reader) pin(what string) int {
	w := r.next(what)
	n, err := strconv.Atoi(strings.TrimPrefix(w.text, "GPIO"))
	if r.err == nil && (err != nil || n < 0 || n > maxPin) {
		r.fail(w.pos, "%q is not a pin: 0 to %d", w.text, maxPin)
	}
	return n
}

func (r *reader) number(what, unit string) float64 {
	w := r.next(what)
	v, err := strconv.ParseFloat(strings.TrimSuffix(w.text, unit), 64)
	if r.err == nil && (err != nil || math.IsNaN(v) || math.IsInf(v, 0) || unit != "" && !strings.HasSuffix(w.text, unit)) {
		r.fail(w.pos, "%q is not a number%s", w.text, map[bool]string{true: " with " + unit}[unit != ""])
	}
	return v
}

func (r *reader) text(what string) string {
	w := r.next(what)
	if r.err == nil && !w.quoted {
		r.fail(w.pos, "%s must be in quotes", what)
	}
	return w.text
}

func (r *reader) name(what string) string {
	w := r.next(what)
	if r.err == nil && (w.quoted || w.text == "") {
		r.fail(w.pos, "%s must be a word", what)
	}
	return w.text
}

func (r *reader) level(floating bool) emu.Level {
	w := r.next("the level")
	switch {
	case w.text == "high":
		return emu.High
	case w.text == "low":
		return emu.Low
	case w.text == "floating" && floating:
		return emu.Floating
	}
	r.fail(w.pos, "%q is not a level", w.text)
	return emu.Floating
}

// end checks that nothing follows.
func (r *reader) end() {
	if len(r.words) > 0 {
		r.fail(r.words[0].pos, "unexpected %q", r.words[0].text)
	}
}

// statement adds what one line says. declared are the names of parts above.
func (s *Scenario) statement(r *reader, declared map[string]bool) error {
	pos := r.words[0].pos
	at := time.Duration(0)
	if r.take("at") {
		at = r.duration("the time")
	}
	w := r.next("what happens")
	if w.text == "wire" || !w.quoted && slices.Contains(board.Types(), w.text) {
		if len(s.Steps) > 0 {
			r.fail(pos, "parts are attached before the first step")
		}
		s.declare(w, r, declared)
		return r.err
	}
	step := Step{Pos: pos, At: at, Within: DefaultWithin}
	step.read(w, r)
	if r.take("within") {
		step.Within = r.duration("the time")
	}
	r.end()
	if r.err == nil {
		s.check(&step, r)
	}
	s.Steps = append(s.Steps, step)
	return r.err
}

func (st *Step) read(w word, r *reader) {
	switch w.text {
	case "wait":
		st.Action, st.Time = Wait, r.duration("the time")
	case "press":
		st.Action, st.Part = Press, r.name("the button")
		if r.take("for") {
			st.Time = r.duration("the time")
		}
	case "release":
		st.Action, st.Part = Release, r.name("the button")
	case "set":
		st.Action, st.Text = Set, r.name("the quantity")
		if len(r.words) > 1 {
			st.Part, st.Text = st.Text, r.name("the quantity")
		}
		st.Value = r.number("the value", "")
	case "pin":
		st.Action, st.Pin = DrivePin, r.pin("the pin")
		st.Level = r.level(true)
	case "serial", "usb":
		st.Action, st.USB, st.Text = Serial, w.text == "usb", r.text("the text")
	case "reset":
		st.Action = Reset
	case "wifi":
		switch on := r.next("on or off"); on.text {
		case "on":
			st.Action = WiFiOn
		case "off":
			st.Action = WiFiOff
		default:
			r.fail(on.pos, "%q is neither on nor off", on.text)
		}
	case "screenshot":
		st.Action, st.Text = Screenshot, r.next("the file").text
		if len(r.words) > 0 {
			st.Part, st.Text = st.Text, r.next("the file").text
		}
	case "expect":
		st.expect(r)
	default:
		r.fail(w.pos, "unknown statement %q", w.text)
	}
}

func (st *Step) expect(r *reader) {
	switch {
	case r.take("pin"):
		st.Pin = r.pin("the pin")
		if r.take("pwm") {
			st.Action, st.Value = ExpectPWM, r.number("the share", "%")/100
			st.Margin = 0.01
			if len(r.words) > 0 && strings.HasPrefix(r.words[0].text, "±") {
				r.words[0].text = strings.TrimPrefix(r.words[0].text, "±")
				st.Margin = r.number("the margin", "%") / 100
			}
			return
		}
		st.Action, st.Level = ExpectPin, r.level(true)
	case len(r.words) > 0 && !r.words[0].quoted && strings.HasPrefix(r.words[0].text, "/"):
		w := r.next("the expression")
		re, err := regexp.Compile(strings.Trim(w.text, "/"))
		if err != nil {
			r.fail(w.pos, "%v", err)
		}
		st.Action, st.Match, st.Text = Expect, re, w.text
	default:
		st.Action, st.Text = Expect, r.text("the text")
		if r.err == nil && st.Text == "" {
			r.fail(r.last, "an empty text is in every line")
		}
	}
}
