package project

import (
	"strings"
	"testing"

	"espalier.dev/espalier/internal/fault"
)

// A key that espflash would ignore changes the image without a word, so it is
// refused with its place and the table where it belongs (esp-rs/espflash#929).
func TestEspflashIsReadStrictly(t *testing.T) {
	meta := strings.Replace(app, "[package]\n", "[package]\nmetadata.espflash = { size = \"4MB\" }\n", 1)
	for _, c := range []struct{ name, files, want string }{
		{"current table", app + "-- espflash.toml --\nbaudrate = 460800\nformat = \"esp-idf\"\n[idf_format_args]\npartition_table_offset = 0x8000\n[flash]\nsize = \"4MB\"\nmode = \"dio\"\nfrequency = \"40MHz\"\n", ""},
		{"ports of version 3", app + "-- espflash.toml --\n[connection]\nserial = \"/dev/ttyUSB0\"\n[[usb_device]]\nvid = \"303a\"\npid = \"1001\"\n", ""},
		{"table at top", app + "-- espflash.toml --\npartition_table = \"p.csv\"\n", "espflash.toml:1:1: partition_table is not a key of the top level; it belongs in [idf_format_args] of espflash.toml"},
		{"size at top", app + "-- espflash.toml --\n\nsize = \"8MB\"\n", "espflash.toml:2:1: size is not a key of the top level; it belongs in [flash]"},
		{"mode in the wrong table", app + "-- espflash.toml --\n[idf_format_args]\nmode = \"qio\"\n", "espflash.toml:2:1: mode is not a key of [idf_format_args]; it belongs in [flash]"},
		{"frequency in the wrong table", app + "-- espflash.toml --\n[connection]\n[flash]\nbaudrate = 1\n", "espflash.toml:3:1: baudrate is not a key of [flash]; it belongs in the top level"},
		{"unknown", app + "-- espflash.toml --\n[flash]\nsizes = \"4MB\"\n", "espflash.toml:2:1: sizes is not a key of [flash]; espflash does not read it"},
		{"not a table", app + "-- espflash.toml --\nflash = 1\n", "espflash.toml:1:9: flash: want a table, found an integer"},
		{"metadata", meta, "Cargo.toml:2:23: size is not a key of [package.metadata.espflash]; it belongs in [flash] of espflash.toml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(unpack(t, c.files), Options{})
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if fault.KindOf(err) != fault.Usage || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
