package rv32

// What the block engine (zblock.go) calls when its loop cannot go on by itself.

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
