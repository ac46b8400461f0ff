package chip

import (
	"cmp"
	"fmt"
	"slices"
)

// Access is a register that the guest used although it is not modelled. Such a
// register behaves as memory: it reads as zero or as what was written last.
type Access struct {
	Addr   uint32
	Block  string // name of the hardware block, empty where there is none
	Reads  uint64
	Writes uint64
	// First use: program counter, time, and the value read or written.
	PC    uint32
	At    Time
	Value uint32
}

func (a Access) String() string {
	block := a.Block
	if block == "" {
		block = "no block"
	}
	return fmt.Sprintf("0x%08x (%s): %d reads, %d writes, first at pc 0x%08x, %ss, value 0x%08x",
		a.Addr, block, a.Reads, a.Writes, a.PC, a.At, a.Value)
}

// accesses collects unmodelled accesses by address. It is off the fast path:
// modelled registers never come here.
type accesses struct {
	byAddr map[uint32]*Access
}

func (l *accesses) note(block string, addr uint32, write bool, value, pc uint32, at Time) {
	a := l.byAddr[addr]
	if a == nil {
		if l.byAddr == nil {
			l.byAddr = make(map[uint32]*Access)
		}
		a = &Access{Addr: addr, Block: block, PC: pc, At: at, Value: value}
		l.byAddr[addr] = a
	}
	if write {
		a.Writes++
	} else {
		a.Reads++
	}
}

// list returns the accesses by address.
func (l *accesses) list() []Access {
	out := make([]Access, 0, len(l.byAddr))
	for _, a := range l.byAddr {
		out = append(out, *a)
	}
	slices.SortFunc(out, func(a, b Access) int { return cmp.Compare(a.Addr, b.Addr) })
	return out
}
