package firmware

import (
	"debug/elf"
	"encoding/binary"
)

// callGraph knows the call instructions of the code.
type callGraph struct {
	sites   map[uint32]uint32   // return address to the function called, 0 if that is only known at run time
	callers map[uint32][]uint32 // function to the return addresses of its direct calls
}

func (e *ELF) calls() *callGraph {
	e.callsOnce.Do(func() {
		g := &callGraph{sites: map[uint32]uint32{}, callers: map[uint32][]uint32{}}
		for i := range e.sections {
			s := &e.sections[i]
			if s.flags&elf.SHF_EXECINSTR == 0 || s.typ == elf.SHT_NOBITS {
				continue
			}
			if code, err := e.data(s); err == nil {
				g.scan(code, s.addr)
			}
		}
		e.graph = g
	})
	return e.graph
}

// scan finds the instructions that write a return address to ra (RISC-V ISA
// manual, volume I, chapters RV32I and C): jal, jalr, c.jal, c.jalr, and auipc
// with jalr, which is how a far call looks.
func (g *callGraph) scan(code []byte, base uint32) {
	le := binary.LittleEndian
	type far struct {
		reg, at uint32
		end     int // where the jalr must follow
	}
	upper := far{end: -1}
	for i := 0; i+2 <= len(code); {
		pc := base + uint32(i)
		h := uint32(le.Uint16(code[i:]))
		if h&3 != 3 {
			i += 2
			switch {
			case h&0xe003 == 0x2001: // c.jal
				off := h>>3&7<<1 | h>>11&1<<4 | h>>2&1<<5 | h>>7&1<<6 | h>>6&1<<7 | h>>9&3<<8 | h>>8&1<<10 | h>>12&1<<11
				g.add(pc+2, pc+signExtend(off, 12))
			case h&0xf07f == 0x9002 && h>>7&31 != 0: // c.jalr
				g.add(pc+2, 0)
			}
			continue
		}
		if i+4 > len(code) {
			return
		}
		w := le.Uint32(code[i:])
		i += 4
		rd, rs1 := w>>7&31, w>>15&31
		switch w & 0x7f {
		case 0x17: // auipc
			upper = far{reg: rd, at: pc + w&0xfffff000, end: i}
		case 0x6f: // jal
			if rd == 1 {
				off := w>>21&0x3ff<<1 | w>>20&1<<11 | w>>12&0xff<<12 | w>>31<<20
				g.add(pc+4, pc+signExtend(off, 21))
			}
		case 0x67: // jalr
			switch {
			case rd != 1:
			case upper.end == i-4 && upper.reg == rs1:
				g.add(pc+4, upper.at+signExtend(w>>20, 12))
			default:
				g.add(pc+4, 0)
			}
		}
	}
}

func (g *callGraph) add(ret, target uint32) {
	g.sites[ret] = target
	if target != 0 {
		g.callers[target] = append(g.callers[target], ret)
	}
}

func signExtend(v uint32, bits uint) uint32 {
	return uint32(int32(v<<(32-bits)) >> (32 - bits))
}

// CallTargets returns the addresses that direct calls go to, in no order:
// functions of the program and of the mask ROM.
func (e *ELF) CallTargets() []uint32 {
	g := e.calls()
	out := make([]uint32, 0, len(g.callers))
	for to := range g.callers {
		out = append(out, to)
	}
	return out
}
