package c3

import "encoding/binary"

// device is a hardware block on the bus. Offsets are multiples of four and less
// than the block's size.
type device interface {
	// read returns a register's value, with the side effects of reading it.
	read(off uint32) uint32
	// write writes a register, with its side effects.
	write(off, v uint32)
	// reset sets the values after a reset of the block.
	reset()
	// store returns the plain storage of the registers.
	store() *block
}

// reg is one register: its offset in the block, its name in the TRM and its
// value after reset.
type reg struct {
	off   uint32
	name  string
	value uint32
}

// block is the storage of a hardware block: one word for every register, and a
// flag for each that is modelled. A device embeds it and overrides registers
// that are more than storage.
type block struct {
	name  string
	base  uint32
	words [1024]uint32
	kinds [1024]kind
	table []reg
	parts map[uint32]bitGroup // by offset: what is not modelled of registers that are
}

// bitGroup is bits of a register, and their value while what they control is off.
type bitGroup struct{ mask, off uint32 }

// kind has the properties of a register for the bus.
type kind uint8

const (
	// known: the register is modelled.
	known kind = 1 << iota
	// varies: reading it has a side effect, or its value changes with time
	// alone. Any other register only changes when software writes or a timer
	// fires.
	varies
	// clocked: it reads the latched count of a running counter. Loops that wait
	// on it can be fast-forwarded.
	clocked
	// latch: repeated writes have the effect of the last one: they latch a
	// counter. Such writes are not part of the trace hash.
	latch
	// polled: storage whose reads may be part of a loop that only waits, and of
	// whose writes only the last value counts.
	polled
	// partly: bits of the register are in parts.
	partly
)

func newBlock(name string, base uint32, table []reg) block {
	b := block{name: name, base: base, table: table}
	for _, r := range table {
		b.kinds[r.off>>2] |= known
	}
	b.reset()
	return b
}

// know marks the registers from first to last as modelled.
func (b *block) know(first, last uint32) {
	for off := first; off <= last; off += 4 {
		b.kinds[off>>2] |= known
	}
}

// unknow marks the registers at offs as not modelled.
func (b *block) unknow(offs ...uint32) {
	for _, off := range offs {
		b.kinds[off>>2] &^= known
	}
}

// unmodelled says that something is not modelled that bits of a modelled register
// turn on when they differ from their value in off.
func (b *block) unmodelled(at, mask, off uint32) {
	if b.parts == nil {
		b.parts = map[uint32]bitGroup{}
	}
	b.parts[at] = bitGroup{mask, off & mask}
	b.mark(partly, at)
}

// turnsOn reports whether a write of v to a register turns on something that is not
// modelled.
func (b *block) turnsOn(at, v uint32) bool {
	g := b.parts[at]
	return (v^g.off)&^(b.get(at)^g.off)&g.mask != 0
}

// mark adds properties of the registers at offs.
func (b *block) mark(k kind, offs ...uint32) {
	for _, off := range offs {
		b.kinds[off>>2] |= k
	}
}

func (b *block) read(off uint32) uint32 { return b.words[off>>2] }
func (b *block) write(off, v uint32)    { b.words[off>>2] = v }
func (b *block) store() *block          { return b }

func (b *block) reset() {
	b.words = [1024]uint32{}
	for _, r := range b.table {
		b.words[r.off>>2] = r.value
	}
}

// set stores v at off, for registers that hardware writes.
func (b *block) set(off, v uint32) { b.words[off>>2] = v }

// get returns the stored value at off without the side effects of a read.
func (b *block) get(off uint32) uint32 { return b.words[off>>2] }

// field returns bits hi:lo of v.
func field(v uint32, hi, lo uint) uint32 { return v >> lo & (1<<(hi-lo+1) - 1) }

// interrupts is the group of four registers in most blocks: RAW, ST (RAW and
// ENA), ENA and CLR (write one to clear, reads as zero: drivers clear by
// read-modify-write, which would otherwise clear events that have just been
// raised).
type interrupts struct {
	Raw, Ena uint32
	line     *line
}

func (i *interrupts) status() uint32 { return i.Raw & i.Ena }

func (i *interrupts) raise(bits uint32)  { i.Raw |= bits; i.update() }
func (i *interrupts) clear(bits uint32)  { i.Raw &^= bits; i.update() }
func (i *interrupts) enable(bits uint32) { i.Ena = bits; i.update() }

func (i *interrupts) update() { i.line.set(i.Raw&i.Ena != 0) }

func (i *interrupts) reset(raw uint32) { i.Raw, i.Ena = raw, 0; i.update() }

// bytes returns n bytes of the registers from off on, lowest byte of a word
// first. Both are multiples of four.
func (b *block) bytes(off, n uint32) []byte {
	p := make([]byte, 0, n)
	for at := off; at < off+n; at += 4 {
		p = binary.LittleEndian.AppendUint32(p, b.words[at>>2])
	}
	return p
}

// setBytes stores p in the registers from off on. Its length is a multiple of
// four.
func (b *block) setBytes(off uint32, p []byte) {
	for i := 0; i+4 <= len(p); i += 4 {
		b.words[off>>2+uint32(i/4)] = binary.LittleEndian.Uint32(p[i:])
	}
}
