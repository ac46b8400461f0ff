package fwtest

import (
	"context"
	"errors"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/semihost"
	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/monitor"
	"espalier.dev/espalier/rtt"
)

// Streams besides the chip's serial ports.
const (
	streamRTT      monitor.Stream = "rtt"
	streamSemihost monitor.Stream = "semihosting"
)

// pollRTT is how often, in guest time, the channels of RTT are read: firmware
// waits while its buffer is full.
const pollRTT = 100 * time.Microsecond

// machine is one board with what is attached to it.
type machine struct {
	p       *Program
	bed     *testbed.Testbed
	board   *emu.Board
	host    *semihost.Host
	rtt     *rtt.Block
	frames  map[int]*rtt.Frames
	defmt   bool // the program logs with defmt
	monitor *monitor.Monitor
	out     output
	stop    bool
}

// newMachine powers on a board.
func newMachine(p *Program, bed testbed.Config) (*machine, error) {
	m := &machine{p: p, frames: map[int]*rtt.Frames{}}
	bed.Board.ROM, bed.Board.Flash = p.ROM, p.Flash
	bed.Board.Output = func(o emu.Output) { m.write(monitor.Stream(o.Stream.String()), o.At.Duration(), o.Data) }
	m.restart()
	semihosted := func(b []byte) { m.write(streamSemihost, m.board.Now(), b) }
	m.host = &semihost.Host{StopAtCommandLine: true, Stdout: semihosted, Stderr: semihosted}
	m.host.Centiseconds = func() uint32 { return uint32(m.board.Now() / (10 * time.Millisecond)) }
	var err error
	if m.bed, err = testbed.New(bed); err != nil {
		return nil, err
	}
	m.board = m.bed.Board
	m.host.Attach(m.board.CPU())
	if p.rtt != 0 {
		m.rtt = rtt.New(m.board.CPU().Memory(), p.rtt)
	}
	if app := p.symbols.App(); app != nil {
		table, err := app.Defmt()
		m.defmt = err == nil && table != nil
	}
	return m, nil
}

// restart begins the output of a test.
func (m *machine) restart() {
	m.out = output{rules: m.p.Expect, seen: make([]bool, len(m.p.Expect))}
	m.monitor = monitor.New(monitor.Options{Symbols: m.p.symbols, KeepGoing: true}, &m.out)
	m.stop = false
}

func (m *machine) write(s monitor.Stream, at time.Duration, p []byte) {
	if !m.out.room(len(p)) {
		return
	}
	m.monitor.Write(s, at, p)
}

func (m *machine) close() { m.bed.Close() }

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
		if m.rtt != nil {
			until = min(until, now-now%pollRTT+pollRTT)
		}
		r := m.board.Run(ctx, emu.Limit(until-now), emu.UntilReset(), emu.UntilOutput(func(emu.Output) bool { return m.out.done() }))
		now = m.board.Now()
		m.poll(now)
		m.monitor.Tick(now)
		r.Elapsed, r.Resets = r.Elapsed+sum.Elapsed, append(sum.Resets, r.Resets...)
		sum = r
		if r.Reason != emu.StopLimit && r.Reason != emu.StopOutput || m.out.done() || now >= end {
			return r
		}
	}
}

// poll reads the channels of RTT.
func (m *machine) poll(now time.Duration) {
	if m.rtt == nil {
		return
	}
	m.rtt.Poll(func(c rtt.Channel, p []byte) {
		if m.defmt && c.Name != "Terminal" {
			f := m.frames[c.Number]
			if f == nil {
				f = &rtt.Frames{}
				m.frames[c.Number] = f
			}
			p = f.Append(nil, p)
		}
		m.write(streamRTT, now, p)
	})
}

// errBoot is wrapped by the error of a program that does not get as far as asking
// which test to run.
var errBoot = errors.New("the program did not ask which test to run")
