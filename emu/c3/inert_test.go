package c3

import (
	"slices"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
)

// An inert block is memory: no interrupt, no side effect, and a loop that polls
// it takes guest time and not the host's.
func TestInert(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(shaBase+shaMode, 2)
	if err := c.board.Inert("SHA", "TIMG1.WDTFEED"); err != nil {
		t.Fatal(err)
	}
	c.w(shaBase+shaStart, 1)
	c.want(shaBase+shaMode, 2)
	c.want(shaBase+shaStart, 1) // reads as zero on the real block
	c.w(0x600c0014, 0)
	c.want(shaBase+shaMode, 2) // has no clock gate
	for _, name := range []string{"NONE", "SHA.NONE"} {
		if c.board.Inert(name) == nil {
			t.Errorf("there is no %s", name)
		}
	}
	used, err := c.board.Track()
	if err != nil {
		t.Fatal(err)
	}
	c.w(ledcBase, 1)
	c.r(rmtBase)
	if got := used(); !slices.Equal(got, []string{"LEDC", "RMT"}) {
		t.Errorf("used %v", got)
	}
}

// A watchdog whose feeding has no effect resets the chip.
func TestInertRegister(t *testing.T) {
	for _, broken := range []bool{false, true} {
		c := newTestChip(t, emu.Config{})
		if broken {
			if err := c.board.Inert("TIMG1.WDTFEED"); err != nil {
				t.Fatal(err)
			}
		}
		c.w(timg1+0x64, wdtKey)
		c.w(timg1+0x4c, 40_000<<16) // 0.5 ms
		c.w(timg1+0x50, 4)
		c.w(timg1+0x48, 1<<31|3<<29|1<<22)
		resets := 0
		for range 8 {
			c.w(timg1+0x60, 1)
			resets += len(c.board.Run(t.Context(), emu.Limit(time.Millisecond)).Resets)
		}
		if (resets > 0) != broken {
			t.Errorf("%d resets; feeding is broken: %v", resets, broken)
		}
	}
}

// Polling an inert register does not execute every round.
func TestInertPolling(t *testing.T) {
	cfg := emu.Config{ROM: program(func(a *asm) {
		quietWatchdogs(a)
		a.li(t0, shaBase)
		loop := a.pc()
		a.lw(t1, t0, shaBusy)
		a.branch(0, t1, zero, loop)
		a.halt()
	}).rom()}
	_, b, err := newBoard(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Run(t.Context(), emu.Limit(10*time.Microsecond))
	if err := b.Inert("all"); err != nil {
		t.Fatal(err)
	}
	c := b.CPU()
	before := c.Cycles()
	res := b.Run(t.Context(), emu.Limit(100*time.Second), emu.UntilReset())
	if res.Reason != emu.StopLimit || c.Cycles()-before < 1e9 {
		t.Errorf("stopped by %v after %d cycles", res.Reason, c.Cycles()-before)
	}
}
