package flashing

import (
	"fmt"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/ui"
)

// Flashed is the event "flashed": what a write did. Sizes are in bytes.
type Flashed struct {
	OK       bool          `json:"ok"`
	Parts    []FlashedPart `json:"parts"`
	Written  int           `json:"written"`
	Sent     int           `json:"sent"`
	Received int           `json:"received"`
	Seconds  float64       `json:"seconds"`
	Stub     bool          `json:"stub"`
	Patched  int           `json:"patched"`
	Retries  int           `json:"retries"`
}

// FlashedPart is one part of what was to be written.
type FlashedPart struct {
	Name    string `json:"name"`
	Offset  string `json:"offset"`
	Size    int    `json:"size"`
	Written int    `json:"written"`
}

// Report prints what a write did; err is its error.
func Report(u *ui.UI, s loader.Summary, err error) {
	e := Flashed{
		OK: err == nil, Written: s.Bytes, Sent: s.Sent, Received: s.Received, Seconds: s.Elapsed.Seconds(),
		Stub: s.Stub, Patched: s.Patched, Retries: s.Retries,
	}
	size := 0
	for _, p := range s.Parts {
		n := 0
		for _, r := range p.Runs {
			n += int(r.Size)
		}
		size += (p.Size + partition.SectorSize - 1) / partition.SectorSize * partition.SectorSize
		e.Parts = append(e.Parts, FlashedPart{p.Name, fmt.Sprintf("0x%x", p.Offset), p.Size, n})
		u.Debugf("%s at 0x%x: %d of %d bytes written", p.Name, p.Offset, n, p.Size)
	}
	u.Event("flashed", e)
	switch {
	case err != nil:
	case s.Bytes == 0:
		u.Note("flash is up to date (%s compared in %s)", ui.Size(int64(size)), ui.Seconds(s.Elapsed))
	default:
		u.Note("wrote %s of %s in %s, verified", ui.Size(int64(s.Bytes)), ui.Size(int64(size)), ui.Seconds(s.Elapsed))
	}
}
