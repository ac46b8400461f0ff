package rustdist

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/order"
)

// Request is the toolchain that a project asks for.
type Request struct {
	Host       string   // platform that builds: "linux/amd64"
	Channel    string   // as in rust-toolchain.toml; empty is stable
	Where      string   // location of the channel, for errors: "rust-toolchain.toml:2"
	Profile    string   // "minimal", "default", "complete"; empty is minimal
	Components []string // in addition to the profile's
	Targets    []string // triples that need a prebuilt standard library
	Source     bool     // the sources of the standard library, for -Z build-std
	MinRustc   string   // minimum version for the locked crates: "1.95"
	MinFor     string   // the crate that requires it: "esp-hal 1.2.2"
}

// Format marks a package of a lock that is a component archive of this
// distribution.
const Format = "rust"

// skipped are components of profiles that a build does not need: documentation,
// and components for Windows hosts only.
var skipped = []string{"rust-docs", "rust-docs-json-preview", "rustc-docs", "rust-mingw", "rust-analysis"}

// choose lists the archives of a request, sorted by name and triple.
func (m *Manifest) choose(r Request) ([]lock.Package, error) {
	host, ok := Triple(r.Host)
	if !ok {
		return nil, fault.New(fault.Usage, "the Rust distribution has no compiler for the host platform "+r.Host)
	}
	type choice struct{ component, triple string }
	want := map[choice]bool{{"rustc", host}: true, {"cargo", host}: true, {"rust-std", host}: true}
	if r.Profile == "default" || r.Profile == "complete" {
		// Few nightlies have all components of "complete"; a build needs those
		// of the default profile and those listed in components.
		for _, c := range m.Profiles["default"] {
			if !slices.Contains(skipped, c) {
				want[choice{c, host}] = true
			}
		}
	}
	for _, c := range r.Components {
		name := m.name(c)
		if slices.Contains(skipped, name) {
			continue
		}
		triple := host
		// rustup accepts COMPONENT-TRIPLE for another target.
		for _, base := range []string{"rust-std"} {
			if t, ok := strings.CutPrefix(c, base+"-"); ok {
				name, triple = base, t
			}
		}
		if _, ok := m.Packages[name]; !ok {
			return nil, m.noComponent(c, r)
		}
		want[choice{name, triple}] = true
	}
	for _, t := range r.Targets {
		want[choice{"rust-std", t}] = true
	}
	if r.Source {
		want[choice{"rust-src", host}] = true
	}
	var out []lock.Package
	for c := range want {
		found, triple, ok := m.target(c.component, c.triple)
		if !ok {
			return nil, m.unavailable(c.component, c.triple, r)
		}
		path, digest, err := found.archive()
		if err != nil {
			return nil, fault.Wrap(fault.Pins, err, fmt.Sprintf("channel %s: component %s", r.Channel, c.component))
		}
		out = append(out, lock.Package{
			Name: c.component, Version: m.Packages[c.component].Version, Arch: triple,
			Digest: digest, Path: path, Format: Format,
		})
	}
	order.Sort(out, func(a, b lock.Package) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch))
	})
	return out, nil
}

// noComponent is the error for a name that is not a component; it lists the
// existing ones.
func (m *Manifest) noComponent(name string, r Request) error {
	known := map[string]bool{}
	for n := range m.Packages {
		known[strings.TrimSuffix(n, "-preview")] = true
	}
	for _, n := range skipped {
		delete(known, n)
	}
	delete(known, "rust")
	var names []string
	for n := range known {
		names = append(names, n)
	}
	slices.Sort(names)
	return fault.New(fault.Usage, fmt.Sprintf("component %q is not part of channel %s", name, cmp.Or(r.Channel, "stable")),
		"components are "+strings.Join(names, ", "))
}

// unavailable is the error for a channel that was published without a
// component, as some nightlies are.
func (m *Manifest) unavailable(component, triple string, r Request) error {
	short := strings.TrimSuffix(component, "-preview")
	hints := []string{"name another date in rust-toolchain.toml, such as one week earlier"}
	if component == "rust-std" {
		var close []string
		arch, _, _ := strings.Cut(triple, "-")
		for _, t := range m.available("rust-std") {
			if strings.HasPrefix(t, arch[:min(len(arch), 5)]) {
				close = append(close, t)
			}
		}
		if len(close) > 0 {
			hints = []string{"ready-made libraries are published for " + strings.Join(close, ", "),
				`or build the library: [unstable] build-std = ["core", "alloc"] in .cargo/config.toml`}
		}
	}
	where := " for " + triple
	if _, any := m.Packages[component].Targets["*"]; any {
		where = "" // sources are the same for all
	}
	return fault.New(fault.Pins, fmt.Sprintf("channel %s of %s was published without %s%s", cmp.Or(r.Channel, "stable"), m.Date, short, where), hints...)
}

// ReadyMade reports whether a locked toolchain has the compiled library of a
// target.
func ReadyMade(tc lock.Toolchain, target string) bool {
	return slices.ContainsFunc(tc.Packages, func(p lock.Package) bool {
		return p.Format == Format && p.Name == "rust-std" && p.Arch == target
	})
}

// Covers reports whether a locked toolchain has every component of a request,
// so that its pins can be kept.
func Covers(tc lock.Toolchain, r Request) bool {
	host, ok := Triple(r.Host)
	if !ok {
		return false
	}
	has := func(component, triple string) bool {
		return slices.ContainsFunc(tc.Packages, func(p lock.Package) bool {
			return p.Format == Format && strings.TrimSuffix(p.Name, "-preview") == strings.TrimSuffix(component, "-preview") &&
				(p.Arch == triple || p.Arch == "*")
		})
	}
	for _, c := range r.Components {
		triple := host
		if t, ok := strings.CutPrefix(c, "rust-std-"); ok {
			c, triple = "rust-std", t
		}
		if !slices.Contains(skipped, c) && !has(c, triple) {
			return false
		}
	}
	for _, t := range r.Targets {
		if !has("rust-std", t) && !has("rust-src", host) {
			return false
		}
	}
	return has("rustc", host) && (!r.Source || has("rust-src", host))
}
