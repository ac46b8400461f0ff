package tomldoc

import (
	"fmt"
	"strings"
)

// Reader takes typed values out of tables and keeps the first error, so that
// decoding code reads as a list of fields. Missing keys give zero values.
type Reader struct{ err error }

// Err is the first error met.
func (r *Reader) Err() error { return r.err }

// Fail records err unless there is one already.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *Reader) want(n *Node, k Kind, key string) bool {
	if n == nil || r.err != nil {
		return false
	}
	if n.Kind != k {
		r.Fail(n.Errorf("%s: want %s, found %s", key, k, n.Kind))
		return false
	}
	return true
}

// String reads a string.
func (r *Reader) String(t *Node, key string) string {
	if n := t.Get(key); r.want(n, String, key) {
		return n.Text
	}
	return ""
}

// Bool reads a boolean; missing means def.
func (r *Reader) Bool(t *Node, key string, def bool) bool {
	if n := t.Get(key); r.want(n, Bool, key) {
		return n.Bool
	}
	return def
}

// Int reads an integer.
func (r *Reader) Int(t *Node, key string) int64 {
	if n := t.Get(key); r.want(n, Integer, key) {
		return n.Int
	}
	return 0
}

// Strings reads an array of strings.
func (r *Reader) Strings(t *Node, key string) []string {
	n := t.Get(key)
	if !r.want(n, Array, key) {
		return nil
	}
	out := make([]string, 0, len(n.Elem))
	for i, e := range n.Elem {
		if !r.want(e, String, fmt.Sprintf("%s[%d]", key, i)) {
			return nil
		}
		out = append(out, e.Text)
	}
	return out
}

// Words reads an array of strings, or one string that is split at white
// space, as cargo does for flags and runners.
func (r *Reader) Words(t *Node, key string) []string {
	if n := t.Get(key); n != nil && n.Kind == String {
		return strings.Fields(n.Text)
	}
	return r.Strings(t, key)
}

// Table reads a table; nil when missing.
func (r *Reader) Table(t *Node, key string) *Node {
	if n := t.Get(key); r.want(n, Table, key) {
		return n
	}
	return nil
}

// Tables reads an array of tables.
func (r *Reader) Tables(t *Node, key string) []*Node {
	n := t.Get(key)
	if !r.want(n, Array, key) {
		return nil
	}
	for i, e := range n.Elem {
		if !r.want(e, Table, fmt.Sprintf("%s[%d]", key, i)) {
			return nil
		}
	}
	return n.Elem
}

// Known refuses keys of t that are not in names; where is the table's name
// for the message, empty at the root.
func (r *Reader) Known(t *Node, where string, names ...string) {
	if t == nil || r.err != nil {
		return
	}
	for _, k := range t.Keys {
		ok := false
		for _, n := range names {
			ok = ok || n == k.Name
		}
		if ok {
			continue
		}
		in := ""
		if where != "" {
			in = " in [" + where + "]"
		}
		msg := fmt.Sprintf("unknown key %q%s", k.Name, in)
		if best := Closest(k.Name, names); best != "" {
			msg += fmt.Sprintf("; did you mean %q?", best)
		} else {
			msg += "; known: " + strings.Join(names, ", ")
		}
		r.Fail(t.ErrorAt(k.Pos, "%s", msg))
		return
	}
}

// Closest is the name that is most like s, empty when none is near: at most a
// third of the letters differ.
func Closest(s string, names []string) string {
	best, dist := "", len(s)/3+1
	for _, n := range names {
		if d := distance(s, n); d <= dist && (best == "" || d < distance(s, best)) {
			best = n
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes, with "-" and "_" alike.
func distance(a, b string) int {
	a, b = strings.ReplaceAll(a, "_", "-"), strings.ReplaceAll(b, "_", "-")
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diag, row[j] = row[j], min(row[j]+1, row[j-1]+1, diag+cost)
		}
	}
	return row[len(b)]
}
