//go:build !linux

package serial

import (
	"strconv"
	"strings"

	"go.bug.st/serial"
)

// listDevices names the ports; their USB devices are not known here: the
// library's USB enumeration needs cgo on macOS.
func listDevices() ([]Info, error) {
	names, err := serial.GetPortsList()
	var out []Info
	for _, n := range names {
		out = append(out, describe(n))
	}
	return out, err
}

// describe recognises a port by its name: macOS calls Espressif's device
// usbmodem and bridges usbserial.
func describe(name string) Info {
	i := Info{Name: name}
	switch {
	case strings.Contains(name, "usbmodem"):
		i.Kind = USBJTAG
	case strings.Contains(name, "usbserial"), strings.Contains(name, "SLAB"), strings.Contains(name, "wchusb"):
		i.Kind = Bridge
	case strings.HasPrefix(name, "COM"):
		if _, err := strconv.Atoi(name[3:]); err == nil {
			i.Kind = Bridge
		}
	}
	return i
}
