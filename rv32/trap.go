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
	s := &c.csr
	s.Mepc, s.Mcause, s.Mtval = c.pc, cause, value
	st := s.Mstatus &^ (mstatusMIE | mstatusMPIE | mstatusMPP)
	if s.Mstatus&mstatusMIE != 0 {
		st |= mstatusMPIE
	}
	s.Mstatus = st | uint32(c.mode)<<11
	if s.Tcontrol != 0 {
		s.Tcontrol = s.Tcontrol & tcontrolMTE / tcontrolMTE * tcontrolMPTE // machine mode's triggers are off in a handler
	}
	c.setMode(Machine)
	pc := c.pc
	c.pc = vector
	if c.OnTrap != nil {
		c.OnTrap(Trap{Cause: cause, PC: pc, Value: value})
	}
}

func (c *CPU) mret() {
	c.traps.returned = true
	s := c.csr.Mstatus
	c.setMode(Mode(s >> 11 & 3))
	if t := c.csr.Tcontrol; t != 0 {
		c.csr.Tcontrol = t&tcontrolMPTE | t&tcontrolMPTE/tcontrolMPTE*tcontrolMTE
	}
	st := s&^(mstatusMIE|mstatusMPP) | mstatusMPIE
	if s&mstatusMPIE != 0 {
		st |= mstatusMIE
	}
	c.csr.Mstatus = st
	c.pc = c.csr.Mepc
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
