package adopt

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/tomldoc"
)

// Finding is one entry of a file that espalier does not need.
type Finding struct {
	Rule string        `json:"rule"`
	At   config.Origin `json:"at"`
	What string        `json:"what"` // the entry, in one line
	Why  string        `json:"why"`
	Keep string        `json:"keep,omitempty"` // why it is not deleted; "" when it is
	cut  cut
}

// String is "Cargo.toml:31: addr2line = "0.21.0"".
func (f Finding) String() string { return f.At.Short() + ": " + f.What }

// Find lists the findings of a project, in the order of its files and of the
// lines in them.
func Find(p *project.Project) ([]Finding, error) {
	v, err := read(p)
	if err != nil {
		return nil, err
	}
	return v.find(), nil
}

func (v *view) find() []Finding {
	var out []Finding
	for _, r := range rules {
		for _, f := range r.find(v) {
			f.Rule = r.name
			if f.Why == "" {
				f.Why = r.why
			}
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		if a.At.File != b.At.File {
			return slices.Index(v.order, a.At.File) - slices.Index(v.order, b.At.File)
		}
		if a.At.Line != b.At.Line {
			return a.At.Line - b.At.Line
		}
		return a.At.Col - b.At.Col
	})
	return out
}

// view is what the rules look at.
type view struct {
	project   *project.Project
	order     []string // names of all documents
	manifests []document
	configs   []document
	sources   string // of the own packages, one after the other
}

// document is one TOML file. Its name is relative to the project's root.
type document struct {
	name string
	text string
	root *tomldoc.Node
}

// maxSource is the largest source file that is searched, in bytes. A larger one
// is generated.
const maxSource = 4 << 20

func read(p *project.Project) (*view, error) {
	v := &view{project: p}
	open := func(name string) (document, error) {
		b, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(name)))
		if err != nil {
			return document{}, fault.Wrap(fault.Usage, config.Pathless(err), "reading "+name)
		}
		root, err := tomldoc.Parse(name, b)
		return document{name, string(b), root}, err
	}
	seen := map[string]bool{}
	for _, own := range p.Own {
		for _, name := range []string{own.Root, own.Manifest} {
			if name == "" || seen[name] {
				continue
			}
			seen[name] = true
			d, err := open(name)
			if err != nil {
				return nil, err
			}
			v.manifests = append(v.manifests, d)
		}
	}
	for _, name := range p.Cargo.Files {
		d, err := open(name)
		if err != nil {
			return nil, err
		}
		v.configs = append(v.configs, d)
	}
	for _, d := range append(slices.Clone(v.manifests), v.configs...) {
		v.order = append(v.order, d.name)
	}
	var text strings.Builder
	for _, f := range p.Files {
		if !strings.HasSuffix(f.Path, ".rs") || f.Target != "" || f.Size > maxSource {
			continue
		}
		b, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(f.Path)))
		if err != nil {
			return nil, fault.Wrap(fault.Usage, config.Pathless(err), "reading "+f.Path)
		}
		text.Write(b)
		text.WriteByte('\n')
	}
	v.sources = text.String()
	return v, nil
}

// entry is a finding about the key of a table, with its value.
func (d document) entry(k tomldoc.Key) Finding {
	from, to := d.keyExtent(k)
	return Finding{At: config.At(d.name, k.Pos), What: oneLine(d.text[from:to]), cut: cut{from: from, to: to}}
}

// element is a finding about consecutive elements of an array.
func (d document) element(elems ...*tomldoc.Node) Finding {
	from := offset(d.text, elems[0].Pos)
	to := valueEnd(d.text, offset(d.text, elems[len(elems)-1].Pos))
	return Finding{At: config.At(d.name, elems[0].Pos), What: oneLine(d.text[from:to]), cut: cut{from: from, to: to, comma: true}}
}

// oneLine is text as a line of a message.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 100 {
		s = string(r[:99]) + "…"
	}
	return s
}

// Summary is "deletes 4 entries, keeps 2".
func Summary(all []Finding) string {
	n := 0
	for _, f := range all {
		if f.Keep == "" {
			n++
		}
	}
	return fmt.Sprintf("%d of %d can be deleted", n, len(all))
}
