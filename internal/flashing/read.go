package flashing

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
)

// ReadFile reads a range of flash into a file, which is replaced when all of it is
// there and verified. A device or pipe is written to.
func ReadFile(ctx context.Context, l *loader.Loader, file string, offset, size uint32, report progress.Reporter) error {
	target, err := atomicfile.Resolve(file, 0o644)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "")
	}
	if target.Special {
		f, err := os.OpenFile(target.Path, os.O_WRONLY, 0)
		if err != nil {
			return fault.Wrap(fault.Usage, err, "")
		}
		defer f.Close()
		return Read(ctx, l, named{f, file}, offset, size, report)
	}
	f, err := atomicfile.Create(filepath.Dir(target.Path))
	if err != nil {
		return fault.Wrap(fault.Usage, err, "writing "+file)
	}
	defer f.Discard()
	if err := Read(ctx, l, named{f, file}, offset, size, report); err != nil {
		return err
	}
	return fault.Wrap(fault.Usage, f.Commit(target.Path, target.Perm), "writing "+file)
}

// Read reads a range of flash into to, in pieces that are verified before they are
// written.
func Read(ctx context.Context, l *loader.Loader, to io.Writer, offset, size uint32, report progress.Reporter) error {
	t := report.Start("read", progress.Bytes, int64(size))
	last := 0
	err := l.ReadTo(ctx, to, offset, size, func(done int) { t.Add(int64(done - last)); last = done })
	t.Done(err)
	return err
}

// named is a writer whose errors name a file.
type named struct {
	w    io.Writer
	file string
}

func (n named) Write(b []byte) (int, error) {
	done, err := n.w.Write(b)
	return done, fault.Wrap(fault.Usage, err, "writing "+n.file)
}
