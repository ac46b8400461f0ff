package size

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/xml"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/elftest"
)

const (
	textAt   = 0x42000020
	rodataAt = 0x3c000020
	bssAt    = 0x3fc80000
)

// words are RISC-V instructions and data.
func words(v ...uint32) (b []byte) {
	for _, w := range v {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// loadAddress is lui a0, addi a0, a0 for an address.
func loadAddress(a uint32) []uint32 {
	high := (a + 0x800) &^ 0xfff
	return []uint32{0x537 | high, 0x50513 | (a-high)<<20}
}

// sample is a program of two crates and a library: main refers to the first
// string, driver to the second, a word after it to the third; nothing refers to
// the fourth.
func sample() elftest.File {
	main := words(append(loadAddress(rodataAt), 0x8067)...)
	driver := words(append(loadAddress(rodataAt+8), 0x8067)...)
	code := append(append(main, driver...), words(0x13, 0x13)...) // nops
	asm := words(0x8067)
	rodata := append([]byte("hello..\x00driver.\x00third..\x00nobody.\x00"), words(rodataAt+16)...)
	return elftest.File{
		Entry: textAt,
		Sections: []elftest.Section{
			{Name: ".text", Addr: textAt, Data: append(code, asm...), Flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR},
			{Name: ".rodata", Addr: rodataAt, Data: rodata, Flags: elf.SHF_ALLOC},
			{Name: ".bss", Addr: bssAt, Size: 128, Type: elf.SHT_NOBITS, Flags: elf.SHF_ALLOC | elf.SHF_WRITE},
			{Name: ".stack", Addr: bssAt + 128, Size: 4096, Type: elf.SHT_NOBITS, Flags: elf.SHF_ALLOC | elf.SHF_WRITE},
		},
		Symbols: []elftest.Symbol{
			{Name: "_RNvCs1_3app4main", Section: ".text", Value: textAt, Size: 12},
			{Name: "driver_init", Section: ".text", Value: textAt + 12, Size: 12},
			{Name: "start", Section: ".text", Value: textAt + 32, Size: 4},
			{Name: "_RNvCs1_3app5TABLE", Section: ".rodata", Value: rodataAt + 32, Size: 4},
			{Name: "_RNvCs1_7esp_halp5STATE", Section: ".bss", Value: bssAt, Size: 60}, // malformed: no crate
			{Name: "_ZN7esp_hal5STATE17h0123456789abcdefE", Section: ".bss", Value: bssAt + 60, Size: 4},
		},
	}
}

func open(t testing.TB, f elftest.File) *firmware.ELF {
	t.Helper()
	e, err := firmware.Open(bytes.NewReader(f.Bytes()), firmware.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// object is a relocatable object that defines symbols; archive puts it into a
// static library.
func archive(t testing.TB, symbols ...string) []byte {
	t.Helper()
	f := elftest.File{Type: elf.ET_REL, Sections: []elftest.Section{{Name: ".text", Data: make([]byte, 64), Flags: elf.SHF_ALLOC}}}
	for i, s := range symbols {
		f.Symbols = append(f.Symbols, elftest.Symbol{Name: s, Section: ".text", Value: uint32(i), Size: 1})
	}
	body := f.Bytes()
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for _, m := range [][]byte{[]byte("index"), body} {
		b.WriteString("member/         0           0     0     644     ")
		size := []byte("          ")
		copy(size, itoa(len(m)))
		b.Write(size)
		b.WriteString("`\n")
		b.Write(m)
		if len(m)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func TestAttribution(t *testing.T) {
	var libs Libraries
	if err := libs.AddArchive("libdriver.a", archive(t, "driver_init", "driver_exit")); err != nil {
		t.Fatal(err)
	}
	if err := libs.AddArchive("libscript.a", []byte(`INCLUDE "x"`)); err != nil {
		t.Fatal(err)
	}
	r := Analyze(open(t, sample()), &libs)
	checkSums(t, r)
	want := map[string]map[string]Parts{
		".text": {"app": {Code: 12}, "libdriver.a": {Code: 12}, Padding: {Other: 8}, Libs: {Code: 4}},
		".rodata": {
			"app":         {Data: 4, Constants: 8 + 16}, // "hello..", and by way of TABLE the third, up to the next symbol
			"libdriver.a": {Constants: 8},
		},
		".bss":   {"esp_hal": {Data: 4}, Libs: {Data: 60}, Unattributed: {Other: 64}},
		".stack": {StackOwner: {Other: 4096}},
	}
	got := map[string]map[string]Parts{}
	for _, s := range r.Sections {
		got[s.Name] = s.Owners
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("owners %v\nwant   %v", got, want)
	}
	if r.Flash != 36+36 || r.RAM != 128 || r.Stack != 4096 {
		t.Errorf("flash %d, ram %d, stack %d", r.Flash, r.RAM, r.Stack)
	}
	if o, ok := r.Owner("esp-hal"); !ok || o.RAM != 4 {
		t.Errorf("esp-hal: %v, %v", o, ok)
	}
	if len(r.Libraries) != 1 {
		t.Errorf("libraries %v", r.Libraries)
	}
	if a, b := Analyze(open(t, sample()), &libs), r; !reflect.DeepEqual(a, b) {
		t.Error("two analyses of one file differ")
	}
}

// checkSums verifies that every section's owners, and all owners, add up.
func checkSums(t testing.TB, r *Report) {
	t.Helper()
	var flash, ram uint64
	for _, s := range r.Sections {
		var sum uint64
		for _, p := range s.Owners {
			sum += p.Sum()
		}
		if sum != s.Size {
			t.Errorf("%s: owners add up to %d of %d bytes", s.Name, sum, s.Size)
		}
	}
	for _, o := range r.Owners {
		flash, ram = flash+o.Flash, ram+o.RAM
	}
	if flash != r.Flash || ram != r.RAM {
		t.Errorf("owners add up to %d and %d, flash is %d and RAM %d", flash, ram, r.Flash, r.RAM)
	}
	for _, list := range [][]Symbol{r.Functions, r.Statics} {
		for _, s := range list {
			if s.Inlined > s.Size {
				t.Errorf("%s: %d of %d bytes are inlined", s.Name, s.Inlined, s.Size)
			}
		}
	}
}

func TestCrateOf(t *testing.T) {
	for name, want := range map[string]string{
		"_RNvCs1_3app4main": "app",
		"_RNvMs_NtNtCsiWMCC7rKbuc_7smoltcp6socket6dhcpv4NtB4_6Socket7process":                                                       "smoltcp",
		"_RNvXs3_NtNtCsdHhnopmJjgQ_7polyval7backend4softNtB5_7PolyvalNtCsd5BkiFsKnJe_14universal_hash10UhfBackend10proc_block":      "polyval",
		"_RNvYNtNtCszQqAX7bzZm_12embedded_tls15der_certificate18DecodedCertificateNtNtCsg8GTT0o2Mk3_3der6decode6Decode8from_derB6_": "der",
		"_RNCNvNvNtCsccVKC7J7CXW_12https_client6___main21_____embassy_main_task36_____embassy_main_task_inner_function0B7_":         "https_client",
		"_RNvXsz_NtNtCs3ISLrPVERPc_4p25610arithmetic6scalarNtB5_6ScalarNtNtNtCs3nzR5nFh6d3_4core3ops5arith3Mul3mul":                 "p256",
		"_ZN7esp_hal5clock3now17h0123456789abcdefE":                                                                                 "esp_hal",
		"_ZN60_$LT$esp_hal..gpio..Pin$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE":                                      "esp_hal",
		"_ZN42_$LT$$RF$T$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE":                                                   "core",
		"memcpy": "", "_R": "", "_RB_": "", "_RNvB_1a": "", "_ZN": "", "_ZN99a": "", "": "", "_RNvNvNvCs1_": "",
	} {
		if got := crateOf(name); got != want {
			t.Errorf("crateOf(%s) = %q, want %q", name, got, want)
		}
	}
}

func TestPackageOf(t *testing.T) {
	for path, want := range map[string][2]string{
		"/cargo/registry/src/v/esp-hal-1.0.0-rc.0/src/lib.rs":                 {"esp-hal", "1.0.0-rc.0"},
		"/home/me/.cargo/registry/src/index-1234/embassy-sync-0.6.2/src/a.rs": {"embassy-sync", "0.6.2"},
		"/cargo/registry/src/v/esp32c3-0.33.0/src/lib.rs":                     {"esp32c3", "0.33.0"},
		"/usr/lib/rustlib/src/rust/library/core/src/fmt/mod.rs":               {"core", ""},
		"/rustc/0123abcd/library/alloc/src/vec/mod.rs":                        {"alloc", ""},
		"/src/src/main.rs": {"", ""}, "/home/library/x.c": {"", ""}, "": {"", ""},
	} {
		if n, v := packageOf(path); n != want[0] || v != want[1] {
			t.Errorf("packageOf(%s) = %s %s, want %v", path, n, v, want)
		}
	}
}

// TestPage parses the page as XML after its first line would allow it: the
// drawings must be well-formed, load nothing, and cover the memory to the
// rounding of their coordinates.
func TestPage(t *testing.T) {
	r := Analyze(open(t, sample()), nil)
	r.Functions[0].Name = `<script>"&`
	page := string(r.Page("a <b> & c"))
	for _, bad := range []string{"<script", "http:", "https:", "url(", "@import", "<link", "<img"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	for _, part := range strings.Split(page, "<svg")[1:] {
		svg, _, ok := strings.Cut("<svg"+part, "</svg>")
		if !ok {
			t.Fatal("an svg does not end")
		}
		d := xml.NewDecoder(strings.NewReader(svg + "</svg>"))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	if !strings.Contains(page, "<h2>Flash: 72 bytes</h2>") {
		t.Error("the size of the flash is missing")
	}
}

func TestSquarify(t *testing.T) {
	for _, sizes := range [][]uint64{{6, 6, 4, 3, 2, 2, 1}, {1}, {1 << 40, 1}, {0, 0}, {}, {5, 0, 0}} {
		in := rect{10, 20, 600, 400}
		var total, area float64
		for _, n := range sizes {
			total += float64(n)
		}
		for i, r := range squarify(sizes, in) {
			area += r.w * r.h
			if total > 0 && math.Abs(r.w*r.h-float64(sizes[i])*in.w*in.h/total) > 1 {
				t.Errorf("%v: rectangle %d is %v", sizes, i, r)
			}
			if r.w > 0 && (r.x < in.x-1e-6 || r.y < in.y-1e-6 || r.x+r.w > in.x+in.w+1e-6 || r.y+r.h > in.y+in.h+1e-6) {
				t.Errorf("%v: rectangle %d is outside: %v", sizes, i, r)
			}
		}
		if total > 0 && math.Abs(area-in.w*in.h) > 1 {
			t.Errorf("%v: area %f of %f", sizes, area, in.w*in.h)
		}
	}
}

func FuzzAnalyze(f *testing.F) {
	f.Add(sample().Bytes(), archive(f, "driver_init"))
	f.Fuzz(func(t *testing.T, b, lib []byte) {
		var libs Libraries
		_ = libs.AddArchive("lib.a", lib)
		e, err := firmware.Open(bytes.NewReader(b), firmware.Options{})
		if err != nil {
			return
		}
		r := Analyze(e, &libs)
		for _, s := range r.Sections {
			var sum uint64
			for _, p := range s.Owners {
				sum += p.Sum()
			}
			if sum != s.Size {
				t.Errorf("%s: %d of %d bytes", s.Name, sum, s.Size)
			}
		}
		r.Page("x")
	})
}

func FuzzCrateOf(f *testing.F) {
	f.Add("_RNvMs_NtNtCsiWMCC7rKbuc_7smoltcp6socket6dhcpv4NtB4_6Socket7process")
	f.Add("_ZN42_$LT$$RF$T$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE")
	f.Fuzz(func(t *testing.T, s string) { crateOf(s) })
}
