package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/flashimage"
	"espalier.dev/espalier/internal/session"
)

// shareOptions share an emulated board's serial port with other programs.
type shareOptions struct {
	Address   string
	PTY       string
	Download  bool
	SaveFlash string
}

// anyPTY is the value of --pty without a link.
const anyPTY = "-"

func (o *shareOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Address, "share", "", "share the board's serial port at `ADDRESS`, rfc2217://HOST:PORT or tcp://HOST:PORT; port 0 takes a free one")
	f.StringVar(&o.PTY, "pty", "", "share the board's serial port as a pseudo-terminal, with --pty=`LINK` also under that name")
	f.Lookup("pty").NoOptDefVal = anyPTY
	f.BoolVar(&o.Download, "download", false, "start in the mask ROM's serial loader, as with the BOOT button held; FILE may be missing")
	f.StringVar(&o.SaveFlash, "save-flash", "", "write the content of the flash to `FILE` at the end")
}

func (o *shareOptions) wanted() bool { return o.Address != "" || o.PTY != "" }

// check refuses flags that have no meaning together.
func (o *shareOptions) check(cmd *cobra.Command) error {
	given := cmd.Flags().Changed
	if !o.wanted() {
		switch {
		case o.Download:
			return fault.New(fault.Usage, "--download: the loader waits for a program that talks to it",
				"add --share rfc2217://127.0.0.1:0 or --pty")
		case o.SaveFlash != "":
			return fault.New(fault.Usage, "--save-flash goes with --share or --pty")
		}
		return nil
	}
	if o.Address != "" && o.PTY != "" {
		return fault.New(fault.Usage, "--share and --pty: one of them")
	}
	if o.Address != "" {
		if err := session.CheckShare(o.Address); err != nil {
			return err
		}
	}
	for _, f := range []string{"record", "replay"} {
		if given(f) {
			return fault.New(fault.Usage, "--"+f+": two runs of a board whose port is shared do not end at the same instant")
		}
	}
	for _, f := range []string{"expect", "fail", "filter", "timestamps", "text"} {
		if given(f) {
			return fault.New(fault.Usage, "--"+f+": the program that connects to a shared port reads the board",
				"espalier monitor --port ADDRESS --"+f+" ...")
		}
	}
	return session.CheckCreate(o.SaveFlash)
}

// shareBoard boots e and shares its port until the end of the run.
func shareBoard(cmd *cobra.Command, a *app, r session.EmulatedRun, e flashimage.Bootable, o emulateOptions) error {
	speed, err := session.ParseSpeed(o.emulation.Speed, 1)
	if err != nil {
		return err
	}
	if speed == 0 {
		return fault.New(fault.Usage, "--speed max: a shared port is used in real time", "--speed 10 is ten times that")
	}
	r.Config.ROM, r.Config.Flash, r.Config.Speed = e.ROM, e.Flash, speed
	opt := session.ShareOptions{
		Sharing:  session.Sharing{Address: o.share.Address, PTY: o.share.PTY != "", Announce: announcePort(a.ui)},
		Download: o.share.Download, Log: o.session.Log, Timeout: o.session.Timeout, For: o.session.For,
	}
	if o.share.PTY != anyPTY {
		opt.Link = o.share.PTY
	}
	flash, err := session.Share(cmd.Context(), r.Config, opt, session.Symbols(e.ELF, a.ui, e.ROM))
	if o.share.SaveFlash != "" && flash != nil {
		if e := writeFile(o.share.SaveFlash, flash); err == nil {
			err = e
		}
	}
	return portFault(err)
}
