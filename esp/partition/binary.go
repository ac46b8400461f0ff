package partition

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

const (
	entrySize = 32
	// BinarySize is the length of a table in flash; the rest of its sector is
	// left for a signature.
	BinarySize = 0xc00
	// MaxEntries leaves room in BinarySize for the MD5 entry and for the
	// terminating entry, without which the bootloader refuses a table.
	MaxEntries = BinarySize/entrySize - 2
)

// IsBinary reports whether b starts like a table in binary form.
func IsBinary(b []byte) bool { return len(b) >= 2 && b[0] == 0xaa && b[1] == 0x50 }

// Binary encodes the table in its binary form: one 32-byte entry per
// partition, an entry with the MD5 of those before it, 0xff up to BinarySize.
// The table must have passed Check.
func (t Table) Binary() []byte {
	b := make([]byte, 0, BinarySize)
	for _, e := range t.Entries {
		b = append(b, 0xaa, 0x50, byte(e.Type), byte(e.Subtype))
		b = binary.LittleEndian.AppendUint32(b, e.Offset)
		b = binary.LittleEndian.AppendUint32(b, e.Size)
		var name [MaxName]byte
		copy(name[:], e.Name)
		b = append(b, name[:]...)
		b = binary.LittleEndian.AppendUint32(b, uint32(e.Flags))
	}
	sum := md5.Sum(b)
	b = append(b, md5Mark()...)
	b = append(b, sum[:]...)
	for len(b) < BinarySize {
		b = append(b, 0xff)
	}
	return b
}

// md5Mark is the first half of the entry that holds the MD5.
func md5Mark() []byte {
	m := bytes.Repeat([]byte{0xff}, 16)
	m[0], m[1] = 0xeb, 0xeb
	return m
}

// ParseBinary decodes a table; b may be longer than the table (a whole flash
// sector). Errors are *FormatError, *DigestError, and those of Table.Check. A
// table without an MD5 entry is accepted: ESP-IDF can be configured so.
func ParseBinary(b []byte) (Table, error) {
	t, err := decode(b)
	if err != nil {
		return Table{}, err
	}
	return t, t.Check(0)
}

// decode reads entries without judging them.
func decode(b []byte) (Table, error) {
	var t Table
	for off := 0; ; off += entrySize {
		switch {
		case off >= BinarySize || off == len(b) && off > 0:
			return t, &FormatError{off, "no end marker after the last entry"}
		case len(b)-off < entrySize:
			return t, &FormatError{off, fmt.Sprintf("%d bytes where an entry has %d", len(b)-off, entrySize)}
		}
		raw := b[off : off+entrySize]
		switch {
		case bytes.Count(raw, []byte{0xff}) == entrySize:
			if off == 0 {
				return t, &FormatError{0, "blank"}
			}
			return t, nil
		case raw[0] == 0xeb && raw[1] == 0xeb:
			want, got := [16]byte(raw[16:]), md5.Sum(b[:off])
			if want != got {
				return t, &DigestError{Want: want, Got: got}
			}
			// Only the end marker may follow.
			rest := b[off+entrySize:]
			if len(rest) < entrySize || bytes.Count(rest[:entrySize], []byte{0xff}) != entrySize {
				return t, &FormatError{off + entrySize, "no end marker after the md5 entry"}
			}
			return t, nil
		case raw[0] != 0xaa || raw[1] != 0x50:
			return t, &FormatError{off, fmt.Sprintf("% x is not the mark of an entry (aa 50)", raw[:2])}
		}
		name, _, _ := bytes.Cut(raw[12:28], []byte{0})
		if !utf8.Valid(name) {
			return t, &FormatError{off + 12, fmt.Sprintf("name %q is not UTF-8", name)}
		}
		t.Entries = append(t.Entries, Entry{
			Name:    string(name),
			Type:    Type(raw[2]),
			Subtype: Subtype(raw[3]),
			Offset:  binary.LittleEndian.Uint32(raw[4:]),
			Size:    binary.LittleEndian.Uint32(raw[8:]),
			Flags:   Flags(binary.LittleEndian.Uint32(raw[28:])),
		})
	}
}
