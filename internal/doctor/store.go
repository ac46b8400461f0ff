package doctor

import (
	"context"
	"path/filepath"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

func (s Subject) checkStore(ctx context.Context) Finding {
	const what = "store"
	p, err := s.Settings()
	if err != nil {
		return Finding{What: what, Err: err}
	}
	st, err := s.OpenStore(ctx, p.Espalier)
	if err != nil {
		return Finding{What: what, Err: err}
	}
	defer st.Close()
	dir := p.Espalier.Store
	text := dir.V + " (" + dir.Origin.String() + ")"
	limit := p.Espalier.StoreLimit.V
	used, err := st.Usage()
	if err != nil {
		return Finding{What: what, Err: err}
	}
	text += ", " + ui.Size(used) + " used"
	if limit > 0 {
		text += " of at most " + ui.Size(limit)
	}
	const elsewhere = "espalier --store DIR, or ESPALIER_STORE, chooses another place"
	if st.ReadOnly() {
		return Finding{What: what, Text: text + " is read-only", Hints: []string{elsewhere}, Err: fault.New(fault.Usage, "store is read-only")}
	}
	if free, ok := freeSpace(dir.V); ok {
		text += ", " + ui.Size(free) + " free"
		if need := s.space(ctx, st); free < need {
			return Finding{What: what, Text: text + "; this project still has to fetch and build about " + ui.Size(need),
				Hints: []string{"espalier gc", elsewhere}, Err: fault.New(fault.Usage, "little space")}
		}
	}
	if limit > 0 && used > limit {
		return Finding{What: what, OK: true, Text: text + "; what was used least recently is removed once a day",
			Hints: []string{"espalier gc   # removes it now", "espalier gc --dry-run   # says what, and what stays because a lock pins it"}}
	}
	return Finding{What: what, OK: true, Text: text}
}

// What a project takes in the store, measured with the toolchain of Debian 13:
// 230 MB of packages are 780 MB unpacked, and crates grow by as much or less.
const unpacked = 4

// firstBuild is what the first build of a firmware writes, in bytes, with some
// reserve: a dependency layer of 80 to 400 MB, of which other projects may have
// the most, and as much while it is made.
const firstBuild = 512 << 20

// space is how many bytes the project here still has to fetch, unpack and build;
// 0 without a project, and where no lock says what it needs.
func (s Subject) space(ctx context.Context, st *store.Store) int64 {
	p, err := project.Open(s.Dir, s.Options)
	if err != nil {
		return 0
	}
	pins, err := lock.Load(p)
	if err != nil {
		return 0
	}
	need := pin.Missing(ctx, st, pins, lock.Host()).Bytes * (1 + unpacked)
	if _, err := build.ReadLastBuild(filepath.Join(p.Workspace, "target", "espalier")); err != nil {
		need += firstBuild
	}
	return need
}
