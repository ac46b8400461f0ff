package session

import (
	"bytes"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/ui"
)

// Symbols opens the ELFs of a firmware and of mask ROMs, the most likely one first,
// which name addresses and decode defmt frames; nil means that there is no ELF. A run
// without them is only less readable, so one that cannot be read is a note.
func Symbols(elf []byte, u *ui.UI, roms ...[]byte) *firmware.Symbols {
	open := func(what string, b []byte) *firmware.ELF {
		if b == nil {
			return nil
		}
		f, err := firmware.Open(bytes.NewReader(b), firmware.Options{})
		if err != nil {
			u.Debugf("no symbols of the %s: %v", what, err)
			return nil
		}
		if _, err := f.Defmt(); err != nil {
			u.Note("log frames are not decoded: %v", err)
		}
		return f
	}
	var masks []*firmware.ELF
	for _, rom := range roms {
		masks = append(masks, open("mask ROM", rom))
	}
	return firmware.NewSymbols(open("firmware", elf), masks...)
}
