package firmware

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// testSection and testSymbol describe a small ELF made by buildELF.
type testSection struct {
	name  string
	typ   elf.SectionType
	flags elf.SectionFlag
	addr  uint32
	data  []byte
	size  uint32 // of NOBITS
	link  string
}

type testSymbol struct {
	name    string
	addr    uint32
	size    uint32
	typ     elf.SymType
	bind    elf.SymBind
	section string // "" = SHN_ABS
}

// buildELF writes a RISC-V executable with the given sections and symbols.
func buildELF(sections []testSection, symbols []testSymbol) []byte {
	le := binary.LittleEndian
	index := map[string]int{}
	all := append([]testSection{{}}, sections...)
	for i, s := range all {
		index[s.name] = i
	}
	if symbols != nil {
		strtab := []byte{0}
		symtab := make([]byte, 16)
		for _, y := range symbols {
			var b [16]byte
			le.PutUint32(b[0:], uint32(len(strtab)))
			le.PutUint32(b[4:], y.addr)
			le.PutUint32(b[8:], y.size)
			b[12] = byte(y.bind)<<4 | byte(y.typ)
			shndx := uint16(elf.SHN_ABS)
			if y.section != "" {
				shndx = uint16(index[y.section])
			}
			le.PutUint16(b[14:], shndx)
			symtab = append(symtab, b[:]...)
			strtab = append(append(strtab, y.name...), 0)
		}
		all = append(all, testSection{name: ".symtab", typ: elf.SHT_SYMTAB, data: symtab, link: ".strtab"},
			testSection{name: ".strtab", typ: elf.SHT_STRTAB, data: strtab})
	}
	names := []byte{0}
	all = append(all, testSection{name: ".shstrtab", typ: elf.SHT_STRTAB})
	for i, s := range all {
		index[s.name] = i
	}
	nameAt := make([]uint32, len(all))
	for i, s := range all {
		if s.name != "" {
			nameAt[i] = uint32(len(names))
			names = append(append(names, s.name...), 0)
		}
	}
	all[len(all)-1].data = names

	out := make([]byte, 52)
	copy(out, elf.ELFMAG)
	out[4], out[5], out[6] = 1, 1, 1
	le.PutUint16(out[16:], uint16(elf.ET_EXEC))
	le.PutUint16(out[18:], uint16(elf.EM_RISCV))
	le.PutUint32(out[20:], 1)
	le.PutUint32(out[24:], 0x42000020)
	le.PutUint16(out[40:], 52)
	le.PutUint16(out[42:], 32)
	le.PutUint16(out[46:], 40)
	le.PutUint16(out[48:], uint16(len(all)))
	le.PutUint16(out[50:], uint16(len(all)-1))
	headers := make([]byte, 0, 40*len(all))
	for i, s := range all {
		var h [40]byte
		le.PutUint32(h[0:], nameAt[i])
		le.PutUint32(h[4:], uint32(s.typ))
		le.PutUint32(h[8:], uint32(s.flags))
		le.PutUint32(h[12:], s.addr)
		le.PutUint32(h[16:], uint32(len(out)))
		size := uint32(len(s.data))
		if s.typ == elf.SHT_NOBITS {
			size = s.size
		}
		le.PutUint32(h[20:], size)
		if s.link != "" {
			le.PutUint32(h[24:], uint32(index[s.link]))
		}
		headers = append(headers, h[:]...)
		out = append(out, s.data...)
	}
	le.PutUint32(out[32:], uint32(len(out)))
	return append(out, headers...)
}

const (
	allocExec  = elf.SHF_ALLOC | elf.SHF_EXECINSTR
	allocWrite = elf.SHF_ALLOC | elf.SHF_WRITE
)

// smallFirmware has code in two memories, a descriptor, metadata, assembly
// labels and ROM names, and no debug information.
func smallFirmware() []byte {
	desc := make([]byte, 256)
	binary.LittleEndian.PutUint32(desc, descriptorMagic)
	copy(desc[0x10:], "1.2.3")
	copy(desc[0x30:], "blinky")
	desc[0xB2], desc[0xB3] = 0xff, 0xff
	desc[0xB4] = 16
	return buildELF([]testSection{
		{name: ".text", typ: elf.SHT_PROGBITS, flags: allocExec, addr: 0x42010020, data: make([]byte, 0x100)},
		{name: ".rwtext", typ: elf.SHT_PROGBITS, flags: allocExec, addr: 0x40380000, data: make([]byte, 0x40)},
		{name: ".flash.appdesc", typ: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, addr: 0x3C000020, data: desc},
		{name: ".data", typ: elf.SHT_PROGBITS, flags: allocWrite, addr: 0x3FC80040, data: make([]byte, 16)},
		{name: ".bss", typ: elf.SHT_NOBITS, flags: allocWrite, addr: 0x3FC80050, size: 0x1000},
		{name: ".espressif.metadata", typ: elf.SHT_PROGBITS, data: []byte("esp32c30serial")},
	}, []testSymbol{
		{"_start", 0x42010020, 0, elf.STT_NOTYPE, elf.STB_GLOBAL, ".text"},
		{"clear_bss", 0x42010028, 0, elf.STT_NOTYPE, elf.STB_LOCAL, ".text"},
		{"$x", 0x42010028, 0, elf.STT_NOTYPE, elf.STB_LOCAL, ".text"},
		{".Lloop", 0x4201002c, 0, elf.STT_NOTYPE, elf.STB_LOCAL, ".text"},
		{"_ZN5hello4main17h0123456789abcdefE", 0x42010040, 0x20, elf.STT_FUNC, elf.STB_LOCAL, ".text"},
		{"label_in_main", 0x42010048, 0, elf.STT_NOTYPE, elf.STB_LOCAL, ".text"},
		{"_RNvCs1234_7mycrate3foo", 0x42010060, 0x10, elf.STT_FUNC, elf.STB_GLOBAL, ".text"},
		{"alias_of_foo", 0x42010060, 0, elf.STT_NOTYPE, elf.STB_GLOBAL, ".text"},
		{"in_iram", 0x40380000, 0x40, elf.STT_FUNC, elf.STB_GLOBAL, ".rwtext"},
		{"ets_delay_us", 0x40000050, 0, elf.STT_NOTYPE, elf.STB_GLOBAL, ""},
		{"build_info.CHIP_NAME", 0, 7, elf.STT_OBJECT, elf.STB_GLOBAL, ".espressif.metadata"},
		{"build_info.MIN_CHIP_REVISION", 7, 1, elf.STT_OBJECT, elf.STB_GLOBAL, ".espressif.metadata"},
		{"espflash.LOG_FORMAT", 8, 6, elf.STT_OBJECT, elf.STB_GLOBAL, ".espressif.metadata"},
	})
}

func open(t testing.TB, b []byte) *ELF {
	t.Helper()
	e, err := Open(bytes.NewReader(b), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestOpenRefuses(t *testing.T) {
	good := smallFirmware()
	patched := func(at int, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], v)
		return b
	}
	for _, c := range []struct {
		name    string
		data    []byte
		problem Problem
		text    string
	}{
		{"empty file", nil, NotELF, "the file is empty"},
		{"text file", []byte("hello\n"), NotELF, "not an ELF file"},
		{"flash image", append([]byte{0xE9, 3, 2, 0x20}, make([]byte, 60)...), NotELF, "ESP flash image"},
		{"ends in the identification", good[:16], Truncated, "ends inside the ELF header"},
		{"ends in the header", good[:40], Truncated, "ends inside the ELF header"},
		{"ends before the section headers", good[:len(good)-1], Truncated, "ends inside its section headers"},
		{"host program", patched(4, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0), WrongMachine, "an ELF for x86-64, not for 32-bit RISC-V"},
		{"esp32", patched(18, 94, 0), WrongMachine, "Xtensa"},
		{"64-bit RISC-V", patched(4, 2), WrongClass, "64-bit RISC-V"},
		{"big-endian", patched(5, 2), WrongClass, "big-endian"},
		{"object file", patched(16, 1, 0), WrongType, "relocatable object"},
		{"core file", patched(16, 4, 0), WrongType, "ET_CORE"},
		{"section header size", patched(46, 41, 0), Malformed, "section headers of 41 bytes"},
		{"name table out of range", patched(50, 0xff, 0), Malformed, "name table"},
		{"too many sections", patched(48, 0xff, 0xff), TooLarge, "65535 sections"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(bytes.NewReader(c.data), Options{})
			var f *FormatError
			if !errors.As(err, &f) || f.Problem != c.problem {
				t.Fatalf("got %v, want problem %v", err, c.problem)
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %q, want it to say %q", err, c.text)
			}
		})
	}
}

// A file cut anywhere is either refused or read without its missing part;
// never more than that.
func TestOpenTruncatedAnywhere(t *testing.T) {
	good := smallFirmware()
	for n := range good {
		if _, err := Open(bytes.NewReader(good[:n]), Options{}); err == nil {
			t.Fatalf("a file of %d of %d bytes was accepted", n, len(good))
		}
	}
}

func TestOpenSectionBeyondEnd(t *testing.T) {
	b := smallFirmware()
	shoff := binary.LittleEndian.Uint32(b[32:])
	binary.LittleEndian.PutUint32(b[shoff+40+20:], 1<<20) // size of .text
	_, err := Open(bytes.NewReader(b), Options{})
	var f *FormatError
	if !errors.As(err, &f) || f.Problem != Truncated || !strings.Contains(err.Error(), ".text") {
		t.Fatalf("got %v", err)
	}
}

func TestSymbolsOfSmallFirmware(t *testing.T) {
	e := open(t, smallFirmware())
	for _, c := range []struct {
		what   string
		addr   uint32
		name   string
		offset uint32
	}{
		{"first instruction", 0x42010020, "_start", 0},
		{"label after it", 0x4201002a, "clear_bss", 2},
		{"local labels do not count", 0x4201002e, "clear_bss", 6},
		{"function", 0x42010042, "hello::main", 2},
		{"a label inside a function does not split it", 0x4201004a, "hello::main", 10},
		{"function wins over its alias", 0x42010060, "mycrate::foo", 0},
		{"after the last function", 0x42010070, "", 0},
		{"iram", 0x4038003e, "in_iram", 0x3e},
		{"rom by its name", 0x40000050, "ets_delay_us", 0},
		{"next to it", 0x40000052, "", 0},
		{"data", 0x3FC80040, "", 0},
		{"end of text", 0x42010120, "", 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			s, off, ok := e.SymbolAt(c.addr)
			if ok != (c.name != "") || s.Name != c.name || off != c.offset {
				t.Errorf("0x%08x is %q+%d, want %q+%d", c.addr, s.Name, off, c.name, c.offset)
			}
			fs := e.Frames(c.addr)
			if (len(fs) == 1) != ok || ok && (fs[0].Function != c.name || fs[0].Source != FromSymbols || fs[0].Inline) {
				t.Errorf("frames of 0x%08x: %+v", c.addr, fs)
			}
		})
	}
	if s, ok := e.Lookup("hello::main"); !ok || s.Addr != 0x42010040 {
		t.Errorf("by demangled name: %+v %v", s, ok)
	}
	if s, ok := e.Lookup("ets_delay_us"); !ok || s.Addr != 0x40000050 || !s.Abs {
		t.Errorf("by linker name: %+v %v", s, ok)
	}
	if _, ok := e.Lookup("missing"); ok {
		t.Error("found a missing symbol")
	}
	if n, err := e.DebugInfo(); n != 0 || err != nil {
		t.Errorf("debug information: %d, %v", n, err)
	}
}

func TestFactsOfSmallFirmware(t *testing.T) {
	e := open(t, smallFirmware())
	d, ok := e.AppDescriptor()
	if !ok || d.Project != "blinky" || d.Version != "1.2.3" || d.Section != ".flash.appdesc" || d.Addr != 0x3C000020 || d.MaxEfuseBlockRev != 0xffff || d.MMUPageLog2 != 16 {
		t.Errorf("descriptor: %+v %v", d, ok)
	}
	if e.Chip() != "esp32c3" {
		t.Errorf("chip %q", e.Chip())
	}
	var keys []string
	for _, m := range e.Metadata() {
		keys = append(keys, m.Key+"="+m.Value)
	}
	if got, want := strings.Join(keys, " "), "build_info.CHIP_NAME=esp32c3 build_info.MIN_CHIP_REVISION=0 espflash.LOG_FORMAT=serial"; got != want {
		t.Errorf("metadata %s, want %s", got, want)
	}
	want := map[string][2]uint64{"irom": {0x100, 0}, "drom": {0x100, 0}, "iram": {0x40, 0}, "dram": {16, 0x1000}}
	for _, r := range e.Regions() {
		if got := [2]uint64{r.Loaded, r.Reserved}; got != want[r.Region] {
			t.Errorf("%s: %v, want %v", r.Region, got, want[r.Region])
		}
		delete(want, r.Region)
	}
	if len(want) > 0 {
		t.Errorf("missing regions: %v", want)
	}
	if e.Entry() != 0x42000020 {
		t.Errorf("entry 0x%08x", e.Entry())
	}
	for addr, code := range map[uint32]bool{0x42010020: true, 0x4201011f: true, 0x42010120: false, 0x40380000: true, 0x3fc80040: false, 0x403cbf1a: false, 0: false, 0xffffffff: false} {
		if e.Executable(addr) != code {
			t.Errorf("Executable(0x%08x) = %v", addr, !code)
		}
	}
}

// The ROM that contains the version counts; without one, nothing changes.
func TestSymbolsOfROM(t *testing.T) {
	rom := func(version, function string) *ELF {
		return open(t, buildELF([]testSection{
			{name: ".text", typ: elf.SHT_PROGBITS, flags: allocExec, addr: 0x40000000, data: make([]byte, 0x100)},
			{name: ".rodata", typ: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, addr: 0x3ff00000, data: []byte("ESP-ROM:%s\x00" + version + "\x00")},
			{name: ".comment", typ: elf.SHT_PROGBITS, data: []byte("esp32c3-none\x00")},
		}, []testSymbol{{function, 0x40000050, 4, elf.STT_FUNC, elf.STB_GLOBAL, ".text"}}))
	}
	s := NewSymbols(nil, nil, rom("esp32c3-api1", "delay"), rom("esp32c3-eco7", "sleep"))
	for version, want := range map[string]string{"esp32c3-api1": "delay", "esp32c3-eco7": "sleep", "esp32c3-eco": "delay", "esp32c3-none": "delay", "": "delay"} {
		if fs := s.OfROM(version).Frames(0x40000052); len(fs) != 1 || fs[0].Function != want {
			t.Errorf("%q: %+v, want %s", version, fs, want)
		}
	}
	other := s.OfROM("esp32c3-eco7")
	if other == s || other.OfROM("esp32c3-eco7") != other || other.OfROM("esp32c3-api1").Frames(0x40000050)[0].Function != "delay" {
		t.Error("a choice is not kept, or is final")
	}
	if (*Symbols)(nil).OfROM("esp32c3-api1") != nil {
		t.Error("nil")
	}
}

func TestSymbolsJoinROM(t *testing.T) {
	rom := buildELF([]testSection{{name: ".text", typ: elf.SHT_PROGBITS, flags: allocExec, addr: 0x40000000, data: make([]byte, 0x100)}},
		[]testSymbol{{"ets_delay_us", 0x40000050, 4, elf.STT_FUNC, elf.STB_GLOBAL, ".text"}})
	s := NewSymbols(open(t, smallFirmware()), open(t, rom))
	for addr, want := range map[uint32]string{0x40000052: "ets_delay_us", 0x42010042: "hello::main"} {
		if fs := s.Frames(addr); len(fs) != 1 || fs[0].Function != want || !s.Executable(addr) {
			t.Errorf("0x%08x: %+v", addr, fs)
		}
	}
	if !s.InROM(0x40000010) || s.InROM(0x42010042) {
		t.Error("InROM")
	}
	var none *Symbols
	if none.Frames(0x42010042) != nil || none.Executable(0x42010042) || NewSymbols(nil, nil).Frames(0x42010042) != nil {
		t.Error("a nil value returned a name")
	}
}
