package ports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/serial"
)

// Remembered is the port that a project remembers.
type Remembered struct {
	Name   string `json:"name"`
	VID    uint16 `json:"vid,omitempty"`
	PID    uint16 `json:"pid,omitempty"`
	Serial string `json:"serial,omitempty"` // of the USB device; decides when it is known
}

// Matches reports whether a port is the remembered one.
func (r Remembered) Matches(i serial.Info) bool {
	if r.Serial != "" {
		return i.Serial == r.Serial && i.VID == r.VID && i.PID == r.PID
	}
	return i.Name == r.Name
}

// StateDir returns the directory for what espalier notes about the project in dir
// or above: target/espalier, which no project commits. The error is of kind
// fault.Usage when there is no project.
func StateDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fault.Wrap(fault.Usage, err, "finding the project")
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "Cargo.toml")); err == nil {
			return filepath.Join(at, "target", "espalier"), nil
		}
		if filepath.Dir(at) == at {
			return "", fault.New(fault.Usage, "no project here or above to remember a port for", "espalier -C DIR ports --use PORT")
		}
	}
}

func file(dir string) (string, error) {
	state, err := StateDir(dir)
	return filepath.Join(state, "port.json"), err
}

// Recall returns the port that the project in dir remembers. A file that cannot
// be read is none.
func Recall(dir string) (r Remembered, ok bool) {
	path, err := file(dir)
	if err != nil {
		return r, false
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return r, false
	}
	return r, json.Unmarshal(b, &r) == nil && r.Name != ""
}

// Remember notes name as the port of the project in dir. list are the ports of
// this machine. A name that is no port now is refused (kind fault.Port); a URL is
// noted unseen.
func Remember(dir, name string, list []serial.Info) error {
	path, err := file(dir)
	if err != nil {
		return err
	}
	r := Remembered{Name: name}
	i := slices.IndexFunc(list, func(i serial.Info) bool { return i.Name == name })
	switch {
	case i >= 0:
		r = Remembered{Name: name, VID: list[i].VID, PID: list[i].PID, Serial: list[i].Serial}
	case strings.Contains(name, "://"):
	default:
		if err := checkDevice(name, list); err != nil {
			return err
		}
	}
	b, err := json.Marshal(r)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o777)
	}
	if err == nil {
		err = atomicfile.WriteChanged(path, append(b, '\n'), 0o644)
	}
	return fault.Wrap(fault.Usage, err, "remembering the port")
}

// checkDevice refuses a name that is not listed, unless it is a device: a
// pseudo-terminal, or a link to a port.
func checkDevice(name string, list []serial.Info) error {
	st, err := os.Stat(name)
	if err == nil && st.Mode()&fs.ModeCharDevice != 0 {
		return nil
	}
	cause := "it is not a serial port"
	if errors.Is(err, fs.ErrNotExist) {
		cause = "no such port"
	} else if err != nil {
		cause = err.Error()
	}
	hints := []string{"espalier ports"}
	for _, i := range list {
		if i.Likely() {
			hints = append(hints, fmt.Sprintf("espalier ports --use %s    (%s)", i.Name, Describe(i)))
		}
	}
	return fault.New(fault.Port, "remembering "+name+": "+cause, hints...)
}

// Forget removes what Remember has noted.
func Forget(dir string) error {
	path, err := file(dir)
	if err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Usage, err, "forgetting the port")
	}
	return nil
}
