package loader

import "encoding/binary"

// The few instructions of RV32I that the patcher needs, as the chip reads them
// (RISC-V Unprivileged ISA, chapter 2). A mistake here is a mistake in a
// constant, so what cannot be encoded panics.

// reg is an integer register.
type reg uint32

const (
	zero reg = 0
	ra   reg = 1
	sp   reg = 2
	t0   reg = 5
	t1   reg = 6
	s0   reg = 8
	s1   reg = 9
	a0   reg = 10
	a1   reg = 11
	a2   reg = 12
	a3   reg = 13
	a4   reg = 14
	s2   reg = 18
	s3   reg = 19
	s4   reg = 20
	s5   reg = 21
	s6   reg = 22
	s7   reg = 23
	s8   reg = 24
)

// assembler collects instructions; branches name labels that may come later.
type assembler struct {
	code   []uint32
	labels map[string]int
	jumps  []jump
}

type jump struct {
	at    int
	label string
	short bool // a branch, not jal
}

func newAssembler() *assembler { return &assembler{labels: map[string]int{}} }

func (a *assembler) emit(word uint32)  { a.code = append(a.code, word) }
func (a *assembler) label(name string) { a.labels[name] = len(a.code) }

// imm12 is the immediate of the I format.
func imm12(v int32) uint32 {
	if v < -2048 || v > 2047 {
		panic("loader: immediate out of range")
	}
	return uint32(v) << 20
}

func (a *assembler) addi(rd, rs reg, v int32) {
	a.emit(imm12(v) | uint32(rs)<<15 | uint32(rd)<<7 | 0x13)
}
func (a *assembler) andi(rd, rs reg, v int32) {
	a.emit(imm12(v) | uint32(rs)<<15 | 7<<12 | uint32(rd)<<7 | 0x13)
}
func (a *assembler) add(rd, x, y reg) {
	a.emit(uint32(y)<<20 | uint32(x)<<15 | uint32(rd)<<7 | 0x33)
}
func (a *assembler) sub(rd, x, y reg) {
	a.emit(0x20<<25 | uint32(y)<<20 | uint32(x)<<15 | uint32(rd)<<7 | 0x33)
}
func (a *assembler) lw(rd reg, off int32, base reg) {
	a.emit(imm12(off) | uint32(base)<<15 | 2<<12 | uint32(rd)<<7 | 0x03)
}
func (a *assembler) lbu(rd reg, off int32, base reg) {
	a.emit(imm12(off) | uint32(base)<<15 | 4<<12 | uint32(rd)<<7 | 0x03)
}
func (a *assembler) store(width uint32, src reg, off int32, base reg) {
	v := imm12(off) >> 20
	a.emit(v>>5<<25 | uint32(src)<<20 | uint32(base)<<15 | width<<12 | v&31<<7 | 0x23)
}
func (a *assembler) sb(src reg, off int32, base reg) { a.store(0, src, off, base) }
func (a *assembler) sw(src reg, off int32, base reg) { a.store(2, src, off, base) }

// li loads any value.
func (a *assembler) li(rd reg, v uint32) {
	low := int32(v<<20) >> 20
	if v+2048 < 4096 {
		a.addi(rd, zero, low)
		return
	}
	a.emit((v-uint32(low))&0xfffff000 | uint32(rd)<<7 | 0x37)
	if low != 0 {
		a.addi(rd, rd, low)
	}
}

func (a *assembler) mv(rd, rs reg) { a.addi(rd, rs, 0) }

// call calls a function of the mask ROM, in its first 2 KiB of thunks.
func (a *assembler) call(addr uint32) {
	a.li(t0, addr&^0xfff)
	a.emit(imm12(int32(addr&0xfff)) | uint32(t0)<<15 | uint32(ra)<<7 | 0x67)
}

func (a *assembler) jr(rs reg) { a.emit(uint32(rs)<<15 | 0x67) }

func (a *assembler) branch(kind uint32, x, y reg, label string) {
	a.jumps = append(a.jumps, jump{len(a.code), label, true})
	a.emit(uint32(y)<<20 | uint32(x)<<15 | kind<<12 | 0x63)
}
func (a *assembler) beq(x, y reg, label string)  { a.branch(0, x, y, label) }
func (a *assembler) bne(x, y reg, label string)  { a.branch(1, x, y, label) }
func (a *assembler) bltu(x, y reg, label string) { a.branch(6, x, y, label) }

func (a *assembler) j(label string) {
	a.jumps = append(a.jumps, jump{len(a.code), label, false})
	a.emit(0x6f)
}

// bytes resolves the labels.
func (a *assembler) bytes() []byte {
	for _, j := range a.jumps {
		to, ok := a.labels[j.label]
		if !ok {
			panic("loader: no label " + j.label)
		}
		d := uint32(4 * (to - j.at))
		if j.short {
			a.code[j.at] |= d>>12&1<<31 | d>>5&0x3f<<25 | d>>1&0xf<<8 | d>>11&1<<7
		} else {
			a.code[j.at] |= d>>20&1<<31 | d>>1&0x3ff<<21 | d>>11&1<<20 | d>>12&0xff<<12
		}
	}
	var out []byte
	for _, w := range a.code {
		out = binary.LittleEndian.AppendUint32(out, w)
	}
	return out
}
