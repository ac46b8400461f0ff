package firmware

import (
	"debug/elf"

	"espalier.dev/espalier/firmware/defmt"
)

// Defmt returns what the ELF knows about defmt's frames, with the places of
// its log statements where the debug information names them; nil without an
// error for a program that does not use defmt, a *defmt.TableError for one
// whose frames cannot be read. It is made once.
func (e *ELF) Defmt() (*defmt.Table, error) {
	e.defmtOnce.Do(func() { e.defmt, e.defmtErr = e.readDefmt() })
	return e.defmt, e.defmtErr
}

func (e *ELF) readDefmt() (*defmt.Table, error) {
	var syms []defmt.Symbol
	sections := map[uint16][]byte{}
	for i := range e.sections {
		s := &e.sections[i]
		if s.name != ".defmt" {
			continue
		}
		data, err := e.data(s)
		if err != nil {
			return nil, err
		}
		if data == nil || s.typ == elf.SHT_NOBITS {
			data = []byte{}
		}
		sections[uint16(i)] = data
	}
	for _, y := range e.table().all {
		s := defmt.Symbol{Name: y.Linker, Addr: y.Addr}
		if data, ok := sections[y.section]; ok && !y.Abs {
			s.Section = true
			from := uint64(y.Addr - e.sections[y.section].addr)
			if to := from + uint64(y.Size); to <= uint64(len(data)) {
				s.Data = data[from:to]
			}
		} else if len(y.Linker) == 0 || y.Linker[0] != '_' && y.Linker[0] != '"' {
			continue
		}
		syms = append(syms, s)
	}
	t, err := defmt.NewTable(syms)
	if t == nil || err != nil {
		return nil, err
	}
	x := e.addresses()
	t.Locate(func(symbol string) *defmt.Location {
		s, ok := x.logs[symbol]
		if !ok {
			return nil
		}
		l := &defmt.Location{Line: s.line, Module: s.scope}
		if s.file >= 0 {
			l.Path, l.File = x.paths[s.file], x.short[s.file]
		}
		return l
	})
	return t, nil
}

// EspPrintln reports whether defmt's frames come as esp-println sends them:
// 0xFF 0x00 before each, plain text between them.
func (e *ELF) EspPrintln() bool {
	for _, m := range e.Metadata() {
		if m.Key == "espflash.LOG_FORMAT" {
			return m.Value == "defmt-espflash"
		}
	}
	return false
}
