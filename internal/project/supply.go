package project

import (
	"os"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// sources reads [[supply.source]] of the project, then of the user.
func (x *layers) sources() []SupplySource {
	var out []SupplySource
	for _, n := range []*tomldoc.Node{x.own, x.user} {
		r := &tomldoc.Reader{}
		for _, t := range r.Tables(n.Get("supply"), "source") {
			r.Known(t, "supply.source", "uri", "suites", "components", "signed-by")
			s := SupplySource{URI: r.String(t, "uri"), Suites: r.Strings(t, "suites"), Components: r.Strings(t, "components"),
				SignedBy: r.String(t, "signed-by"), Origin: config.At(t.File(), t.Pos)}
			if r.Err() == nil && (s.URI == "" || len(s.Suites) == 0) {
				r.Fail(t.Errorf("[[supply.source]] needs uri and suites"))
			}
			if r.Err() == nil && !strings.Contains(s.URI, "://") {
				r.Fail(t.Get("uri").Errorf("uri %q: want an address with a scheme", s.URI))
			}
			if len(s.Components) == 0 {
				s.Components = []string{"main"}
			}
			if s.SignedBy != "" {
				s.SignedBy = config.Join(filepath.Dir(t.File()), s.SignedBy)
				if _, err := os.Stat(s.SignedBy); err != nil {
					r.Fail(t.Get("signed-by").Errorf("signed-by: %s: %s", x.l.Show(s.SignedBy), config.Pathless(err)))
				}
			}
			out = append(out, s)
		}
		if r.Err() != nil {
			x.fail(r.Err())
		}
	}
	return out
}
