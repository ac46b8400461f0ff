package serial

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// sysfs is where Linux describes terminals.
const sysfs = "/sys/class/tty"

func listDevices() ([]Info, error) {
	return listBelow(sysfs, "/dev")
}

func listBelow(class, dev string) ([]Info, error) {
	entries, err := os.ReadDir(class)
	if err != nil {
		return nil, err
	}
	var out []Info
	for _, e := range entries {
		node := filepath.Join(class, e.Name())
		if _, err := os.Stat(filepath.Join(node, "device")); err != nil {
			continue // a virtual terminal
		}
		// A UART of the mainboard that does not exist has type 0.
		if t := readTrimmed(filepath.Join(node, "type")); t == "0" {
			continue
		}
		path := filepath.Join(dev, e.Name())
		if _, err := os.Stat(path); err != nil {
			continue
		}
		i := describeNode(node)
		i.Name = path
		out = append(out, i)
	}
	return out, nil
}

// describe finds the USB device of a device file of any name.
func describe(name string) Info {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		real = name
	}
	if strings.HasPrefix(real, "/dev/pts/") {
		return Info{Name: name, Kind: Terminal}
	}
	i := describeNode(filepath.Join(sysfs, filepath.Base(real)))
	i.Name = name
	return i
}

// describeNode walks from a terminal's node in sysfs up to the USB device.
func describeNode(node string) Info {
	var i Info
	at, err := filepath.EvalSymlinks(filepath.Join(node, "device"))
	if err != nil {
		return i
	}
	for range 6 {
		if vid := readTrimmed(filepath.Join(at, "idVendor")); vid != "" {
			i.VID, i.PID = hex16(vid), hex16(readTrimmed(filepath.Join(at, "idProduct")))
			i.Serial = readTrimmed(filepath.Join(at, "serial"))
			i.Manufacturer = readTrimmed(filepath.Join(at, "manufacturer"))
			i.Product = readTrimmed(filepath.Join(at, "product"))
			break
		}
		at = filepath.Dir(at)
	}
	i.recognise()
	return i
}

func hex16(s string) uint16 {
	v, _ := strconv.ParseUint(s, 16, 16)
	return uint16(v)
}
