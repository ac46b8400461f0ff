package partition

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Tables as other tools and editors write them.
func TestCSVOfOtherTools(t *testing.T) {
	const idf = "# ESP-IDF Partition Table\n# Name,   Type, SubType, Offset,  Size, Flags\nnvs,data,nvs,0x9000,0x6000,\nmain,app,factory,0x10000,1M,\n"
	const flags = "# Name, Type\nnvs,\tdata,\tnvs,\t0x9000,\t24K,\t\nmain, app, factory, 0x10000, 1M,\nraw, 0x40, 0x01, , 4K, encrypted\n" +
		"blob, data, undefined, , 4096, readonly\nx, data, 0x99, , 0x1000, encrypted:readonly\n"
	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	idfWant := []string{"nvs (0x9000-0xf000)", "main (0x10000-0x110000)"}
	flagsWant := []string{"nvs (0x9000-0xf000)", "main (0x10000-0x110000)", "raw (0x110000-0x111000)", "blob (0x111000-0x112000)", "x (0x112000-0x113000)"}
	for _, tt := range []struct {
		name, csv string
		want      []string
	}{
		{"byte-order mark, carriage returns", "\ufeff" + crlf(idf), idfWant},
		{"flags, carriage returns", crlf(flags), flagsWant},
		{"flags, byte-order mark", "\ufeff" + crlf(flags), flagsWant},
		{"offsets left out", "nvs,data,nvs,,0x6000,\nphy,data,phy,,0x1000,\nmain,app,factory,,1M,\n",
			[]string{"nvs (0x9000-0xf000)", "phy (0xf000-0x10000)", "main (0x10000-0x110000)"}},
		{"no factory app", "nvs,data,nvs,0x9000,0x4000\notadata,data,ota,0xd000,0x2000\nphy,data,phy,0xf000,0x1000\na0,app,ota_0,0x10000,1M\na1,app,ota_1,,1M\n",
			[]string{"nvs (0x9000-0xd000)", "otadata (0xd000-0xf000)", "phy (0xf000-0x10000)", "a0 (0x10000-0x110000)", "a1 (0x110000-0x210000)"}},
		{"a subtype twice", "nvs,data,nvs,0x9000,0x6000,\nmain,app,factory,0x10000,1M,\nweb,data,spiffs,,512K,\nlogs,data,spiffs,,512K,\nf1,data,fat,,64K,\nf2,data,fat,,64K,\n",
			[]string{"nvs (0x9000-0xf000)", "main (0x10000-0x110000)", "web (0x110000-0x190000)", "logs (0x190000-0x210000)", "f1 (0x210000-0x220000)", "f2 (0x220000-0x230000)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, err := ParseCSV([]byte(tt.csv))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range table.Entries {
				got = append(got, e.String())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if w := table.Warnings(); w != nil {
				t.Errorf("warnings: %v", w)
			}
		})
	}
	for _, tt := range []struct{ name, csv, text, hint string }{
		{"offset within a sector", "nvs,data,nvs,0x8c00,0x6000\nmain,app,factory,0x10000,1M\n",
			"line 1: partition nvs: offset 0x8c00 is not a multiple of 0x1000", "0x9000 is the next offset"},
		{"type as subtype", "otadata, data, ota, , 0x2000,\nslot0, app, ota_0, , 1M,\nfiles, data, data, , 1M,\n",
			`line 3, column 14: unknown subtype "data" of data`, "subtypes of data are ota, phy, nvs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseCSV([]byte(tt.csv))
			var h interface{ Hints() []string }
			if err == nil || err.Error() != tt.text || !errors.As(err, &h) || !strings.HasPrefix(h.Hints()[0], tt.hint) {
				t.Errorf("error %v, want %s, hint %s", err, tt.text, tt.hint)
			}
		})
	}
}

// A table for more flash than a board has gets a hint that can be followed: the
// size at which all of it fits, and none when there is none.
func TestFlashSizeHint(t *testing.T) {
	for _, tt := range []struct{ size, hint string }{
		{"3M", "--flash-size 8MB   # if the board has it: all partitions fit"},
		{"9M", "--flash-size 16MB   # if the board has it: all partitions fit"},
		{"12M", "--flash-size 16MB   # if the board has it: all partitions fit"},
		{"64M", "make the partitions smaller: they end at 0x4310000, and no flash of an ESP32-C3 is larger than 0x1000000 (16 MiB)"},
	} {
		table, err := ParseCSV([]byte("nvs,data,nvs,0x9000,0x6000\nmain,app,factory,0x10000,3M\nfiles,data,fat,," + tt.size))
		if err != nil {
			t.Fatal(err)
		}
		var fit *FitError
		if err := table.Check(4 << 20); !errors.As(err, &fit) || fit.Hints()[0] != tt.hint {
			t.Errorf("%s: %v, hints %v; want %s", tt.size, err, fit.Hints(), tt.hint)
		}
		if warned := strings.Contains(strings.Join(table.Warnings(), "\n"), "no flash of an ESP32-C3 is larger"); warned != (tt.size == "64M") {
			t.Errorf("%s: warnings %v", tt.size, table.Warnings())
		}
	}
}
