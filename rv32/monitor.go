package rv32

// Monitors report what an instruction does and let it continue: the bus and stack
// monitors of the chip's ASSIST_DEBUG block are made of them. They are not part
// of the CPU's state; their owner sets them again after SetState.

// Region is a range of addresses of plain memory, From to To inclusive, whose
// loads or stores are reported.
type Region struct {
	From, To    uint32
	Load, Store bool
}

func (r Region) kinds() (k uint32) {
	if r.Load {
		k |= trigLoad
	}
	if r.Store {
		k |= trigStore
	}
	return k
}

// region returns the range as region; of size 0 where From is after To.
func (r Region) region() region {
	if r.To < r.From {
		return region{}
	}
	return region{r.From, uint64(r.To) - uint64(r.From) + 1}
}

// SetMonitors replaces the monitored regions. report is called with the index of
// a region before a load or store that touches it; it may raise an interrupt.
func (c *CPU) SetMonitors(regions []Region, report func(i int)) {
	c.regions, c.report = regions, report
	c.reguard()
	c.mem.flush()
	c.attn = true
}

// SetStackMonitor reports each instruction that moves x2 out of low to high
// inclusive, after it has retired; a nil report ends that. The reference engine
// runs meanwhile.
func (c *CPU) SetStackMonitor(low, high uint32, report func(pc, sp uint32)) {
	c.stackLow, c.stackHigh, c.stackReport = low, high, report
	c.attn = true
}

// monitored reports an access of n bytes at addr to the regions that it touches.
func (c *CPU) monitored(kind, addr, n uint32) {
	for i, r := range c.regions {
		if r.kinds()&kind != 0 && r.region().touches(addr, n) {
			c.report(i)
		}
	}
}

// monitors reports whether a region with one of the kinds touches the page at
// addr.
func (c *CPU) monitors(kind, addr uint32) bool {
	for _, r := range c.regions {
		if r.kinds()&kind != 0 && r.region().touches(addr&^(PageSize-1), PageSize) {
			return true
		}
	}
	return false
}

// stackMoved checks x2 after an instruction at pc that writes it.
func (c *CPU) stackMoved(in *Inst, pc uint32) {
	if in.Rd == 2 && (c.x[2] < c.stackLow || c.x[2] > c.stackHigh) {
		c.stackReport(pc, c.x[2])
	}
}
