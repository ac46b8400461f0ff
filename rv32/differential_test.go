package rv32

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// The environment of the differential tests: a bank at two addresses, read-only
// memory with the trap handlers, and a bus with side effects.
const (
	ramAt   = 0x10000000
	aliasAt = 0x20000000
	romAt   = 0x30000000
	busAt   = 0x60000000
	ramSize = 4 * PageSize
)

// trickBus returns values that are a hash of the access and its address and
// time, so that any difference between engines propagates; some accesses change
// interrupts, the budget or the memory map.
type trickBus struct {
	c    *CPU
	ram  *Bank
	hash uint64
	n    int

	saved []Pages // the last snapshot of ram
}

func (b *trickBus) at(addr uint32, v uint32) uint64 {
	b.n++
	b.hash = mix(b.hash, addr, v)
	b.hash = mix(b.hash, b.c.PC(), uint32(b.c.Cycles()))
	return b.hash
}

func (b *trickBus) Load(addr uint32, size int) (uint32, bool) {
	h := b.at(addr, uint32(size))
	if addr>>28 != busAt>>28 {
		return 0, false
	}
	switch addr >> 2 & 7 {
	case 0: // address at which to continue after a trap: somewhere in memory
		return ramAt + uint32(h)%ramSize, true
	case 1:
		b.c.TimerRead()
		return uint32(b.c.Cycles()), true
	}
	return uint32(h), h>>40&63 != 0
}

func (b *trickBus) Store(addr uint32, size int, v uint32) bool {
	h := b.at(addr, v)
	if addr>>28 != busAt>>28 {
		return false
	}
	switch addr >> 2 & 7 {
	case 0:
		b.c.SetIRQ(uint8(h))
	case 1:
		b.c.Limit(b.c.Cycles() + h>>3&31)
	case 2:
		b.c.Yield()
	case 3: // remap one page of the alias, or of the code itself
		at := uint32(aliasAt)
		if h>>9&7 == 0 {
			at = ramAt
		}
		page := uint32(h) & 3
		b.c.Memory().Map(at+page*PageSize, b.ram, uint32(h>>4&3)*PageSize, PageSize, Read|Write|Exec)
	case 4: // a DMA engine writes
		off := uint32(h) % (ramSize - 8)
		b.ram.put(int(off), uint32(h>>20))
	case 5:
		b.c.SetIRQ(0)
	case 6: // a snapshot is taken: pages are copied before the next write
		b.saved = append(b.saved[:0], b.ram.Share())
	case 7: // and restored
		for _, p := range b.saved {
			b.ram.Replace(p)
		}
	}
	return h>>40&63 != 0
}

func (b *trickBus) LoadCSR(n uint16) (uint32, bool)  { return uint32(b.at(uint32(n), 0)), n == 0x803 }
func (b *trickBus) StoreCSR(n uint16, v uint32) bool { b.at(uint32(n), v); return n == 0x805 }

func rType(f7, rs2, rs1, f3, rd, op uint32) uint32 {
	return f7<<25 | rs2<<20 | rs1<<15 | f3<<12 | rd<<7 | op
}
func iType(imm, rs1, f3, rd, op uint32) uint32 { return imm<<20 | rs1<<15 | f3<<12 | rd<<7 | op }
func sType(imm, rs2, rs1, f3 uint32) uint32 {
	return imm>>5&127<<25 | rs2<<20 | rs1<<15 | f3<<12 | imm&31<<7 | 0x23
}
func bType(imm, rs2, rs1, f3 uint32) uint32 {
	return imm>>12&1<<31 | imm>>5&63<<25 | rs2<<20 | rs1<<15 | f3<<12 | imm>>1&15<<8 | imm>>11&1<<7 | 0x63
}
func jType(imm, rd uint32) uint32 {
	return imm>>20&1<<31 | imm>>1&0x3ff<<21 | imm>>11&1<<20 | imm>>12&255<<12 | rd<<7 | 0x6f
}
func lui(rd, v uint32) uint32 { return v&^0xfff | rd<<7 | 0x37 }

// trapROM is the handler of every trap: it restores the base registers, reads
// the address at which to continue from the bus, and sometimes continues in
// user mode.
func trapROM() []byte {
	var b []byte
	put := func(w ...uint32) {
		for _, w := range w {
			b = binary.LittleEndian.AppendUint32(b, w)
		}
	}
	for i := uint32(0); i < 32; i++ { // 4 bytes per line; line 0 is every exception
		put(jType(uint32(0x100-4*i), 0))
	}
	for len(b) < 0x100 {
		put(0x13)
	}
	put(lui(8, ramAt), lui(9, aliasAt), lui(10, busAt), lui(2, ramAt+0x1000),
		iType(0, 10, 2, 5, 0x03),     // lw t0,0(a0)
		iType(0x341, 5, 1, 0, 0x73),  // csrw mepc,t0
		iType(0x342, 0, 2, 6, 0x73),  // csrr t1,mcause
		iType(0x305, 0, 2, 7, 0x73),  // csrr t2,mtvec
		sType(20, 0, 10, 2),          // sw zero,20(a0): no interrupt
		iType(8, 10, 2, 5, 0x03),     // lw t0,8(a0)
		lui(28, 0x1000),              // MPP, half of the time
		rType(0, 5, 28, 7, 28, 0x33), // and t3,t3,t0
		iType(0x80, 28, 6, 28, 0x13), // ori t3,t3,MPIE
		iType(0x300, 28, 2, 0, 0x73), // csrs mstatus,t3
		0x30200073)
	return b
}

// randomInst returns a random instruction that is likely to have an effect.
func randomInst(r *rand.Rand) (w uint32, size int) {
	reg := func() uint32 { return r.Uint32() & 15 }
	base := func() uint32 { return []uint32{8, 9, 10, 2, 8, 9}[r.IntN(6)] }
	small := func() uint32 { return r.Uint32() & 0x7f }
	switch r.IntN(22) {
	case 0, 1, 2:
		return iType(r.Uint32(), reg(), r.Uint32()&7, 11+r.Uint32()&3, 0x13), 4
	case 3, 4:
		return rType(r.Uint32()&1, reg(), reg(), r.Uint32()&7, 11+r.Uint32()&3, 0x33), 4
	case 5, 6:
		return iType(small(), base(), []uint32{0, 1, 2, 4, 5}[r.IntN(5)], 11+r.Uint32()&3, 0x03), 4
	case 7, 8:
		return sType(small(), reg(), base(), r.Uint32()%3), 4
	case 9: // a store to nearby code in either mapping
		return sType(r.Uint32()&0x7ff, reg(), 8+r.Uint32()&1, r.Uint32()%3), 4
	case 10, 11, 12:
		return bType(uint32(int32(r.IntN(128)-48)&^1), reg(), reg(), []uint32{0, 1, 4, 5, 6, 7}[r.IntN(6)]), 4
	case 13:
		return jType(uint32(int32(r.IntN(400)-150)&^1), r.Uint32()&1), 4
	case 14:
		return iType(small(), 8, 0, r.Uint32()&1, 0x67), 4
	case 15:
		if r.IntN(8) == 0 {
			return guardCSR(r), 4
		}
		csr := []uint32{0x300, 0x305, 0x340, 0x341, 0x342, 0x343, 0x7e2, 0x802, 0x803, 0x805, 0xf14, 0xc00, 0x301}[r.IntN(13)]
		f3 := []uint32{1, 2, 3, 5, 6, 7}[r.IntN(6)]
		if csr == 0x305 {
			f3 = 2
			return iType(csr, 0, f3, 11, 0x73), 4
		}
		return iType(csr, r.Uint32()&31, f3, 11+r.Uint32()&1, 0x73), 4
	case 16:
		return []uint32{0x73, 0x100073, 0x30200073, 0x10500073, 0x100f, 0xf, 0x6f}[r.IntN(7)], 4
	case 17:
		return r.Uint32() | 3, 4
	case 18:
		return iType(8, 0, 6, 0, 0x73) | 0x300<<20, 4 // csrsi mstatus,8
	default:
		for {
			if w := r.Uint32() & 0xffff; w&3 != 3 {
				return w, 2
			}
		}
	}
}

// guardCSR is a write to a CSR that restricts accesses (triggers, PMP) or
// selects events of the performance counters.
func guardCSR(r *rand.Rand) uint32 {
	base := []uint32{8, 9, 2}[r.IntN(3)] // registers that hold addresses of memory
	switch r.IntN(8) {
	case 0:
		return iType(0x7a0, r.Uint32()&7, 5, 0, 0x73) // csrrwi tselect
	case 1:
		return iType(csrTcontrol, 8, 5, 0, 0x73)
	case 2:
		return iType(csrTdata2, base, 1, 0, 0x73)
	case 3:
		return iType(csrTdata1, 11+r.Uint32()&1, 1, 0, 0x73)
	case 4:
		return iType(csrPmpcfg0+r.Uint32()&1, 11+r.Uint32()&1, 1, 0, 0x73)
	case 5:
		return iType(csrPmpaddr0+r.Uint32()&7, 11+r.Uint32()&1, 1, 0, 0x73)
	case 6:
		return iType(csrMpcer, r.Uint32()&31, 5, 0, 0x73)
	}
	return iType(csrUpcer, 11+r.Uint32()&1, 1, 0, 0x73)
}

type world struct {
	c   *CPU
	ram *Bank
	bus *trickBus
}

func newWorld(e Engine, traced bool, program []byte) *world {
	ram, rom := NewBank(ramSize), NewBank(PageSize)
	ram.Write(0, program)
	rom.Write(0, trapROM())
	bus := &trickBus{ram: ram}
	c := New(Config{Engine: e, Bus: bus, NoSpin: true})
	bus.c = c
	m := c.Memory()
	m.Map(ramAt, ram, 0, ramSize, Read|Write|Exec)
	m.Map(aliasAt, ram, 0, ramSize, Read|Write)
	m.Map(romAt, rom, 0, PageSize, Read|Exec)
	c.Reset(ramAt)
	c.SetCSR(0x305, romAt)
	c.SetCSR(csrPmpaddr0+15, 0xffffffff) // the last entry permits everything to user mode
	c.SetCSR(csrPmpcfg0+3, (pmpNAPOT|7)<<24)
	c.SetReg(8, ramAt)
	c.SetReg(9, aliasAt)
	c.SetReg(10, busAt)
	c.SetReg(2, ramAt+0x1000)
	c.Trace(traced)
	return &world{c, ram, bus}
}

// compareEngines runs one program in both engines with the same interrupts at
// the same cycles and fails at the first difference.
func compareEngines(t *testing.T, program []byte, seed uint64, cycles uint64) (seen coverage) {
	t.Helper()
	seen = coverage{}
	ref, blk, fast := newWorld(EngineReference, true, program), newWorld(EngineBlock, true, program), newWorld(EngineBlock, false, program)
	r := rand.New(rand.NewPCG(seed, 1))
	ref.c.OnTrap = func(tr Trap) { seen[fmt.Sprintf("cause %x", tr.Cause&^31|tr.Cause&31*(1-tr.Cause>>31))]++ }
	for ref.c.Cycles() < cycles {
		until := ref.c.Cycles() + uint64(r.IntN(1+r.IntN(100+int(seed%4)*300)))
		line := uint8(0)
		if r.IntN(3) == 0 {
			line = uint8(r.IntN(32))
		}
		var exits [3]Exit
		for i, w := range []*world{ref, blk, fast} {
			exits[i] = w.c.Run(until)
			if i == 0 {
				seen[exits[0].String()]++
			}
			if exits[i] == ExitWFI {
				if i == 0 {
					seen["idle"] += int(until - w.c.Cycles())
				}
				w.c.AdvanceTo(until)
			}
			w.c.SetIRQ(line)
		}
		want := ref.c.State()
		for i, w := range []*world{blk, fast} {
			got := w.c.State()
			if i == 1 {
				got.Hash = want.Hash
			}
			if exits[0] != exits[i+1] || got != want || w.bus.hash != ref.bus.hash || !bytes.Equal(w.ram.content(), ref.ram.content()) {
				t.Fatalf("seed %d, engine %d differs after cycle %d:\n ref %v %+v bus %d %x\n got %v %+v bus %d %x\n memory equal: %v", seed, i, until,
					exits[0], want, ref.bus.n, ref.bus.hash, exits[i+1], got, w.bus.n, w.bus.hash, bytes.Equal(w.ram.content(), ref.ram.content()))
			}
		}
	}
	seen["bus"] += ref.bus.n
	seen["cycles"] += int(ref.c.Cycles())
	return seen
}

// coverage counts what programs execute, to detect a comparison of programs
// that do nothing.
type coverage map[string]int

func randomProgram(r *rand.Rand) []byte {
	var b []byte
	for len(b) < ramSize-4 {
		if r.IntN(12) == 0 {
			for _, w := range idiom(r) {
				b = binary.LittleEndian.AppendUint32(b, w)
			}
			continue
		}
		w, size := randomInst(r)
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))[:len(b)+size]
	}
	return append(b, 0, 0, 0, 0)[:ramSize]
}

// idiom returns typical compiler output for which the block engine has special
// operations: sequences of words, up and down, across the end of a page, to
// devices, to code, misaligned, and over their own base; addresses built by two
// instructions, and their uses; critical sections; two reads of a cycle
// counter.
func idiom(r *rand.Rand) []uint32 {
	t := 11 + r.Uint32()&3
	switch r.IntN(6) {
	case 0, 1, 2:
		base := []uint32{2, 2, 2, 8, 9, 10, t}[r.IntN(7)]
		at, step := uint32(r.IntN(24)-12)*4, []uint32{4, 4, -uint32(r.IntN(2)) * 4, 8}[r.IntN(4)]
		if r.IntN(8) == 0 {
			at += uint32(r.IntN(4))
		}
		load, list := r.IntN(2) == 0, []uint32(nil)
		for range 2 + r.IntN(9) {
			if load {
				rd := 11 + r.Uint32()&7
				if r.IntN(16) == 0 {
					rd = []uint32{0, base}[r.IntN(2)]
				}
				list = append(list, iType(at, base, 2, rd, 0x03))
			} else {
				list = append(list, sType(at, r.Uint32()&15, base, 2))
			}
			at += step
		}
		return list
	case 3: // an address, and an operation with it
		v := []uint32{ramAt, aliasAt, busAt, r.Uint32()}[r.IntN(4)] + uint32(r.IntN(2*ramSize))
		to := []uint32{t, t, t ^ 1, 0}[r.IntN(4)]
		return []uint32{lui(t, v+0x800), iType(v, t, 0, to, 0x13), iType(r.Uint32()&0x7f, to, 2, 11, 0x03)}
	case 4: // a far call, or a jump built by two instructions
		to := uint32(r.IntN(128)) - 40
		link := []uint32{0, 1, t}[r.IntN(3)]
		return []uint32{r.Uint32()&1<<12 | t<<7 | 0x17, iType(to, t, 0, link, 0x67)}
	default:
		counter := []uint32{0x7e2, 0x802, 0x300}[r.IntN(3)]
		return []uint32{iType(0x300, 8, 7, t, 0x73), iType(counter, 0, 2, 11, 0x73), iType(counter, 0, 2, 12, 0x73), iType(0x300, t, 1+r.Uint32()%3, 13, 0x73)}
	}
}

func TestEnginesAgree(t *testing.T) {
	programs, cycles := 400, uint64(20000)
	if testing.Short() {
		programs = 24
	}
	seen := coverage{}
	for seed := range programs {
		r := rand.New(rand.NewPCG(uint64(seed), 0))
		for k, n := range compareEngines(t, randomProgram(r), uint64(seed), cycles) {
			seen[k] += n
		}
	}
	t.Log(seen)
	for _, k := range []string{"cause 1", "cause 2", "cause 3", "cause 5", "cause 7", "cause 8", "cause b", "cause 80000000", "wfi", "yield", "bus"} {
		if seen[k] < programs/2 {
			t.Errorf("%s was met %d times in %d programs", k, seen[k], programs)
		}
	}
	if seen["idle"] > seen["cycles"]/2 {
		t.Errorf("%d of %d cycles idle", seen["idle"], seen["cycles"])
	}
}

func FuzzEnginesAgree(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(randomProgram(rand.New(rand.NewPCG(seed, 9)))[:512], seed)
	}
	f.Fuzz(func(t *testing.T, program []byte, seed uint64) {
		if len(program) > ramSize {
			program = program[:ramSize]
		}
		compareEngines(t, program, seed, 3000)
	})
}
