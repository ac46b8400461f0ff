package nvs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// Op is one operation on the flash of a partition: Program clears bits, or without
// Bytes the sector is erased. Offset and length of Bytes are multiples of 4.
type Op struct {
	Offset int    // from the start of the partition
	Bytes  []byte // nil: erase the sector of 4096 bytes
}

// Erases reports whether o erases a sector.
func (o Op) Erases() bool { return o.Bytes == nil }

// Apply does to b, the content of a partition, what a flash chip does.
func (o Op) Apply(b []byte) {
	if o.Erases() {
		for i := range PageSize {
			b[o.Offset+i] = 0xff
		}
		return
	}
	for i, c := range o.Bytes {
		b[o.Offset+i] &= c
	}
}

// Set stores a value and returns the flash operations for it, none when the value
// is there already. A value of another type under the same key is replaced. After
// an error nothing has changed: the value or a name is not possible, ErrFull,
// ErrNoSpare.
func (p *Partition) Set(namespace, key string, v Value) ([]Op, error) {
	if err := CheckName(namespace); err != nil {
		return nil, fmt.Errorf("namespace %w", err)
	}
	if err := CheckName(key); err != nil {
		return nil, fmt.Errorf("key %w", err)
	}
	if err := v.check(); err != nil {
		return nil, err
	}
	if old, err := p.Get(namespace, key); err == nil && old.Equal(v) && p.settled() {
		return nil, nil
	}
	return p.change(func(w *writer) error { return w.set(namespace, key, v) })
}

// Erase removes a value, or with key "" all values of a namespace. The error is
// ErrNotFound.
func (p *Partition) Erase(namespace, key string) ([]Op, error) {
	n := p.namespace(namespace)
	matches := func(it item) bool { return n != 0 && it.namespace == n && (key == "" || it.key == key) }
	if !slices.ContainsFunc(p.items, matches) {
		return nil, ErrNotFound
	}
	return p.change(func(w *writer) error {
		var old []item
		for _, it := range w.items {
			if matches(it) {
				old = append(old, it)
			}
		}
		w.eraseItems(old)
		return nil
	})
}

// CheckName refuses what cannot be the name of a namespace or a key.
func CheckName(name string) error {
	if len(name) == 0 || len(name) > MaxName {
		return fmt.Errorf("%q: want 1 to %d characters", name, MaxName)
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' {
			return fmt.Errorf("%q: want printable ASCII without spaces", name)
		}
	}
	return nil
}

// settled reports whether nothing of an interrupted write is left.
func (p *Partition) settled() bool {
	return len(p.stale) == 0 && len(p.debris) == 0 && !slices.ContainsFunc(p.pages, func(pg *page) bool { return pg.state == stateFreeing })
}

// change runs f on a copy, and keeps the copy when f succeeds.
func (p *Partition) change(f func(*writer) error) ([]Op, error) {
	w := &writer{Partition: &Partition{b: bytes.Clone(p.b), cipher: p.cipher}}
	w.scan()
	if err := w.repair(); err != nil {
		return nil, err
	}
	if err := f(w); err != nil {
		return nil, err
	}
	w.scan()
	damage := p.damage
	*p = *w.Partition
	p.damage = damage // what was lost stays lost
	return w.ops, nil
}

// writer changes a partition and records the operations.
type writer struct {
	*Partition
	ops []Op
}

func (w *writer) do(o Op) {
	o.Apply(w.b)
	w.ops = append(w.ops, o)
}

func (w *writer) setState(pg *page, s pageState) {
	b := make([]byte, 4)
	binary.LittleEndian.PutUint32(b, uint32(s))
	pg.state = s
	w.do(Op{pg.base, b})
}

// erase marks entries as erased, the last ones first: the first one, with the
// checksum, says how many there are, so a rest is recognised.
func (w *writer) erase(pl place) {
	for end := pl.at + pl.len; end > pl.at; {
		from := max(pl.at, (end-1)/16*16)
		w.mark(place{pl.page, from, end - from}, entryErased)
		end = from
	}
}

// mark changes bits of the bitmap, in whole words.
func (w *writer) mark(pl place, s entryState) {
	from, to := pl.at/16*4, (pl.at+pl.len+15)/16*4
	b := bytes.Clone(w.b[pl.page.base+bitmapOffset+from : pl.page.base+bitmapOffset+to])
	for i := pl.at; i < pl.at+pl.len; i++ {
		shift := i % 4 * 2
		b[i/4-from] &= ^byte(3<<shift) | byte(s)<<shift
	}
	w.do(Op{pl.page.base + bitmapOffset + from, b})
}

// retire makes a page invalid and erases it. Its header is overwritten before,
// because a page whose erasing was interrupted may still have one.
func (w *writer) retire(base int) {
	if b := w.b[base : base+32]; !blank(b) {
		w.do(Op{base, make([]byte, 32)})
	}
	w.do(Op{Offset: base})
}

// repair finishes what an interrupted write has left.
func (w *writer) repair() error {
	if copied := w.unfinishedCopy(); copied != nil {
		w.retire(copied.base)
		w.scan()
	}
	for i, pg := range w.pages {
		if pg.state == stateFreeing {
			return w.finishFreeing(pg)
		}
		if pg.state == stateActive && i != len(w.pages)-1 {
			w.setState(pg, stateFull)
		}
	}
	for _, pl := range w.debris {
		w.erase(pl)
	}
	for _, it := range w.stale {
		w.erase(it.place)
	}
	w.scan()
	return nil
}

func (w *writer) finishFreeing(pg *page) error {
	if len(w.free) == 0 {
		return ErrNoSpare
	}
	w.move(pg)
	return w.repair()
}

// activate makes a free page the one to which entries are appended: the next one
// after the last, so that all wear alike.
func (w *writer) activate() *page {
	seq, after := uint32(0), -1
	if n := len(w.pages); n > 0 {
		seq, after = w.pages[n-1].seq+1, w.pages[n-1].base
	}
	slices.Sort(w.free)
	at := max(0, slices.IndexFunc(w.free, func(base int) bool { return base > after }))
	base := w.free[at]
	w.free = slices.Delete(w.free, at, at+1)
	if !blank(w.b[base : base+PageSize]) {
		w.retire(base)
	}
	w.do(Op{base, pageHeader(stateActive, seq)})
	pg := &page{base: base, seq: seq, state: stateActive}
	w.pages = append(w.pages, pg)
	return pg
}

// move copies the valid items of a page to a free one, and erases it. The state
// freeing comes first: a partition that has neither a free page nor one with this
// state is refused by ESP-IDF.
func (w *writer) move(from *page) {
	if from.state != stateFreeing {
		w.setState(from, stateFreeing)
	}
	to := w.activate()
	for _, it := range slices.Clone(w.items) {
		if it.page == from {
			w.append(to, it.header, it.payload)
		}
	}
	w.retire(from.base)
	w.scan()
}

// append writes an item to a page that has the space: data first, then the bitmap.
func (w *writer) append(pg *page, h header, payload []byte) {
	h.span = uint8(spanOf(len(payload)))
	b, data := append(h.encode(), payload...), payload
	if pad := len(b) % EntrySize; pad != 0 {
		b = append(b, bytes.Repeat([]byte{0xff}, EntrySize-pad)...)
	}
	pl := place{pg, pg.next, int(h.span)}
	w.crypt(b, pl.offset(), true)
	w.do(Op{pl.offset(), b})
	w.mark(pl, entryWritten)
	pg.next += pl.len
	pg.live += pl.len
	w.items = append(w.items, item{h, pl, data})
}

// room returns a page that has space for n entries.
func (w *writer) room(n int) (*page, error) {
	for range len(w.b)/PageSize + 1 {
		if k := len(w.pages); k > 0 && w.pages[k-1].state == stateActive {
			last := w.pages[k-1]
			if !last.v1 && last.next+n <= Entries {
				return last, nil
			}
			w.setState(last, stateFull)
		}
		switch {
		case len(w.free) == 0:
			return nil, ErrNoSpare
		case len(w.free) > 1:
			w.activate()
		default:
			var victim *page
			for _, pg := range w.pages {
				if victim == nil || pg.live < victim.live {
					victim = pg
				}
			}
			if victim == nil {
				return nil, ErrNoSpare
			}
			if victim.live+n > Entries {
				return nil, ErrFull
			}
			w.move(victim)
		}
	}
	return nil, ErrFull
}

func (w *writer) set(namespace, key string, v Value) error {
	n := w.namespace(namespace)
	if n == 0 {
		var err error
		if n, err = w.addNamespace(namespace); err != nil {
			return err
		}
	}
	var old []identity // where the items are changes when a page is made free
	for _, it := range w.items {
		if it.namespace == n && it.key == key {
			old = append(old, it.identity())
		}
	}
	h := header{namespace: n, typ: v.Type, chunk: noChunk, key: key}
	var err error
	switch v.Type {
	case Blob:
		err = w.putBlob(h, v.Data, old)
	case String:
		payload := append(bytes.Clone(v.Data), 0)
		h.data = variableData(payload)
		err = w.put(h, payload)
	default:
		h.data = v.encodeInteger()
		err = w.put(h, nil)
	}
	if err != nil {
		return err
	}
	w.eraseOld(old)
	return nil
}

// put appends an item where there is space for it.
func (w *writer) put(h header, payload []byte) error {
	pg, err := w.room(spanOf(len(payload)))
	if err == nil {
		w.append(pg, h, payload)
	}
	return err
}

// eraseOld erases the items that the value written last replaces.
func (w *writer) eraseOld(old []identity) {
	newest := w.items[len(w.items)-1].offset()
	w.pending = nil
	w.scan()
	var gone []item
	for _, it := range slices.Concat(w.items, w.stale) {
		if slices.Contains(old, it.identity()) && it.offset() != newest {
			gone = append(gone, it)
		}
	}
	w.eraseItems(gone)
}

// eraseItems marks items as erased, the chunks of a blob after its index.
func (w *writer) eraseItems(old []item) {
	slices.SortStableFunc(old, func(a, b item) int { return order(a) - order(b) })
	for _, it := range old {
		w.erase(it.place)
	}
	w.scan()
}

func order(it item) int {
	if it.typ == blobData {
		return 1
	}
	return 0
}

// putBlob writes the chunks of a blob and then its index. The chunks of the old
// blob have other numbers, so both are complete until the old index is erased.
func (w *writer) putBlob(h header, b []byte, old []identity) error {
	x := index{size: uint32(len(b))}
	if slices.ContainsFunc(old, func(id identity) bool { return id.typ == blobData && id.chunk < secondStart }) {
		x.start = secondStart
	}
	w.pending = map[identity]bool{}
	for x.chunks == 0 || len(b) > 0 {
		if x.chunks == maxChunks {
			return ErrFull
		}
		pg, err := w.room(min(2, spanOf(len(b)))) // what is left of the page, if anything
		if err != nil {
			return err
		}
		n := min(len(b), (Entries-pg.next-1)*EntrySize)
		c := header{namespace: h.namespace, typ: blobData, chunk: x.start + x.chunks, key: h.key, data: variableData(b[:n])}
		w.pending[c.identity()] = true
		w.append(pg, c, b[:n])
		x.chunks++
		b = b[n:]
	}
	h.data = x.encode()
	return w.put(h, nil)
}

func (w *writer) addNamespace(name string) (uint8, error) {
	names := w.namespaceNames()
	n := uint8(1)
	for names[n] != "" {
		if n == maxNamespace {
			return 0, fmt.Errorf("%w: it has %d namespaces", ErrFull, maxNamespace)
		}
		n++
	}
	// A number with items of a namespace that is lost is not used again.
	for slices.ContainsFunc(w.items, func(it item) bool { return it.namespace == n }) || names[n] != "" {
		if n == maxNamespace {
			return 0, fmt.Errorf("%w: it has %d namespaces", ErrFull, maxNamespace)
		}
		n++
	}
	pg, err := w.room(1)
	if err != nil {
		return 0, err
	}
	v := Value{Type: U8, Number: uint64(n)}
	w.append(pg, header{typ: U8, chunk: noChunk, key: name, data: v.encodeInteger()}, nil)
	return n, nil
}
