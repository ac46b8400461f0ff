package proof

import (
	"bytes"
	"crypto/rand"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/elftest"
)

// firmwareELF is a program with an application descriptor that an image is made of.
func firmwareELF(change func(*elftest.File)) []byte {
	desc := make([]byte, 256)
	copy(desc, "\x32\x54\xcd\xab")
	f := elftest.File{
		Entry: 0x42010020,
		Sections: []elftest.Section{
			{Name: ".flash.appdesc", Addr: 0x3c000020, Flags: elftest.Alloc, Data: desc},
			{Name: ".rodata", Addr: 0x3c000120, Flags: elftest.Alloc, Data: []byte("\x00\x01built on host-a by release\x00\x02...")},
			{Name: ".text", Addr: 0x42010020, Flags: elftest.Alloc | elf.SHF_EXECINSTR, Data: elftest.Fill(256, 1)},
			{Name: ".data", Addr: 0x3fc80000, Flags: elftest.Alloc | elf.SHF_WRITE, Data: elftest.Fill(64, 2)},
			{Name: ".debug_line", Data: elftest.Fill(32, 2)},
		},
		Symbols: []elftest.Symbol{
			{Name: "HOST", Section: ".rodata", Value: 0x3c000120, Size: 0x1e},
			{Name: "main", Section: ".text", Value: 0x42010020, Size: 256},
		},
	}
	if change != nil {
		change(&f)
	}
	return f.Bytes()
}

func flashOf(t *testing.T, elfBytes []byte, p image.Params) *image.Flash {
	t.Helper()
	f, err := image.FromELF(elfBytes, image.Inputs{Bootloader: elftest.Bootloader(5), Params: p})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAgainst(t *testing.T) {
	own := firmwareELF(nil)
	flash := flashOf(t, own, image.Params{})
	other := firmwareELF(replace(".rodata", "host-a", "host-b"))
	otherFlash := flashOf(t, other, image.Params{})
	qio := flashOf(t, own, image.Params{Mode: image.DOUT})
	stripped := firmwareELF(func(f *elftest.File) { section(f, ".debug_line").Data = elftest.Fill(32, 7) })
	bare := firmwareELF(func(f *elftest.File) { f.Sections = f.Sections[:len(f.Sections)-1] })
	twoSlots := flash.Merged()
	copy(twoSlots[0x10000+len(flash.App()):], bytes.Repeat([]byte{0xff}, 16))
	for name, c := range map[string]struct {
		file      []byte
		same      bool
		identical bool
		want      []string // in differences and notes
	}{
		"ELF":                 {own, true, true, nil},
		"another ELF":         {other, false, false, []string{`.rodata: 1 of`, `built on host-b`}},
		"ELF, other debug":    {stripped, true, false, []string{"not loaded and different: .debug_line"}},
		"ELF, stripped":       {bare, true, false, []string{"not loaded and different: .debug_line"}},
		"app":                 {flash.App(), true, true, nil},
		"padded app":          {append(bytes.Clone(flash.App()), bytes.Repeat([]byte{0xff}, 5000)...), true, false, nil},
		"other bytes after":   {append(bytes.Clone(flash.App()), "trailer"...), true, false, []string{"bytes after the image are not compared"}},
		"another app":         {otherFlash.App(), false, false, []string{".rodata: 1 of", " in HOST", `"built on host-a by release", then "built on host-b by release"`}},
		"another header":      {qio.App(), true, false, []string{"header: flash mode dout, here"}},
		"other debug":         {flashOf(t, stripped, image.Params{}).App(), true, false, nil}, // only the digest of the ELF differs
		"merged":              {flash.Trimmed(), true, true, []string{"compared with the application in the partition factory"}},
		"merged and padded":   {flash.Merged(), true, true, nil},
		"another merged":      {otherFlash.Merged(), false, false, []string{".rodata: 1 of"}},
		"merged, flash mode":  {qio.Merged(), true, false, []string{"bootloader header: flash mode dout"}},
		"merged, second slot": {twoSlots, true, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Against(own, flash, c.file)
			if err != nil {
				t.Fatal(err)
			}
			if got.Same != c.same || got.Identical != c.identical {
				t.Errorf("same %v, identical %v", got.Same, got.Identical)
			}
			var lines []string
			for _, d := range got.Differences {
				lines = append(lines, d.String())
				if d.Cause == "" {
					t.Errorf("no cause: %s", d)
				}
			}
			lines = append(lines, got.Notes...)
			for _, want := range c.want {
				if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, want) }) {
					t.Errorf("no %q in\n%s", want, strings.Join(lines, "\n"))
				}
			}
		})
	}
}

// An image that Espressif's tool has signed has the same payload.
func TestAgainstSigned(t *testing.T) {
	espsecure := devtest.Tool(t, "espsecure")
	own := firmwareELF(nil)
	flash := flashOf(t, own, image.Params{})
	dir := t.TempDir()
	app, key, signed := filepath.Join(dir, "app.bin"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "signed.bin")
	if err := os.WriteFile(app, flash.App(), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"generate-signing-key", "--version", "2", "--scheme", "rsa3072", key}, {"sign-data", "--version", "2", "--keyfile", key, "--output", signed, app}} {
		if out, err := exec.Command(espsecure, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	b, err := os.ReadFile(signed)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) <= len(flash.App()) {
		t.Fatalf("the signed file has %d bytes", len(b))
	}
	got, err := Against(own, flash, b)
	if err != nil || !got.Same || got.Identical || !slices.Contains(got.Notes, "signed for Secure Boot 2; signatures are not compared (there are 1)") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAgainstRefused(t *testing.T) {
	own := firmwareELF(nil)
	flash := flashOf(t, own, image.Params{})
	random := make([]byte, 1<<20)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	random[0] = 0 // no image by chance
	if _, err := Against(own, flash, random); !errors.Is(err, ErrEncrypted) {
		t.Errorf("encrypted: %v", err)
	}
	// A flash whose table is readable and whose application is not.
	merged := flash.Merged()
	copy(merged[0x10000:0x10000+0x20000], random)
	if _, err := Against(own, flash, merged); !errors.Is(err, ErrEncrypted) {
		t.Errorf("encrypted application: %v", err)
	}
	for name, b := range map[string][]byte{"nothing": nil, "text": []byte(strings.Repeat("text ", 2000)), "cut": flash.App()[:100]} {
		if c, err := Against(own, flash, b); err == nil || errors.Is(err, ErrEncrypted) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func FuzzAgainst(f *testing.F) {
	own := firmwareELF(nil)
	flash, err := image.FromELF(own, image.Inputs{Bootloader: elftest.Bootloader(5)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(flash.App())
	f.Add(flash.Trimmed())
	f.Add(own)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Against(own, flash, b)
		if err == nil && c.Identical && !c.Same {
			t.Errorf("identical and not the same: %+v", c)
		}
	})
}
