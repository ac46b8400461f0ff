package defmt

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Symbol is one symbol of an ELF as NewTable wants it.
type Symbol struct {
	Name    string
	Addr    uint32
	Section bool   // it lies in .defmt
	Data    []byte // its bytes there; only those of bit flag values are looked at
}

// Encoding is how frames lie in the byte stream.
type Encoding uint8

// Encodings.
const (
	RzCOBS Encoding = iota // packed, and ended by a zero byte
	Raw                    // one after the other: a lost byte loses the rest
)

// Level is the level of a log statement.
type Level uint8

// Levels. Println has none.
const (
	NoLevel Level = iota
	Trace
	Debug
	Info
	Warn
	Error
)

var levelNames = [...]string{"", "TRACE", "DEBUG", "INFO", "WARN", "ERROR"}

// String returns the name as it is shown, "" for NoLevel.
func (l Level) String() string { return levelNames[min(int(l), len(levelNames)-1)] }

// Location is the place of a log statement.
type Location struct {
	File   string // shortened for people
	Path   string // as the compiler wrote it
	Line   int
	Module string // crate::module::function
}

// entry is one interned string.
type entry struct {
	symbol string
	level  Level
	log    bool // a log statement: the start of a frame
	format *format
	place  *Location
}

// flag is one value of a bit flags type.
type flag struct {
	name   string
	order  uint64
	lo, hi uint64
}

// Table is what an ELF knows about the frames of its program. It is only
// read once it has its locations.
type Table struct {
	version   string
	encoding  Encoding
	entries   map[uint16]*entry
	byIndex   []*entry // the same
	timestamp *format
	flags     map[string][]flag // by the text of a hint after its prefix
}

// Version is the version of the wire format: "3" or "4".
func (t *Table) Version() string { return t.version }

// Encoding is how frames lie in the byte stream.
func (t *Table) Encoding() Encoding { return t.encoding }

// entry is the string with an index, nil if there is none.
func (t *Table) entry(i uint16) *entry {
	if int(i) < len(t.byIndex) {
		return t.byIndex[i]
	}
	return nil
}

// Statements is the number of log statements.
func (t *Table) Statements() int {
	n := 0
	for _, e := range t.entries {
		if e.log {
			n++
		}
	}
	return n
}

// HasTimestamp reports whether frames carry a time.
func (t *Table) HasTimestamp() bool { return t.timestamp != nil }

// maxEntries is as many as an index on the wire can name.
const maxEntries = 1 << 16

// NewTable reads the symbols of an ELF. It returns nil without an error for a
// program that does not use defmt, and a *TableError for one whose frames
// cannot be understood.
//
// A string is the name of a symbol in .defmt, a JSON object; its address is
// its encoding on the wire. Version and encoding are the names of two
// more symbols, wherever they lie.
func NewTable(symbols []Symbol) (*Table, error) {
	t := &Table{entries: map[uint16]*entry{}, flags: map[string][]flag{}}
	encoding, section := "", false
	for _, s := range symbols {
		section = section || s.Section
		// Some linkers keep the quotes of the linker script.
		if v, ok := strings.CutPrefix(strings.Trim(s.Name, `"`), "_defmt_version_ = "); ok {
			if t.version != "" && t.version != v {
				return nil, tableErrorf("two versions of the wire format in one program: %s and %s", t.version, v)
			}
			t.version = v
		}
		if v, ok := strings.CutPrefix(s.Name, "_defmt_encoding_ = "); ok {
			if encoding != "" && encoding != v {
				return nil, tableErrorf("two encodings in one program: %s and %s", encoding, v)
			}
			encoding = v
		}
	}
	if t.version == "" {
		return nil, nil
	}
	if !section {
		return nil, &TableError{"the program uses defmt, but has no section .defmt", "the linker needs the argument -Tdefmt.x (build.rs)"}
	}
	if t.version != "3" && t.version != "4" {
		return nil, tableErrorf("wire format %q; 3 and 4 are known", t.version)
	}
	switch encoding {
	case "rzcobs":
	case "raw":
		t.encoding = Raw
	default:
		return nil, tableErrorf("encoding %q; raw and rzcobs are known", encoding)
	}
	for _, s := range symbols {
		if !s.Section || !strings.HasPrefix(s.Name, "{") {
			continue
		}
		if err := t.add(s); err != nil {
			return nil, err
		}
	}
	for i, e := range t.entries {
		if n := int(i) + 1; n > len(t.byIndex) {
			t.byIndex = append(t.byIndex, make([]*entry, n-len(t.byIndex))...)
		}
		t.byIndex[i] = e
	}
	for _, fs := range t.flags {
		sort.SliceStable(fs, func(i, j int) bool { return fs[i].order < fs[j].order })
	}
	return t, nil
}

// add reads one symbol. One that is no JSON is a table that this reader does
// not understand, and would silently show wrong lines.
func (t *Table) add(s Symbol) error {
	var j struct {
		Package       string  `json:"package"`
		Disambiguator string  `json:"disambiguator"`
		Tag           string  `json:"tag"`
		Data          string  `json:"data"`
		Crate         *string `json:"crate_name"` // since version 4
	}
	if err := json.Unmarshal([]byte(s.Name), &j); err != nil {
		return tableErrorf("symbol %.80q: %v", s.Name, err)
	}
	e := &entry{symbol: s.Name}
	switch j.Tag {
	case "defmt_timestamp":
		if t.timestamp != nil {
			return tableErrorf("two timestamps in one program")
		}
		t.timestamp = parseString(j.Data)
		return nil
	case "defmt_bitflags_value":
		return t.addFlag(s, j.Package, j.Disambiguator, j.Crate, j.Data)
	case "defmt_prim", "defmt_derived", "defmt_bitflags", "defmt_write", "defmt_str":
	case "defmt_println":
		e.log = true
	case "defmt_trace":
		e.log, e.level = true, Trace
	case "defmt_debug":
		e.log, e.level = true, Debug
	case "defmt_info":
		e.log, e.level = true, Info
	case "defmt_warn":
		e.log, e.level = true, Warn
	case "defmt_error":
		e.log, e.level = true, Error
	default:
		return nil // of other tools
	}
	if s.Addr >= maxEntries {
		return nil // no frame can name it
	}
	e.format = parseFormat(j.Data)
	t.entries[uint16(s.Addr)] = e
	return nil
}

func (t *Table) addFlag(s Symbol, pkg, disambiguator string, crate *string, data string) error {
	parts := strings.Split(data, "::")
	if len(parts) != 3 || len(s.Data) != 16 {
		return tableErrorf("bit flag %.80q of %d bytes", data, len(s.Data))
	}
	order, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return tableErrorf("bit flag %.80q: %v", data, err)
	}
	key := fmt.Sprintf("%s@%s@%s", parts[0], pkg, disambiguator)
	if crate != nil {
		key += "@" + *crate
	}
	t.flags[key] = append(t.flags[key], flag{parts[2], order, binary.LittleEndian.Uint64(s.Data), binary.LittleEndian.Uint64(s.Data[8:])})
	return nil
}

// Locate gives places to log statements; place is asked for the name of each
// statement's symbol and returns nil if it does not know. Before the first
// Decoder is made.
func (t *Table) Locate(place func(symbol string) *Location) {
	for _, e := range t.entries {
		if e.log {
			e.place = place(e.symbol)
		}
	}
}

// Indices are the wire indices of all log statements, sorted.
func (t *Table) Indices() []uint16 {
	var out []uint16
	for i, e := range t.entries {
		if e.log {
			out = append(out, i)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out
}
