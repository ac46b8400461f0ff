package elfstrip

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	arMagic      = "!<arch>\n"
	arHeaderSize = 60
	arEnd        = "`\n"

	maxMembers = 1 << 16
	maxIndex   = 64 << 20
)

// member is one entry of an archive in the format of System V and GNU.
type member struct {
	header  [arHeaderSize]byte
	at      int64 // of the header in the source
	size    int64 // of the content
	content file  // with ranges of the archive
}

// name is "/" for the symbol index, "//" for the long names.
func (m member) name() string { return strings.TrimRight(string(m.header[:16]), " ") }

// stripArchive strips the members of an archive and corrects its symbol index,
// which has the offset of the member that defines each symbol.
func stripArchive(src io.ReaderAt, size int64) (file, bool) {
	var members []member
	smaller := false
	for at := int64(len(arMagic)); at < size; {
		m := member{at: at}
		if n, _ := src.ReadAt(m.header[:], at); n < arHeaderSize || string(m.header[58:]) != arEnd || len(members) >= maxMembers {
			return file{}, false
		}
		var err error
		if m.size, err = strconv.ParseInt(strings.TrimRight(string(m.header[48:58]), " "), 10, 64); err != nil ||
			m.size < 0 || m.size > size-at-arHeaderSize {
			return file{}, false
		}
		start := at + arHeaderSize
		switch name := m.name(); {
		case strings.HasPrefix(name, "#1/") || strings.HasPrefix(name, "__.SYMDEF"):
			return file{}, false // the format of BSD
		default:
			thin, ok := stripELF(io.NewSectionReader(src, start, m.size), m.size)
			if ok = ok && thin.size < m.size; ok {
				smaller = true
				for i, p := range thin.parts {
					if p.data == nil {
						thin.parts[i].at += start
					}
				}
				m.content = thin
			} else {
				m.content.copy(start, m.size)
			}
		}
		members = append(members, m)
		at = start + m.size + m.size&1
	}
	if !smaller {
		return file{}, false
	}
	return writeArchive(src, members)
}

func writeArchive(src io.ReaderAt, members []member) (file, bool) {
	moved := map[int64]int64{} // offsets of headers
	at := int64(len(arMagic))
	for _, m := range members {
		moved[m.at] = at
		at += arHeaderSize + m.content.size + m.content.size&1
	}
	var out file
	out.write([]byte(arMagic))
	for _, m := range members {
		copy(m.header[48:58], fmt.Sprintf("%-10d", m.content.size))
		out.write(m.header[:])
		switch m.name() {
		case "/", "/SYM64/":
			index, ok := moveIndex(src, m, moved)
			if !ok {
				return file{}, false
			}
			out.write(index)
		default:
			out.add(m.content)
		}
		if out.size&1 != 0 {
			out.write([]byte("\n"))
		}
	}
	return out, true
}

// moveIndex returns the symbol index with the new offsets: their number, the
// offsets, and the names of the symbols, all numbers big-endian.
func moveIndex(src io.ReaderAt, m member, moved map[int64]int64) ([]byte, bool) {
	width := int64(4)
	if m.name() == "/SYM64/" {
		width = 8
	}
	if m.size < width || m.size > maxIndex {
		return nil, m.size == 0
	}
	b := make([]byte, m.size)
	if n, _ := src.ReadAt(b, m.at+arHeaderSize); n < len(b) {
		return nil, false
	}
	number := func(b []byte) uint64 {
		if width == 8 {
			return binary.BigEndian.Uint64(b)
		}
		return uint64(binary.BigEndian.Uint32(b))
	}
	n := number(b)
	if n > uint64(m.size/width-1) {
		return nil, false
	}
	for i := range int64(n) {
		field := b[(i+1)*width:]
		to, ok := moved[int64(number(field))]
		if !ok {
			return nil, false
		}
		if width == 8 {
			binary.BigEndian.PutUint64(field, uint64(to))
		} else {
			binary.BigEndian.PutUint32(field, uint32(to))
		}
	}
	return b, true
}
