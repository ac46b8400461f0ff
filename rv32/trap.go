package rv32

// Exception causes of the ESP32-C3. The chip handles misaligned data in
// hardware and masks bit 0 of a jump target, so causes 0, 4 and 6 do not exist.
const (
	CauseFetch   = 1
	CauseIllegal = 2
	CauseBreak   = 3
	CauseLoad    = 5
	CauseStore   = 7
	CauseEcallU  = 8
	CauseEcallM  = 11
	// CauseInterrupt is the bit added to the line number for an interrupt:
	// the matrix' 1-31, not the privileged specification's causes.
	CauseInterrupt = 1 << 31
)

// trapRegisters are the registers that exceptions and mret change.
type trapRegisters struct {
	Mode                                   Mode
	Mstatus, Mepc, Mcause, Mtval, Tcontrol uint32
}

func (c *CPU) trapRegisters() trapRegisters {
	s := &c.csr
	return trapRegisters{c.mode, s.Mstatus, s.Mepc, s.Mcause, s.Mtval, s.Tcontrol}
}

func (c *CPU) setTrapRegisters(t trapRegisters) {
	s := &c.csr
	s.Mstatus, s.Mepc, s.Mcause, s.Mtval, s.Tcontrol = t.Mstatus, t.Mepc, t.Mcause, t.Mtval, t.Tcontrol
	c.setMode(t.Mode)
}

// enter is the entry of an exception at pc.
func (t *trapRegisters) enter(pc, cause, value uint32) {
	st := t.Mstatus &^ (mstatusMIE | mstatusMPIE | mstatusMPP)
	if t.Mstatus&mstatusMIE != 0 {
		st |= mstatusMPIE
	}
	t.Mstatus = st | uint32(t.Mode)<<11
	t.Mepc, t.Mcause, t.Mtval, t.Mode = pc, cause, value, Machine
	t.Tcontrol = t.Tcontrol & tcontrolMTE / tcontrolMTE * tcontrolMPTE // machine mode's triggers are off in a handler
}

// mret returns the address that it jumps to.
func (t *trapRegisters) mret() uint32 {
	s := t.Mstatus
	t.Mode = Mode(s >> 11 & 3)
	t.Tcontrol = t.Tcontrol&tcontrolMPTE | t.Tcontrol&tcontrolMPTE/tcontrolMPTE*tcontrolMTE
	st := s&^(mstatusMIE|mstatusMPP) | mstatusMPIE
	if s&mstatusMPIE != 0 {
		st |= mstatusMIE
	}
	t.Mstatus = st
	return t.Mepc
}

// exception ends the instruction at c.pc with a trap, which takes the
// instruction's cycle.
func (c *CPU) exception(cause, value uint32) {
	if cause == CauseFetch && c.fetchBus != nil {
		c.fetchBus.FetchFault(value)
	}
	c.repeated(cause, value)
	c.enter(cause, value, c.csr.Mtvec&^3)
	c.cycles++
	c.trapped = true
}

// interrupt enters the handler of the presented line, in no time.
func (c *CPU) interrupt() {
	line := uint32(c.irq)
	c.traps.interrupts++
	c.enter(CauseInterrupt|line, 0, c.csr.Mtvec&^3+4*line)
}

func (c *CPU) interruptible() bool {
	return c.csr.Mstatus&mstatusMIE != 0 || c.mode == User
}

func (c *CPU) enter(cause, value, vector uint32) {
	if c.traced {
		c.hash = mix(c.hash, c.pc, cause^0x5a5a0000)
	}
	t := c.trapRegisters()
	t.enter(c.pc, cause, value)
	c.setTrapRegisters(t)
	pc := c.pc
	c.pc = vector
	if c.OnTrap != nil {
		c.OnTrap(Trap{Cause: cause, PC: pc, Value: value})
	}
}

func (c *CPU) mret() {
	c.traps.returned = true
	t := c.trapRegisters()
	c.pc = t.mret()
	c.setTrapRegisters(t)
	if c.irq != 0 {
		c.attn = true
	}
}

// system executes the instructions that may change the state of the CPU: c.pc
// is the instruction's address and next the one after it. It retires or traps;
// c.trapped tells which.
func (c *CPU) system(in Inst, next uint32) {
	switch in.Op {
	case OpCSRRW, OpCSRRS, OpCSRRC, OpCSRRWI, OpCSRRSI, OpCSRRCI:
		if !c.csrInst(in) {
			c.exception(CauseIllegal, in.Imm)
			return
		}
	case OpFENCEI:
		// stores already drop the code they overwrite
	case OpECALL:
		cause := uint32(CauseEcallM)
		if c.mode == User {
			cause = CauseEcallU
		}
		c.exception(cause, 0)
		return
	case OpEBREAK:
		action := BreakTrap
		if c.OnEbreak != nil {
			action = c.OnEbreak()
		}
		if action == BreakStop || action == BreakTrap && c.StopOnEbreak {
			c.exit, c.attn, c.trapped = ExitEbreak, true, true
			return
		}
		if action == BreakTrap {
			c.exception(CauseBreak, 0)
			return
		}
	case OpMRET:
		if c.mode != Machine {
			c.exception(CauseIllegal, in.Imm)
			return
		}
		c.mret()
		next = c.pc
	case OpWFI:
		if c.mode == User && c.csr.Mstatus&mstatusTW != 0 {
			c.exception(CauseIllegal, in.Imm)
			return
		}
		c.waiting, c.attn = true, true
	default: // OpIllegal
		c.exception(CauseIllegal, in.Imm)
		return
	}
	c.pc = next
	c.cycles++
}
