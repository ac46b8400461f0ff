package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/serial"
)

// portOptions say which board, and how its loader is reached.
type portOptions struct {
	Port   string
	Baud   int
	Before string
	After  string
	NoStub bool
	Stub   string
}

// flashBaud is the speed for bulk data: what the slowest of the common bridges
// does without errors.
const flashBaud = 460800

func (o *portOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Port, "port", "", "`PORT` of the board: a device, tcp://HOST:PORT or rfc2217://HOST:PORT (default: the remembered or only one)")
	f.IntVar(&o.Baud, "baud", 0, "speed of bulk transfers in `BITS` per second (default 460800; USB-Serial-JTAG has none)")
	f.StringVar(&o.Before, "before", "default-reset", "default-reset, usb-reset, or no-reset when the loader waits already")
	f.BoolVar(&o.NoStub, "no-stub", false, "speak with the mask ROM only: neither stub nor patches")
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
func portFault(err error) error {
	var (
		open   *serial.OpenError
		gone   *serial.GoneError
		none   *loader.ConnectError
		quiet  *loader.TimeoutError
		said   *loader.CommandError
		verify *loader.VerifyError
		wrong  *loader.WrongChipError
		secure *loader.SecureDownloadError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &open), errors.As(err, &gone):
		return fault.Wrap(fault.Port, err, "")
	case errors.As(err, &none), errors.As(err, &quiet), errors.As(err, &said), errors.As(err, &verify), errors.As(err, &wrong), errors.As(err, &secure):
		return fault.Wrap(fault.Chip, err, "")
	}
	return err
}

// choosePort decides which port is meant: flag, environment, what was
// remembered for the project, or the only one with a board behind it.
func (a *app) choosePort(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	for _, env := range []string{"ESPALIER_PORT", "ESPFLASH_PORT", "ESPTOOL_PORT"} {
		if v, ok := a.lookup(env); ok && v != "" {
			a.ui.Debugf("port: %s (environment %s)", v, env)
			return v, nil
		}
	}
	list, err := serial.List()
	if err != nil {
		a.ui.Debugf("listing ports: %v", err)
	}
	if was, ok := a.rememberedPort(); ok {
		if i := slices.IndexFunc(list, was.is); i >= 0 {
			a.ui.Debugf("port: %s (remembered for this project)", list[i].Name)
			return list[i].Name, nil
		}
		if was.Serial == "" {
			return was.Name, nil
		}
		return "", fault.New(fault.Port, fmt.Sprintf("the board of this project (%s, serial number %s) is not connected", was.Name, was.Serial),
			"espalier ports", "espalier ports --forget")
	}
	likely := slices.DeleteFunc(slices.Clone(list), func(i serial.Info) bool { return !i.Likely() })
	switch len(likely) {
	case 1:
		a.ui.Debugf("port: %s (the only board)", likely[0].Name)
		return likely[0].Name, nil
	case 0:
		hints := []string{"connect one with a data cable, or name it with --port", "without one: espalier run uses the emulated board"}
		if len(list) > 0 {
			hints = append(hints, "espalier ports lists "+strconv.Itoa(len(list))+" other ports")
		}
		return "", fault.New(fault.Port, "no board is connected", hints...)
	}
	var hints []string
	for _, i := range likely {
		hints = append(hints, "--port "+i.Name+"    ("+portText(i)+")")
	}
	return "", fault.New(fault.Port, fmt.Sprintf("%d boards are connected", len(likely)),
		append(hints, "espalier ports --use PORT remembers one for this project")...)
}

// openPort opens the chosen port.
func (a *app) openPort(ctx context.Context, flag string) (serial.Port, error) {
	name, err := a.choosePort(flag)
	if err != nil {
		return nil, err
	}
	p, err := serial.Open(ctx, name, serial.Options{})
	return p, portFault(err)
}

// deviceReturns is how long a USB device may be off the bus while its chip is
// flashed.
const deviceReturns = 5 * time.Second

// connect opens the port and brings the chip into its loader. The caller
// closes the port. st is the stub, nil without.
func (a *app) connect(ctx context.Context, o portOptions, st *loader.Stub) (serial.Port, *loader.Loader, error) {
	before, err := o.before()
	if err != nil {
		return nil, nil, err
	}
	if _, err := o.after(); err != nil {
		return nil, nil, err
	}
	p, err := a.openPort(ctx, o.Port)
	if err != nil {
		return nil, nil, err
	}
	if p.Info().Kind == serial.USBJTAG {
		// It leaves the bus when its chip is reset by other means than the lines,
		// and behind some hubs then, too.
		p = serial.Reconnect(p, func(ctx context.Context, was serial.Info) (serial.Port, error) {
			a.ui.Debugf("%s has gone; waiting for it", was.Name)
			return serial.Reopen(ctx, was, serial.Options{}, deviceReturns)
		})
	}
	// Also when the process ends at once, no chip stays held in reset.
	_, _, _ = a.hooks.Add(func() (func(), error) { return func() { leaveSane(p) }, nil })
	t := a.ui.Start("connect to "+p.Info().Name, progress.Steps, 0)
	l, err := loader.Connect(ctx, p, a.loaderOptions(o, before, st))
	t.Done(err)
	if err != nil {
		leaveSane(p)
		return nil, nil, portFault(err)
	}
	return p, l, nil
}

func (a *app) loaderOptions(o portOptions, before loader.Before, st *loader.Stub) loader.Options {
	opt := loader.Options{Before: before, Baud: o.Baud, Stub: st}
	if opt.Baud == 0 {
		opt.Baud = flashBaud
	}
	opt.Event = func(text string) { a.ui.Debugf("%s", text) }
	return opt
}

// leaveSane releases the modem lines, so that a chip that was held in reset
// starts, and closes the port. It is for ways out where the context has ended.
func leaveSane(p serial.Port) {
	_ = p.SetLines(context.WithoutCancel(context.Background()), false, false)
	_ = p.Close()
}

// finish ends a session with a chip after err: it is reset also when the verb
// failed or was interrupted, so that no chip is left in its loader by surprise.
func (a *app) finish(ctx context.Context, p serial.Port, l *loader.Loader, o portOptions, err error) error {
	how, e := o.after()
	if e != nil {
		return e
	}
	if err == nil {
		err = l.Leave(ctx, how)
	} else if how != loader.StayInLoader {
		_ = loader.Run(context.WithoutCancel(ctx), p)
	}
	leaveSane(p)
	return portFault(err)
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

// savedPort is the port that a project remembers: a USB device by its serial
// number, since names change.
type savedPort struct {
	Name   string `json:"name"`
	VID    uint16 `json:"vid,omitempty"`
	PID    uint16 `json:"pid,omitempty"`
	Serial string `json:"serial,omitempty"`
}

func (s savedPort) is(i serial.Info) bool {
	if s.Serial != "" {
		return i.Serial == s.Serial && i.VID == s.VID && i.PID == s.PID
	}
	return i.Name == s.Name
}

// savedPortPath is below cargo's target folder, which no project commits.
func (a *app) savedPortPath() (string, error) {
	dir, err := filepath.Abs(a.projectDir())
	if err != nil {
		return "", fault.Wrap(fault.Usage, err, "finding the project")
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "Cargo.toml")); err == nil {
			return filepath.Join(at, "target", "espalier", "port.json"), nil
		}
		if filepath.Dir(at) == at {
			return "", fault.New(fault.Usage, "no project here or above to remember a port for", "espalier -C DIR ports --use PORT")
		}
	}
}

func (a *app) rememberedPort() (s savedPort, ok bool) {
	path, err := a.savedPortPath()
	if err != nil {
		return s, false
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return s, false
	}
	return s, json.Unmarshal(b, &s) == nil && s.Name != ""
}

// portText describes a port in a few words.
func portText(i serial.Info) string {
	text := i.Kind.String()
	if i.Product != "" {
		text = i.Product
	}
	if i.Serial != "" {
		text += ", " + i.Serial
	}
	return text
}
