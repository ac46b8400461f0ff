package ports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/serial"
)

// Port is the event "port": a serial port of this machine.
type Port struct {
	Name         string `json:"name"`
	Kind         string `json:"kind"`
	USB          string `json:"usb,omitempty"`
	Serial       string `json:"serial,omitempty"`
	Manufacturer string `json:"manufacturer,omitempty"`
	Product      string `json:"product,omitempty"`
	Likely       bool   `json:"likely"`     // a board is probably behind it
	Remembered   bool   `json:"remembered"` // by the project
	Denied       bool   `json:"denied"`     // the user may not open it

	board string // the probable chip
}

// Listing are ports, and what keeps the user from opening some of them.
type Listing struct {
	Ports    []Port
	Remedies []string // commands that give access, each once
}

// List describes ports for the project in dir or above. access returns why a port
// may not be opened, nil when it may.
func List(dir string, list []serial.Info, access func(serial.Info) *serial.PermissionError) Listing {
	was, saved := Recall(dir)
	var out Listing
	for _, i := range list {
		p := Port{
			Name: i.Name, Kind: i.Kind.String(), Serial: i.Serial, Manufacturer: i.Manufacturer, Product: i.Product,
			Likely: i.Likely(), Remembered: saved && was.Matches(i), board: cmp.Or(i.Chip, i.Product, i.Kind.String()),
		}
		if i.VID != 0 {
			p.USB = fmt.Sprintf("%04x:%04x", i.VID, i.PID)
		}
		if denied := access(i); denied != nil {
			p.Denied = true
			for _, h := range denied.Hints() {
				if !slices.Contains(out.Remedies, h) {
					out.Remedies = append(out.Remedies, h)
				}
			}
		}
		out.Ports = append(out.Ports, p)
	}
	return out
}

// Table has a row for each port.
func (l Listing) Table() ui.Table {
	t := ui.Table{Head: []string{"Port", "Board", "USB", "Serial number", ""}}
	for _, p := range l.Ports {
		var marks []string
		if p.Remembered {
			marks = append(marks, "remembered")
		}
		if p.Denied {
			marks = append(marks, "no permission")
		}
		t.Rows = append(t.Rows, []string{p.Name, p.board, p.USB, p.Serial, strings.Join(marks, ", ")})
	}
	return t
}

// Denied names the ports that the user may not open: one name or a number; ""
// when there are none.
func (l Listing) Denied() string {
	n, name := 0, ""
	for _, p := range l.Ports {
		if p.Denied {
			if n++; n == 1 {
				name = p.Name
			}
		}
	}
	if n > 1 {
		return fmt.Sprintf("%d of these ports", n)
	}
	return name
}
