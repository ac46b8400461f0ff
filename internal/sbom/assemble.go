package sbom

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/size"
	"espalier.dev/espalier/internal/store"
)

// Inputs are what a bill is made of.
type Inputs struct {
	Name     string           // of the firmware
	Package  string           // of the crate that it is the program of
	Supplier string           // who delivers the firmware; empty: not said
	ELF      store.Digest     //
	Flash    *image.Flash     //
	Boot     lock.Blob        // the pinned file that the bootloader in Flash is of; zero: the project brings one
	Size     *size.Report     // of the ELF
	Compiled []build.Compiled // by cargo
	Pins     *lock.File
	Host     string // platform that built it, such as "linux/amd64"
	Commit   string // of the project; empty: none, or with changes
	Sources  store.Digest
	Steps    []Step
	Tool     string
	Archives []Archive // static libraries in the crates
}

// Archive is a static library in a crate.
type Archive struct {
	Name   string // libpp.a
	Digest store.Digest
	Crate  lock.Crate
}

// Assemble makes the bill of a firmware: inside are the crates and libraries that
// own bytes of the ELF. A crate that was compiled for the chip and left nothing is
// among what the firmware was built with, like macros and build scripts. Without
// debug information no one can tell the two apart; then every crate that was
// compiled for the chip is inside, and says so.
func Assemble(in Inputs) Bill {
	a := &assembly{Inputs: in, ids: map[string]string{}, bytes: map[string]size.Owner{}}
	a.bill = Bill{
		Time: time.Unix(in.Pins.Project.SourceDateEpoch, 0), Tool: in.Tool, Steps: in.Steps,
		Firmware: Component{ID: "firmware:" + in.Name, Kind: Firmware, Name: in.Name, Digest: store.DigestOf(in.Flash.Trimmed()), Commit: in.Commit, Supplier: in.Supplier},
	}
	a.attribute()
	a.crates()
	a.libraries()
	a.rom()
	a.parts()
	a.tools()
	a.bill.sort()
	return a.bill
}

type assembly struct {
	Inputs
	bill  Bill
	ids   map[string]string     // of components, by the ID of a Compiled
	bytes map[string]size.Owner // owners of bytes, by the ID of a Compiled
	loose []size.Owner          // crates that own bytes and that cargo did not compile
}

// attribute finds the compiled packages of the owners of bytes.
func (a *assembly) attribute() {
	for _, o := range a.Size.Owners {
		if o.Kind != size.Crate || o.Parts.Sum() == 0 {
			continue
		}
		var all, exact []string
		for _, c := range a.Compiled {
			if len(c.Crates) == 0 || !size.SameCrate(c.Name, o.Name) && !slices.ContainsFunc(c.Crates, func(n string) bool { return size.SameCrate(n, o.Name) }) {
				continue
			}
			all = append(all, c.ID)
			if slices.Contains(o.Versions, c.Version) {
				exact = append(exact, c.ID)
			}
		}
		if len(exact) > 0 {
			all = exact
		}
		for _, id := range all {
			a.bytes[id] = o
		}
		if len(all) == 0 {
			a.loose = append(a.loose, o)
		}
	}
}

// inside reports whether a compiled package is in the firmware.
func (a *assembly) inside(c build.Compiled) bool {
	_, owns := a.bytes[c.ID]
	return owns || a.Size.DebugUnits == 0 && len(c.Crates) > 0
}

func (a *assembly) crates() {
	byID := map[string]build.Compiled{}
	var made []Component
	var own Component
	for _, c := range a.Compiled {
		byID[c.ID] = c
		m := a.crate(c)
		a.ids[c.ID] = m.ID
		made = append(made, m)
	}
	var std []string
	for _, o := range a.loose {
		c := a.looseCrate(o)
		a.bill.Inside = append(a.bill.Inside, c)
		std = append(std, c.ID)
	}
	for i, c := range a.Compiled {
		m := made[i]
		if !a.inside(c) {
			for _, d := range c.Depends {
				m.Depends = append(m.Depends, a.ids[d])
			}
			use := "macro or build script"
			if len(c.Crates) > 0 {
				use = "compiled for the chip; nothing of it is in the firmware"
			}
			m.Notes = append(m.Notes, Note{"use", use})
			a.bill.Build = append(a.bill.Build, m)
			continue
		}
		o, owns := a.bytes[c.ID]
		if owns {
			m.Notes = append(m.Notes, Note{"flash", strconv.FormatUint(o.Flash, 10)}, Note{"ram", strconv.FormatUint(o.RAM, 10)})
		} else {
			m.Notes = append(m.Notes, Note{"evidence", "compiled for the chip; without debug information, inlined code has no owner"})
		}
		m.Depends = a.linked(byID, c.ID)
		if c.Name == a.Package && c.Source != "" && strings.HasPrefix(c.Source, "path+") {
			own = m
		}
		a.bill.Inside = append(a.bill.Inside, m)
	}
	elf := Component{ID: "file:" + a.Name + ".elf", Kind: Program, Name: a.Name + ".elf", Version: own.Version, Digest: a.ELF, Supplier: a.Supplier, Depends: std}
	if own.ID != "" {
		elf.Depends = append(elf.Depends, own.ID)
	}
	a.bill.Firmware.Version, a.bill.Firmware.Licence, a.bill.Firmware.Description = own.Version, own.Licence, own.Description
	a.bill.Firmware.Repository, a.bill.Firmware.Authors = own.Repository, own.Authors
	a.bill.Inside = append(a.bill.Inside, elf)
	a.bill.Firmware.Depends = append(a.bill.Firmware.Depends, elf.ID)
}

// linked lists the components in the firmware that a compiled package reaches
// without passing another that is in it: a crate of which nothing is left does
// not interrupt the graph.
func (a *assembly) linked(byID map[string]build.Compiled, id string) []string {
	var out []string
	seen := map[string]bool{id: true}
	queue := slices.Clone(byID[id].Depends)
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		if seen[next] {
			continue
		}
		seen[next] = true
		if c := byID[next]; a.inside(c) {
			out = append(out, a.ids[next])
		} else if len(c.Crates) > 0 { // not through macros and build scripts
			queue = append(queue, c.Depends...)
		}
	}
	slices.Sort(out)
	return out
}

// crate describes a package that cargo compiled.
func (a *assembly) crate(c build.Compiled) Component {
	out := Component{
		Kind: Crate, Name: c.Name, Version: c.Version, Licence: c.About.License, Authors: c.About.Authors,
		Repository: c.About.Repository, Description: strings.TrimSpace(c.About.Description),
	}
	if out.Licence == "" && c.About.LicenseFile != "" {
		out.Licence = "see " + c.About.LicenseFile + " of " + c.Name
	}
	if len(c.Features) > 0 {
		out.Notes = append(out.Notes, Note{"features", strings.Join(c.Features, " ")})
	}
	kind, address, _ := strings.Cut(c.Source, "+")
	switch {
	case kind == "registry" || kind == "sparse":
		out.Supplier, out.PURL = registrySupplier(address), registryPURL(c.Name, c.Version, address)
		for _, p := range a.Pins.Crates {
			if p.Name == c.Name && p.Version == c.Version {
				out.Digest = p.Digest
			}
		}
	case kind == "git":
		for _, g := range a.Pins.Git {
			if slices.Contains(g.Crates, c.Name+" "+c.Version) {
				out.Commit, out.Repository, out.Supplier = g.Commit, g.URL, host(g.URL)
				out.PURL = "pkg:cargo/" + escape(c.Name) + "@" + escape(c.Version) + "?vcs_url=" + escape("git+"+g.URL+"@"+g.Commit)
				out.Notes = append(out.Notes, Note{"tree", g.Tree.String()})
			}
		}
	case c.Std:
		a.std(&out)
	default:
		out.ID, out.Supplier, out.Commit = "crate:"+c.Name+"@"+c.Version, a.Supplier, a.Commit
		out.Notes = append(out.Notes, Note{"sources", a.Sources.String()})
	}
	if out.ID == "" {
		out.ID = out.PURL
	}
	if out.ID == "" {
		out.ID = "crate:" + c.ID
	}
	return out
}

// std makes a crate one of the standard library's own, which have no version of
// their own.
func (a *assembly) std(c *Component) {
	tc, _ := a.Pins.Toolchain(a.Host)
	c.Version, _, _ = strings.Cut(tc.Rustc, " ")
	c.Supplier, c.PURL = rustProject, "pkg:generic/rust-std/"+escape(c.Name)+"@"+escape(c.Version)
	c.ID = c.PURL
	if c.Licence == "" {
		// The file COPYRIGHT of the Rust distribution.
		c.Licence = "MIT OR Apache-2.0"
		if c.Name == "compiler_builtins" || c.Name == "compiler-builtins" {
			c.Licence = "MIT AND Apache-2.0 WITH LLVM-exception AND (MIT OR Apache-2.0)"
		}
	}
}

const rustProject = "The Rust Project"

// looseCrate is a crate that the ELF shows and cargo did not compile: the ready-made
// standard library.
func (a *assembly) looseCrate(o size.Owner) Component {
	c := Component{Kind: Crate, Name: o.Name, Notes: []Note{{"flash", strconv.FormatUint(o.Flash, 10)}, {"ram", strconv.FormatUint(o.RAM, 10)}}}
	for _, p := range a.Pins.Crates { // its dependencies
		if slices.Contains(p.For, "std") && size.SameCrate(p.Name, o.Name) {
			c.Name, c.Version, c.Digest = p.Name, p.Version, p.Digest
			c.PURL = registryPURL(p.Name, p.Version, strings.TrimPrefix(p.Source, "registry+"))
			c.ID, c.Supplier = c.PURL, registrySupplier(p.Source)
			return c
		}
	}
	a.std(&c)
	return c
}

// libraries adds the static libraries that own bytes, each below its crate.
func (a *assembly) libraries() {
	for _, o := range a.Size.Owners {
		if o.Kind != size.Library || o.Parts.Sum() == 0 {
			continue
		}
		c := Component{ID: "library:" + o.Name, Kind: Library, Name: o.Name,
			Notes: []Note{{"flash", strconv.FormatUint(o.Flash, 10)}, {"ram", strconv.FormatUint(o.RAM, 10)}}}
		for _, f := range a.Archives {
			if f.Name != o.Name {
				continue
			}
			c.Digest, c.Version, c.Supplier = f.Digest, f.Crate.Version, registrySupplier(f.Crate.Source)
			c.Notes = append(c.Notes, Note{"crate", f.Crate.Name + " " + f.Crate.Version})
			for i, in := range a.bill.Inside {
				if in.Kind == Crate && in.Name == f.Crate.Name && in.Version == f.Crate.Version {
					a.bill.Inside[i].Depends = append(a.bill.Inside[i].Depends, c.ID)
					c.Licence = in.Licence
				}
			}
			c.Licence = cmp.Or(c.Licence, a.licence(f.Crate))
		}
		a.bill.Inside = append(a.bill.Inside, c)
		a.bill.reach("file:"+a.Name+".elf", c.ID)
	}
	for _, o := range a.Size.Owners {
		if o.Kind == size.None && (o.Name == size.Unattributed || o.Name == size.Libs) && o.Parts.Sum() > 0 {
			a.bill.Notes = append(a.bill.Notes, Note{"bytes of " + o.Name, strconv.FormatUint(o.Parts.Sum(), 10)})
		}
	}
	if a.Size.DebugUnits == 0 {
		a.bill.Notes = append(a.bill.Notes, Note{"debug-information", "none: every crate that was compiled for the chip is listed"})
	}
}

func (a *assembly) licence(c lock.Crate) string {
	for _, m := range a.Compiled {
		if m.Name == c.Name && m.Version == c.Version {
			return m.About.License
		}
	}
	return ""
}

// reach makes one component of a bill depend on another, unless something in the
// firmware does already.
func (b *Bill) reach(from, to string) {
	for _, c := range b.Inside {
		if slices.Contains(c.Depends, to) {
			return
		}
	}
	for i := range b.Inside {
		if b.Inside[i].ID == from {
			b.Inside[i].Depends = append(b.Inside[i].Depends, to)
		}
	}
}

// rom adds the mask ROM of the chip, when the firmware calls functions of it. It
// is not in the image.
func (a *assembly) rom() {
	if len(a.Size.ROM) == 0 {
		return
	}
	c := Component{ID: "rom:esp32c3", Kind: Bootloader, Name: "ESP32-C3 mask ROM", Supplier: vendor, Licence: vendorLicence,
		Description: "functions in the chip's read-only memory that the firmware calls; not in the image",
		Notes:       []Note{{"functions", strings.Join(a.Size.ROM, " ")}}}
	for _, b := range a.Pins.Blobs {
		if strings.HasPrefix(b.Name, "rom-rev") {
			c.Notes = append(c.Notes, Note{b.Name, b.Digest.String()})
			c.Version = strings.TrimPrefix(b.Name, "rom-")
			c.Digest, c.PURL = b.Digest, carrierPURL(b.From)
		}
	}
	a.bill.Inside = append(a.bill.Inside, c)
	a.bill.reach("file:"+a.Name+".elf", c.ID)
}

// Espressif publishes ROM and bootloader under one licence (NOTICE).
const (
	vendor        = "Espressif Systems"
	vendorLicence = "Apache-2.0"
)

// parts adds what else is in the flash image.
func (a *assembly) parts() {
	for _, p := range a.Flash.Parts {
		if p.Name == "app" {
			continue
		}
		c := Component{ID: "part:" + p.Name, Kind: Data, Name: p.Name, Digest: store.DigestOf(p.Bytes), Supplier: a.Supplier,
			Version: a.bill.Firmware.Version, Notes: []Note{{"offset", fmt.Sprintf("0x%x", p.Offset)}}}
		if p.Name == "bootloader" {
			c.Kind, c.Version = Bootloader, ""
			if a.Boot.Name != "" {
				c.Notes = append(c.Notes, Note{"with the header of this image", c.Digest.String()})
				c.Digest, c.PURL, c.Supplier, c.Licence = a.Boot.Digest, carrierPURL(a.Boot.From), vendor, vendorLicence
				c.Version = carrierVersion(a.Boot.From)
				c.Notes = append(c.Notes, Note{"from", a.Boot.From})
			}
		}
		a.bill.Inside = append(a.bill.Inside, c)
		a.bill.Firmware.Depends = append(a.bill.Firmware.Depends, c.ID)
	}
}

// tools adds the packages of the toolchain, and the crates of the bootloader and
// the ROM.
func (a *assembly) tools() {
	tc, ok := a.Pins.Toolchain(a.Host)
	if !ok {
		return
	}
	supplier, _, _ := strings.Cut(tc.Supplier, ":")
	for _, p := range tc.Packages {
		c := Component{Kind: Tool, Name: p.Name, Version: p.Version, Digest: p.Digest, PURL: PackageURL(tc, p), Supplier: supplier}
		if p.Format == "rust" {
			c.Supplier = rustProject
		}
		c.ID = c.PURL
		a.bill.Build = append(a.bill.Build, c)
	}
}

// PackageURL is the package URL of a package of a toolchain.
func PackageURL(tc lock.Toolchain, p lock.Package) string {
	if p.Format == "rust" {
		return "pkg:generic/" + escape(p.Name) + "@" + escape(p.Version) + "?arch=" + escape(p.Arch)
	}
	supplier, suites, _ := strings.Cut(tc.Supplier, ":")
	text := "pkg:deb/" + escape(supplier) + "/" + escape(p.Name) + "@" + escape(p.Version) + "?arch=" + escape(p.Arch)
	if suite, _, _ := strings.Cut(suites, "+"); suite != "" {
		text += "&distro=" + escape(suite)
	}
	return text
}

// CrateURL is the package URL of a registry crate.
func CrateURL(c lock.Crate) string {
	return registryPURL(c.Name, c.Version, strings.TrimPrefix(c.Source, "registry+"))
}

// BlobURL is the package URL of a file of the chip's vendor: a file in a crate.
func BlobURL(b lock.Blob) string { return carrierPURL(b.From) }

// carrierPURL is the package URL of a file in a crate, by lock.Blob.From.
func carrierPURL(from string) string {
	crate, file, ok := strings.Cut(from, ": ")
	name, version, ok2 := strings.Cut(crate, " ")
	if !ok || !ok2 {
		return ""
	}
	return "pkg:cargo/" + escape(name) + "@" + escape(version) + "#" + file
}

func carrierVersion(from string) string {
	crate, _, _ := strings.Cut(from, ": ")
	_, version, _ := strings.Cut(crate, " ")
	return version
}

func registryPURL(name, version, index string) string {
	p := "pkg:cargo/" + escape(name) + "@" + escape(version)
	if index != "" && !cargo.IsDefaultRegistry(index) {
		p += "?repository_url=" + escape(index)
	}
	return p
}

func registrySupplier(index string) string {
	if index == "" || cargo.IsDefaultRegistry(index) {
		return "crates-io" // its name in cargo
	}
	return host(strings.TrimPrefix(index, "registry+"))
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// escape encodes a part of a package URL.
func escape(s string) string {
	return strings.NewReplacer("+", "%20", "%3A", ":").Replace(url.QueryEscape(s))
}
