package nvs

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// Sizes in bytes, and limits of the format.
const (
	PageSize  = 4096 // one flash sector
	EntrySize = 32
	Entries   = 126  // of a page, after its header and its bitmap
	MaxName   = 15   // bytes of a key or of the name of a namespace
	MaxString = 4000 // bytes, with the terminating NUL
	MinSize   = 3 * PageSize

	bitmapOffset = 32
	entryOffset  = 64
	maxChunk     = (Entries - 1) * EntrySize
	maxNamespace = 254
	maxChunks    = 127 // a blob has chunks 0 to 127 or 128 to 255
	secondStart  = 0x80
)

// pageState is the first word of a page. Each is made from the one before by
// clearing bits.
type pageState uint32

const (
	stateEmpty   pageState = 0xffffffff
	stateActive  pageState = 0xfffffffe // entries are appended
	stateFull    pageState = 0xfffffffc
	stateFreeing pageState = 0xfffffff8 // its entries are being copied to another page
	stateInvalid pageState = 0          // retired, to be erased
)

// entryState is two bits of a page's bitmap.
type entryState uint8

const (
	entryErased  entryState = 0
	entryWritten entryState = 2
	entryEmpty   entryState = 3
)

const (
	version1 = 0xff
	version2 = 0xfe // blobs in several chunks with an index
)

// noChunk is the chunk index of entries that are no blob data.
const noChunk = 0xff

// checksum is the CRC-32 of the format: IEEE, started with 0xffffffff in zlib's
// terms.
func checksum(parts ...[]byte) uint32 {
	sum := uint32(0xffffffff)
	for _, b := range parts {
		sum = crc32.Update(sum, crc32.IEEETable, b)
	}
	return sum
}

// header is the first entry of an item.
type header struct {
	namespace uint8
	typ       Type
	span      uint8 // entries of the item
	chunk     uint8
	key       string
	data      [8]byte
}

// encode returns the 32 bytes of an entry: namespace, type, span, chunk index, CRC,
// key, data.
func (h header) encode() []byte {
	b := bytes.Repeat([]byte{0}, EntrySize)
	b[0], b[1], b[2], b[3] = h.namespace, uint8(h.typ), h.span, h.chunk
	copy(b[8:24], h.key)
	copy(b[24:], h.data[:])
	binary.LittleEndian.PutUint32(b[4:], checksum(b[:4], b[8:]))
	return b
}

// decodeHeader is the inverse of encode; problem is "" for an entry that is valid
// by itself.
func decodeHeader(b []byte) (h header, problem string) {
	if binary.LittleEndian.Uint32(b[4:]) != checksum(b[:4], b[8:EntrySize]) {
		return h, "its checksum is wrong"
	}
	h = header{namespace: b[0], typ: Type(b[1]), span: b[2], chunk: b[3], data: [8]byte(b[24:32])}
	end := bytes.IndexByte(b[8:24], 0)
	if end <= 0 {
		return h, "its key is not a text of 1 to 15 bytes"
	}
	h.key = string(b[8 : 8+end])
	if !h.typ.known() && h.typ != blobData && h.typ != blobOld {
		return h, "its type is unknown"
	}
	if h.span == 0 || h.typ.integer() && h.span != 1 {
		return h, "its number of entries is wrong"
	}
	return h, ""
}

// variable reports whether data follows the entry; size and sum are of the data.
func (h header) variable() (size int, sum uint32, ok bool) {
	switch h.typ {
	case String, blobData, blobOld:
		return int(binary.LittleEndian.Uint16(h.data[:])), binary.LittleEndian.Uint32(h.data[4:]), true
	}
	return 0, 0, false
}

func variableData(payload []byte) (data [8]byte) {
	binary.LittleEndian.PutUint16(data[:], uint16(len(payload)))
	data[2], data[3] = 0xff, 0xff
	binary.LittleEndian.PutUint32(data[4:], checksum(payload))
	return data
}

// index is the data of a blob's index.
type index struct {
	size   uint32
	chunks uint8
	start  uint8 // chunk index of the first chunk
}

func (x index) encode() (data [8]byte) {
	binary.LittleEndian.PutUint32(data[:], x.size)
	data[4], data[5], data[6], data[7] = x.chunks, x.start, 0xff, 0xff
	return data
}

func decodeIndex(data [8]byte) index {
	return index{binary.LittleEndian.Uint32(data[:]), data[4], data[5]}
}

// pageHeader is the 32 bytes at the start of a page.
func pageHeader(state pageState, seq uint32) []byte {
	b := bytes.Repeat([]byte{0xff}, 32)
	binary.LittleEndian.PutUint32(b, uint32(state))
	binary.LittleEndian.PutUint32(b[4:], seq)
	b[8] = version2
	binary.LittleEndian.PutUint32(b[28:], checksum(b[4:28]))
	return b
}

// spanOf is the number of entries of an item with n bytes of data after it.
func spanOf(n int) int { return 1 + (n+EntrySize-1)/EntrySize }

func blank(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0xff }) }
