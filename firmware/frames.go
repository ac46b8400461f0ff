package firmware

// Frames returns every function at addr, innermost inlined one first; nil if
// nothing is known. An address outside of code has no frames, except one that
// a linker script gave a name.
func (e *ELF) Frames(addr uint32) []Frame {
	var few [12]Frame
	return exact(e.AppendFrames(few[:0], addr))
}

// exact copies frames to a slice of their own, nil for none.
func exact(fs []Frame) []Frame {
	if len(fs) == 0 {
		return nil
	}
	return append(make([]Frame, 0, len(fs)), fs...)
}

// AppendFrames appends what Frames returns to dst. It allocates only if dst
// is too small.
//
// addr is taken as it is: for a return address ask for the address minus one,
// or the line after the call is found.
func (e *ELF) AppendFrames(dst []Frame, addr uint32) []Frame {
	if !e.Executable(addr) {
		return e.appendAbsolute(dst, addr)
	}
	x := e.addresses()
	p, ok := x.find(addr)
	if !ok || p.node < 0 {
		return e.appendSymbol(dst, addr, x, p, ok)
	}
	file, line, col := p.file, p.line, p.col
	for id := p.node; id >= 0; {
		n := &x.nodes[id]
		name := &x.names[n.name]
		f := Frame{Addr: addr, Function: name.display, Linker: name.linker, Line: int(line), Column: int(col), Inline: n.inline}
		if file >= 0 {
			f.Path, f.File = x.paths[file], x.short[file]
		}
		if !n.inline {
			f.Offset = addr - n.start
			if addr < n.start {
				f.Offset = 0
			}
			if f.Function == "" {
				e.nameBySymbol(&f)
			}
		}
		dst = append(dst, f)
		file, line, col = n.callFile, n.callLine, n.callCol
		id = n.parent
	}
	return dst
}

// appendSymbol names code without a function in the debug information
// (assembly, C without -g) from the symbol table; the line may still be known.
func (e *ELF) appendSymbol(dst []Frame, addr uint32, x *addressIndex, p place, ok bool) []Frame {
	f := Frame{Addr: addr}
	if ok && p.file >= 0 {
		f.Path, f.File, f.Line, f.Column = x.paths[p.file], x.short[p.file], int(p.line), int(p.col)
	}
	if !e.nameBySymbol(&f) && f.Path == "" {
		return dst
	}
	return append(dst, f)
}

func (e *ELF) nameBySymbol(f *Frame) bool {
	s, off, ok := e.SymbolAt(f.Addr)
	if !ok {
		return false
	}
	f.Function, f.Linker, f.Offset, f.Source = s.Name, s.Linker, off, FromSymbols
	return true
}

func (e *ELF) appendAbsolute(dst []Frame, addr uint32) []Frame {
	t := e.table()
	i, ok := t.abs[addr]
	if !ok {
		return dst
	}
	s := &t.all[i]
	return append(dst, Frame{Addr: addr, Function: s.Name, Linker: s.Linker, Source: FromSymbols})
}
