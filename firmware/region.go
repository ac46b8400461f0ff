package firmware

import (
	"debug/elf"
	"sort"
)

// regions are the memories of the ESP32-C3 that a linker script places
// sections in (ESP32-C3 technical reference manual, chapter 3, "System and
// Memory").
var regions = [...]struct {
	name string
	r    Range
}{
	{"irom", Range{0x42000000, 0x42800000}},
	{"drom", Range{0x3C000000, 0x3C800000}},
	{"iram", Range{0x4037C000, 0x403E0000}},
	{"dram", Range{0x3FC80000, 0x3FCE0000}},
	{"rtc", Range{0x50000000, 0x50002000}},
	{"rom", Range{0x40000000, 0x40060000}},
	{"rom", Range{0x3FF00000, 0x3FF20000}},
}

func regionOf(addr uint32) (name string, r Range) {
	for _, g := range regions {
		if g.r.Contains(addr) {
			return g.name, g.r
		}
	}
	return "", Range{}
}

// Sections returns the sections that have a place in memory, by address.
func (e *ELF) Sections() []Section {
	var out []Section
	for i := range e.sections {
		s := &e.sections[i]
		if s.addr == 0 || s.size == 0 || s.flags&(elf.SHF_ALLOC|elf.SHF_WRITE) == 0 {
			continue
		}
		name, _ := regionOf(s.addr)
		out = append(out, Section{
			Name: s.name, Addr: s.addr, Size: s.size,
			Loaded: s.typ != elf.SHT_NOBITS,
			Exec:   s.flags&elf.SHF_EXECINSTR != 0,
			Write:  s.flags&elf.SHF_WRITE != 0,
			Region: name,
		})
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Addr < out[j].Addr })
	return out
}

// Regions returns what the firmware takes of each memory, in the order
// irom, drom, iram, dram, rtc, rom; memories without a section are left out.
// IRAM and DRAM are the same SRAM seen through two buses, so esp-hal's linker
// script reserves in one (.rwdata_dummy) what it uses in the other; .stack
// reserves all that is left.
func (e *ELF) Regions() []RegionSize {
	var out []RegionSize
	at := map[string]int{}
	for _, g := range regions {
		if _, ok := at[g.name]; !ok {
			at[g.name] = len(out)
			out = append(out, RegionSize{Region: g.name, Range: g.r})
		}
	}
	for _, s := range e.Sections() {
		i, ok := at[s.Region]
		if !ok {
			continue
		}
		if s.Loaded {
			out[i].Loaded += uint64(s.Size)
		} else {
			out[i].Reserved += uint64(s.Size)
		}
		out[i].Sections = append(out[i].Sections, s)
	}
	used := out[:0]
	for _, r := range out {
		if len(r.Sections) > 0 {
			used = append(used, r)
		}
	}
	return used
}
