package rv32

import "slices"

// blockAt returns the block that starts at pc, decoding it if needed; nil if
// the first instruction cannot be fetched.
func (c *CPU) blockAt(pc uint32) *block {
	ci := &c.mem.code
	e := &ci.jump[pc/2%jumpSize]
	if e.pc == pc {
		return e.to
	}
	b := ci.find(pc)
	if b == nil {
		if b = c.build(pc); b == nil {
			return nil
		}
		c.mem.addBlock(b)
	}
	*e = jumpEntry{pc, b}
	return b
}

// build decodes a block. While tracing, which records each instruction, it
// neither fuses instructions nor omits those that only change the program
// counter.
func (c *CPU) build(pc uint32) *block {
	b := &decoding{block: &block{pc: pc}}
	links := 1
	seen := make([]uint32, 0, maxBlock) // a map would be a tenth of a boot
	for b.n < maxBlock {
		if len(c.breaks) != 0 && c.breaks[pc] || c.guard.execute && c.watchesCode(pc) {
			if b.n == 0 {
				b.put(Inst{Op: opBreakpoint}, pc, 2)
				b.cover(c, pc, 2)
				pc += 2
			}
			break
		}
		word, _, ok := c.fetch(pc)
		if !ok {
			break
		}
		in, size := Decode(word, pc)
		b.cover(c, pc, size)
		seen = append(seen, pc)
		if !c.traced {
			in = b.fold(in, pc)
		}
		next := pc + size
		switch op := in.Op; {
		case op >= OpBEQ && op <= OpBGEU:
			in.Rd = uint8(links) // the link of a taken branch
			b.put(in, pc, size)
			b.link[links].back = b.n // made relative to the end below
			links++
			if in.Imm <= pc || links == maxLinks {
				b.fall = next
				return b.finish(c)
			}
		case op == OpJAL && in.Imm == pc:
			b.put(Inst{Op: opJumpSelf, Rd: in.Rd, Imm: in.Imm}, pc, size)
			b.fall = next
			return b.finish(c)
		case op == OpJAL && (slices.Contains(seen, in.Imm) || c.traced && in.Rd != SinkReg):
			in.Rs2 = uint8(links)
			b.put(in, pc, size)
			b.link[links].back = b.n
			b.fall = next
			return b.finish(c)
		case op == OpJAL:
			target := in.Imm
			if in.Rd != SinkReg || c.traced {
				b.put(Inst{Op: OpLI, Rd: in.Rd, Imm: next}, pc, size)
			} else {
				b.n++
			}
			next = target
		case op.endsBlock():
			b.put(in, pc, size)
			b.fall = next
			return b.finish(c)
		case in.Rd == SinkReg && op < OpLB && !c.traced:
			b.n++ // a no-op
		default:
			b.put(in, pc, size)
		}
		pc = next
	}
	if b.n == 0 {
		return nil
	}
	b.fall = pc
	return b.finish(c)
}

// decoding is a block while it is being built.
type decoding struct {
	*block
	ins []uint64
}

func (b *decoding) put(in Inst, pc, size uint32) {
	b.ins = append(b.ins, pack(in))
	b.meta = append(b.meta, slot{pc: pc, done: uint8(b.n), size: uint8(size)})
	b.n++
}

// fold uses the value that the previous instruction has put in a register: an
// address built by two instructions becomes one, and a far call a call.
func (b *decoding) fold(in Inst, pc uint32) Inst {
	last := len(b.ins) - 1
	if last < 0 || Op(b.ins[last]) != OpLI {
		return in
	}
	li := unpack(b.ins[last])
	if in.Rs1 != li.Rd {
		return in
	}
	switch v := li.Imm + in.Imm; in.Op {
	case OpADDI:
		if in.Rd == li.Rd { // nothing reads the first part before it is overwritten
			b.ins, b.meta = b.ins[:last], b.meta[:last]
		}
		return Inst{Op: OpLI, Rd: in.Rd, Imm: v}
	case OpJALR:
		if v &^= 1; v != pc { // a jump to itself by jal means waiting
			return Inst{Op: OpJAL, Rd: in.Rd, Imm: v}
		}
	}
	return in
}

// runs finds consecutive words that are loaded or stored relative to one
// register, upwards or downwards: the typical beginning and end of a function.
// The engine translates the addresses at both ends; if they are in the same
// page, so are those in between. The first word of a run gets the number of the
// others in a field that it does not use, and so does each after it, where
// execution continues if the ends are in different pages. The last is
// unchanged.
func (b *decoding) runs() {
	for i := 0; i < len(b.ins); {
		n := b.run(i)
		for k := i; k+1 < i+n && n >= leastRun; k++ {
			w, others := unpack(b.ins[k]), uint8(i+n-1-k)
			if w.Op == OpLW {
				w.Op, w.Rs2 = opLoads, others
			} else {
				w.Op, w.Rd = opStores, others
			}
			b.ins[k] = pack(w)
		}
		i += max(n, 1)
	}
}

const leastRun = 3

// run returns the length of the run that begins at word i.
func (b *decoding) run(i int) (n int) {
	first := unpack(b.ins[i])
	if first.Op != OpLW && first.Op != OpSW {
		return 0
	}
	var step uint32
	for prev := first; ; n++ {
		if i+n == len(b.ins) {
			return n
		}
		in := unpack(b.ins[i+n])
		if n == 0 {
			continue
		}
		d := in.Imm - prev.Imm
		switch {
		case in.Op != first.Op || in.Rs1 != first.Rs1 || d != 4 && d+4 != 0 || n > 1 && d != step:
			return n
		case in.Op == OpLW && prev.Rd == first.Rs1: // the base register is overwritten here
			return n
		}
		prev, step = in, d
	}
}

// cover records that the block depends on size bytes at addr.
func (b *decoding) cover(c *CPU, addr, size uint32) {
	for size > 0 {
		k := min(size, PageSize-addr%PageSize)
		lines, at := linesOf(addr, k), addr&^(PageSize-1)
		if last := len(b.span) - 1; last >= 0 && b.span[last].addr == at {
			b.span[last].lines |= lines
		} else if mp := c.mem.at(addr); mp.bank != nil {
			b.span = append(b.span, span{at, mp.bank, mp.page, lines})
		}
		addr, size = addr+k, size-k
	}
}

func (b *decoding) finish(c *CPU) *block {
	for i := range b.link {
		if l := &b.link[i]; l.back != 0 {
			l.back = b.n - l.back
		}
	}
	if !c.traced {
		b.runs()
		b.fuse()
	}
	b.block.ins = c.slab.put(append(b.ins, uint64(opFall)))
	return b.block
}

// pack encodes an instruction in one word, which the engine loads once and
// decodes with shifts.
func pack(in Inst) uint64 {
	return uint64(in.Op) | uint64(in.Rd)<<8 | uint64(in.Rs1)<<16 | uint64(in.Rs2)<<24 | uint64(in.Imm)<<32
}

func unpack(w uint64) Inst {
	return Inst{Op: Op(w), Rd: uint8(w >> 8), Rs1: uint8(w >> 16), Rs2: uint8(w >> 24), Imm: uint32(w >> 32)}
}

// fuse replaces frequent pairs of adjacent instructions by one operation. The
// second keeps its word, for its operands, and is skipped.
func (b *decoding) fuse() {
	for i := 0; i+1 < len(b.ins); i++ {
		first, second := Op(b.ins[i]), Op(b.ins[i+1])
		if first >= firstFused || second >= firstFused {
			continue
		}
		if op := fused[first][second]; op != 0 {
			b.ins[i] = b.ins[i]&^0xff | uint64(op)
			i++
		}
	}
}
