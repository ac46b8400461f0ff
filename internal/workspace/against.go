package workspace

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/proof"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

// Against is the event "against": the project's firmware compared with another file.
type Against struct {
	Other string       `json:"other"`
	ELF   store.Digest `json:"elf"`
	Image store.Digest `json:"image"`

	Kind        string             `json:"kind"` // what Other is: "elf", "image", "flash"
	Same        bool               `json:"same"` // the payload
	Identical   bool               `json:"identical"`
	Differences []proof.Difference `json:"differences,omitempty"`
	Notes       []string           `json:"notes,omitempty"`
}

// Against builds the firmware, compares its payload with a file or with the content
// of a board's flash, and prints what differs; name is that of the other in
// messages, and read returns its bytes. The error for another payload is a fault.Differ.
func (w *Workspace) Against(ctx context.Context, name string, read func(own *image.Flash) ([]byte, error)) error {
	if names := w.Project.UseStandIns(); len(names) > 0 {
		w.ui.Note("built with stand-ins for the secrets of %s, so it differs from firmware with the secrets", strings.Join(names, ", "))
	}
	f, err := w.build(ctx)
	if err != nil {
		return err
	}
	other, err := read(f.Flash)
	if err != nil {
		return err
	}
	c, err := proof.Against(f.ELF, f.Flash, other)
	if errors.Is(err, proof.ErrEncrypted) {
		return fault.InFile(name, fault.Wrap(fault.Usage, err, "", "compare with the file from before it was encrypted",
			"espsecure decrypt-flash-data --help   # Espressif's tool decrypts a file when its key is known"))
	}
	if err != nil {
		return fault.InFile(name, fault.Wrap(fault.Usage, err, ""))
	}
	a := Against{Other: name, ELF: f.Digest, Image: store.DigestOf(f.Flash.Trimmed()),
		Kind: c.Kind, Same: c.Same, Identical: c.Identical, Differences: c.Differences, Notes: c.Notes}
	w.ui.Event("against", a)
	for _, d := range a.Differences {
		w.ui.Printf("%s", d)
		w.ui.Printf("  likely cause: %s", d.Cause)
	}
	for _, n := range a.Notes {
		w.ui.Note("%s", n)
	}
	switch {
	case !a.Same:
		err := fmt.Sprintf("%s and %s differ", f.Name, name)
		if a.Kind == "elf" {
			return fault.New(fault.Differ, err, "espalier diff "+ui.Path(name)+" "+ui.Path(filepath.Join(w.OutDir(), f.Name+".elf"))+"   # sizes by crate")
		}
		return fault.New(fault.Differ, err)
	case a.Identical:
		w.ui.Note("%s has the same bytes", name)
	default:
		w.ui.Note("%s has the same payload", name)
	}
	w.ui.Printf("ELF    %s", a.ELF)
	w.ui.Printf("image  %s", a.Image)
	return nil
}

// largestFirmware bounds a file that is compared, in bytes: an ELF with debug
// information.
const largestFirmware = 512 << 20

// Download gets a file to compare with.
func (w *Workspace) Download(ctx context.Context, address string) ([]byte, error) {
	s, err := w.PinSession()
	if err != nil {
		return nil, err
	}
	return s.Document(ctx, address, largestFirmware)
}
