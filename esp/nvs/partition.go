package nvs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/xts"
)

// Errors of Open, Get, Set and Erase.
var (
	ErrSize      = errors.New("not whole pages of 4096 bytes")
	ErrNotFound  = errors.New("no such value")
	ErrFull      = errors.New("the partition is full")
	ErrNoSpare   = errors.New("the partition has no spare page to work with")
	ErrEncrypted = errors.New("no entry can be read: the partition is encrypted, with other keys or none given")
)

// Partition is the content of an NVS partition, with what was changed.
type Partition struct {
	b      []byte
	cipher *xts.Cipher // nil: plain

	pages  []*page // by sequence number
	free   []int   // offsets of pages that are blank or have no valid header
	items  []item  // valid, in the order in which they are found
	stale  []item  // duplicates that lose, and chunks without an index
	debris []place // entries that are no part of a valid item
	damage []Damage

	pending map[identity]bool // chunks whose index is still to be written
}

type page struct {
	base  int // offset in the partition
	seq   uint32
	state pageState
	v1    bool
	next  int // first entry after all that were ever used
	live  int // entries of valid items
}

// place is a run of entries.
type place struct {
	page    *page
	at, len int
}

type item struct {
	header
	place
	payload []byte // of strings and chunks
}

// Damage is something that is lost.
type Damage struct {
	Offset int    // in the partition
	Text   string // "page 2 has no valid header", …
}

// New returns an erased partition of size bytes. Values are encrypted when keys is
// not nil. The error is ErrSize.
func New(size int, keys *Keys) (*Partition, error) {
	return Open(bytes.Repeat([]byte{0xff}, max(size, 0)), keys)
}

// Open reads a partition; keys is nil for a plain one. Damage is no error: see
// Damage. The error is ErrSize, or ErrEncrypted when there are entries and none of
// them has a valid checksum.
//
//	p, err := nvs.Open(flash[0x9000:0xf000], nil)
//	ssid, err := p.Get("wifi", "ssid")
func Open(b []byte, keys *Keys) (*Partition, error) {
	if len(b) == 0 || len(b)%PageSize != 0 {
		return nil, ErrSize
	}
	p := &Partition{b: bytes.Clone(b)}
	if keys != nil {
		p.cipher = keys.cipher()
	}
	p.scan()
	if len(p.items)+len(p.stale) == 0 && len(p.debris) > 1 && len(p.damage) > 1 && len(p.pages) > 0 {
		return nil, ErrEncrypted
	}
	return p, nil
}

// Bytes returns the content with all changes.
func (p *Partition) Bytes() []byte { return bytes.Clone(p.b) }

// Damage returns what of the partition is lost: pages, entries and blobs that are
// not complete. An interrupted write that left the old value is not damage.
func (p *Partition) Damage() []Damage { return slices.Clone(p.damage) }

func (p *Partition) state(pg *page, i int) entryState {
	return entryState(p.b[pg.base+bitmapOffset+i/4]>>(i%4*2)) & 3
}

// raw returns entries as they are in flash.
func (p *Partition) raw(pg *page, at, n int) []byte {
	from := pg.base + entryOffset + at*EntrySize
	return p.b[from : from+n*EntrySize]
}

// plain returns entries decrypted.
func (p *Partition) plain(pg *page, at, n int) []byte {
	b := bytes.Clone(p.raw(pg, at, n))
	p.crypt(b, pg.base+entryOffset+at*EntrySize, false)
	return b
}

// crypt encrypts or decrypts whole entries in place.
func (p *Partition) crypt(b []byte, offset int, encrypt bool) {
	if p.cipher == nil {
		return
	}
	for at := 0; at < len(b); at += EntrySize {
		entry := b[at : at+EntrySize]
		if encrypt {
			p.cipher.Encrypt(entry, entry, uint64(offset+at))
		} else {
			p.cipher.Decrypt(entry, entry, uint64(offset+at))
		}
	}
}

func (p *Partition) lost(offset int, format string, args ...any) {
	p.damage = append(p.damage, Damage{offset, fmt.Sprintf(format, args...)})
}

// scan reads pages and items out of p.b.
func (p *Partition) scan() {
	p.pages, p.free, p.items, p.stale, p.debris, p.damage = nil, nil, nil, nil, nil, nil
	for base := 0; base < len(p.b); base += PageSize {
		p.scanPage(base)
	}
	slices.SortStableFunc(p.pages, func(a, b *page) int { return cmp.Compare(a.seq, b.seq) })
	ignored := p.unfinishedCopy()
	for _, pg := range p.pages {
		p.scanEntries(pg, pg == ignored)
	}
	p.duplicates()
	p.orphans()
	for _, it := range p.items {
		it.page.live += it.len
	}
}

func (p *Partition) scanPage(base int) {
	b := p.b[base : base+PageSize]
	pg := &page{base: base, state: pageState(binary.LittleEndian.Uint32(b)), seq: binary.LittleEndian.Uint32(b[4:]), v1: b[8] == version1}
	switch {
	case blank(b):
		p.free = append(p.free, base)
		return
	case pg.state == stateInvalid:
		p.free = append(p.free, base) // retired before it is erased
		return
	case pg.state == stateEmpty && blank(b[:entryOffset]):
		// Erasing was interrupted.
	case binary.LittleEndian.Uint32(b[28:]) != checksum(b[4:28]):
		if !blank(b[bitmapOffset:]) { // else an interrupted activation
			p.lost(base, "page %d has no valid header", base/PageSize)
		}
	case pg.state != stateActive && pg.state != stateFull && pg.state != stateFreeing:
		p.lost(base, "page %d has no valid state", base/PageSize)
	case b[8] != version1 && b[8] != version2:
		p.lost(base, "page %d has an unknown version of the format, 0x%02x", base/PageSize, b[8])
	default:
		p.pages = append(p.pages, pg)
		return
	}
	p.free = append(p.free, base)
}

// unfinishedCopy returns the page to which the items of a page with state freeing
// were being copied. As ESP-IDF does it, the copy is made again from the original.
func (p *Partition) unfinishedCopy() *page {
	if len(p.pages) == 0 {
		return nil
	}
	last := p.pages[len(p.pages)-1]
	if last.state == stateActive && slices.ContainsFunc(p.pages, func(pg *page) bool { return pg.state == stateFreeing }) {
		return last
	}
	return nil
}

// scanEntries reads the items of a page. Those of an ignored page only count as
// used space.
func (p *Partition) scanEntries(pg *page, ignored bool) {
	for i := range Entries {
		if p.state(pg, i) != entryEmpty || !blank(p.raw(pg, i, 1)) {
			pg.next = i + 1
		}
	}
	for i := 0; i < pg.next; {
		n := 1
		switch p.state(pg, i) {
		case entryWritten:
			n = p.scanItem(pg, i, ignored)
		case entryErased:
		default: // empty in the bitmap only: writing was interrupted
			p.debris = append(p.debris, place{pg, i, 1})
		}
		i += n
	}
}

// scanItem reads the item at entry i and returns its number of entries.
func (p *Partition) scanItem(pg *page, i int, ignored bool) int {
	bad := func(n int, format string, args ...any) int {
		p.debris = append(p.debris, place{pg, i, n})
		if !ignored {
			p.lost(pg.base+entryOffset+i*EntrySize, "page %d, entry %d: "+format, append([]any{pg.base / PageSize, i}, args...)...)
		}
		return n
	}
	h, problem := decodeHeader(p.plain(pg, i, 1))
	if problem != "" {
		return bad(1, "%s", problem)
	}
	span := int(h.span)
	for k := 1; k < span; k++ {
		if i+k >= Entries || p.state(pg, i+k) != entryWritten {
			p.debris = append(p.debris, place{pg, i, k}) // writing or erasing was interrupted
			return k
		}
	}
	it := item{header: h, place: place{pg, i, span}}
	if size, sum, ok := h.variable(); ok {
		if spanOf(size) != span {
			return bad(span, "%s has %d bytes in %d entries", h.key, size, span)
		}
		it.payload = p.plain(pg, i+1, span-1)[:size]
		if checksum(it.payload) != sum {
			return bad(span, "the data of %s has a wrong checksum", h.key)
		}
	}
	if !ignored {
		p.items = append(p.items, it)
	}
	return span
}

type identity struct {
	namespace uint8
	typ       Type
	chunk     uint8
	key       string
}

func (h header) identity() identity { return identity{h.namespace, h.typ, h.chunk, h.key} }

// duplicates removes items that are there twice because a power failure came after
// the new one was written and before the old one was erased. Within a page the
// later counts; of two pages the first, unless the other one is the very last item.
func (p *Partition) duplicates() {
	type found struct {
		at   int
		page *page
	}
	seen := map[identity]found{}
	drop := map[int]bool{}
	for i, it := range p.items {
		id := it.identity()
		old, twice := seen[id]
		if twice && old.page != it.page && i != len(p.items)-1 {
			drop[i] = true
			continue
		}
		if twice {
			drop[old.at] = true
		}
		seen[id] = found{i, it.page}
	}
	p.drop(drop)
}

// orphans removes chunks of blobs that have no index, and indexes that lack a
// chunk. The former are left by an interrupted write.
func (p *Partition) orphans() {
	used := map[identity]bool{}
	drop := map[int]bool{}
	for i, it := range p.items {
		if it.typ != Blob {
			continue
		}
		if _, err := p.assemble(it); err != nil {
			drop[i] = true
			p.lost(it.offset(), "blob %s: %v", it.key, err)
			continue
		}
		x := decodeIndex(it.data)
		for c := range x.chunks {
			used[identity{it.namespace, blobData, x.start + c, it.key}] = true
		}
	}
	for i, it := range p.items {
		if it.typ == blobData && !used[it.identity()] && !p.pending[it.identity()] {
			drop[i] = true
		}
	}
	p.drop(drop)
}

func (p *Partition) drop(which map[int]bool) {
	if len(which) == 0 {
		return
	}
	var keep []item
	for i, it := range p.items {
		if which[i] {
			p.stale = append(p.stale, it)
		} else {
			keep = append(keep, it)
		}
	}
	p.items = keep
}

func (pl place) offset() int { return pl.page.base + entryOffset + pl.at*EntrySize }

// assemble joins the chunks of a blob.
func (p *Partition) assemble(it item) ([]byte, error) {
	x := decodeIndex(it.data)
	if int64(x.size) > int64(x.chunks)*maxChunk {
		return nil, fmt.Errorf("%d bytes in %d chunks", x.size, x.chunks)
	}
	if int(x.start)+int(x.chunks) > noChunk {
		return nil, fmt.Errorf("%d chunks from %d", x.chunks, x.start)
	}
	chunks := map[uint8][]byte{}
	for _, c := range p.items {
		if c.typ == blobData && c.namespace == it.namespace && c.key == it.key {
			chunks[c.chunk] = c.payload
		}
	}
	out := []byte{}
	for c := range x.chunks {
		b, ok := chunks[x.start+c]
		if !ok {
			return nil, fmt.Errorf("chunk %d of %d is missing", c+1, x.chunks)
		}
		out = append(out, b...)
	}
	if len(out) != int(x.size) {
		return nil, fmt.Errorf("its chunks have %d bytes, its index says %d", len(out), x.size)
	}
	return out, nil
}
