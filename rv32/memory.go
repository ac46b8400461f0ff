package rv32

import (
	"fmt"
	"slices"
)

// Granularity of mappings and of decoded-code tracking.
const (
	PageSize  = 4096
	pageShift = 12
	lineShift = 6 // stores into a page with code and stores into code are distinguished by lines of 64 bytes
)

type page = [PageSize]byte

// Bank is a range of memory that exists once and can be mapped several times:
// the SRAM on the instruction and the data bus is one Bank mapped twice. It
// records which of its bytes have been decoded, so that a store through any
// mapping drops stale code.
//
// Its pages may be shared with other banks, see Share: a shared page is copied
// before the first write to it. A Bank is mapped by one Memory at most.
type Bank struct {
	pages  []*page
	shared []bool // pages that are not this bank's own
	code   []bankCode
	mem    *Memory // that maps the bank, nil before
}

// bankCode records what has been decoded from one page of a bank.
type bankCode struct {
	blocks []*block
	lines  uint64 // bit n: line n contains decoded bytes
	watch  uint64 // lines that Memory.Watch covers
}

// special returns the lines to which a store needs more than to write.
func (c *bankCode) special() uint64 { return c.lines | c.watch }

// NewBank returns zeroed memory of size bytes, rounded up to PageSize.
func NewBank(size int) *Bank {
	b := BankOf(make([]byte, (size+PageSize-1)&^(PageSize-1)))
	clear(b.shared)
	return b
}

// BankOf makes a bank that begins with the given content, such as a flash image.
// The slice is not written to, and must not change while the bank is in use. It
// panics if the length is not a multiple of PageSize.
func BankOf(content []byte) *Bank {
	if len(content)%PageSize != 0 {
		panic(fmt.Sprintf("rv32: bank of %d bytes is not a multiple of %d", len(content), PageSize))
	}
	b := &Bank{}
	b.set(PagesOf(content))
	return b
}

// set makes the bank one of shared pages.
func (b *Bank) set(p Pages) {
	b.pages = slices.Clone(p.pages)
	b.shared = slices.Repeat([]bool{true}, len(b.pages))
	b.code = make([]bankCode, len(b.pages))
}

// Size returns the length of the bank in bytes.
func (b *Bank) Size() uint32 { return uint32(len(b.pages)) << pageShift }

// Read copies the bank's bytes from off to p. It panics outside of the bank, as
// Write and Edit do.
func (b *Bank) Read(off uint32, p []byte) {
	for len(p) > 0 {
		n := copy(p, b.pages[off>>pageShift][off%PageSize:])
		p, off = p[n:], off+uint32(n)
	}
}

// Write copies p to the bank at off, and drops code decoded from there. It is for
// what is not the CPU: a DMA engine, the flash programmer.
func (b *Bank) Write(off uint32, p []byte) {
	b.Edit(off, uint32(len(p)), func(at []byte) { p = p[copy(at, p):] })
}

// Edit has edit change n bytes from off, in one call for each page, and drops
// code decoded from there.
func (b *Bank) Edit(off, n uint32, edit func(at []byte)) {
	for n > 0 {
		k := min(n, PageSize-off%PageSize)
		edit(b.own(off >> pageShift)[off%PageSize:][:k])
		if b.mem != nil {
			b.mem.dropLines(b, off>>pageShift, linesOf(off, k))
		}
		off, n = off+k, n-k
	}
}

// own returns a page for writing.
func (b *Bank) own(i uint32) *page {
	p := b.pages[i]
	if !b.shared[i] {
		return p
	}
	q := new(page)
	*q = *p
	b.pages[i], b.shared[i] = q, false
	if b.mem != nil {
		b.mem.moved(p)
	}
	return q
}

// Perm are the accesses of the CPU to a mapped range that do not go to the Bus.
type Perm uint8

// Permissions of a mapping; see Memory.Map.
const (
	Read Perm = 1 << iota
	Write
	Exec
)

// mapping is one page of the address space.
type mapping struct {
	bank *Bank
	page uint32 // index in the bank
	perm Perm
}

// translation is an entry of the look-aside tables of the fast path. The tag is
// the page's address; comparing it with the accessed address without the bits
// that select an aligned word checks page and alignment in one step.
type translation struct {
	tag  uint32
	page *page
}

// mixedPage is a translation for stores to a page that also contains decoded
// bytes.
type mixedPage struct {
	translation
	code    *bankCode
	watched uint64 // lines that a debug trigger covers
}

// free reports whether nothing was decoded from the line of addr and no trigger
// covers it, while other lines of its page need attention.
func (p *mixedPage) free(addr uint32) bool {
	lines := p.code.special() | p.watched
	return lines != 0 && lines>>(addr%PageSize>>lineShift)&1 == 0
}

const (
	tlbSize   = 1024
	mixedSize = 64
	noTag     = 4 // every comparison clears bit 2 of the address
)

// Memory is the CPU's view of plain memory: 4 KiB pages mapped to banks.
// Accesses without a mapping, or without the needed permission, go to the Bus.
type Memory struct {
	dir   [1024]*[1024]mapping
	rd    [tlbSize]translation
	wr    [tlbSize]translation
	mixed [mixedSize]mixedPage
	code  codeIndex
	watch watch
	attn  *bool // the CPU's
}

func (m *Memory) init(attn *bool) {
	m.attn = attn
	m.flush()
	m.code.init()
}

func (m *Memory) flush() {
	m.flushLoads()
	m.flushStores()
}

func (m *Memory) flushLoads() {
	for i := range m.rd {
		m.rd[i] = translation{tag: noTag}
	}
}

func (m *Memory) flushStores() {
	for i := range m.wr {
		m.wr[i] = translation{tag: noTag}
	}
	for i := range m.mixed {
		m.mixed[i] = mixedPage{translation: translation{tag: noTag}}
	}
}

// at returns the mapping of addr; its bank is nil where nothing is mapped.
func (m *Memory) at(addr uint32) mapping {
	if t := m.dir[addr>>22]; t != nil {
		return t[addr>>pageShift&1023]
	}
	return mapping{}
}

// bytes returns the page for reading.
func (mp mapping) bytes() *page { return mp.bank.pages[mp.page] }

// Map maps size bytes of bank b from offset off at address base, replacing
// earlier mappings; decoded code of the range is dropped. It panics unless
// base, off and size are multiples of PageSize and the range is inside the
// bank: that is a programming error.
func (m *Memory) Map(base uint32, b *Bank, off, size uint32, p Perm) {
	if (base|off|size)%PageSize != 0 || uint64(off)+uint64(size) > uint64(b.Size()) || uint64(base)+uint64(size) > 1<<32 {
		panic(fmt.Sprintf("rv32: mapping 0x%08x+0x%x to offset 0x%x of a bank of 0x%x bytes", base, size, off, b.Size()))
	}
	if b.mem != nil && b.mem != m {
		panic("rv32: a bank is mapped by two memories")
	}
	b.mem = m
	m.set(base, size, func(i uint32) mapping { return mapping{b, off>>pageShift + i, p} })
}

// Unmap removes the mappings of a range, so that accesses go to the Bus.
func (m *Memory) Unmap(base, size uint32) {
	if (base|size)%PageSize != 0 {
		panic(fmt.Sprintf("rv32: unmapping 0x%08x+0x%x", base, size))
	}
	m.set(base, size, func(uint32) mapping { return mapping{} })
}

func (m *Memory) set(base, size uint32, to func(i uint32) mapping) {
	for i := uint32(0); i < size>>pageShift; i++ {
		addr := base + i<<pageShift
		t := m.dir[addr>>22]
		if t == nil {
			t = new([1024]mapping)
			m.dir[addr>>22] = t
		}
		old, now := &t[addr>>pageShift&1023], to(i)
		if *old == now {
			continue
		}
		*old = now
		m.evictAll(addr)
		m.dropPage(addr)
	}
}

// evictAll removes the page at addr from all look-aside tables.
func (m *Memory) evictAll(addr uint32) {
	m.evict(&m.rd, addr)
	m.evict(&m.wr, addr)
	if e := &m.mixed[addr>>pageShift%mixedSize]; e.tag == addr {
		*e = mixedPage{translation: translation{tag: noTag}}
	}
}

func (m *Memory) evict(tlb *[tlbSize]translation, addr uint32) {
	if e := &tlb[addr>>pageShift%tlbSize]; e.tag == addr&^(PageSize-1) {
		*e = translation{tag: noTag}
	}
}

// linesOf is the line mask of n bytes at off, which stay within one page.
func linesOf(off, n uint32) uint64 {
	first, last := off%PageSize>>lineShift, (off+n-1)%PageSize>>lineShift
	return (2<<last - 1) &^ (1<<first - 1)
}

// Read copies plain memory at addr to p, for a debugger or a DMA engine. It
// returns false, having copied what came before, at the first byte that is not
// mapped; it does not access the Bus.
func (m *Memory) Read(addr uint32, p []byte) bool {
	return m.copy(addr, len(p), func(mp mapping, off uint32, i, n int) {
		copy(p[i:i+n], mp.bytes()[off:])
	})
}

// Write copies p to plain memory at addr, regardless of permissions, and drops
// code decoded from it.
func (m *Memory) Write(addr uint32, p []byte) bool {
	return m.copy(addr, len(p), func(mp mapping, off uint32, i, n int) {
		copy(mp.bank.own(mp.page)[off:], p[i:i+n])
		m.dropLines(mp.bank, mp.page, linesOf(off, uint32(n)))
	})
}

func (m *Memory) copy(addr uint32, size int, part func(mp mapping, off uint32, i, n int)) bool {
	for i := 0; i < size; {
		mp := m.at(addr)
		if mp.bank == nil {
			return false
		}
		off := addr % PageSize
		n := min(size-i, int(PageSize-off))
		part(mp, off, i, n)
		i, addr = i+n, addr+uint32(n)
	}
	return true
}

// fetch reads the instruction at pc; it reads the second half only for a 32-bit
// instruction. ok is false where code may not be fetched; at is then the
// address that faulted.
func (m *Memory) fetch(pc uint32) (word, at uint32, ok bool) {
	mp := m.at(pc)
	if mp.perm&Exec == 0 {
		return 0, pc, false
	}
	p, off := mp.bytes(), pc%PageSize
	word = uint32(p[off]) | uint32(p[off+1])<<8
	if word&3 != 3 {
		return word, pc, true
	}
	if off += 2; off == PageSize {
		if mp = m.at(pc + 2); mp.perm&Exec == 0 {
			return 0, pc + 2, false
		}
		p, off = mp.bytes(), 0
	}
	return word | uint32(p[off])<<16 | uint32(p[off+1])<<24, pc, true
}
