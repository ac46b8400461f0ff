package c3

import (
	"context"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/rv32"
)

// Run returns for each way in which the CPU can stop making progress, with a
// context and without a limit.
func TestRunReturns(t *testing.T) {
	for _, engine := range []rv32.Engine{rv32.EngineBlock, rv32.EngineReference} {
		for _, tc := range []struct {
			name string
			code func(a *asm)
			set  func(cpu *rv32.CPU)
			want emu.StopReason
		}{
			{"ebreak", func(a *asm) { a.word(0x00100073) }, func(cpu *rv32.CPU) { cpu.StopOnEbreak = true }, emu.StopEbreak},
			{"ebreak, by a callback", func(a *asm) { a.word(0x00100073) }, func(cpu *rv32.CPU) {
				cpu.OnEbreak = func() rv32.BreakAction { return rv32.BreakStop }
			}, emu.StopEbreak},
			{"breakpoint", func(a *asm) { a.j(a.pc()) }, func(cpu *rv32.CPU) {
				cpu.SetBreakpoint(breakpointAt, true)
			}, emu.StopBreakpoint},
			{"wfi without an event", func(a *asm) { a.wfi(); a.j(a.pc() - 4) }, nil, emu.StopIdle},
			// A trap handler that traps itself, and a missing one.
			{"endless traps", func(a *asm) {
				a.li(t0, a.pc()+5*4)
				a.csrw(0x305, t0)
				for range 8 {
					a.word(0)
				}
			}, nil, emu.StopTrapLoop},
			{"no trap handler", func(a *asm) { a.li(t0, 0x1000); a.csrw(0x305, t0); a.word(0) }, nil, emu.StopTrapLoop},
			{"endless loop", func(a *asm) { a.j(a.pc()) }, nil, emu.StopContext},
		} {
			t.Run(tc.name, func(t *testing.T) {
				b := guest(t, emu.Config{Engine: engine}, func(a *asm) {
					quietWatchdogs(a)
					for a.pc() < breakpointAt {
						a.word(0x13) // nop
					}
					tc.code(a)
				})
				if tc.set != nil {
					tc.set(b.CPU())
				}
				res := b.Run(&expiring{Context: t.Context(), checks: 3})
				if res.Reason != tc.want {
					t.Fatalf("stopped with %v (%v) at %v, want %v", res.Reason, res.Err, res.Now, tc.want)
				}
				if tc.want == emu.StopEbreak || tc.want == emu.StopBreakpoint {
					if pc := b.CPU().PC(); pc != breakpointAt {
						t.Errorf("stopped at 0x%x, want 0x%x", pc, breakpointAt)
					}
				}
			})
		}
	}
}

// expiring is a context that is cancelled at its last check.
type expiring struct {
	context.Context
	checks int
}

func (e *expiring) Err() error {
	if e.checks--; e.checks <= 0 {
		return context.Canceled
	}
	return nil
}

// breakpointAt is an address in ROM after quietWatchdogs.
const breakpointAt = romBase + 0x100

// Run stops at a breakpoint before its instruction, and the next Run continues
// past it.
func TestBreakpointIsPassed(t *testing.T) {
	b := guest(t, emu.Config{}, func(a *asm) {
		quietWatchdogs(a)
		for a.pc() < breakpointAt {
			a.word(0x13)
		}
		a.addi(a0, a0, 1)
		a.j(breakpointAt)
	})
	b.CPU().SetBreakpoint(breakpointAt, true)
	for i := range uint32(3) {
		res := b.Run(t.Context(), emu.Limit(time.Second))
		if got := b.CPU().Reg(a0); res.Reason != emu.StopBreakpoint || got != i {
			t.Fatalf("stop %d: %v, a0 is %d", i, res.Reason, got)
		}
	}
	b.CPU().SetBreakpoint(breakpointAt, false)
	if res := b.Run(t.Context(), emu.Limit(time.Millisecond)); res.Reason != emu.StopLimit {
		t.Errorf("without the breakpoint: %v", res.Reason)
	}
}

// Result.Unmodelled is that of the run, Board.Unmodelled that of all runs.
func TestUnmodelledOfARun(t *testing.T) {
	b := guest(t, emu.Config{}, func(a *asm) {
		quietWatchdogs(a)
		a.poke(notModelled, 1)
		a.poke(notModelled, 2)
		a.print("x")
		a.poke(notModelled+4, 3)
		a.poke(notModelled, 4)
		a.halt()
	})
	first := b.Run(t.Context(), emu.UntilText("x"), emu.Limit(time.Second))
	if l := first.Unmodelled; len(l) != 1 || l[0].Addr != notModelled || l[0].Writes != 2 || l[0].Value != 1 {
		t.Errorf("first run: %v", l)
	}
	second := b.Run(t.Context(), emu.Limit(time.Millisecond))
	if l := second.Unmodelled; len(l) != 2 || l[0].Writes != 1 || l[0].Value != 4 || l[1].Addr != notModelled+4 || l[1].Value != 3 {
		t.Errorf("second run: %v", l)
	}
	if l := b.Unmodelled(); len(l) != 2 || l[0].Writes != 3 || l[0].Value != 1 {
		t.Errorf("all runs: %v", l)
	}
	if l := b.Run(t.Context(), emu.Limit(time.Millisecond)).Unmodelled; len(l) != 0 {
		t.Errorf("third run: %v", l)
	}
}

// A loop that polls a register that is not modelled is fast-forwarded, with the
// same result in both engines.
func TestPollingEngines(t *testing.T) {
	var want emu.Result
	for i, engine := range []rv32.Engine{rv32.EngineBlock, rv32.EngineReference} {
		b := guest(t, emu.Config{Engine: engine}, func(a *asm) {
			quietWatchdogs(a)
			a.li(t0, notModelled)
			loop := a.pc()
			a.lw(t1, t0, 0)
			a.branch(0, t1, zero, loop)
			a.print("done")
			a.halt()
		})
		res := b.Run(t.Context(), emu.Limit(20*time.Millisecond))
		if i == 0 {
			want = res
		}
		if res.Trace != want.Trace || res.Instructions != want.Instructions || len(res.Unmodelled) != 1 || res.Unmodelled[0] != want.Unmodelled[0] {
			t.Errorf("%v: %+v, want %+v", engine, res, want)
		}
	}
}
