package crates

import (
	"context"
	"errors"
	"fmt"
	"io"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
)

// parseFrom splits "<crate> <version>: <path>".
func parseFrom(from string) (name, version, path string, err error) {
	if _, err := fmt.Sscanf(from, "%s %s %s", &name, &version, &path); err != nil || len(version) < 2 || version[len(version)-1] != ':' {
		return "", "", "", fault.Newf(fault.Pins, "blob location %q: want \"<crate> <version>: <path>\"", from)
	}
	return name, version[:len(version)-1], path, nil
}

// Blobs stores the files that blobs names. The crates that contain them are
// downloaded when missing; blobs that are in the store already are skipped.
func (f *Fetcher) Blobs(ctx context.Context, blobs []lock.Blob) error {
	return Blobs(ctx, f.Store, blobs, f.One)
}

// Blobs stores the files that blobs names, from crates that one brings into the
// store. Blobs that are there already are skipped.
func Blobs(ctx context.Context, st *store.Store, blobs []lock.Blob, one func(context.Context, lock.Crate) error) error {
	type carrierKey struct {
		name, version string
		digest        store.Digest
	}
	byCrate := map[carrierKey]map[string]store.Digest{}
	for _, b := range blobs {
		if st.Has(b.Digest) {
			continue
		}
		name, version, path, err := parseFrom(b.From)
		if err != nil {
			return err
		}
		key := carrierKey{name, version, b.Crate}
		files := byCrate[key]
		if files == nil {
			files = map[string]store.Digest{}
			byCrate[key] = files
		}
		files[path] = b.Digest
	}
	for key, files := range byCrate {
		c := lock.Crate{Name: key.name, Version: key.version, Digest: key.digest}
		if err := one(ctx, c); err != nil {
			return err
		}
		if err := extractFiles(ctx, st, c, files); err != nil {
			return err
		}
	}
	return nil
}

// extractFiles stores the named files of a crate after verifying their digests.
func extractFiles(ctx context.Context, st *store.Store, c lock.Crate, files map[string]store.Digest) error {
	blob, err := st.Get(ctx, c.Digest)
	if err != nil {
		return fault.Wrap(fault.Pins, err, fmt.Sprintf("crate %s %s", c.Name, c.Version), "espalier fetch")
	}
	defer blob.Close()
	found := 0
	err = Extract(blob, Folder(c), func(name string, _ bool, target string, r io.Reader) error {
		want, ok := files[name]
		if !ok || target != "" {
			return nil
		}
		found++
		_, err := st.PutExpected(ctx, r, want)
		return err
	})
	if err == nil && found != len(files) {
		err = errors.New("a pinned file is not in the archive")
	}
	if err != nil {
		return fault.Wrap(fault.Pins, err, fmt.Sprintf("files of crate %s %s", c.Name, c.Version))
	}
	return nil
}
