package rv32

// A debug trigger or the PMP can refuse a load, store or fetch. While neither
// is configured, the engines do not check.

// guards are the necessary checks.
type guards struct {
	data    bool // triggers on loads or stores, monitored regions
	execute bool // triggers on instructions
	pmp     bool // an entry is enabled, or the mode is user
}

// pmpEntry is an enabled entry of the PMP.
type pmpEntry struct {
	region
	config uint32
}

// reguard derives the guards after a change of triggers, PMP or mode.
func (c *CPU) reguard() {
	kinds := c.watches()
	c.guard = guards{
		data:    kinds&(trigLoad|trigStore) != 0 || len(c.regions) > 0,
		execute: kinds&trigExecute != 0,
	}
	c.pmp = c.pmp[:0]
	for i := range pmpEntries {
		if r := c.csr.pmpRegion(i); r.size != 0 {
			c.pmp = append(c.pmp, pmpEntry{r, c.csr.pmpConfig(i)})
		}
	}
	c.guard.pmp = c.mode == User || len(c.pmp) > 0
}

// setMode changes the privilege mode.
func (c *CPU) setMode(m Mode) {
	if c.mode == m {
		return
	}
	c.mode = m
	c.reguard()
	c.reprotect()
}

// permitted checks a load or store of n bytes; c.fault is the cause of the
// exception when it is refused.
func (c *CPU) permitted(kind, addr, n uint32) bool {
	if c.guard.data && c.fires(kind, addr, n) {
		c.fault = CauseBreak
		return false
	}
	p := Read
	if kind == trigStore {
		p = Write
	}
	if c.guard.pmp && !c.allows(addr, n, p) {
		return false
	}
	if len(c.regions) > 0 {
		c.monitored(kind, addr, n)
	}
	return true
}

// fetch reads the instruction at pc. ok is false where code may not be fetched;
// at is then the address that faulted.
func (c *CPU) fetch(pc uint32) (word, at uint32, ok bool) {
	word, at, ok = c.mem.fetch(pc)
	if !ok || !c.guard.pmp {
		return word, at, ok
	}
	if !c.allows(pc, 2, Exec) {
		return 0, pc, false
	}
	if word&3 == 3 && !c.allows(pc+2, 2, Exec) {
		return 0, pc + 2, false
	}
	return word, pc, true
}

// cachesLoads reports whether loads from the page at addr need no check.
func (c *CPU) cachesLoads(addr uint32) bool {
	if c.guard.data && (c.watchesLoads(addr) || c.monitors(trigLoad, addr)) {
		return false
	}
	return !c.guard.pmp || c.allows(addr&^(PageSize-1), PageSize, Read)
}

// cachesStores reports whether stores to the page at addr need no check, but
// for the lines that it returns.
func (c *CPU) cachesStores(addr uint32) (watched uint64, ok bool) {
	if c.guard.data {
		watched = c.watchedLines(addr)
	}
	if c.monitors(trigStore, addr) {
		return 0, false
	}
	return watched, !c.guard.pmp || c.allows(addr&^(PageSize-1), PageSize, Write)
}
