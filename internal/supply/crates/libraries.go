package crates

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
)

// StaticLibraries reads the static libraries in crates, such as the Wi-Fi
// driver in esp-wifi-sys, by the name of their file. By cargo's convention a crate that brings
// native code has -sys in its name; others are not unpacked. A library in a
// directory for another chip (libs/esp32s3/…) is left out, and so is a crate
// that the store lacks.
func StaticLibraries(ctx context.Context, st *store.Store, crates []lock.Crate, chip string, add func(name string, b []byte) error) error {
	for _, c := range crates {
		if !strings.Contains(c.Name+"-", "-sys-") {
			continue
		}
		blob, err := st.Get(ctx, c.Digest)
		if errors.Is(err, store.ErrMissing) {
			continue
		}
		if err != nil {
			return err
		}
		err = Extract(blob, Folder(c), func(name string, _ bool, _ string, r io.Reader) error {
			if r == nil || path.Ext(name) != ".a" || ofOtherChip(path.Dir(name), chip) {
				return nil
			}
			b, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			return add(path.Base(name), b)
		})
		blob.Close()
		if err != nil {
			return fault.Wrap(fault.Pins, err, "reading the libraries of crate "+c.Name+" "+c.Version)
		}
	}
	return nil
}

func ofOtherChip(dir, chip string) bool {
	for _, element := range strings.Split(dir, "/") {
		if strings.HasPrefix(element, "esp32") && element != chip {
			return true
		}
	}
	return false
}
