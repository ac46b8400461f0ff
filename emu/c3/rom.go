package c3

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"

	"espalier.dev/espalier/emu"
)

const (
	romBase     = 0x40000000
	romSize     = 384 << 10
	dromROMBase = 0x3ff00000 // data view of the last 128 KiB
	dromROMSize = 128 << 10
	dromROMOff  = romSize - dromROMSize
	resetVector = romBase
)

// FlatROM returns the content of the mask ROM, 384 KiB, from the vendor's ELF or from
// such a dump, which it returns as it is. Boards made with the dump share its memory,
// and are made faster. The error is an *emu.ROMError.
func FlatROM(file []byte) ([]byte, error) {
	switch {
	case len(file) == 0:
		return nil, &emu.ROMError{Reason: "none given; want the ELF or a dump of 393216 bytes"}
	case bytes.HasPrefix(file, []byte(elf.ELFMAG)):
		return loadROMELF(file)
	case len(file) == romSize:
		return file, nil
	}
	return nil, &emu.ROMError{Reason: fmt.Sprintf("%d bytes that are not an ELF file; a dump has %d", len(file), romSize)}
}

func loadROMELF(file []byte) ([]byte, error) {
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return nil, &emu.ROMError{Reason: err.Error()}
	}
	if f.Machine != elf.EM_RISCV || f.Class != elf.ELFCLASS32 || f.Entry != romBase {
		return nil, &emu.ROMError{Reason: fmt.Sprintf("ELF for %v with entry point 0x%x; the ESP32-C3's ROM is RISC-V and starts at 0x%x", f.Machine, f.Entry, romBase)}
	}
	rom := make([]byte, romSize)
	var ram []romSection
	for _, s := range f.Sections {
		// Some sections of the ROM lack the ALLOC flag.
		if s.Type != elf.SHT_PROGBITS || s.Addr == 0 || s.Size == 0 {
			continue
		}
		data, err := s.Data()
		if err != nil {
			return nil, &emu.ROMError{Reason: fmt.Sprintf("section %s: %v", s.Name, err)}
		}
		addr := uint32(s.Addr)
		switch {
		case addr-romBase < romSize:
			copy(rom[addr-romBase:], data)
		case addr-dromROMBase < dromROMSize:
			copy(rom[dromROMOff+addr-dromROMBase:], data)
		default:
			ram = append(ram, romSection{addr, data})
		}
	}
	return rom, fillInitialData(rom, ram)
}

// romSection is initialised data of the ROM with its address in RAM.
type romSection struct {
	addr uint32
	data []byte
}

// fillInitialData writes the initial values of RAM variables to the addresses
// from which the ROM's start code copies them. The ELF has them only at their
// RAM addresses; otherwise the start code would fill RAM with zeros.
func fillInitialData(rom []byte, ram []romSection) error {
	table := findCopyTable(rom)
	if table == nil {
		return &emu.ROMError{Reason: "no table of initial data"}
	}
	for ; len(table) > 0; table = table[16:] {
		start, end, src := le32(table), le32(table[4:]), le32(table[8:])
		for _, s := range ram {
			lo, hi := max(start, s.addr), min(end, s.addr+uint32(len(s.data)))
			if lo < hi {
				copy(rom[src-romBase+lo-start:], s.data[lo-s.addr:hi-s.addr])
			}
		}
	}
	return nil
}

// findCopyTable finds the copy table of the start code: entries of start and
// end in RAM, source in ROM, and a zero word. It is the longest sequence of
// such entries; its address differs between revisions of the ROM.
func findCopyTable(rom []byte) []byte {
	var best []byte
	for at := 0; at+16 <= len(rom); {
		n := at
		for n+16 <= len(rom) && isCopyEntry(rom[n:]) {
			n += 16
		}
		if n-at > len(best) {
			best = rom[at:n]
		}
		at = max(n, at+4)
	}
	const fewest = 8 // entries; accidental sequences are shorter
	if len(best) < fewest*16 {
		return nil
	}
	return best
}

func isCopyEntry(p []byte) bool {
	start, end, src, pad := le32(p), le32(p[4:]), le32(p[8:]), le32(p[12:])
	return start-sram1Data < sram1Size && end-sram1Data <= sram1Size && start <= end &&
		src-romBase < romSize && end-start <= romSize-(src-romBase) && pad == 0
}

func le32(p []byte) uint32 { return binary.LittleEndian.Uint32(p) }
