package size

import (
	"encoding/binary"
	"sort"
)

// calleeSaved is s0, s1 and s2 to s11: what a call leaves as it is (RISC-V
// calling convention).
const calleeSaved = 1<<8 | 1<<9 | 0x0ffc0000

// reference is an instruction or word that holds the address of data.
type reference struct{ from, to uint32 }

// codeReferences finds the addresses that code forms (RISC-V ISA manual, volume
// I, RV32I and C): lui or auipc and a following addi, load or store with the
// same register, and offsets from gp. A register's value is forgotten when it is
// written, and at the start of each function.
func codeReferences(code []byte, base, gp uint32, starts func(uint32) bool) []reference {
	le := binary.LittleEndian
	var out []reference
	var value [32]uint32
	var known uint32 // bit set of registers
	reset := func() {
		known = 0
		if gp != 0 {
			known, value[3] = 1<<3, gp
		}
	}
	set := func(rd, v uint32) {
		if rd != 0 && rd != 3 {
			value[rd], known = v, known|1<<rd
		}
	}
	forget := func(rd uint32) {
		if rd != 3 {
			known &^= 1 << rd
		}
	}
	use := func(pc, rs, imm uint32) {
		if known>>rs&1 == 1 {
			out = append(out, reference{pc, value[rs] + imm})
		}
	}
	reset()
	for i := 0; i+2 <= len(code); {
		pc := base + uint32(i)
		if starts(pc) {
			reset()
		}
		h := uint32(le.Uint16(code[i:]))
		if h&3 != 3 {
			i += 2
			rd, short := h>>7&31, h>>2&7+8
			switch h & 0xe003 {
			case 0x4000, 0xc000: // c.lw, c.sw
				rs := h>>7&7 + 8
				use(pc, rs, h>>10&7<<3|h>>6&1<<2|h>>5&1<<6)
				if h&0xe003 == 0x4000 {
					forget(short)
				}
			case 0x0001: // c.addi
				if known>>rd&1 == 1 && rd != 0 {
					v := value[rd] + sext(h>>2&31|h>>12&1<<5, 6)
					out = append(out, reference{pc, v})
					forget(rd)
				}
			case 0x4001: // c.li
				forget(rd)
			case 0x6001: // c.lui
				if rd == 2 {
					break
				}
				set(rd, sext(h>>2&31|h>>12&1<<5, 6)<<12)
			case 0x8001: // arithmetic on the short registers
				forget(h>>7&7 + 8)
			case 0x0000: // c.addi4spn
				forget(short)
			case 0x0002, 0x4002: // c.slli, c.lwsp
				forget(rd)
			case 0x8002: // c.mv, c.add, c.jr, c.jalr
				rs := h >> 2 & 31
				switch {
				case rs == 0 && h>>12&1 == 1:
					known &= 1<<3 | calleeSaved
				case rs == 0:
				case h>>12&1 == 0 && known>>rs&1 == 1:
					set(rd, value[rs])
				default:
					forget(rd)
				}
			}
			continue
		}
		if i+4 > len(code) {
			break
		}
		w := le.Uint32(code[i:])
		i += 4
		rd, rs1 := w>>7&31, w>>15&31
		switch w & 0x7f {
		case 0x37: // lui
			set(rd, w&0xfffff000)
		case 0x17: // auipc
			set(rd, pc+w&0xfffff000)
		case 0x13: // immediate arithmetic
			if w>>12&7 == 0 && known>>rs1&1 == 1 {
				out = append(out, reference{pc, value[rs1] + sext(w>>20, 12)})
			}
			forget(rd)
		case 0x03: // loads
			use(pc, rs1, sext(w>>20, 12))
			forget(rd)
		case 0x23: // stores
			use(pc, rs1, sext(w>>25<<5|w>>7&31, 12))
		case 0x6f, 0x67: // jal, jalr
			if rd == 1 {
				known &= 1<<3 | calleeSaved
			}
		case 0x33, 0x73, 0x2f:
			forget(rd)
		}
	}
	return out
}

func sext(v uint32, bits uint) uint32 {
	return uint32(int32(v<<(32-bits)) >> (32 - bits))
}

// wordReferences finds the aligned words that are addresses for which in is
// true.
func wordReferences(data []byte, base uint32, in func(uint32) bool) []reference {
	var out []reference
	skip := int(-base & 3)
	for i := skip; i+4 <= len(data); i += 4 {
		if v := binary.LittleEndian.Uint32(data[i:]); in(v) {
			out = append(out, reference{base + uint32(i), v})
		}
	}
	return out
}

func sortReferences(rs []reference) {
	sort.Slice(rs, func(i, j int) bool {
		if rs[i].to != rs[j].to {
			return rs[i].to < rs[j].to
		}
		return rs[i].from < rs[j].from
	})
}
