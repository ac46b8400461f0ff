package rv32

// Bus handles every data access that is not to plain memory with the needed
// permission: device registers, stores to ROM, unmapped addresses. Accesses are
// naturally aligned, size is 1, 2 or 4; a misaligned access faults before it
// gets here. During a call CPU.Cycles is the number of instructions retired
// before the accessing one, and CPU.PC its address.
type Bus interface {
	// Load returns the value, zero-extended. ok false is a load access fault
	// (cause 5).
	Load(addr uint32, size int) (v uint32, ok bool)
	// Store stores the low size bytes of v. ok false is a store access fault
	// (cause 7).
	Store(addr uint32, size int, v uint32) (ok bool)
}

// CSRBus is a Bus that also has control and status registers that are not part
// of this package, such as the GPIO ones at 803-805. ok false is an illegal
// instruction.
type CSRBus interface {
	LoadCSR(n uint16) (v uint32, ok bool)
	StoreCSR(n uint16, v uint32) (ok bool)
}

// FetchBus is a Bus that records where code could not be fetched, before the
// exception (cause 1).
type FetchBus interface {
	FetchFault(addr uint32)
}

// Engine is an execution engine.
type Engine uint8

// Both engines give the same results, to the cycle. EngineReference decodes
// every instruction each time and is the oracle of the other.
const (
	EngineBlock Engine = iota
	EngineReference
)

// Config configures a CPU.
type Config struct {
	Bus    Bus // nil: every access outside plain memory faults
	Engine Engine
	// NoSpin turns fast-forwarding of timer loops off; see SpinBus.
	NoSpin bool
}

// Exit is the reason for which Run returned.
type Exit uint8

// Reasons to return from Run and Step.
const (
	exitNone   Exit = iota
	ExitBudget      // Cycles has reached the given cycle, or the one given to Limit
	ExitWFI         // waiting for an interrupt; AdvanceTo the next event and run again
	ExitBreak       // at a breakpoint, not executed yet; the next Run passes it
	ExitEbreak      // at an ebreak, not executed, with StopOnEbreak set
	ExitYield       // requested by the Bus with Yield
	exitSwitch      // a performance counter needs the other engine
)

func (e Exit) String() string {
	return [...]string{"none", "budget", "wfi", "breakpoint", "ebreak", "yield"}[e]
}

// BreakAction is the result of OnEbreak.
type BreakAction uint8

// Effects of an ebreak.
const (
	BreakTrap   BreakAction = iota // a breakpoint exception, as without OnEbreak
	BreakRetire                    // it retires and does nothing else
	BreakStop                      // the run ends with ExitEbreak before it
)

// Trap is a trap taken: the new mcause, mepc and mtval.
type Trap struct{ Cause, PC, Value uint32 }

// Access is a data access as passed to Hooks.
type Access struct {
	Addr, Value uint32
	Size        int
	Store       bool
}

// Hooks observe execution. If any is set, the reference engine runs.
type Hooks struct {
	Before func(pc, word uint32) // before each instruction
	Access func(a Access)        // after each successful load or store, plain memory and Bus alike
}

// CPU is one hart. It is not safe for concurrent use.
type CPU struct {
	x      registers
	pc     uint32
	cycles uint64
	until  uint64 // Run returns at this cycle
	base   uint64 // block engine: cycles + the rest of its budget
	mem    Memory
	// attn makes both engines consult boundary before the next instruction.
	attn    bool
	waiting bool
	irq     uint8
	mode    Mode
	yield   bool
	traced  bool
	csr     CSRs
	hash    uint64
	trapped bool // the instruction just executed trapped
	guard   guards
	pmp     []pmpEntry // in the order of their numbers
	regions []Region
	report  func(i int)
	// the stack monitor; nil: none
	stackReport         func(pc, sp uint32)
	stackLow, stackHigh uint32
	fault               uint32 // cause of a load or store that was refused
	mcount              counterMode
	ucount              counterMode
	counting            bool // the running engine counts events

	bus      Bus
	csrBus   CSRBus
	fetchBus FetchBus
	spinBus  SpinBus
	engine   Engine
	slab     slab
	spin     spinState
	noSpin   bool
	traps    trapState

	breaks   map[uint32]bool
	passed   uint64 // cycle and address of a reported breakpoint that may be passed
	passedPC uint32
	hasBreak bool
	exit     Exit // pending exit found inside an instruction

	// StopOnEbreak makes ebreak end the run instead of trapping, for a
	// debugger's software breakpoints.
	StopOnEbreak bool
	// OnEbreak, when not nil, is called at each ebreak before StopOnEbreak is
	// considered, with PC at the instruction, and determines its effect. It may
	// change registers and memory: semihosting is implemented with it.
	OnEbreak func() BreakAction
	// OnTrap is called after each trap and interrupt entry.
	OnTrap func(Trap)
	// OnTrapLoop is called when an exception repeats without an end: only an event
	// at or after the cycle that was passed to Run can end it. The rounds up to there
	// are skipped afterwards, unless it calls Yield. It is called again for each call
	// of Run.
	OnTrapLoop func(TrapLoop)
	// Hooks, when not nil, observe execution.
	Hooks *Hooks
}

// New returns a CPU with no memory mapped, in reset at address 0.
func New(cfg Config) *CPU {
	c := &CPU{bus: cfg.Bus, engine: cfg.Engine, noSpin: cfg.NoSpin, breaks: map[uint32]bool{}}
	if c.bus == nil {
		c.bus = nothing{}
	}
	c.csrBus, _ = cfg.Bus.(CSRBus)
	c.fetchBus, _ = cfg.Bus.(FetchBus)
	c.spinBus, _ = cfg.Bus.(SpinBus)
	c.mem.init(&c.attn)
	c.Reset(0)
	return c
}

type nothing struct{}

func (nothing) Load(uint32, int) (uint32, bool) { return 0, false }
func (nothing) Store(uint32, int, uint32) bool  { return false }

// Reset sets registers and CSRs to their reset values and the program counter
// to pc. Time, memory, breakpoints and the trace hash are kept.
func (c *CPU) Reset(pc uint32) {
	c.SetState(State{PC: pc, Cycles: c.cycles, Mode: Machine, Hash: c.hash, CSR: resetCSRs(c.cycles)})
	c.yield, c.hasBreak, c.exit = false, false, exitNone
}

// Memory is the CPU's address space.
func (c *CPU) Memory() *Memory { return &c.mem }

// Cycles is the current time: instructions retired or trapped, plus cycles
// skipped by AdvanceTo. One instruction takes one cycle.
func (c *CPU) Cycles() uint64 { return c.cycles }

// PC is the address of the next instruction; during a Bus call, of the
// accessing one.
func (c *CPU) PC() uint32 { return c.pc }

// SetPC sets the program counter, between runs only.
func (c *CPU) SetPC(pc uint32) { c.pc = pc &^ 1 }

// Reg returns register i of 0-31.
func (c *CPU) Reg(i int) uint32 { return c.x[i&31] }

// SetReg sets register i of 1-31; x0 stays zero. Between runs only.
func (c *CPU) SetReg(i int, v uint32) {
	if i &= 31; i != 0 {
		c.x[i] = v
	}
}

// Mode is the privilege mode.
func (c *CPU) Mode() Mode { return c.mode }

// Waiting reports whether the CPU is in wfi.
func (c *CPU) Waiting() bool { return c.waiting }

// SetIRQ presents line 1-31 as the interrupt matrix does, already filtered by
// enable, priority and threshold; 0 presents none. It is a level: the interrupt
// is taken before the next instruction for which interrupts are enabled, and
// the line stays until changed. Call it from the Bus or between runs.
func (c *CPU) SetIRQ(line uint8) {
	if line &= 31; c.irq != line {
		c.irq = line
		c.attn = true
	}
}

// IRQ is the line presented.
func (c *CPU) IRQ() uint8 { return c.irq }

// Limit makes the current run end at cycle if that is before its end. A Bus
// calls it when an access has created an event, such as an armed timer.
func (c *CPU) Limit(cycle uint64) {
	if cycle < c.until {
		c.until = cycle
		c.attn = true
	}
}

// Yield makes Run return ExitYield before the next instruction.
func (c *CPU) Yield() { c.yield, c.attn = true, true }

// AdvanceTo advances time without instructions, to an event while waiting. The
// performance counters stop meanwhile, as on the chip in wfi. It does nothing
// if the cycle is in the past.
func (c *CPU) AdvanceTo(cycle uint64) {
	if cycle > c.cycles {
		m, u := c.counter(csrMpccr), c.counter(csrUpccr)
		c.cycles = cycle
		c.setCounter(csrMpccr, m)
		c.setCounter(csrUpccr, u)
		c.hasBreak = false
	}
}

// SetBreakpoint sets or clears a breakpoint: Run returns ExitBreak before the
// instruction at pc.
func (c *CPU) SetBreakpoint(pc uint32, on bool) {
	if pc &^= 1; on == c.breaks[pc] {
		return
	}
	if on {
		c.breaks[pc] = true
	} else {
		delete(c.breaks, pc)
	}
	c.mem.dropAll()
}

// Trace turns the hash of retired instructions on or off; turning it on starts
// it from zero. It is equal in both engines and costs nothing when off.
func (c *CPU) Trace(on bool) {
	if on {
		c.hash = 0
	}
	if on != c.traced {
		c.traced = on
		c.mem.dropAll() // traced blocks are not fused
	}
}

// TraceHash is a hash over program counter and destination register of every
// instruction retired and cause and program counter of every trap taken since
// tracing was turned on.
func (c *CPU) TraceHash() uint64 { return c.hash }

func mix(h uint64, a, b uint32) uint64 {
	h = (h ^ (uint64(a)<<32 | uint64(b))) * 0x9e3779b97f4a7c15
	return h ^ h>>32
}

// Run executes until Cycles reaches until or something else ends it. It always
// ends between instructions.
func (c *CPU) Run(until uint64) Exit {
	c.until = until
	c.attn = true
	for {
		exit := exitNone
		c.counting = c.counts()
		if c.engine == EngineReference || c.Hooks != nil || c.counting {
			exit = c.runReference()
		} else {
			exit = c.runBlocks()
		}
		if exit != exitSwitch {
			return exit
		}
	}
}

// Step takes the pending interrupt, in no time, or else executes one
// instruction. It ignores a breakpoint at the instruction.
func (c *CPU) Step() Exit {
	c.until, c.counting = c.cycles+1, c.counts()
	c.hasBreak, c.passed, c.passedPC = true, c.cycles, c.pc
	pc, at := c.pc, c.cycles
	if e := c.boundary(); e != exitNone {
		return e
	}
	if pc == c.pc && at == c.cycles {
		c.step()
	}
	if e := c.boundary(); e != exitNone {
		return e
	}
	return ExitBudget
}

// boundary handles what is due before the next instruction: the end of the run,
// fast-forwarding, an interrupt, or nothing. Engines call it when attn is set.
func (c *CPU) boundary() Exit {
	for {
		c.attn = false
		if e := c.exit; e != exitNone {
			c.exit = exitNone
			return e
		}
		if c.yield {
			c.yield = false
			return ExitYield
		}
		if c.spin.armed {
			c.spin.armed = false
			c.fastForward()
		}
		if c.traps.armed {
			c.traps.armed = false
			c.skipTrapLoop()
			continue // the round may have ended in anything
		}
		if c.cycles >= c.until {
			return ExitBudget
		}
		if c.counting != c.counts() {
			c.attn = true
			return exitSwitch
		}
		if c.waiting {
			if c.irq == 0 {
				return ExitWFI
			}
			c.waiting = false
		}
		if c.irq == 0 || !c.interruptible() {
			return exitNone
		}
		c.interrupt()
		if !c.attn {
			return exitNone
		}
	}
}

// breakHere reports whether to stop at a breakpoint at pc; it reports each pass
// only once.
func (c *CPU) breakHere() bool {
	if !c.breaks[c.pc] || c.hasBreak && c.passed == c.cycles && c.passedPC == c.pc {
		return false
	}
	c.hasBreak, c.passed, c.passedPC = true, c.cycles, c.pc
	return true
}
