package c3

import (
	"math/rand/v2"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
)

const intMatrixBase = 0x600c2000

func TestIntMatrixChoosesALine(t *testing.T) {
	type src struct {
		source, line, prio uint32
	}
	for _, k := range []struct {
		name      string
		sources   []src
		enable    uint32
		threshold uint32
		want      uint32
	}{
		{"none", nil, ^uint32(0), 0, 0},
		{"one", []src{{50, 3, 1}}, 1 << 3, 1, 3},
		{"disabled", []src{{50, 3, 1}}, 1 << 4, 1, 0},
		{"priority equal to the threshold passes", []src{{50, 3, 5}}, 1 << 3, 5, 3},
		{"below the threshold", []src{{50, 3, 4}}, 1 << 3, 5, 0},
		{"priority 0 never", []src{{50, 3, 0}}, 1 << 3, 0, 0},
		{"highest priority wins", []src{{50, 3, 4}, {51, 9, 6}}, 1<<3 | 1<<9, 1, 9},
		{"equal: lowest line", []src{{50, 17, 1}, {51, 2, 1}}, 1<<17 | 1<<2, 1, 2},
		{"line 0 is parking", []src{{50, 0, 7}}, 1, 0, 0},
		{"two sources, one line", []src{{50, 8, 2}, {51, 8, 2}}, 1 << 8, 1, 8},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newTestChip(t, emu.Config{})
			for _, s := range k.sources {
				c.w(intMatrixBase+4*s.source, s.line)
				c.w(intMatrixBase+0x114+4*s.line, s.prio)
				c.w(0x600c0028+4*(s.source-50), 1)
			}
			c.w(intMatrixBase+0x104, k.enable)
			c.w(intMatrixBase+0x194, k.threshold)
			if got := c.intc.best(); got != k.want {
				t.Errorf("line %d, want %d", got, k.want)
			}
			if got := uint32(c.m.CPU.State().IRQ); got != k.want {
				t.Errorf("the CPU was told %d", got)
			}
		})
	}
}

// The status words have the levels of the sources, regardless of enable,
// threshold and mapping; esp-hal depends on it to find handlers.
func TestRawStatusIsLive(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(0x600c0028, 1)
	c.want(intRaw1, 1<<(50-32))
	c.w(0x600c0028, 0)
	c.want(intRaw1, 0)
}

func TestEdgeLineLatches(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(intMatrixBase+4*50, 5)
	c.w(intMatrixBase+0x104, 1<<5)
	c.w(intMatrixBase+0x108, 1<<5)
	c.w(intMatrixBase+0x114+4*5, 1)
	c.w(0x600c0028, 1)
	c.w(0x600c0028, 0)
	if c.intc.best() != 5 {
		t.Fatal("the edge was not latched")
	}
	c.w(intMatrixBase+0x10c, 1<<5)
	if c.intc.best() != 0 {
		t.Fatal("the latch was not cleared")
	}
	c.w(0x600c0028, 1)
	c.w(intMatrixBase+0x10c, 1<<5)
	c.w(intMatrixBase+4*50, 5) // a write that changes nothing is not an edge
	if c.intc.best() != 0 {
		t.Fatal("a level that stays high was latched again")
	}
	// For a level line, clearing has no effect.
	c.w(intMatrixBase+0x108, 0)
	c.w(intMatrixBase+0x10c, 1<<5)
	if c.intc.best() != 5 {
		t.Fatal("clear acted on a level line")
	}
}

// The incremental updates agree with a direct implementation of the rule, for
// random writes.
func TestIntMatrixAgainstRule(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	rng := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		switch rng.IntN(6) {
		case 0:
			c.w(0x600c0028+4*rng.Uint32N(4), rng.Uint32N(2))
		case 1:
			c.w(intMatrixBase+4*(50+rng.Uint32N(4)), rng.Uint32N(8))
		case 2:
			c.w(intMatrixBase+0x114+4*rng.Uint32N(8), rng.Uint32N(4))
		case 3:
			c.w(intMatrixBase+0x194, rng.Uint32N(4))
		default:
			c.w(intMatrixBase+0x104, rng.Uint32N(256))
		}
		var want, prio uint32
		for line := uint32(7); line >= 1; line-- {
			level := false
			for s := uint32(0); s < 4; s++ {
				if c.r(0x600c0028+4*s) == 1 && c.r(intMatrixBase+4*(50+s)) == line {
					level = true
				}
			}
			p := c.r(intMatrixBase + 0x114 + 4*line)
			if level && c.r(intMatrixBase+0x104)>>line&1 == 1 && p > 0 && p >= c.r(intMatrixBase+0x194) && p >= prio {
				want, prio = line, p
			}
		}
		if got := uint32(c.m.CPU.State().IRQ); got != want {
			t.Fatalf("the CPU was told line %d, want %d", got, want)
		}
	}
}

// A handler must run before the next instruction after the write that raised
// the interrupt.
func TestInterruptIsTakenAtOnce(t *testing.T) {
	b := guest(t, emu.Config{}, func(a *asm) {
		a.j(a.base + 0x100) // vector 0 is at the base; line 1 at +4
		handler := func() {
			a.poke(0x600c0028, 0)
			a.print("!")
			a.mret()
		}
		handler()
		for a.pc() < a.base+0x100 {
			a.word(0x13)
		}
		a.li(t0, resetVector)
		a.csrw(0x305, t0)
		a.poke(intMatrixBase+4*50, 1)
		a.poke(intMatrixBase+0x118, 1)
		a.poke(intMatrixBase+0x104, 2)
		a.poke(intMatrixBase+0x194, 1)
		a.csrsi(0x300, 8)
		a.li(t2, 0x600c0028)
		a.li(a0, 1)
		a.li(a1, 0x60000000)
		a.li(a2, 'x')
		a.sw(a0, t2, 0) // raises
		a.sw(a2, a1, 0) // must come after the handler
		a.halt()
	})
	res := b.Run(t.Context(), emu.UntilText("!x"), emu.Limit(20*time.Millisecond))
	if res.Reason != emu.StopText {
		t.Errorf("stopped with %v", res.Reason)
	}
}
