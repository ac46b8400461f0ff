package rv32

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func TestMisalignedMemory(t *testing.T) {
	bothEngines(t, func(t *testing.T, e Engine) {
		// lw and sw over a page boundary, lh inside a page
		c := machine(t, e, nil, lui(5, 0x3000), sw(6, 5, 0xffe), lw(7, 5, 0xffe), iType(0xfff, 5, 5, 8, 0x03), wWFI)
		c.SetReg(6, 0x11223344)
		c.Run(100)
		if c.Reg(7) != 0x11223344 || c.Reg(8) != 0x2233 {
			t.Errorf("%08x %08x", c.Reg(7), c.Reg(8))
		}
	})
}

// TestStaleCodeIsNotRun overwrites an instruction that has run, in every
// possible way, and runs it again.
func TestStaleCodeIsNotRun(t *testing.T) {
	const code, alias = 0x40380000, 0x3fc80000
	li := func(v uint32) uint32 { return addi(10, 0, v) }
	ways := map[string]func(c *CPU, b *Bank){
		"debugger":            func(c *CPU, b *Bank) { c.Memory().Write(code, binary.LittleEndian.AppendUint32(nil, li(2))) },
		"debugger by alias":   func(c *CPU, b *Bank) { c.Memory().Write(alias, binary.LittleEndian.AppendUint32(nil, li(2))) },
		"device":              func(c *CPU, b *Bank) { b.put(0, li(2)) },
		"store":               func(c *CPU, b *Bank) { c.SetReg(5, code) },
		"store by alias":      func(c *CPU, b *Bank) { c.SetReg(5, alias) },
		"byte store by alias": func(c *CPU, b *Bank) { c.SetReg(5, alias+2); c.SetReg(6, li(2)>>16); c.SetPC(0x1008) },
		"remapped": func(c *CPU, b *Bank) {
			other := NewBank(PageSize)
			other.Write(0, b.content())
			other.put(0, li(2))
			c.Memory().Map(code, other, 0, PageSize, Read|Exec)
		},
	}
	for name, change := range ways {
		t.Run(name, func(t *testing.T) {
			bothEngines(t, func(t *testing.T, e Engine) {
				// sw x6,0(x5); j 2f; 1008: sb x6,0(x5); 2: jalr x1,x7; wfi
				c := machine(t, e, nil, sw(6, 5, 0), jType(8, 0), sType(0, 6, 5, 0), jalr(1, 7, 0), wWFI)
				b := NewBank(PageSize)
				b.put(0, li(1))
				b.put(4, jalr(0, 1, 0))
				c.Memory().Map(code, b, 0, PageSize, Read|Write|Exec)
				c.Memory().Map(alias, b, 0, PageSize, Read|Write)
				start := func() {
					s := c.State()
					s.PC, s.Waiting = 0x1000, false
					c.SetState(s)
				}
				c.SetReg(5, 0x4000)
				c.SetReg(7, code)
				c.SetReg(6, li(2))
				for range 3 {
					start()
					if x := c.Run(c.Cycles() + 100); x != ExitWFI || c.Reg(10) != 1 {
						t.Fatal(x, c.Reg(10))
					}
				}
				start()
				change(c, b)
				if x := c.Run(c.Cycles() + 100); x != ExitWFI || c.Reg(10) != 2 {
					t.Errorf("%v, a0 = %d", x, c.Reg(10))
				}
			})
		})
	}
}

func TestFlashWindowRemapDuringAStore(t *testing.T) {
	bothEngines(t, func(t *testing.T, e Engine) {
		flash := NewBank(2 * 65536)
		put := func(page, off int, w ...uint32) {
			for i, w := range w {
				flash.put(page*65536+off+4*i, w)
			}
		}
		// page 0 remaps the window it runs in; the next instruction is page 1's
		put(0, 0, lui(5, 0x60000000), sw(0, 5, 0), addi(10, 0, 1), wWFI)
		put(1, 0, wNOP, wNOP, addi(10, 0, 2), wWFI)
		var c *CPU
		c = New(Config{Engine: e, Bus: &funcBus{nil, func(uint32, int, uint32) bool {
			c.Memory().Map(0x42000000, flash, 65536, 65536, Read|Exec)
			return true
		}}})
		c.Memory().Map(0x42000000, flash, 0, 65536, Read|Exec)
		c.Reset(0x42000000)
		if x := c.Run(100); x != ExitWFI || c.Reg(10) != 2 || c.Cycles() != 4 {
			t.Error(x, c.Reg(10), c.Cycles())
		}
	})
}

func TestMemoryReadWrite(t *testing.T) {
	m := New(Config{}).Memory()
	m.Map(0x1000, NewBank(2*PageSize), 0, 2*PageSize, Read)
	in := []byte("over the edge of a page")
	if !m.Write(0x1ff8, in) {
		t.Fatal("not written")
	}
	out := make([]byte, len(in))
	if !m.Read(0x1ff8, out) || !bytes.Equal(in, out) {
		t.Errorf("%q", out)
	}
	if m.Read(0x2ff8, out) || m.Write(0xfff, in) {
		t.Error("went past what is mapped")
	}
	m.Unmap(0x2000, PageSize)
	if m.Read(0x1ff8, out) {
		t.Error("read what was unmapped")
	}
}

func TestStateIsAllThereIs(t *testing.T) {
	program := testProgram()
	a := machine(t, EngineBlock, nil, program...)
	a.Run(500)
	s := a.State()
	b := machine(t, EngineReference, nil, program...)
	mem := make([]byte, 64<<10)
	a.Memory().Read(0x1000, mem)
	b.Memory().Write(0x1000, mem)
	b.SetState(s)
	a.Run(1000)
	b.Run(1000)
	if a.State() != b.State() {
		t.Errorf("%+v\n%+v", a.State(), b.State())
	}
}

// testProgram is a loop with memory, multiplication and a call.
func testProgram() []uint32 {
	return []uint32{
		lui(8, 0x4000),
		addi(5, 5, 1), rType(1, 5, 5, 0, 6, 0x33), sw(6, 8, 4), lw(7, 8, 4), rType(0, 7, 9, 0, 9, 0x33),
		jType(8, 1), jType(^uint32(4*6)+1, 0), rType(0, 9, 10, 4, 10, 0x33), jalr(0, 1, 0),
	}
}

func TestHooksSeeEverything(t *testing.T) {
	c := machine(t, EngineBlock, nil, testProgram()...)
	var pcs []uint32
	var accesses []Access
	c.Hooks = &Hooks{Before: func(pc, _ uint32) { pcs = append(pcs, pc) }, Access: func(a Access) { accesses = append(accesses, a) }}
	c.Run(6)
	if len(pcs) != 6 || pcs[5] != 0x1014 || len(accesses) != 2 || accesses[0] != (Access{0x4004, 1, 4, true}) || accesses[1] != (Access{0x4004, 1, 4, false}) {
		t.Errorf("%x %+v", pcs, accesses)
	}
}
