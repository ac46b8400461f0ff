package audit

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/tomldoc"
)

// Advisory is one file of a database.
type Advisory struct {
	ID            string
	Package       string
	Std           bool // of the Rust distribution: "std", "cargo", "rustdoc"
	Title         string
	Date          string
	URL           string
	Informational string // "unmaintained", "unsound", "notice"; empty: a vulnerability
	Aliases       []string
	Withdrawn     string   // the date; empty: it holds
	Patched       []string // requirements of versions, as written
	Unaffected    []string
	OS            []string // systems that it is limited to; empty: all

	safe []cargo.Requirement
}

// IsAdvisory reports whether a file of a database, by its path with slashes, is an
// advisory: crates/<package>/<ID>.md, or rust/<package>/<ID>.md, below any directory.
func IsAdvisory(name string) bool {
	elem := strings.Split(name, "/")
	n := len(elem)
	return n >= 3 && path.Ext(name) == ".md" && (elem[n-3] == "crates" || elem[n-3] == "rust") && !strings.HasPrefix(elem[n-1], ".")
}

// Parse reads an advisory. Its errors have file and line.
func Parse(name string, b []byte) (Advisory, error) {
	begin := bytes.Index(b, []byte("```toml\n"))
	if begin < 0 || len(bytes.TrimSpace(b[:begin])) > 0 {
		return Advisory{}, fmt.Errorf("%s: does not begin with a block of TOML", name)
	}
	b = b[begin+len("```toml\n"):]
	end := bytes.Index(b, []byte("\n```"))
	if end < 0 {
		return Advisory{}, fmt.Errorf("%s: the block of TOML does not end", name)
	}
	// The line of the fence is counted, so that positions are those of the file.
	doc, err := tomldoc.Parse(name, append([]byte("\n"), b[:end+1]...))
	if err != nil {
		return Advisory{}, err
	}
	var r tomldoc.Reader
	a := Advisory{Std: strings.Contains("/"+name, "/rust/")}
	if t := r.Table(doc, "advisory"); t != nil {
		a.ID, a.Package, a.URL = r.String(t, "id"), r.String(t, "package"), r.String(t, "url")
		a.Informational, a.Aliases = r.String(t, "informational"), r.Strings(t, "aliases")
		a.Date, a.Withdrawn = date(t, "date"), date(t, "withdrawn")
	}
	if t := r.Table(doc, "affected"); t != nil {
		a.OS = r.Strings(t, "os")
	}
	if t := r.Table(doc, "versions"); t != nil {
		a.Patched, a.Unaffected = r.Strings(t, "patched"), r.Strings(t, "unaffected")
	}
	if r.Err() != nil {
		return Advisory{}, r.Err()
	}
	if a.ID == "" || a.Package == "" {
		return Advisory{}, fmt.Errorf("%s: no id or package in [advisory]", name)
	}
	for _, text := range slices.Concat(a.Patched, a.Unaffected) {
		req, ok := cargo.ParseRequirement(text)
		if !ok {
			return Advisory{}, fmt.Errorf("%s: %q is not a version requirement", name, text)
		}
		a.safe = append(a.safe, req)
	}
	for line := range strings.Lines(string(b[end+len("\n```"):])) {
		if title, ok := strings.CutPrefix(strings.TrimSpace(line), "# "); ok {
			a.Title = title
			break
		}
	}
	return a, nil
}

// date is a TOML date or a string.
func date(t *tomldoc.Node, key string) string {
	if n := t.Get(key); n != nil && (n.Kind == tomldoc.String || n.Kind == tomldoc.Date) {
		return n.Text
	}
	return ""
}

// Affects reports whether a version has the problem. One that is no version has it.
func (a Advisory) Affects(version string) bool {
	v, ok := cargo.ParseVersion(version)
	if !ok {
		return true
	}
	return !slices.ContainsFunc(a.safe, func(r cargo.Requirement) bool {
		return r.Match(v) || v.Pre != "" && r.Match(cargo.Version{Major: v.Major, Minor: v.Minor, Patch: v.Patch}) && !first(r, v)
	})
}

// first reports whether a pre-release is of the first version that satisfies a
// requirement: 1.2.0-rc.1 is before 1.2.0, so ">= 1.2.0" does not cover it.
func first(r cargo.Requirement, v cargo.Version) bool {
	lower := v
	lower.Pre = ""
	switch {
	case lower.Patch > 0:
		lower.Patch--
	case lower.Minor > 0:
		lower.Minor, lower.Patch = lower.Minor-1, 1<<20
	case lower.Major > 0:
		lower.Major, lower.Minor, lower.Patch = lower.Major-1, 1<<20, 1<<20
	default:
		return true
	}
	return !r.Match(lower)
}
