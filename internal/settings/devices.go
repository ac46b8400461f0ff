package settings

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"espalier.dev/espalier/esp/nvs"
	"espalier.dev/espalier/internal/fault"
)

// Device is one row of a devices file.
type Device struct {
	Name   string
	MAC    [6]byte // zero: not given
	Values []nvs.Entry
	Line   int
}

// ParseDevices reads a devices file: CSV (RFC 4180) with a header of name, mac (one
// of them may be missing) and NAMESPACE.KEY or NAMESPACE.KEY:TYPE. Without a type it
// is that of the same key in common, else string. A field that is empty sets
// nothing for that device. Lines that begin with # are comments. Errors begin with
// the name of the file and the line.
//
//	name,mac,wifi.hostname,app.id:u32
//	kitchen,7c:df:a1:00:00:01,kitchen,1
func ParseDevices(name string, b []byte, common []nvs.Entry) ([]Device, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))))
	r.Comment = '#'
	r.TrimLeadingSpace = true
	lineError := func(line int, text string) error {
		return fault.New(fault.Usage, fmt.Sprintf("%s:%d: %s", name, line, text))
	}
	csvError := func(err error) error {
		var p *csv.ParseError
		if errors.As(err, &p) {
			return lineError(p.Line, p.Err.Error())
		}
		return fault.Wrap(fault.Usage, err, "reading "+name)
	}
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, lineError(1, "no header: want name,mac,NAMESPACE.KEY,…")
	}
	if err != nil {
		return nil, csvError(err)
	}
	columns := make([]column, len(head))
	for i, text := range head {
		if columns[i], err = parseColumn(strings.TrimSpace(text), common); err != nil {
			return nil, lineError(line(r, i), err.Error())
		}
		if slices.ContainsFunc(columns[:i], func(c column) bool { return c.title() == columns[i].title() }) {
			return nil, lineError(line(r, i), fmt.Sprintf("column %s is there twice", columns[i].title()))
		}
	}
	if !slices.ContainsFunc(columns, func(c column) bool { return c.option != "" }) {
		return nil, lineError(line(r, 0), "no column name or mac: a device cannot be chosen")
	}
	var out []Device
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, csvError(err)
		}
		d := Device{Line: line(r, 0)}
		for i, text := range fields {
			if err := columns[i].put(&d, strings.TrimSpace(text), text); err != nil {
				return nil, lineError(line(r, i), fmt.Sprintf("%s: %v", columns[i].title(), err))
			}
		}
		for _, other := range out {
			if d.Name != "" && d.Name == other.Name || d.MAC != [6]byte{} && d.MAC == other.MAC {
				return nil, lineError(d.Line, fmt.Sprintf("the device is in line %d already", other.Line))
			}
		}
		out = append(out, d)
	}
}

func line(r *csv.Reader, field int) int {
	n, _ := r.FieldPos(field)
	return n
}

type column struct {
	option         string // "name" or "mac"
	namespace, key string
	typ            nvs.Type
}

func (c column) title() string {
	if c.option != "" {
		return c.option
	}
	return c.namespace + "." + c.key
}

func parseColumn(text string, common []nvs.Entry) (c column, err error) {
	if text == "name" || text == "mac" {
		return column{option: text}, nil
	}
	name, typ, typed := strings.Cut(text, ":")
	var ok bool
	if c.namespace, c.key, ok = strings.Cut(name, "."); !ok {
		return c, fmt.Errorf("column %q: want name, mac or NAMESPACE.KEY", text)
	}
	for _, n := range []string{c.namespace, c.key} {
		if err := nvs.CheckName(n); err != nil {
			return c, fmt.Errorf("column %s: %w", text, err)
		}
	}
	c.typ = nvs.String
	if typed {
		if c.typ, ok = nvs.ParseType(typ); !ok {
			return c, fmt.Errorf("column %s: unknown type %q: want one of %s", text, typ, strings.Join(nvs.Types(), ", "))
		}
		return c, nil
	}
	for _, e := range common {
		if e.Namespace == c.namespace && e.Key == c.key {
			c.typ = e.Value.Type
		}
	}
	return c, nil
}

func (c column) put(d *Device, text, raw string) error {
	switch {
	case text == "":
		return nil
	case c.option == "name":
		d.Name = text
		return nil
	case c.option == "mac":
		b, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "").Replace(text))
		if err != nil || len(b) != 6 {
			return fmt.Errorf("%q is not a MAC address, such as 7c:df:a1:00:00:01", text)
		}
		d.MAC = [6]byte(b)
		return nil
	case c.typ == nvs.String:
		text = raw
	}
	v, err := nvs.Parse(c.typ, text)
	if err != nil {
		return err
	}
	d.Values = append(d.Values, nvs.Entry{Namespace: c.namespace, Key: c.key, Value: v})
	return nil
}

// find returns the device that was chosen by name, or that has a MAC address.
func (j *Job) find(mac [6]byte) (Device, error) {
	var have []string
	for _, d := range j.devices {
		if j.device != "" && d.Name == j.device || j.device == "" && d.MAC == mac {
			return d, nil
		}
		if d.Name != "" {
			have = append(have, d.Name)
		}
	}
	if j.device != "" {
		return Device{}, fault.New(fault.Usage, fmt.Sprintf("--device %s: %s has no such name", j.device, j.file), "there are "+strings.Join(have, ", "))
	}
	return Device{}, fault.New(fault.Usage, fmt.Sprintf("%s has no device with the MAC address %s", j.file, MAC(mac)),
		"--device NAME chooses one; there are "+strings.Join(have, ", "))
}

// MAC returns a MAC address as it is usually written.
func MAC(mac [6]byte) string {
	return strings.ReplaceAll(fmt.Sprintf("% x", mac), " ", ":")
}

// Entries returns the values for the board with a MAC address, and the name of the
// device in the devices file. The values of the device replace those for all.
func (j *Job) Entries(mac [6]byte) (entries []nvs.Entry, device string, err error) {
	entries = slices.Clone(j.values)
	if j.devices == nil {
		return entries, "", nil
	}
	d, err := j.find(mac)
	if err != nil && j.Emulated && j.device == "" {
		return entries, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	for _, v := range d.Values {
		i := slices.IndexFunc(entries, func(e nvs.Entry) bool { return e.Namespace == v.Namespace && e.Key == v.Key })
		if i >= 0 {
			entries[i] = v
		} else {
			entries = append(entries, v)
		}
	}
	return entries, d.Name, nil
}
