package c3

import "espalier.dev/espalier/emu/chip"

// Peripheral address space, TRM 3.3.5.
const (
	periBase  = 0x60000000
	periEnd   = 0x600d1000
	periPages = (periEnd - periBase) >> 12
)

// page is 4 KiB of peripheral space: one block, or two that are divided at
// split.
type page struct {
	low, high device
	lowStore  *block
	highStore *block
	split     uint32
}

// bus dispatches accesses that are not to plain memory. Pages are found by
// index instead of a search: firmware that polls a timer register does little
// else.
type bus struct {
	soc   *soc
	pages [periPages]page
}

// attach puts a block at its base address; if two blocks share a page, they may
// be attached in any order.
func (b *bus) attach(d device) {
	base := d.store().base
	p := &b.pages[(base-periBase)>>12]
	if off := base & 0xfff; off != 0 {
		p.high, p.highStore, p.split = d, d.store(), off
		return
	}
	p.low, p.lowStore = d, d.store()
	if p.split == 0 {
		p.split = 0x1000
	}
}

// find returns the block at addr, its storage and the offset in it.
func (b *bus) find(addr uint32) (device, *block, uint32) {
	p := &b.pages[(addr-periBase)>>12]
	off := addr & 0xfff
	if off < p.split {
		return p.low, p.lowStore, off
	}
	return p.high, p.highStore, off - p.split
}

// Load implements rv32.Bus. A narrow load reads the register and returns a part
// of it.
func (b *bus) Load(addr uint32, size int) (uint32, bool) {
	if addr-periBase >= periEnd-periBase {
		return b.outside(addr, size, false, 0)
	}
	d, st, off := b.find(addr &^ 3)
	if b.soc.assist.pif != 0 {
		b.soc.assist.peripheral(addr, false)
	}
	if b.soc.sensitive.refuses && !b.soc.sensitive.peripheral(addr, size, false) {
		return 0, true
	}
	v := d.read(off)
	k := st.kinds[off>>2]
	switch { // polling what does not vary can be fast-forwarded
	case k&known == 0:
		b.soc.m.Unmodelled(st.name, addr&^3, false, v)
		b.soc.m.CPU.TimerRead()
	case k&(clocked|polled) != 0:
		b.soc.m.CPU.TimerRead()
	case k&varies == 0:
		b.soc.m.CPU.SteadyRead()
	}
	switch size {
	case 1:
		return v >> (addr & 3 * 8) & 0xff, true
	case 2:
		return v >> (addr & 2 * 8) & 0xffff, true
	}
	return v, true
}

// Store implements rv32.Bus. A narrow store is merged with the stored value of
// the register, without the side effects of reading it.
func (b *bus) Store(addr uint32, size int, v uint32) bool {
	if addr-periBase >= periEnd-periBase {
		_, ok := b.outside(addr, size, true, v)
		return ok
	}
	d, st, off := b.find(addr &^ 3)
	if b.soc.sensitive.refuses && !b.soc.sensitive.peripheral(addr, size, true) {
		return true
	}
	switch size {
	case 1:
		shift := addr & 3 * 8
		v = st.get(off)&^(0xff<<shift) | v&0xff<<shift
	case 2:
		shift := addr & 2 * 8
		v = st.get(off)&^(0xffff<<shift) | v&0xffff<<shift
	}
	k := st.kinds[off>>2]
	if k&known == 0 || k&partly != 0 && st.turnsOn(off, v) {
		b.soc.m.Unmodelled(st.name, addr&^3, true, v)
	}
	if k&latch == 0 {
		b.soc.m.NoteWrite(addr, v)
	}
	if b.soc.assist.pif != 0 {
		b.soc.assist.peripheral(addr, true)
	}
	d.write(off, v)
	return true
}

// outside is an access outside of peripherals: to memory that its page does not
// permit as a whole, or a fault. In a flash window the cache records it.
func (b *bus) outside(addr uint32, size int, store bool, v uint32) (uint32, bool) {
	if addr-iromBase < windowSize || addr-dromBase < windowSize {
		b.soc.extmem.fault(addr, store)
		return 0, false
	}
	return b.soc.sensitive.access(addr, size, store, v)
}

// FetchFault implements rv32.FetchBus.
func (b *bus) FetchFault(addr uint32) {
	if addr-iromBase < windowSize || addr-dromBase < windowSize {
		b.soc.extmem.fault(addr, false)
		return
	}
	b.soc.sensitive.fetch(addr)
}

// hole is peripheral space without a block. It behaves as storage and every
// access to it is recorded.
type hole struct{ block }

func (h *hole) state(s *chip.State) { s.Fixed(&h.words) }

// fillHoles attaches a hole to every empty page.
func (b *bus) fillHoles() (holes []device) {
	add := func(base uint32) *hole {
		h := &hole{newBlock("", base, nil)}
		holes = append(holes, h)
		return h
	}
	for i := range b.pages {
		p := &b.pages[i]
		base := periBase + uint32(i)<<12
		if p.low == nil {
			h := add(base)
			p.low, p.lowStore = h, &h.block
			if p.split == 0 {
				p.split = 0x1000
			}
		}
	}
	return holes
}
