package cli

import (
	"bytes"
	"testing"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/elftest"
)

// The image of a whole flash names what is in it: blank stretches, such as an
// nvs that nothing was ever stored in, are not to be erased on the board.
func TestWholeFlashParts(t *testing.T) {
	f, err := image.FromELF(elftest.Hello().Bytes(), image.Inputs{Bootloader: elftest.Bootloader(5)})
	if err != nil {
		t.Fatal(err)
	}
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
			c, err := image.ParseFlash(tc.b)
			if err != nil {
				t.Fatal(err)
			}
			got := wholeFlash(tc.b, c, tc.exact)
			var names []string
			for _, p := range got {
				names = append(names, p.Name)
				if !bytes.Equal(p.Bytes, tc.b[p.Offset:][:len(p.Bytes)]) {
					t.Errorf("%s is not what stands at 0x%x", p.Name, p.Offset)
				}
			}
			if len(names) != len(tc.want) {
				t.Fatalf("parts %q, want %q", names, tc.want)
			}
			for i := range names {
				if names[i] != tc.want[i] {
					t.Errorf("parts %q, want %q", names, tc.want)
				}
			}
		})
	}
}
