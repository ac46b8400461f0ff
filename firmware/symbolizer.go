package firmware

// Symbols names addresses of a running chip: those of the application and
// those of the mask ROM it calls. The zero value and nil know nothing.
type Symbols struct {
	app, rom *ELF
}

// NewSymbols joins an application and a mask ROM; either may be nil.
func NewSymbols(app, rom *ELF) *Symbols { return &Symbols{app: app, rom: rom} }

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
