package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/flashcache"
	"espalier.dev/espalier/internal/flashing"
	"espalier.dev/espalier/internal/ports"
	"espalier.dev/espalier/internal/ui"
)

// writeBoard carries out a plan and reports what was written.
func writeBoard(ctx context.Context, a *app, b *flashing.Board, j flashJob, o flashOptions) error {
	s, cacheErr, err := flashing.Write(ctx, b.Loader, j.plan, flashing.WriteOptions{
		EraseData: o.EraseData, Force: o.Force, Full: o.Full, NoPatch: o.port.NoStub, Cache: boardCache(a), Report: a.ui,
	})
	if cacheErr != nil {
		a.ui.Debugf("recording what was written: %v", cacheErr)
	}
	reportFlash(a.ui, s, err)
	return err
}

// boardCache is the memory of boards of the project here; none outside of one.
func boardCache(a *app) flashcache.Cache {
	dir, err := ports.StateDir(a.projectDir())
	if err != nil {
		return flashcache.Cache{}
	}
	return flashcache.Cache{Dir: filepath.Join(dir, "boards")}
}

// reportFlash prints what a write did.
func reportFlash(u *ui.UI, s loader.Summary, err error) {
	var parts []flashedPart
	size := 0
	for _, p := range s.Parts {
		n := 0
		for _, r := range p.Runs {
			n += int(r.Size)
		}
		size += (p.Size + partition.SectorSize - 1) / partition.SectorSize * partition.SectorSize
		parts = append(parts, flashedPart{p.Name, fmt.Sprintf("0x%x", p.Offset), p.Size, n})
		u.Debugf("%s at 0x%x: %d of %d bytes written", p.Name, p.Offset, n, p.Size)
	}
	u.Event("flashed", flashedEvent{err == nil, parts, s.Bytes, s.Sent, s.Received, s.Elapsed.Seconds(), s.Stub, s.Patched, s.Retries})
	switch {
	case err != nil:
	case s.Bytes == 0:
		u.Note("flash is up to date (%s compared in %s)", ui.Size(int64(size)), ui.Seconds(s.Elapsed))
	default:
		u.Note("wrote %s of %s in %s, verified", ui.Size(int64(s.Bytes)), ui.Size(int64(size)), ui.Seconds(s.Elapsed))
	}
}
