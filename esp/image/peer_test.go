package image

import (
	"bytes"
	"debug/elf"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/elftest"
)

// espflash runs the real peer on one ELF.
type espflash struct {
	path string
	dir  string
}

func newEspflash(t *testing.T) *espflash {
	t.Helper()
	devtest.Long(t, "runs espflash")
	return &espflash{devtest.Tool(t, "espflash"), t.TempDir()}
}

// save returns what espflash save-image writes, or its error.
func (p *espflash) save(elf []byte, args ...string) ([]byte, error) {
	in, out := filepath.Join(p.dir, "in.elf"), filepath.Join(p.dir, "out.bin")
	if err := os.WriteFile(in, elf, 0o666); err != nil {
		return nil, err
	}
	os.Remove(out)
	cmd := exec.Command(p.path, append(append([]string{"save-image", "--chip", "esp32c3"}, args...), in, out)...)
	cmd.Dir = p.dir
	// Neither the network nor the user's configuration decides anything.
	cmd.Env = append(os.Environ(), "ESPFLASH_SKIP_UPDATE_CHECK=true", "HOME="+p.dir, "XDG_CONFIG_HOME="+p.dir)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, msg)
	}
	return os.ReadFile(out)
}

// bootloader returns the peer's own bootloader for mode m. The peer carries it
// but has no verb to print it, so it is cut out of a merged image. Its header
// then has the default parameters in it, which PatchBootloader replaces.
func (p *espflash) bootloader(t *testing.T, m Mode) []byte {
	t.Helper()
	mode := "dio"
	if m == QIO {
		mode = "qio"
	}
	b, err := p.save(elftest.Hello().Bytes(), "--merge", "--skip-padding", "-m", mode)
	if err != nil {
		t.Fatal(err)
	}
	img, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:img.Size:img.Size]
}

// compare makes the same three files with both and wants them equal.
func (p *espflash) compare(t *testing.T, elf []byte, in Inputs, args ...string) {
	t.Helper()
	f, err := FromELF(elf, in)
	if err != nil {
		t.Errorf("FromELF: %v", err)
		return
	}
	for _, v := range []struct {
		name  string
		got   []byte
		extra []string
	}{
		{"app", f.App(), nil},
		{"merged", f.Merged(), []string{"--merge"}},
		{"trimmed", f.Trimmed(), []string{"--merge", "--skip-padding"}},
	} {
		want, err := p.save(elf, append(v.extra, args...)...)
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		if i := firstDifference(v.got, want); i >= 0 {
			t.Errorf("%s: %d bytes, espflash %d bytes, first difference at 0x%x", v.name, len(v.got), len(want), i)
		}
	}
}

func firstDifference(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func TestEspflashParameters(t *testing.T) {
	p := newEspflash(t)
	hello := elftest.Hello().Bytes()
	boot := p.bootloader(t, DIO)
	qio := p.bootloader(t, QIO)
	otaCSV := []byte("# two slots\nnvs,data,nvs,0xa000,0x6000,\notadata,data,ota,,0x2000\nslot_a,app,ota_0,,1M,\nslot_b,app,ota_1,,1M,\nstorage,data,spiffs,,512K,encrypted\nown,0x40,0x01,,0x1000,readonly")
	otaCSV = bytes.Replace(otaCSV, []byte("readonly"), nil, 1)
	csvFile := filepath.Join(t.TempDir(), "p.csv")
	if err := os.WriteFile(csvFile, otaCSV, 0o666); err != nil {
		t.Fatal(err)
	}
	ota, err := partition.ParseCSV(otaCSV)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		in   Inputs
		args []string
	}{
		{"defaults", Inputs{}, nil},
		{"qio 80MHz 8MB", Inputs{Bootloader: qio, Params: Params{QIO, Freq80M, 8 << 20}}, []string{"-m", "qio", "-f", "80mhz", "-s", "8mb"}},
		{"qout 26MHz 2MB", Inputs{Params: Params{QOUT, Freq26M, 2 << 20}}, []string{"-m", "qout", "-f", "26mhz", "-s", "2mb"}},
		{"dout 20MHz 16MB", Inputs{Params: Params{DOUT, Freq20M, 16 << 20}}, []string{"-m", "dout", "-f", "20mhz", "-s", "16mb"}},
		{"dio 40MHz 1MB", Inputs{Params: Params{DIO, Freq40M, 1 << 20}}, []string{"-m", "dio", "-f", "40mhz", "-s", "1mb"}},
		{"size alone", Inputs{Params: Params{Size: 8 << 20}}, []string{"-s", "8mb"}},
		{"frequency alone", Inputs{Params: Params{Freq: Freq80M}}, []string{"-f", "80mhz"}},
		{"revision", Inputs{MinChipRev: 3}, []string{"--min-chip-rev", "0.3"}},
		{"csv", Inputs{Table: ota}, []string{"--partition-table", csvFile}},
		{"csv, second slot", Inputs{Table: ota, App: "slot_b"}, []string{"--partition-table", csvFile, "--target-app-partition", "slot_b"}},
		{"csv, table elsewhere", Inputs{Table: ota, TableOffset: 0x8000}, []string{"--partition-table", csvFile, "--partition-table-offset", "0x8000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.in.Bootloader == nil {
				tt.in.Bootloader = boot
			}
			p.compare(t, hello, tt.in, tt.args...)
		})
	}
}

// shape makes an ELF whose sections have gaps and lengths that follow from a
// seed: every branch of the layout (filling with RAM, padding, pages that end
// just so, merged neighbours) is met within a few dozen.
func shape(seed uint64) elftest.File {
	r := rand.New(rand.NewPCG(seed, 3))
	f := elftest.Hello()
	desc := f.Sections[4]
	f.Sections = nil
	dataSize := func() int {
		switch r.IntN(4) {
		case 0:
			return 1 + r.IntN(16)
		case 1: // around the end of a page
			return 0x1_0000 - 0x20 - 8 + r.IntN(0x60) - 0x30
		case 2:
			return 1 + r.IntN(0x3000)
		}
		return 1 + r.IntN(0x1_8000)
	}
	ram := func(name string, addr uint32, flags elf.SectionFlag, limit int) {
		for i := range r.IntN(4) {
			n := min(dataSize(), limit/4)
			f.Sections = append(f.Sections, elftest.Section{Name: fmt.Sprintf("%s%d", name, i), Addr: addr, Data: elftest.Fill(n, uint32(seed)+addr), Flags: elftest.Alloc | flags})
			addr = (addr + uint32(n) + 3) &^ 3
			if r.IntN(2) == 0 {
				addr += uint32(r.IntN(64)) * 4
			}
		}
	}
	ram(".iram", 0x4038_0000, elf.SHF_EXECINSTR, 0x2f000) // the same memory as .dram, from the other end
	ram(".dram", 0x3fcb_0000, elf.SHF_WRITE, 0x2f000)
	ram(".rtc", 0x5000_0000, elf.SHF_WRITE, 0x1000)
	f.Sections = append(f.Sections, desc)
	addr := desc.Addr + 256
	for i := range 1 + r.IntN(3) {
		n := dataSize()
		f.Sections = append(f.Sections, elftest.Section{Name: fmt.Sprintf(".rodata%d", i), Addr: addr, Data: elftest.Fill(n, uint32(seed)+addr), Flags: elftest.Alloc})
		addr += uint32(n)
		if r.IntN(3) == 0 {
			addr += uint32(r.IntN(0x40))
		}
		addr = (addr + 3) &^ 3
	}
	text := 0x4200_0000 + (addr-0x3c00_0000+0xffff)&^0xffff + uint32(r.IntN(64))*4
	f.Entry = text
	f.Sections = append(f.Sections, elftest.Section{Name: ".text", Addr: text, Data: elftest.Fill(dataSize(), uint32(seed)), Flags: elftest.Alloc | elf.SHF_EXECINSTR})
	// The order in the file is not the order of the addresses.
	r.Shuffle(len(f.Sections), func(i, j int) { f.Sections[i], f.Sections[j] = f.Sections[j], f.Sections[i] })
	return f
}

func TestEspflashShapes(t *testing.T) {
	p := newEspflash(t)
	boot := p.bootloader(t, DIO)
	const seeds = 100
	several := 0
	for seed := range uint64(seeds) {
		f := shape(seed)
		elf := f.Bytes()
		out, err := FromELF(elf, Inputs{Bootloader: boot})
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		want, err := p.save(elf)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		theirs, err := Parse(want)
		if err != nil {
			t.Fatal(err)
		}
		if theirs.mappingProblems() != nil {
			several++ // espflash makes a segment of each section after a gap
		} else if i := firstDifference(out.App(), want); i >= 0 {
			t.Errorf("seed %d: %d bytes, espflash %d bytes, first difference at 0x%x", seed, len(out.App()), len(want), i)
		}
		img, err := Parse(out.App())
		if err != nil {
			t.Errorf("seed %d: Parse: %v", seed, err)
		} else if bad := img.Problems(); bad != nil {
			t.Errorf("seed %d: %v", seed, bad)
		}
	}
	if several > seeds/2 {
		t.Errorf("only %d of %d images were compared", seeds-several, seeds)
	}
}

// TestEspflashFirmware compares on programs that a compiler made.
func TestEspflashFirmware(t *testing.T) {
	p := newEspflash(t)
	boot := p.bootloader(t, DIO)
	files, err := filepath.Glob(filepath.Join(devtest.Store(t), "firmware", "*.elf"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		devtest.Missing(t, "firmware/*.elf in the shared test store")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			elf, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p.compare(t, elf, Inputs{Bootloader: boot})
		})
	}
}

// TestEsptoolAccepts asks the other peer to read our images.
func TestEsptoolAccepts(t *testing.T) {
	p := newEspflash(t)
	esptool := devtest.Tool(t, "esptool")
	boot := p.bootloader(t, DIO)
	for _, seed := range []uint64{1, 7, 23} {
		f, err := FromELF(shape(seed).Bytes(), Inputs{Bootloader: boot})
		if err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{"app": f.App(), "bootloader": f.Parts[0].Bytes} {
			file := filepath.Join(t.TempDir(), name+".bin")
			if err := os.WriteFile(file, b, 0o666); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(esptool, "--chip", "esp32c3", "image-info", file).CombinedOutput()
			if err != nil {
				t.Errorf("seed %d, %s: %v\n%s", seed, name, err, out)
				continue
			}
			text := strings.ToLower(string(out))
			for _, want := range []string{"checksum", "validation hash", "(valid)"} {
				if !strings.Contains(text, want) {
					t.Errorf("seed %d, %s: esptool does not say %q:\n%s", seed, name, want, out)
				}
			}
			if strings.Contains(text, "invalid") {
				t.Errorf("seed %d, %s: esptool:\n%s", seed, name, out)
			}
		}
	}
}
