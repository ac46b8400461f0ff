package firmware

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// read returns size bytes at off. It allocates as it reads, so that a size
// from a damaged header costs no more memory than the file has bytes.
func (e *ELF) read(off, size uint32, what string) ([]byte, error) {
	if size > maxSectionSize {
		return nil, formatError(TooLarge, fmt.Sprintf("%s of %d bytes, at most %d are read", what, size, maxSectionSize))
	}
	const chunk = 1 << 20
	b := make([]byte, 0, min(size, chunk))
	for uint32(len(b)) < size {
		at := len(b)
		n := min(int(size)-at, chunk)
		b = slices.Grow(b, n)[:at+n]
		if got, err := e.r.ReadAt(b[at:], int64(off)+int64(at)); got < n {
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("reading ELF: %w", err)
			}
			return nil, formatError(Truncated, fmt.Sprintf("the file ends inside its %s", what),
				"the file is incomplete; build it again or copy it again")
		}
	}
	return b, nil
}

// data returns the bytes of s, uncompressed.
func (e *ELF) data(s *section) ([]byte, error) {
	if s.typ == elf.SHT_NOBITS {
		return nil, nil
	}
	what := "section " + s.name
	b, err := e.read(s.off, s.size, what)
	if err != nil || s.flags&elf.SHF_COMPRESSED == 0 {
		return b, err
	}
	if len(b) < 12 {
		return nil, formatError(Malformed, what+" is compressed and shorter than its header")
	}
	size := binary.LittleEndian.Uint32(b[4:])
	// Zlib cannot pack tighter than 1:1032; debug information packs 1:3.
	if size > maxSectionSize || size/1100 > uint32(len(b)) {
		return nil, formatError(TooLarge, fmt.Sprintf("%s of %d bytes unpacks to %d", what, len(b), size))
	}
	var from io.Reader
	switch t := elf.CompressionType(binary.LittleEndian.Uint32(b)); t {
	case elf.COMPRESS_ZLIB:
		from, err = zlib.NewReader(bytes.NewReader(b[12:]))
	case elf.COMPRESS_ZSTD:
		var d *zstd.Decoder
		d, err = zstd.NewReader(bytes.NewReader(b[12:]), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSectionSize))
		if err == nil {
			defer d.Close()
			from = d
		}
	default:
		return nil, formatError(Malformed, fmt.Sprintf("%s has unknown compression %v", what, t))
	}
	if err != nil {
		return nil, formatError(Malformed, fmt.Sprintf("%s does not unpack: %v", what, err))
	}
	var out bytes.Buffer
	if n, err := io.Copy(&out, io.LimitReader(from, int64(size))); err != nil || n != int64(size) {
		return nil, formatError(Malformed, fmt.Sprintf("%s does not unpack to its %d bytes", what, size))
	}
	return out.Bytes(), nil
}

func (e *ELF) section(name string) *section {
	for i := range e.sections {
		if e.sections[i].name == name {
			return &e.sections[i]
		}
	}
	return nil
}

// SectionData returns the bytes of the named section, uncompressed; nil
// without an error if there is no such section or it has no bytes.
func (e *ELF) SectionData(name string) ([]byte, error) {
	s := e.section(name)
	if s == nil {
		return nil, nil
	}
	return e.data(s)
}

// ReadAddr returns n bytes as they are loaded at addr. It fails if they are
// not all in one section with bytes in the file.
func (e *ELF) ReadAddr(addr uint32, n int) ([]byte, bool) {
	if n < 0 || n > maxSectionSize {
		return nil, false
	}
	for i := range e.sections {
		s := &e.sections[i]
		if s.typ == elf.SHT_NOBITS || s.addr == 0 || s.flags&elf.SHF_COMPRESSED != 0 || addr < s.addr {
			continue
		}
		if into := addr - s.addr; into < s.size && uint64(into)+uint64(n) <= uint64(s.size) {
			b, err := e.read(s.off+into, uint32(n), "section "+s.name)
			return b, err == nil
		}
	}
	return nil, false
}

// cString returns the NUL-terminated string at off, "" if there is none
// within maxName bytes. It shares table's memory: a table without
// terminators cannot be made to cost its length for every name.
func cString(table string, off uint32) string {
	if uint64(off) >= uint64(len(table)) {
		return ""
	}
	s := table[off:]
	if len(s) > maxName {
		s = s[:maxName]
	}
	n := strings.IndexByte(s, 0)
	if n < 0 {
		return ""
	}
	return s[:n]
}

func mergeRanges(rs []Range) []Range {
	sort.Slice(rs, func(i, j int) bool { return rs[i].Start < rs[j].Start })
	out := rs[:0]
	for _, r := range rs {
		if n := len(out); n > 0 && uint64(r.Start) <= out[n-1].End {
			out[n-1].End = max(out[n-1].End, r.End)
			continue
		}
		out = append(out, r)
	}
	return out
}
