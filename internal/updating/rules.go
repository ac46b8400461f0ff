package updating

import (
	"cmp"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
)

// Facts are what Rules are checked against.
type Facts struct {
	Versions map[string][]string // of the crates of a Cargo.lock, by name; also "rustc" and "bootloader"
	Flags    string              // the project's rustflags
}

// FactsOf collects the facts of a project with a Cargo.lock. bootloader is the
// version of the crate espflash that the pinned bootloader is from.
func FactsOf(l *cargo.Lock, flags []string, rustc, bootloader string) Facts {
	f := Facts{Versions: map[string][]string{}, Flags: strings.Join(flags, " ")}
	for _, p := range l.Packages {
		f.Versions[p.Name] = append(f.Versions[p.Name], p.Version)
	}
	for name, v := range map[string]string{"rustc": rustc, "bootloader": bootloader} {
		if v != "" {
			f.Versions[name] = []string{v}
		}
	}
	return f
}

// Rule is a known combination of versions that does not work.
type Rule struct {
	Name   string // lower case, words separated by dashes
	Title  string // what happens
	Cure   string
	Source string

	If     []Condition // all of them
	Copies string      // this crate is there in more than one version
	Flag   string      // the rustflags contain it
}

// Condition is about one crate, "rustc" or "bootloader".
type Condition struct {
	Name   string
	Req    string // some version of it satisfies this requirement
	Absent bool   // it is not there
}

func (c Condition) holds(f Facts) bool {
	list := f.Versions[c.Name]
	if c.Absent {
		return len(list) == 0
	}
	req, ok := cargo.ParseRequirement(c.Req)
	return ok && slices.ContainsFunc(list, func(s string) bool {
		v, ok := cargo.ParseVersion(s)
		return ok && req.Match(v)
	})
}

// holds reports whether the combination is there.
func (r Rule) holds(f Facts) bool {
	if r.Flag != "" && !strings.Contains(f.Flags, r.Flag) || r.Copies != "" && len(f.Versions[r.Copies]) < 2 {
		return false
	}
	return !slices.ContainsFunc(r.If, func(c Condition) bool { return !c.holds(f) })
}

// Broken is a rule that a set of versions breaks.
type Broken struct {
	Rule     string   `json:"rule"`
	Versions []string `json:"versions"` // "esp-hal 1.0.0"
	Title    string   `json:"title"`
	Cure     string   `json:"cure"`
	Source   string   `json:"source"`
}

// Check returns the rules that the facts break.
func Check(f Facts) []Broken {
	var out []Broken
	for _, r := range Rules() {
		if !r.holds(f) {
			continue
		}
		b := Broken{Rule: r.Name, Title: r.Title, Cure: r.Cure, Source: r.Source}
		for _, c := range append(slices.Clone(r.If), Condition{Name: r.Copies}) {
			if list := f.Versions[c.Name]; len(list) > 0 {
				b.Versions = append(b.Versions, c.Name+" "+strings.Join(list, ", "))
			}
		}
		slices.SortFunc(b.Versions, func(x, y string) int { return cmp.Compare(x, y) })
		out = append(out, b)
	}
	return out
}

// Rules returns the known combinations that do not work. What a requirement of
// the index says already is not here: cargo's resolver refuses it.
func Rules() []Rule {
	return []Rule{
		{
			Name:  "descriptor-section",
			Title: "the application descriptor is in a section that esp-hal's linker script does not place: the bootloader reads other bytes and refuses the image",
			If:    []Condition{{Name: "esp-bootloader-esp-idf", Req: ">=0.5.0"}, {Name: "esp-hal", Req: "<1.1.0"}},
			Cure:  "esp-hal 1.1 or newer with esp-bootloader-esp-idf 0.5 or newer, or esp-bootloader-esp-idf 0.4 with esp-hal 1.0",
			Source: "esp-rs/esp-hal#4745: the section is .flash.appdesc since 0.5.0; .rodata_desc.appdesc before; " +
				"esp-rs/espflash#919: requires efuse block revision",
		},
		{
			Name:   "descriptor-missing",
			Title:  "no application descriptor, unless the program has one of its own: espalier, espflash 4 and the bootloader refuse the image",
			If:     []Condition{{Name: "esp-hal", Req: ">=0.23.0"}, {Name: "esp-bootloader-esp-idf", Absent: true}},
			Cure:   "add esp-bootloader-esp-idf to Cargo.toml and esp_bootloader_esp_idf::esp_app_desc!(); to main.rs",
			Source: "esp-rs/espflash 4.0.0: the application descriptor is mandatory; esp-rs/espflash#870",
		},
		{
			Name:   "descriptor-date",
			Title:  "the date in the application descriptor is in 1970, whatever the lock says",
			If:     []Condition{{Name: "esp-bootloader-esp-idf", Req: "=0.5.0"}},
			Cure:   "esp-bootloader-esp-idf newer than 0.5.0",
			Source: "esp-rs/esp-hal#6014: SOURCE_DATE_EPOCH is read in the wrong unit; fixed by #6017",
		},
		{
			Name:   "bootloader-chip-revision",
			Title:  "the pinned bootloader accepts chips up to v0.99 and refuses v1.1",
			If:     []Condition{{Name: "bootloader", Req: "<4.3.0"}},
			Cure:   "espalier update bootloader",
			Source: "espressif/esp-idf#17610; esp-rs/espflash 4.3.0: new bootloaders",
		},
		{
			Name:   "two-hals",
			Title:  "two versions of esp-hal: each has its own singletons and interrupt handlers",
			Copies: "esp-hal",
			Cure:   "cargo tree -i esp-hal shows which crate needs the older one",
			Source: "esp-rs/esp-hal#1432; a driver crate that depends on a version of esp-hal binds the application to it (lilygo-epd47-rs#4)",
		},
		{
			Name:   "atomics-flag",
			Title:  "target-feature=+a claims atomic instructions that the chip lacks; portable-atomic refuses its single-core mode then",
			If:     []Condition{{Name: "portable-atomic", Req: "*"}},
			Flag:   "target-feature=+a",
			Cure:   "remove +a and every --cfg target_has_atomic… from rustflags: esp-hal enables unsafe-assume-single-core itself",
			Source: "taiki-e/portable-atomic#148; esp-rs/esp-hal#985",
		},
	}
}

// successor is a crate that goes on under another name: under its own there
// will be no newer version.
type successor struct{ Name, Next, Source string }

func successors() []successor {
	return []successor{
		{"esp-wifi", "esp-radio", "esp-rs/esp-hal: esp-wifi became esp-radio with esp-hal 1.0"},
		{"esp-hal-embassy", "esp-rtos", "esp-rs/esp-hal: esp-rtos replaces esp-hal-embassy with esp-hal 1.0"},
		{"esp32c3-hal", "esp-hal", "esp-rs/esp-hal: one crate for all chips since esp-hal 0.16"},
		{"esp-hal-common", "esp-hal", "esp-rs/esp-hal: one crate for all chips since esp-hal 0.16"},
		{"esp-wifi-sys", "esp-wifi-sys-esp32c3", "esp-rs/esp-wifi-sys: a crate for each chip"},
	}
}

func successorOf(crate string) (successor, bool) {
	for _, s := range successors() {
		if s.Name == crate {
			return s, true
		}
	}
	return successor{}, false
}
