package firmware

import (
	"bytes"
	"debug/elf"
)

// Symbols names addresses of a running chip: those of the application and
// those of the mask ROM it calls. The zero value and nil know nothing.
type Symbols struct {
	app, rom *ELF
	roms     []*ELF
}

// NewSymbols joins an application and the mask ROMs of chip revisions; each may be
// nil. The addresses are those of the first ROM until OfROM chooses another one.
func NewSymbols(app *ELF, roms ...*ELF) *Symbols {
	s := &Symbols{app: app}
	for _, r := range roms {
		if r != nil {
			s.roms = append(s.roms, r)
		}
	}
	if len(s.roms) > 0 {
		s.rom = s.roms[0]
	}
	return s
}

// OfROM returns the symbols of a chip whose mask ROM has the version that it
// prints after each reset ("ESP-ROM:" and the version, such as
// "esp32c3-api1-20210207"), and s when no ROM contains that text.
func (s *Symbols) OfROM(version string) *Symbols {
	if s == nil || version == "" {
		return s
	}
	for _, rom := range s.roms {
		if rom.holds([]byte(version + "\x00")) {
			if rom == s.rom {
				return s
			}
			return &Symbols{app: s.app, rom: rom, roms: s.roms}
		}
	}
	return s
}

// holds reports whether a section that is loaded contains text.
func (e *ELF) holds(text []byte) bool {
	for i := range e.sections {
		s := &e.sections[i]
		if s.flags&elf.SHF_ALLOC == 0 || s.typ == elf.SHT_NOBITS {
			continue
		}
		if b, err := e.data(s); err == nil && bytes.Contains(b, text) {
			return true
		}
	}
	return false
}

// App returns the application, or nil.
func (s *Symbols) App() *ELF {
	if s == nil {
		return nil
	}
	return s.app
}

// Executable reports whether addr lies in code of either.
func (s *Symbols) Executable(addr uint32) bool {
	return s != nil && (s.app != nil && s.app.Executable(addr) || s.rom != nil && s.rom.Executable(addr))
}

// InROM reports whether addr lies in the mask ROM's code.
func (s *Symbols) InROM(addr uint32) bool {
	return s != nil && s.rom != nil && s.rom.Executable(addr)
}

// Frames is ELF.Frames of whichever holds addr.
func (s *Symbols) Frames(addr uint32) []Frame {
	var few [12]Frame
	return exact(s.AppendFrames(few[:0], addr))
}

// AppendFrames is ELF.AppendFrames of whichever holds addr. A ROM function
// that the application's linker script names is known without the ROM.
func (s *Symbols) AppendFrames(dst []Frame, addr uint32) []Frame {
	if s == nil {
		return dst
	}
	if s.rom != nil && s.rom.Executable(addr) {
		return s.rom.AppendFrames(dst, addr)
	}
	if s.app != nil {
		return s.app.AppendFrames(dst, addr)
	}
	return dst
}
