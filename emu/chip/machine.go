package chip

import (
	"slices"

	"espalier.dev/espalier/rv32"
)

// Machine is what a chip package builds on: CPU, guest time, timers, inputs and
// outputs. Its methods are for devices, which call them from register accesses,
// timers and inputs; users of a board have an *emu.Board.
type Machine struct {
	CPU *rv32.CPU

	cfg    Config
	chip   Chip
	clock  clock
	timers timers
	inputs inputs
	trace  trace
	access accesses
	resets []Reset

	onRun  []func()
	extra  []func(*State) // state of what is connected to the chip
	stops  *Stops         // of the running Run, nil between runs
	reason stopCause
	period uint64 // CPU clock to switch to after this instruction, 0: none
	reset  bool   // a device requested a reset
	halted bool   // the chip sleeps: time passes without instructions
	inRun  bool
	trap   trapWatch

	events  int  // since the context was checked
	still   int  // events at stillAt
	stillAt Time // the last instant with an event
}

// stopCause is why the run ends.
type stopCause struct {
	set    bool
	reason StopReason
	err    error
}

// clock converts between CPU cycles and guest time. The CPU clock may change;
// time is continuous.
type clock struct {
	Base   Time   // time at Cycle
	Cycle  uint64 // cycle count at Base
	Period uint64 // ticks per CPU cycle
	Idle   uint64 // cycles that passed without instructions
}

func (c *clock) at(cycle uint64) Time { return c.Base + Time((cycle-c.Cycle)*c.Period) }

// cycle returns the first cycle that is not before t.
func (c *clock) cycle(t Time) uint64 {
	if t == Never {
		return ^uint64(0)
	}
	if t <= c.Base {
		return c.Cycle
	}
	return c.Cycle + (uint64(t-c.Base)+c.Period-1)/c.Period
}

// NewMachine returns a machine whose CPU sees bus where no memory is mapped,
// and which calls c between instructions. The chip may be incomplete during the
// call: none of its methods is called before Run. The CPU clock is one cycle
// per tick until SetCPUPeriod.
func NewMachine(cfg Config, bus rv32.Bus, c Chip) *Machine {
	m := &Machine{
		CPU:   rv32.New(rv32.Config{Bus: bus, Engine: cfg.Engine}),
		cfg:   cfg,
		chip:  c,
		clock: clock{Period: 1},
	}
	for _, in := range cfg.Replay {
		m.inputs.add(in)
	}
	m.CPU.OnTrapLoop = m.trapLoop
	m.timers.changed = func() {
		if m.inRun {
			m.CPU.Limit(m.clock.cycle(m.timers.next()))
		}
	}
	return m
}

// Now returns the guest time of the instruction that is being executed.
func (m *Machine) Now() Time { return m.clock.at(m.CPU.Cycles()) }

// NewTimer makes a timer that calls fire at its deadline, between two
// instructions. Timers that are due at the same time fire in the order of
// their making, so a chip makes all of them when it is built.
func (m *Machine) NewTimer(fire func()) *Timer { return m.timers.add(fire) }

// NewProbe makes a timer whose firing is not part of the trace hash: what it does
// can be seen from outside, as a waveform on a pin, and the guest does not
// depend on it unless something that is traced does. Whether the user looks at
// pins therefore leaves the hash as it is.
func (m *Machine) NewProbe(fire func()) *Timer {
	t := m.timers.add(fire)
	t.untraced = true
	return t
}

// PinsObserved reports whether the user looks at every change of a pin.
func (m *Machine) PinsObserved() bool { return m.cfg.Pin != nil }

// CPUPeriod returns the length of a CPU cycle.
func (m *Machine) CPUPeriod() Duration { return Duration(m.clock.Period) }

// SetCPUPeriod changes the CPU clock after the instruction that is being
// executed. The period is at least one tick.
func (m *Machine) SetCPUPeriod(d Duration) {
	if d < 1 {
		d = 1
	}
	if uint64(d) == m.clock.Period {
		m.period = 0
		return
	}
	m.period = uint64(d)
	if m.inRun {
		m.CPU.Yield()
	}
}

// applyPeriod switches the CPU clock between two instructions.
func (m *Machine) applyPeriod() {
	now := m.CPU.Cycles()
	m.clock.Base, m.clock.Cycle, m.clock.Period = m.clock.at(now), now, m.period
	m.period = 0
}

// RequestReset has Chip.Reset called before the next instruction.
func (m *Machine) RequestReset() {
	m.reset = true
	if m.inRun {
		m.CPU.Yield()
	}
}

// Halt stops the CPU after the instruction that is being executed, or resumes it.
// While it is stopped the chip sleeps: only timers fire and inputs arrive.
func (m *Machine) Halt(on bool) {
	m.halted = on
	if on && m.inRun {
		m.CPU.Yield()
	}
}

// NoteReset records a reset of the chip; Chip.Reset calls it.
func (m *Machine) NoteReset(cause uint8, name string) {
	m.resets = append(m.resets, Reset{At: m.Now(), Cause: cause, Name: name})
	m.trace.mix(uint64(m.Now()), uint64(cause)|1<<32)
	if m.stops != nil && m.stops.Reset {
		m.stop(stopCause{reason: StopReset})
	}
}

// NoteWrite adds a write to a device register to the trace hash. The bus calls
// it for every one.
func (m *Machine) NoteWrite(addr, v uint32) {
	m.trace.mix(m.CPU.Cycles(), uint64(addr)<<32|uint64(v))
}

// Emit sends bytes out of a serial port now.
func (m *Machine) Emit(s Stream, p ...byte) {
	if len(p) == 0 {
		return
	}
	o := Output{At: m.Now(), Stream: s, Data: p}
	if m.cfg.Output != nil {
		m.cfg.Output(o)
	}
	if m.stops != nil && m.stops.Output != nil && m.stops.Output(o) {
		m.stop(stopCause{reason: StopOutput})
	}
}

// EmitPin reports that the guest drives a pin to another level.
func (m *Machine) EmitPin(pin int, l Level) {
	if m.cfg.Pin != nil {
		m.cfg.Pin(PinChange{At: m.Now(), Pin: pin, Level: l})
	}
}

// Unmodelled records the use of a register that the chip does not model and,
// on a strict board, ends the run.
func (m *Machine) Unmodelled(block string, addr uint32, write bool, v uint32) {
	c := m.access.count(addr, write)
	if c == nil {
		c = m.access.first(Access{Addr: addr, Block: block, PC: m.CPU.PC(), At: m.Now(), Value: v}, write)
	}
	if m.cfg.Strict {
		m.stop(stopCause{reason: StopStrict, err: &StrictError{c.now}})
	}
}

// Absent ends the run, on a strict board too: the write of v to addr starts a
// device that the board does not have and that the guest will wait for.
func (m *Machine) Absent(device, block string, addr, v uint32) {
	if m.reason.reason == StopStrict {
		m.reason = stopCause{}
	}
	m.stop(stopCause{reason: StopAbsent, err: &AbsentError{device, Access{Addr: addr, Block: block, Writes: 1, PC: m.CPU.PC(), At: m.Now(), Value: v}}})
}

// stop ends the run before the next instruction. The first cause wins.
func (m *Machine) stop(c stopCause) {
	if m.reason.set {
		return
	}
	c.set = true
	m.reason = c
	if m.inRun {
		m.CPU.Yield()
	}
}

// Idle reports whether the CPU waits or the chip sleeps, and the instant of the
// next timer or input, before which nothing happens then. It is for use between
// two runs.
func (m *Machine) Idle() (next Time, idle bool) {
	next = min(m.timers.next(), m.inputs.next())
	return next, (m.halted || m.CPU.Waiting() && m.CPU.IRQ() == 0) && m.period == 0 && !m.reset
}

// TimeAt returns the guest time of a CPU cycle, provided that the CPU clock does
// not change before it.
func (m *Machine) TimeAt(cycle uint64) Time { return m.clock.at(cycle) }

// Chip returns the chip that was given to NewMachine.
func (m *Machine) Chip() Chip { return m.chip }

// Inject delivers an input at its time; one whose time has passed is delivered
// at once and recorded with the time of its delivery. It may be called from
// Config.Output and Config.Pin.
func (m *Machine) Inject(in Input) {
	in.At = max(in.At, m.Now())
	m.inputs.add(in)
	if m.inRun { // called from Output or Pin
		m.CPU.Limit(m.clock.cycle(in.At))
	}
}

// Inputs returns the inputs that were delivered so far, for Config.Replay.
func (m *Machine) Inputs() []Input { return slices.Clone(m.inputs.done) }

// Accesses returns the registers used since power-on that the chip does not
// model, by address.
func (m *Machine) Accesses() []Access { return m.access.list(false) }
