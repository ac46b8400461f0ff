package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/store"
)

// Origin is where a difference between two builds begins: a build script that
// wrote something else, or a crate that was compiled to something else of equal
// inputs, by its own sources or by a macro that it uses.
type Origin struct {
	Kind       string   `json:"kind"` // "build script", "crate"
	Package    string   `json:"package"`
	Source     string   `json:"source,omitempty"` // of the build script
	File       string   `json:"file,omitempty"`   // that the build script wrote
	TextA      string   `json:"text-a,omitempty"` // the first line of File that differs
	TextB      string   `json:"text-b,omitempty"`
	Variables  []string `json:"variables,omitempty"`  // environment variables with other values that the crate reads with env! or option_env!
	Macros     []string `json:"macros,omitempty"`     // sources of the macros that the crate uses, the project's own first
	Places     []string `json:"places,omitempty"`     // in the sources of the script, of the macros or of the crate: file:line:column of code that reads a condition
	Conditions []string `json:"conditions,omitempty"` // in which the builds differed, if each of them was varied alone

	inside []string // paths inside a step of the sources that Places are in
}

func (o Origin) String() string {
	var b strings.Builder
	if o.Kind == "build script" {
		fmt.Fprintf(&b, "the build script of %s", o.Package)
		if o.Source != "" {
			fmt.Fprintf(&b, " (%s)", o.Source)
		}
		fmt.Fprintf(&b, " wrote another %s", o.File)
		if o.TextA != o.TextB {
			fmt.Fprintf(&b, ": %q, then %q", shown(o.TextA), shown(o.TextB))
		}
	} else {
		fmt.Fprintf(&b, "the crate %s was compiled to something else: ", o.Package)
		switch {
		case len(o.Variables) > 0:
			fmt.Fprintf(&b, "env! of %s", strings.Join(o.Variables, ", "))
		case len(o.Macros) > 0:
			fmt.Fprintf(&b, "one of the macros that it uses, in %s", strings.Join(o.Macros, ", "))
		default:
			b.WriteString("include! of a file that is not the same, or the compiler itself")
		}
	}
	if len(o.Conditions) > 0 {
		fmt.Fprintf(&b, " (another %s)", strings.Join(o.Conditions, ", "))
	}
	if len(o.Places) > 0 {
		fmt.Fprintf(&b, "; look at %s", strings.Join(o.Places, ", "))
	}
	return b.String()
}

// Origins compares the traces of two builds of one plan (build.Rebuilt). program
// is the package whose program differs: when no crate that it uses differs, it is
// the origin itself.
func Origins(ctx context.Context, st *store.Store, a, b store.Digest, list []build.Compiled, program string) ([]Origin, error) {
	var out []Origin
	found := found{scripts: map[string]bool{}, crates: map[string]bool{}, variables: map[string][]string{}, sources: map[string][]string{}}
	err := st.Diff(ctx, a, b, func(d store.Difference) error {
		if pkg, file := scriptOutput(d.Path); pkg != "" {
			if found.scripts[pkg] {
				return nil
			}
			found.scripts[pkg] = true
			o := Origin{Kind: "build script", Package: pkg, File: file}
			for _, c := range list {
				if c.Name == pkg && c.Script != "" {
					o.Package, o.Source, o.inside = c.Name+" "+c.Version, userPath(c.Script), []string{c.Script}
				}
			}
			textA, textB, err := bothTexts(ctx, st, d)
			if err != nil {
				return err
			}
			o.TextA, o.TextB = firstLine(textA, textB)
			out = append(out, o)
			return nil
		}
		name, ok := crateOf(d.Path)
		switch {
		case !ok:
			return nil
		case path.Ext(d.Path) != build.DepInfo:
			found.crates[name] = true
			return nil
		}
		textA, textB, err := bothTexts(ctx, st, d)
		if err != nil {
			return err
		}
		if vars := otherVariables(textA, textB); len(vars) > 0 {
			found.crates[name], found.variables[name], found.sources[name] = true, vars, sourcesIn(textA)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return append(out, found.first(list, program)...), nil
}

// found is what differs between two traces, by package and by crate.
type found struct {
	scripts   map[string]bool     // packages whose build script wrote something else
	crates    map[string]bool     // crates that differ
	variables map[string][]string // of crates: environment variables that they read, and that differ
	sources   map[string][]string // of the crates in variables: paths inside a step
}

func (f found) differs(c build.Compiled) bool {
	return f.scripts[c.Name] || slices.ContainsFunc(c.Units, func(n string) bool { return f.crates[n] })
}

// first lists the packages that differ although nothing that they depend on does,
// and whose build script wrote the same.
func (f found) first(list []build.Compiled, program string) (out []Origin) {
	byID := map[string]build.Compiled{}
	for _, c := range list {
		byID[c.ID] = c
	}
	none := !slices.ContainsFunc(list, f.differs)
	for _, c := range list {
		switch {
		case f.scripts[c.Name], !f.differs(c) && !(none && c.Name == program),
			slices.ContainsFunc(c.Depends, func(id string) bool { return f.differs(byID[id]) }):
			continue
		}
		o := Origin{Kind: "crate", Package: c.Name + " " + c.Version}
		var sources []string
		for _, unit := range c.Units {
			o.Variables, sources = append(o.Variables, f.variables[unit]...), append(sources, f.sources[unit]...)
		}
		for _, own := range []bool{true, false} {
			for _, id := range c.Depends {
				if m := byID[id].Macro; m != "" && strings.HasPrefix(m, layout.Src+"/") == own {
					o.Macros, o.inside = append(o.Macros, userPath(m)), append(o.inside, m)
				}
			}
		}
		if len(o.Variables) > 0 {
			slices.Sort(o.Variables)
			o.Variables, o.Macros, o.inside = slices.Compact(o.Variables), nil, sources
		}
		out = append(out, o)
	}
	return out
}

// MergeOrigins adds origins to a list, conditions and places to those that are in it.
func MergeOrigins(list, more []Origin) []Origin {
	for _, o := range more {
		i := slices.IndexFunc(list, func(have Origin) bool {
			return have.Kind == o.Kind && have.Package == o.Package && have.File == o.File &&
				slices.Equal(have.Variables, o.Variables) && slices.Equal(have.Macros, o.Macros)
		})
		if i < 0 {
			list = append(list, o)
			continue
		}
		for _, c := range o.Conditions {
			if !slices.Contains(list[i].Conditions, c) {
				list[i].Conditions = append(list[i].Conditions, c)
			}
		}
		list[i].Places = append(list[i].Places, o.Places...)
		sortPlaces(list[i].Places)
		list[i].Places = slices.Compact(list[i].Places)
	}
	return list
}

// scriptOutput splits <…>/build/<package>-<hash>/out/<file>.
func scriptOutput(name string) (pkg, file string) {
	elem := strings.Split(name, "/")
	for i := 0; i+3 < len(elem); i++ {
		if elem[i] == "build" && elem[i+2] == "out" {
			if at := strings.LastIndexByte(elem[i+1], '-'); at > 0 {
				return elem[i+1][:at], strings.Join(elem[i+3:], "/")
			}
		}
	}
	return "", ""
}

// crateOf is the crate of <…>/deps/[lib]<crate>-<hash>.<extension>. Only compiled
// libraries have the prefix.
func crateOf(name string) (string, bool) {
	dir, base := path.Split(name)
	if path.Base(dir) != "deps" {
		return "", false
	}
	if path.Ext(base) != build.DepInfo {
		base = strings.TrimPrefix(base, "lib")
	}
	at := strings.LastIndexByte(base, '-')
	if at <= 0 {
		return "", false
	}
	return base[:at], true
}

// userPath is a path inside a step as the user knows it: relative to the project,
// or that of a crate.
func userPath(inside string) string {
	for _, place := range []string{layout.Src, layout.Vendor, layout.Checkouts} {
		if rest, ok := strings.CutPrefix(inside, place+"/"); ok {
			return rest
		}
	}
	return inside
}

// otherVariables lists the environment variables that one of two dependency files of
// rustc has with another value than the other.
func otherVariables(a, b []byte) (names []string) {
	read := func(text []byte) map[string]string {
		all := map[string]string{}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "# env-dep:"); ok {
				name, value, _ := strings.Cut(rest, "=")
				all[name] = value
			}
		}
		return all
	}
	first, second := read(a), read(b)
	for name, value := range first {
		if other, ok := second[name]; !ok || other != value {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// sourcesIn lists the files in a dependency file of rustc, as paths inside a step. They
// are relative to the project's root, where cargo starts rustc for own crates.
func sourcesIn(text []byte) (list []string) {
	for line := range strings.Lines(string(text)) {
		name, ok := strings.CutSuffix(strings.TrimSpace(line), ":") // an empty rule for each source
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if !path.IsAbs(name) {
			name = path.Join(layout.Src, name)
		}
		list = append(list, strings.ReplaceAll(name, `\ `, " "))
	}
	return list
}

// largestGenerated bounds a file that is compared line by line, in bytes.
const largestGenerated = 4 << 20

// bothTexts reads both versions of a file; nil for one that is large, or none.
func bothTexts(ctx context.Context, st *store.Store, d store.Difference) (a, b []byte, err error) {
	read := func(e *store.Entry) ([]byte, error) {
		if e == nil || e.Type != store.TypeFile || e.Digest.Size > largestGenerated {
			return nil, nil
		}
		r, err := st.Open(ctx, *e)
		if err != nil {
			return nil, err
		}
		var text bytes.Buffer
		_, err = text.ReadFrom(r)
		return text.Bytes(), errors.Join(err, r.Close())
	}
	if a, err = read(d.Old); err != nil {
		return nil, nil, err
	}
	b, err = read(d.New)
	return a, b, err
}

// firstLine returns the first lines in which two texts differ.
func firstLine(a, b []byte) (string, string) {
	for len(a) > 0 || len(b) > 0 {
		lineA, restA, _ := bytes.Cut(a, []byte("\n"))
		lineB, restB, _ := bytes.Cut(b, []byte("\n"))
		if !bytes.Equal(lineA, lineB) {
			return printableText(lineA), printableText(lineB)
		}
		a, b = restA, restB
	}
	return "", ""
}

// printableText is a line of a file that may be binary.
func printableText(b []byte) string {
	if len(b) > longestText || bytes.ContainsFunc(b, func(r rune) bool { return r < 0x20 && r != '\t' || r == 0xfffd }) {
		return ""
	}
	return string(bytes.TrimSpace(b))
}
