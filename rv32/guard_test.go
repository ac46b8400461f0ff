package rv32

import "testing"

// guarded returns a CPU with a handler at 0x2000 that counts in t6 and the code
// at 0x1000.
func guarded(t *testing.T, e Engine, code ...uint32) *CPU {
	c := machine(t, e, nil, code...)
	c.SetCSR(0x305, 0x2000)
	return c
}

// A watchpoint traps before the store and marks the trigger; other stores and
// loads do not trap; machine mode needs tcontrol.mte, which is off in the
// handler and on again after mret.
func TestWatchpoint(t *testing.T) {
	sw := func(rs2, rs1, off uint32) uint32 { return off>>5<<25 | rs2<<20 | rs1<<15 | 2<<12 | off&31<<7 | 0x23 }
	bothEngines(t, func(t *testing.T, e Engine) {
		const at = 0x3000
		c := guarded(t, e, lui(5, at), lw(6, 5, 0x40), sw(6, 5, 0x3c), sw(6, 5, 0x44), sw(6, 5, 0x40), wNOP)
		c.SetCSR(0x7a0, 2)
		c.SetCSR(csrTdata1, trigMachine|trigStore|trigNAPOT)
		c.SetCSR(csrTdata2, (at+0x40)|1) // four bytes
		var seen []Trap
		c.OnTrap = func(tr Trap) { seen = append(seen, tr); c.Yield() }
		if c.Run(6); len(seen) != 0 {
			t.Fatalf("fires without mte: %v", seen)
		}
		c.SetPC(0x1000)
		c.SetCSR(csrTcontrol, tcontrolMTE)
		c.Run(20)
		if len(seen) != 1 || seen[0] != (Trap{CauseBreak, 0x1010, at + 0x40}) {
			t.Fatalf("traps %v", seen)
		}
		if v, _ := c.CSR(csrTdata1); v&trigHit == 0 {
			t.Errorf("tdata1 is 0x%08x", v)
		}
		if v, _ := c.CSR(csrTcontrol); v != tcontrolMPTE {
			t.Errorf("tcontrol is 0x%x in the handler", v)
		}
		c.mret()
		if v, _ := c.CSR(csrTcontrol); v != tcontrolMPTE|tcontrolMTE {
			t.Errorf("tcontrol is 0x%x after mret", v)
		}
	})
}

// A breakpoint traps at its instruction, in the middle of a block that has been
// executed before.
func TestExecuteTrigger(t *testing.T) {
	bothEngines(t, func(t *testing.T, e Engine) {
		c := guarded(t, e, wNOP, wNOP, wNOP, wNOP, 0xff1ff06f) // jal x0, -16
		c.Run(50)
		c.SetCSR(csrTdata2, 0x1008)
		c.SetCSR(csrTdata1, trigMachine|trigExecute)
		c.SetCSR(csrTcontrol, tcontrolMTE)
		var seen Trap
		c.OnTrap = func(tr Trap) { seen = tr; c.Yield() }
		if x := c.Run(100); x != ExitYield || seen != (Trap{CauseBreak, 0x1008, 0x1008}) {
			t.Errorf("%v, %v", x, seen)
		}
	})
}

// Locked entries apply to machine mode and cannot be changed; the first entry
// that matches decides, and must contain the whole access.
func TestPMP(t *testing.T) {
	bothEngines(t, func(t *testing.T, e Engine) {
		c := guarded(t, e, lw(6, 5, 0), wNOP)
		c.SetCSR(csrPmpaddr0, 0x3000>>2)
		c.SetCSR(csrPmpaddr0+1, 0x3008>>2)
		c.SetCSR(csrPmpcfg0, (pmpLocked|pmpTOR)<<8)                       // 0x3000-0x3007: nothing
		c.SetCSR(csrPmpaddr0+2, 0x3000>>2|0x1ff)                          // 4 KiB at 0x3000
		c.SetCSR(csrPmpcfg0, (pmpNAPOT|uint32(Read))<<16|pmpLocked<<16|7) // reading
		c.SetCSR(csrPmpaddr0, 0)
		if v, _ := c.CSR(csrPmpaddr0); v != 0x3000>>2 {
			t.Errorf("the lower bound of a locked entry is 0x%x", v)
		}
		for _, k := range []struct {
			addr  uint32
			cause uint32
		}{{0x3000, CauseLoad}, {0x3004, CauseLoad}, {0x3008, 0}, {0x3006, CauseLoad}, {0x2ffe, CauseLoad}, {0x3ffc, 0}, {0x2000, 0}} {
			c.SetPC(0x1000)
			c.SetReg(5, k.addr)
			got := uint32(0)
			c.OnTrap = func(tr Trap) { got = tr.Cause; c.Yield() }
			c.Run(c.Cycles() + 1)
			if got != k.cause {
				t.Errorf("load from 0x%x: cause %d, want %d", k.addr, got, k.cause)
			}
		}
		if !c.allows(0x3100, 4, Read) || c.allows(0x3100, 4, Write) || !c.allows(0x4000, 4, Write) {
			t.Error("machine mode has other rights than those of locked entries")
		}
		c.setMode(User)
		if c.allows(0x4000, 4, Read) || !c.allows(0x3100, 4, Read) {
			t.Error("user mode has other rights than those of the entries")
		}
	})
}

// A counter counts the selected events, and stops.
func TestPerformanceEvents(t *testing.T) {
	bothEngines(t, func(t *testing.T, e Engine) {
		// one iteration: load, not taken branch, compressed pair, jump back
		code := []uint32{lw(6, 5, 0), 0x00001463, 0x00010001, 0xff5ff06f} // lw; bne x0,x0; c.nop c.nop; jal -12
		for _, k := range []struct{ events, want uint32 }{
			{eventLoad, 10}, {eventJump, 10}, {eventBranch, 10}, {eventTaken, 0}, {eventCompressed, 20}, {eventLoad | eventJump, 20}, {eventCycle, 50},
			{eventStore, 0},
		} {
			c := guarded(t, e, code...)
			c.SetReg(5, 0x3000)
			c.SetCSR(csrMpcer, k.events)
			c.SetCSR(csrMpccr, 0)
			c.Run(50)
			if v, _ := c.CSR(csrMpccr); v != k.want {
				t.Errorf("events 0x%x: %d, want %d", k.events, v, k.want)
			}
			c.SetCSR(csrMpcmr, 0)
			c.Run(100)
			if v, _ := c.CSR(csrMpccr); v != k.want {
				t.Errorf("events 0x%x: a stopped counter went on to %d", k.events, v)
			}
		}
	})
}

// Monitors report and let the instruction execute, alike in both engines.
func TestMonitors(t *testing.T) {
	sw := func(rs2, rs1, off uint32) uint32 { return off>>5<<25 | rs2<<20 | rs1<<15 | 2<<12 | off&31<<7 | 0x23 }
	bothEngines(t, func(t *testing.T, e Engine) {
		// a round: load, store to the region, store beside it, sp down and up
		c := guarded(t, e, lw(6, 5, 0x40), sw(6, 5, 0x44), sw(6, 5, 0x48), addi(2, 2, 0xff0), addi(2, 2, 0x10), 0xfedff06f)
		c.SetReg(5, 0x3000)
		c.SetReg(2, 0x4000)
		c.Run(60)
		var seen []int
		c.SetMonitors([]Region{{From: 0x3040, To: 0x3047, Store: true}, {From: 0x3040, To: 0x3043, Load: true}}, func(i int) { seen = append(seen, i) })
		c.Run(120)
		if len(seen) != 20 || seen[0] != 1 || seen[1] != 0 {
			t.Errorf("%d reports: %v", len(seen), seen)
		}
		low := 0
		c.SetStackMonitor(0x3ff8, 0x4000, func(pc, sp uint32) {
			if low++; pc != 0x100c || sp != 0x3ff0 {
				t.Errorf("pc 0x%x, sp 0x%x", pc, sp)
			}
		})
		c.Run(180)
		if low != 10 {
			t.Errorf("%d reports of the stack pointer", low)
		}
		c.SetStackMonitor(0, 0, nil)
		c.SetMonitors(nil, nil)
		c.Run(240)
		if low != 10 || len(seen) != 40 {
			t.Errorf("monitors that are off report: %d, %d", low, len(seen))
		}
	})
}
