package project

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"espalier.dev/espalier/esp/nvs"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// NVSConfig is [nvs]: settings that are written into a partition of a board's flash.
type NVSConfig struct {
	Partition config.Value[string] // label
	Encrypted config.Value[bool]
	Keys      config.Value[string] // label of the partition with the keys; "": the first with subtype nvs_keys
	Devices   string               // absolute: CSV with values for each device; "" none
	Values    []NVSValue           // in the order of the file
	Origin    config.Origin        // zero: there is no [nvs]
}

// NVSValue is one value of [nvs.NAMESPACE]: Value, or the content of File, or the
// secret Secret.
type NVSValue struct {
	Namespace, Key string
	Type           nvs.Type
	Value          nvs.Value
	File           string // absolute
	Secret         string
	Origin         config.Origin
}

// nvs reads [nvs]. Sub-tables are namespaces, other keys are options.
func (x *layers) nvs() (c NVSConfig) {
	t := x.own.Get("nvs")
	if t == nil || x.err != nil || t.Kind != tomldoc.Table {
		return c
	}
	c.Origin = config.At(t.File(), t.Pos)
	dir := filepath.Dir(t.File())
	r := &tomldoc.Reader{}
	c.Partition = config.NewValue("nvs", config.Default())
	for _, k := range t.Keys {
		origin := config.At(t.File(), k.Pos)
		if k.Value.Kind == tomldoc.Table {
			if err := nvs.CheckName(k.Name); err != nil {
				x.fail(t.ErrorAt(k.Pos, "nvs: namespace %v", err))
				return c
			}
			for _, v := range k.Value.Keys {
				value, err := x.nvsValue(dir, v)
				if err != nil {
					x.fail(v.Value.Errorf("nvs.%s.%s: %v", k.Name, v.Name, err))
					return c
				}
				value.Namespace, value.Key, value.Origin = k.Name, v.Name, config.At(t.File(), v.Pos)
				c.Values = append(c.Values, value)
			}
			continue
		}
		shown := k.Value.Text
		switch k.Name {
		case "partition":
			c.Partition = config.NewValue(r.String(t, k.Name), origin)
		case "keys":
			c.Keys = config.NewValue(r.String(t, k.Name), origin)
		case "encrypted":
			c.Encrypted = config.NewValue(r.Bool(t, k.Name, false), origin)
			shown = strconv.FormatBool(c.Encrypted.V)
		case "devices":
			if c.Devices = config.Join(dir, r.String(t, k.Name)); r.Err() == nil && !config.IsFile(c.Devices) {
				r.Fail(k.Value.Errorf("nvs.devices: %s: no such file", x.l.Show(c.Devices)))
			}
		default:
			r.Fail(t.ErrorAt(k.Pos, "nvs.%s: values are in namespaces: want a table [nvs.%s], or one of partition, encrypted, keys, devices", k.Name, k.Name))
		}
		if r.Err() != nil {
			x.fail(r.Err())
			return c
		}
		x.out = append(x.out, Setting{Name: "nvs." + k.Name, Value: shown, Origin: origin})
	}
	return c
}

// nvsValue reads one value: a string, an integer (i32, or i64 when it is larger), a
// boolean (u8), or a table with a type as its key.
func (x *layers) nvsValue(dir string, k tomldoc.Key) (v NVSValue, err error) {
	if err := nvs.CheckName(k.Name); err != nil {
		return v, fmt.Errorf("key %w", err)
	}
	set := func(t nvs.Type, text string) {
		v.Type = t
		v.Value, err = nvs.Parse(t, text)
	}
	switch n := k.Value; n.Kind {
	case tomldoc.String:
		set(nvs.String, n.Text)
	case tomldoc.Bool:
		set(nvs.U8, map[bool]string{true: "1", false: "0"}[n.Bool])
	case tomldoc.Integer:
		t := nvs.I32
		if n.Int < math.MinInt32 || n.Int > math.MaxInt32 {
			t = nvs.I64
		}
		set(t, strconv.FormatInt(n.Int, 10))
	case tomldoc.Table:
		return x.nvsTable(dir, n)
	default:
		err = fmt.Errorf("want a string, an integer, a boolean or a table such as { u8 = 3 }, found %s", n.Kind)
	}
	return v, err
}

func (x *layers) nvsTable(dir string, n *tomldoc.Node) (v NVSValue, err error) {
	want := "want one of " + strings.Join(nvs.Types(), ", ") + ", file and secret"
	for _, k := range n.Keys {
		t, isType := nvs.ParseType(k.Name)
		switch {
		case k.Name == "type" && k.Value.Kind == tomldoc.String:
			if t, ok := nvs.ParseType(k.Value.Text); ok && (t == nvs.String || t == nvs.Blob) {
				v.Type = t
				continue
			}
			return v, fmt.Errorf("type %q: want string or blob", k.Value.Text)
		case v.Secret != "" || v.File != "" || v.Value.Type != 0:
			return v, fmt.Errorf("%s, and no second", want)
		case k.Name == "secret" && k.Value.Kind == tomldoc.String && k.Value.Text != "":
			v.Secret = k.Value.Text
		case k.Name == "file" && k.Value.Kind == tomldoc.String && k.Value.Text != "":
			v.File = config.Join(dir, k.Value.Text)
			if _, err := os.Stat(v.File); err != nil {
				return v, fmt.Errorf("%s: no such file", x.l.Show(v.File))
			}
		case isType && k.Value.Kind == tomldoc.String:
			v.Value, err = nvs.Parse(t, k.Value.Text)
		case isType && k.Value.Kind == tomldoc.Integer && t != nvs.String && t != nvs.Blob:
			v.Value, err = nvs.Integer(t, k.Value.Int)
		case isType:
			return v, fmt.Errorf("%s: found %s", k.Name, k.Value.Kind)
		default:
			return v, fmt.Errorf("unknown key %q: %s", k.Name, want)
		}
		if err != nil {
			return v, err
		}
	}
	switch {
	case v.Value.Type != 0 && v.Type != 0:
		return v, fmt.Errorf("type is for file and secret")
	case v.Value.Type != 0:
		v.Type = v.Value.Type
	case v.Secret == "" && v.File == "":
		return v, fmt.Errorf("%s", want)
	case v.Type == 0 && v.Secret != "":
		v.Type = nvs.String
	case v.Type == 0:
		v.Type = nvs.Blob
	}
	return v, nil
}

// nvsCredential is the credential among the values of [nvs], for the emulated access
// point: firmware that reads its settings finds the network that they name.
func (x *layers) nvsCredential(c Config, rank func(string) int) []raw {
	v, ok := c.NVS.credential(rank)
	if !ok {
		return nil
	}
	if v.Secret == "" {
		return []raw{{words: []string{v.Value.String()}, origin: v.Origin}}
	}
	if text, ok := c.Secret(v.Secret).fromEnvironment(x.lookup); ok {
		return []raw{{words: []string{text}, origin: v.Origin, hidden: true}}
	}
	return nil
}

// credential finds the string whose key has the best rank.
func (c NVSConfig) credential(rank func(string) int) (best NVSValue, ok bool) {
	for _, v := range c.Values {
		n := rank(v.Key)
		if v.Type == nvs.String && v.File == "" && n > 0 && (!ok || n < rank(best.Key)) {
			best, ok = v, true
		}
	}
	return best, ok
}
