package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/elftest"
)

// direct is a program for direct boot as esp32c3-hal linked it: code at byte 8,
// constants after it, and data that the program copies to RAM.
func direct(change func(*elftest.File)) []byte {
	magic := binary.LittleEndian.AppendUint32(nil, directWord)
	f := elftest.File{Entry: 0x4200_0008, Sections: []elftest.Section{
		{Name: ".header", Addr: 0x4200_0000, Zero: true, Data: append(magic, magic...), Flags: elftest.Alloc},
		{Name: ".text", Addr: 0x4200_0008, Load: 8, Data: elftest.Fill(0x100, 1), Flags: elftest.Alloc | elf.SHF_EXECINSTR},
		{Name: ".rodata", Addr: 0x3c00_0110, Load: 0x110, Data: elftest.Fill(0x40, 2), Flags: elftest.Alloc},
		{Name: ".data", Addr: 0x3fc8_0000, Load: 0x150, Data: elftest.Fill(6, 3), Flags: elftest.Alloc | elf.SHF_WRITE},
		{Name: ".comment", Data: []byte("not loaded")},
	}}
	if change != nil {
		change(&f)
	}
	return f.Bytes()
}

func TestDirectBoot(t *testing.T) {
	raw := direct(nil)
	if err := CheckELF(raw); err != nil {
		t.Fatal(err)
	}
	flash, err := FromELF(raw, Inputs{Bootloader: elftest.Bootloader(5)})
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Join([][]byte{{0x1d, 0x04, 0xdb, 0xae, 0x1d, 0x04, 0xdb, 0xae}, elftest.Fill(0x100, 1), make([]byte, 8), elftest.Fill(0x40, 2), elftest.Fill(6, 3), {0, 0}}, nil)
	if len(flash.Parts) != 1 || flash.Parts[0].Offset != 0 || !bytes.Equal(flash.App(), want) {
		t.Errorf("%d parts, %x\nwant %x", len(flash.Parts), flash.App(), want)
	}
	if m := flash.Merged(); len(m) != 4<<20 || !bytes.HasPrefix(m, want) || m[len(want)] != 0xff {
		t.Errorf("merged: %d bytes", len(m))
	}
	if !bytes.Equal(flash.Trimmed(), want) {
		t.Error("trimmed")
	}

	for name, c := range map[string]struct {
		b    []byte
		size uint32 // that is asked for
		want uint32
	}{
		"the program alone":    {want, 0, 4 << 20},
		"a smaller flash":      {want, 2 << 20, 2 << 20},
		"a dump":               {slices.Concat(want, bytes.Repeat([]byte{0xff}, 16<<20-len(want))), 0, 16 << 20},
		"a cut dump":           {slices.Concat(want, bytes.Repeat([]byte{0xff}, 1000)), 0, 4 << 20},
		"more than 4 MiB":      {slices.Concat(want, make([]byte, 5<<20)), 0, 8 << 20},
		"too large":            {slices.Concat(want, make([]byte, 5<<20)), 4 << 20, 0},
		"larger than any chip": {slices.Concat(want, make([]byte, 17<<20)), 0, 0},
	} {
		got, err := FromDirect(c.b, Inputs{Params: Params{Size: c.size}})
		switch {
		case c.want == 0:
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		case err != nil || got.Size != c.want || !bytes.HasPrefix(got.Merged(), bytes.TrimRight(c.b, "\xff")) || len(got.Merged()) != int(c.want):
			t.Errorf("%s: %v, %+v", name, err, got)
		}
		if kind := Identify(c.b); kind != Direct {
			t.Errorf("%s: %v", name, kind)
		}
	}
	if _, err := FromDirect(want[4:], Inputs{}); !errors.As(err, new(*FormatError)) {
		t.Errorf("an image without the mark: %v", err)
	}

	for name, c := range map[string]struct {
		change func(*elftest.File)
		in     Inputs
		as     any
		text   string
	}{
		"another chip": {func(f *elftest.File) { f.Sections[3].Addr = 0x4080_0000 }, Inputs{}, new(*ChipError), "section .data is placed at 0x40800000"},
		"overlap":      {func(f *elftest.File) { f.Sections[2].Load = 0x100 }, Inputs{}, new(*OverlapError), "sections .text and .rodata overlap"},
		"too large":    {func(f *elftest.File) { f.Sections[3].Load = 0x12_0000 }, Inputs{Params: Params{Size: 1 << 20}}, new(*TooLargeError), "program is too large for the flash"},
		"another mark": {func(f *elftest.File) { f.Sections[0].Data[4] = 0 }, Inputs{}, new(*ChipError), "section .header is placed at 0x00000000"},
	} {
		t.Run(name, func(t *testing.T) {
			c.in.Bootloader = elftest.Bootloader(5)
			_, err := FromELF(direct(c.change), c.in)
			if !errors.As(err, c.as) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v", err)
			}
		})
	}
}
