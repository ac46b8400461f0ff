package project

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
)

// chips are Espressif's chips that Rust projects name in features and crates,
// with the names that people know.
var chips = map[string]string{
	"esp8266": "ESP8266", "esp32": "ESP32", "esp32s2": "ESP32-S2", "esp32s3": "ESP32-S3", "esp32c2": "ESP32-C2", "esp32c3": "ESP32-C3",
	"esp32c5": "ESP32-C5", "esp32c6": "ESP32-C6", "esp32c61": "ESP32-C61", "esp32h2": "ESP32-H2", "esp32p4": "ESP32-P4",
}

const thisChip = "esp32c3"

// CheckChip refuses, before anything is fetched, a project that cannot become
// firmware for this chip: one for another chip, one that is built on ESP-IDF and
// its std, and a program for the host, such as an xtask, among packages for the
// chip. What is not certain passes. The faults are of kind
// Usage; while the choice between packages is open there is none.
func (p *Project) CheckChip() error {
	pkg := p.selected()
	if pkg.Name == "" {
		return nil
	}
	if d, ok := p.usesIDF(pkg); ok {
		return fault.New(fault.Usage, d.Origin.Short()+": "+d.Package+": this is an ESP-IDF project (std); espalier builds bare-metal firmware (no_std, esp-hal)",
			"espalier new hello   # a bare-metal project")
	}
	target := p.Espalier.Build.Target
	switch {
	case strings.HasSuffix(target.V, "-espidf"):
		return fault.New(fault.Usage, target.Origin.Short()+": target "+target.V+": this is an ESP-IDF project (std); espalier builds bare-metal firmware (no_std, esp-hal)",
			"espalier new hello   # a bare-metal project")
	case strings.HasPrefix(target.V, "xtensa-"):
		return fault.New(fault.Usage, target.Origin.Short()+": target "+target.V+" is another chip's; espalier builds for the ESP32-C3 ("+cargo.DefaultTarget+")")
	}
	if err := otherChip(pkg, p.Espalier.Build); err != nil {
		return err
	}
	return p.hostProgram(pkg)
}

// hostProgram refuses a package that is a program for the host: others in its
// workspace depend on the chip's crates, it does not, and its crate root does not
// mention no_std, without which nothing compiles for a chip without an operating
// system.
func (p *Project) hostProgram(pkg cargo.Package) error {
	if len(p.candidates) == 0 || slices.Contains(p.candidates, pkg.Name) {
		return nil
	}
	for _, o := range p.reachable(pkg) {
		if slices.ContainsFunc(o.Depends, chipCrate) {
			return nil
		}
	}
	root, err := p.Artifact()
	if err != nil {
		return nil // which says what is missing
	}
	text, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(root.Path)))
	if err != nil || bytes.Contains(text, []byte("no_std")) {
		return nil
	}
	var hints []string
	for _, name := range p.candidates[:min(len(p.candidates), 5)] {
		hints = append(hints, "espalier run -p "+name)
	}
	return fault.New(fault.Usage, "package "+pkg.Name+" cannot be firmware of the ESP32-C3: it depends on no crate for the chip, and "+
		root.Path+" has no #![no_std]", hints...)
}

// chipCrate reports whether a dependency is on a crate for Espressif's chips.
func chipCrate(d cargo.Dependency) bool {
	return d.Kind == "" && (strings.HasPrefix(d.Package, "esp-") || strings.HasPrefix(d.Package, "esp32"))
}

// usesIDF finds a dependency on ESP-IDF in the package or its path
// dependencies.
func (p *Project) usesIDF(pkg cargo.Package) (cargo.Dependency, bool) {
	for _, o := range p.reachable(pkg) {
		for _, d := range o.Depends {
			if d.Kind != "dev" && !d.Optional && slices.Contains([]string{"esp-idf-svc", "esp-idf-hal", "esp-idf-sys", "embuild"}, d.Package) {
				return d, true
			}
		}
	}
	return cargo.Dependency{}, false
}

// reachable are a package and its path dependencies.
func (p *Project) reachable(pkg cargo.Package) []cargo.Package {
	out := []cargo.Package{pkg}
	for i := 0; i < len(out); i++ {
		for _, d := range out[i].Depends {
			for _, o := range p.Own {
				if d.Path != "" && d.Kind != "dev" && o.Dir == d.Path && !slices.ContainsFunc(out, func(x cargo.Package) bool { return x.Dir == o.Dir }) {
					out = append(out, o)
				}
			}
		}
	}
	return out
}

// otherChip refuses a package whose active features and dependencies name
// chips, and not this one.
func otherChip(pkg cargo.Package, build BuildConfig) error {
	active := activeFeatures(pkg, build)
	var other string
	var at config.Origin
	found := func(chip string, where config.Origin) bool {
		if chip == thisChip {
			return true
		}
		if chips[chip] != "" && other == "" {
			other, at = chip, where
		}
		return false
	}
	for _, d := range pkg.Depends {
		if d.Kind != "" || d.Optional && !active[d.Name] && !active["dep:"+d.Name] {
			continue
		}
		// esp32s3-hal, esp32c3, but also esp-hal with a feature of the chip's name.
		name, _, _ := strings.Cut(d.Package, "-")
		if found(name, d.Origin) {
			return nil
		}
		if !strings.HasPrefix(d.Package, "esp") {
			continue
		}
		for _, f := range d.Features {
			if found(f, d.Origin) {
				return nil
			}
		}
		for f := range chips {
			if (active[d.Name+"/"+f] || active[d.Name+"?/"+f]) && found(f, d.Origin) {
				return nil
			}
		}
	}
	if other == "" {
		return nil
	}
	var hints []string
	if _, has := pkg.Features[thisChip]; has {
		hints = append(hints, "espalier run --no-default-features --features "+thisChip)
	}
	return fault.New(fault.Usage, at.Short()+": package "+pkg.Name+" is for the "+chips[other]+"; espalier builds for the ESP32-C3", hints...)
}

// activeFeatures are the features of a package that the settings switch on,
// and the "dependency/feature" and "dep:name" entries that follow from them.
func activeFeatures(pkg cargo.Package, b BuildConfig) map[string]bool {
	active := map[string]bool{}
	var on func(name string)
	on = func(name string) {
		if active[name] {
			return
		}
		active[name] = true
		for _, f := range pkg.Features[name] {
			on(f)
		}
	}
	if !b.NoDefaultFeatures.V {
		on("default")
	}
	for _, list := range b.Features.V {
		for _, f := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
			on(strings.TrimPrefix(f, pkg.Name+"/"))
		}
	}
	if b.AllFeatures.V {
		for f := range pkg.Features {
			on(f)
		}
	}
	return active
}
