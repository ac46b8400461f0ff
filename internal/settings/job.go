package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/esp/nvs"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
)

// Job is what [nvs] of a project means for a board's flash.
type Job struct {
	Partition partition.Entry
	Keys      *partition.Entry // nil: the values are not encrypted

	// Emulated says that a MAC address which is not in the devices file is no
	// error: the values for all devices are written.
	Emulated bool

	values  []nvs.Entry // for every device
	devices []Device
	device  string // chosen by name; "": by MAC address
	file    string // of the devices
}

// For makes the job of a project with a partition table; nil when the project has
// no [nvs]. device names a row of the devices file, "" leaves it to the MAC address.
// secret gets the value of a secret. Errors are faults of kind Usage with a place.
func For(p *project.Project, table partition.Table, device string, secret func(project.Secret) (string, error)) (*Job, error) {
	c := p.Espalier.NVS
	if c.Origin.IsZero() {
		if device != "" {
			return nil, fault.New(fault.Usage, "--device "+device+": [nvs] of espalier.toml names no file of devices", `[nvs] devices = "devices.csv"`)
		}
		return nil, nil
	}
	j := &Job{device: device, file: filepath.ToSlash(config.Rel(p.Root, c.Devices))}
	where := place{c, p.Espalier.Image.PartitionTable.V, table}
	var err error
	if j.Partition, err = where.find(c.Partition, "nvs", nvs.MinSize); err != nil {
		return nil, err
	}
	if c.Encrypted.V {
		keys := c.Keys
		if keys.V == "" {
			keys = config.NewValue(firstKeys(table), c.Encrypted.Origin)
		}
		e, err := where.find(keys, "nvs_keys", nvs.KeysSize)
		if err != nil {
			return nil, err
		}
		j.Keys = &e
	}
	for _, v := range c.Values {
		value, err := valueOf(p, v, secret)
		if err != nil {
			return nil, err
		}
		j.values = append(j.values, nvs.Entry{Namespace: v.Namespace, Key: v.Key, Value: value})
	}
	switch {
	case c.Devices != "":
		b, err := os.ReadFile(c.Devices)
		if err != nil {
			return nil, fault.Wrap(fault.Usage, config.Pathless(err), "reading "+j.file)
		}
		if j.devices, err = ParseDevices(j.file, b, j.values); err != nil {
			return nil, err
		}
		if device != "" {
			if _, err := j.find([6]byte{}); err != nil {
				return nil, err
			}
		}
	case device != "":
		return nil, fault.New(fault.Usage, "--device "+device+": [nvs] of espalier.toml names no file of devices", `[nvs] devices = "devices.csv"`)
	}
	return j, nil
}

func valueOf(p *project.Project, v project.NVSValue, secret func(project.Secret) (string, error)) (nvs.Value, error) {
	fail := func(err error) error {
		return fault.Wrap(fault.Usage, err, v.Origin.String()+": nvs."+v.Namespace+"."+v.Key)
	}
	raw := []byte(nil)
	switch {
	case v.Secret != "":
		text, err := secret(p.Espalier.Secret(v.Secret))
		if err != nil {
			return nvs.Value{}, err
		}
		raw = []byte(text)
	case v.File != "":
		b, err := os.ReadFile(v.File)
		if err != nil {
			return nvs.Value{}, fail(config.Pathless(err))
		}
		raw = b
	default:
		return v.Value, nil
	}
	if v.Type == nvs.String {
		value, err := nvs.Parse(nvs.String, string(raw))
		if err != nil {
			return value, fail(err)
		}
		return value, nil
	}
	return nvs.Bytes(raw), nil
}

// place is where partitions are looked for, for messages.
type place struct {
	config project.NVSConfig
	file   string // of the partition table; "": the default table
	table  partition.Table
}

func firstKeys(t partition.Table) string {
	for _, e := range t.Entries {
		if e.Type == partition.Data && partition.SubtypeName(e.Type, e.Subtype) == "nvs_keys" {
			return e.Name
		}
	}
	return "nvs_keys"
}

// find finds a partition and checks that it has the subtype and the size.
func (w place) find(label config.Value[string], subtype string, size uint32) (partition.Entry, error) {
	origin := label.Origin
	if origin == config.Default() {
		origin = w.config.Origin
	}
	e, ok := w.table.Find(label.V)
	if !ok {
		var have []string
		for _, e := range w.table.Entries {
			have = append(have, e.Name)
		}
		table := w.file
		if table == "" {
			table = "the default partition table"
		}
		return e, fault.New(fault.Usage, fmt.Sprintf("%s: [nvs]: no partition called %s in %s", origin, label.V, table),
			"there are "+strings.Join(have, ", "), fmt.Sprintf("%s, data, %s, , 0x%x   # a line of partitions.csv, with [image] partition-table", label.V, subtype, max(size, 0x1000)))
	}
	at := fmt.Sprintf("%s: partition %s", origin, e.Name)
	if w.file != "" && e.Line > 0 {
		at = fmt.Sprintf("%s:%d: partition %s", w.file, e.Line, e.Name)
	}
	have := partition.SubtypeName(e.Type, e.Subtype)
	switch {
	case e.Type != partition.Data || have != subtype:
		return e, fault.New(fault.Usage, fmt.Sprintf("%s has type %s and subtype %s; [nvs] needs data and %s", at, e.Type, have, subtype))
	case e.Size < size:
		return e, fault.New(fault.Usage, fmt.Sprintf("%s has 0x%x bytes; [nvs] needs at least 0x%x", at, e.Size, size))
	case e.Flags&partition.Encrypted != 0:
		return e, fault.New(fault.Usage, at+" has the flag encrypted; espalier cannot write what the chip's flash encryption encrypts",
			"remove the flag: encrypted = true of [nvs] is NVS encryption, which needs none")
	}
	return e, nil
}
