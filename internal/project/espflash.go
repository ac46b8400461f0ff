package project

import (
	"path/filepath"
	"slices"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// espflashTables are the tables of espflash.toml and their keys (espflash 4,
// cli/config.rs); "" is the top level. The name of the table of the image
// format changed between versions.
var espflashTables = []struct {
	names []string
	keys  []string
}{
	{[]string{""}, []string{"baudrate", "format", "connection", "usb_device"}},
	{[]string{"idf_format_args", "esp_idf_format_args", "idf"},
		[]string{"bootloader", "partition_table", "partition_table_offset", "target_app_partition"}},
	{[]string{"flash"}, []string{"mode", "size", "frequency"}},
}

// metadataKeys are the keys of [package.metadata.espflash].
var metadataKeys = []string{"bootloader", "format", "partition_table"}

// espflash collects what espflash.toml beside the member (else in its parent
// inside the project, else beside the workspace) and [package.metadata.espflash]
// say, by espflash's own key names. Both are read strictly: a key that espflash
// would ignore is an error, because the image would silently differ.
func (o *opening) espflash(p *Project) (map[string][]raw, error) {
	out := map[string][]raw{}
	if o.workspace == nil {
		return out, nil
	}
	take := func(t *tomldoc.Node, keys ...string) error {
		for _, k := range keys {
			n := t.Get(k)
			if n == nil {
				continue
			}
			if n.Kind != tomldoc.String && n.Kind != tomldoc.Integer {
				return n.Errorf("%s: want a string, found %s", k, n.Kind)
			}
			out[k] = append(out[k], raw{words: []string{n.Text}, origin: config.At(n.File(), n.Pos), node: n})
		}
		return nil
	}
	seen := map[string]bool{}
	for _, d := range []string{p.Member, filepath.Dir(p.Member), p.Workspace} {
		if seen[d] || !config.Within(d, p.Workspace) {
			continue
		}
		seen[d] = true
		n, err := o.TOML(filepath.Join(d, "espflash.toml"))
		if err != nil {
			return nil, err
		}
		if n == nil {
			continue
		}
		if err := checkEspflash(n); err != nil {
			return nil, o.Fault(err)
		}
		for _, t := range espflashTables[1:] {
			for _, name := range t.names {
				if err := take(n.Get(name), t.keys...); err != nil {
					return nil, o.Fault(err)
				}
			}
		}
		break
	}
	pkg := p.selected()
	if pkg.Name == "" {
		return out, nil
	}
	meta := pkg.Metadata("espflash")
	r := &tomldoc.Reader{}
	if meta != nil {
		checkEspflashKeys(r, meta, "package.metadata.espflash", metadataKeys)
	}
	if r.Err() != nil {
		return nil, o.Fault(r.Err())
	}
	if err := take(meta, "bootloader", "partition_table"); err != nil {
		return nil, o.Fault(err)
	}
	return out, nil
}

// checkEspflash refuses keys that espflash does not read where they are.
func checkEspflash(n *tomldoc.Node) error {
	r := &tomldoc.Reader{}
	top := slices.Clone(espflashTables[0].keys)
	for _, t := range espflashTables[1:] {
		top = append(top, t.names...)
	}
	checkEspflashKeys(r, n, "", top)
	for _, t := range espflashTables[1:] {
		for _, name := range t.names {
			if tab := r.Table(n, name); tab != nil {
				checkEspflashKeys(r, tab, name, t.keys)
			}
		}
	}
	return r.Err()
}

// checkEspflashKeys refuses keys that are not in known, with the table where
// such a key belongs.
func checkEspflashKeys(r *tomldoc.Reader, t *tomldoc.Node, where string, known []string) {
	if t.Kind != tomldoc.Table {
		r.Fail(t.Errorf("%s: want a table, found %s", where, t.Kind))
		return
	}
	in := "the top level"
	if where != "" {
		in = "[" + where + "]"
	}
	for _, k := range t.Keys {
		if slices.Contains(known, k.Name) {
			continue
		}
		for _, other := range espflashTables {
			if !slices.Contains(other.keys, k.Name) {
				continue
			}
			belongs := "[" + other.names[0] + "] of espflash.toml"
			if other.names[0] == "" {
				belongs = "the top level of espflash.toml"
			}
			r.Fail(t.ErrorAt(k.Pos, "%s is not a key of %s; it belongs in %s", k.Name, in, belongs))
		}
		r.Fail(t.ErrorAt(k.Pos, "%s is not a key of %s; espflash does not read it", k.Name, in))
	}
}
