package rv32

// Performance counters, TRM 1.4.3: one for machine mode (mpcer, mpcmr, mpccr),
// one for user mode (upcer, upcmr, upccr). The first register selects events,
// the second counts or stops. One instruction takes one cycle, so the events
// "cycle" and "instruction" are the same; while others are selected the
// reference engine runs.
const (
	eventCycle       = 1 << 0
	eventInstruction = 1 << 1
	eventLoad        = 1 << 5
	eventStore       = 1 << 6
	eventJump        = 1 << 7
	eventBranch      = 1 << 8
	eventTaken       = 1 << 9
	eventCompressed  = 1 << 10

	eventsAll   = 1<<11 - 1
	counterOn   = 1 << 0 // COUNT_EN
	counterStop = 1 << 1 // COUNT_SAT: stop at the largest value
)

// counterMode is the mode of a performance counter.
type counterMode uint8

const (
	countCycles counterMode = iota
	countNothing
	countEvents
)

// modeOf returns the mode of a counter. Without a selection, as at reset, it
// counts cycles.
func modeOf(events, mode uint32) counterMode {
	switch {
	case mode&counterOn == 0:
		return countNothing
	case events&eventsAll == 0 || events&(eventCycle|eventInstruction) != 0:
		return countCycles
	}
	return countEvents
}

// recount derives the modes of both counters without changing their values.
func (c *CPU) recount(change func()) {
	m, u := c.counter(csrMpccr), c.counter(csrUpccr)
	change()
	c.mcount, c.ucount = modeOf(c.csr.Mpcer, c.csr.Mpcmr), modeOf(c.csr.Upcer, c.csr.Upcmr)
	c.setCounter(csrMpccr, m)
	c.setCounter(csrUpccr, u)
	c.attn = true
}

func (c *CPU) counter(n uint16) uint32 {
	base, mode := c.csr.MpccrBase, c.mcount
	if n == csrUpccr {
		base, mode = c.csr.UpccrBase, c.ucount
	}
	if mode == countCycles {
		return base + uint32(c.cycles)
	}
	return base
}

func (c *CPU) setCounter(n uint16, v uint32) {
	base, mode := &c.csr.MpccrBase, c.mcount
	if n == csrUpccr {
		base, mode = &c.csr.UpccrBase, c.ucount
	}
	if mode == countCycles {
		v -= uint32(c.cycles)
	}
	*base = v
}

// counts reports whether a counter or the stack monitor needs to see every
// instruction.
func (c *CPU) counts() bool {
	return c.mcount == countEvents || c.ucount == countEvents || c.stackReport != nil
}

// count counts the events of a retired instruction of size bytes; next is the
// address after it.
func (c *CPU) count(in *Inst, size, next uint32) {
	events := uint32(0)
	switch op := in.Op; {
	case op == OpLB || op == OpLH || op == OpLW || op == OpLBU || op == OpLHU:
		events = eventLoad
	case op == OpSB || op == OpSH || op == OpSW:
		events = eventStore
	case op == OpJAL || op == OpJALR:
		events = eventJump
	case op >= OpBEQ && op <= OpBGEU:
		events = eventBranch
		if c.pc != next {
			events |= eventTaken
		}
	}
	if size == 2 {
		events |= eventCompressed
	}
	if c.mcount == countEvents && events&c.csr.Mpcer != 0 {
		c.csr.MpccrBase++
	}
	if c.ucount == countEvents && events&c.csr.Upcer != 0 {
		c.csr.UpccrBase++
	}
}
