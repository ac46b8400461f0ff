package flashing

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/elftest"
	"espalier.dev/espalier/internal/fault"
)

func names(parts []loader.Part) []string {
	var out []string
	for _, p := range parts {
		out = append(out, p.Name)
	}
	return out
}

func hello(t *testing.T) *image.Flash {
	t.Helper()
	f, err := image.FromELF(elftest.Hello().Bytes(), image.Inputs{Bootloader: elftest.Bootloader(5)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The image of a whole flash is written by what is in it: blank stretches, such
// as an nvs that nothing was ever stored in, are not erased on the board.
func TestOfWholeFlash(t *testing.T) {
	f := hello(t)
	stored := f.Merged()
	copy(stored[0xa000:], "a stored value")
	hole := f.Merged() // a blank sector within the app belongs to it
	copy(hole[0x12000:0x13000], bytes.Repeat([]byte{0xff}, 0x1000))
	for _, tc := range []struct {
		name  string
		b     []byte
		exact bool
		want  []string
	}{
		{"merged", f.Merged(), false, []string{"bootloader", "partition-table", "factory"}},
		{"trimmed", f.Trimmed(), false, []string{"bootloader", "partition-table", "factory"}},
		{"with a value in nvs", stored, false, []string{"bootloader", "partition-table", "nvs", "factory"}},
		{"hole in the app", hole, false, []string{"bootloader", "partition-table", "factory"}},
		{"exact", f.Merged(), true, []string{"flash"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := OfWholeFlash(tc.b, tc.exact, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := names(p.Parts); !slices.Equal(got, tc.want) {
				t.Errorf("parts %q, want %q", got, tc.want)
			}
			for _, part := range p.Parts {
				if !bytes.Equal(part.Bytes, tc.b[part.Offset:][:len(part.Bytes)]) {
					t.Errorf("%s is not the content at 0x%x", part.Name, part.Offset)
				}
			}
			if len(p.Table.Entries) != 3 {
				t.Errorf("table %v", p.Table)
			}
		})
	}
}

// An image that was merged for a chip with its bootloader elsewhere is refused
// before a board is asked.
func TestBootloaderElsewhere(t *testing.T) {
	b := hello(t).Merged()
	boot := elftest.Bootloader(0)
	copy(b, bytes.Repeat([]byte{0xff}, 0x8000))
	copy(b[0x1000:], boot)
	_, err := OfWholeFlash(b, false, false)
	if fault.KindOf(err) != fault.Usage || err.Error() != "bootloader: nothing at 0x0, where the ESP32-C3's bootloader belongs" {
		t.Errorf("error %v", err)
	}
	if h := strings.Join(fault.Hints(err), "\n"); !strings.Contains(h, "an image for esp32 is at 0x1000") || !strings.Contains(h, "--force") {
		t.Errorf("hints\n%s", h)
	}
	p, err := OfWholeFlash(b, false, true)
	if got := names(p.Parts); err != nil || !slices.Equal(got, []string{"0x1000", "partition-table", "factory"}) {
		t.Errorf("with force: %q, %v", got, err)
	}
}

func TestPlace(t *testing.T) {
	table, err := partition.ParseCSV([]byte("nvs,data,nvs,0x9000,0x6000\nphy,data,phy,0xf000,0x1000\nmain,app,factory,0x10000,1M\nfiles,data,fat,0x200000,64K\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		at     string
		size   int
		text   string // of the error; "" is none
		offset uint32
	}{
		{"fits", "nvs", 0x6000, "", 0x9000},
		{"over the next partitions", "nvs", 100 << 10, "file does not fit partition nvs: 102400 bytes from 0x9000, 77824 too many; it would overwrite partition phy and partition main", 0x9000},
		{"a byte too many", "nvs", 0x6001, "1 too many; it would overwrite partition phy", 0x9000},
		{"the last partition", "files", 64<<10 + 1, "file does not fit partition files: 65537 bytes from 0x200000, 1 too many", 0},
		{"not a partition", "logs", 1, "no partition called logs", 0},
		{"an offset within a partition", "0xa000", 0x5000, "", 0xa000},
		{"an offset, over the next", "0xa000", 0x5001, "does not fit partition nvs", 0},
		{"an offset, decimal", "36864", 16, "", 0x9000},
		{"an offset outside of all", "0x300000", 1 << 20, "", 0x300000},
		{"from outside into a partition", "0x1ff000", 0x2000, "file, 8192 bytes from 0x1ff000, would overwrite partition files", 0},
		{"a bootloader", "0x0", 0x8000, "", 0},
		{"a bootloader over the table", "0", 0x8001, "file does not fit the bootloader: 32769 bytes from 0x0, 1 too many; it would overwrite the partition table", 0},
		{"a table", "0x8000", 0xc00, "", 0x8000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Raw{Name: "file", Bytes: make([]byte, tt.size), At: tt.at}
			part, err := r.Place(table, 0x8000, false)
			if tt.text != "" {
				if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error %v, want %q", err, tt.text)
				}
				if tt.at == "logs" {
					return
				}
				if part, err = r.Place(table, 0x8000, true); err != nil || len(part.Bytes) != tt.size {
					t.Errorf("with force: %v", err)
				}
				return
			}
			if err != nil || part.Offset != tt.offset || len(part.Bytes) != tt.size {
				t.Errorf("0x%x, %d bytes, %v; want 0x%x", part.Offset, len(part.Bytes), err, tt.offset)
			}
		})
	}
	// A board without a table.
	if p, err := (Raw{Name: "file", Bytes: []byte{1}, At: "0x9000"}).Place(partition.Table{}, 0, false); err != nil || p.Offset != 0x9000 {
		t.Errorf("an offset without a table: %+v, %v", p, err)
	}
	if _, err := (Raw{Name: "file", Bytes: []byte{1}, At: "nvs"}).Place(partition.Table{}, 0, false); fault.KindOf(err) != fault.Chip {
		t.Errorf("a name without a table: %v", err)
	}
}

func TestParseRange(t *testing.T) {
	for _, tt := range []struct {
		offset, size string
		want         Region
		ok           bool
	}{
		{"0x9000", "0x6000", Region{Offset: 0x9000, Size: 0x6000}, true},
		{"36864", "4096", Region{Offset: 36864, Size: 4096}, true},
		{"0", "1", Region{Size: 1}, true},
		{"nvs", "1", Region{}, false},
		{"0", "0", Region{}, false},
		{"-1", "1", Region{}, false},
		{"0x100000000", "1", Region{}, false},
	} {
		got, err := ParseRange(tt.offset, tt.size)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s %s: %+v, %v", tt.offset, tt.size, got, err)
		}
	}
}
