package rv32

import "encoding/binary"

// load is a data load of size bytes, zero-extended, after a miss in the
// look-aside table, or without one (reference engine). Accesses to plain memory
// may be misaligned, those to the Bus may not.
func (c *CPU) load(addr uint32, size uint32) (v uint32, ok bool) {
	c.fault = CauseLoad
	if c.guard.data || c.guard.pmp {
		if !c.permitted(trigLoad, addr, size) {
			return 0, false
		}
	}
	mp := c.mem.at(addr)
	off := addr % PageSize
	switch {
	case mp.perm&Read == 0:
		if addr&(size-1) != 0 {
			return 0, false
		}
		v, ok = c.bus.Load(addr, int(size))
		v &= 1<<(8*size) - 1
		if !ok {
			return 0, false
		}
	case off+size > PageSize:
		if c.mem.at(addr+size).perm&Read == 0 {
			return 0, false
		}
		var b [4]byte
		c.mem.Read(addr, b[:size])
		v = binary.LittleEndian.Uint32(b[:])
	default:
		p := mp.bytes()
		switch size {
		case 1:
			v = uint32(p[off])
		case 2:
			v = uint32(binary.LittleEndian.Uint16(p[off:]))
		default:
			v = binary.LittleEndian.Uint32(p[off:])
		}
	}
	if h := c.Hooks; h != nil && h.Access != nil {
		h.Access(Access{Addr: addr, Value: v, Size: int(size)})
	}
	return v, true
}

// store is a data store of the low size bytes of v, like load.
func (c *CPU) store(addr uint32, size uint32, v uint32) bool {
	c.fault = CauseStore
	if c.guard.data || c.guard.pmp {
		if !c.permitted(trigStore, addr, size) {
			return false
		}
	}
	mp := c.mem.at(addr)
	off := addr % PageSize
	switch {
	case mp.perm&Write == 0:
		if addr&(size-1) != 0 {
			return false
		}
		if !c.bus.Store(addr, int(size), v&(1<<(8*size)-1)) {
			return false
		}
	case off+size > PageSize:
		if c.mem.at(addr+size).perm&Write == 0 {
			return false
		}
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], v)
		c.mem.Write(addr, b[:size])
		c.attn = true // a block that was overwritten may be running
	default:
		p := mp.bank.own(mp.page)
		switch size {
		case 1:
			p[off] = byte(v)
		case 2:
			binary.LittleEndian.PutUint16(p[off:], uint16(v))
		default:
			binary.LittleEndian.PutUint32(p[off:], v)
		}
		if lines := linesOf(off, size); mp.bank.code[mp.page].special()&lines != 0 {
			c.mem.dropLines(mp.bank, mp.page, lines)
			c.attn = true
		}
	}
	if h := c.Hooks; h != nil && h.Access != nil {
		h.Access(Access{Addr: addr, Value: v & (1<<(8*size) - 1), Size: int(size), Store: true})
	}
	return true
}
