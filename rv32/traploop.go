package rv32

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// An exception whose handler ends in the same exception never ends: the handler at
// mtvec faults itself, or returns to the instruction that faulted. Executing such a
// loop is work without a result. When the same exception repeats, this file executes
// one round of the loop step by step; if the round ends in the state in which it has
// begun, so do all later ones, up to the next event, and they are skipped.

// TrapLoop is an exception that repeats without an end.
type TrapLoop struct {
	PC, Cause, Value uint32 // as in mepc, mcause and mtval
	Handler          uint32 // the address that the exception jumps to
	Cycles           uint64 // of a round
	// Nested: the handler faults before it has returned once, thousands of times,
	// each time at another address, as when it saves registers on a stack that has
	// left memory. That goes through the whole address space; no cycle is skipped.
	Nested bool
	// Interruptible: interrupts are enabled during a part of the round. Interrupts
	// counts those that the CPU has taken since it was made.
	Interruptible bool
	Interrupts    uint64
}

// CauseName returns the name of an exception in the RISC-V privileged architecture,
// table 3.6, in lower case.
func CauseName(cause uint32) string {
	switch cause {
	case CauseFetch:
		return "instruction access fault"
	case CauseIllegal:
		return "illegal instruction"
	case CauseBreak:
		return "breakpoint"
	case CauseLoad:
		return "load access fault"
	case CauseStore:
		return "store access fault"
	case CauseEcallU:
		return "environment call from user mode"
	case CauseEcallM:
		return "environment call from machine mode"
	}
	return fmt.Sprintf("exception %d", cause)
}

const (
	trapHits    = 16   // equal exceptions before a round is looked at
	trapLongest = 1024 // instructions of a round
	trapPause   = 1024 // exceptions after a failed attempt
	trapNested  = 4096 // faults of a handler that count as a loop
)

// trapState counts exceptions that are equal to the one before.
type trapState struct {
	pc, cause, value uint32
	last             uint64 // cycle
	hits             int
	armed            bool
	returned         bool // mret was executed since the last exception
	nested           int
	interrupts       uint64 // taken
}

// repeated is called at each exception, before mepc changes.
func (c *CPU) repeated(cause, value uint32) {
	t := &c.traps
	d := c.cycles - t.last
	t.last = c.cycles
	if t.pc != c.pc || t.cause != cause || t.returned || cause != CauseStore && cause != CauseLoad || c.noSpin {
		t.nested = 0
	} else if t.nested++; t.nested%trapNested == 0 {
		t.armed, c.attn = true, true
	}
	t.returned = false
	if t.pc != c.pc || t.cause != cause || t.value != value || d > trapLongest {
		t.pc, t.cause, t.value, t.hits = c.pc, cause, value, 0
		return
	}
	if t.hits++; t.hits >= trapHits && !c.noSpin && !c.traced && c.Hooks == nil && c.OnTrap == nil && !c.counts() &&
		len(c.breaks) == 0 && len(c.regions) == 0 {
		t.armed, c.attn = true, true
	}
}

// skipTrapLoop is called between instructions, after an exception that has been
// repeated. It executes a round. If that ends in the state in which it has begun, the
// loop is endless; if only counters differ, rounds are skipped that are proved to
// take the same path.
func (c *CPU) skipTrapLoop() {
	t := &c.traps
	loop := TrapLoop{PC: c.csr.Mepc, Cause: c.csr.Mcause, Value: c.csr.Mtval, Handler: c.pc, Interrupts: c.traps.interrupts}
	if t.hits < trapHits {
		loop.Nested = true
		if c.OnTrapLoop != nil {
			c.OnTrapLoop(loop)
		}
		return
	}
	t.hits = -trapPause
	x, csr, mode, begin, stores := c.x, c.csr, c.mode, c.cycles, false
	p := proof{c: c}
	for range trapLongest {
		if c.cycles >= c.until {
			t.hits = 0 // the run ends
			return
		}
		if c.waiting || c.yield || c.exit != exitNone {
			return
		}
		loop.Interruptible = loop.Interruptible || c.interruptible()
		if c.irq != 0 && c.interruptible() {
			return
		}
		s, effect := c.nextStep()
		c.step()
		if s.trapped, s.to = c.trapped, c.pc; c.trapped {
			s.cause, s.value = c.csr.Mcause, c.csr.Mtval
		}
		p.path = append(p.path, s)
		switch {
		case !c.trapped && effect == effectOther:
			return
		case !c.trapped && effect == effectStore:
			stores = true
			continue
		case !c.trapped || c.csr.Mepc != loop.PC || c.csr.Mcause != loop.Cause || c.pc != loop.Handler:
			continue
		case c.csr != csr || c.mode != mode:
			return
		}
		loop.Cycles = c.cycles - begin
		if c.x == x && !stores {
			if c.OnTrapLoop != nil {
				c.OnTrapLoop(loop)
			}
			if c.until > c.cycles && !c.yield {
				c.cycles += (c.until - c.cycles) / loop.Cycles * loop.Cycles
			}
		} else {
			p.length = loop.Cycles
			if c.until <= c.cycles || (c.until-c.cycles)/p.length < spinLeast {
				t.hits = 0
				return
			}
			skipped, _ := p.longest((c.until - c.cycles) / p.length)
			if skipped == 0 {
				return
			}
			if t.nested > 0 { // the handler has not returned in any of them
				if t.nested += int(skipped); t.nested >= trapNested && c.OnTrapLoop != nil {
					loop.Nested, t.nested = true, 0
					c.OnTrapLoop(loop)
				}
			}
		}
		t.last, t.hits = c.cycles, trapHits
		return
	}
}

// effect is what an instruction does if it does not trap.
type effect uint8

const (
	effectNone  effect = iota // it changes registers only, or stores what is in memory already
	effectStore               // it stores to plain memory
	effectOther
)

// nextStep returns the instruction at pc and its effect if it does not trap.
func (c *CPU) nextStep() (step, effect) {
	s := step{pc: c.pc, next: c.pc + 2}
	word, _, ok := c.fetch(c.pc)
	if !ok {
		return s, effectNone
	}
	in, size := Decode(word, c.pc)
	s.in, s.next = in, c.pc+size
	addr := c.x[in.Rs1] + in.Imm
	switch op := in.Op; {
	case op > OpFENCE && op <= OpLHU:
		if c.mem.at(addr).perm&Read == 0 {
			return s, effectOther
		}
	case op >= OpSB && op <= OpSW:
		if c.mem.at(addr).perm&Write == 0 {
			return s, effectOther
		}
		size := 1 << (op - OpSB)
		var old, now [4]byte
		binary.LittleEndian.PutUint32(now[:], c.x[in.Rs2])
		if !c.mem.Read(addr, old[:size]) || !bytes.Equal(old[:size], now[:size]) {
			return s, effectStore
		}
	case op >= OpCSRRW && op <= OpCSRRCI:
		if known, _ := c.csrWord(uint16(in.Imm >> 20)); known == nil && c.csrBus != nil {
			return s, effectOther
		}
	case op == OpWFI, op == OpEBREAK && c.OnEbreak != nil:
		return s, effectOther
	}
	return s, effectNone
}
