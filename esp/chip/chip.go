package chip

import "fmt"

// Range is a half-open range of addresses.
type Range struct {
	Start uint32
	End   uint32 // first address after the range
}

// Contains reports whether addr lies in r.
func (r Range) Contains(addr uint32) bool { return r.Start <= addr && addr < r.End }

// Holds reports whether size bytes at addr lie in r completely.
func (r Range) Holds(addr uint32, size int) bool {
	return r.Contains(addr) && uint64(addr)+uint64(size) <= uint64(r.End)
}

// String returns "0x3c000000-0x3c800000".
func (r Range) String() string { return fmt.Sprintf("0x%08x-0x%08x", r.Start, r.End) }

// Chip is what differs between members of the family. Offsets are bytes in
// flash.
type Chip struct {
	ID   uint16 // in the image header
	Name string // as in --chip and build_info.CHIP_NAME: "esp32c3"

	IROM Range // flash, seen by the instruction bus
	DROM Range // flash, seen by the data bus
	IRAM Range // internal SRAM, instruction bus
	DRAM Range // internal SRAM, data bus
	RTC  Range // RTC fast memory

	PageSize         uint32 // of the flash MMU
	BootloaderOffset uint32 // where the mask ROM looks for the second stage
	TableOffset      uint32 // where the second stage looks for the partition table, unless configured otherwise
	AppOffset        uint32 // where the first application starts by default
}

// ESP32C3 returns the facts of the ESP32-C3 (and of ESP8685, the same die).
func ESP32C3() Chip {
	return Chip{
		ID:   5,
		Name: "esp32c3",

		IROM: Range{0x4200_0000, 0x4280_0000},
		DROM: Range{0x3c00_0000, 0x3c80_0000},
		IRAM: Range{0x4037_c000, 0x403e_0000},
		DRAM: Range{0x3fc8_0000, 0x3fce_0000},
		RTC:  Range{0x5000_0000, 0x5000_2000},

		PageSize:         0x1_0000,
		BootloaderOffset: 0,
		TableOffset:      0x8000,
		AppOffset:        0x1_0000,
	}
}

// InFlash reports whether addr is served by the flash cache.
func (c Chip) InFlash(addr uint32) bool { return c.IROM.Contains(addr) || c.DROM.Contains(addr) }

// Region returns the name of the memory that addr belongs to ("IROM", "DROM",
// "IRAM", "DRAM", "RTC") and its range; ok is false for an address where no
// program can be placed.
func (c Chip) Region(addr uint32) (name string, r Range, ok bool) {
	for _, m := range []struct {
		name string
		r    Range
	}{{"IROM", c.IROM}, {"DROM", c.DROM}, {"IRAM", c.IRAM}, {"DRAM", c.DRAM}, {"RTC", c.RTC}} {
		if m.r.Contains(addr) {
			return m.name, m.r, true
		}
	}
	return "", Range{}, false
}
