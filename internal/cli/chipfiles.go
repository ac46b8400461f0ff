package cli

import (
	"context"

	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

// chipFiles finds mask ROM, bootloader and stub: the named files, those of the
// environment, or what the nearest espalier.lock pins.
func (a *app) chipFiles(named chipfiles.Paths) chipfiles.Finder {
	return chipfiles.Finder{
		Paths: named.WithEnvironment(a.lookup),
		Dir:   a.projectDir(),
		OpenStore: func(ctx context.Context) (*store.Store, error) {
			p, err := a.settings(project.Flags{})
			if err != nil {
				return nil, err
			}
			return a.openStore(ctx, p.Espalier)
		},
		ReadFile: a.readInput,
	}
}

// paths are the files that the flags name.
func (o chipOptions) paths() chipfiles.Paths {
	return chipfiles.Paths{ROM: o.ROM, Bootloader: o.Bootloader}
}
