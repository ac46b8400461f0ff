package firmware

import (
	"bytes"
	"debug/elf"
	"testing"
)

// withDWARF adds debug sections to a firmware, for seeds.
func withDWARF(sections map[string][]byte) []byte {
	s := []testSection{{name: ".text", typ: elf.SHT_PROGBITS, flags: allocExec, addr: 0x42010020, data: make([]byte, 0x100)}}
	for name, data := range sections {
		s = append(s, testSection{name: name, typ: elf.SHT_PROGBITS, data: data})
	}
	return buildELF(s, []testSymbol{{"main", 0x42010020, 0x80, elf.STT_FUNC, elf.STB_GLOBAL, ".text"}})
}

// handDWARF is a version 4 unit with one function, one instance inlined into
// it, and a line table of two rows.
func handDWARF() map[string][]byte {
	abbrev := []byte{
		1, 0x11, 1, 0x03, 0x08, 0x10, 0x17, 0x11, 0x01, 0x12, 0x06, 0, 0, // compile_unit: name, stmt_list, low_pc, high_pc
		2, 0x2e, 0, 0x03, 0x08, 0x20, 0x0b, 0, 0, // subprogram: name, inline
		3, 0x2e, 1, 0x03, 0x08, 0x11, 0x01, 0x12, 0x06, 0, 0, // subprogram: name, low_pc, high_pc
		4, 0x1d, 0, 0x31, 0x13, 0x11, 0x01, 0x12, 0x06, 0x58, 0x0b, 0x59, 0x0b, 0, 0, // inlined_subroutine
		0,
	}
	die := []byte{
		1, 'a', '.', 'c', 0, 0, 0, 0, 0, 0x20, 0, 1, 0x42, 0x80, 0, 0, 0,
		2, 'i', 'n', 0, 1, // at 28
		3, 'o', 'u', 't', 0, 0x20, 0, 1, 0x42, 0x80, 0, 0, 0,
		4, 28, 0, 0, 0, 0x30, 0, 1, 0x42, 0x10, 0, 0, 0, 1, 7,
		0, 0,
	}
	info := append([]byte{byte(len(die) + 7), 0, 0, 0, 4, 0, 0, 0, 0, 0, 4}, die...)
	program := []byte{
		0, 5, 2, 0x20, 0, 1, 0x42, // set_address 0x42010020
		3, 9, 1, // line 10, copy
		2, 0x10, 3, 0xda, 0x00, 1, // 0x42010030: line 100
		2, 0x10, 3, 0xa7, 0x7f, 1, // 0x42010040: line 11
		2, 0x60, 0, 1, 1, // end_sequence at 0x420100a0
	}
	header := []byte{
		1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1,
		'd', 0, 0,
		'a', '.', 'c', 0, 1, 0, 0, 0,
	}
	line := append([]byte{4, 0, byte(len(header)), 0, 0, 0}, header...)
	line = append(line, program...)
	line = append([]byte{byte(len(line)), 0, 0, 0}, line...)
	return map[string][]byte{".debug_abbrev": abbrev, ".debug_info": info, ".debug_line": line}
}

func TestHandMadeDWARF(t *testing.T) {
	e := open(t, withDWARF(handDWARF()))
	if n, err := e.DebugInfo(); n != 1 || err != nil {
		t.Fatalf("%d units, %v", n, err)
	}
	want := map[uint32][]Frame{
		0x42010022: {{Addr: 0x42010022, Function: "out", Linker: "out", File: "d/a.c", Path: "d/a.c", Line: 10, Offset: 2}},
		0x42010030: {
			{Addr: 0x42010030, Function: "in", Linker: "in", File: "d/a.c", Path: "d/a.c", Line: 100, Inline: true},
			{Addr: 0x42010030, Function: "out", Linker: "out", File: "d/a.c", Path: "d/a.c", Line: 7, Offset: 16},
		},
		0x42010040: {{Addr: 0x42010040, Function: "out", Linker: "out", File: "d/a.c", Path: "d/a.c", Line: 11, Offset: 32}},
		0x42010100: nil,
	}
	for addr, w := range want {
		got := e.Frames(addr)
		if len(got) != len(w) {
			t.Errorf("0x%08x: %+v, want %+v", addr, got, w)
			continue
		}
		for i := range w {
			if got[i] != w[i] {
				t.Errorf("0x%08x frame %d: %+v, want %+v", addr, i, got[i], w[i])
			}
		}
	}
}

// A damaged line table costs lines, not functions.
func TestDamagedLineTable(t *testing.T) {
	s := handDWARF()
	s[".debug_line"] = s[".debug_line"][:20]
	e := open(t, withDWARF(s))
	fs := e.Frames(0x42010030)
	if len(fs) != 2 || fs[0].Function != "in" || fs[0].Line != 0 {
		t.Errorf("%+v", fs)
	}
}

// Damaged entries leave the symbol table.
func TestDamagedInfo(t *testing.T) {
	s := handDWARF()
	s[".debug_abbrev"] = []byte{1, 2, 3}
	e := open(t, withDWARF(s))
	if _, err := e.DebugInfo(); err == nil {
		t.Error("no error")
	}
	if fs := e.Frames(0x42010022); len(fs) != 1 || fs[0].Function != "main" || fs[0].Source != FromSymbols {
		t.Errorf("%+v", fs)
	}
}

// A version 5 header that claims 2^40 files must be rejected.
func TestLineTableClaimsTooMuch(t *testing.T) {
	header := []byte{1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 1, 1, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f}
	line := append([]byte{5, 0, 4, 0, byte(len(header)), 0, 0, 0}, header...)
	line = append([]byte{byte(len(line)), 0, 0, 0}, line...)
	s := handDWARF()
	s[".debug_line"] = line
	if fs := open(t, withDWARF(s)).Frames(0x42010030); len(fs) != 2 {
		t.Errorf("%+v", fs)
	}
	// The same with an entry format that takes no bytes.
	header = []byte{1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f}
	line = append([]byte{5, 0, 4, 0, byte(len(header)), 0, 0, 0}, header...)
	s[".debug_line"] = append([]byte{byte(len(line)), 0, 0, 0}, line...)
	if fs := open(t, withDWARF(s)).Frames(0x42010030); len(fs) != 2 {
		t.Errorf("%+v", fs)
	}
}

// FuzzOpen asks everything about arbitrary bytes.
func FuzzOpen(f *testing.F) {
	f.Add(smallFirmware())
	f.Add(withDWARF(handDWARF()))
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Open(bytes.NewReader(b), Options{})
		if err != nil {
			return
		}
		e.Functions()
		e.Lookup("main")
		e.AppDescriptor()
		e.Metadata()
		e.Regions()
		e.DebugInfo()
		for _, r := range e.ExecutableRanges() {
			for _, a := range []uint32{r.Start, r.Start + 2, r.Start + 0x10, uint32(r.End - 1), uint32(r.End)} {
				e.Frames(a)
				e.SymbolAt(a)
			}
		}
	})
}

// FuzzSections fuzzes the debug sections of an otherwise sound file: random
// changes to a whole ELF rarely get that far.
func FuzzSections(f *testing.F) {
	s := handDWARF()
	f.Add(s[".debug_abbrev"], s[".debug_info"], s[".debug_line"], []byte{}, []byte("a\x00b\x00"))
	f.Fuzz(func(t *testing.T, abbrev, info, line, ranges, str []byte) {
		e, err := Open(bytes.NewReader(withDWARF(map[string][]byte{
			".debug_abbrev": abbrev, ".debug_info": info, ".debug_line": line,
			".debug_ranges": ranges, ".debug_rnglists": ranges, ".debug_str": str, ".debug_line_str": str,
			".debug_str_offsets": ranges, ".debug_addr": ranges,
		})), Options{})
		if err != nil {
			t.Fatal(err)
		}
		e.DebugInfo()
		for a := uint32(0x42010020); a < 0x42010120; a += 2 {
			e.Frames(a)
		}
	})
}
