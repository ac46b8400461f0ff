package flashing

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/elftest"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/internal/progress"
)

// The flash of a board (the real mask ROM and stub, by UART) is compared by digests, and
// only what differs is read.
func TestContent(t *testing.T) {
	resource := func(name ...string) []byte {
		b, err := os.ReadFile(filepath.Join(append([]string{devtest.Data(t, "espflash"), "resources"}, name...)...))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	stub, err := loader.ParseStub(resource("stubs", "esp32c3.toml"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := image.FromELF(elftest.Hello().Bytes(), image.Inputs{Bootloader: resource("bootloaders", "esp32c3-bootloader.bin")})
	if err != nil {
		t.Fatal(err)
	}
	stored := own.Merged()
	copy(stored[0x9000:], "a stored value")
	copy(stored[0x200000:0x230000], bytes.Repeat([]byte("data of a file system "), 0x230000))
	erased := own.Merged()
	copy(erased[0x10000:], bytes.Repeat([]byte{0xff}, 0x40000))
	for _, tc := range []struct {
		name  string
		flash []byte
		most  time.Duration // of the board's time
	}{
		{"the same", own.Merged(), 6 * time.Second},
		{"with data", stored, 32 * time.Second}, // 256 KiB at 115200 baud are 23 s
		{"erased", erased, 6 * time.Second},
		{"blank", bytes.Repeat([]byte{0xff}, 4<<20), 6 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := emuport.New(emu.Config{ROM: resource("roms", "esp32c3_rev300_rom.elf"), Flash: bytes.Clone(tc.flash)}, emuport.Options{})
			if err != nil {
				t.Fatal(err)
			}
			l, err := loader.Connect(t.Context(), p, loader.Options{Stub: stub})
			if err != nil {
				t.Fatal(err)
			}
			start := p.Now()
			got, err := Content(t.Context(), l, own.Trimmed(), uint32(len(tc.flash)), progress.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, tc.flash) {
				t.Error("the content is not that of the board")
			}
			took := p.Now() - start
			t.Logf("%s of the board's time", took.Round(time.Millisecond))
			if took > tc.most {
				t.Errorf("%s of the board's time, want at most %s", took, tc.most)
			}
		})
	}
}
