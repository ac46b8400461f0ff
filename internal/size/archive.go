package size

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Libraries says which static library defines a symbol.
type Libraries struct {
	names []string
	of    map[string][]int // symbol to libraries, in the order of names
}

// AddArchive reads the symbol tables of a static library (the ar format of
// System V: a text header of 60 bytes before each member). Members that are not
// 32-bit RISC-V objects are left out, and so is a file that is no archive: a
// linker takes a script in its place (libesp_rom_sys.a is one).
func (l *Libraries) AddArchive(name string, b []byte) error {
	const magic = "!<arch>\n"
	if !bytes.HasPrefix(b, []byte(magic)) {
		return nil
	}
	if l.of == nil {
		l.of = map[string][]int{}
	}
	id := len(l.names)
	found := false
	for b = b[len(magic):]; len(b) >= 60; {
		size, err := strconv.ParseUint(strings.TrimSpace(string(b[48:58])), 10, 40)
		if err != nil || size > uint64(len(b)-60) || string(b[58:60]) != "`\n" {
			return fmt.Errorf("reading %s: malformed member header", name)
		}
		member := b[60 : 60+size]
		b = b[min(len(b), 60+int(size+size&1)):]
		if len(member) < 20 || !bytes.HasPrefix(member, []byte(elf.ELFMAG)) || member[4] != 1 || member[18] != byte(elf.EM_RISCV&0xff) {
			continue
		}
		if l.addObject(id, member) {
			found = true
		}
	}
	if found {
		l.names = append(l.names, name)
	}
	return nil
}

// addObject notes the symbols that an object defines, local ones too (System V
// ABI, chapter 4). A member that cannot be read adds nothing: its symbols then
// have no library. debug/elf would copy every string of a table that is mostly
// local labels.
func (l *Libraries) addObject(id int, b []byte) (found bool) {
	le := binary.LittleEndian
	if len(b) < 52 {
		return false
	}
	shoff, shentsize, shnum := uint64(le.Uint32(b[32:])), uint64(le.Uint16(b[46:])), uint64(le.Uint16(b[48:]))
	if shentsize != 40 || shoff+shnum*40 > uint64(len(b)) {
		return false
	}
	header := func(i uint64) []byte { return b[shoff+i*40:][:40] }
	content := func(h []byte) []byte {
		off, size := uint64(le.Uint32(h[16:])), uint64(le.Uint32(h[20:]))
		if off+size > uint64(len(b)) {
			return nil
		}
		return b[off : off+size]
	}
	for i := range shnum {
		h := header(i)
		if elf.SectionType(le.Uint32(h[4:])) != elf.SHT_SYMTAB || uint64(le.Uint32(h[24:])) >= shnum {
			continue
		}
		names := content(header(uint64(le.Uint32(h[24:]))))
		for t := content(h); len(t) >= 16; t = t[16:] {
			shndx, typ := elf.SectionIndex(le.Uint16(t[14:])), elf.ST_TYPE(t[12])
			if shndx == elf.SHN_UNDEF || shndx == elf.SHN_ABS || typ != elf.STT_FUNC && typ != elf.STT_OBJECT && typ != elf.STT_NOTYPE {
				continue
			}
			at := le.Uint32(t)
			if uint64(at) >= uint64(len(names)) || names[at] == '$' || names[at] == 0 || bytes.HasPrefix(names[at:], []byte(".L")) {
				continue
			}
			end := bytes.IndexByte(names[at:], 0)
			if end < 0 || end > 1<<12 {
				continue
			}
			name := string(names[at:][:end])
			have := l.of[name]
			if len(have) == 0 || have[len(have)-1] != id {
				l.of[name] = append(have, id)
			}
			found = true
		}
	}
	return found
}

// one returns the only library that defines a symbol.
func (l *Libraries) one(symbol string) (string, bool) {
	if l == nil {
		return "", false
	}
	if in := l.of[symbol]; len(in) == 1 {
		return l.names[in[0]], true
	}
	return "", false
}

// amongst returns the library that defines a symbol which several define, if
// prefer is one of them.
func (l *Libraries) amongst(symbol, prefer string) (string, bool) {
	if l == nil {
		return "", false
	}
	for _, id := range l.of[symbol] {
		if l.names[id] == prefer {
			return prefer, true
		}
	}
	return "", false
}

// Names lists the libraries, sorted.
func (l *Libraries) Names() []string {
	if l == nil {
		return nil
	}
	out := append([]string(nil), l.names...)
	sort.Strings(out)
	return out
}
