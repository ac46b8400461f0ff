package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/tomldoc"
)

// maxParts bounds the parts and wires of a script.
const maxParts = 100

// pullUp is the resistor of a button that has no "pull", in ohms.
const pullUp = 10_000

// declare adds a wire or a part: its type, its name, and keys of [[board.part]]
// with their values.
func (s *Scenario) declare(kind word, r *reader, declared map[string]bool) {
	if len(declared) == maxParts {
		r.fail(kind.pos, "more than %d parts", maxParts)
		return
	}
	if kind.text == "wire" {
		a, b := r.pin("a pin"), r.pin("the other pin")
		r.end()
		if r.err == nil {
			s.Board = s.Board.Joined(a, b)
			declared[fmt.Sprint("wire ", len(declared))] = true // names have no space
		}
		return
	}
	name := r.name("its name")
	if r.err != nil {
		return
	}
	if declared[name] {
		r.fail(kind.pos, "a part with the name %q exists already", name)
		return
	}
	declared[name] = true
	// The package board reads tables of TOML, so the words become one, with a line
	// for each key.
	text := fmt.Sprintf("type = %q\nname = %q\n", kind.text, name)
	at := []Pos{kind.pos, kind.pos}
	line := func(key, value string, pos Pos) {
		text += key + " = " + value + "\n"
		at = append(at, pos)
	}
	pulled := kind.text != "button"
	for len(r.words) > 0 && r.err == nil {
		key := r.next("")
		switch {
		case key.text == "inverted" && kind.text == "button":
			line("active-high", "true", key.pos)
		case key.text == "inverted" && kind.text == "led":
			line("active-low", "true", key.pos)
		default:
			pulled = pulled || key.text == "pull"
			value := r.next("the value of " + key.text)
			line(strconv.Quote(key.text), value.literal(), value.pos)
		}
	}
	if !pulled {
		line("pull", strconv.Itoa(pullUp), kind.pos)
	}
	if r.err != nil {
		return
	}
	t, err := tomldoc.Parse("", []byte(text))
	if err == nil {
		s.Board, err = s.Board.With(t)
	}
	var wrong *tomldoc.Error
	if errors.As(err, &wrong) {
		pos := kind.pos
		if i := wrong.Pos.Line - 1; i >= 0 && i < len(at) {
			pos = at[i]
		}
		r.fail(pos, "%s", wrong.Msg)
	} else if err != nil {
		r.fail(kind.pos, "%v", err)
	}
}

// literal is a word as a value of TOML.
func (w word) literal() string {
	if !w.quoted {
		if w.text == "true" || w.text == "false" {
			return w.text
		}
		if v, err := strconv.ParseInt(w.text, 0, 64); err == nil {
			return strconv.FormatInt(v, 10)
		}
		if v, err := strconv.ParseFloat(w.text, 64); err == nil && !strings.ContainsAny(w.text, "xXpPnN_") {
			return strconv.FormatFloat(v, 'f', 6, 64)
		}
	}
	return strconv.Quote(w.text)
}

// quantity is a value of a part that Set changes.
type quantity struct{ low, high float64 }

// quantities are those of each type of part, by name; "" is that of a part that
// has one only.
var quantities = map[string]map[string]quantity{
	"potentiometer": {"": {0, 1}},
	"bmp180":        {"temperature": {-40, 85}, "pressure": {30_000, 110_000}},
	"sht3x":         {"temperature": {-45, 130}, "humidity": {0, 100}},
	"shtc3":         {"temperature": {-45, 130}, "humidity": {0, 100}},
	"icm42670p":     {"temperature": {-40, 85}},
}

// ofChip are the quantities of the chip: degrees Celsius, and the volts of its
// supply.
var ofChip = map[string]quantity{"temperature": {-40, 125}, "supply": {0, 3.6}}

// check refuses steps for which the board has no part.
func (s *Scenario) check(st *Step, r *reader) {
	switch st.Action {
	case Press, Release:
		if p, ok := s.Board.Part(st.Part); !ok || p.Type != "button" {
			r.fail(st.Pos, "no button has the name %q%s", st.Part, s.named("button"))
		}
	case Set:
		s.checkSet(st, r)
	case Screenshot:
		s.checkScreenshot(st, r)
	}
}

func (s *Scenario) checkSet(st *Step, r *reader) {
	name, what := st.Part, st.Text
	if q, ok := ofChip[what]; ok && name == "" {
		if !(st.Value >= q.low && st.Value <= q.high) {
			r.fail(st.Pos, "%v is not a value of %s: %v to %v", st.Value, what, q.low, q.high)
		}
		return
	}
	if name == "" {
		name, what = st.Text, ""
	}
	p, ok := s.Board.Part(name)
	q, has := quantities[p.Type][what]
	switch {
	case !ok:
		r.fail(st.Pos, "no part has the name %q", name)
	case !has:
		r.fail(st.Pos, "a part of type %s has no quantity %q", p.Type, what)
	case !(st.Value >= q.low && st.Value <= q.high):
		r.fail(st.Pos, "%v is not a value of %s: %v to %v", st.Value, strings.TrimSpace(name+" "+what), q.low, q.high)
	}
}

// checkScreenshot finds the display, and refuses a file in another folder.
func (s *Scenario) checkScreenshot(st *Step, r *reader) {
	displays := s.Board.Displays()
	switch {
	case len(displays) == 0:
		r.fail(st.Pos, "the board has no display")
	case st.Part == "" && len(displays) > 1:
		r.fail(st.Pos, "the board has %d displays: name one of %s", len(displays), strings.Join(displays, ", "))
	case st.Part == "":
		st.Part = displays[0]
	case !slices.Contains(displays, st.Part):
		r.fail(st.Pos, "no display has the name %q", st.Part)
	}
	if r.err == nil && (!fs.ValidPath(st.Text) || !strings.HasSuffix(st.Text, ".png") || strings.ContainsAny(st.Text, "\\:")) {
		r.fail(st.Pos, "%q: want the name of a file that ends in .png, below the folder of the run", st.Text)
	}
}

// named lists the parts of a type, for a message.
func (s *Scenario) named(kind string) string {
	var names []string
	if s.Board != nil {
		for _, p := range s.Board.Parts {
			if p.Type == kind {
				names = append(names, p.Name)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; there are " + strings.Join(names, ", ")
}
