package workspace

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/sbom"
	"espalier.dev/espalier/internal/size"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/version"
)

// Bill builds the firmware and makes its bill of materials. supplier is who
// delivers it; "" is the first author of its package. Secrets are replaced by
// their stand-ins, so that the bill is the same for everyone.
func (w *Workspace) Bill(ctx context.Context, supplier string) (sbom.Bill, error) {
	if names := w.Project.UseStandIns(); len(names) > 0 {
		w.ui.Note("built with stand-ins for the secrets of %s", strings.Join(names, ", "))
	}
	f, err := w.Firmware(ctx)
	if err != nil {
		return sbom.Bill{}, err
	}
	e, err := firmware.Open(bytes.NewReader(f.ELF), firmware.Options{})
	if err != nil {
		return sbom.Bill{}, fault.InFile(f.Name, err)
	}
	in := sbom.Inputs{
		Name: f.Name, Package: w.Project.Package, Supplier: supplier, ELF: f.Digest, Flash: f.Flash, Pins: f.Pins, Host: lock.Host(),
		Sources: f.Plan.Sources(), Tool: version.Read().Version,
	}
	if len(w.Project.Untracked) == 0 {
		in.Commit = w.Project.Head.Commit
	}
	var libs size.Libraries
	for _, c := range f.Pins.Crates {
		err := crates.StaticLibraries(ctx, w.Store, []lock.Crate{c}, "esp32c3", func(name string, b []byte) error {
			in.Archives = append(in.Archives, sbom.Archive{Name: name, Digest: store.DigestOf(b), Crate: c})
			return libs.AddArchive(name, b)
		})
		if err != nil {
			return sbom.Bill{}, err
		}
	}
	in.Size = size.Analyze(e, &libs)
	if in.Compiled, err = w.Runner().Compiled(ctx, f.Plan); err != nil {
		return sbom.Bill{}, err
	}
	if in.Boot, err = w.bootloader(ctx, f); err != nil {
		return sbom.Bill{}, err
	}
	step := f.Plan.Scratch()
	id, err := action.Digest(ctx, w.Store, step)
	if err != nil {
		return sbom.Bill{}, err
	}
	in.Steps = []sbom.Step{{Name: step.Name, Action: id}}
	if in.Supplier == "" {
		in.Supplier = author(in.Compiled, w.Project.Package)
	}
	return sbom.Assemble(in), nil
}

// author is the name of the first author of an own package.
func author(list []build.Compiled, name string) string {
	for _, c := range list {
		if c.Name == name && strings.HasPrefix(c.Source, "path+") && len(c.About.Authors) > 0 {
			name, _, _ := strings.Cut(c.About.Authors[0], "<")
			return strings.TrimSpace(name)
		}
	}
	return ""
}

// bootloader finds the pinned file that the bootloader of a firmware is of: only
// its header and its digest depend on the flash chip.
func (w *Workspace) bootloader(ctx context.Context, f *Firmware) (lock.Blob, error) {
	const header, trailer = 24, 33 // ESP-IDF's image format: header; checksum and SHA-256
	for _, part := range f.Flash.Parts {
		if part.Name != "bootloader" {
			continue
		}
		for _, b := range f.Pins.Blobs {
			if !strings.HasPrefix(b.Name, "bootloader") || b.Digest.Size != int64(len(part.Bytes)) {
				continue
			}
			pinned, err := w.Store.ReadBlob(ctx, b.Digest, b.Digest.Size)
			if errors.Is(err, store.ErrMissing) {
				continue
			}
			if err != nil {
				return lock.Blob{}, err
			}
			if n := len(pinned) - trailer; n > header && bytes.Equal(pinned[header:n], part.Bytes[header:n]) {
				return b, nil
			}
		}
	}
	return lock.Blob{}, nil
}
