package partition

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parse reads a table in either form; a binary one starts with AA 50.
func Parse(b []byte) (Table, error) {
	if IsBinary(b) {
		return ParseBinary(b)
	}
	return ParseCSV(b)
}

// ParseCSV reads lines of
//
//	name, type, subtype, offset, size, flags
//
// Lines that start with # are comments. An empty offset means "after the
// partition of the line before, aligned"; a negative size means "up to this
// offset". Numbers are decimal, 0x, 0o or 0b, with an optional K or M. Errors
// are *SyntaxError for what cannot be read and those of Table.Check for the
// rest.
func ParseCSV(src []byte) (Table, error) {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	var t Table
	end := uint64(DefaultTable + SectorSize) // of the previous partition
	for i, raw := range bytes.Split(src, []byte("\n")) {
		line := string(raw)
		if text := strings.TrimSpace(line); text == "" || text[0] == '#' {
			continue
		}
		p := row{line: i + 1}
		if !utf8.ValidString(line) || strings.ContainsRune(line, 0) {
			return Table{}, p.fail(0, "not text", "a table in binary form starts with the bytes AA 50")
		}
		p.split(line)
		e, err := p.entry(end)
		if err != nil {
			return Table{}, err
		}
		end = e.End()
		t.Entries = append(t.Entries, e)
	}
	if len(t.Entries) == 0 {
		return Table{}, &SyntaxError{Line: 1, Col: 1, Text: "no partition in the table", Hint: "a table starts like this: nvs, data, nvs, 0x9000, 0x6000,"}
	}
	return t, t.Check(0)
}

// row is one line of a CSV, cut into fields.
type row struct {
	line   int
	fields []string
	cols   []int // 1-based column of each field's text
}

// Columns of a row.
const (
	colName = iota
	colType
	colSubtype
	colOffset
	colSize
	colFlags
	columns
)

func (p *row) split(line string) {
	pos := 0
	for field := range strings.SplitSeq(line, ",") {
		text := strings.TrimSpace(field)
		col := pos + 1
		if text != "" {
			col += strings.Index(field, text)
		}
		// Quotes are not part of ESP-IDF's dialect; CSV writers add them.
		if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
			text, col = text[1:len(text)-1], col+1
		}
		p.fields = append(p.fields, text)
		p.cols = append(p.cols, col)
		pos += len(field) + 1
	}
}

func (p *row) get(i int) string {
	if i < len(p.fields) {
		return p.fields[i]
	}
	return ""
}

func (p *row) fail(i int, text, hint string) error {
	col := 1
	if n := len(p.cols); n > 0 {
		col = p.cols[min(i, n-1)]
	}
	return &SyntaxError{Line: p.line, Col: col, Text: text, Hint: hint}
}

func (p *row) entry(prevEnd uint64) (Entry, error) {
	e := Entry{Name: p.get(colName), Line: p.line}
	if n := len(p.fields); n > columns {
		for i := columns; i < n; i++ {
			if p.fields[i] != "" {
				return e, p.fail(i, fmt.Sprintf("%d fields; a partition has %d", n, columns), "comments are lines of their own, starting with #")
			}
		}
	}
	if e.Name == "" {
		return e, p.fail(colName, "empty name", "")
	}
	if err := p.types(&e); err != nil {
		return e, err
	}
	if err := p.place(&e, prevEnd); err != nil {
		return e, err
	}
	pos := 0
	for word := range strings.SplitSeq(p.get(colFlags), ":") {
		switch word {
		case "":
		case "encrypted":
			e.Flags |= Encrypted
		case "readonly":
			e.Flags |= ReadOnly
		default:
			err := p.fail(colFlags, fmt.Sprintf("unknown flag %q", word), "flags are encrypted and readonly, joined with a colon")
			err.(*SyntaxError).Col += pos
			return e, err
		}
		pos += len(word) + 1
	}
	return e, nil
}

// types reads the type and the subtype that belongs to it.
func (p *row) types(e *Entry) error {
	text := p.get(colType)
	if text == "" {
		return p.fail(colType, "empty type", "types are app and data, or a number from 0x40 to 0xfe")
	}
	found := false
	for _, n := range typeNames() {
		if strings.EqualFold(n.name, text) {
			e.Type, found = n.t, true
		}
	}
	if !found {
		v, err := strconv.ParseUint(text, 0, 8)
		if err != nil {
			hint := "types are app and data, or a number from 0x40 to 0xfe"
			if strings.EqualFold(text, "type") {
				hint = "a heading is a comment: start the line with #"
			}
			return p.fail(colType, fmt.Sprintf("unknown type %q", text), hint)
		}
		e.Type = Type(v)
	}
	text = p.get(colSubtype)
	if text == "" {
		if e.Type == App {
			return p.fail(colSubtype, "empty subtype of an app", "apps are factory, test or ota_0 to ota_15")
		}
		if e.Type == Data {
			e.Subtype = DataUndefined
		}
		return nil
	}
	var known []string
	for _, n := range subtypeNames() {
		if n.t != e.Type {
			continue
		}
		if strings.EqualFold(n.name, text) {
			e.Subtype = n.s
			return nil
		}
		if e.Type != App || n.s < AppOTA0 || n.s >= AppTest {
			known = append(known, n.name)
		}
	}
	if e.Type == App {
		known = append(known, "ota_0 to ota_15")
	}
	v, err := strconv.ParseUint(text, 0, 8)
	if err != nil || v == 0xff {
		hint := "subtypes are numbers from 0 to 0xfe"
		if known != nil {
			hint = "subtypes of " + e.Type.String() + " are " + list(known)
		}
		return p.fail(colSubtype, fmt.Sprintf("unknown subtype %q of %s", text, e.Type), hint)
	}
	e.Subtype = Subtype(v)
	return nil
}

// place reads offset and size.
func (p *row) place(e *Entry, prevEnd uint64) error {
	offset := int64(0)
	if text := p.get(colOffset); text == "" {
		align := uint64(DataAlign)
		if e.Type == App {
			align = AppAlign
		}
		offset = int64((prevEnd + align - 1) / align * align)
	} else {
		v, ok := number(text)
		if !ok {
			return p.fail(colOffset, fmt.Sprintf("offset %q is not a number", text), "write it as 0x9000, 36864 or 36K, or leave it empty")
		}
		offset = v
	}
	if offset < 0 || offset > 0xffff_ffff {
		return p.fail(colOffset, fmt.Sprintf("offset 0x%x is outside 32 bits", offset), "")
	}
	text := p.get(colSize)
	if text == "" {
		return p.fail(colSize, "empty size", "write it as 0x6000, 24576 or 24K; -4M means up to offset 4M")
	}
	size, ok := number(text)
	if !ok {
		return p.fail(colSize, fmt.Sprintf("size %q is not a number", text), "write it as 0x6000, 24576 or 24K; -4M means up to offset 4M")
	}
	if size < 0 {
		if -size <= offset {
			return p.fail(colSize, fmt.Sprintf("size %s means up to 0x%x, but the partition starts at 0x%x", text, -size, offset), "")
		}
		size = -size - offset
	}
	if size == 0 || size > 0xffff_ffff {
		return p.fail(colSize, fmt.Sprintf("size 0x%x is not possible", size), "")
	}
	e.Offset, e.Size = uint32(offset), uint32(size)
	return nil
}

// number reads a signed integer with an optional K or M.
func number(s string) (int64, bool) {
	factor := int64(1)
	if n := len(s); n > 0 {
		switch s[n-1] {
		case 'k', 'K':
			factor, s = 1<<10, s[:n-1]
		case 'm', 'M':
			factor, s = 1<<20, s[:n-1]
		}
	}
	base := 0
	// "010" is ten to every reader of a CSV, and eight to Go.
	if t := strings.TrimLeft(s, "+-"); len(t) > 1 && t[0] == '0' && t[1] >= '0' && t[1] <= '9' {
		base = 10
	}
	v, err := strconv.ParseInt(s, base, 64)
	if err != nil || v > 1<<40 || v < -1<<40 {
		return 0, false
	}
	return v * factor, true
}

// CSV writes the table in the form that ParseCSV, espflash and ESP-IDF read,
// with every offset explicit.
func (t Table) CSV() []byte {
	var b bytes.Buffer
	b.WriteString("# ESP-IDF Partition Table\n# Name,Type,SubType,Offset,Size,Flags\n")
	for _, e := range t.Entries {
		fmt.Fprintf(&b, "%s,%s,%s,0x%x,0x%x,%s\n", e.Name, e.Type, SubtypeName(e.Type, e.Subtype), e.Offset, e.Size, e.Flags)
	}
	return b.Bytes()
}
