package session

import (
	"context"
	"os"
	"path/filepath"

	"espalier.dev/espalier/emu/defaultnet"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/scenario"
)

// Emulation is the emulated board of a run and its surroundings as the command
// line describes them. Given reports which options it names; the others come from
// espalier.toml.
type Emulation struct {
	Speed    string // factor of real time, "max", or "": as the run needs it
	Strict   bool   // stop at the first register that is not modelled
	USB      bool   // a host is connected to USB-Serial-JTAG
	Net      string // isolated, host or none
	Forward  []string
	Serve    string // directory
	Hosts    []string
	Faults   []string
	Seed     uint64
	Board    string // name of a board, in the place of [board] use
	Revision string // of the chip, in the place of [board] revision
	Record   string // file
	Replay   string // file
	Capture  string // file
	Scenario string // file
	VCD      string // file
	Picture  string // file, or NAME=FILE with the name of a display
	Files    string // directory for semihosting
}

// ReadScenario reads the file of the scenario, for the project's board; nil without
// one.
func (o Emulation) ReadScenario(p *project.Project) (*scenario.Scenario, error) {
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
	s, err := scenario.Parse(o.Scenario, b, p.Espalier.Board)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "")
	}
	return s, nil
}

// Environment checks the settings of the network, of faults and of recording.
// given reports whether a flag names an option. p may be nil.
func (o Emulation) Environment(given func(flag string) bool, p *project.Project) (*Environment, error) {
	s := Settings{
		Net: Setting{Text: o.Net, From: "--net"}, Serve: Setting{Text: o.Serve, From: "--serve"},
		SSID: Setting{Text: defaultnet.SSID}, Passphrase: Setting{Text: defaultnet.Passphrase},
		Channel: 1, Seed: o.Seed, Record: o.Record, Replay: o.Replay, Capture: o.Capture,
		Forward: settingsOf(o.Forward, "--forward"), Hosts: settingsOf(o.Hosts, "--host"), Faults: settingsOf(o.Faults, "--fault"),
	}
	if p == nil {
		return s.Parse()
	}
	n := p.Espalier.Net
	s.SSID, s.Passphrase, s.Channel = settingOf(n.SSID), settingOf(n.Passphrase), int(n.Channel.V)
	if !given("net") {
		s.Net = settingOf(n.Mode)
	}
	if !given("forward") {
		s.Forward = settingsOf(n.Forward.V, n.Forward.Origin.String())
	}
	if !given("serve") && n.Serve.V != "" {
		s.Serve = settingOf(n.Serve)
		if !filepath.IsAbs(n.Serve.V) {
			s.Serve.Text = filepath.Join(p.Root, filepath.FromSlash(n.Serve.V))
		}
	}
	if !given("host") {
		s.Hosts = settingsOf(n.Hosts.V, n.Hosts.Origin.String())
	}
	if !given("fault") {
		s.Faults = settingsOf(p.Espalier.Faults.Schedule.V, p.Espalier.Faults.Schedule.Origin.String())
	}
	if !given("seed") {
		s.Seed = uint64(p.Espalier.Faults.Seed.V)
	}
	return s.Parse()
}

func settingOf(v config.Value[string]) Setting { return Setting{Text: v.V, From: v.Origin.String()} }

func settingsOf(list []string, from string) []Setting {
	var out []Setting
	for _, text := range list {
		out = append(out, Setting{Text: text, From: from})
	}
	return out
}

// speed is the factor of real time: full speed when something ends the run and
// no program outside takes part, else real time.
func (o Emulation) speed(e *Environment, s Options) (float64, error) {
	choice := 1.0
	if e.Replays() || !e.RealTime() && (len(s.Expect) > 0 || o.Scenario != "" || s.For > 0 || s.Timeout > 0) {
		choice = 0
	}
	return ParseSpeed(o.Speed, choice)
}

// EmulatedRun is a session on an emulated board, checked before anything is built. Config
// lacks the firmware.
type EmulatedRun struct {
	Session *Session
	Config  EmulatedConfig
}

// Check checks all options of a run of s on the emulated board. given is that of
// Environment.
func (o Emulation) Check(s *Session, given func(flag string) bool, p *project.Project) (EmulatedRun, error) {
	r := EmulatedRun{Session: s}
	env, err := o.Environment(given, p)
	if err != nil {
		return r, err
	}
	r.Config = EmulatedConfig{Strict: o.Strict, USB: o.USB, Board: p.Espalier.Board, Environment: env, UI: s.UI}
	if r.Config.Speed, err = o.speed(env, s.opt); err != nil {
		return r, err
	}
	if r.Config.Scenario, err = o.ReadScenario(p); err != nil {
		return r, err
	}
	if o.Picture != "" {
		on := r.Config.Board
		if r.Config.Scenario != nil {
			on = r.Config.Scenario.Board
		}
		if r.Config.Screenshot, err = ParseScreenshot(o.Picture, on); err != nil {
			return r, err
		}
	}
	r.Config.VCD, r.Config.Files = o.VCD, o.Files
	r.Config.ScenarioEnds = len(s.opt.Expect) == 0 && s.opt.For == 0
	s.FromReset = true
	return r, CheckCreate(o.VCD)
}

// Boot runs a firmware on the emulated board: mask ROM and firmware as ELFs, and
// the content of the flash. elf may be nil: no symbols.
func (r EmulatedRun) Boot(ctx context.Context, rom, flash, elf []byte) error {
	r.Config.ROM, r.Config.Flash = rom, flash
	r.Config.Symbols = Symbols(elf, r.Session.UI, rom)
	board, err := OpenEmulated(r.Config)
	if err != nil {
		return err
	}
	return r.Session.Run(ctx, board, r.Config.Symbols)
}
