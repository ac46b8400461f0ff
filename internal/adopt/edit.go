package adopt

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/tomldoc"
)

// cut is a piece of a file that is deleted.
type cut struct {
	from, to int  // bytes
	comma    bool // an element of an array: its comma goes, too
}

// Edit is a file of the project before and after.
type Edit struct {
	Name     string // relative to the project's root
	Old, New string
}

// Edits returns what the findings that can be deleted change. A table that has
// no keys afterwards is deleted with its header. An edit that would do more than
// that, because the file is written in an unusual form, is an error.
func Edits(p *project.Project, all []Finding) ([]Edit, error) {
	v, err := read(p)
	if err != nil {
		return nil, err
	}
	return v.edits(all)
}

func (v *view) edits(all []Finding) ([]Edit, error) {
	var out []Edit
	for _, d := range append(slices.Clone(v.manifests), v.configs...) {
		var cuts []cut
		for _, f := range all {
			if f.At.File == d.name && f.Keep == "" {
				cuts = append(cuts, widen(d.text, f.cut))
			}
		}
		if len(cuts) == 0 {
			continue
		}
		text, err := removeEmptyTables(d.name, remove(d.text, cuts), d.root)
		if err != nil {
			return nil, err
		}
		if text, err = checked(d, text, all); err != nil {
			return nil, err
		}
		out = append(out, Edit{d.name, d.text, text})
	}
	return out, nil
}

// Write puts the new texts into the files.
func Write(p *project.Project, edits []Edit) error {
	for _, e := range edits {
		if err := atomicfile.Write(filepath.Join(p.Root, filepath.FromSlash(e.Name)), []byte(e.New), 0o666); err != nil {
			return fault.Wrap(fault.Usage, err, "writing "+e.Name)
		}
	}
	return nil
}

// widen adds to a cut the comma of an element, the spaces around it, and the
// whole line or lines when nothing else is in them.
func widen(text string, c cut) cut {
	for c.from > 0 && (text[c.from-1] == ' ' || text[c.from-1] == '\t') {
		c.from--
	}
	blank := func() {
		for c.to < len(text) && (text[c.to] == ' ' || text[c.to] == '\t') {
			c.to++
		}
	}
	blank()
	if c.comma && c.to < len(text) && text[c.to] == ',' {
		c.to++
		blank()
	}
	end := c.to
	if end < len(text) && text[end] == '#' { // the comment is about what goes
		for end < len(text) && text[end] != '\n' {
			end++
		}
	}
	if end < len(text) && text[end] == '\r' {
		end++
	}
	lineStart := c.from == 0 || text[c.from-1] == '\n'
	switch {
	case lineStart && (end == len(text) || text[end] == '\n'):
		c.to = min(end+1, len(text))
		if text[c.from] == '[' && strings.HasSuffix(text[:c.from], "\n\n") && (c.to == len(text) || text[c.to] == '\n') {
			c.from-- // of a table's two empty lines one goes
		}
	case !lineStart && c.comma && text[c.from-1] != '[' && c.to < len(text) && text[c.to] != ']':
		c.from = min(c.from+1, c.to) // one space stays between the neighbours
	}
	return c
}

// remove deletes cuts, which may touch and overlap.
func remove(text string, cuts []cut) string {
	slices.SortFunc(cuts, func(a, b cut) int { return a.from - b.from })
	var out strings.Builder
	at := 0
	for _, c := range cuts {
		if c.from > at {
			out.WriteString(text[at:c.from])
		}
		at = max(at, c.to)
	}
	out.WriteString(text[at:])
	return out.String()
}

// removeEmptyTables deletes the header of each table that has lost its last key.
// Comments between the header and the next one stay.
func removeEmptyTables(name, text string, before *tomldoc.Node) (string, error) {
	after, err := tomldoc.Parse(name, []byte(text))
	if err != nil {
		return "", unusual(name, err)
	}
	var cuts []cut
	var visit func(old, now *tomldoc.Node)
	visit = func(old, now *tomldoc.Node) {
		for _, k := range old.Keys {
			n := now.Get(k.Name)
			if n == nil || k.Value.Kind != tomldoc.Table || n.Kind != tomldoc.Table {
				continue
			}
			at := offset(text, n.Pos)
			line := strings.LastIndexByte(text[:at], '\n') + 1
			if len(k.Value.Keys) > 0 && len(n.Keys) == 0 && strings.HasPrefix(strings.TrimLeft(text[line:], " \t"), "[") {
				c := cut{from: line, to: len(text)}
				if i := strings.IndexByte(text[line:], '\n'); i >= 0 {
					c.to = line + i + 1
				}
				if strings.HasSuffix(text[:line], "\n\n") && (c.to == len(text) || text[c.to] == '\n') {
					c.from-- // not two empty lines
				}
				cuts = append(cuts, c)
				continue
			}
			visit(k.Value, n)
		}
	}
	visit(before, after)
	return remove(text, cuts), nil
}

// checked compares what a document means before and after: only what the
// findings name may be missing.
func checked(d document, text string, all []Finding) (string, error) {
	after, err := tomldoc.Parse(d.name, []byte(text))
	if err != nil {
		return "", unusual(d.name, err)
	}
	old, now := leaves(d.root), leaves(after)
	for _, l := range now {
		i := slices.Index(old, l)
		if i < 0 {
			return "", unusual(d.name, fmt.Errorf("%s = %s would appear", l.key, l.value))
		}
		old = slices.Delete(old, i, i+1)
	}
	deleted := ""
	for _, f := range all {
		if f.At.File == d.name && f.Keep == "" {
			deleted += d.text[f.cut.from:f.cut.to] + "\n"
		}
	}
	for _, l := range old { // what is missing was in the text that was cut
		if !strings.Contains(deleted, l.value) {
			return "", unusual(d.name, fmt.Errorf("%s = %s would be deleted, too", l.key, l.value))
		}
	}
	return text, nil
}

func unusual(name string, err error) error {
	return fault.Wrap(fault.Usage, err, "editing "+name, "delete what is listed by hand")
}

// leaf is a value of a document with its key, "dependencies.log". Elements of an
// array have its key, so that one that moves is the same.
type leaf struct{ key, value string }

func leaves(n *tomldoc.Node) (out []leaf) {
	var visit func(key string, n *tomldoc.Node)
	visit = func(key string, n *tomldoc.Node) {
		switch n.Kind {
		case tomldoc.Table:
			for _, k := range n.Keys {
				visit(key+"."+k.Name, k.Value)
			}
		case tomldoc.Array:
			for _, e := range n.Elem {
				visit(key+"[]", e)
			}
		case tomldoc.String, tomldoc.Date, tomldoc.Float:
			out = append(out, leaf{key, n.Text})
		case tomldoc.Integer:
			out = append(out, leaf{key, fmt.Sprint(n.Int)})
		case tomldoc.Bool:
			out = append(out, leaf{key, fmt.Sprint(n.Bool)})
		}
	}
	visit("", n)
	return out
}

// keyExtent is where an entry of a table is: from its key to the end of its
// value. Of a table with a header of its own, [dev-dependencies.libc], it is the
// header and its keys.
func (d document) keyExtent(k tomldoc.Key) (from, to int) {
	from = offset(d.text, k.Pos)
	line := strings.LastIndexByte(d.text[:from], '\n') + 1
	if strings.HasPrefix(strings.TrimLeft(d.text[line:from], " \t"), "[") {
		to = line + strings.IndexByte(d.text[line:]+"\n", '\n')
		for _, below := range k.Value.Keys {
			_, end := d.keyExtent(below)
			to = max(to, end)
		}
		return line, to
	}
	eq := keyEnd(d.text, from)
	for eq < len(d.text) && strings.IndexByte(" \t=", d.text[eq]) >= 0 {
		eq++
	}
	return from, valueEnd(d.text, eq)
}

// keyEnd is the end of a key, dotted or quoted.
func keyEnd(text string, at int) int {
	for at < len(text) && text[at] != '=' && text[at] != '\n' {
		if text[at] == '"' || text[at] == '\'' {
			at = stringEnd(text, at)
			continue
		}
		at++
	}
	return at
}

// valueEnd is the end of the value that begins at a byte (TOML 1.0: strings,
// arrays, inline tables, and everything without brackets).
func valueEnd(text string, at int) int {
	depth := 0
	for at < len(text) {
		switch c := text[at]; {
		case c == '"' || c == '\'':
			at = stringEnd(text, at)
			if depth == 0 {
				return at
			}
			continue
		case c == '[' || c == '{':
			depth++
		case (c == ']' || c == '}' || c == ',') && depth == 0:
			return len(strings.TrimRight(text[:at], " \t"))
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return at + 1
			}
		case c == '#':
			if depth == 0 {
				return len(strings.TrimRight(text[:at], " \t"))
			}
			for at < len(text) && text[at] != '\n' {
				at++
			}
			continue
		case c == '\n' && depth == 0:
			return len(strings.TrimRight(text[:at], " \t\r"))
		}
		at++
	}
	return at
}

// stringEnd is the byte after a string of any of the four kinds.
func stringEnd(text string, at int) int {
	quote := text[at : at+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(text[at:], triple) {
		at += 3
		for at < len(text) && !strings.HasPrefix(text[at:], triple) {
			if text[at] == '\\' && quote == `"` {
				at++
			}
			at++
		}
		return min(at+3, len(text))
	}
	for at++; at < len(text) && text[at:at+1] != quote && text[at] != '\n'; at++ {
		if text[at] == '\\' && quote == `"` {
			at++
		}
	}
	return min(at+1, len(text))
}

// offset is the byte at a place.
func offset(text string, p tomldoc.Pos) int {
	at := 0
	for line := 1; line < p.Line; line++ {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		at += i + 1
	}
	if at == 0 && strings.HasPrefix(text, "\ufeff") {
		at = 3
	}
	for col := 1; col < p.Col && at < len(text); col++ {
		_, n := utf8.DecodeRuneInString(text[at:])
		at += n
	}
	return at
}
