package fwtest

import (
	"context"
	"errors"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
	"espalier.dev/espalier/emu/parts"
	"espalier.dev/espalier/emu/semihost"
	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/internal/probe"
	"espalier.dev/espalier/internal/scenario"
	"espalier.dev/espalier/monitor"
)

// machine is one board with what is attached to it.
type machine struct {
	p       *Program
	bed     *testbed.Testbed
	board   *emu.Board
	host    *semihost.Host
	probe   *probe.Probe
	monitor *monitor.Monitor
	out     output
	player  *scenario.Player // nil: no scenario
	faults  faults.Schedule
	playing bool  // the test has started
	failed  error // of the scenario

	levels *parts.Probe // of all pins; nil: not wanted
	save   func(file string, png []byte) error
}

// newMachine powers on a board.
func newMachine(p *Program, bed testbed.Config, vcd bool) (*machine, error) {
	m := &machine{p: p, faults: bed.Faults}
	if p.Scenario != nil {
		on := p.Scenario.Board.Open(nil)
		m.player = p.Scenario.Play(on)
		bed.Parts = append(bed.Parts[:len(bed.Parts):len(bed.Parts)], on, m.player)
	} else if p.Board != nil {
		bed.Parts = append(bed.Parts[:len(bed.Parts):len(bed.Parts)], p.Board.Open(nil))
	}
	if vcd {
		m.levels = parts.AllPins()
		bed.Parts = append(bed.Parts[:len(bed.Parts):len(bed.Parts)], m.levels)
	}
	bed.Board.ROM, bed.Board.Flash = p.rom, p.Flash
	bed.Board.Output = func(o emu.Output) { m.write(monitor.Stream(o.Stream.String()), o.At.Duration(), o.Data) }
	m.restart()
	var err error
	if m.bed, err = testbed.New(bed); err != nil {
		return nil, err
	}
	m.board = m.bed.Board
	m.probe = probe.New(m.board, p.symbols, m.write)
	m.host = &m.probe.Host
	m.host.StopAtCommandLine = true
	return m, nil
}

// restart begins the output of a test.
func (m *machine) restart() {
	m.out = output{rules: m.p.Expect, seen: make([]bool, len(m.p.Expect))}
	m.monitor = monitor.New(monitor.Options{Symbols: m.p.symbols, KeepGoing: true}, &m.out)
	m.out.player = m.player
}

func (m *machine) write(s monitor.Stream, at time.Duration, p []byte) {
	if !m.out.room(len(p)) {
		return
	}
	m.monitor.Write(s, at, p)
}

// start begins the scenario.
func (m *machine) start(now time.Duration) {
	if m.player != nil {
		m.playing = true
		m.player.Save = m.save
		m.player.Start(now, m.bed.AccessPoint, m.faults)
		m.failed = m.player.Advance(m.board)
	}
}

// plays reports whether the scenario has steps.
func (m *machine) plays() bool { return m.player != nil && m.player.Steps() > 0 }

// over reports whether the scenario decides the verdict: it has failed, or is the
// only thing that a program without tests and rules has to do.
func (m *machine) over() bool {
	return m.failed != nil || m.playing && m.plays() && m.player.Done() && m.p.kind == whole && len(m.out.rules) == 0
}

func (m *machine) close() {
	m.host.Close()
	m.bed.Close()
}

// run lets guest time pass until the firmware exits, crashes, is reset, asks for
// its command line or does nothing any more; at the latest until end.
func (m *machine) run(ctx context.Context, end time.Duration) emu.Result {
	var sum emu.Result
	for {
		now := m.board.Now()
		until := end
		if at, ok := m.monitor.NextTick(); ok {
			until = min(until, max(at, now+time.Microsecond))
		}
		if at, ok := m.probe.Next(now); ok {
			until = min(until, at)
		}
		if m.playing {
			if at, ok := m.player.Next(now); ok {
				until = min(until, at)
			}
		}
		r := m.board.Run(ctx, emu.Limit(until-now), emu.UntilReset(), emu.UntilOutput(func(emu.Output) bool { return m.out.done() || m.playing && m.player.Met() }))
		now = m.board.Now()
		m.probe.Poll(now)
		m.monitor.Tick(now)
		if m.playing && m.failed == nil {
			m.failed = m.player.Advance(m.board)
		}
		r.Elapsed, r.Resets = r.Elapsed+sum.Elapsed, append(sum.Resets, r.Resets...)
		sum = r
		if r.Reason != emu.StopLimit && r.Reason != emu.StopOutput || m.out.done() || now >= end || m.over() {
			return r
		}
	}
}

// errBoot is wrapped by the error of a program that does not get as far as asking
// which test to run.
var errBoot = errors.New("the program did not ask which test to run")
