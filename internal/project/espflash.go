package project

import (
	"path/filepath"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// espflash collects what espflash.toml beside the member (else in its parent
// inside the project, else beside the workspace) and [package.metadata.espflash]
// say, by espflash's own key names.
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
			r := raw{origin: config.At(n.File(), n.Pos), node: n}
			switch n.Kind {
			case tomldoc.String:
				r.words = []string{n.Text}
			case tomldoc.Integer:
				r.words = []string{n.Text}
			default:
				return n.Errorf("%s: want a string, found %s", k, n.Kind)
			}
			out[k] = append(out[k], r)
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
		idf := n.Get("idf_format_args")
		if idf == nil {
			idf = n.Get("idf")
		}
		if err := take(idf, "bootloader", "partition_table", "partition_table_offset", "target_app_partition"); err != nil {
			return nil, o.Fault(err)
		}
		if err := take(n.Get("flash"), "mode", "size", "frequency"); err != nil {
			return nil, o.Fault(err)
		}
		break
	}
	pkg := p.selected()
	if pkg.Name == "" {
		return out, nil
	}
	if err := take(pkg.Metadata("espflash"), "bootloader", "partition_table"); err != nil {
		return nil, o.Fault(err)
	}
	return out, nil
}
