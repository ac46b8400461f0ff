// Package board reads the description of an emulated board: which parts are
// connected to which pins of the chip, and which pins are joined by wires. It makes
// the parts for a run, and says what they show.
//
// The table [board] of espalier.toml, or a built-in board, becomes a Board, from
// which Open makes an Instance for each run. Errors have the place in the file.
// The package opens no file.
package board

import (
	"cmp"
	"embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/tomldoc"
)

// Board is a description.
type Board struct {
	Name  string // for messages
	Flash int    // size of the flash in bytes, 0 when the description leaves it to the image
	// Revision is that of the chip, as major*100 + minor; 0 is DefaultRevision. See
	// ChipRevision.
	Revision uint16
	Pins     map[string]int // names of pins beside GPIO0 to GPIO21, in upper case
	Parts    []Part         // in the order in which they are attached
	Wires    [][]int        // pins that are joined
}

// Part is one part of a board.
type Part struct {
	Name, Type string
	Pins       map[string]int // by the key that names the connection

	open func(show func(value string)) made
}

//go:embed boards/*.toml
var builtIn embed.FS

// Names returns the names of the boards that are built in.
func Names() []string {
	files, err := builtIn.ReadDir("boards")
	if err != nil {
		panic("board: " + err.Error())
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".toml"))
	}
	return names
}

// Named returns a board that is built in.
func Named(name string) (*Board, bool) {
	if !slices.Contains(Names(), name) {
		return nil, false
	}
	text, err := builtIn.ReadFile(path.Join("boards", name+".toml"))
	if err != nil {
		panic("board: " + err.Error())
	}
	n, err := tomldoc.Parse(name+".toml", text)
	if err == nil {
		var b *Board
		if b, err = Parse(n); err == nil {
			return b, true
		}
	}
	panic("board: built-in description: " + err.Error())
}

// Keys are the keys of the table [board].
func Keys() []string {
	return []string{"use", "name", "chip", "revision", "flash", "pins", "part", "wires"}
}

// UnknownError is a name that no board that is built in has.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string {
	return fmt.Sprintf("no board %q is built in%s; there are %s", e.Name, suggest(e.Name, Names()), strings.Join(Names(), ", "))
}

// Parse reads a table [board]. The error is a *tomldoc.Error with the place.
func Parse(n *tomldoc.Node) (*Board, error) { return ParseWith(n, "") }

// ParseWith is Parse, with the parts of the table added to those of the board use
// instead of the one that the table names; the table may be nil. The error is an
// *UnknownError or a *tomldoc.Error.
func ParseWith(n *tomldoc.Node, use string) (*Board, error) {
	r := &tomldoc.Reader{}
	r.Known(n, "board", Keys()...)
	b := &Board{Pins: map[string]int{}}
	if use != "" {
		base, ok := Named(use)
		if !ok {
			return nil, &UnknownError{use}
		}
		b = base
	} else if use := r.String(n, "use"); use != "" {
		base, ok := Named(use)
		if !ok {
			r.Fail(n.Get("use").Errorf("%v", &UnknownError{use}))
		} else {
			b = base
		}
	}
	b.Name = cmp.Or(r.String(n, "name"), b.Name, "board")
	if c := r.String(n, "chip"); c != "" && c != "esp32c3" {
		r.Fail(n.Get("chip").Errorf("chip %q: only the esp32c3 is emulated", c))
	}
	if text := r.String(n, "revision"); text != "" {
		rev, err := ParseRevision(text)
		if err != nil {
			r.Fail(n.Get("revision").Errorf("%v", err))
		}
		b.Revision = rev
	}
	if text := r.String(n, "flash"); text != "" {
		size, ok := megabytes(text)
		if !ok {
			r.Fail(n.Get("flash").Errorf("flash %q: want 1MB, 2MB, 4MB, 8MB or 16MB", text))
		}
		b.Flash = size
	}
	if pins := r.Table(n, "pins"); pins != nil {
		for _, k := range pins.Keys {
			b.Pins[strings.ToUpper(k.Name)] = readPin(r, k.Value, nil)
		}
	}
	for _, t := range r.Tables(n, "part") {
		b.addPart(r, t)
	}
	if wires := n.Get("wires"); wires != nil {
		b.addWires(r, wires)
	}
	return b, r.Err()
}

// With returns a board that has another part, described by a table like
// [[board.part]]. A part of that name is replaced. b may be nil, a bare chip. The
// error is a *tomldoc.Error.
func (b *Board) With(part *tomldoc.Node) (*Board, error) {
	c := b.clone()
	r := &tomldoc.Reader{}
	c.addPart(r, part)
	return c, r.Err()
}

// Joined returns a board with another wire. b may be nil.
func (b *Board) Joined(pins ...int) *Board {
	c := b.clone()
	c.Wires = append(c.Wires, pins)
	return c
}

func (b *Board) clone() *Board {
	if b == nil {
		return &Board{Name: "board", Pins: map[string]int{}}
	}
	c := *b
	c.Parts, c.Wires = slices.Clone(b.Parts), slices.Clone(b.Wires)
	return &c
}

// Part returns the part of a name. b may be nil.
func (b *Board) Part(name string) (Part, bool) {
	if b == nil {
		return Part{}, false
	}
	i := slices.IndexFunc(b.Parts, func(p Part) bool { return p.Name == name })
	if i < 0 {
		return Part{}, false
	}
	return b.Parts[i], true
}

// Displays returns the names of the parts that have a picture. b may be nil.
func (b *Board) Displays() (names []string) {
	if b == nil {
		return nil
	}
	for _, p := range b.Parts {
		if p.Type == "ssd1306" || p.Type == "st7789" {
			names = append(names, p.Name)
		}
	}
	return names
}

func megabytes(text string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSuffix(text, "MB"))
	if err != nil || !strings.HasSuffix(text, "MB") || !slices.Contains([]int{1, 2, 4, 8, 16}, n) {
		return 0, false
	}
	return n << 20, true
}

func suggest(name string, names []string) string {
	if c := tomldoc.Closest(name, names); c != "" {
		return fmt.Sprintf(", did you mean %q?", c)
	}
	return ""
}

// addPart reads one [[board.part]]. A part with the name of an earlier one, such as
// one of a board that is built in, takes its place.
func (b *Board) addPart(r *tomldoc.Reader, t *tomldoc.Node) {
	p := Part{Type: r.String(t, "type"), Pins: map[string]int{}}
	if r.Err() != nil {
		return
	}
	k, ok := kinds[p.Type]
	if p.Type == "" {
		r.Fail(t.Errorf("a part needs a type: one of %s", strings.Join(Types(), ", ")))
		return
	}
	if !ok {
		r.Fail(t.Get("type").Errorf("no type of part %q%s; there are %s", p.Type, suggest(p.Type, Types()), strings.Join(Types(), ", ")))
		return
	}
	p.Name = cmp.Or(r.String(t, "name"), p.Type)
	r.Known(t, "board.part", append([]string{"name", "type"}, k.keys...)...)
	f := &fields{Reader: r, t: t, names: b.Pins, part: &p}
	p.open = k.read(f)
	if r.Err() != nil {
		return
	}
	at := slices.IndexFunc(b.Parts, func(other Part) bool { return other.Name == p.Name })
	switch {
	case at < 0:
		b.Parts = append(b.Parts, p)
	case t.Get("name") == nil:
		r.Fail(t.Errorf("a second part of type %q needs a name", p.Type))
	default:
		b.Parts[at] = p
	}
}

func (b *Board) addWires(r *tomldoc.Reader, n *tomldoc.Node) {
	if n.Kind != tomldoc.Array {
		r.Fail(n.Errorf("wires: want a list of lists of pins, such as [[2, 3]]"))
		return
	}
	for _, e := range n.Elem {
		if e.Kind != tomldoc.Array || len(e.Elem) < 2 {
			r.Fail(e.Errorf("a wire joins two or more pins, such as [2, 3]"))
			return
		}
		var pins []int
		for _, pin := range e.Elem {
			pins = append(pins, readPin(r, pin, b.Pins))
		}
		b.Wires = append(b.Wires, pins)
	}
}

// readPin reads a number of a pin, GPIO with its number, or a name.
func readPin(r *tomldoc.Reader, n *tomldoc.Node, names map[string]int) int {
	pin, text := int64(-1), ""
	switch n.Kind {
	case tomldoc.Integer:
		pin, text = n.Int, strconv.FormatInt(n.Int, 10)
	case tomldoc.String:
		text = n.Text
		upper := strings.ToUpper(text)
		if named, ok := names[upper]; ok {
			pin = int64(named)
		} else if v, err := strconv.Atoi(strings.TrimPrefix(upper, "GPIO")); err == nil {
			pin = int64(v)
		}
	default:
		r.Fail(n.Errorf("want a pin: a number, a name such as \"GPIO8\", or one of [board.pins]; this is %s", n.Kind))
		return 0
	}
	switch {
	case pin >= 12 && pin <= 17:
		r.Fail(n.Errorf("pin %s: GPIO12 to GPIO17 are connected to the flash", text))
	case pin < 0 || pin > 21:
		known := ""
		if len(names) > 0 {
			var list []string
			for name := range names {
				list = append(list, name)
			}
			slices.Sort(list)
			known = ", or of " + strings.Join(list, ", ")
		}
		r.Fail(n.Errorf("no pin %s: want a number from 0 to 21 but for 12 to 17%s", text, known))
	}
	return int(pin)
}
