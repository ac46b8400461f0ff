package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

// sysrootTools is where rustc looks for linkers after PATH, in a rootfs.
const sysrootTools = "usr/lib/rustlib/" + cargo.HostTriple + "/bin"

// checkLinkers is a fault of kind Usage when cargo's configuration names a linker
// that neither the toolchain nor the project has. Cargo would find that out when
// it links, which for the firmware is after everything was compiled.
func checkLinkers(ctx context.Context, st *store.Store, p *project.Project, rootfs, src store.Digest) error {
	linkers := [...]struct{ origin, name, triple, usual string }{
		{p.Cargo.Linker.Origin.String(), p.Cargo.Linker.V, p.Target(), "rust-lld"},
		{p.Cargo.HostLinker.Origin.String(), p.Cargo.HostLinker.V, cargo.HostTriple, "cc"},
	}
	for _, l := range linkers {
		if l.name == "" {
			continue
		}
		found, err := hasProgram(ctx, st, l.name, rootfs, src)
		if err != nil {
			return err
		}
		if found {
			continue
		}
		cause := "the toolchain of the lock has no such program"
		if strings.HasPrefix(l.name, "./") {
			cause = "the project has no such file, or git ignores it"
		}
		return fault.New(fault.Usage, fmt.Sprintf("%s: linker %q of %s: %s", l.origin, l.name, l.triple, cause),
			fmt.Sprintf("linker = %q in [target.%s] of .cargo/config.toml, or remove the line: that is the linker without it", l.usual, l.triple))
	}
	return nil
}

// hasProgram reports whether a step finds a program of cargo.Config: a name in the
// directories that rustc searches, or a path.
func hasProgram(ctx context.Context, st *store.Store, name string, rootfs, src store.Digest) (bool, error) {
	if rel, ok := strings.CutPrefix(name, "./"); ok {
		return exists(ctx, st, src, rel)
	}
	if path.IsAbs(name) {
		return exists(ctx, st, rootfs, strings.TrimPrefix(path.Clean(name), "/"))
	}
	for _, dir := range []string{"usr/bin", sysrootTools} {
		if ok, err := exists(ctx, st, rootfs, path.Join(dir, name)); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// exists reports whether a tree has a path. A tree that is not in this store counts
// as having it: the step finds out.
func exists(ctx context.Context, st *store.Store, tree store.Digest, name string) (bool, error) {
	for links := 0; links < 40; links++ { // as many as Linux follows
		e, rest, err := firstLink(ctx, st, tree, name)
		switch {
		case errors.Is(err, store.ErrMissing):
			return true, nil
		case errors.Is(err, fs.ErrNotExist):
			return false, nil
		case err != nil:
			return false, err
		case e.Type != store.TypeSymlink:
			return true, nil
		}
		if name = path.Join(path.Dir(e.Path), e.Target, rest); !fs.ValidPath(name) {
			return false, nil
		}
	}
	return false, nil
}

// firstLink is the first symbolic link on a path and what follows it, or the last
// entry.
func firstLink(ctx context.Context, st *store.Store, tree store.Digest, name string) (store.Entry, string, error) {
	for end := 0; ; end++ {
		if next := strings.IndexByte(name[end:], '/'); next >= 0 {
			end += next
		} else {
			end = len(name)
		}
		e, err := st.Lookup(ctx, tree, name[:end])
		if err != nil || end == len(name) || e.Type == store.TypeSymlink {
			return e, strings.TrimPrefix(name[end:], "/"), err
		}
	}
}
