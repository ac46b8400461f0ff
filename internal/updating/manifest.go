package updating

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/tomldoc"
)

// requirement is one line of a manifest that asks for a version of a crate.
type requirement struct {
	Crate string
	Req   string // as written; "" for a dependency without a version
	Git   string // URL of a git dependency
	Ref   string // "rev=…", "tag=…", "branch=…"
	At    config.Origin
	by    string        // name of the own package
	value *tomldoc.Node // the string of Req; nil without one
}

// matches reports whether a version satisfies the requirement. One that cannot
// be read is satisfied: cargo decides.
func (r requirement) matches(version string) bool {
	v, ok := cargo.ParseVersion(version)
	req, okReq := cargo.ParseRequirement(r.Req)
	return !ok || !okReq || req.Match(v)
}

// String is "Cargo.toml:14 asks for ~1.1".
func (r requirement) String() string {
	switch {
	case r.Ref != "":
		return r.At.Short() + " asks for " + strings.Replace(r.Ref, "=", " ", 1)
	case r.Req == "":
		return r.At.Short()
	}
	return r.At.Short() + " asks for " + r.Req
}

// requirements lists the requirements of the own packages on crates that are
// not their own, in the order of the files. An inherited one is at the place in
// [workspace.dependencies].
func requirements(p *project.Project) ([]requirement, error) {
	docs := map[string]*tomldoc.Node{}
	read := func(name string) (*tomldoc.Node, error) {
		if n, ok := docs[name]; ok {
			return n, nil
		}
		b, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(name)))
		if err != nil {
			return nil, fault.Wrap(fault.Usage, config.Pathless(err), "reading "+name)
		}
		n, err := tomldoc.Parse(name, b)
		docs[name] = n
		return n, err
	}
	var out []requirement
	seen := map[*tomldoc.Node]bool{}
	for _, own := range p.Own {
		doc, err := read(own.Manifest)
		if err != nil {
			return nil, err
		}
		tables := []*tomldoc.Node{doc}
		if t := doc.Get("target"); t != nil {
			for _, k := range t.Keys {
				tables = append(tables, k.Value)
			}
		}
		for _, t := range tables {
			for _, name := range []string{"dependencies", "dev-dependencies", "dev_dependencies", "build-dependencies", "build_dependencies"} {
				deps := t.Get(name)
				if deps == nil || deps.Kind != tomldoc.Table {
					continue
				}
				for _, k := range deps.Keys {
					v, pos := k.Value, k.Pos
					if w := v.Get("workspace"); w != nil && w.Bool && own.Root != "" {
						root, err := read(own.Root)
						if err != nil {
							return nil, err
						}
						table := root.Get("workspace", "dependencies")
						if v = table.Get(k.Name); v == nil {
							continue
						}
						pos = table.KeyPos(k.Name)
					}
					if seen[v] || v.Get("path") != nil {
						continue
					}
					seen[v] = true
					r := requirement{Crate: k.Name, by: own.Name, At: config.At(v.File(), pos)}
					if n := v.Get("package"); n != nil {
						r.Crate = n.Text
					}
					if n := v.Get("git"); n != nil {
						r.Git = n.Text
						for _, ref := range []string{"rev", "tag", "branch"} {
							if n := v.Get(ref); n != nil {
								r.Ref = ref + "=" + n.Text
							}
						}
					}
					if r.value = v.Get("version"); v.Kind == tomldoc.String {
						r.value = v
					}
					if r.value != nil {
						r.Req = r.value.Text
						if r.value.Pos.Line > 0 && v.Kind == tomldoc.Table {
							r.At = config.At(v.File(), r.value.Pos)
						}
					}
					out = append(out, r)
				}
			}
		}
	}
	return out, nil
}

// Edit is one changed line of a file of the project.
type Edit struct {
	At   config.Origin `json:"at"`
	Name string        `json:"name"` // of the crate, or "channel"
	From string        `json:"from"`
	To   string        `json:"to"`
}

// String is "Cargo.toml:14: esp-hal ~1.1 -> ~1.2".
func (e Edit) String() string {
	return fmt.Sprintf("%s: %s %s -> %s", e.At.Short(), e.Name, e.From, e.To)
}

// setString replaces the string value of a document at a place that tomldoc has
// given: all other bytes stay.
func setString(text []byte, value *tomldoc.Node, to string) ([]byte, error) {
	at := offset(text, value.Pos)
	line := text[at:]
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	start := 0
	if len(line) == 0 || line[0] != '"' && line[0] != '\'' { // the place is that of the key
		eq := bytes.IndexByte(line, '=')
		start = eq + 1 + bytes.IndexAny(line[eq+1:], `"'`)
		if eq < 0 || start <= eq {
			return nil, value.Errorf("the version is not on one line with its key")
		}
	}
	quote := line[start]
	length := bytes.IndexByte(line[start+1:], quote)
	if length < 0 || string(line[start+1:start+1+length]) != value.Text {
		return nil, value.Errorf("the version is not written as one plain string")
	}
	from := at + start + 1
	return append(append(bytes.Clone(text[:from]), to...), text[from+length:]...), nil
}

// offset is the byte at a place.
func offset(text []byte, p tomldoc.Pos) int {
	at := 0
	for line := 1; line < p.Line; line++ {
		i := bytes.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		at += i + 1
	}
	if at == 0 && bytes.HasPrefix(text, []byte("\ufeff")) {
		at = 3
	}
	for col := 1; col < p.Col && at < len(text); col++ {
		_, n := utf8.DecodeRune(text[at:])
		at += n
	}
	return at
}
