package cli

import (
	"bytes"
	"strings"
	"testing"

	"espalier.dev/espalier/serial"
)

// A port that may not be opened is marked, and each remedy is said once.
func TestPortsDenied(t *testing.T) {
	list := []serial.Info{{Name: "/dev/ttyACM0", Kind: serial.USBJTAG, VID: 0x303a, PID: 0x1001}, {Name: "/dev/ttyUSB0"}, {Name: "/dev/ttyS0"}}
	for _, tc := range []struct {
		denied int
		says   string
	}{{0, ""}, {1, "you may not open /dev/ttyACM0"}, {2, "you may not open 2 of these ports"}} {
		var out, errs bytes.Buffer
		a := newApp(nil, strings.NewReader(""), &out, &errs, lookupIn(nil))
		n := 0
		showPorts(a, list, func(serial.Info) *serial.PermissionError {
			if n++; n > tc.denied {
				return nil
			}
			return &serial.PermissionError{Group: "dialout"}
		})
		a.ui.Close()
		if strings.Count(out.String(), "no permission") != tc.denied || !strings.Contains(errs.String(), tc.says) {
			t.Errorf("%s\n%s", out.String(), errs.String())
		}
		if want := min(tc.denied, 1); strings.Count(errs.String(), "sudo usermod -aG dialout $USER") != want {
			t.Errorf("%d denied: %s", tc.denied, errs.String())
		}
	}
}
