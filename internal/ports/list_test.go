package ports

import (
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/serial"
)

// A port that may not be opened is marked, and each remedy is said once.
func TestListDenied(t *testing.T) {
	list := []serial.Info{{Name: "/dev/ttyACM0", Kind: serial.USBJTAG, VID: 0x303a, PID: 0x1001}, {Name: "/dev/ttyUSB0"}, {Name: "/dev/ttyS0"}}
	for _, tc := range []struct {
		denied int
		says   string
	}{{0, ""}, {1, "/dev/ttyACM0"}, {2, "2 of these ports"}} {
		n := 0
		l := List(t.TempDir(), list, func(serial.Info) *serial.PermissionError {
			if n++; n > tc.denied {
				return nil
			}
			return &serial.PermissionError{Group: "dialout"}
		})
		marked := 0
		rows := l.Table().Rows
		for _, r := range rows {
			if r[4] == "no permission" {
				marked++
			}
		}
		if len(rows) != 3 || rows[0][2] != "303a:1001" || marked != tc.denied || l.Denied() != tc.says {
			t.Errorf("%d denied: %q, %d marked in %q", tc.denied, l.Denied(), marked, rows)
		}
		remedies := 0
		for _, r := range l.Remedies {
			if strings.HasPrefix(r, "sudo usermod -aG dialout $USER") {
				remedies++
			}
		}
		if remedies != min(tc.denied, 1) || slices.Contains(l.Remedies, "") {
			t.Errorf("%d denied: %q", tc.denied, l.Remedies)
		}
	}
}
