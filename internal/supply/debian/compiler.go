package debian

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/order"
)

// Compiler is a rustc in the suites with its cargo and the sources of its
// standard library.
type Compiler struct {
	Version string // of rustc: "1.96.0"
	Package string // "rustc-web 1.96.0+dfsg1-1~deb12u2"
	Suite   string // "bookworm-security"
	Size    int64  // bytes of the three packages

	rustc, cargo, src *pkg
	family            family
}

// family is one of Debian's naming schemes for the packages of a compiler.
type family struct {
	rustc, cargo, src         string
	rustfmt, clippy, analyzer string
}

// versionedRustc is the naming scheme of suites with several compilers.
var versionedRustc = regexp.MustCompile(`^rustc-([0-9]+\.[0-9]+)$`)

// families lists the naming schemes that occur in a universe. rustc-web is the
// compiler that Debian updates in stable releases for its browsers.
func (u *universe) families() []family {
	list := []family{
		{"rustc-web", "cargo-web", "rust-web-src", "rustfmt-web", "rust-web-clippy", "rust-web-analyzer"},
		{"rustc", "cargo", "rust-src", "rustfmt", "rust-clippy", "rust-analyzer"},
	}
	var versioned []family
	for name := range u.byName {
		if m := versionedRustc.FindStringSubmatch(name); m != nil {
			v := m[1]
			versioned = append(versioned, family{"rustc-" + v, "cargo-" + v, "rust-" + v + "-src", "rustfmt-" + v, "rust-" + v + "-clippy", "rust-" + v + "-analyzer"})
		}
	}
	order.Sort(versioned, func(a, b family) int { return strings.Compare(a.rustc, b.rustc) })
	return append(list, versioned...)
}

// offers lists the compilers of a universe, newest first. Equal versions are in
// the order of families.
func (u *universe) offers() []Compiler {
	var all []Compiler
	for _, f := range u.families() {
		for _, rustc := range u.byName[f.rustc] {
			src := u.exact(want{f.src, rustc.Version})
			cargo := u.exact(want{f.cargo, rustc.Version})
			if cargo == nil {
				cargo = u.candidate(f.cargo) // where cargo has a separate source package and version
			}
			if src == nil || cargo == nil || checkRust(upstreamOf(rustc.Version)) != nil {
				continue
			}
			all = append(all, Compiler{
				Version: upstreamOf(rustc.Version), Package: rustc.String(), Suite: rustc.from.src.Suite,
				Size:  rustc.Digest.Size + cargo.Digest.Size + src.Digest.Size,
				rustc: rustc, cargo: cargo, src: src, family: f,
			})
		}
	}
	order.Sort(all, func(a, b Compiler) int {
		if c := compareRust(b.Version, a.Version); c != 0 {
			return c
		}
		return cmp.Compare(b.rustc.from.rel.priority(), a.rustc.from.rel.priority())
	})
	return all
}

// Request is the compiler that a project asks for.
type Request struct {
	Channel       string // "stable", "1.96", "1.96.0", "nightly-2026-01-01"; empty means stable
	ChannelOrigin string // where it is set: "rust-toolchain.toml:2"
	Components    []string
	MinRustc      string // minimum version for the locked crates: "1.95"
	MinFor        string // the crate that requires it: "esp-hal 1.2.2"
}

// NotOfferedError reports that the archive has no compiler or component for a request;
// another supplier may have one.
type NotOfferedError struct{ Err error }

func (e *NotOfferedError) Error() string { return e.Err.Error() }

// Unwrap returns the fault with its hints.
func (e *NotOfferedError) Unwrap() error { return e.Err }

// choose returns the compiler for a request, or an error that lists the
// available ones.
func choose(offers []Compiler, r Request) (Compiler, error) {
	if len(offers) == 0 {
		return Compiler{}, fault.New(fault.Pins, "the package sources offer no rustc with cargo and the sources of the standard library",
			"use a suite that has rustc-web, cargo-web and rust-web-src, or rustc, cargo and rust-src")
	}
	origin := ""
	if r.ChannelOrigin != "" {
		origin = " (" + r.ChannelOrigin + ")"
	}
	fit := offers
	channel := r.Channel
	switch {
	case channel == "" || channel == "stable":
	case checkRust(channel) == nil:
		fit = slices.DeleteFunc(slices.Clone(offers), func(c Compiler) bool {
			return c.Version != channel && !strings.HasPrefix(c.Version, channel+".")
		})
		if len(fit) == 0 {
			return Compiler{}, fault.New(fault.Pins, fmt.Sprintf("rustc %s is asked for%s; this supplier offers %s", channel, origin, versions(offers)),
				`set channel = "stable" to build with rustc `+offers[0].Version)
		}
	default:
		return Compiler{}, fault.New(fault.Pins, fmt.Sprintf("the channel %q is asked for%s; this supplier offers only stable compilers: %s", channel, origin, versions(offers)),
			`set channel = "stable" to build with rustc `+offers[0].Version)
	}
	if r.MinRustc != "" && compareRust(fit[0].Version, r.MinRustc) < 0 {
		who := r.MinFor
		if who == "" {
			who = "the project"
		}
		hints := []string{"lock older versions of the crates: cargo update -p NAME --precise VERSION", "or use package sources with a newer rustc"}
		if len(fit) < len(offers) && compareRust(offers[0].Version, r.MinRustc) >= 0 {
			hints = []string{fmt.Sprintf("rustc %s is offered: change the channel%s", offers[0].Version, origin)}
		}
		return Compiler{}, fault.New(fault.Pins, fmt.Sprintf("%s needs rustc %s; this supplier offers %s", who, r.MinRustc, versions(fit)), hints...)
	}
	return fit[0], nil
}

// versions lists the available compilers in one line.
func versions(offers []Compiler) string {
	var list []string
	for _, c := range offers {
		if !slices.Contains(list, c.Version) {
			list = append(list, c.Version)
		}
	}
	return strings.Join(list, ", ")
}

// componentPackages maps a rustup component to packages. A nil result with ok
// means that every toolchain contains it.
func (c *Compiler) componentPackages(name string) (packages []want, ok bool) {
	switch strings.TrimSuffix(name, "-preview") {
	case "rustc", "cargo", "rust-src", "rust-std", "rust-mingw", "rust-docs":
		return nil, true // documentation is not an input of a build
	case "rustfmt":
		return []want{{Name: c.family.rustfmt}}, true
	case "clippy":
		return []want{{Name: c.family.clippy}}, true
	case "rust-analyzer":
		return []want{{Name: c.family.analyzer}}, true
	}
	return nil, false
}

func noComponent(name string) error {
	return fault.New(fault.Pins, fmt.Sprintf("the component %q is asked for; this supplier offers rustc, cargo, rust-src, rust-std, rustfmt, clippy and rust-analyzer", name),
		"remove it from the toolchain file if the build does not need it")
}

// Covers reports whether a pinned toolchain has the components that a project
// asks for, so that no other one has to be chosen.
func Covers(tc lock.Toolchain, components []string) bool {
	for _, name := range components {
		c := Compiler{family: family{rustfmt: "rustfmt", clippy: "clippy", analyzer: "analyzer"}}
		packages, ok := c.componentPackages(name)
		if !ok {
			return false
		}
		for _, w := range packages {
			if !slices.ContainsFunc(tc.Packages, func(p lock.Package) bool { return strings.Contains(p.Name, w.Name) }) {
				return false
			}
		}
	}
	return true
}

var llvmLibrary = regexp.MustCompile(`^libllvm([0-9]+)(t64)?$`)

// linker returns the name of the lld package for a closure: that of the LLVM
// version with which the compiler was built, else the newest one. Any lld can
// link rustc's objects, because rustc does link-time optimisation itself, but
// an older linker may not support relocations and attributes of a newer LLVM.
func (u *universe) linker(c *closure) (string, error) {
	for _, p := range c.packages() {
		if m := llvmLibrary.FindStringSubmatch(p.Name); m != nil {
			if name := "lld-" + m[1]; u.candidate(name) != nil {
				return name, nil
			}
		}
	}
	best := 0
	for name := range u.byName {
		if v, ok := strings.CutPrefix(name, "lld-"); ok {
			if n, err := strconv.Atoi(v); err == nil {
				best = max(best, n)
			}
		}
	}
	switch {
	case best > 0:
		return fmt.Sprintf("lld-%d", best), nil
	case u.candidate("lld") != nil:
		return "lld", nil
	}
	return "", fault.New(fault.Pins, "the package sources offer no lld, the linker for RISC-V")
}

// toolchain resolves the closure for a compiler.
func (u *universe) toolchain(c Compiler, components []string) (*closure, error) {
	wants := []want{{c.rustc.Name, c.rustc.Version}, {c.cargo.Name, c.cargo.Version}, {c.src.Name, c.src.Version}}
	for _, name := range components {
		more, ok := c.componentPackages(name)
		if !ok {
			return nil, noComponent(name)
		}
		for _, w := range more {
			if p := u.exact(want{w.Name, c.rustc.Version}); p != nil {
				w.Version = p.Version
			}
			wants = append(wants, w)
		}
	}
	first, err := u.resolve(wants)
	if err != nil {
		return nil, unresolved(c, err)
	}
	lld, err := u.linker(first)
	if err != nil {
		return nil, err
	}
	// Build scripts and procedural macros need a compiler driver, which some
	// packages only recommend.
	wants = append(wants, want{Name: lld})
	for _, host := range []string{"gcc", "libc6-dev"} {
		if u.candidate(host) != nil {
			wants = append(wants, want{Name: host})
		}
	}
	full, err := u.resolve(wants)
	if err != nil {
		return nil, unresolved(c, err)
	}
	return full, nil
}

func unresolved(c Compiler, err error) error {
	return fault.Wrap(fault.Pins, err, "packages of "+c.Package,
		"the package sources do not fit together: all suites of one release are needed (bookworm, bookworm-security, bookworm-updates)",
		"compare with: apt-get --simulate install "+c.rustc.Name)
}

// checkRust accepts "1.96" and "1.96.0".
func checkRust(v string) error {
	parts := strings.Split(v, ".")
	if len(parts) < 2 || len(parts) > 3 || slices.ContainsFunc(parts, func(p string) bool { return !allDigits(p) }) {
		return fmt.Errorf("%q is not a rustc version", v)
	}
	return nil
}

// compareRust orders dotted numbers; missing parts are zero.
func compareRust(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		x, y := "", ""
		if i < len(as) {
			x = as[i]
		}
		if i < len(bs) {
			y = bs[i]
		}
		if c := compareNumbers(x, y); c != 0 {
			return c
		}
	}
	return 0
}
