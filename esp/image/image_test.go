package image

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/esp/chip"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/elftest"
)

func mustFlash(t *testing.T, elf []byte, in Inputs) *Flash {
	t.Helper()
	if in.Bootloader == nil {
		in.Bootloader = elftest.Bootloader(5)
	}
	f, err := FromELF(elf, in)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAppImage(t *testing.T) {
	raw := elftest.Hello().Bytes()
	f := mustFlash(t, raw, Inputs{MinChipRev: 3})
	img, err := Parse(f.App())
	if err != nil {
		t.Fatal(err)
	}
	if p := img.Problems(); p != nil {
		t.Errorf("problems: %v", p)
	}
	if img.Size != len(f.App()) || !img.ChecksumOK || !img.DigestOK {
		t.Errorf("size %d of %d, checksum %v, digest %v", img.Size, len(f.App()), img.ChecksumOK, img.DigestOK)
	}
	h := img.Header
	if h.Entry != 0x4201_0020 || h.ChipID != 5 || h.MinRev != 3 || h.MaxRev != 199 || h.Mode != DIO || h.Freq != Freq40M || h.Size != 4<<20 {
		t.Errorf("header %+v", h)
	}
	d := img.Descriptor
	if d == nil {
		t.Fatal("no descriptor at 0x20")
	}
	if d.Project != "hello" || d.Version != "0.1.0" || d.IDFVersion != "5.5.1" || d.PageSize != 64<<10 {
		t.Errorf("descriptor %+v", d)
	}
	if d.ELFSHA256 != sha256.Sum256(raw) {
		t.Errorf("descriptor's ELF sha256 is %x", d.ELFSHA256)
	}
	// The segments must say what the sections said.
	for _, s := range elftest.Hello().Sections {
		if s.Flags&elf.SHF_ALLOC == 0 || s.Type == elf.SHT_NOBITS || s.Name == ".flash.appdesc" {
			continue
		}
		if got := loaded(img, s.Addr, len(s.Data)); !bytes.Equal(got, s.Data) {
			t.Errorf("%s at 0x%08x is not in the image as it was", s.Name, s.Addr)
		}
	}
}

// loaded returns what is at addr after the bootloader has loaded img, in
// pieces if need be.
func loaded(img *Image, addr uint32, n int) []byte {
	out := make([]byte, 0, n)
	for len(out) < n {
		found := false
		for _, s := range img.Segments {
			if at := addr + uint32(len(out)); s.Addr != 0 && s.Addr <= at && at < s.Addr+uint32(len(s.Data)) {
				out = append(out, s.Data[at-s.Addr:min(len(s.Data), int(at-s.Addr)+n-len(out))]...)
				found = true
			}
		}
		if !found {
			break
		}
	}
	return out
}

func TestInputsAreNotChanged(t *testing.T) {
	raw, boot := elftest.Hello().Bytes(), elftest.Bootloader(5)
	rawSum, bootSum := sha256.Sum256(raw), sha256.Sum256(boot)
	mustFlash(t, raw, Inputs{Bootloader: boot, Params: Params{QIO, Freq80M, 8 << 20}})
	if sha256.Sum256(raw) != rawSum || sha256.Sum256(boot) != bootSum {
		t.Error("FromELF wrote into its inputs")
	}
}

func TestQuadModeStaysOutOfTheBootloader(t *testing.T) {
	for _, m := range []Mode{QIO, QOUT} {
		f := mustFlash(t, elftest.Hello().Bytes(), Inputs{Params: Params{Mode: m}})
		boot, err := Parse(f.Parts[0].Bytes)
		if err != nil {
			t.Fatal(err)
		}
		app, _ := Parse(f.App())
		if boot.Header.Mode != DIO || !boot.DigestOK || app.Header.Mode != m {
			t.Errorf("%s: bootloader says %s (digest ok: %v), app says %s", m, boot.Header.Mode, boot.DigestOK, app.Header.Mode)
		}
	}
}

func TestLoadAddress(t *testing.T) {
	f := elftest.Hello()
	f.Sections[2].Addr, f.Sections[2].Load = 0x5000_0000, 0x3fc8_0424 // runs in RTC memory, loaded elsewhere
	img, err := Parse(mustFlash(t, f.Bytes(), Inputs{}).App())
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded(img, 0x3fc8_0424, 0x5a); !bytes.Equal(got, f.Sections[2].Data) {
		t.Error("the section is not at its load address")
	}
	f.Sections[2].Load = 0x3c00_8000 // in flash: the program copies it itself
	img, err = Parse(mustFlash(t, f.Bytes(), Inputs{}).App())
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded(img, 0x5000_0000, 0x5a); !bytes.Equal(got, f.Sections[2].Data) {
		t.Error("a load address in flash moved the section")
	}
}

// with returns Hello changed by f.
func with(change func(*elftest.File)) []byte {
	f := elftest.Hello()
	change(&f)
	return f.Bytes()
}

func wide(machine elf.Machine) []byte {
	b := make([]byte, 64)
	copy(b, elf.ELFMAG)
	b[elf.EI_CLASS], b[elf.EI_DATA], b[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	b[16], b[18], b[20], b[52], b[54], b[58] = 2, byte(machine), 1, 64, 56, 64
	return b
}

func TestRefusedELF(t *testing.T) {
	tests := []struct {
		name string
		elf  []byte
		in   Inputs
		as   any
		text string
	}{
		{"empty", nil, Inputs{}, new(*FormatError), "not an ELF file"},
		{"text", []byte("hello"), Inputs{}, new(*FormatError), "not an ELF file"},
		{"cut", elftest.Hello().Bytes()[:100], Inputs{}, new(*FormatError), "damaged ELF file"},
		{"xtensa", with(func(f *elftest.File) { f.Machine = elf.EM_XTENSA }), Inputs{}, new(*ArchError), "an ELF for Xtensa (ESP32, ESP32-S2 or ESP32-S3); the ESP32-C3 runs 32-bit RISC-V programs"},
		{"arm", with(func(f *elftest.File) { f.Machine = elf.EM_ARM }), Inputs{}, new(*ArchError), "an ELF for ARM;"},
		{"avr", with(func(f *elftest.File) { f.Machine = elf.EM_AVR }), Inputs{}, new(*ArchError), "an ELF for AVR;"},
		{"riscv64", wide(elf.EM_RISCV), Inputs{}, new(*ArchError), "a 64-bit ELF for RISC-V;"},
		{"host", wide(elf.EM_X86_64), Inputs{}, new(*ArchError), "an ELF for x86-64;"},
		{"big endian", with(func(f *elftest.File) { f.Big = true }), Inputs{}, new(*ArchError), "a big-endian ELF for RISC-V;"},
		{"float registers", with(func(f *elftest.File) { f.Flags = 2 }), Inputs{}, new(*ArchError), "floating point in registers"},
		{"object file", with(func(f *elftest.File) { f.Type = elf.ET_REL }), Inputs{}, new(*FormatError), "an object file, not a linked program"},
		{"esp32c6 by metadata", with(func(f *elftest.File) { f.Sections[7].Data = []byte("esp32c60") }), Inputs{}, new(*ChipError), "made for esp32c6, not for the ESP32-C3: so says its build information"},
		{"esp32c6 by address", with(func(f *elftest.File) {
			f.Sections[0].Addr = 0x4080_0000
			f.Symbols = nil
		}), Inputs{}, new(*ChipError), "made for esp32c5, esp32c6, esp32c61 or esp32h2, not for the ESP32-C3: section .trap is placed at 0x40800000"},
		{"linux", with(func(f *elftest.File) { f.Sections[6].Addr = 0x0001_0000 }), Inputs{}, new(*ChipError), "section .text is placed at 0x00010000, where the ESP32-C3 has no memory"},
		{"leaves its memory", with(func(f *elftest.File) { f.Sections[2].Addr = 0x3fcd_fff0 }), Inputs{}, new(*ChipError), "section .data is placed at 0x3fcdfff0"},
		{"nothing to load", with(func(f *elftest.File) { f.Sections = f.Sections[7:]; f.Symbols = nil }), Inputs{}, new(*FormatError), "no section to load"},
		{"no descriptor", with(func(f *elftest.File) { f.Sections[4].Name = ".rodata0" }), Inputs{}, new(*NoDescriptorError), "no application descriptor: the bootloader would refuse this program"},
		{"descriptor elsewhere", with(func(f *elftest.File) { f.Sections[4].Addr, f.Sections[5].Addr = 0x3c00_0120+0x8f4, 0x3c00_0020 }), Inputs{}, new(*NoDescriptorError), "is not at the start of the image"},
		{"descriptor without magic", with(func(f *elftest.File) { f.Sections[4].Data = make([]byte, 256) }), Inputs{}, new(*NoDescriptorError), "no application descriptor"},
		{"overlap", with(func(f *elftest.File) { f.Sections[1].Addr = 0x4038_02fc }), Inputs{}, new(*OverlapError), "sections .trap and .rwtext overlap at 0x403802fc"},
		{"overlap on the other bus", with(func(f *elftest.File) { f.Sections[2].Addr = 0x3fc8_0300 }), Inputs{}, new(*AliasError), "overlap: 0x40380300 and 0x3fc80300 are the same byte of SRAM"},
		{"unaligned", with(func(f *elftest.File) { f.Sections[2].Addr = 0x3fc8_0426 }), Inputs{}, new(*FormatError), "section .data: the address 0x3fc80426 is not a multiple of 4"},
		{"too many segments", with(func(f *elftest.File) {
			for i := range 16 {
				f.Sections = append(f.Sections, elftest.Section{Name: ".x", Addr: 0x3fc9_0000 + uint32(i)*64, Data: elftest.Fill(8, 1), Flags: elftest.Alloc})
			}
		}), Inputs{}, new(*SegmentsError), "segments; the boot chain loads at most 16"},
		{"too large", elftest.Hello().Bytes(), Inputs{Table: partition.Table{Entries: []partition.Entry{
			{Name: "nvs", Type: partition.Data, Subtype: partition.DataNVS, Offset: 0x9000, Size: 0x6000},
			{Name: "main", Type: partition.App, Offset: 0x10000, Size: 0x10000},
		}}}, new(*TooLargeError), "application image is too large for partition main: 74640 bytes, 9104 too many for 65536"},
		{"flash size", elftest.Hello().Bytes(), Inputs{Params: Params{Size: 3 << 20}}, new(*FlashSizeError), "not a flash size"},
		{"table larger than flash", elftest.Hello().Bytes(), Inputs{Table: partition.Default(4 << 20), Params: Params{Size: 2 << 20}}, new(*partition.FitError), "partition factory (0x10000-0x400000) ends 2097152 bytes after the end of a flash of 2048 KiB"},
		{"no such partition", elftest.Hello().Bytes(), Inputs{App: "ota_7"}, new(*partition.NoPartitionError), "no partition called ota_7"},
		{"partition of data", elftest.Hello().Bytes(), Inputs{App: "nvs"}, new(*partition.RuleError), "partition nvs: has type data"},
		{"table over partition", elftest.Hello().Bytes(), Inputs{TableOffset: 0x9000}, new(*partition.RuleError), "partition nvs: starts at 0x9000, but bootloader and partition table take everything below 0xa000"},
		{"table over bootloader", elftest.Hello().Bytes(), Inputs{TableOffset: 0x1000, Bootloader: append(elftest.Bootloader(5), make([]byte, 0x1000)...)}, new(*TooLargeError), "bootloader is too large for the space before the partition table at 0x1000"},
		{"bootloader of another chip", elftest.Hello().Bytes(), Inputs{Bootloader: elftest.Bootloader(13)}, new(*ChipError), "bootloader: made for esp32c6"},
		{"no bootloader", elftest.Hello().Bytes(), Inputs{Bootloader: []byte{}}, new(*FormatError), "bootloader: 0 bytes, less than an image header"},
		{"damaged bootloader", elftest.Hello().Bytes(), Inputs{Bootloader: damaged(elftest.Bootloader(5), 0x40)}, new(*FormatError), "bootloader: byte 0x52f: checksum mismatch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.in.Bootloader == nil {
				tt.in.Bootloader = elftest.Bootloader(5)
			}
			_, err := FromELF(tt.elf, tt.in)
			if err == nil {
				t.Fatal("no error")
			}
			if !errors.As(err, tt.as) {
				t.Errorf("error is a %T, want %T", err, tt.as)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %q\ndoes not say %q", err, tt.text)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error of several lines: %q", err)
			}
		})
	}
}

func damaged(b []byte, at int) []byte {
	b[at] ^= 1
	return b
}

// A program of before esp-hal had descriptors gets one, in a segment that is not
// loaded, for any eFuse block revision. Its own segments stay as they are.
func TestProgramBeforeDescriptors(t *testing.T) {
	old := with(func(f *elftest.File) {
		f.Sections[4].Name, f.Sections[4].Data = ".rodata0", bytes.Repeat([]byte("old "), 64)
		f.Sections = slices.DeleteFunc(f.Sections, func(s elftest.Section) bool { return s.Name == ".espressif.metadata" })
		f.Symbols = nil
	})
	img, err := Parse(mustFlash(t, old, Inputs{}).App())
	if err != nil {
		t.Fatal(err)
	}
	d := img.Descriptor
	if d == nil || d.MinBlockRev != 0 || d.MaxBlockRev != 0xffff || d.PageSize != chip.ESP32C3().PageSize || d.ELFSHA256 != sha256.Sum256(old) || d.Project != "" {
		t.Fatalf("descriptor %+v", d)
	}
	if first := img.Segments[0]; first.Addr != 0 || len(first.Data) != descSize {
		t.Errorf("the first segment is for 0x%x", first.Addr)
	}
	loaded := func(img *Image) (out []string) {
		for _, s := range img.Segments {
			if s.Addr != 0 {
				out = append(out, fmt.Sprintf("0x%08x, %d bytes", s.Addr, len(s.Data)))
			}
		}
		return out
	}
	today, err := Parse(mustFlash(t, elftest.Hello().Bytes(), Inputs{}).App())
	if err != nil {
		t.Fatal(err)
	}
	// The first segment moves RAM segments, which are cut to fill gaps.
	flash := func(list []string) []string {
		return slices.DeleteFunc(list, func(s string) bool { return !strings.HasPrefix(s, "0x3c") && !strings.HasPrefix(s, "0x42") })
	}
	if got, want := flash(loaded(img)), flash(loaded(today)); !slices.Equal(got, want) {
		t.Errorf("segments in flash %q, want %q", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	app := mustFlash(t, elftest.Hello().Bytes(), Inputs{}).App()
	change := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(app)) }
	tests := []struct {
		name string
		b    []byte
		text string
	}{
		{"empty", nil, "0 bytes, less than an image header"},
		{"no magic", change(func(b []byte) []byte { b[0] = 0x7f; return b }), "starts with 0x7f"},
		{"no segment", change(func(b []byte) []byte { b[1] = 0; return b }), "0 segments"},
		{"17 segments", change(func(b []byte) []byte { b[1] = 17; return b }), "17 segments"},
		{"cut in a segment", app[:0x500], "are there"},
		{"cut before a segment", app[:headerSize+4], "ends before segment 1"},
		{"cut before the digest", app[:len(app)-1], "ends before its sha256"},
		{"cut before the checksum", app[:len(app)-33], "ends before its checksum"},
		{"length", change(func(b []byte) []byte { b[headerSize+4]++; return b }), "not a multiple of 4"},
	}
	for _, tt := range tests {
		_, err := Parse(tt.b)
		if err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.text)
		}
	}
}

func TestProblems(t *testing.T) {
	app := mustFlash(t, elftest.Hello().Bytes(), Inputs{}).App()
	tests := []struct {
		name   string
		change func(b []byte)
		want   string
	}{
		{"data", func(b []byte) { b[0x200] ^= 1 }, "checksum mismatch"},
		{"digest", func(b []byte) { b[len(b)-1] ^= 1 }, "sha256 mismatch"},
		{"chip", func(b []byte) { b[12] = 13 }, "made for esp32c6"},
		{"address", func(b []byte) { b[headerSize+3] = 0x20 }, "no memory at 0x20000020"},
		{"congruence", func(b []byte) { b[headerSize] = 0x40 }, "cannot be mapped"},
	}
	for _, tt := range tests {
		b := bytes.Clone(app)
		tt.change(b)
		img, err := Parse(b)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if p := strings.Join(img.Problems(), "; "); !strings.Contains(p, tt.want) {
			t.Errorf("%s: problems %q, want %q", tt.name, p, tt.want)
		}
	}
}

func TestParseFlash(t *testing.T) {
	f := mustFlash(t, elftest.Hello().Bytes(), Inputs{Params: Params{Size: 2 << 20}})
	for name, b := range map[string][]byte{"merged": f.Merged(), "trimmed": f.Trimmed()} {
		c, err := ParseFlash(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.BootloaderErr != nil || c.FlashSize != 2<<20 || c.TableOffset != 0x8000 || len(c.Table.Entries) != 3 {
			t.Errorf("%s: %+v", name, c)
		}
		if len(c.Apps) != 1 || c.Apps[0].Image == nil || c.Apps[0].Image.Descriptor.Project != "hello" {
			t.Errorf("%s: apps %+v", name, c.Apps)
		}
		full, err := FullFlash(b)
		if err != nil || !bytes.Equal(full, f.Merged()) {
			t.Errorf("%s: FullFlash: %v, equal to the merged image: %v", name, err, bytes.Equal(full, f.Merged()))
		}
	}
}

func TestFromApp(t *testing.T) {
	in := Inputs{Bootloader: elftest.Bootloader(5), Params: Params{Size: 8 << 20}}
	f := mustFlash(t, elftest.Hello().Bytes(), in)
	again, err := FromApp(append(bytes.Clone(f.App()), "what follows is not part of it"...), in)
	if err != nil || !bytes.Equal(again.Merged(), f.Merged()) {
		t.Errorf("the app alone gives another flash: %v", err)
	}
	if _, err := FromApp(elftest.Bootloader(13), in); err == nil || !strings.Contains(err.Error(), "made for esp32c6") {
		t.Errorf("another chip's image: %v", err)
	}
	if _, err := FromApp(elftest.Bootloader(5), in); err == nil || !strings.Contains(err.Error(), "no application descriptor") {
		t.Errorf("a bootloader as app: %v", err)
	}
}

func TestFlashOfOddSize(t *testing.T) {
	f := mustFlash(t, elftest.Hello().Bytes(), Inputs{})
	for _, tt := range []struct {
		name string
		b    []byte
		text string
	}{
		{"one byte short", f.Merged()[:4<<20-1], "a flash image of 4194303 bytes: not a flash size (1, 2, 4, 8 or 16 MiB); it is 1 bytes less than 4 MiB"},
		{"one byte long", append(f.Merged(), 0xff), "4194305 bytes: not a flash size (1, 2, 4, 8 or 16 MiB); it is 1 bytes more than 4 MiB"},
		{"trimmed and cut", f.Trimmed()[:len(f.Trimmed())-1], "not a flash size"},
		{"trimmed and more", append(f.Trimmed(), 0), "not a flash size"},
		{"nothing", nil, "a flash image of 0 bytes"},
	} {
		_, err := FullFlash(tt.b)
		var size *FlashSizeError
		if !errors.As(err, &size) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.text)
		}
	}
}

func TestTableElsewhere(t *testing.T) {
	table, err := partition.ParseCSV([]byte("nvs,data,nvs,0x11000,0x6000\nfactory,app,factory,,1M"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseFlash(mustFlash(t, elftest.Hello().Bytes(), Inputs{Table: table}).Merged())
	if err != nil || c.TableOffset != 0x10000 {
		t.Errorf("%v, %+v", err, c)
	}
}

func TestIdentify(t *testing.T) {
	f := mustFlash(t, elftest.Hello().Bytes(), Inputs{})
	// An app that by chance carries a whole valid table where a flash has it.
	app := mustFlash(t, with(func(e *elftest.File) {
		e.Sections[5].Data = elftest.Fill(0x9000, 1)
		copy(e.Sections[5].Data[0x8000-0x120:], partition.Default(0).Binary())
	}), Inputs{}).App()
	if !partition.IsBinary(app[0x8000:]) {
		t.Fatal("the trap is not set")
	}
	brokenTable := f.Merged()
	brokenTable[0x8010]++
	for _, tt := range []struct {
		name string
		b    []byte
		want Kind
	}{
		{"elf", elftest.Hello().Bytes(), ELF},
		{"foreign elf", wide(elf.EM_X86_64), ELF},
		{"app", f.App(), Single},
		{"app with a table inside", app, Single},
		{"bootloader", f.Parts[0].Bytes, Single},
		{"merged", f.Merged(), WholeFlash},
		{"trimmed", f.Trimmed(), WholeFlash},
		{"merged, broken table", brokenTable, WholeFlash},
		{"table", f.Parts[1].Bytes, TableBinary},
		{"csv", partition.Default(0).CSV(), TableCSV},
		{"csv with a heading", []byte("Name,Type,SubType,Offset\n"), TableCSV},
		{"empty", nil, Unknown},
		{"zeros", make([]byte, 1<<20), Unknown},
		{"text", []byte("[package]\nname = 1\n"), Unknown},
	} {
		if got := Identify(tt.b); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestParseParameters(t *testing.T) {
	for _, m := range []Mode{ModeKeep, QIO, QOUT, DIO, DOUT} {
		if got, err := ParseMode(m.String()); err != nil || got != m {
			t.Errorf("ParseMode(%s) = %v, %v", m, got, err)
		}
	}
	for _, f := range []Freq{FreqDefault, Freq20M, Freq26M, Freq40M, Freq80M} {
		if got, err := ParseFreq(f.String()); err != nil || got != f {
			t.Errorf("ParseFreq(%s) = %v, %v", f, got, err)
		}
	}
	for s, want := range map[string]uint32{"": 0, "1MB": 1 << 20, "4mb": 4 << 20, "16MiB": 16 << 20, "8M": 8 << 20} {
		if got, err := ParseSize(s); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"3MB", "32MB", "4", "MB", "-4MB", "4GB", "4096"} {
		if got, err := ParseSize(s); err == nil {
			t.Errorf("ParseSize(%q) = %d", s, got)
		}
	}
	if _, err := ParseMode("quad"); err == nil {
		t.Error("ParseMode accepts nonsense")
	}
	if _, err := ParseFreq("48MHz"); err == nil {
		t.Error("ParseFreq accepts what the chip cannot do")
	}
}

// TestGap holds the formula to its meaning: afterwards the data's offset and
// its address agree within a page, and no smaller gap would do.
func TestGap(t *testing.T) {
	const page = 0x1_0000
	for _, addr := range []uint32{0x3c00_0020, 0x4201_0020, 0x4201_0000, 0x4200_0004, 0x4200_fffc} {
		for pos := headerSize; pos < headerSize+3*page; pos += 4 {
			n := gap(pos, addr, page)
			at := pos + segHeaderSize
			if n > 0 {
				at += n + segHeaderSize
			}
			if uint32(at)%page != addr%page || n > page {
				t.Fatalf("gap(0x%x, 0x%08x) = %d puts the data at 0x%x", pos, addr, n, at)
			}
		}
	}
}
