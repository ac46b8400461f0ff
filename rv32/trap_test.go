package rv32

import "testing"

// Instructions that tests assemble by hand.
const (
	wNOP   = 0x00000013
	wECALL = 0x00000073
	wBREAK = 0x00100073
	wMRET  = 0x30200073
	wWFI   = 0x10500073
)

func addi(rd, rs1, imm uint32) uint32  { return iType(imm, rs1, 0, rd, 0x13) }
func lw(rd, rs1, imm uint32) uint32    { return iType(imm, rs1, 2, rd, 0x03) }
func sw(rs2, rs1, imm uint32) uint32   { return sType(imm, rs2, rs1, 2) }
func jalr(rd, rs1, imm uint32) uint32  { return iType(imm, rs1, 0, rd, 0x67) }
func csrrw(rd, csr, rs1 uint32) uint32 { return iType(csr, rs1, 1, rd, 0x73) }
func csrrs(rd, csr, rs1 uint32) uint32 { return iType(csr, rs1, 2, rd, 0x73) }
func csrsi(csr, imm uint32) uint32     { return iType(csr, imm, 6, 0, 0x73) }

// bothEngines runs a test for each engine.
func bothEngines(t *testing.T, f func(t *testing.T, e Engine)) {
	t.Run("reference", func(t *testing.T) { f(t, EngineReference) })
	t.Run("block", func(t *testing.T) { f(t, EngineBlock) })
}

// funcBus is a Bus of two functions.
type funcBus struct {
	load  func(addr uint32, size int) (uint32, bool)
	store func(addr uint32, size int, v uint32) bool
}

func (b *funcBus) Load(addr uint32, size int) (uint32, bool)  { return b.load(addr, size) }
func (b *funcBus) Store(addr uint32, size int, v uint32) bool { return b.store(addr, size, v) }

func TestExceptions(t *testing.T) {
	const rom = 0x30000000
	cases := []struct {
		name             string
		code             []uint32
		user             bool
		cause, epc, tval uint32
		cycles           uint64
	}{
		{"illegal", []uint32{wNOP, 0xffffffff}, false, CauseIllegal, 0x1004, 0xffffffff, 2},
		{"illegal compressed", []uint32{0x0000}, false, CauseIllegal, 0x1000, 0, 1},
		{"no atomics", []uint32{0x100522af}, false, CauseIllegal, 0x1000, 0x100522af, 1},
		{"no cycle csr", []uint32{csrrs(5, 0xc00, 0)}, false, CauseIllegal, 0x1000, csrrs(5, 0xc00, 0), 1},
		{"write to a read-only csr", []uint32{csrrw(0, 0xf14, 0)}, false, CauseIllegal, 0x1000, csrrw(0, 0xf14, 0), 1},
		{"machine csr in user mode", []uint32{csrrs(5, 0x300, 0)}, true, CauseIllegal, 0x1000, csrrs(5, 0x300, 0), 1},
		{"mret in user mode", []uint32{wMRET}, true, CauseIllegal, 0x1000, wMRET, 1},
		{"ebreak", []uint32{wBREAK}, false, CauseBreak, 0x1000, 0, 1},
		{"ecall", []uint32{wECALL}, false, CauseEcallM, 0x1000, 0, 1},
		{"ecall in user mode", []uint32{wECALL}, true, CauseEcallU, 0x1000, 0, 1},
		{"load from nothing", []uint32{lui(5, 0x70000000), lw(6, 5, 8)}, false, CauseLoad, 0x1004, 0x70000008, 2},
		{"store to nothing", []uint32{lui(5, 0x70000000), sw(6, 5, 8)}, false, CauseStore, 0x1004, 0x70000008, 2},
		{"store to read-only memory", []uint32{lui(5, rom), sw(6, 5, 0)}, false, CauseStore, 0x1004, rom, 2},
		{"misaligned on the bus", []uint32{lui(5, 0x60000000), lw(6, 5, 2)}, false, CauseLoad, 0x1004, 0x60000002, 2},
		{"misaligned into nothing", []uint32{lui(5, 0x11000), lw(6, 5, 0xffe)}, false, CauseLoad, 0x1004, 0x10ffe, 2},
		{"jump to nothing", []uint32{lui(5, 0x70000000), jalr(1, 5, 4)}, false, CauseFetch, 0x70000004, 0x70000004, 3},
		{"jump to data", []uint32{lui(5, 0x50000000), jalr(1, 5, 0)}, false, CauseFetch, 0x50000000, 0x50000000, 3},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			bothEngines(t, func(t *testing.T, e Engine) {
				bus := &funcBus{func(a uint32, n int) (uint32, bool) { return 0, a>>28 == 6 }, func(a uint32, n int, v uint32) bool { return a>>28 == 6 }}
				c := machine(t, e, bus, tt.code...)
				c.Memory().Map(rom, NewBank(PageSize), 0, PageSize, Read|Exec)
				c.Memory().Map(0x50000000, NewBank(PageSize), 0, PageSize, Read|Write)
				c.SetCSR(0x305, 0x2000)
				s := c.State()
				s.CSR.Mstatus = mstatusMIE
				if tt.user {
					s.Mode, s.CSR.Pmpaddr[0], s.CSR.Pmpcfg[0] = User, 0xffffffff, pmpNAPOT|7
				}
				c.SetState(s)
				var seen Trap
				c.OnTrap = func(tr Trap) { seen = tr; c.Yield() }
				if x := c.Run(100); x != ExitYield {
					t.Fatal(x)
				}
				if seen != (Trap{tt.cause, tt.epc, tt.tval}) || c.PC() != 0x2000 || c.Cycles() != tt.cycles || c.Mode() != Machine {
					t.Errorf("%+v at 0x%08x after %d cycles in mode %d", seen, c.PC(), c.Cycles(), c.Mode())
				}
				want := uint32(mstatusMPIE | mstatusMPP)
				if tt.user {
					want = mstatusMPIE
				}
				if s := c.State().CSR; s.Mstatus != want || s.Mcause != tt.cause || s.Mepc != tt.epc || s.Mtval != tt.tval {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestInterruptIsTakenBeforeTheNextInstruction(t *testing.T) {
	// each program raises line 5 or enables it in its last instruction but one;
	// the instruction after it must not execute
	cases := map[string]struct {
		code []uint32
		mie  bool
		epc  uint32
	}{
		"raised by a bus store": {[]uint32{lui(5, 0x60000000), sw(0, 5, 0), addi(7, 0, 1)}, true, 0x1008},
		"raised by a bus load":  {[]uint32{lui(5, 0x60000000), lw(6, 5, 0), addi(7, 0, 1)}, true, 0x1008},
		"enabled by csr":        {[]uint32{lui(5, 0x60000000), sw(0, 5, 0), addi(6, 0, 0), csrsi(0x300, 8), addi(7, 0, 1)}, false, 0x1010},
		"enabled by mret": {[]uint32{lui(5, 0x60000000), sw(0, 5, 0), lui(6, 0x1000), addi(6, 6, 0x1c), csrrw(0, 0x341, 6), wMRET,
			wNOP, addi(7, 0, 1)}, false, 0x101c},
		"wakes wfi": {[]uint32{lui(5, 0x60000000), sw(0, 5, 0), wWFI, csrsi(0x300, 8), addi(7, 0, 1)}, false, 0x1010},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			bothEngines(t, func(t *testing.T, e Engine) {
				var c *CPU
				c = machine(t, e, &funcBus{
					func(uint32, int) (uint32, bool) { c.SetIRQ(5); return 0, true },
					func(uint32, int, uint32) bool { c.SetIRQ(5); return true },
				}, tt.code...)
				c.SetCSR(0x305, 0x2000)
				status := uint32(mstatusMPIE | mstatusMPP)
				if tt.mie {
					status |= mstatusMIE
				}
				c.SetCSR(0x300, status)
				c.OnTrap = func(Trap) { c.Yield() }
				x := c.Run(100)
				if s := c.State(); x != ExitYield || s.CSR.Mcause != 0x80000005 || s.CSR.Mepc != tt.epc || s.PC != 0x2014 || s.X[7] != 0 ||
					s.Cycles != uint64(tt.epc-0x1000)/4-map[bool]uint64{true: 1}[name == "enabled by mret"] {
					t.Errorf("%v %+v", x, s)
				}
			})
		})
	}
}

func TestWFI(t *testing.T) {
	bothEngines(t, func(t *testing.T, e Engine) {
		c := machine(t, e, nil, wWFI, addi(7, 0, 1), wWFI)
		if x := c.Run(10); x != ExitWFI || c.Cycles() != 1 || !c.Waiting() {
			t.Fatal(x, c.Cycles())
		}
		if x := c.Run(10); x != ExitWFI || c.Cycles() != 1 {
			t.Fatal("again:", x, c.Cycles())
		}
		c.AdvanceTo(1000)
		before, _ := c.CSR(0x7e2)
		if before != 1 {
			t.Errorf("the performance counter went on while waiting: %d", before)
		}
		c.SetCSR(csrMpcmr, 0)
		c.SetCSR(csrMpccr, 77)
		c.AdvanceTo(1001)
		if v, _ := c.CSR(csrMpccr); v != 77 {
			t.Errorf("a stopped performance counter changed while waiting: %d", v)
		}
		c.SetCSR(csrMpcmr, 1)
		c.SetIRQ(3) // not enabled: continues without entering
		if x := c.Run(1002); x != ExitBudget || c.Reg(7) != 1 || c.PC() != 0x1008 {
			t.Error(x, c.Reg(7), c.PC())
		}
		s := c.State()
		s.Mode, s.CSR.Mstatus, s.IRQ = User, mstatusTW, 0
		s.CSR.Pmpaddr[0], s.CSR.Pmpcfg[0] = 0xffffffff, pmpNAPOT|7
		c.SetState(s)
		c.Run(1003)
		if v, _ := c.CSR(0x342); v != CauseIllegal {
			t.Errorf("wfi in user mode with TW: mcause %d", v)
		}
	})
}

func TestLimitAndYieldFromTheBus(t *testing.T) {
	bothEngines(t, func(t *testing.T, e Engine) {
		var c *CPU
		var at uint64
		c = machine(t, e, &funcBus{nil, func(addr uint32, _ int, _ uint32) bool {
			at = c.Cycles()
			if addr&4 == 0 {
				c.Limit(at + 3)
			} else {
				c.Yield()
			}
			return true
		}}, lui(5, 0x60000000), wNOP, sw(0, 5, 0), wNOP, wNOP, wNOP, sw(0, 5, 4), wNOP)
		if x := c.Run(100); x != ExitBudget || at != 2 || c.Cycles() != 5 {
			t.Error(x, at, c.Cycles())
		}
		if x := c.Run(100); x != ExitYield || at != 6 || c.Cycles() != 7 || c.PC() != 0x101c {
			t.Error(x, at, c.Cycles())
		}
	})
}

func TestBreakpoints(t *testing.T) {
	bothEngines(t, func(t *testing.T, e Engine) {
		// 1000: addi x5,x5,1; 1004: nop; 1008: j 1000
		c := machine(t, e, nil, addi(5, 5, 1), wNOP, jType(^uint32(7), 0))
		c.Run(30) // decoded before the breakpoint is set
		c.SetBreakpoint(0x1004, true)
		for i := range uint32(3) {
			if x := c.Run(1000); x != ExitBreak || c.PC() != 0x1004 || c.Reg(5) != 11+i {
				t.Fatal(x, c.PC(), c.Reg(5))
			}
		}
		if x := c.Step(); x != ExitBudget || c.PC() != 0x1008 {
			t.Error("step:", x, c.PC())
		}
		c.SetBreakpoint(0x1004, false)
		if x := c.Run(1000); x != ExitBudget || c.Cycles() != 1000 {
			t.Error(x, c.Cycles())
		}
		c = machine(t, e, nil, wNOP, wBREAK)
		c.StopOnEbreak = true
		for range 2 {
			if x := c.Run(100); x != ExitEbreak || c.PC() != 0x1004 || c.Cycles() != 1 {
				t.Error(x, c.PC(), c.Cycles())
			}
		}

		// OnEbreak first stops, then lets the instruction retire with another
		// a0, then traps.
		c = machine(t, e, nil, wNOP, wBREAK, wNOP, wBREAK)
		actions := []BreakAction{BreakStop, BreakRetire, BreakTrap}
		c.OnEbreak = func() BreakAction {
			a := actions[0]
			actions = actions[1:]
			c.SetReg(10, c.PC())
			return a
		}
		if x := c.Run(100); x != ExitEbreak || c.PC() != 0x1004 || c.Cycles() != 1 {
			t.Error(x, c.PC(), c.Cycles())
		}
		if x := c.Run(4); x != ExitBudget || c.Cycles() != 4 || c.Reg(10) != 0x100c || c.State().CSR.Mcause != CauseBreak {
			t.Error(x, c.PC(), c.Cycles(), c.Reg(10))
		}
	})
}

func TestCSRs(t *testing.T) {
	c := New(Config{})
	for _, tt := range []struct {
		n        uint16
		set, get uint32
	}{
		{0x305, 0x40380123, 0x40380101}, {0x301, 0, misaC3}, {0x300, 0xffffffff, 0x00201888}, {0x300, 0x1000, 0}, {0x300, 0x800, 0x1800},
		{0x341, 0x1003, 0x1002}, {0x342, 0xffffffff, 0x8000001f}, {0x340, 0xdeadbeef, 0xdeadbeef}, {0x000, 5, 5}, {0x7a1, 7, trigConst | 7}, {0x7a0, 9, 1}, {0x7a5, 0xffffffff, 0x88},
		{0x3a2, 9, 9}, {0x3bf, 10, 10}, {0x802, 77, 77}, {0x7e2, 78, 78},
	} {
		if ok := c.SetCSR(tt.n, tt.set); !ok {
			t.Errorf("csr %x: not writable", tt.n)
		}
		if v, ok := c.CSR(tt.n); !ok || v != tt.get {
			t.Errorf("csr %x: wrote %08x, read %08x, want %08x", tt.n, tt.set, v, tt.get)
		}
	}
	for n, want := range map[uint16]uint32{0xf11: 0x612, 0xf12: 0x80000001, 0xf13: 1, 0xf14: 0} {
		if v, ok := c.CSR(n); !ok || v != want {
			t.Errorf("csr %x: %x", n, v)
		}
		if c.SetCSR(n, 1) {
			t.Errorf("csr %x can be written", n)
		}
	}
	for _, n := range []uint16{0xb00, 0xc00, 0x180, 0x302, 0x806} {
		if _, ok := c.CSR(n); ok {
			t.Errorf("csr %x exists", n)
		}
	}
}
