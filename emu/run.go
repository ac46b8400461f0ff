package emu

import (
	"context"

	"espalier.dev/espalier/rv32"
)

// loop runs until m.reason is set. Between two stretches of instructions it
// does, in this order: a CPU clock change, a reset, timers that are due, inputs
// that are due. The stretch ends at the next of all deadlines; a device that
// sets an earlier one shortens it.
func (b *Board) loop(ctx context.Context, st *stops, start Time, begun uint64) {
	m := b.m
	end := Never
	if st.limit > 0 {
		end = start.Add(st.limit)
	}
	look := start
	for {
		b.settle()
		now := m.Now()
		if m.reason.set {
			return
		}
		if now >= end {
			m.stop(stopCause{reason: StopLimit})
			return
		}
		if now >= look {
			if err := ctx.Err(); err != nil {
				m.stop(stopCause{reason: StopContext, err: err})
				return
			}
			look = now.Add(contextPeriod)
		}
		if st.instructions > 0 && b.retired()-begun >= st.instructions {
			m.stop(stopCause{reason: StopInstructions})
			return
		}

		event := min(m.timers.next(), b.inputs.next())
		if m.halted {
			b.sleep(event, end)
			continue
		}
		until := m.clock.cycle(min(event, end, look))
		if st.instructions > 0 {
			until = min(until, begun+st.instructions+m.clock.Idle)
		}
		m.inRun = true
		exit := m.CPU.Run(until)
		m.inRun = false

		if exit == rv32.ExitWFI && m.period == 0 && !m.reset && !m.reason.set && !m.halted {
			b.sleep(min(m.timers.next(), b.inputs.next()), end)
		}
	}
}

// settle does what is due between two instructions.
func (b *Board) settle() {
	m := b.m
	for {
		if m.period != 0 {
			m.applyPeriod()
		}
		if m.reset {
			m.reset = false
			b.chip.Reset()
			continue
		}
		now := m.Now()
		if t := m.timers.pop(now); t != nil {
			m.trace.mix(uint64(now), uint64(t.id)|2<<32)
			t.fire()
			continue
		}
		if b.inputs.next() <= now {
			b.deliver(now)
			continue
		}
		return
	}
}

// deliver hands the first input to the chip.
func (b *Board) deliver(now Time) {
	b.inputs.pending[0].At = now
	in := b.inputs.pop()
	m := b.m
	m.trace.mix(uint64(now), uint64(in.Kind)|uint64(in.Port)<<8|uint64(in.Pin)<<16|uint64(in.Level)<<32|uint64(in.Strap)<<40|3<<48)
	m.trace.bytes(in.Data)
	b.chip.Input(in)
}

// sleep lets time pass without instructions: to the next event, or to the end of the run.
func (b *Board) sleep(event, end Time) {
	m := b.m
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
