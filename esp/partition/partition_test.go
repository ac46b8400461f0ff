package partition

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// TestDefault checks against a vector that was computed from the format alone.
func TestDefault(t *testing.T) {
	b := Default(0).Binary()
	if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != "c9a826e85500d14d1854ce78e47452d4614a1be371bbd056278d2cb3398fbbfd" {
		t.Errorf("sha256 of the default table is %s", got)
	}
	if got := fmt.Sprintf("%x", b[3*entrySize+16:4*entrySize]); got != "56fdfae32072518175d59553fc851e49" {
		t.Errorf("md5 in the default table is %s", got)
	}
	for _, size := range []uint32{1 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20} {
		table := Default(size)
		if err := table.Check(size); err != nil {
			t.Errorf("%d MiB: %v", size>>20, err)
		}
	}
	if got := Default(16 << 20).Entries[2].Size; got != 16_384_000 {
		t.Errorf("app of 16 MiB has %d bytes", got)
	}
	if err := Default(1 << 16).Check(1 << 16); err == nil {
		t.Error("a flash without room for an app passes")
	}
}

func TestCSV(t *testing.T) {
	const csv = "\ufeff# Name, Type, SubType, Offset, Size, Flags\r\n" +
		"nvs,      data, nvs,     ,        0x6000,\r\n" +
		"\r\n" +
		"   # indented comment\r\n" +
		"otadata,  DATA, Ota,     ,        8K\r\n" +
		"\"quoted\", 1,  0x81,    ,        0x2000, encrypted\r\n" +
		"factory,  app,  factory, ,        1M,\r\n" +
		"slot0,    0,    ota_15,  ,        1_048_576\r\n" +
		"own,      0x40, ,        ,        4096, encrypted\r\n" +
		"rest,     data, littlefs,,        -4M"

	got, err := ParseCSV([]byte(csv))
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{"nvs", Data, DataNVS, 0x9000, 0x6000, 0, 2},
		{"otadata", Data, DataOTA, 0xf000, 0x2000, 0, 5},
		{"quoted", Data, 0x81, 0x11000, 0x2000, Encrypted, 6},
		{"factory", App, AppFactory, 0x20000, 0x100000, 0, 7},
		{"slot0", App, 0x1f, 0x120000, 0x100000, 0, 8},
		{"own", 0x40, 0, 0x220000, 0x1000, Encrypted, 9},
		{"rest", Data, 0x83, 0x221000, 0x400000 - 0x221000, 0, 10},
	}
	if len(got.Entries) != len(want) {
		t.Fatalf("%d entries: %v", len(got.Entries), got.Entries)
	}
	for i := range want {
		if got.Entries[i] != want[i] {
			t.Errorf("entry %d is %+v, want %+v", i, got.Entries[i], want[i])
		}
	}
	again, err := ParseBinary(got.Binary())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.CSV(), got.CSV()) {
		t.Errorf("through binary:\n%s\nbefore:\n%s", again.CSV(), got.CSV())
	}
}

func TestRefusedCSV(t *testing.T) {
	const head = "nvs,data,nvs,0x9000,0x6000\nfactory,app,factory,0x10000,1M\n"
	tests := []struct {
		name, csv, text, hint string
	}{
		{"empty", "", "line 1, column 1: no partition in the table", ""},
		{"comments only", "# nothing\n", "no partition in the table", ""},
		{"heading", "Name, Type, SubType, Offset, Size, Flags\n" + head, `line 1, column 7: unknown type "Type"`, "start the line with #"},
		{"no type", "nvs\n", "line 1, column 1: empty type", ""},
		{"type", head + "x, dat, nvs,, 4K\n", `line 3, column 4: unknown type "dat"`, "types are app and data"},
		{"type number", head + "x, 256, nvs,, 4K\n", `unknown type "256"`, ""},
		{"type end", head + "x, 0xff, 0,, 4K\n", "line 3: partition x: type 0xff marks the end", ""},
		{"subtype", head + "x, data, nvm,, 4K\n", `line 3, column 10: unknown subtype "nvm" of data`, "nvs, coredump"},
		{"subtype of app", head + "x, app, nvs,, 64K\n", `unknown subtype "nvs" of app`, "ota_0 to ota_15"},
		{"no subtype of app", head + "x, app, ,, 64K\n", "empty subtype of an app", ""},
		{"offset", head + "x, data, fat, here, 4K\n", `line 3, column 15: offset "here" is not a number`, "leave it empty"},
		{"negative offset", head + "x, data, fat, -4K, 4K\n", "outside 32 bits", ""},
		{"size", head + "x, data, fat, , 4KB\n", `size "4KB" is not a number`, ""},
		{"no size", head + "x, data, fat, ,\n", "empty size", ""},
		{"size 0", head + "x, data, fat, , 0\n", "size 0x0 is not possible", ""},
		{"large size", head + "x, data, fat, , 99999M\n", "is not possible", ""},
		{"negative size", head + "x, data, fat, , -64K\n", "size -64K means up to 0x10000, but the partition starts at 0x110000", ""},
		{"flag", head + "x, data, fat, , 4K, encrypted:secret\n", `line 3, column 31: unknown flag "secret"`, "encrypted and readonly"},
		{"trailing comment", head + "x, data, fat, , 4K, , # mine\n", "7 fields; a partition has 6", "lines of their own"},
		{"no name", head + ", data, fat, , 4K\n", "empty name", ""},
		{"long name", head + "a_name_of_17_byte, data, fat, , 4K\n", "line 3: partition a_name_of_17_byte: the name has 17 bytes; 16 are kept", "a_name_of_17_byt"},
		{"duplicate", head + "nvs, data, fat, , 4K\n", "line 3: partition nvs: the name is taken by the partition at 0x9000", ""},
		{"app alignment", "nvs,data,nvs,0x9000,0x6000\nfactory,app,factory,0x11000,1M\n", "line 2: partition factory: offset 0x11000 is not a multiple of 0x10000", "0x20000 is the next offset"},
		{"data alignment", head + "x, data, fat, 0x110100, 4K\n", "offset 0x110100 is not a multiple of 0x1000", "0x111000"},
		{"no app", "nvs,data,nvs,0x9000,0x6000\n", "no partition of type app", "it has nvs"},
		{"two factories", head + "f2, app, factory, , 64K\n", "a second factory app besides factory", ""},
		{"two otadata", head + "o1, data, ota, , 8K\no2, data, ota, , 8K\n", "a second otadata partition besides o1", ""},
		{"otadata size", head + "o1, data, ota, , 4K\n", "otadata has size 0x1000", "0x2000"},
		{"readonly app", "factory,app,factory,0x10000,1M,readonly\n", "readonly is not possible for app factory", ""},
		{"large app", "factory,app,factory,0x10000,17M\n", "more than the bootloader's limit", ""},
		{"end of 32 bits", head + "x, data, fat, 0xfffff000, 8K\n", "pass the end of the address space", ""},
		{"overlap", head + "x, data, fat, 0x100000, 0x20000\n", "line 3: partitions factory (0x10000-0x110000) and x (0x100000-0x120000) overlap by 65536 bytes", "leave the offset of x empty"},
		{"overlap, earlier line", "factory,app,factory,0x10000,1M\nnvs,data,nvs,0x9000,0x8000\n", "line 2: partitions nvs (0x9000-0x11000) and factory (0x10000-0x110000) overlap by 4096 bytes", ""},
		{"binary", "factory\x00,app", "line 1, column 1: not text", ""},
		{"name with a quote", head + "a\"b, data, fat, , 4K\n", "cannot be written in a CSV", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseCSV([]byte(tt.csv))
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %q\ndoes not say %q", err, tt.text)
			}
			var h interface{ Hints() []string }
			if tt.hint != "" && (!errors.As(err, &h) || !strings.Contains(strings.Join(h.Hints(), "\n"), tt.hint)) {
				t.Errorf("hints of %v do not say %q", err, tt.hint)
			}
		})
	}
}

func TestTooManyPartitions(t *testing.T) {
	csv := "factory,app,factory,0x10000,64K\n"
	for i := range MaxEntries - 1 {
		csv += fmt.Sprintf("p%d,data,fat,,4K\n", i)
	}
	table, err := ParseCSV([]byte(csv))
	if err != nil {
		t.Fatal(err)
	}
	b := table.Binary()
	if len(b) != BinarySize {
		t.Fatalf("binary of %d bytes", len(b))
	}
	if _, err := ParseBinary(b); err != nil {
		t.Errorf("the largest table does not read back: %v", err)
	}
	if _, err := ParseCSV([]byte(csv + "last,data,fat,,4K\n")); err == nil || !strings.Contains(err.Error(), "partition last: is number 95; a table holds 94") {
		t.Errorf("error %v", err)
	}
}

func TestRefusedBinary(t *testing.T) {
	change := func(f func(b []byte) []byte) []byte { return f(Default(0).Binary()) }
	for _, tt := range []struct {
		name string
		b    []byte
		text string
	}{
		{"empty", nil, "0 bytes where an entry has 32"},
		{"blank", bytes.Repeat([]byte{0xff}, BinarySize), "byte 0x0: blank"},
		{"cut in an entry", Default(0).Binary()[:48], "byte 0x20: 16 bytes where an entry has 32"},
		{"cut after the entries", Default(0).Binary()[:96], "byte 0x60: no end marker"},
		{"cut after the md5", Default(0).Binary()[:128], "no end marker after the md5 entry"},
		{"changed", change(func(b []byte) []byte { b[0x25]++; return b }), "md5 mismatch"},
		{"mark", change(func(b []byte) []byte { b[0x21] = 0; return b }), "byte 0x20: aa 00 is not the mark"},
		{"name", change(func(b []byte) []byte { b[12] = 0xc0; return b }), "is not UTF-8"},
	} {
		_, err := ParseBinary(tt.b)
		if err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.text)
		}
	}
	// Without its MD5 entry a table is still one.
	b := Default(0).Binary()
	copy(b[96:128], bytes.Repeat([]byte{0xff}, 32))
	if table, err := ParseBinary(b); err != nil || len(table.Entries) != 3 {
		t.Errorf("without md5: %v, %v", table, err)
	}
}

func TestApp(t *testing.T) {
	table, err := ParseCSV([]byte("a,app,ota_0,0x10000,64K\nb,app,ota_1,,64K\nfactory,data,fat,,4K\n"))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := table.App(""); err != nil || e.Name != "a" { // a partition named factory that holds data is none
		t.Errorf("%v, %v", e, err)
	}
	if e, err := table.App("b"); err != nil || e.Name != "b" {
		t.Errorf("%v, %v", e, err)
	}
}

func TestOffset(t *testing.T) {
	for _, tt := range []struct {
		csv  string
		want uint32
	}{
		{"factory,app,factory,0x10000,64K\nnvs,data,nvs,0x9000,0x6000", 0x8000},
		{"nvs,data,nvs,0x11000,0x6000\nfactory,app,factory,,64K", 0x10000},
		{"boot,bootloader,primary,0,0x8000\npt,partition_table,primary,0x9000,0x1000\nfactory,app,factory,0x20000,64K", 0x9000},
		{"boot,bootloader,primary,0,0x8000\nfactory,app,factory,0x20000,64K", 0x1f000},
	} {
		table, err := ParseCSV([]byte(tt.csv))
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Offset(); got != tt.want {
			t.Errorf("offset of %q is 0x%x, want 0x%x", tt.csv, got, tt.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	table, err := ParseCSV([]byte("nvs,data,nvs,0x9000,0x1000\nspiffs,data,fat,0xa000,0x1001\nfactory,app,factory,0x10000,64K"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(table.Warnings(), "\n")
	for _, want := range []string{"nvs needs 0x3000", "0x1001 is not a multiple", "spiffs: is named like a subtype"} {
		if !strings.Contains(got, want) {
			t.Errorf("warnings do not say %q:\n%s", want, got)
		}
	}
	if w := Default(0).Warnings(); w != nil {
		t.Errorf("warnings for the default table: %v", w)
	}
}

// TestEspflash converts with the real peer in both directions.
func TestEspflash(t *testing.T) {
	devtest.Long(t, "runs espflash")
	espflash := devtest.Tool(t, "espflash")
	dir := t.TempDir()
	run := func(input []byte, args ...string) []byte {
		t.Helper()
		in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
		if err := os.WriteFile(in, input, 0o666); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(espflash, append([]string{"partition-table", in, "-o", out}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "ESPFLASH_SKIP_UPDATE_CHECK=true", "HOME="+dir, "XDG_CONFIG_HOME="+dir)
		if msg, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, msg)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, csv := range map[string]string{
		"default": string(Default(0).CSV()),
		"ota": "nvs,data,nvs,0x9000,0x4000,\notadata,data,ota,,0x2000,\nphy_init,data,phy,,0x1000,\nfactory,app,factory,0x10000,1M,\n" +
			"ota_0,app,ota_0,,1M,\nota_1,app,ota_1,,1M,\nkeys,data,nvs_keys,,4K,encrypted\nfs,data,littlefs,,256K,encrypted:readonly\nown,0x41,0x07,,4k\n",
		"sixteen bytes": "name_of_16_bytes,app,test,0x10000,1M\n",
	} {
		t.Run(name, func(t *testing.T) {
			table, err := ParseCSV([]byte(csv))
			if err != nil {
				t.Fatal(err)
			}
			bin := run([]byte(csv), "--to-binary")
			if !bytes.Equal(bin, table.Binary()) {
				t.Errorf("binary differs from espflash's")
			}
			back, err := ParseBinary(bin)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := back.CSV(), run(bin, "--to-csv"); !bytes.Equal(got, want) {
				t.Errorf("CSV\n%s\nespflash's\n%s", got, want)
			}
		})
	}
}
