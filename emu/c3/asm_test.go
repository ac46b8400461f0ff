package c3

import (
	"encoding/binary"
	"testing"

	"espalier.dev/espalier/emu"
)

// asm assembles a guest program with a few RV32I encoders, so that tests need
// no toolchain.
type asm struct {
	base uint32
	code []byte
}

// Registers by ABI number.
const (
	zero = 0
	ra   = 1
	sp   = 2
	t0   = 5
	t1   = 6
	t2   = 7
	a0   = 10
	a1   = 11
	a2   = 12
)

func (a *asm) pc() uint32 { return a.base + uint32(len(a.code)) }

func (a *asm) word(w uint32) { a.code = binary.LittleEndian.AppendUint32(a.code, w) }

func (a *asm) addi(rd, rs, imm int) {
	a.word(uint32(imm)<<20 | uint32(rs)<<15 | uint32(rd)<<7 | 0x13)
}

func (a *asm) li(rd int, v uint32) {
	hi, lo := v+0x800, int32(v<<20)>>20
	a.word(hi&0xfffff000 | uint32(rd)<<7 | 0x37)
	a.addi(rd, rd, int(lo))
}

func (a *asm) lw(rd, rs, off int) {
	a.word(uint32(off)<<20 | uint32(rs)<<15 | 2<<12 | uint32(rd)<<7 | 3)
}
func (a *asm) store(width uint32, src, base, off int) {
	o := uint32(off) & 0xfff
	a.word(o>>5<<25 | uint32(src)<<20 | uint32(base)<<15 | width<<12 | o&31<<7 | 0x23)
}

func (a *asm) sw(src, base, off int) { a.store(2, src, base, off) }
func (a *asm) and(rd, r1, r2 int) {
	a.word(uint32(r2)<<20 | uint32(r1)<<15 | 7<<12 | uint32(rd)<<7 | 0x33)
}

// branch encodes beq (0), bne (1), bltu (6), bgeu (7) to target.
func (a *asm) branch(op uint32, r1, r2 int, target uint32) {
	o := target - a.pc()
	a.word(o>>12&1<<31 | o>>5&0x3f<<25 | uint32(r2)<<20 | uint32(r1)<<15 | op<<12 | o>>1&15<<8 | o>>11&1<<7 | 0x63)
}

func (a *asm) j(target uint32) {
	o := target - a.pc()
	a.word(o>>20&1<<31 | o>>1&0x3ff<<21 | o>>11&1<<20 | o>>12&0xff<<12 | 0x6f)
}

func (a *asm) csrw(csr uint32, rs int) { a.word(csr<<20 | uint32(rs)<<15 | 1<<12 | 0x73) }
func (a *asm) csrsi(csr uint32, imm int) {
	a.word(csr<<20 | uint32(imm)<<15 | 6<<12 | 0x73)
}
func (a *asm) wfi()  { a.word(0x10500073) }
func (a *asm) mret() { a.word(0x30200073) }

// poke stores v at addr, using t0 and t1.
func (a *asm) poke(addr, v uint32) {
	a.li(t0, addr)
	a.li(t1, v)
	a.sw(t1, t0, 0)
}

// print writes s, which fits into the FIFO, to UART0 and waits until it is sent.
func (a *asm) print(s string) {
	a.li(t0, 0x60000000)
	for _, c := range []byte(s) {
		a.addi(t1, zero, int(c))
		a.sw(t1, t0, 0)
	}
	for _, idle := range [][2]uint32{{uartStatus, 0x3ff << 16}, {uartFSMStatus, 0xf << 4}} {
		a.li(t2, idle[1])
		poll := a.pc()
		a.lw(t1, t0, int(idle[0]))
		a.and(t1, t1, t2)
		a.branch(1, t1, zero, poll)
	}
}

// halt waits for interrupts forever.
func (a *asm) halt() {
	at := a.pc()
	a.wfi()
	a.j(at)
}

// rom returns a flat mask ROM that starts with the program.
func (a *asm) rom() []byte {
	rom := make([]byte, romSize)
	copy(rom, a.code)
	return rom
}

// program assembles a program at the reset vector.
func program(write func(a *asm)) *asm {
	a := &asm{base: resetVector}
	write(a)
	return a
}

// guest returns a board that runs a program instead of a mask ROM.
func guest(t testing.TB, cfg emu.Config, write func(a *asm)) *emu.Board {
	t.Helper()
	cfg.ROM = program(write).rom()
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testChip is a chip whose registers a test accesses directly, with a CPU that
// only waits.
type testChip struct {
	*soc
	t     testing.TB
	board *emu.Board
	out   [3][]byte
	pins  []emu.PinChange
}

func newTestChip(t testing.TB, cfg emu.Config) *testChip {
	t.Helper()
	cfg.ROM = program(func(a *asm) { a.halt() }).rom()
	c := &testChip{t: t}
	cfg.Output = func(o emu.Output) { c.out[o.Stream] = append(c.out[o.Stream], o.Data...) }
	cfg.Pin = func(p emu.PinChange) { c.pins = append(c.pins, p) }
	var err error
	if c.soc, c.board, err = newBoard(cfg); err != nil {
		t.Fatal(err)
	}
	c.boot()
	return c
}

// boot opens the clock gates and disables the boot-time watchdogs.
func (c *testChip) boot() {
	c.t.Helper()
	for _, w := range [][2]uint32{{0x600c0010, ^uint32(0)}, {0x600c0014, ^uint32(0)}, {0x6001f048, 0}, {0x600080a8, wdtKey}, {0x60008090, 0}} {
		c.w(w[0], w[1])
	}
	c.run(emu.Tick)
}

func (c *testChip) w(addr, v uint32) {
	c.t.Helper()
	if !c.bus.Store(addr, 4, v) {
		c.t.Fatalf("store to 0x%08x faults", addr)
	}
}

func (c *testChip) r(addr uint32) uint32 {
	c.t.Helper()
	v, ok := c.bus.Load(addr, 4)
	if !ok {
		c.t.Fatalf("load from 0x%08x faults", addr)
	}
	return v
}

// want checks a register.
func (c *testChip) want(addr, v uint32) {
	c.t.Helper()
	if got := c.r(addr); got != v {
		c.t.Errorf("0x%08x reads 0x%08x, want 0x%08x", addr, got, v)
	}
}

// run advances guest time.
func (c *testChip) run(d emu.Duration) emu.Result {
	c.t.Helper()
	return c.board.Run(c.t.Context(), emu.Limit(d.Std()))
}
