package cli

import (
	"context"

	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/flashimage"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/session"
)

// emulationOptions are the flags that only an emulated board has.
type emulationOptions struct{ session.Emulation }

func (o *emulationOptions) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("emulation", pflag.ContinueOnError)
	f.StringVar(&o.Speed, "speed", "", "run at `N` times real time, or \"max\" (default: max with --expect, --for or --timeout, else 1)")
	f.BoolVar(&o.Strict, "strict", false, "stop at the first register that is not modelled")
	f.BoolVar(&o.USB, "usb", false, "connect a host to USB-Serial-JTAG; input goes there")
	f.StringVar(&o.Net, "net", "isolated", "network of the emulated access point: `MODE` is isolated, host (this machine's network) or none")
	f.StringArrayVar(&o.Forward, "forward", nil, "forward a host port to a TCP port of the board: `[ADDR:]PORT:GUEST`")
	command.DirectoryVar(f, &o.Serve, "serve", "serve the files in `DIR` to the board at http://espalier.lan/ and https://espalier.lan/",
		"--share ADDRESS shares the board's serial port")
	f.StringArrayVar(&o.Hosts, "host", nil, "add `NAME=IP` to the board's name server")
	f.StringArrayVar(&o.Faults, "fault", nil, "inject a `FAULT` such as 'at 2s deauth'; repeated: all of them")
	f.Uint64Var(&o.Seed, "seed", 1, "seed the random number generators with `N`")
	f.StringVar(&o.Board, "board", "", "parts of the board `NAME` in the place of [board] use, such as xiao-esp32c3")
	f.StringVar(&o.Revision, "chip-revision", "", "revision of the emulated chip: v0.3, v0.4 (default) or v1.1")
	f.StringVar(&o.Record, "record", "", "record the run in `FILE`, for --replay")
	f.StringVar(&o.Replay, "replay", "", "replay the recording in `FILE`")
	f.StringVar(&o.Capture, "pcap", "", "capture the frames of Wi-Fi and of the network in `FILE`, as pcapng")
	f.StringVar(&o.VCD, "vcd", "", "write the levels of the pins to `FILE`, for waveform viewers")
	f.StringVar(&o.Picture, "screenshot", "", "write what the display shows at the end as PNG: `[NAME=]FILE`")
	f.StringVar(&o.Files, "semihosting-files", "", "let the firmware read and write files below `DIR` by semihosting")
	f.StringVar(&o.Scenario, "scenario", "", "perform the scenario in `FILE`: parts, input and what is expected, at guest times")
	return f
}

// checkEmulated checks all options of a run on the emulated board.
func checkEmulated(a *app, given func(flag string) bool, o emulationOptions, s session.Options, p *project.Project) (session.EmulatedRun, error) {
	monitored, err := newSession(a, s)
	if err != nil {
		return session.EmulatedRun{}, err
	}
	return o.Check(monitored, given, p)
}

// loadFile makes a file of any kind ready to boot.
func (a *app) loadFile(ctx context.Context, p *project.Project, name string, o chipOptions) (flashimage.Bootable, error) {
	b, err := a.readInput(ctx, name)
	if err != nil {
		return flashimage.Bootable{}, err
	}
	in, err := a.imageInputs(ctx, o)
	if err != nil {
		return flashimage.Bootable{}, err
	}
	return flashimage.Load(ctx, name, b, in, a.chipFiles(o.paths()), p.Espalier.Board.ChipRevision())
}
