package tomldoc

import "fmt"

// Pos is a place in a file: line and column, both 1-based, the column in
// characters. The zero Pos is no place.
type Pos struct{ Line, Col int }

// Kind is the type of a TOML value.
type Kind int

// Kinds of a Node.
const (
	Table Kind = iota
	Array
	String
	Integer
	Float
	Bool
	Date // any of the four date and time types; Text holds it as written
)

// String is the kind as messages call it, with its article.
func (k Kind) String() string {
	switch k {
	case Table:
		return "a table"
	case Array:
		return "an array"
	case String:
		return "a string"
	case Integer:
		return "an integer"
	case Float:
		return "a float"
	case Bool:
		return "a boolean"
	}
	return "a date"
}

// Node is a value of the document.
type Node struct {
	Kind Kind
	Pos  Pos     // of the value; of a table's header, or of its first key
	Text string  // String: decoded; Date and Float: as written
	Int  int64   // Integer
	Bool bool    // Bool
	Elem []*Node // Array, in order
	Keys []Key   // Table, in file order

	doc   *doc
	index map[string]int // into Keys
	named bool           // a [header] or a value gave the table its Pos
}

// Key is one entry of a table.
type Key struct {
	Name  string
	Pos   Pos // of the key itself
	Value *Node
}

// doc is what all nodes of one document share.
type doc struct {
	name  string
	src   []byte
	lines []int // offset of each line's first byte
}

// Get follows keys down the tables below n. It returns nil when one is
// missing or its parent is no table; a nil n is allowed.
func (n *Node) Get(keys ...string) *Node {
	for _, k := range keys {
		if n == nil || n.Kind != Table {
			return nil
		}
		i, ok := n.index[k]
		if !ok {
			return nil
		}
		n = n.Keys[i].Value
	}
	return n
}

// KeyPos is the place of the key name in the table n, zero when it is missing.
func (n *Node) KeyPos(name string) Pos {
	if n != nil && n.Kind == Table {
		if i, ok := n.index[name]; ok {
			return n.Keys[i].Pos
		}
	}
	return Pos{}
}

// File is the name that the document was parsed under.
func (n *Node) File() string {
	if n == nil {
		return ""
	}
	return n.doc.name
}

// Errorf is an error at n.
func (n *Node) Errorf(format string, args ...any) error {
	return n.doc.errorAt(n.Pos, fmt.Sprintf(format, args...))
}

// ErrorAt is an error at a place of the document that n belongs to.
func (n *Node) ErrorAt(p Pos, format string, args ...any) error {
	return n.doc.errorAt(p, fmt.Sprintf(format, args...))
}

func (n *Node) set(name string, pos Pos, v *Node) {
	n.index[name] = len(n.Keys)
	n.Keys = append(n.Keys, Key{name, pos, v})
}

// Error is a problem at a place of a document.
type Error struct {
	File   string
	Pos    Pos
	Msg    string
	Source string // the line, to print with a caret under Pos.Col
}

// Error is "file:line:col: message".
func (e *Error) Error() string {
	if e.Pos.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Pos.Line, e.Pos.Col, e.Msg)
}
