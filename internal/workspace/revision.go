package workspace

import (
	"context"
	"os"

	"espalier.dev/espalier/internal/revision"
)

// BuildELF builds the project as it is and returns its ELF.
func (o Opener) BuildELF(ctx context.Context, s Selection) ([]byte, error) {
	w, err := o.Open(ctx, s)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	f, err := w.Firmware(ctx)
	if err != nil {
		return nil, err
	}
	return f.ELF, nil
}

// BuildRevision builds a git revision of the project from its own lock, in a
// directory outside of the project that is removed afterwards, and returns its
// ELF.
func (o Opener) BuildRevision(ctx context.Context, name string, s Selection) ([]byte, error) {
	dir, err := os.MkdirTemp("", "espalier-revision-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if o.Dir, err = revision.Checkout(o.dir(), name, dir); err != nil {
		return nil, err
	}
	return o.BuildELF(ctx, s)
}
