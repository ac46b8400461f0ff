package rv32

import "math/bits"

// Debug triggers, TRM 1.10 and RISC-V debug specification 0.13.2 section 5.2:
// eight match triggers that raise a breakpoint exception before an instruction
// is executed, or before a load or store.
const triggers = 8

// Bits of tdata1 (mcontrol). Type 2 and the largest NAPOT size are constants;
// dmode cannot be set from machine mode, so action 1 does not exist.
const (
	trigLoad    = 1 << 0
	trigStore   = 1 << 1
	trigExecute = 1 << 2
	trigUser    = 1 << 3
	trigMachine = 1 << 6
	trigNAPOT   = 1 << 7
	trigHit     = 1 << 20

	trigWritable = trigLoad | trigStore | trigExecute | trigUser | trigMachine | trigNAPOT | trigHit
	trigConst    = 2<<28 | 0x1f<<21

	tcontrolMTE      = 1 << 3
	tcontrolMPTE     = 1 << 7
	tcontrolWritable = tcontrolMTE | tcontrolMPTE
)

// region is a range of addresses: base to base+size-1.
type region struct {
	base uint32
	size uint64
}

// touches reports whether n bytes at addr have one in the region.
func (r region) touches(addr, n uint32) bool {
	return uint64(addr)+uint64(n) > uint64(r.base) && uint64(addr) < uint64(r.base)+r.size
}

// napot returns the naturally aligned range whose size is in the trailing ones
// of v.
func napot(v uint32) region {
	size := uint64(2) << bits.TrailingZeros32(^v)
	return region{base: uint32(uint64(v) &^ (size - 1)), size: size}
}

// trigger returns the range of trigger n and the kinds of accesses that it
// matches.
func (c *CPU) trigger(n int) (r region, kinds uint32) {
	kinds = c.csr.Tdata1[n]
	if kinds&(trigMachine|trigUser) == 0 {
		kinds = 0
	}
	if kinds&trigNAPOT != 0 {
		return napot(c.csr.Tdata2[n]), kinds
	}
	return region{base: c.csr.Tdata2[n], size: 1}, kinds
}

// watches returns the kinds that any trigger matches: trigLoad, trigStore,
// trigExecute.
func (c *CPU) watches() (kinds uint32) {
	for n := range triggers {
		_, k := c.trigger(n)
		kinds |= k
	}
	return kinds & (trigLoad | trigStore | trigExecute)
}

// fires reports whether a trigger of a kind fires for n bytes at addr, and
// marks the first one.
func (c *CPU) fires(kind, addr, n uint32) bool {
	i := c.firing(kind, addr, n, c.mode, c.csr.Tcontrol)
	if i < 0 {
		return false
	}
	c.csr.Tdata1[i] |= trigHit
	return true
}

// firing returns the number of the trigger that fires in a mode and with a value
// of tcontrol, -1 if none does.
func (c *CPU) firing(kind, addr, n uint32, mode Mode, tcontrol uint32) int {
	if mode == Machine && tcontrol&tcontrolMTE == 0 {
		return -1
	}
	in := uint32(trigMachine)
	if mode == User {
		in = trigUser
	}
	for i := range triggers {
		if r, k := c.trigger(i); k&kind != 0 && k&in != 0 && r.touches(addr, n) {
			return i
		}
	}
	return -1
}

// watchedLines returns the lines of the page at addr that a store trigger
// covers.
func (c *CPU) watchedLines(addr uint32) (lines uint64) {
	page := addr &^ (PageSize - 1)
	for i := range triggers {
		r, k := c.trigger(i)
		if k&trigStore == 0 || !r.touches(page, PageSize) {
			continue
		}
		first := max(page, r.base)
		last := min(uint64(page)+PageSize, uint64(r.base)+r.size)
		lines |= linesOf(first, uint32(last-uint64(first)))
	}
	return lines
}

// watchesLoads reports whether a load trigger covers a byte of the page at addr.
func (c *CPU) watchesLoads(addr uint32) bool {
	for i := range triggers {
		if r, k := c.trigger(i); k&trigLoad != 0 && r.touches(addr&^(PageSize-1), PageSize) {
			return true
		}
	}
	return false
}

// watchesCode reports whether an execute trigger, enabled or not, covers the
// instruction at pc.
func (c *CPU) watchesCode(pc uint32) bool {
	for i := range triggers {
		if r, k := c.trigger(i); k&trigExecute != 0 && r.touches(pc, 2) {
			return true
		}
	}
	return false
}

// triggerCSR reads tdata1 or tdata2 of the selected trigger.
func (c *CPU) triggerCSR(n uint16) uint32 {
	i := c.csr.Tselect % triggers
	if n == csrTdata1 {
		return trigConst | c.csr.Tdata1[i]
	}
	return c.csr.Tdata2[i]
}

func (c *CPU) setTriggerCSR(n uint16, v uint32) {
	i := int(c.csr.Tselect % triggers)
	p := &c.csr.Tdata2[i]
	if n == csrTdata1 {
		p, v = &c.csr.Tdata1[i], v&trigWritable
	}
	if *p == v {
		return
	}
	_, before := c.trigger(i)
	c.uncache(i)
	*p = v
	_, after := c.trigger(i)
	c.uncache(i)
	c.reguard()
	if (before|after)&trigExecute != 0 {
		c.mem.dropAll()
	}
}

// uncache removes the pages of trigger n from the look-aside tables.
func (c *CPU) uncache(n int) {
	r, k := c.trigger(n)
	if k&(trigLoad|trigStore) == 0 {
		return
	}
	const few = 4
	first, last := r.base&^(PageSize-1), uint64(r.base)+r.size
	if r.size > few*PageSize {
		c.mem.flush()
		return
	}
	for at := uint64(first); at < last && at < 1<<32; at += PageSize {
		c.mem.evictAll(uint32(at))
	}
}
