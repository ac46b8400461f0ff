package ports

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/serial"
)

var (
	jtag   = serial.Info{Name: "/dev/ttyACM0", Kind: serial.USBJTAG, VID: 0x303a, PID: 0x1001, Serial: "60:55:F9:00:00:01"}
	other  = serial.Info{Name: "/dev/ttyACM1", Kind: serial.USBJTAG, VID: 0x303a, PID: 0x1001, Serial: "60:55:F9:00:00:02"}
	bridge = serial.Info{Name: "/dev/ttyUSB0", Kind: serial.Bridge, VID: 0x10c4, PID: 0xea60}
	uart   = serial.Info{Name: "/dev/ttyS0"}
)

func newProject(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Cargo.toml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestChoose(t *testing.T) {
	renamed := jtag
	renamed.Name = "/dev/ttyACM7"
	for _, tt := range []struct {
		name       string
		given      string
		env        map[string]string
		remembered string // one of list at the time
		list       []serial.Info
		now        []serial.Info // nil: list
		want       string        // "": an error of kind Port
		text       string        // of the origin or the error
	}{
		{name: "named", given: "/dev/x", env: map[string]string{"ESPALIER_PORT": "y"}, want: "/dev/x", text: "command line"},
		{name: "environment", env: map[string]string{"ESPTOOL_PORT": "b", "ESPFLASH_PORT": "a"}, list: []serial.Info{jtag}, want: "a", text: "ESPFLASH_PORT"},
		{name: "empty variable", env: map[string]string{"ESPALIER_PORT": ""}, list: []serial.Info{jtag}, want: jtag.Name, text: "only board"},
		{name: "remembered", remembered: other.Name, list: []serial.Info{jtag, other}, want: other.Name, text: "remembered"},
		{name: "remembered, renamed", remembered: jtag.Name, list: []serial.Info{jtag}, now: []serial.Info{other, renamed}, want: renamed.Name, text: "remembered"},
		{name: "remembered, disconnected", remembered: jtag.Name, list: []serial.Info{jtag}, now: []serial.Info{other}, text: "the board of this project (/dev/ttyACM0, serial number 60:55:F9:00:00:01) is not connected"},
		{name: "remembered without a serial number", remembered: bridge.Name, list: []serial.Info{bridge}, now: []serial.Info{jtag}, want: bridge.Name, text: "remembered"},
		{name: "one board among ports", list: []serial.Info{bridge, uart}, want: bridge.Name, text: "only board"},
		{name: "two boards", list: []serial.Info{jtag, bridge, uart}, text: "2 boards are connected"},
		{name: "no board", list: []serial.Info{uart}, text: "no board is connected"},
		{name: "no port", text: "no board is connected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := newProject(t)
			if tt.remembered != "" {
				if err := Remember(dir, tt.remembered, tt.list); err != nil {
					t.Fatal(err)
				}
			}
			now := tt.now
			if now == nil {
				now = tt.list
			}
			c, err := Choose(Sources{Name: tt.given, Dir: dir, List: func() ([]serial.Info, error) { return now, nil },
				Lookup: func(n string) (string, bool) { v, ok := tt.env[n]; return v, ok }})
			if tt.want == "" {
				if fault.KindOf(err) != fault.Port || !strings.Contains(err.Error(), tt.text) || len(fault.Hints(err)) == 0 {
					t.Errorf("got %v, error %v", c, err)
				}
				return
			}
			if err != nil || c.Name != tt.want || !strings.Contains(c.Origin, tt.text) {
				t.Errorf("got %+v, %v; want %s by %s", c, err, tt.want, tt.text)
			}
		})
	}
}

// A list that cannot be had is no reason to give up a port that is remembered by
// name.
func TestNoList(t *testing.T) {
	dir := newProject(t)
	s := Sources{Dir: dir, Lookup: func(string) (string, bool) { return "", false }, List: func() ([]serial.Info, error) { return nil, errors.New("no sysfs") }}
	if _, err := Choose(s); fault.KindOf(err) != fault.Port {
		t.Errorf("nothing remembered: %v", err)
	}
	if err := Remember(dir, "tcp://lab:4000", nil); err != nil {
		t.Fatal(err)
	}
	if c, err := Choose(s); err != nil || c.Name != "tcp://lab:4000" {
		t.Errorf("%+v, %v", c, err)
	}
}

// A port that does not exist is not remembered.
func TestRememberAbsent(t *testing.T) {
	dir := newProject(t)
	if err := Remember(dir, jtag.Name, []serial.Info{jtag}); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		filepath.Join(dir, "ttyACM9"): "no such port",
		plain:                         "it is not a serial port",
		dir:                           "it is not a serial port",
	} {
		err := Remember(dir, name, []serial.Info{jtag, uart})
		if fault.KindOf(err) != fault.Port || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", name, err, text)
		}
		if h := strings.Join(fault.Hints(err), "\n"); !strings.Contains(h, "--use "+jtag.Name) || strings.Contains(h, uart.Name) {
			t.Errorf("%s: hints\n%s", name, h)
		}
	}
	if r, ok := Recall(dir); !ok || r.Name != jtag.Name {
		t.Errorf("what was remembered before is lost: %+v, %v", r, ok)
	}
	if err := Remember(t.TempDir(), jtag.Name, []serial.Info{jtag}); fault.KindOf(err) != fault.Usage {
		t.Errorf("outside of a project: %v", err)
	}
	if err := errors.Join(Forget(dir), Forget(dir)); err != nil {
		t.Error(err)
	}
	if _, ok := Recall(dir); ok {
		t.Error("it is still remembered")
	}
}
