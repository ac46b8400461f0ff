package updating

import (
	"fmt"
	"strings"

	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/supply/crates"
)

// Risk is a pin, or a group of pins, that may not be there any more when a
// machine with an empty store fetches them.
type Risk struct {
	Kind string `json:"kind"` // crate, git, package, toolchain, chip file
	What string `json:"what"`
	Why  string `json:"why"`
	Cure string `json:"cure"`
}

// String is "git smoltcp at 0123456789ab: why; cure: what to do".
func (r Risk) String() string { return r.What + ": " + r.Why + "; " + r.Cure }

// Risks lists the pins of a lock that may vanish, as far as it is known: ix and
// states may be nil, which is what a machine without a network knows.
func Risks(p *project.Project, f *lock.File, host string, ix crates.Index, states map[string]pin.GitState) []Risk {
	var out []Risk
	for _, c := range f.Crates {
		v, ok := ix.Version(c.Name, c.Version)
		if c.Source != "" && !ok || len(c.For) == 1 && c.For[0] == "std" {
			continue
		}
		switch {
		case ok && v.Yanked:
			out = append(out, Risk{KindCrate, c.Name + " " + c.Version, "yanked: cargo chooses it for no other lock, and its author wants it gone",
				"espalier update " + c.Name})
		case !ok && len(ix[c.Name]) > 0:
			out = append(out, Risk{KindCrate, c.Name + " " + c.Version, "the registry's index no longer has this version", "espalier update " + c.Name})
		}
	}
	for _, g := range f.Git {
		what := fmt.Sprintf("git %s at %.9s", g.URL, g.Commit)
		st, asked := states[g.URL+" "+g.Commit]
		switch {
		case asked && len(st.Tips) == 0:
			out = append(out, Risk{KindGit, what, "not the tip of a branch or tag: a force push or a deleted branch can remove it",
				"depend on a tag, or on a release in a registry"})
		case !asked:
			out = append(out, Risk{KindGit, what, "in one repository", "depend on a release in a registry"})
		}
	}
	if tc, ok := f.Toolchain(host); ok {
		if n := debianPackages(tc); n > 0 && len(p.Espalier.Supply.Prefixes.V) == 0 {
			out = append(out, Risk{"package", fmt.Sprintf("%d Debian packages of %s", n, suites(tc.Supplier)),
				"mirrors keep current versions only, and the security suite drops one with each update",
				`add an archive of all versions to [supply] prefixes in espalier.toml`})
		}
		if strings.HasPrefix(tc.Supplier, pin.Rust+":") && strings.Contains(tc.Channel, "nightly") {
			out = append(out, Risk{KindToolchain, tc.Channel, "a nightly is in the Rust distribution only", "a stable compiler, or a mirror in [supply] rust-dist"})
		}
	}
	return out
}

func debianPackages(tc lock.Toolchain) int {
	n := 0
	for _, p := range tc.Packages {
		if p.Format == "" {
			n++
		}
	}
	return n
}

// suites is "bookworm+bookworm-security" of "debian:bookworm+bookworm-security".
func suites(supplier string) string {
	for _, f := range strings.Fields(supplier) {
		if s, ok := strings.CutPrefix(f, pin.Debian+":"); ok {
			return s
		}
	}
	return supplier
}
