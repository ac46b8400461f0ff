package lock

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

// Stale is one thing that a lock no longer matches.
type Stale struct {
	What string        `json:"what"` // "Cargo.lock", "crate smoltcp 0.12.0", "target"
	Want string        `json:"want"` // what the project says now
	Have string        `json:"have"` // what the lock says
	At   config.Origin `json:"at"`   // zero when there is no better place than the file
	Text string        `json:"-"`    // the sentence for people; empty: made of the other fields
}

// String is one line: "target: the project says …, espalier.lock says …".
func (s Stale) String() string {
	if s.Text != "" {
		return strings.TrimPrefix(s.At.Short()+" ", " ") + s.Text
	}
	line := s.What + ": the project has " + s.Want + ", " + FileName + " has " + s.Have
	if !s.At.IsZero() {
		line = s.At.String() + ": " + line
	}
	return line
}

// facts are what the running espalier would write today besides the pins.
type facts struct {
	layout int      // layout.Version
	host   string   // "linux/amd64": the platform that is about to build; "" checks none
	blobs  []string // names of blobs the build needs
	prune  int      // of the supplier's unpacking rule; 0 is not compared
}

// Host is the platform that runs the steps of builds made here, as Toolchain.Host
// names it: this machine, or linux/amd64 for one that is not Linux, whose steps run
// on a cluster.
func Host() string {
	if runtime.GOOS != "linux" {
		return "linux/amd64"
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}

// Check lists what in f no longer matches the project, in a fixed order.
func Check(p *project.Project, f *File) []Stale {
	return check(p, f, facts{layout: layout.Version, host: Host(), blobs: RequiredBlobs(), prune: DebianPrune})
}

func check(p *project.Project, f *File, now facts) []Stale {
	c := &checker{p: p, f: f, out: Manifests(p)}
	c.crates()
	c.gits()
	c.bytes()
	for _, v := range p.Espalier.Build.Env {
		if v.Caller && !slices.Contains(f.Project.Env, v.Name) {
			c.add("variable "+v.Name, "it", "no such name", v.Origin)
		}
	}
	if now.layout != f.Project.Layout {
		c.add("sandbox layout", strconv.Itoa(now.layout), strconv.Itoa(f.Project.Layout), config.Origin{})
	}
	if now.host != "" {
		c.toolchain(now)
	}
	if std := p.Cargo.BuildStd; len(std.V) > 0 && f.Std.Lock.IsZero() {
		c.add("build-std", strings.Join(std.V, ", "), "no pins for std", std.Origin)
	}
	for _, b := range now.blobs {
		if _, ok := f.Blob(b); !ok {
			c.add("blob "+b, "to be there", "none", config.Origin{})
		}
	}
	return c.out
}

type checker struct {
	p   *project.Project
	f   *File
	out []Stale
}

func (c *checker) add(what, want, have string, at config.Origin) {
	c.out = append(c.out, Stale{What: what, Want: want, Have: have, At: at})
}

// Manifests compares the Cargo.toml files with Cargo.lock as far as that is
// certain without resolving: every member with its version, every dependency
// that is not optional by name. Cargo's own --locked finds the rest.
func Manifests(p *project.Project) (out []Stale) {
	l := p.CargoLock
	if l == nil {
		return nil
	}
	add := func(want, have string, at config.Origin, text string) {
		out = append(out, Stale{"Cargo.lock", want, have, at, text})
	}
	// A path dependency outside the workspace can have a member's name.
	find := func(o cargo.Package) (found cargo.LockedPackage, ok bool) {
		for _, p := range l.Packages {
			if p.Source == "" && p.Name == o.Name && (!ok || p.Version == o.Version) {
				found, ok = p, true
			}
		}
		return found, ok
	}
	for _, o := range p.Own {
		if !o.Member {
			continue
		}
		at := config.Origin{File: o.Manifest}
		pkg, ok := find(o)
		switch {
		case !ok:
			add("package "+o.Name, "a Cargo.lock without it", at, "adds package "+o.Name+", which Cargo.lock does not have")
			continue
		case pkg.Version != o.Version:
			add(o.Name+" "+o.Version, "a Cargo.lock with "+pkg.Version, at, "has "+o.Name+" "+o.Version+", Cargo.lock has "+pkg.Version)
			continue
		}
		have := map[string]bool{}
		for _, d := range pkg.Dependencies {
			name, _, _ := strings.Cut(d, " ")
			have[name] = true
		}
		for _, d := range o.Depends {
			if !d.Optional && !have[d.Package] {
				add("dependency "+d.Package, "a Cargo.lock without it", d.Origin, "adds "+d.Package+", which Cargo.lock does not have")
			}
		}
	}
	return out
}

// crates compares Cargo.lock with the project's crates.
func (c *checker) crates() {
	l := c.p.CargoLock
	if l == nil {
		c.add("Cargo.lock", "none yet", short(c.f.Project.CargoLock), config.Origin{})
		return
	}
	have := map[[3]string]Crate{}
	for _, k := range c.f.Crates {
		for _, who := range k.For {
			if who == "project" {
				have[[3]string{k.Name, k.Version, k.Source}] = k
			}
		}
	}
	for _, p := range l.Packages {
		if _, ok := p.IsRegistry(); !ok {
			continue
		}
		id := [3]string{p.Name, p.Version, SourceOf(p)}
		k, ok := have[id]
		delete(have, id)
		name := "crate " + p.Name + " " + p.Version
		switch {
		case !ok:
			c.add(name, "it", "none", p.Origin)
		case p.Checksum != "" && p.Checksum != k.Digest.Hash:
			c.add("checksum of "+name, p.Checksum, k.Digest.Hash, p.Origin)
		}
	}
	for _, k := range c.f.Crates { // in the file's order
		if _, gone := have[[3]string{k.Name, k.Version, k.Source}]; gone {
			c.add("crate "+k.Name+" "+k.Version, "none", "it", config.Origin{})
		}
	}
}

// bytes compares Cargo.lock itself, for changes that no crate shows.
func (c *checker) bytes() {
	if l := c.p.CargoLock; l != nil && l.Digest() != c.f.Project.CargoLock && len(c.out) == 0 {
		c.add("Cargo.lock", short(l.Digest()), short(c.f.Project.CargoLock), config.Origin{})
	}
}

// SourceOf is how Crate.Source names a package's source: empty for cargo's
// default registry, else as Cargo.lock has it.
func SourceOf(p cargo.LockedPackage) string {
	if index, ok := p.IsRegistry(); ok && cargo.IsDefaultRegistry(index) {
		return ""
	}
	return p.Source
}

func (c *checker) gits() {
	if c.p.CargoLock == nil {
		return
	}
	type id struct{ url, ref, commit string }
	have := map[id]Git{}
	for _, g := range c.f.Git {
		have[id{g.URL, g.Ref, g.Commit}] = g
	}
	used := map[id]bool{}
	for _, p := range c.p.CargoLock.Packages {
		s, ok := p.Git()
		if !ok {
			continue
		}
		k := id{s.URL, s.Ref, s.Commit}
		used[k] = true
		g, ok := have[k]
		name := "git crate " + p.Name + " " + p.Version
		switch {
		case !ok:
			c.add(name, s.URL+" at "+abbrev(s.Commit), "no such commit", p.Origin)
		case !contains(g.Crates, p.Name+" "+p.Version):
			c.add(name, "it", "the commit without it", p.Origin)
		}
	}
	for _, g := range c.f.Git {
		if !used[id{g.URL, g.Ref, g.Commit}] {
			c.add("git "+g.URL, "no crate from "+abbrev(g.Commit), "it", config.Origin{})
		}
	}
}

func (c *checker) toolchain(now facts) {
	t, ok := c.f.Toolchain(now.host)
	if !ok {
		have := "none"
		var hosts []string
		for _, t := range c.f.Toolchains {
			hosts = append(hosts, t.Host)
		}
		if len(hosts) > 0 {
			have = "only " + strings.Join(hosts, ", ")
		}
		c.add("toolchain", "a build on "+now.host, have, config.Origin{})
		return
	}
	ch := c.p.Toolchain.Channel
	if ch.V != t.Channel {
		c.add("toolchain channel", ch.V, t.Channel, ch.Origin)
	} else if isVersion(ch.V) && !strings.HasPrefix(t.Rustc+".", ch.V+".") && !strings.HasPrefix(t.Rustc, ch.V+" ") {
		c.add("rustc", ch.V, t.Rustc, ch.Origin)
	}
	rustc, _, _ := strings.Cut(t.Rustc, " ")
	for _, m := range c.p.MSRV {
		if cargo.OlderThan(rustc, m.Version) {
			c.add("rustc for "+m.Package, "rust-version "+m.Version, rustc, m.Origin)
		}
	}
	if now.prune != 0 && now.prune != t.Prune {
		c.add("unpacking rule of "+t.Host, strconv.Itoa(now.prune), strconv.Itoa(t.Prune), config.Origin{})
	}
}

// isVersion reports whether a channel is a version: 1.97 or 1.97.1.
func isVersion(s string) bool {
	for _, part := range strings.Split(s, ".") {
		if _, err := strconv.Atoi(part); err != nil {
			return false
		}
	}
	return strings.Contains(s, ".")
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// short is a digest for a message.
func short(d store.Digest) string {
	if len(d.Hash) < 12 {
		return "none"
	}
	return "sha256:" + d.Hash[:12] + "…"
}

func abbrev(commit string) string {
	if len(commit) > 12 {
		return commit[:12]
	}
	return commit
}

// maxReported bounds the lines of a fault: a Cargo.lock of another day differs
// in hundreds of crates.
const maxReported = 10

// Fault makes of the list a fault of kind Pins with a line for each and the
// command to type; nil for an empty list.
func Fault(s []Stale) error {
	if len(s) == 0 {
		return nil
	}
	text := s[0].String()
	if s[0].Text == "" {
		text = FileName + " does not match the project: " + text
	}
	for i, x := range s[1:] {
		if i+1 == maxReported {
			text += fmt.Sprintf("\nand %d more", len(s)-maxReported)
			break
		}
		text += "\n" + x.String()
	}
	for _, x := range s {
		if strings.HasPrefix(x.What, "checksum of ") {
			return fault.New(fault.Pins, text, "git diff Cargo.lock "+FileName, "espalier lock")
		}
	}
	return fault.New(fault.Pins, text, "espalier lock")
}

// Load reads and checks the lock beside the project's Cargo.lock: a fault of
// kind Pins when it is missing, does not parse, is newer, or is stale.
func Load(p *project.Project) (*File, error) {
	f, err := Read(Path(p))
	if err != nil {
		return nil, err
	}
	if err := Fault(Check(p, f)); err != nil {
		return nil, err
	}
	return f, nil
}

// Toolchain is the toolchain for a host platform.
func (f *File) Toolchain(host string) (Toolchain, bool) {
	for _, t := range f.Toolchains {
		if t.Host == host {
			return t, true
		}
	}
	return Toolchain{}, false
}

// ToolchainFor is Toolchain with a fault of kind Pins that names the hosts for
// which the lock has one.
func (f *File) ToolchainFor(host string) (Toolchain, error) {
	if t, ok := f.Toolchain(host); ok {
		return t, nil
	}
	var have []string
	for _, t := range f.Toolchains {
		have = append(have, t.Host)
	}
	return Toolchain{}, fault.New(fault.Pins,
		fmt.Sprintf("%s has no toolchain for %s, only for %s", FileName, host, strings.Join(have, ", ")),
		"espalier lock   # on this machine: adds one")
}

// Blob is the blob of a name.
func (f *File) Blob(name string) (Blob, bool) {
	for _, b := range f.Blobs {
		if b.Name == name {
			return b, true
		}
	}
	return Blob{}, false
}
