package rv32

const misaC3 = 0x40101104

func resetCSRs(now uint64) CSRs {
	// MPP 3 and an enabled performance counter, as start-up code finds them
	return CSRs{Mtvec: 1, Mpcmr: 1, Upcmr: 1, MpccrBase: -uint32(now), UpccrBase: -uint32(now)}
}

const csrMstatus = 0x300

// quickCount executes a read of a cycle counter in machine mode, as in loops
// that wait for microseconds. It does nothing and returns false for any other
// instruction.
func (c *CPU) quickCount(w uint64) bool {
	if Op(w) != OpCSRRS || uint8(w>>16) != 0 || c.mode != Machine {
		return false
	}
	base, mode := c.csr.MpccrBase, c.mcount
	switch w >> 52 {
	case csrMpccr:
	case csrUpccr:
		base, mode = c.csr.UpccrBase, c.ucount
	default:
		return false
	}
	if mode != countCycles {
		return false
	}
	c.TimerRead()
	c.x[uint8(w>>8)] = base + uint32(c.cycles)
	return true
}

// quickMstatus executes an instruction on mstatus in machine mode, as in
// critical sections. It does nothing and returns false for any other
// instruction. No interrupt line is presented, so enabling interrupts has no
// effect now.
func (c *CPU) quickMstatus(w uint64) bool {
	if op := Op(w); op < OpCSRRW || op > OpCSRRCI || w>>52 != csrMstatus || c.mode != Machine {
		return false
	}
	old, v := c.csr.Mstatus, c.x[uint8(w>>16)]
	switch Op(w) {
	case OpCSRRS:
		v |= old
	case OpCSRRC:
		v = old &^ v
	case OpCSRRWI:
		v = uint32(uint8(w >> 16))
	case OpCSRRSI:
		v = old | uint32(uint8(w>>16))
	case OpCSRRCI:
		v = old &^ uint32(uint8(w>>16))
	}
	c.csr.Mstatus = old&^mstatusWritable | pairMPP(v)&mstatusWritable
	c.x[uint8(w>>8)] = old
	return true
}

// pairMPP: MPP has one writable bit, the lower one; the upper one has the same
// value.
func pairMPP(v uint32) uint32 { return v&^mstatusMPP | (v>>11&1)*mstatusMPP }

// csrInst executes a Zicsr instruction; false is an illegal instruction.
func (c *CPU) csrInst(in Inst) bool {
	n := uint16(in.Imm >> 20)
	if Mode(n>>8&3) > c.mode {
		return false
	}
	operand, write := c.x[in.Rs1], true
	if in.Op >= OpCSRRWI {
		operand = uint32(in.Rs1)
	}
	var old uint32
	if set := in.Op != OpCSRRW && in.Op != OpCSRRWI; set || in.Rd != SinkReg {
		v, ok := c.CSR(n)
		if !ok {
			return false
		}
		old = v
		write = !set || in.Rs1 != 0
	}
	if write {
		v := operand
		switch in.Op {
		case OpCSRRS, OpCSRRSI:
			v = old | operand
		case OpCSRRC, OpCSRRCI:
			v = old &^ operand
		}
		if !c.SetCSR(n, v) {
			return false
		}
	}
	if n == csrMpccr || n == csrUpccr {
		c.TimerRead()
	}
	c.x[in.Rd] = old
	return true
}

const (
	csrPmpcfg0  = 0x3a0
	csrPmpaddr0 = 0x3b0
	csrTdata1   = 0x7a1
	csrTdata2   = 0x7a2
	csrTcontrol = 0x7a5
	csrMpcer    = 0x7e0
	csrMpcmr    = 0x7e1
	csrMpccr    = 0x7e2
	csrUpcer    = 0x800
	csrUpcmr    = 0x801
	csrUpccr    = 0x802
)

// csrWord returns the storage of a CSR, and its writable bits.
func (c *CPU) csrWord(n uint16) (*uint32, uint32) {
	s := &c.csr
	const all = 0xffffffff
	switch {
	case n >= csrPmpcfg0 && n < csrPmpcfg0+pmpEntries/4:
		return &s.Pmpcfg[n-csrPmpcfg0], all
	case n >= csrPmpaddr0 && n < csrPmpaddr0+pmpEntries:
		return &s.Pmpaddr[n-csrPmpaddr0], all
	}
	switch n {
	case 0x000:
		return &s.Ustatus, all
	case csrMstatus:
		return &s.Mstatus, mstatusWritable
	case 0x304:
		return &s.Mie, all
	case 0x305:
		return &s.Mtvec, all &^ 0xff // section 1.4.2: base aligned to 256 bytes, mode 1 only
	case 0x340:
		return &s.Mscratch, all
	case 0x341:
		return &s.Mepc, all &^ 1
	case 0x342:
		return &s.Mcause, CauseInterrupt | 31
	case 0x343:
		return &s.Mtval, all
	case 0x344:
		return &s.Mip, all
	case 0x7a0:
		return &s.Tselect, triggers - 1
	case csrTcontrol:
		return &s.Tcontrol, tcontrolWritable
	case csrMpcer:
		return &s.Mpcer, eventsAll
	case csrMpcmr:
		return &s.Mpcmr, counterOn | counterStop
	case csrUpcer:
		return &s.Upcer, eventsAll
	case csrUpcmr:
		return &s.Upcmr, counterOn | counterStop
	}
	return nil, 0
}

// CSR reads a control and status register as in machine mode. ok is false for
// one that the chip does not have.
func (c *CPU) CSR(n uint16) (v uint32, ok bool) {
	switch n {
	case 0x301:
		return misaC3, true
	case 0xf11:
		return 0x612, true
	case 0xf12:
		return 0x80000001, true
	case 0xf13:
		return 1, true
	case 0xf14:
		return 0, true
	case csrMpccr, csrUpccr:
		return c.counter(n), true
	case csrTdata1, csrTdata2:
		return c.triggerCSR(n), true
	}
	if p, _ := c.csrWord(n); p != nil {
		return *p, true
	}
	if c.csrBus != nil {
		return c.csrBus.LoadCSR(n)
	}
	return 0, false
}

// SetCSR writes a control and status register as in machine mode; hard-wired
// bits keep their value. ok is false for one that cannot be written.
func (c *CPU) SetCSR(n uint16, v uint32) (ok bool) {
	if n>>10 == 3 {
		return false
	}
	switch n {
	case csrMstatus:
		v = pairMPP(v)
		if c.irq != 0 {
			c.attn = true
		}
	case 0x301:
		return true
	case csrMpccr, csrUpccr:
		c.setCounter(n, v)
		return true
	case csrMpcer, csrMpcmr, csrUpcer, csrUpcmr:
		p, mask := c.csrWord(n)
		c.recount(func() { *p = v & mask })
		return true
	case csrTdata1, csrTdata2:
		c.setTriggerCSR(n, v)
		return true
	}
	if n >= csrPmpcfg0 && n < csrPmpcfg0+pmpEntries/4 || n >= csrPmpaddr0 && n < csrPmpaddr0+pmpEntries {
		c.setPMP(n, v)
		return true
	}
	if p, mask := c.csrWord(n); p != nil {
		*p = *p&^mask | v&mask
		return true
	}
	if c.csrBus != nil {
		return c.csrBus.StoreCSR(n, v)
	}
	return false
}
