package recording

import (
	"crypto/sha256"
	"fmt"

	"espalier.dev/espalier/emu"
)

// NewHeader returns the header of a run of a board made of cfg. It hashes the
// whole flash.
func NewHeader(cfg emu.Config) Header {
	return Header{
		ROM:      fmt.Sprintf("%x", sha256.Sum256(cfg.ROM)),
		Flash:    fmt.Sprintf("%x", sha256.Sum256(cfg.Flash)),
		EFuse:    cfg.EFuse,
		MAC:      cfg.MAC,
		Seed:     cfg.Seed,
		USBHost:  cfg.USBHost,
		Download: cfg.Strap == emu.StrapDownload,
	}
}
