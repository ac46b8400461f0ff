package rv32

// A block is a sequence of instructions, through unconditional jumps and calls,
// and past forward branches, which leave it by a link when taken. It is decoded
// once and executed until a byte of it is overwritten or its mapping changes.
//
// Outside of tight loops, cache misses of the host dominate. Therefore the
// fields for execution come first, and the size of a block is one that the
// allocator aligns to cache lines.
type block struct {
	n    int64          // instructions, so cycles, from start to end
	ins  *window        // see pack; the last one is opFall
	fall uint32         // address after the last instruction, also the value of the link register
	pc   uint32         // of the first
	link [maxLinks]link // 0 is the fall-through
	meta []slot
	in   []entrance // links of other blocks that may refer to this one
	span []span
	dead bool
	_    [16]byte
}

const (
	maxBlock = 64
	maxLinks = 8
)

// window is the engine's view of a block's instructions. They are stored
// consecutively in slabs, so that instructions that are executed one after the
// other are close together; after a block's own there are those of others. The
// size is a power of two, so that an index needs no bounds check.
type window [windowSize]uint64

const (
	windowSize = 2 * maxBlock // more than maxBlock and opFall
	slabSize   = 4096
)

// slab stores the instructions of new blocks. It is live as long as one of its
// blocks is.
type slab []uint64

func (s *slab) put(ins []uint64) *window {
	if cap(*s)-len(*s) < windowSize {
		*s = make(slab, 0, slabSize)
	}
	at := len(*s)
	*s = append(*s, ins...)
	return (*window)((*s)[at : at+windowSize])
}

// slot is the origin of the instruction at the same index of ins, used outside
// of the fast path only.
type slot struct {
	pc   uint32
	done uint8 // number of instructions of the block before it
	size uint8
}

// link is an exit of a block.
type link struct {
	to   *block
	back int64 // cycles charged at entry and not used when leaving here
}

// entrance is a link, from the point of view of its target.
type entrance struct {
	from *block
	link uint8
}

// span is a range of bytes from which the block was decoded, within one page of
// the address space.
type span struct {
	addr  uint32 // of the page
	bank  *Bank
	page  uint32
	lines uint64
}

// codeIndex finds decoded blocks.
type codeIndex struct {
	dir  [1024]*[1024]*codePage
	jump [jumpSize]jumpEntry // recent targets of indirect jumps
}

const (
	jumpSize = 2048
	noJump   = 1 // targets are even
)

type jumpEntry struct {
	pc uint32
	to *block
}

// codePage has the blocks decoded from one page of the address space.
type codePage struct {
	at       [PageSize / 2]*block // by start address
	touching []*block             // blocks with an instruction in this page
}

func (ci *codeIndex) init() {
	for i := range ci.jump {
		ci.jump[i] = jumpEntry{pc: noJump}
	}
}

func (ci *codeIndex) page(addr uint32, make bool) *codePage {
	d := ci.dir[addr>>22]
	if d == nil {
		if !make {
			return nil
		}
		d = new([1024]*codePage)
		ci.dir[addr>>22] = d
	}
	p := &d[addr>>pageShift&1023]
	if *p == nil && make {
		*p = new(codePage)
	}
	return *p
}

// find returns the block that starts at pc, or nil.
func (ci *codeIndex) find(pc uint32) *block {
	if p := ci.page(pc, false); p != nil {
		return p.at[pc%PageSize/2]
	}
	return nil
}

func (ci *codeIndex) drop(b *block) {
	if b.dead {
		return
	}
	b.dead = true
	for _, e := range b.in {
		if l := &e.from.link[e.link]; l.to == b {
			l.to = nil
		}
	}
	b.in = nil
	ci.page(b.pc, true).at[b.pc%PageSize/2] = nil
	if e := &ci.jump[b.pc/2%jumpSize]; e.to == b {
		*e = jumpEntry{pc: noJump}
	}
}

// addBlock adds a new block to the index under its start and every page that it
// touches.
func (m *Memory) addBlock(b *block) {
	m.code.page(b.pc, true).at[b.pc%PageSize/2] = b
	for _, s := range b.span {
		p := m.code.page(s.addr, true)
		p.touching = appendLive(p.touching, b)
		bc := &s.bank.code[s.page]
		if bc.special() == 0 {
			m.protect(mapping{bank: s.bank, page: s.page}.bytes())
		}
		bc.lines |= s.lines
		bc.blocks = appendLive(bc.blocks, b)
	}
}

// appendLive appends b, and from time to time removes dropped blocks.
func appendLive(list []*block, b *block) []*block {
	if n := len(list); n >= 64 && n&(n-1) == 0 {
		live := list[:0]
		for _, o := range list {
			if !o.dead {
				live = append(live, o)
			}
		}
		clear(list[len(live):])
		list = live
	}
	return append(list, b)
}

// protect removes a page from the fast path of stores, at all its addresses.
func (m *Memory) protect(p *page) {
	for i := range m.wr {
		if m.wr[i].page == p {
			m.wr[i] = translation{tag: noTag}
		}
	}
}

// dropPage drops the blocks with an instruction in the page at addr.
func (m *Memory) dropPage(addr uint32) {
	p := m.code.page(addr, false)
	if p == nil || len(p.touching) == 0 {
		return
	}
	for _, b := range p.touching {
		m.code.drop(b)
	}
	p.touching = nil
	m.changed()
}

// dropLines is called when bytes of the given lines of a bank's page have changed:
// it drops the blocks decoded from them, and calls the function of Watch.
func (m *Memory) dropLines(bank *Bank, page uint32, lines uint64) {
	bc := &bank.code[page]
	if bc.watch&lines != 0 {
		m.fireWatch()
	}
	if bc.lines&lines == 0 {
		return
	}
	m.changed()
	kept, left := bc.blocks[:0], uint64(0)
	for _, b := range bc.blocks {
		if b.dead {
			continue
		}
		var here uint64
		for _, s := range b.span {
			if s.bank == bank && s.page == page {
				here |= s.lines
			}
		}
		if here&lines != 0 {
			m.code.drop(b)
			continue
		}
		kept, left = append(kept, b), left|here
	}
	clear(bc.blocks[len(kept):])
	bc.blocks, bc.lines = kept, left
}

// dropAll drops every block.
func (m *Memory) dropAll() {
	m.changed()
	for _, d := range m.code.dir {
		if d == nil {
			continue
		}
		for i, p := range d {
			if p == nil {
				continue
			}
			for _, b := range p.touching {
				for _, s := range b.span {
					s.bank.code[s.page] = bankCode{watch: s.bank.code[s.page].watch}
				}
				m.code.drop(b)
			}
			d[i] = nil
		}
	}
}

// changed makes the engine leave the running block, which may be stale.
func (m *Memory) changed() { *m.attn = true }
