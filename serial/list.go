package serial

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"sort"
	"time"
)

// vendor is a USB device that is known to sit on boards.
type vendor struct {
	vid, pid uint16 // pid 0: all of the vendor
	kind     Kind
	name     string
	chip     string
}

func vendors() []vendor {
	return []vendor{
		{0x303a, 0x1001, USBJTAG, "Espressif USB-Serial-JTAG", "ESP32-C3, C6, H2 or S3"},
		{0x303a, 0, Unknown, "Espressif", ""},
		{0x10c4, 0xea60, Bridge, "Silicon Labs CP210x", ""},
		{0x10c4, 0, Bridge, "Silicon Labs", ""},
		{0x1a86, 0, Bridge, "WCH CH34x", ""},
		{0x0403, 0, Bridge, "FTDI", ""},
		{0x067b, 0, Bridge, "Prolific PL2303", ""},
	}
}

// recognise fills in what follows from the USB ids.
func (i *Info) recognise() {
	for _, v := range vendors() {
		if v.vid != i.VID || v.pid != 0 && v.pid != i.PID {
			continue
		}
		i.Kind, i.Chip = v.kind, v.chip
		if i.Product == "" {
			i.Product = v.name
		}
		return
	}
	if i.VID != 0 {
		i.Kind = Bridge // any other USB device that is a tty
	}
}

// Likely reports whether a board is probably connected to the port, by the USB
// vendor and product number.
func (i Info) Likely() bool {
	return slices.ContainsFunc(vendors(), func(v vendor) bool { return v.vid == i.VID && (v.pid == 0 || v.pid == i.PID) })
}

// List returns the serial ports of this machine: first those where a board is
// likely, Espressif's own before bridges, then the rest, by name.
func List() ([]Info, error) {
	list, err := listDevices()
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name)) < 0
	})
	return list, err
}

func rank(i Info) int {
	switch {
	case i.Kind == USBJTAG:
		return 0
	case i.Likely():
		return 1
	case i.VID != 0:
		return 2
	}
	return 3
}

// reopenEvery is how often Reopen looks.
const reopenEvery = 50 * time.Millisecond

// Reopen opens a port that has disconnected as soon as it is back, for at most
// timeout: a USB device that re-enumerates comes back under the same serial
// number, sometimes with another name. Reasons that waiting does not remove
// are returned at once.
func Reopen(ctx context.Context, was Info, o Options, timeout time.Duration) (Port, error) {
	end := time.Now().Add(timeout)
	for {
		name := was.Name
		if was.Serial != "" {
			if list, err := List(); err == nil {
				if i := slices.IndexFunc(list, func(i Info) bool {
					return i.Serial == was.Serial && i.VID == was.VID && i.PID == was.PID
				}); i >= 0 {
					name = list[i].Name
				}
			}
		}
		p, err := Open(ctx, name, o)
		if err == nil {
			return p, nil
		}
		// A new device has no group until udev has set it.
		var e *OpenError
		if !errors.As(err, &e) || e.Reason == NotAPort || e.Reason == BadName || time.Now().After(end) {
			return nil, err
		}
		t := time.NewTimer(reopenEvery)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		case <-t.C:
		}
	}
}

// readTrimmed is the content of a small file of the system, "" without it.
func readTrimmed(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == ' ') {
		b = b[:len(b)-1]
	}
	return string(b)
}
