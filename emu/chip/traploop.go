package chip

import (
	"fmt"

	"espalier.dev/espalier/rv32"
)

// Watchdog is a chip that may reset itself.
type Watchdog interface {
	// Guarded reports whether a watchdog runs.
	Guarded() bool
}

// TrapLoopError is the end of a run whose CPU takes the same exception again and
// again: its handler faults itself, or returns to the instruction without a change.
type TrapLoopError struct {
	Loop rv32.TrapLoop
	At   Time // when that was found
}

func (e *TrapLoopError) Error() string {
	return fmt.Sprintf("the CPU takes the same exception without an end: %s at pc 0x%08x, handler 0x%08x",
		e.Exception(), e.Loop.PC, e.Loop.Handler)
}

// Exception returns the exception with the address that it is about, such as "load
// access fault of 0x00000004".
func (e *TrapLoopError) Exception() string {
	name := rv32.CauseName(e.Loop.Cause)
	switch {
	case e.Loop.Nested:
		return name + "s at one address after the other"
	case e.Loop.Cause == rv32.CauseLoad || e.Loop.Cause == rv32.CauseStore || e.Loop.Cause == rv32.CauseFetch:
		return fmt.Sprintf("%s of 0x%08x", name, e.Loop.Value)
	}
	return name
}

// InHandler reports whether the handler itself faults.
func (e *TrapLoopError) InHandler() bool { return e.Loop.Nested || e.Loop.PC == e.Loop.Handler }

// trapPatience is how long a loop lasts in which interrupts are enabled, and none
// comes although something is pending, until it counts as endless.
const trapPatience = 10 * Second

// trapWatch is the trap loop of the last call of trapLoop.
type trapWatch struct {
	pc         uint32
	interrupts uint64
	since      Time
}

// trapLoop is called when the CPU has found a trap loop. Unless the run ends, time
// passes up to the next event. Only a watchdog or an interrupt can end it.
func (m *Machine) trapLoop(l rv32.TrapLoop) {
	if w, ok := m.chip.(Watchdog); ok && w.Guarded() {
		return
	}
	now := m.Now()
	if l.Interruptible && (m.timers.next() != Never || m.inputs.next() != Never) {
		t := &m.trap
		if t.pc != l.PC || t.interrupts != l.Interrupts || t.since > now {
			*t = trapWatch{l.PC, l.Interrupts, now}
		}
		if now.Sub(t.since) < trapPatience {
			return
		}
	}
	m.stop(stopCause{reason: StopTrapLoop, err: &TrapLoopError{Loop: l, At: now}})
}
