package rv32

// Pages is the content of a Bank at an instant. It does not change, so that it can
// be used by several goroutines at a time, and shares its memory with banks until
// they write to it.
type Pages struct{ pages []*page }

// PagesOf returns content as pages, which must not change as long as they are in
// use. Its length is a multiple of PageSize.
func PagesOf(content []byte) Pages {
	p := Pages{make([]*page, len(content)>>pageShift)}
	for i := range p.pages {
		p.pages[i] = (*page)(content[i<<pageShift:])
	}
	return p
}

// Size returns the length of the content in bytes.
func (p Pages) Size() uint32 { return uint32(len(p.pages)) << pageShift }

// AppendTo appends the content to b.
func (p Pages) AppendTo(b []byte) []byte {
	for _, page := range p.pages {
		b = append(b, page[:]...)
	}
	return b
}

// Shared returns how many pages of p and q are the same memory.
func (p Pages) Shared(q Pages) (n int) {
	for i := range min(len(p.pages), len(q.pages)) {
		if p.pages[i] == q.pages[i] {
			n++
		}
	}
	return n
}

// Share returns the content of the bank. From now on the bank copies a page before
// it writes to it for the first time.
func (b *Bank) Share() Pages {
	p := Pages{append([]*page(nil), b.pages...)}
	for i := range b.shared {
		b.shared[i] = true
	}
	if b.mem != nil {
		b.mem.flushStores()
	}
	return p
}

// Replace sets the content of the bank, which has the size of p, and drops code
// decoded from pages that change. A Watch of the bank ends.
func (b *Bank) Replace(p Pages) {
	if len(p.pages) != len(b.pages) {
		panic("rv32: replacing a bank by one of another size")
	}
	changed := false
	for i, q := range p.pages {
		if b.pages[i] == q {
			continue
		}
		if changed = true; b.mem != nil && b.code[i].lines != 0 && *b.pages[i] != *q {
			b.mem.dropLines(b, uint32(i), ^uint64(0))
		}
		b.pages[i] = q
	}
	for i := range b.shared {
		b.shared[i] = true
	}
	if b.mem == nil {
		return
	}
	if b.mem.watch.bank == b {
		b.mem.fireWatch()
	}
	b.mem.flushStores()
	if changed {
		b.mem.flushLoads()
	}
}

// moved removes a page that the CPU does not see any more from the fast path of
// loads. No shared page is on that of stores.
func (m *Memory) moved(p *page) {
	for i := range m.rd {
		if m.rd[i].page == p {
			m.rd[i] = translation{tag: noTag}
		}
	}
}
