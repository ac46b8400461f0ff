package rv32

import "encoding/binary"

// Functions that the block engine (zblock.go) calls outside of its fast path.

// chain links a block to the block at target, and returns that; if there is
// none, it returns nil with PC at target.
func (c *CPU) chain(from *block, k uint8, target uint32, left int64) *block {
	b := c.blockAt(target)
	if b == nil {
		c.pc, c.cycles = target, c.base-uint64(left)
		return nil
	}
	if from.dead || b.dead {
		return b
	}
	from.link[k%maxLinks].to = b
	if len(b.in) >= 32 && len(b.in)&(len(b.in)-1) == 0 {
		// links of dropped blocks accumulate at code that is kept
		live := b.in[:0]
		for _, e := range b.in {
			if !e.from.dead {
				live = append(live, e)
			}
		}
		clear(b.in[len(live):])
		b.in = live
	}
	b.in = append(b.in, entrance{from, k % maxLinks})
	return b
}

// slowLoad is a load that missed the fast path. The second result is "go on" or
// "stop" if it has retired and "trapped" if it has not; in the last two cases
// PC is the address at which execution continues. The index is returned so that
// the engine does not have to keep it in a register over the call.
func (c *CPU) slowLoad(b *block, i uint, left int64, addr, size uint32) (uint32, uint, outcome) {
	me := &b.meta[i]
	c.pc, c.cycles = me.pc, c.base-uint64(left+b.n-int64(me.done))
	v, ok := c.load(addr, size)
	if !ok {
		c.exception(c.fault, addr)
		return 0, i, trapped
	}
	if c.attn {
		c.pc += uint32(me.size)
		c.cycles++
		return v, i, stop
	}
	if mp := c.mem.at(addr); mp.perm&Read != 0 && c.cachesLoads(addr) {
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

// slowStore is a store that missed the fast path; see slowLoad. Most of them
// are to variables in a page with code, as where the code that a program keeps
// in RAM ends and its data begins.
func (c *CPU) slowStore(b *block, i uint, left int64, addr, size, v uint32) (uint, outcome) {
	if e := &c.mem.mixed[addr>>pageShift%mixedSize]; e.tag == addr&^(PageSize-size) && e.free(addr) {
		switch p := e.page[addr%PageSize:]; size {
		case 1:
			p[0] = byte(v)
		case 2:
			binary.LittleEndian.PutUint16(p, uint16(v))
		default:
			binary.LittleEndian.PutUint32(p, v)
		}
		return i, goOn
	}
	me := &b.meta[i]
	c.pc, c.cycles = me.pc, c.base-uint64(left+b.n-int64(me.done))
	if !c.store(addr, size, v) {
		c.exception(c.fault, addr)
		return i, trapped
	}
	if c.attn {
		c.pc += uint32(me.size)
		c.cycles++
		return i, stop
	}
	if mp := c.mem.at(addr); mp.perm&Write != 0 {
		watched, ok := c.cachesStores(addr)
		if !ok {
			return i, goOn
		}
		t := translation{addr &^ (PageSize - 1), mp.bytes()}
		if code := &mp.bank.code[mp.page]; code.special()|watched == 0 {
			c.mem.wr[addr>>pageShift%tlbSize] = t
		} else {
			c.mem.mixed[addr>>pageShift%mixedSize] = mixedPage{t, code, watched}
		}
	}
	return i, goOn
}

// slowSystem executes any instruction like the reference engine.
func (c *CPU) slowSystem(b *block, i uint, left int64) (uint, outcome) {
	w := b.ins[i%windowSize]
	if c.irq == 0 && !c.traced && c.quickMstatus(w) {
		return i, goOn
	}
	me := &b.meta[i]
	c.pc, c.cycles, c.trapped = me.pc, c.base-uint64(left+b.n-int64(me.done)), false
	if !c.traced && c.quickCount(w) {
		if c.attn {
			c.pc += uint32(me.size)
			c.cycles++
			return i, stop
		}
		return i, goOn
	}
	in := unpack(w)
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

// tail executes the rest of the budget when the next block is longer.
func (c *CPU) tail() {
	for c.cycles < c.until && !c.attn {
		if len(c.breaks) != 0 && c.breakHere() {
			c.exit, c.attn = ExitBreak, true
			return
		}
		c.step()
	}
}

// budget starts the accounting of cycles: blocks count the remaining cycles
// down, and base is the end. Both stay within 63 bits.
func (c *CPU) budget() int64 {
	left := min(c.until-c.cycles, 1<<62)
	c.base = c.cycles + left
	return int64(left)
}

// fetchFault is the trap of an instruction that cannot be fetched.
func (c *CPU) fetchFault() {
	_, at, _ := c.fetch(c.pc)
	c.exception(CauseFetch, at)
}

func (c *CPU) runBlocks() Exit {
	if c.traced {
		return c.runTraced()
	}
	return c.runFast()
}
