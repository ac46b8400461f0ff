package updating

import (
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
)

// Family is a set of crates that are developed in one repository and released
// together: versions of one day fit together, others often do not.
type Family struct {
	Name   string
	Why    string   // continues "moves with NAME: "
	Crates []string // a name that ends in * is a prefix
	Source string
}

// Families returns all families.
func Families() []Family {
	return []Family{
		{
			Name: "esp-hal",
			Why:  "one repository, released together",
			Crates: []string{"esp-hal", "esp-hal-procmacros", "esp-hal-embassy", "esp-radio", "esp-radio-rtos-driver", "esp-rtos", "esp-wifi", "esp-phy",
				"esp-wifi-sys*", "esp-alloc", "esp-backtrace", "esp-bootloader-esp-idf", "esp-build", "esp-config", "esp-ieee802154", "esp-lp-hal",
				"esp-metadata*", "esp-println", "esp-riscv-rt", "esp-rom-sys", "esp-storage", "esp-sync", "esp32c3-hal", "esp-hal-common", "esp32c3",
				"xtensa-lx", "xtensa-lx-rt"},
			Source: "esp-rs/esp-hal: the repository's packages; esp-radio 0.18 requires esp-hal ~1.1 and esp-rom-sys =0.1.4",
		},
		{
			Name: "embassy",
			Why:  "one repository; the drivers of time and executor exist once in a firmware",
			Crates: []string{"embassy-executor*", "embassy-time*", "embassy-sync", "embassy-futures", "embassy-net*", "embassy-usb*",
				"embassy-embedded-hal", "embassy-hal-internal"},
			Source: "embassy-rs/embassy: the repository's packages; embassy-time-driver has links = \"embassy-time\"",
		},
		{
			Name:   "defmt",
			Why:    "the macros, the decoder's format and the library belong together",
			Crates: []string{"defmt", "defmt-macros", "defmt-parser", "defmt-rtt", "defmt-semihosting", "defmt-test*", "panic-probe"},
			Source: "knurling-rs/defmt: the wire format has a version that the host's decoder must know",
		},
		{
			Name:   "embedded-hal",
			Why:    "traits of one set",
			Crates: []string{"embedded-hal", "embedded-hal-async", "embedded-hal-nb", "embedded-hal-bus"},
			Source: "rust-embedded/embedded-hal: the repository's packages",
		},
	}
}

func (f Family) has(crate string) bool {
	return slices.ContainsFunc(f.Crates, func(c string) bool {
		prefix, isPrefix := strings.CutSuffix(c, "*")
		return c == crate || isPrefix && (crate == prefix || strings.HasPrefix(crate, prefix+"-"))
	})
}

// familyOf returns the family of a crate.
func familyOf(crate string) (Family, bool) {
	for _, f := range Families() {
		if f.has(crate) {
			return f, true
		}
	}
	return Family{}, false
}

// siblings are the names of the registry crates of a Cargo.lock that move with
// the named ones, those included, in the lock's order.
func siblings(l *cargo.Lock, names []string) []string {
	var out []string
	for _, p := range l.Packages {
		if _, registry := p.IsRegistry(); !registry || slices.Contains(out, p.Name) {
			continue
		}
		if slices.ContainsFunc(names, func(n string) bool {
			f, ok := familyOf(n)
			return n == p.Name || ok && f.has(p.Name)
		}) {
			out = append(out, p.Name)
		}
	}
	return out
}

// SameFamily reports whether two crates are of one family.
func SameFamily(a, b string) bool {
	f, ok := familyOf(a)
	return ok && f.has(b)
}

// Leads reports whether a crate gives its family the name.
func Leads(crate string) bool {
	f, ok := familyOf(crate)
	return ok && f.Name == crate
}
