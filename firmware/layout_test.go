package firmware

import "testing"

// TestLayout: every byte of a section is in one extent, and the innermost
// function is the inlined one where there is one.
func TestLayout(t *testing.T) {
	e := open(t, withDWARF(handDWARF()))
	l := e.Layout()
	if len(l.Sections) != 1 || l.Sections[0].Name != ".text" {
		t.Fatalf("sections %v", l.Sections)
	}
	next := uint64(l.Sections[0].Addr)
	bytes := map[string]uint64{}
	for _, x := range l.Extents {
		if uint64(x.Start) != next || x.End <= next {
			t.Errorf("an extent from 0x%x to 0x%x after 0x%x", x.Start, x.End, next)
		}
		next = x.End
		name := "none"
		if x.Function >= 0 {
			name = l.Functions[x.Function].Display
		}
		if x.Symbol >= 0 {
			name += " in " + l.Symbols[x.Symbol].Linker
		}
		bytes[name] += x.End - uint64(x.Start)
	}
	if next != uint64(l.Sections[0].Addr)+uint64(l.Sections[0].Size) {
		t.Errorf("the extents end at 0x%x", next)
	}
	want := map[string]uint64{"out in main": 0x70, "in in main": 0x10, "none": 0x80}
	for name, n := range want {
		if bytes[name] != n {
			t.Errorf("%s: %d bytes, want %d (all: %v)", name, bytes[name], n, bytes)
		}
	}
}
