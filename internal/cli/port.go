package cli

import (
	"context"
	"path/filepath"

	"github.com/spf13/pflag"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/flashcache"
	"espalier.dev/espalier/internal/flashing"
	"espalier.dev/espalier/internal/ports"
	"espalier.dev/espalier/internal/progress"
)

// portOptions say which board is meant and how its loader is reached.
type portOptions struct {
	Port   string
	Baud   int
	Before string
	After  string
	NoStub bool
	Stub   string
}

func (o *portOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Port, "port", "", "`PORT` of the board: a device, tcp://HOST:PORT or rfc2217://HOST:PORT (default: the remembered or only one)")
	f.IntVar(&o.Baud, "baud", 0, "speed of bulk transfers in `BITS` per second (default 460800; USB-Serial-JTAG has none)")
	f.StringVar(&o.Before, "before", "default-reset", "default-reset, usb-reset, or no-reset when the loader is running already")
	f.BoolVar(&o.NoStub, "no-stub", false, "use the mask ROM's loader only: no flasher stub and no patches")
	f.StringVar(&o.Stub, "stub", "", "flasher stub `FILE` (default: the locked one)")
}

func (o *portOptions) addAfter(f *pflag.FlagSet) {
	f.StringVar(&o.After, "after", "hard-reset", "hard-reset, watchdog-reset, or no-reset to stay in the loader")
}

// portFault gives an error of a port or of a chip its kind.
func portFault(err error) error { return flashing.Fault(err) }

// choosePort decides which port is meant; see package ports.
func choosePort(a *app, name string) (string, error) {
	c, err := ports.Choose(ports.Sources{Name: name, Lookup: a.lookup, Dir: a.projectDir()})
	if err == nil {
		a.ui.Debugf("port: %s (%s)", c.Name, c.Origin)
	}
	return c.Name, err
}

// connectBoard brings the chip at the chosen port into its loader. stub may be
// nil. The caller ends with Close or Start.
func connectBoard(ctx context.Context, a *app, o portOptions, stub *loader.Stub) (*flashing.Board, error) {
	before, err := flashing.ParseBefore(o.Before)
	if err != nil {
		return nil, err
	}
	after, err := flashing.ParseAfter(o.After)
	if err != nil {
		return nil, err
	}
	name, err := choosePort(a, o.Port)
	if err != nil {
		return nil, err
	}
	t := a.ui.Start("connect to "+name, progress.Steps, 0)
	b, err := flashing.Connect(ctx, name, flashing.Options{
		Before: before, After: after, Baud: o.Baud, Stub: stub,
		Event: func(text string) { a.ui.Debugf("%s", text) },
		OnExit: func(release func()) {
			_, _, _ = a.hooks.Add(func() (func(), error) { return release, nil })
		},
	})
	t.Done(err)
	return b, err
}

// stub reads the flasher stub; nil without one.
func (a *app) stub(ctx context.Context, o portOptions) (*loader.Stub, error) {
	if o.NoStub {
		return nil, nil
	}
	s, why, err := flashing.ReadStub(ctx, a.chipFiles(chipfiles.Paths{Stub: o.Stub}))
	if why != nil {
		a.ui.Debugf("no flasher stub: %v", why)
	}
	return s, err
}

// writeBoard carries out a plan and reports what was written.
func writeBoard(ctx context.Context, a *app, b *flashing.Board, j flashJob, o flashOptions) error {
	s, cacheErr, err := flashing.Write(ctx, b.Loader, j.plan, flashing.WriteOptions{
		EraseData: o.EraseData, Force: o.Force, Full: o.Full, NoPatch: o.port.NoStub, Cache: boardCache(a), Report: a.ui,
	})
	if cacheErr != nil {
		a.ui.Debugf("recording what was written: %v", cacheErr)
	}
	flashing.Report(a.ui, s, err)
	if err != nil {
		return err
	}
	return writeSettings(ctx, a, b.Loader, j.settings)
}

// boardCache is the memory of boards of the project here; none outside of one.
func boardCache(a *app) flashcache.Cache {
	dir, err := ports.StateDir(a.projectDir())
	if err != nil {
		return flashcache.Cache{}
	}
	return flashcache.Cache{Dir: filepath.Join(dir, "boards")}
}
