package pin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// Checked is the result of Check: what a lock names, as it is in the store.
type Checked struct {
	Files   int      `json:"files"` // packages, crates, blobs and trees that were hashed
	Bytes   int64    `json:"bytes"` // of these, without trees
	Damaged []Damage `json:"damaged,omitempty"`
	Missing []Missed `json:"missing,omitempty"`
}

// Damage is content that does not match its digest. It is in the store's
// quarantine and counts as missing from then on.
type Damage struct {
	What   string       `json:"what"`
	Digest store.Digest `json:"digest"`
}

// Missed is content that the store does not have.
type Missed Damage

// Check hashes everything that f names for host: every blob, and every file of
// the unpacked toolchain and git trees. Packages of a toolchain that is unpacked
// may be missing. The error is a fault.Pins when something is damaged or
// missing; the result is complete then.
func Check(ctx context.Context, st *store.Store, f *lock.File, host string, rep progress.Reporter) (Checked, error) {
	var out Checked
	var mu sync.Mutex
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	total := int64(0)
	task := rep.Start("checking what "+lock.FileName+" names", progress.Bytes, 0)
	one := func(what string, d store.Digest, optional bool, hash func() error) {
		if have, err := st.Complete(d); err == nil {
			total += have.Size
		}
		work.Go(func() error {
			task.Item(what)
			err := hash()
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, store.ErrCorrupt):
				out.Damaged = append(out.Damaged, Damage{what, d})
			case errors.Is(err, store.ErrMissing):
				if !optional {
					out.Missing = append(out.Missing, Missed{what, d})
				}
				return nil
			case err != nil:
				return fmt.Errorf("checking %s: %w", what, err)
			}
			out.Files++
			return nil
		})
	}
	blob := func(what string, d store.Digest, optional bool) {
		one(what, d, optional, func() error {
			n, err := hashBlob(ctx, st, d, task)
			mu.Lock()
			out.Bytes += n
			mu.Unlock()
			return err
		})
	}
	tree := func(what string, d store.Digest) {
		one(what, d, false, func() error {
			err := st.VerifyTree(ctx, d)
			if errors.Is(err, store.ErrMissing) && st.HasContent(ctx, d) == nil {
				return nil // its files are verified when it is unpacked
			}
			return err
		})
	}
	if tc, ok := f.Toolchain(host); ok {
		unpacked := !tc.Rootfs.IsZero() && st.HasContent(ctx, tc.Rootfs) == nil
		for _, p := range tc.Packages {
			blob(p.Name+" "+p.Version, p.Digest, unpacked)
		}
		if !tc.Rootfs.IsZero() {
			tree("the toolchain "+tc.Rustc, tc.Rootfs)
		}
	}
	for _, c := range f.Crates {
		blob("crate "+c.Name+" "+c.Version, c.Digest, false)
	}
	for _, g := range f.Git {
		tree("commit "+short(g.Commit)+" of "+g.URL, g.Tree)
	}
	for _, b := range f.Blobs {
		blob(b.Name, b.Digest, false)
	}
	task.SetTotal(total)
	err := work.Wait()
	order.Sort(out.Damaged, func(a, b Damage) int { return strings.Compare(a.What, b.What) })
	order.Sort(out.Missing, func(a, b Missed) int { return strings.Compare(a.What, b.What) })
	if err == nil {
		err = out.fault()
	}
	task.Detail(fmt.Sprintf("%d files", out.Files))
	task.Done(err)
	return out, err
}

// fault is the error of damaged or missing content.
func (c Checked) fault() error {
	var text string
	switch {
	case len(c.Damaged) > 0 && len(c.Missing) > 0:
		text = fmt.Sprintf("%d of %d files are damaged, %d missing", len(c.Damaged), c.Files, len(c.Missing))
	case len(c.Damaged) == 1:
		text = c.Damaged[0].What + " is damaged"
	case len(c.Damaged) > 0:
		text = fmt.Sprintf("%d of %d files are damaged", len(c.Damaged), c.Files)
	case len(c.Missing) == 1:
		text = c.Missing[0].What + " is not in the store"
	case len(c.Missing) > 0:
		text = fmt.Sprintf("%d files are not in the store", len(c.Missing))
	default:
		return nil
	}
	return fault.New(fault.Pins, text, "espalier fetch   # downloads it again")
}

// hashBlob reads a blob to its end.
func hashBlob(ctx context.Context, st *store.Store, d store.Digest, task progress.Task) (int64, error) {
	r, err := st.Get(ctx, d)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(adder{task}, struct{ io.Reader }{r})
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	return n, err
}

// adder counts bytes as progress.
type adder struct{ task progress.Task }

func (a adder) Write(b []byte) (int, error) {
	a.task.Add(int64(len(b)))
	return len(b), nil
}
