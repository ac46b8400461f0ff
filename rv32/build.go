package rv32

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

// build decodes a block. Fusing and leaving out instructions that only move
// the program counter is not done while tracing, which shows each one.
func (c *CPU) build(pc uint32) *block {
	b := &block{pc: pc}
	links := 1
	seen := map[uint32]bool{}
	for b.n < maxBlock {
		if len(c.breaks) != 0 && c.breaks[pc] {
			if b.n == 0 {
				b.put(Inst{Op: opBreakpoint}, pc, 2)
				b.cover(c, pc, 2)
				pc += 2
			}
			break
		}
		word, _, ok := c.mem.fetch(pc)
		if !ok {
			break
		}
		in, size := Decode(word, pc)
		b.cover(c, pc, size)
		seen[pc] = true
		next := pc + size
		switch op := in.Op; {
		case op >= OpBEQ && op <= OpBGEU:
			in.Rd = uint8(links) // which link a taken branch leaves by
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
		case op == OpJAL && (seen[in.Imm] || c.traced && in.Rd != SinkReg):
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

func (b *block) put(in Inst, pc, size uint32) {
	b.ins = append(b.ins, pack(in))
	b.meta = append(b.meta, slot{pc: pc, done: uint8(b.n), size: uint8(size)})
	b.n++
}

// cover records that the block depends on size bytes at addr.
func (b *block) cover(c *CPU, addr, size uint32) {
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

func (b *block) finish(c *CPU) *block {
	for i := range b.link {
		l := &b.link[i]
		l.from = b
		if l.back != 0 {
			l.back = b.n - l.back
		}
	}
	if !c.traced {
		b.fuse()
	}
	return b
}

// pack puts an instruction in one word, which the engine loads once and takes
// apart with shifts.
func pack(in Inst) uint64 {
	return uint64(in.Op) | uint64(in.Rd)<<8 | uint64(in.Rs1)<<16 | uint64(in.Rs2)<<24 | uint64(in.Imm)<<32
}

func unpack(w uint64) Inst {
	return Inst{Op: Op(w), Rd: uint8(w >> 8), Rs1: uint8(w >> 16), Rs2: uint8(w >> 24), Imm: uint32(w >> 32)}
}

// fuse rewrites frequent neighbours to an operation that does both. The second
// keeps its place, for its operands, and is stepped over.
func (b *block) fuse() {
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

// chain makes the link of a block lead to the block at target, and returns
// that; nil, with the CPU in front of it, if there is none.
func (c *CPU) chain(l *link, target uint32, left int64) *block {
	from := l.from
	b := c.blockAt(target)
	if b == nil {
		c.pc, c.cycles = target, c.base-uint64(left)
		return nil
	}
	if from.dead || b.dead {
		return b
	}
	l.to = b
	if len(b.in) >= 32 && len(b.in)&(len(b.in)-1) == 0 {
		// links of dropped blocks pile up at code that stays
		live := b.in[:0]
		for _, l := range b.in {
			if !l.from.dead {
				live = append(live, l)
			}
		}
		clear(b.in[len(live):])
		b.in = live
	}
	b.in = append(b.in, l)
	return b
}

// slowLoad is a load that missed the fast path. In the second result, go on
// and stop mean that it has retired, trapped that it has not; in the last two
// cases the CPU stands where execution continues. The index is handed back so
// that the engine need not keep it over the call.
func (c *CPU) slowLoad(b *block, i uint, left int64, addr, size uint32) (uint32, uint, outcome) {
	me := &b.meta[i]
	c.pc, c.cycles = me.pc, c.base-uint64(left+b.n-int64(me.done))
	v, ok := c.load(addr, size)
	if !ok {
		c.exception(CauseLoad, addr)
		return 0, i, trapped
	}
	if c.attn {
		c.pc += uint32(me.size)
		c.cycles++
		return v, i, stop
	}
	if mp := c.mem.at(addr); mp.perm&Read != 0 {
		c.mem.rd[addr>>pageShift%tlbSize] = translation{addr &^ (PageSize - 1), mp.bytes()}
	}
	return v, i, goOn
}

type outcome uint8

const (
	goOn outcome = iota
	stop
	trapped
)

// slowStore is a store that missed the fast path; see slowLoad.
func (c *CPU) slowStore(b *block, i uint, left int64, addr, size, v uint32) (uint, outcome) {
	me := &b.meta[i]
	c.pc, c.cycles = me.pc, c.base-uint64(left+b.n-int64(me.done))
	if !c.store(addr, size, v) {
		c.exception(CauseStore, addr)
		return i, trapped
	}
	if c.attn {
		c.pc += uint32(me.size)
		c.cycles++
		return i, stop
	}
	if mp := c.mem.at(addr); mp.perm&Write != 0 && mp.bank.code[mp.page].lines == 0 {
		c.mem.wr[addr>>pageShift%tlbSize] = translation{addr &^ (PageSize - 1), mp.bytes()}
	}
	return i, goOn
}

// slowSystem executes an instruction of any kind as the reference engine does.
func (c *CPU) slowSystem(b *block, i uint, left int64) (uint, outcome) {
	me := &b.meta[i]
	c.pc, c.cycles, c.trapped = me.pc, c.base-uint64(left+b.n-int64(me.done)), false
	in := unpack(b.ins[i])
	switch in.Op {
	case opBreakpoint:
		if c.breakHere() {
			c.exit, c.attn = ExitBreak, true
		} else {
			c.step()
		}
		return i, trapped
	case opJumpSelf:
		in.Op = OpJAL
	}
	c.execute(&in, c.pc+uint32(me.size))
	if c.traced && !c.trapped {
		c.hash = mix(c.hash, me.pc, c.x[in.Rd])
	}
	if c.trapped {
		return i, trapped
	}
	if c.attn {
		return i, stop
	}
	return i, goOn
}

// tail runs what is left of the budget when the next block is longer than it.
func (c *CPU) tail() {
	for c.cycles < c.until && !c.attn {
		if len(c.breaks) != 0 && c.breakHere() {
			c.exit, c.attn = ExitBreak, true
			return
		}
		c.step()
	}
}

// budget starts the accounting of cycles: what is left is counted down by the
// block, and base is where it ends. Both stay within 63 bits.
func (c *CPU) budget() int64 {
	left := min(c.until-c.cycles, 1<<62)
	c.base = c.cycles + left
	return int64(left)
}

// fetchFault is the trap of an instruction that cannot be fetched.
func (c *CPU) fetchFault() {
	_, at, _ := c.mem.fetch(c.pc)
	c.exception(CauseFetch, at)
}

func (c *CPU) runBlocks() Exit {
	if c.traced {
		return c.runTraced()
	}
	return c.runFast()
}
