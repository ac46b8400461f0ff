package rv32

// watch is a range of a bank that a device has read ahead of time.
type watch struct {
	bank        *Bank
	first, last uint32 // byte offsets
	changed     func()
}

// Watch has changed called once, after the next change of the n bytes of b from off
// on, whether by a store or by one of the methods of Memory and Bank; it may be called for
// a change up to 63 bytes away. A DMA engine that has read memory before the time
// at which the hardware reads it learns thus that it must read it again. There is
// one range: a second call replaces it, one with n 0 ends it. It is not part of
// the CPU's state.
func (m *Memory) Watch(b *Bank, off, n uint32, changed func()) {
	m.unwatch()
	if n == 0 {
		return
	}
	m.watch = watch{b, off, off + n - 1, changed}
	m.eachWatched(func(page *bankCode, bytes *[PageSize]byte, lines uint64) {
		if page.special() == 0 {
			m.protect(bytes)
		}
		page.watch = lines
	})
}

func (m *Memory) eachWatched(f func(p *bankCode, bytes *[PageSize]byte, lines uint64)) {
	w := &m.watch
	for at := w.first; at <= w.last; at = at&^(PageSize-1) + PageSize {
		n := min(w.last-at+1, PageSize-at%PageSize)
		page := at >> pageShift
		f(&w.bank.code[page], w.bank.pages[page], linesOf(at, n))
	}
}

func (m *Memory) unwatch() {
	if m.watch.bank == nil {
		return
	}
	m.eachWatched(func(p *bankCode, _ *[PageSize]byte, _ uint64) { p.watch = 0 })
	m.watch = watch{}
}

// fireWatch ends the watch and reports the change.
func (m *Memory) fireWatch() {
	f := m.watch.changed
	m.unwatch()
	f()
}
