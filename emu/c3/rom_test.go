package c3

import (
	"debug/elf"
	"errors"
	"strings"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/elftest"
)

func TestROMErrors(t *testing.T) {
	for _, k := range []struct {
		name string
		rom  []byte
		want string
	}{
		{"none", nil, "none given"},
		{"text", []byte("hello"), "5 bytes that are not an ELF file"},
		{"cut ELF", []byte("\x7fELF"), "mask ROM: "},
		{"another machine", elftest.File{Machine: elf.EM_ARM, Entry: romBase}.Bytes(), "EM_ARM"},
		{"an application", elftest.Hello().Bytes(), "entry point 0x42010020"},
		{"nothing to copy", elftest.File{Entry: romBase}.Bytes(), "no table of initial data"},
	} {
		t.Run(k.name, func(t *testing.T) {
			_, err := New(emu.Config{ROM: k.rom})
			var e *emu.ROMError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), k.want) {
				t.Errorf("got %v, want %q", err, k.want)
			}
		})
	}
}

// loadROM puts the RAM variables' initial values where the start code expects
// them, in every revision.
func TestROMInitialData(t *testing.T) {
	for _, rev := range []string{"rev0", "rev101", "rev300"} {
		rom, err := FlatROM(maskROM(t, rev))
		if err != nil {
			t.Fatal(err)
		}
		table := findCopyTable(rom)
		if len(table) < 20*16 {
			t.Fatalf("%s: table of %d entries", rev, len(table)/16)
		}
		filled := 0
		for ; len(table) > 0; table = table[16:] {
			start, end, src := le32(table), le32(table[4:]), le32(table[8:])
			for _, b := range rom[src-romBase:][:end-start] {
				if b != 0 {
					filled++
					break
				}
			}
		}
		if filled < 8 {
			t.Errorf("%s: only %d variables have initial values", rev, filled)
		}
	}
}
