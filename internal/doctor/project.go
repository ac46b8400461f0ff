package doctor

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/ui"
)

func (s Subject) checkProject(ctx context.Context) Finding {
	const what = "project"
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		return Finding{What: what, Err: err}
	}
	if cargo.Find(dir) == "" {
		return Finding{What: what, OK: true, Text: "none here"}
	}
	p, err := project.Open(s.Dir, s.Options)
	if err != nil {
		return Finding{What: what, Err: err}
	}
	name := p.Package
	if name == "" {
		name = "workspace"
	}
	pins, err := lock.Load(p)
	if errors.Is(err, fs.ErrNotExist) {
		return Finding{What: what, Text: name + " has no " + lock.FileName, Hints: []string{"espalier lock"}, Err: fault.New(fault.Pins, "no lock")}
	}
	if err != nil {
		return Finding{What: what, Err: err}
	}
	text := name + ", " + lock.FileName + " is up to date"
	st, err := s.OpenStore(ctx, p.Espalier)
	if err != nil {
		return Finding{What: what, Err: err}
	}
	defer st.Close()
	if m := pin.Missing(ctx, st, pins, lock.Host()); m.Files > 0 {
		text += "; not in the store: " + cmp.Or(m.Kinds(), "the unpacked toolchain")
		switch {
		case m.Bytes > 0 && m.Unsized > 0:
			text += " (at least " + ui.Size(m.Bytes) + ")"
		case m.Bytes > 0:
			text += " (" + ui.Size(m.Bytes) + ")"
		}
		text += ": espalier fetch"
	}
	return Finding{What: what, OK: true, Text: text}
}
