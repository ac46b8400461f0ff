package tomldoc

import (
	"bytes"
	"errors"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// MaxSize is the largest document that Parse reads, in bytes. The largest
// Cargo.lock of a firmware is a few hundred kilobytes.
const MaxSize = 16 << 20

// Parse reads a document; name is used in its errors, which are of type *Error.
// The root is a table. A UTF-8 byte order mark is skipped, as cargo does.
func Parse(name string, b []byte) (*Node, error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	d := &doc{name: name, src: b, lines: []int{0}}
	for i, c := range b {
		if c == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	if len(b) > MaxSize {
		return nil, &Error{File: name, Msg: "larger than " + strconv.Itoa(MaxSize>>20) + " MiB"}
	}
	if !utf8.Valid(b) {
		at := 0
		for at < len(b) {
			r, n := utf8.DecodeRune(b[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		return nil, d.errorAt(d.pos(at), "not UTF-8")
	}
	if at, what := bounded(b); at >= 0 {
		return nil, d.errorAt(d.pos(at), what)
	}
	// The decoder knows all rules of the language (a key set twice, a table
	// that reopens a value); the tree below is built without checking them.
	var all map[string]any
	if err := toml.Unmarshal(b, &all); err != nil {
		var de *toml.DecodeError
		if errors.As(err, &de) {
			line, col := de.Position()
			return nil, d.errorAt(Pos{line, col}, message(de))
		}
		return nil, &Error{File: name, Msg: strings.TrimPrefix(err.Error(), "toml: ")}
	}
	return d.tree()
}

func message(e *toml.DecodeError) string {
	m := strings.TrimPrefix(e.Error(), "toml: ")
	if m == "" {
		m = "does not parse as TOML"
	}
	return m
}

// tree walks the expressions of a document that is known to be valid.
func (d *doc) tree() (*Node, error) {
	root := d.table(Pos{1, 1})
	here := root
	p := unstable.Parser{}
	p.Reset(d.src)
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			here = d.open(root, e)
		case unstable.KeyValue:
			d.assign(here, e)
		}
	}
	if err := p.Error(); err != nil {
		return nil, &Error{File: d.name, Msg: err.Error()}
	}
	return root, nil
}

func (d *doc) table(p Pos) *Node {
	return &Node{Kind: Table, Pos: p, doc: d, index: map[string]int{}}
}

// open returns the table that a [header] or [[header]] names.
func (d *doc) open(root *Node, e *unstable.Node) *Node {
	t := root
	for it := e.Key(); it.Next(); {
		k := it.Node()
		name, pos := string(k.Data), d.pos(int(k.Raw.Offset))
		next := t.Get(name)
		switch {
		case it.IsLast() && e.Kind == unstable.ArrayTable:
			if next == nil {
				next = &Node{Kind: Array, Pos: pos, doc: d}
				t.set(name, pos, next)
			}
			elem := d.table(pos)
			elem.named = true
			next.Elem = append(next.Elem, elem)
			next = elem
		case next == nil:
			next = d.table(pos)
			t.set(name, pos, next)
		case next.Kind == Array && len(next.Elem) > 0:
			next = next.Elem[len(next.Elem)-1]
		}
		if it.IsLast() && !next.named {
			next.Pos, next.named = pos, true
		}
		t = next
	}
	return t
}

func (d *doc) assign(t *Node, e *unstable.Node) {
	for it := e.Key(); it.Next(); {
		k := it.Node()
		name, pos := string(k.Data), d.pos(int(k.Raw.Offset))
		if it.IsLast() {
			t.set(name, pos, d.value(e.Value(), pos))
			return
		}
		next := t.Get(name)
		if next == nil {
			next = d.table(pos)
			t.set(name, pos, next)
		}
		t = next
	}
}

// value converts v; where is the place of its key, for values whose own place
// the parser does not tell.
func (d *doc) value(v *unstable.Node, where Pos) *Node {
	n := &Node{Pos: where, doc: d}
	if v.Raw.Length > 0 {
		n.Pos = d.pos(int(v.Raw.Offset))
	}
	switch v.Kind {
	case unstable.String:
		n.Kind, n.Text = String, string(v.Data)
	case unstable.Bool:
		n.Kind, n.Bool = Bool, len(v.Data) > 0 && v.Data[0] == 't'
	case unstable.Integer:
		n.Kind, n.Text = Integer, string(v.Data)
		n.Int, _ = strconv.ParseInt(strings.ReplaceAll(n.Text, "_", ""), 0, 64)
		if digits := strings.TrimLeft(n.Text, "+-"); len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
			n.Int = 0 // not TOML; never reached for a validated document
		}
	case unstable.Float:
		n.Kind, n.Text = Float, string(v.Data)
	case unstable.Array:
		n.Kind = Array
		for it := v.Children(); it.Next(); {
			if it.Node().Kind == unstable.Comment {
				continue
			}
			n.Elem = append(n.Elem, d.value(it.Node(), n.Pos))
		}
	case unstable.InlineTable:
		n.Kind, n.index, n.named = Table, map[string]int{}, true
		for it := v.Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				d.assign(n, it.Node())
			}
		}
	default:
		n.Kind, n.Text = Date, string(v.Data)
	}
	return n
}

// pos converts a byte offset.
func (d *doc) pos(offset int) Pos {
	offset = min(offset, len(d.src))
	line := sort.SearchInts(d.lines, offset+1) // lines[line-1] <= offset
	return Pos{line, utf8.RuneCount(d.src[d.lines[line-1]:offset]) + 1}
}

func (d *doc) errorAt(p Pos, msg string) error {
	e := &Error{File: d.name, Pos: p, Msg: msg}
	if p.Line >= 1 && p.Line <= len(d.lines) {
		line := d.src[d.lines[p.Line-1]:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		e.Source = strings.TrimRight(string(line), "\r")
	}
	return e
}
