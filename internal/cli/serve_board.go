package cli

import (
	"bufio"
	"context"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"espalier.dev/espalier/emu"
	elfview "espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/serial"
)

// serveOptions make an emulated board's port available to other programs.
type serveOptions struct {
	Serve    string
	PTY      string
	Download bool
	Save     string
}

func (o *serveOptions) addFlags(f *pflag.FlagSet) {
	// The flag is there already, for a folder of files; an address has a scheme.
	serve := f.Lookup("serve")
	serve.Value = serveValue{&o.Serve, serve.Value}
	serve.Usage = "lend the board's serial port at `ADDRESS`, rfc2217://127.0.0.1:0 or tcp://127.0.0.1:0 (what it got is printed), or serve the files in a DIR to the board at http://espalier.lan/"
	f.StringVar(&o.PTY, "pty", "", "lend the board's serial port as a pseudo-terminal; with --pty=LINK, also under that `LINK`")
	f.Lookup("pty").NoOptDefVal = "-"
	f.BoolVar(&o.Download, "download", false, "start in the mask ROM's serial loader, as with the BOOT button held; FILE may be missing")
	f.StringVar(&o.Save, "save-flash", "", "write the content of the flash to `FILE` at the end")
}

// serveValue is a flag whose value goes to one of two places.
type serveValue struct {
	address *string
	folder  pflag.Value
}

func (v serveValue) Set(s string) error {
	if strings.Contains(s, "://") {
		*v.address = s
		return nil
	}
	return v.folder.Set(s)
}

func (v serveValue) String() string { return "" }
func (v serveValue) Type() string   { return "string" }

func (o *serveOptions) wanted() bool { return o.Serve != "" || o.PTY != "" }

// checkServe refuses what makes no sense together.
func checkServe(cmd *cobra.Command, o serveOptions) error {
	given := cmd.Flags().Changed
	if o.Serve != "" && o.PTY != "" {
		return fault.New(fault.Usage, "--serve and --pty: one of them")
	}
	if !o.wanted() {
		if o.Download {
			return fault.New(fault.Usage, "--download: the loader waits for somebody to talk to it", "add --serve rfc2217://127.0.0.1:0 or --pty")
		}
		if o.Save != "" {
			return fault.New(fault.Usage, "--save-flash goes with --serve or --pty")
		}
		return nil
	}
	if o.Serve != "" {
		if err := checkListen(o.Serve); err != nil {
			return err
		}
	}
	for _, f := range []string{"record", "replay"} {
		if given(f) {
			return fault.New(fault.Usage, "--"+f+": a board whose port is lent has no end that two runs share")
		}
	}
	for _, f := range []string{"expect", "fail"} {
		if given(f) {
			return fault.New(fault.Usage, "--"+f+": with --serve and --pty, whoever connects reads the board", "espalier monitor --port ADDRESS --"+f+" ...")
		}
	}
	return nil
}

// serveBoard boots e and lends its port until ctx ends or --for or --timeout
// has passed.
func (a *app) serveBoard(ctx context.Context, e emulation, o emulateOptions) (err error) {
	speed := 1.0
	if o.watch.Speed != "" {
		if speed, err = o.watch.speed(); err != nil {
			return err
		}
		if speed == 0 {
			return fault.New(fault.Usage, "--speed max: other programs live in real time", "--speed 10 is ten times that")
		}
	}
	cfg := emu.Config{ROM: e.ROM, Flash: e.Flash, Strict: o.watch.Strict}
	if o.serve.Download {
		cfg.Strap = emu.StrapDownload
	}
	tcp := strings.HasPrefix(o.serve.Serve, "tcp:")
	opt := emuport.Options{Pace: speed, NoLines: tcp, AnyBaud: tcp}
	if o.watch.USB {
		opt.Stream = emu.USB
	}
	if o.watch.Log != "" {
		f, err := os.Create(o.watch.Log)
		if err != nil {
			return openError(o.watch.Log, err)
		}
		defer f.Close()
		w := bufio.NewWriter(f)
		defer w.Flush()
		cfg.Output = func(r emu.Output) { w.Write(r.Data) }
	}
	scene, err := a.scene(ctx, o.watch.Air, cfg)
	if err != nil {
		return err
	}
	defer scene.Close()
	cfg.Radio = scene.radio
	port, err := emuport.New(cfg, opt)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "emulated board")
	}
	if o.serve.Save != "" {
		defer func() {
			port.Do(func(b *emu.Board) {
				if e := writeFile(o.serve.Save, b.Flash()); err == nil {
					err = e
				}
			})
		}()
	}
	limit := ctx
	for _, d := range []struct {
		f func() (context.Context, context.CancelFunc)
		t bool
	}{
		{func() (context.Context, context.CancelFunc) { return context.WithTimeout(limit, o.watch.Timeout) }, o.watch.Timeout > 0},
		{func() (context.Context, context.CancelFunc) { return context.WithTimeout(limit, o.watch.For) }, o.watch.For > 0},
	} {
		if d.t {
			var cancel context.CancelFunc
			limit, cancel = d.f()
			defer cancel()
		}
	}
	err = a.lend(limit, port, o.serve)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		if o.watch.For > 0 {
			return nil
		}
		return fault.New(fault.Timeout, "--timeout has passed")
	}
	return lackFault(err, func() *elfview.Symbols { return a.symbols(e) })
}

// lend serves a port in the chosen way.
func (a *app) lend(ctx context.Context, port serial.Port, o serveOptions) error {
	if o.PTY != "" {
		link := o.PTY
		if link == "-" {
			link = ""
		}
		pty, err := serial.OpenPTY(link)
		if err != nil {
			return portFault(err)
		}
		defer pty.Close()
		if link == "" {
			link = pty.Path()
		}
		a.announce(link)
		return serial.ServePTY(ctx, pty, port)
	}
	l, rfc2217, err := a.listen(ctx, o.Serve)
	if err != nil {
		return err
	}
	s := serial.Server{Port: port, RFC2217: rfc2217, Event: func(text string) { a.ui.Debugf("%s", text) }}
	return s.Serve(ctx, l)
}
