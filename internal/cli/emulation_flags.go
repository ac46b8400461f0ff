package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"espalier.dev/espalier/emu/defaultnet"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/scenario"
	"espalier.dev/espalier/internal/session"
)

// emulationOptions describe the emulated board and its surroundings.
type emulationOptions struct {
	Speed    string
	Strict   bool
	USB      bool
	Net      string
	Forward  []string
	Serve    string
	Hosts    []string
	Faults   []string
	Seed     uint64
	Board    string
	Record   string
	Replay   string
	Capture  string
	Scenario string
	VCD      string
}

// flags are the flags that only an emulated board has.
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
	f.StringVar(&o.Record, "record", "", "record the run in `FILE`, for --replay")
	f.StringVar(&o.Replay, "replay", "", "replay the recording in `FILE`")
	f.StringVar(&o.Capture, "pcap", "", "capture the frames of Wi-Fi and of the network in `FILE`, as pcapng")
	f.StringVar(&o.VCD, "vcd", "", "write the levels of the pins to `FILE`, for waveform viewers")
	f.StringVar(&o.Scenario, "scenario", "", "perform the scenario in `FILE`: parts, input and what is expected, at guest times")
	return f
}

// scenario reads the file of --scenario; nil without one.
func (o *emulationOptions) scenario() (*scenario.Scenario, error) {
	if o.Scenario == "" {
		return nil, nil
	}
	if o.Replay != "" {
		return nil, fault.New(fault.Usage, "--replay has the inputs of the scenario already: it excludes --scenario")
	}
	b, err := os.ReadFile(o.Scenario)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "--scenario")
	}
	s, err := scenario.Parse(o.Scenario, b)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "")
	}
	return s, nil
}

// environment checks the settings of the network, of faults and of recording:
// those that were given as flags, the others from the project; p may be nil.
func (o *emulationOptions) environment(given func(flag string) bool, p *project.Project) (*session.Environment, error) {
	s := session.Settings{
		Net: session.Setting{Text: o.Net, From: "--net"}, Serve: session.Setting{Text: o.Serve, From: "--serve"},
		SSID: session.Setting{Text: defaultnet.SSID}, Passphrase: session.Setting{Text: defaultnet.Passphrase},
		Channel: 1, Seed: o.Seed, Record: o.Record, Replay: o.Replay, Capture: o.Capture,
		Forward: settings(o.Forward, "--forward"), Hosts: settings(o.Hosts, "--host"), Faults: settings(o.Faults, "--fault"),
	}
	if p == nil {
		return s.Parse()
	}
	n := p.Espalier.Net
	s.SSID, s.Passphrase, s.Channel = setting1(n.SSID), setting1(n.Passphrase), int(n.Channel.V)
	if !given("net") {
		s.Net = setting1(n.Mode)
	}
	if !given("forward") {
		s.Forward = settings(n.Forward.V, n.Forward.Origin.String())
	}
	if !given("serve") && n.Serve.V != "" {
		s.Serve = setting1(n.Serve)
		if !filepath.IsAbs(n.Serve.V) {
			s.Serve.Text = filepath.Join(p.Root, filepath.FromSlash(n.Serve.V))
		}
	}
	if !given("host") {
		s.Hosts = settings(n.Hosts.V, n.Hosts.Origin.String())
	}
	if !given("fault") {
		s.Faults = settings(p.Espalier.Faults.Schedule.V, p.Espalier.Faults.Schedule.Origin.String())
	}
	if !given("seed") {
		s.Seed = uint64(p.Espalier.Faults.Seed.V)
	}
	return s.Parse()
}

func setting1(v config.Value[string]) session.Setting {
	return session.Setting{Text: v.V, From: v.Origin.String()}
}

func settings(list []string, from string) []session.Setting {
	var out []session.Setting
	for _, text := range list {
		out = append(out, session.Setting{Text: text, From: from})
	}
	return out
}

// speed is the factor of real time: full speed when something ends the run and
// no program outside takes part, else real time.
func (o *emulationOptions) speed(e *session.Environment, s session.Options) (float64, error) {
	choice := 1.0
	if e.Replays() || !e.RealTime() && (len(s.Expect) > 0 || o.Scenario != "" || s.For > 0 || s.Timeout > 0) {
		choice = 0
	}
	return session.ParseSpeed(o.Speed, choice)
}

// emulation is a firmware that is ready to boot.
type emulation struct {
	ROM   []byte // mask ROM, ELF
	Flash []byte // content of the whole flash
	ELF   []byte // for symbols; nil without
}

// emulatedRun is the emulated board of one run, checked before anything is
// built.
type emulatedRun struct {
	session *session.Session
	config  session.EmulatedConfig
}

// checkEmulated checks all options of a run on the emulated board.
func checkEmulated(a *app, given func(flag string) bool, o emulationOptions, s session.Options, p *project.Project) (emulatedRun, error) {
	var r emulatedRun
	env, err := o.environment(given, p)
	if err != nil {
		return r, err
	}
	r.config = session.EmulatedConfig{Strict: o.Strict, USB: o.USB, Board: p.Espalier.Board, Environment: env, UI: a.ui}
	if r.config.Speed, err = o.speed(env, s); err != nil {
		return r, err
	}
	if r.config.Scenario, err = o.scenario(); err != nil {
		return r, err
	}
	if err := session.CheckCreate(o.VCD); err != nil {
		return r, err
	}
	r.config.VCD = o.VCD
	r.config.ScenarioEnds = len(s.Expect) == 0 && s.For == 0
	if r.session, err = newSession(a, s); err == nil {
		r.session.FromReset = true
	}
	return r, err
}

// boot runs a firmware on the emulated board.
func (r emulatedRun) boot(ctx context.Context, e emulation) error {
	r.config.ROM, r.config.Flash = e.ROM, e.Flash
	r.config.Symbols = session.Symbols(e.ELF, e.ROM, r.session.UI)
	board, err := session.OpenEmulated(r.config)
	if err != nil {
		return err
	}
	return r.session.Run(ctx, board, r.config.Symbols)
}
