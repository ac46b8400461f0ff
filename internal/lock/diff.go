package lock

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/store"
)

// Change kinds.
const (
	Added   = "added"
	Removed = "removed"
	Moved   = "moved" // same name, other content or version
)

// Change is one line of a Diff.
type Change struct {
	Kind      string `json:"kind"`
	Area      string `json:"area"` // "project", "toolchain", "package", "crate", "std crate", "git", "blob", "golden"
	Host      string `json:"host,omitempty"`
	Name      string `json:"name"`
	From      string `json:"from,omitempty"` // version, commit or value
	To        string `json:"to,omitempty"`
	FromBytes int64  `json:"from-bytes,omitempty"` // where known
	ToBytes   int64  `json:"to-bytes,omitempty"`
}

// Diff is what changed between two locks, for people.
type Diff struct {
	First   bool     `json:"first"` // there was no lock before
	Changes []Change `json:"changes"`
	Summary Summary  `json:"summary"`
}

// Summary counts the new lock.
type Summary struct {
	Toolchains   []string `json:"toolchains"` // "rustc 1.96.0 from debian:bookworm+bookworm-security for linux/amd64"
	Packages     int      `json:"packages"`
	PackageBytes int64    `json:"package-bytes"`
	Crates       int      `json:"crates"`     // for the project
	StdCrates    int      `json:"std-crates"` // for std alone
	CrateBytes   int64    `json:"crate-bytes,omitempty"`
	Git          []string `json:"git,omitempty"` // "smoltcp at 0123456789ab"
	Blobs        []string `json:"blobs,omitempty"`
}

// Line is one rendered line: Kind is "" for a heading or a summary, else
// Added, Removed or Moved.
type Line struct {
	Kind string
	Text string
}

// item is what the areas have in common.
type item struct {
	area, host, name string
	version          string
	digest           string
	bytes            int64
}

// Compare says what to does differently from from; a nil from is the first
// lock.
func Compare(from, to *File) Diff {
	d := Diff{First: from == nil, Changes: []Change{}, Summary: summary(to)}
	if from == nil {
		return d
	}
	value := func(area, host, name, a, b string) {
		if a != b {
			d.Changes = append(d.Changes, Change{Kind: Moved, Area: area, Host: host, Name: name, From: a, To: b})
		}
	}
	value("project", "", "source date epoch", when(from.Project.SourceDateEpoch), when(to.Project.SourceDateEpoch))
	value("project", "", "variables from the environment", names(from.Project.Env), names(to.Project.Env))
	value("project", "", "sandbox layout", strconv.Itoa(from.Project.Layout), strconv.Itoa(to.Project.Layout))
	for _, t := range to.Toolchains {
		old, ok := from.Toolchain(t.Host)
		if !ok {
			d.Changes = append(d.Changes, Change{Kind: Added, Area: "toolchain", Host: t.Host, Name: "rustc", To: t.Rustc})
			continue
		}
		value("toolchain", t.Host, "rustc", old.Rustc, t.Rustc)
		value("toolchain", t.Host, "supplier", old.Supplier, t.Supplier)
		value("toolchain", t.Host, "channel", old.Channel, t.Channel)
		value("toolchain", t.Host, "unpacking rule", strconv.Itoa(old.Prune), strconv.Itoa(t.Prune))
	}
	for _, t := range from.Toolchains {
		if _, ok := to.Toolchain(t.Host); !ok {
			d.Changes = append(d.Changes, Change{Kind: Removed, Area: "toolchain", Host: t.Host, Name: "rustc", From: t.Rustc})
		}
	}
	value("project", "", "std's Cargo.lock", short(from.Std.Lock), short(to.Std.Lock))
	d.Changes = append(d.Changes, changes(items(from), items(to))...)
	for _, g := range goldens(from, to) {
		of := ""
		if g.Firmware != "" {
			of = " of " + strings.TrimSpace(g.Firmware+" "+g.Profile)
		}
		value("golden", "", "ELF"+of, golden(from, g, false), golden(to, g, false))
		value("golden", "", "image"+of, golden(from, g, true), golden(to, g, true))
	}
	return d
}

func names(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func when(epoch int64) string { return time.Unix(epoch, 0).UTC().Format(time.RFC3339) }

// goldens lists the firmware that has golden results in one of two locks.
func goldens(from, to *File) (out []Golden) {
	for _, g := range append(slices.Clone(from.Golden), to.Golden...) {
		if !slices.ContainsFunc(out, func(have Golden) bool { return have.Firmware == g.Firmware && have.Profile == g.Profile }) {
			out = append(out, g)
		}
	}
	return out
}

func golden(f *File, of Golden, image bool) string {
	for _, g := range f.Golden {
		if g.Firmware != of.Firmware || g.Profile != of.Profile {
			continue
		}
		if image {
			return short(g.Image)
		}
		return short(g.ELF)
	}
	return "none"
}

func items(f *File) []item {
	var out []item
	for _, t := range f.Toolchains {
		for _, p := range t.Packages {
			out = append(out, item{"package", t.Host, p.Name, p.Version, p.Digest.Hash, p.Digest.Size})
		}
	}
	for _, c := range f.Crates {
		area := "crate"
		if !contains(c.For, "project") {
			area = "std crate"
		}
		out = append(out, item{area, "", c.Name, c.Version, c.Digest.Hash, known(c.Digest)})
	}
	for _, g := range f.Git {
		name := g.URL
		if g.Ref != "" {
			name += " (" + g.Ref + ")"
		}
		out = append(out, item{"git", "", name, abbrev(g.Commit), g.Tree.Hash, 0})
	}
	for _, b := range f.Blobs {
		out = append(out, item{"blob", "", b.Name, b.From, b.Digest.Hash, known(b.Digest)})
	}
	return out
}

func known(d store.Digest) int64 { return max(d.Size, 0) }

// changes pairs what vanished with what is new under the same name: that
// moved. The rest is added or removed.
func changes(from, to []item) []Change {
	type key struct{ area, host, name string }
	type id struct {
		key
		version, digest string
	}
	same := map[id]int{}
	for _, i := range from {
		same[id{key{i.area, i.host, i.name}, i.version, i.digest}]++
	}
	news := map[key][]item{}
	var changed []key
	rank := map[string]int{"package": 0, "crate": 1, "std crate": 2, "git": 3, "blob": 4}
	note := func(k key) {
		if !slices.Contains(changed, k) {
			changed = append(changed, k)
		}
	}
	for _, i := range to {
		k := key{i.area, i.host, i.name}
		if x := (id{k, i.version, i.digest}); same[x] > 0 {
			same[x]--
			continue
		}
		news[k] = append(news[k], i)
		note(k)
	}
	olds := map[key][]item{}
	for _, i := range from {
		k := key{i.area, i.host, i.name}
		if x := (id{k, i.version, i.digest}); same[x] > 0 {
			same[x]--
			olds[k] = append(olds[k], i)
			note(k)
		}
	}
	order.Sort(changed, func(a, b key) int {
		return cmp.Or(cmp.Compare(rank[a.area], rank[b.area]), cmp.Compare(a.host, b.host), cmp.Compare(a.name, b.name))
	})
	var out []Change
	for _, k := range changed {
		o, n := olds[k], news[k]
		order.Sort(o, newestFirst)
		order.Sort(n, newestFirst)
		for i := range max(len(o), len(n)) {
			c := Change{Area: k.area, Host: k.host, Name: k.name}
			if i < len(o) {
				c.Kind, c.From, c.FromBytes = Removed, o[i].version, o[i].bytes
			}
			if i < len(n) {
				c.Kind, c.To, c.ToBytes = Added, n[i].version, n[i].bytes
			}
			if i < len(o) && i < len(n) {
				c.Kind = Moved
				if c.From == c.To { // other bytes under the same version
					c.From, c.To = "sha256:"+o[i].digest[:12]+"…", "sha256:"+n[i].digest[:12]+"…"
					if k.area != "blob" {
						c.Name += " " + o[i].version
					}
				}
			}
			out = append(out, c)
		}
	}
	return out
}

// newestFirst orders versions by their numbers, so that of several versions of
// a crate the newest are the ones that moved into each other.
func newestFirst(a, b item) int {
	return cargo.CompareVersions(b.version, a.version)
}

func summary(f *File) Summary {
	s := Summary{Toolchains: []string{}}
	for _, t := range f.Toolchains {
		rustc, _, _ := strings.Cut(t.Rustc, " ")
		s.Toolchains = append(s.Toolchains, "rustc "+rustc+" from "+t.Supplier+" for "+t.Host)
		s.Packages += len(t.Packages)
		for _, p := range t.Packages {
			s.PackageBytes += known(p.Digest)
		}
	}
	for _, c := range f.Crates {
		if contains(c.For, "project") {
			s.Crates++
		} else {
			s.StdCrates++
		}
		s.CrateBytes += known(c.Digest)
	}
	for _, g := range f.Git {
		name := strings.TrimSuffix(g.URL[strings.LastIndexAny(strings.TrimRight(g.URL, "/"), "/:")+1:], "/")
		s.Git = append(s.Git, strings.TrimSuffix(name, ".git")+" at "+abbrev(g.Commit))
	}
	for _, b := range f.Blobs {
		s.Blobs = append(s.Blobs, b.Name)
	}
	return s
}

// Empty reports whether nothing changed.
func (d Diff) Empty() bool { return !d.First && len(d.Changes) == 0 }

// Lines renders the diff for a terminal: a summary for the first lock, aligned
// changes and a closing count for a later one.
func (d Diff) Lines() []Line {
	if d.First {
		return d.Summary.lines()
	}
	var out []Line
	area, name := 0, 0
	for _, c := range d.Changes {
		area = max(area, len(c.where()))
		if len(c.Name) <= 36 { // a long address may stick out alone
			name = max(name, len(c.Name))
		}
	}
	count := map[string]int{}
	var grown int64
	for _, c := range d.Changes {
		count[c.Kind]++
		grown += c.ToBytes - c.FromBytes
		out = append(out, Line{c.Kind, strings.TrimRight(fmt.Sprintf("%-*s  %-*s  %s", area, c.where(), name, c.Name, c.what()), " ")})
	}
	if len(out) == 0 {
		return []Line{{"", "nothing changed"}}
	}
	var parts []string
	for _, k := range []struct{ kind, word string }{{Added, "new"}, {Moved, "moved"}, {Removed, "gone"}} {
		if n := count[k.kind]; n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+k.word)
		}
	}
	sum := strings.Join(parts, ", ")
	switch {
	case grown > 0:
		sum += ", " + size(grown) + " more"
	case grown < 0:
		sum += ", " + size(-grown) + " less"
	}
	return append(out, Line{"", sum})
}

// where is the area with its host.
func (c Change) where() string {
	if c.Host != "" {
		return c.Area + " " + c.Host
	}
	return c.Area
}

// what is the movement with its sizes.
func (c Change) what() string {
	s := c.To
	switch c.Kind {
	case Moved:
		s = c.From + " -> " + c.To
	case Removed:
		s = c.From
	}
	switch {
	case c.FromBytes > 0 && c.ToBytes > 0 && c.FromBytes != c.ToBytes:
		s += " (" + size(c.FromBytes) + " -> " + size(c.ToBytes) + ")"
	case c.ToBytes > 0 && c.Kind == Added:
		s += " (" + size(c.ToBytes) + ")"
	case c.FromBytes > 0 && c.Kind == Removed:
		s += " (" + size(c.FromBytes) + ")"
	}
	return s
}

func (s Summary) lines() []Line {
	var out []Line
	add := func(head, text string) { out = append(out, Line{"", fmt.Sprintf("%-9s  %s", head, text)}) }
	for _, t := range s.Toolchains {
		add("toolchain", t)
	}
	if s.Packages > 0 {
		add("packages", fmt.Sprintf("%d, %s", s.Packages, size(s.PackageBytes)))
	}
	crates := strconv.Itoa(s.Crates)
	if s.StdCrates > 0 {
		crates += fmt.Sprintf(" and %d for std", s.StdCrates)
	}
	if s.CrateBytes > 0 {
		crates += ", " + size(s.CrateBytes)
	}
	add("crates", crates)
	for _, g := range s.Git {
		add("git", g)
	}
	if len(s.Blobs) > 0 {
		add("blobs", strings.Join(s.Blobs, ", "))
	}
	return out
}
