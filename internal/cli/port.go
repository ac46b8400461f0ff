package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/flashing"
	"espalier.dev/espalier/internal/ports"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/ui"
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

func (o *portOptions) before() (loader.Before, error) {
	switch o.Before {
	case "default-reset", "":
		return loader.ResetAuto, nil
	case "usb-reset":
		return loader.ResetUSB, nil
	case "no-reset":
		return loader.NoReset, nil
	}
	return 0, fault.New(fault.Usage, fmt.Sprintf("--before %s: want default-reset, usb-reset or no-reset", o.Before))
}

func (o *portOptions) after() (loader.After, error) {
	switch o.After {
	case "hard-reset", "":
		return loader.HardReset, nil
	case "watchdog-reset":
		return loader.WatchdogReset, nil
	case "no-reset":
		return loader.StayInLoader, nil
	}
	return 0, fault.New(fault.Usage, fmt.Sprintf("--after %s: want hard-reset, watchdog-reset or no-reset", o.After))
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
	before, err := o.before()
	if err != nil {
		return nil, err
	}
	after, err := o.after()
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

// stub reads the flasher stub; nil without one, since the loader works without
// it. An error is about a file that the user named.
func stub(ctx context.Context, u *ui.UI, chips chipfiles.Finder, o portOptions) (*loader.Stub, error) {
	if o.NoStub {
		return nil, nil
	}
	chips.Paths.Stub = cmp.Or(o.Stub, chips.Paths.Stub)
	named := chips.Paths.Stub
	b, err := chips.Stub(ctx)
	if err == nil {
		var s *loader.Stub
		if s, err = loader.ParseStub(b); err == nil {
			return s, nil
		}
		err = fault.Wrap(fault.Usage, err, named)
	}
	if named != "" {
		return nil, err
	}
	u.Debugf("no flasher stub: %v", err)
	return nil, nil
}
