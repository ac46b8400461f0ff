package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"

	"espalier.dev/espalier/esp/image"
	elfview "espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/ui"
)

// elfEvent is the event "elf".
type elfEvent struct {
	File       string            `json:"file"`
	Size       int               `json:"size"`
	SHA256     string            `json:"sha256"`
	Entry      string            `json:"entry"`
	Function   string            `json:"function,omitempty"` // at the entry
	Chip       string            `json:"chip,omitempty"`
	Descriptor *descriptorEvent  `json:"descriptor,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	DebugUnits int               `json:"debug-units"`
	Regions    []regionEvent     `json:"regions"`
	Sections   []sectionEvent    `json:"sections"`
}

type regionEvent struct {
	Name     string `json:"name"`
	Size     uint64 `json:"size"`
	Loaded   uint64 `json:"loaded"`
	Reserved uint64 `json:"reserved"`
}

type sectionEvent struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Size    uint32 `json:"size"`
	Region  string `json:"region,omitempty"`
	Loaded  bool   `json:"loaded"`
}

// inspectELF shows a program. One for another machine is an error that says
// for which, and nothing is shown: its insides mean nothing here.
func (a *app) inspectELF(name string, b []byte) error {
	problem := image.CheckELF(b)
	fw, err := elfview.Open(bytes.NewReader(b), elfview.Options{})
	if err != nil {
		if problem != nil {
			return problem // it names chips, the reader of ELFs only machines
		}
		return err
	}
	sum := sha256.Sum256(b)
	e := elfEvent{File: name, Size: len(b), SHA256: hex.EncodeToString(sum[:]), Entry: address(fw.Entry()), Chip: fw.Chip(), Metadata: map[string]string{}}
	if s, off, ok := fw.SymbolAt(fw.Entry()); ok {
		e.Function = s.Name
		if off > 0 {
			e.Function += fmt.Sprintf("+0x%x", off)
		}
	}
	if d, ok := fw.AppDescriptor(); ok {
		e.Descriptor = &descriptorEvent{Project: d.Project, Version: d.Version, Date: d.Date, Time: d.Time, IDFVersion: d.IDFVersion,
			SecureVersion: d.SecureVersion, MinBlockRevision: d.MinEfuseBlockRev, MaxBlockRevision: d.MaxEfuseBlockRev}
	}
	for _, m := range fw.Metadata() {
		e.Metadata[m.Key] = m.Value
	}
	e.DebugUnits, err = fw.DebugInfo()
	if err != nil {
		a.ui.Note("%s: debug information is damaged: %v", name, err)
	}
	for _, r := range fw.Regions() {
		e.Regions = append(e.Regions, regionEvent{r.Region, r.Range.End - uint64(r.Range.Start), r.Loaded, r.Reserved})
	}
	for _, s := range fw.Sections() {
		e.Sections = append(e.Sections, sectionEvent{s.Name, address(s.Addr), s.Size, s.Region, s.Loaded})
	}
	a.ui.Event("elf", e)
	a.showELF(e)
	return problem
}

func (a *app) showELF(e elfEvent) {
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
	a.ui.Fields(pairs...)
	regions := ui.Table{Head: []string{"memory", "loaded", "reserved", "of"}, Right: []int{1, 2, 3}}
	for _, r := range e.Regions {
		regions.Rows = append(regions.Rows, []string{r.Name, itoa(int64(r.Loaded)), itoa(int64(r.Reserved)), itoa(int64(r.Size))})
	}
	a.section(regions)
	sections := ui.Table{Head: []string{"section", "address", "size", "memory", ""}, Right: []int{2}}
	for _, s := range e.Sections {
		how := ""
		if !s.Loaded {
			how = "reserved"
		}
		sections.Rows = append(sections.Rows, []string{s.Name, s.Address, itoa(s.Size), s.Region, how})
	}
	a.section(sections)
}

// section prints a table with an empty line before it.
func (a *app) section(t ui.Table) {
	if len(t.Rows) > 0 {
		a.ui.Printf("")
		a.ui.Table(t)
	}
}

func address(v uint32) string { return fmt.Sprintf("0x%08x", v) }
