package cli

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	mathrand "math/rand/v2"
	"strings"

	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/settings"
	"espalier.dev/espalier/internal/workspace"
)

// settingsOf is what [nvs] of a project means for a flash; nil without [nvs].
func settingsOf(ctx context.Context, w *workspace.Workspace, f *image.Flash, device string) (*settings.Job, error) {
	return settings.For(w.Project, f.Table, device, func(s project.Secret) (string, error) { return w.Secret(ctx, s) })
}

// emulatedFlash is the content of the emulated board's flash, with the settings of
// [nvs]. Keys of an encrypted partition are made from the seed.
func emulatedFlash(ctx context.Context, w *workspace.Workspace, f *image.Flash, device string) (flash []byte, s settings.Summary, err error) {
	flash = f.Merged()
	j, err := settingsOf(ctx, w, f, device)
	if err != nil || j == nil {
		return flash, s, err
	}
	j.Emulated = true
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(w.Project.Espalier.Faults.Seed.V))
	s, err = j.Write(ctx, settings.Memory(flash), c3.DefaultMAC(), mathrand.NewChaCha8(seed))
	return flash, s, err
}

// writeSettings brings the settings of [nvs] to a board; j may be nil.
func writeSettings(ctx context.Context, a *app, l *loader.Loader, j *settings.Job) error {
	if j == nil {
		return nil
	}
	id, err := l.Identity(ctx)
	if err != nil {
		return err
	}
	s, err := j.Write(ctx, settings.Board{Loader: l}, id.MAC, rand.Reader)
	if err != nil {
		return err
	}
	reportSettings(a, s)
	return nil
}

// reportSettings says what was written; nothing without [nvs].
func reportSettings(a *app, s settings.Summary) {
	if s.Partition == "" {
		return
	}
	for _, d := range s.Lost {
		a.ui.Note("partition %s was damaged: %s", s.Partition, d.Text)
	}
	a.ui.Event("settings", s)
	text := "nothing to change"
	if len(s.Changed) > 0 {
		text = strings.Join(s.Changed, ", ")
	}
	if s.Device != "" {
		text += " for " + s.Device
	}
	a.ui.Note("partition %s: %s", s.Partition, text)
}
