package rv32

import (
	"slices"
	"testing"
)

// A trap loop ends, or does not, as without skipping; it is only reported when the
// state of the CPU and of memory repeats. One whose handler only counts is skipped, too.
func TestTrapLoops(t *testing.T) {
	const handler = 0x1100
	mtvec := func(code ...uint32) []uint32 {
		return append([]uint32{lui(5, 0x1000), addi(5, 5, handler-0x1000), csrrw(0, 0x305, 5), lui(2, 0x4000)}, code...)
	}
	illegal, nothing := uint32(0xffffffff), lui(6, 0x70000000)
	faults := []uint32{lui(9, 0x70000000), lw(7, 9, 4)}
	for _, k := range []struct {
		name    string
		code    []uint32
		handler []uint32
		loop    *TrapLoop
		skipped bool
	}{
		{"the handler is illegal", mtvec(illegal), []uint32{illegal}, &TrapLoop{PC: handler, Cause: CauseIllegal, Value: illegal, Handler: handler, Cycles: 1}, false},
		{"no handler", []uint32{lui(5, 0x70000000), csrrw(0, 0x305, 5), illegal}, nil, &TrapLoop{PC: 0x70000000, Cause: CauseFetch, Value: 0x70000000, Handler: 0x70000000, Cycles: 1}, false},
		{"the handler returns", mtvec(nothing, lw(7, 6, 4)), []uint32{wNOP, wMRET}, &TrapLoop{PC: 0x1014, Cause: CauseLoad, Value: 0x70000004, Handler: handler, Cycles: 3}, false},
		{"with interrupts", mtvec(csrsi(0x300, 8), wBREAK), []uint32{wMRET}, &TrapLoop{PC: 0x1014, Cause: CauseBreak, Handler: handler, Cycles: 2, Interruptible: true}, false},
		{"the handler saves registers", mtvec(illegal), []uint32{addi(2, 2, ^uint32(15)), sw(6, 2, 0), sw(7, 2, 4), lw(7, 2, 4), addi(2, 2, 16), wMRET},
			&TrapLoop{PC: 0x1010, Cause: CauseIllegal, Value: illegal, Handler: handler, Cycles: 7}, false},
		// The stack pointer has left memory: the handler faults at each address below.
		{"no stack", mtvec(lui(2, 0x800000), illegal), []uint32{addi(2, 2, ^uint32(15)), sw(6, 2, 0), illegal},
			&TrapLoop{PC: handler + 4, Cause: CauseStore, Handler: handler, Nested: true}, false},
		{"the handler counts in memory", mtvec(faults...), []uint32{lw(6, 2, 0), addi(6, 6, 1), sw(6, 2, 0), addi(6, 0, 0), wMRET}, nil, true},
		{"the handler counts in a register", mtvec(faults...), []uint32{addi(8, 8, 1), wMRET}, nil, true},
		{"the handler counts to a limit", mtvec(append(faults, wWFI)...), []uint32{addi(8, 8, 1), lui(6, 0x2000), bType(16, 6, 8, 6), csrrs(6, 0x341, 0), addi(6, 6, 4), csrrw(0, 0x341, 6), wMRET}, nil, true},
		{"the handler reads the cause", mtvec(faults...), []uint32{csrrs(6, 0x342, 0), csrrs(10, 0x343, 0), csrrs(11, csrMstatus, 0), rType(0, 11, 8, 0, 8, 0x33), wMRET}, nil, true},
		{"in user mode", mtvec(lui(6, 0xffffffff), csrrw(0, csrPmpaddr0, 6), addi(6, 0, 0x1f), csrrw(0, csrPmpcfg0, 6), lui(9, 0x70000000), lui(6, 0x1000), addi(6, 6, 0x34), csrrw(0, 0x341, 6), wMRET, lw(7, 9, 4)),
			[]uint32{addi(8, 8, 1), wMRET}, nil, true},
		{"the handler faults", mtvec(faults...), []uint32{addi(8, 8, 1), lw(7, 9, 8)},
			&TrapLoop{PC: handler + 4, Cause: CauseLoad, Handler: handler, Nested: true}, true},
		{"the handler counts at another address", mtvec(faults...), []uint32{iType(4, 2, 4, 2, 0x13), sw(8, 2, 0), wMRET}, nil, false},
		{"the handler reads the time", mtvec(illegal), []uint32{csrrs(6, 0x7e2, 0), wMRET}, nil, false},
		{"the handler writes to a device", mtvec(illegal), []uint32{lui(6, 0x60000000), sw(0, 6, 0), wMRET}, nil, false},
		{"the handler steps over", mtvec(illegal, wWFI), []uint32{csrrs(6, 0x341, 0), addi(6, 6, 4), csrrw(0, 0x341, 6), wMRET}, nil, false},
	} {
		t.Run(k.name, func(t *testing.T) {
			var want State
			var full int
			for i, e := range []Engine{EngineReference, EngineReference, EngineBlock} {
				loads := 0
				bus := &funcBus{func(addr uint32, _ int) (uint32, bool) { loads++; return 0, false },
					func(addr uint32, _ int, _ uint32) bool { return addr>>28 == 6 }}
				code := slices.Clone(k.code)
				for len(code) < (handler-0x1000)/4 {
					code = append(code, wNOP)
				}
				c := machine(t, e, bus, append(code, k.handler...)...)
				c.noSpin = i == 0
				var loops []TrapLoop
				c.OnTrapLoop = func(l TrapLoop) { loops = append(loops, l) }
				for range 5 {
					c.Run(c.Cycles() + 20_011)
				}
				got := c.State()
				if i == 0 {
					want, full = got, loads
					continue
				}
				if k.skipped && loads > full/4 {
					t.Errorf("engine %v: %d of %d loads", e, loads, full)
				}
				if got != want {
					t.Errorf("engine %v:\n%+v, want\n%+v", e, got, want)
				}
				switch {
				case k.loop == nil && len(loops) > 0:
					t.Errorf("engine %v: reported %+v", e, loops[0])
				case k.loop != nil && len(loops) == 0:
					t.Errorf("engine %v: not reported", e)
				case k.loop != nil:
					l := loops[len(loops)-1]
					if k.loop.Cycles == 0 {
						l.Cycles, l.Value = 0, 0
					}
					if l != *k.loop {
						t.Errorf("engine %v: reported %+v, want %+v", e, l, *k.loop)
					}
				}
			}
		})
	}
}

func TestTrapLoopEndsRun(t *testing.T) {
	bothEngines(t, func(t *testing.T, e Engine) {
		c := machine(t, e, nil, 0xffffffff)
		c.OnTrapLoop = func(TrapLoop) { c.Yield() }
		if x := c.Run(1 << 40); x != ExitYield || c.Cycles() > 1000 {
			t.Errorf("exit %v after %d cycles", x, c.Cycles())
		}
	})
}
