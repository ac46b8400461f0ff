package image_test

import (
	"debug/elf"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/elftest"
	"espalier.dev/espalier/internal/store"
)

const (
	drom = 0x3c00_0020
	irom = 0x4200_0020
)

func rodata(name string, addr uint32, data string) elftest.Section {
	return elftest.Section{Name: name, Addr: addr, Data: []byte(data), Flags: elftest.Alloc}
}

// program makes an ELF of a descriptor, read-only sections and code that prints
// the constants at the addresses want.
func program(text uint32, sections []elftest.Section, want ...uint32) elftest.File {
	f := elftest.Hello()
	descriptor := f.Sections[4]
	code := elftest.Section{Name: ".text", Addr: text, Data: elftest.PrintConstants(want...), Flags: elftest.Alloc | elf.SHF_EXECINSTR}
	return elftest.File{Entry: text, Sections: append([]elftest.Section{descriptor, code}, sections...)}
}

// joined are programs whose read-only sections have gaps between them, as linker
// scripts of esp-hal 1.0 and others made them.
var joined = []struct {
	name  string
	elf   elftest.File
	print string
}{
	{"no gap", program(irom+0x1_0000, []elftest.Section{rodata(".rodata", drom+0x100, "A..."), rodata(".rodata.wifi", drom+0x104, "B...")},
		drom+0x100, drom+0x104), "const AB\n"},
	{"4 bytes", program(irom+0x1_0000, []elftest.Section{rodata(".rodata", drom+0x100, "A..."), rodata(".rodata.wifi", drom+0x108, "B...")},
		drom+0x100, drom+0x108), "const AB\n"},
	{"aligned to 64", program(irom+0x3_0000, []elftest.Section{rodata(".rodata", 0x3c00_0140, "A...")}, 0x3c00_0140), "const A\n"},
	{"aligned to 4096", program(irom+0x3_0000, []elftest.Section{rodata(".rodata", 0x3c00_1000, "A...")}, 0x3c00_1000), "const A\n"},
	{"aligned to a page", program(irom+0x3_0000, []elftest.Section{rodata(".rodata", 0x3c01_0000, "A...")}, 0x3c01_0000), "const A\n"},
	{"three, pages apart", program(irom+0x4_0000, []elftest.Section{rodata(".rodata", drom+0x160, "A..."), rodata(".rodata.far", drom+0x3_0000, "B...")},
		drom+0x160, drom+0x3_0000), "const AB\n"},
	{"code in two sections", program(irom+0x1_0000, []elftest.Section{{Name: ".text.far", Addr: irom + 0x2_0000, Data: []byte("T..."), Flags: elftest.Alloc | elf.SHF_EXECINSTR},
		rodata(".rodata", drom+0x100, "A...")}, drom+0x100, irom+0x2_0000), "const AT\n"},
	{"code in the page of the constants", program(0x4200_0140, []elftest.Section{}, drom+0x30), "const h\n"},
}

// TestJoined: an image has one segment for each bus, however many sections the
// ELF has, and what the program reads there is what the ELF says.
func TestJoined(t *testing.T) {
	for _, tt := range joined {
		t.Run(tt.name, func(t *testing.T) {
			f, err := image.FromELF(tt.elf.Bytes(), image.Inputs{Bootloader: elftest.Bootloader(5)})
			if err != nil {
				t.Fatal(err)
			}
			img, err := image.Parse(f.App())
			if err != nil {
				t.Fatal(err)
			}
			if p := img.Problems(); p != nil {
				t.Errorf("problems: %v", p)
			}
			checkSections(t, img, tt.elf)
		})
	}
}

// checkSections compares an image with the sections it was made of.
func checkSections(t *testing.T, img *image.Image, f elftest.File) {
	t.Helper()
	flash := map[bool]int{}
	for _, s := range img.Segments {
		if s.Addr>>24 == 0x3c || s.Addr>>24 == 0x42 {
			flash[s.Addr>>24 == 0x3c]++
		}
	}
	if flash[true] != 1 || flash[false] != 1 {
		t.Errorf("%d segments for DROM and %d for IROM, want one of each", flash[true], flash[false])
	}
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 || s.Type == elf.SHT_NOBITS || s.Name == ".flash.appdesc" {
			continue
		}
		for i, want := range s.Data {
			if got, ok := byteAt(img, s.Addr+uint32(i)); !ok || got != want {
				t.Errorf("section %s: byte %d at 0x%08x is 0x%02x, want 0x%02x", s.Name, i, s.Addr+uint32(i), got, want)
				break
			}
		}
	}
}

func byteAt(img *image.Image, addr uint32) (byte, bool) {
	for _, s := range img.Segments {
		if s.Addr != 0 && s.Addr <= addr && addr-s.Addr < uint32(len(s.Data)) {
			return s.Data[addr-s.Addr], true
		}
	}
	return 0, false
}

// TestJoinedBoots starts those images through Espressif's mask ROM and
// bootloader; the program prints its constants.
func TestJoinedBoots(t *testing.T) {
	devtest.Long(t, "boots the emulated chip")
	rom, boot := chipFiles(t)
	for _, tt := range joined {
		t.Run(tt.name, func(t *testing.T) {
			f, err := image.FromELF(tt.elf.Bytes(), image.Inputs{Bootloader: boot})
			if err != nil {
				t.Fatal(err)
			}
			if text := run(t, rom, f.Merged()); !strings.Contains(text, tt.print) {
				t.Errorf("no %q in:\n%s", tt.print, text)
			}
		})
	}
}

// TestSeveralSegments: an image with two segments for DROM, as espflash makes it,
// is one whose constants read wrong on the chip, and Problems says so.
func TestSeveralSegments(t *testing.T) {
	devtest.Long(t, "runs espflash and boots the emulated chip")
	rom, boot := chipFiles(t)
	app := espflashApp(t, joined[1].elf.Bytes())
	img, err := image.Parse(app)
	if err != nil {
		t.Fatal(err)
	}
	if p := strings.Join(img.Problems(), "\n"); !strings.Contains(p, "2 segments for DROM: the bootloader maps only the last") {
		t.Errorf("problems: %q", p)
	}
	f, err := image.FromApp(app, image.Inputs{Bootloader: boot})
	if err != nil {
		t.Fatal(err)
	}
	if text := run(t, rom, f.Merged()); strings.Contains(text, joined[1].print) {
		t.Error("two segments for DROM read right: joining them is not needed")
	}
}

// TestJoinedShapes: whatever gaps the sections have, each byte is where the ELF
// says.
func TestJoinedShapes(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 7))
		var sections []elftest.Section
		at := uint32(drom + 0x100)
		for i := range 1 + r.IntN(4) {
			at = (at + uint32(r.IntN(1<<r.IntN(17))) + 3) &^ 3
			data := elftest.Fill(1+r.IntN(0x3000), at)
			sections = append(sections, elftest.Section{Name: fmt.Sprintf(".rodata%d", i), Addr: at, Data: data, Flags: elftest.Alloc})
			at += uint32(len(data))
		}
		sections = append(sections, elftest.Section{Name: ".data", Addr: 0x3fc8_8000, Data: elftest.Fill(1+r.IntN(0x1_8000), 1), Flags: elftest.Alloc})
		elf := program(irom+(at-drom+0x1_0000)&^0xffff+uint32(r.IntN(64))*4, sections)
		f, err := image.FromELF(elf.Bytes(), image.Inputs{Bootloader: elftest.Bootloader(5)})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		img, err := image.Parse(f.App())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if p := img.Problems(); p != nil {
			t.Errorf("seed %d: %v", seed, p)
		}
		checkSections(t, img, elf)
	}
}

// TestUnmappable: what cannot be joined into one mapping is refused, with the
// names of the sections.
func TestUnmappable(t *testing.T) {
	for _, tt := range []struct {
		name string
		elf  elftest.File
		want any
		text string
	}{
		{"code in the page of other constants", program(irom, []elftest.Section{rodata(".rodata", drom+0x100, "A...")}), new(*image.MapError),
			"section .flash.appdesc and section .text need different flash pages at one entry of the MMU, which serves 0x3c000000 and 0x42000000"},
		{"code amid constants", program(irom+0x2_0000, []elftest.Section{rodata(".rodata.far", drom+0x5_0000, "A...")}), new(*image.MapError),
			"the gap between the sections .flash.appdesc and .rodata.far and section .text need different flash pages at one entry of the MMU, which serves 0x3c020000 and 0x42020000"},
		{"a gap of 5 MiB", program(irom+0x70_0000, []elftest.Section{rodata(".rodata.far", drom+0x50_0000, "A...")}), new(*image.TooLargeError),
			"5242624 bytes of it are the gap between the sections .flash.appdesc and .rodata.far"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := image.FromELF(tt.elf.Bytes(), image.Inputs{Bootloader: elftest.Bootloader(5)})
			if !errors.As(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %v, want %T: %s", err, tt.want, tt.text)
			}
		})
	}
}

func chipFiles(t *testing.T) (rom, boot []byte) {
	t.Helper()
	st, err := store.Open(t.Context(), devtest.Store(t))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if rom, err = chipfiles.Own().ROM(t.Context(), st, chipfiles.EmulatedRevision); err == nil {
		boot, err = chipfiles.Own().Bootloader(t.Context(), st, image.ModeKeep)
	}
	if errors.Is(err, store.ErrMissing) {
		devtest.Missing(t, "the chip's files in the store (scripts/firmware)")
	}
	if err != nil {
		t.Fatal(err)
	}
	return rom, boot
}

// run boots a flash and returns what UART0 printed up to the end of the line of
// constants.
func run(t *testing.T, rom, flash []byte) string {
	t.Helper()
	var text strings.Builder
	b, err := c3.New(emu.Config{ROM: rom, Flash: flash, Output: func(o emu.Output) { text.Write(o.Data) }})
	if err != nil {
		t.Fatal(err)
	}
	b.Run(t.Context(), emu.UntilText("const "), emu.Limit(time.Second/2))
	b.Run(t.Context(), emu.Limit(time.Millisecond))
	return text.String()
}

func espflashApp(t *testing.T, elf []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.elf"), filepath.Join(dir, "out.bin")
	if err := os.WriteFile(in, elf, 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(devtest.Tool(t, "espflash"), "save-image", "--chip", "esp32c3", in, out)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ESPFLASH_SKIP_UPDATE_CHECK=true", "HOME="+dir, "XDG_CONFIG_HOME="+dir)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("espflash: %v\n%s", err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
