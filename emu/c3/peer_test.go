package c3

import (
	"os"
	"path/filepath"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/elftest"
)

// espflash returns the directory with Espressif's mask ROMs and bootloaders:
// the resources of the espflash crate, from $ESPALIER_PEERS or cargo's own
// cache.
func espflash(t testing.TB) string {
	t.Helper()
	var candidates []string
	if peers := os.Getenv("ESPALIER_PEERS"); peers != "" {
		candidates = append(candidates, filepath.Join(peers, "espflash", "resources"))
	}
	home := os.Getenv("CARGO_HOME")
	if home == "" {
		if user, err := os.UserHomeDir(); err == nil {
			home = filepath.Join(user, ".cargo")
		}
	}
	if cached, err := filepath.Glob(filepath.Join(home, "registry", "src", "*", "espflash-4.7.0", "resources")); err == nil {
		candidates = append(candidates, cached...)
	}
	for _, dir := range candidates {
		if st, err := os.Stat(filepath.Join(dir, "roms")); err == nil && st.IsDir() {
			return dir
		}
	}
	devtest.Missing(t, "the resources of the espflash crate 4.7.0 (mask ROM and bootloader)")
	return ""
}

func readFile(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// maskROM returns a mask ROM: rev0, rev101 or rev300.
func maskROM(t testing.TB, rev string) []byte {
	t.Helper()
	return readFile(t, espflash(t), "roms", "esp32c3_"+rev+"_rom.elf")
}

// flashed returns a merged flash image of the bootloader and an ELF file.
func flashed(t testing.TB, elf []byte) []byte {
	t.Helper()
	f, err := image.FromELF(elf, image.Inputs{Bootloader: readFile(t, espflash(t), "bootloaders", "esp32c3-bootloader.bin")})
	if err != nil {
		t.Fatal(err)
	}
	return f.Merged()
}

// app returns a flash image of the program as an application that runs from
// flash through the cache.
func app(t testing.TB, write func(a *asm)) []byte {
	t.Helper()
	a := &asm{base: 0x42010020}
	write(a)
	return flashed(t, elftest.File{
		Entry: a.base,
		Sections: []elftest.Section{
			{Name: ".flash.appdesc", Addr: 0x3c000020, Data: elftest.Descriptor("guest", "1.0.0"), Flags: elftest.Alloc},
			{Name: ".rodata", Addr: 0x3c000120, Data: elftest.Fill(2000, 9), Flags: elftest.Alloc},
			{Name: ".text", Addr: a.base, Data: append(a.code, elftest.Fill(30000, 8)...), Flags: elftest.Alloc},
		},
	}.Bytes())
}

// firmware returns a flash image of a program that scripts/firmware built.
func firmware(t testing.TB, name string) []byte {
	t.Helper()
	path := filepath.Join(devtest.Store(t), "firmware", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		devtest.Missing(t, path)
	}
	return flashed(t, readFile(t, path))
}

// console collects the output of a board.
type console struct{ out [3][]byte }

func (c *console) take(o emu.Output) { c.out[o.Stream] = append(c.out[o.Stream], o.Data...) }

func (c *console) text(s emu.Stream) string { return string(c.out[s]) }

// boot makes a board with a real mask ROM and a console.
func boot(t testing.TB, cfg emu.Config) (*emu.Board, *console) {
	t.Helper()
	if cfg.ROM == nil {
		cfg.ROM = maskROM(t, "rev300")
	}
	var c console
	if cfg.Output == nil {
		cfg.Output = c.take
	}
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b, &c
}
