package chip

import (
	"context"
	"fmt"

	"espalier.dev/espalier/rv32"
)

// contextPeriod and contextEvents are how much guest time passes, and how many
// events are handled, at most between two checks of the context: some milliseconds
// of wall time in a compute-bound guest, or one whose devices are busy.
const (
	contextPeriod = 10 * Millisecond
	contextEvents = 1 << 15
)

// Run lets guest time pass until a condition of stops holds, the context ends
// or nothing can happen any more. Called again, it continues.
func (m *Machine) Run(ctx context.Context, stops Stops) Result {
	m.stops, m.reason, m.resets = &stops, stopCause{}, nil
	m.access.begin()
	start, begun := m.Now(), m.Instructions()
	for _, f := range m.onRun {
		f()
	}
	m.loop(ctx, &stops, start, begun)
	if d, ok := m.chip.(Drainer); ok && (m.reason.reason == StopStrict || m.reason.reason == StopAbsent || m.reason.reason == StopTrapLoop) {
		d.Drain()
	}
	m.stops = nil
	return Result{
		Reason:       m.reason.reason,
		Err:          m.reason.err,
		Start:        start,
		Now:          m.Now(),
		Instructions: m.Instructions() - begun,
		Resets:       m.resets,
		Unmodelled:   m.access.list(true),
	}
}

// Instructions returns the instructions retired since power-on, those that
// trapped included.
func (m *Machine) Instructions() uint64 { return m.CPU.Cycles() - m.clock.Idle }

// loop runs until m.reason is set. Between two stretches of instructions it
// does, in this order: a CPU clock change, a reset, timers that are due, inputs
// that are due. The stretch ends at the next of all deadlines; a device that
// sets an earlier one shortens it.
func (m *Machine) loop(ctx context.Context, st *Stops, start Time, begun uint64) {
	end := Never
	if st.Limit > 0 {
		end = start.Add(st.Limit)
	}
	look := start
	m.events = 0
	for {
		settled := m.settle()
		now := m.Now()
		if m.reason.set {
			return
		}
		if settled && now >= end {
			m.stop(stopCause{reason: StopLimit})
			return
		}
		if now >= look || m.events >= contextEvents {
			if err := ctx.Err(); err != nil {
				m.stop(stopCause{reason: StopContext, err: err})
				return
			}
			look, m.events = now.Add(contextPeriod), 0
		}
		if !settled {
			continue
		}
		if st.Instructions > 0 && m.Instructions()-begun >= st.Instructions {
			m.stop(stopCause{reason: StopInstructions})
			return
		}

		event := min(m.timers.next(), m.inputs.next())
		if m.halted {
			m.sleep(event, end)
			continue
		}
		until := m.clock.cycle(min(event, end, look))
		if st.Instructions > 0 {
			until = min(until, begun+st.Instructions+m.clock.Idle)
		}
		m.inRun = true
		exit := m.CPU.Run(until)
		m.inRun = false

		switch exit {
		case rv32.ExitEbreak:
			m.stop(stopCause{reason: StopEbreak})
		case rv32.ExitBreak:
			m.stop(stopCause{reason: StopBreakpoint})
		}
		if exit == rv32.ExitWFI && m.period == 0 && !m.reset && !m.reason.set && !m.halted {
			m.sleep(min(m.timers.next(), m.inputs.next()), end)
		}
	}
}

// maxEvents is the number of events between two instructions from which on they
// cannot be the guest's doing: a device keeps setting a deadline that has passed.
const maxEvents = 10_000_000

// settle does what is due between two instructions. It returns false when it is time
// to check the context before the rest: a CPU whose clock is slow has thousands of
// events between two instructions.
func (m *Machine) settle() bool {
	for {
		if m.period != 0 {
			m.applyPeriod()
		}
		now := m.Now()
		if !m.reset && m.timers.next() > now && m.inputs.next() > now {
			return true
		}
		if m.events == contextEvents {
			return false
		}
		m.events++
		if m.still++; now != m.stillAt {
			m.still, m.stillAt = 0, now
		}
		if m.still == maxEvents {
			panic(fmt.Sprintf("%d events at %ss without time passing, the next of timer %d", m.still, now, m.timers.first()))
		}
		if m.reset {
			m.reset = false
			m.chip.Reset()
			continue
		}
		if t := m.timers.pop(now); t != nil {
			if !t.untraced {
				m.trace.mix(uint64(now), uint64(t.id)|2<<32)
			}
			t.fire()
			continue
		}
		m.deliver(now)
	}
}

// deliver hands the first input to the chip.
func (m *Machine) deliver(now Time) {
	m.inputs.pending[0].At = now
	in := m.inputs.pop()
	m.trace.mix(uint64(now), uint64(in.Kind)|uint64(in.Port)<<8|uint64(in.Pin)<<16|uint64(in.Level)<<32|uint64(in.Strap)<<40|3<<48)
	if in.Kind == InputVoltage || in.Kind == InputJoin || in.Kind == InputTemperature || in.Kind == InputSupply {
		m.trace.mix(uint64(in.Other)|uint64(uint32(in.MilliCelsius))<<32, uint64(uint32(in.Source.MilliVolts))<<32|uint64(in.Source.Ohms))
	}
	m.trace.bytes(in.Data)
	m.chip.Input(in)
}

// sleep lets time pass without instructions: to the next event, or to the end of the run.
func (m *Machine) sleep(event, end Time) {
	if event == Never && end == Never {
		m.stop(stopCause{reason: StopIdle})
		return
	}
	to := m.clock.cycle(min(event, end))
	if now := m.CPU.Cycles(); to > now {
		m.clock.Idle += to - now
		m.CPU.AdvanceTo(to)
	}
}
