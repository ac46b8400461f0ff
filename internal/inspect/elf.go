package inspect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"strconv"

	"espalier.dev/espalier/esp/image"
	elfview "espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/ui"
)

// ELF is the event "elf".
type ELF struct {
	File       string            `json:"file"`
	Size       int               `json:"size"`
	SHA256     string            `json:"sha256"`
	Entry      string            `json:"entry"`
	Function   string            `json:"function,omitempty"` // at the entry
	Chip       string            `json:"chip,omitempty"`
	Descriptor *Descriptor       `json:"descriptor,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	DebugUnits int               `json:"debug-units"`
	Regions    []Region          `json:"regions"`
	Sections   []Section         `json:"sections"`
}

// Region is a memory of the chip as a program uses it; sizes in bytes.
type Region struct {
	Name     string `json:"name"`
	Size     uint64 `json:"size"`
	Loaded   uint64 `json:"loaded"`
	Reserved uint64 `json:"reserved"`
}

// EventName implements Event.
func (ELF) EventName() string { return "elf" }

// Section is an allocated section of an ELF.
type Section struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Size    uint32 `json:"size"`
	Region  string `json:"region,omitempty"`
	Loaded  bool   `json:"loaded"`
}

// ofELF describes a program. One for another machine is an error that says for
// which, without a view: its sections and symbols have no meaning on this chip.
func ofELF(name string, b []byte) (View, error) {
	problem := image.CheckELF(b)
	fw, err := elfview.Open(bytes.NewReader(b), elfview.Options{})
	if err != nil {
		if problem != nil {
			return View{}, problem // it names chips, the reader of ELFs only machines
		}
		return View{}, err
	}
	sum := sha256.Sum256(b)
	var v View
	e := ELF{File: name, Size: len(b), SHA256: hex.EncodeToString(sum[:]), Entry: address(fw.Entry()), Chip: fw.Chip(), Metadata: map[string]string{}}
	if s, off, ok := fw.SymbolAt(fw.Entry()); ok {
		e.Function = s.Name
		if off > 0 {
			e.Function += fmt.Sprintf("+0x%x", off)
		}
	}
	if d, ok := fw.AppDescriptor(); ok {
		e.Descriptor = &Descriptor{Project: d.Project, Version: d.Version, Date: d.Date, Time: d.Time, IDFVersion: d.IDFVersion,
			SecureVersion: d.SecureVersion, MinBlockRevision: d.MinEfuseBlockRev, MaxBlockRevision: d.MaxEfuseBlockRev}
	}
	for _, m := range fw.Metadata() {
		e.Metadata[m.Key] = m.Value
	}
	e.DebugUnits, err = fw.DebugInfo()
	if err != nil {
		v.Notes = append(v.Notes, fmt.Sprintf("%s: debug information is damaged: %v", name, err))
	}
	for _, r := range fw.Regions() {
		e.Regions = append(e.Regions, Region{r.Region, r.Range.End - uint64(r.Range.Start), r.Loaded, r.Reserved})
	}
	for _, s := range fw.Sections() {
		e.Sections = append(e.Sections, Section{s.Name, address(s.Addr), s.Size, s.Region, s.Loaded})
	}
	v.Event, v.Parts = e, e.parts()
	return v, problem
}

func (e ELF) parts() []Part {
	debug := "none"
	if e.DebugUnits > 0 {
		debug = fmt.Sprintf("%d units", e.DebugUnits)
	}
	entry := e.Entry
	if e.Function != "" {
		entry += " " + e.Function
	}
	pairs := [][2]string{
		{"file", e.File},
		{"kind", "ELF, " + ui.Size(int64(e.Size))},
		{"sha256", e.SHA256},
		{"entry", entry},
		{"chip", e.Chip},
		{"debug information", debug},
	}
	pairs = append(pairs, e.Descriptor.pairs()...)
	var keys []string
	for k := range e.Metadata {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		pairs = append(pairs, [2]string{k, e.Metadata[k]})
	}
	regions := ui.Table{Head: []string{"memory", "loaded", "reserved", "of"}, Right: []int{1, 2, 3}}
	for _, r := range e.Regions {
		regions.Rows = append(regions.Rows, []string{r.Name, strconv.FormatUint(r.Loaded, 10), strconv.FormatUint(r.Reserved, 10), strconv.FormatUint(r.Size, 10)})
	}
	sections := ui.Table{Head: []string{"section", "address", "size", "memory", ""}, Right: []int{2}}
	for _, s := range e.Sections {
		how := ""
		if !s.Loaded {
			how = "reserved"
		}
		sections.Rows = append(sections.Rows, []string{s.Name, s.Address, strconv.Itoa(int(s.Size)), s.Region, how})
	}
	return []Part{{Fields: pairs}, {Table: regions}, {Table: sections}}
}
