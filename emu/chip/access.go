package chip

import (
	"fmt"
	"sort"
)

// Access describes the use of one register that the chip does not model. Such a
// register is storage: it reads as zero or as the value last written.
type Access struct {
	Addr  uint32
	Block string // name of the hardware block, empty where there is none

	// Reads and Writes are the accesses that were executed. A polling loop that
	// was fast-forwarded (rv32.SpinBus) counts the rounds that were executed.
	Reads  uint64
	Writes uint64

	// First use: program counter, time, and the value read or written.
	PC    uint32
	At    Time
	Value uint32
}

func (a Access) String() string {
	block := a.Block
	if block == "" {
		block = "no block"
	}
	return fmt.Sprintf("0x%08x (%s): %d reads, %d writes, first at pc 0x%08x, %ss, value 0x%08x",
		a.Addr, block, a.Reads, a.Writes, a.PC, a.At, a.Value)
}

// accesses counts unmodelled accesses, since power-on and of the current run.
// Firmware that waits for a bit of a register that is not modelled polls it
// millions of times a second, so that counting is three loads and an increment:
// the words of the address space are a table in three levels.
type accesses struct {
	table [1 << 10]*[1 << 10]*[1 << 10]*accessCount
	used  []*accessCount // in the order of first use
	run   []*accessCount // those used by the current run
	epoch uint64         // number of the current run
}

// accessCount counts the accesses to one word.
type accessCount struct {
	before Access // accesses of earlier runs; zero when there are none
	now    Access // accesses of the run numbered epoch
	epoch  uint64
}

// begin starts the counts of a run.
func (l *accesses) begin() {
	l.epoch++
	l.run = l.run[:0]
}

// count counts an access and returns its register's counts if they are already
// those of the current run, else nil: then first must be called.
func (l *accesses) count(addr uint32, write bool) *accessCount {
	middle := l.table[addr>>22]
	if middle == nil {
		return nil
	}
	page := middle[addr>>12&0x3ff]
	if page == nil {
		return nil
	}
	c := page[addr>>2&0x3ff]
	if c == nil || c.epoch != l.epoch {
		return nil
	}
	c.add(write)
	return c
}

func (c *accessCount) add(write bool) {
	if write {
		c.now.Writes++
	} else {
		c.now.Reads++
	}
}

// first counts the first access to a register in a run.
func (l *accesses) first(a Access, write bool) *accessCount {
	middle := l.table[a.Addr>>22]
	if middle == nil {
		middle = new([1 << 10]*[1 << 10]*accessCount)
		l.table[a.Addr>>22] = middle
	}
	page := middle[a.Addr>>12&0x3ff]
	if page == nil {
		page = new([1 << 10]*accessCount)
		middle[a.Addr>>12&0x3ff] = page
	}
	c := page[a.Addr>>2&0x3ff]
	if c == nil {
		c = &accessCount{}
		page[a.Addr>>2&0x3ff] = c
		l.used = append(l.used, c)
	}
	c.before, c.now, c.epoch = c.total(), a, l.epoch
	l.run = append(l.run, c)
	c.add(write)
	return c
}

// total returns the accesses since power-on, with their first use.
func (c *accessCount) total() Access {
	if c.before.Reads+c.before.Writes == 0 {
		return c.now
	}
	a := c.before
	a.Reads += c.now.Reads
	a.Writes += c.now.Writes
	return a
}

// list returns counts by address: of the current or last run, or of all.
func (l *accesses) list(run bool) []Access {
	from, get := l.used, (*accessCount).total
	if run {
		from, get = l.run, func(c *accessCount) Access { return c.now }
	}
	if len(from) == 0 { // boards of a group begin a run each microsecond
		return nil
	}
	out := make([]Access, 0, len(from))
	for _, c := range from {
		out = append(out, get(c))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Addr < out[j].Addr })
	return out
}
