package rv32

import (
	"encoding/binary"
	"testing"
)

// machine is a CPU with 64 KiB of readable, writable and executable memory at
// 0x1000.
func machine(t testing.TB, e Engine, bus Bus, code ...uint32) *CPU {
	t.Helper()
	c := New(Config{Bus: bus, Engine: e})
	b := NewBank(64 << 10)
	c.Memory().Map(0x1000, b, 0, 64<<10, Read|Write|Exec)
	for i, w := range code {
		b.put(4*i, w)
	}
	c.Reset(0x1000)
	return c
}

// put writes a word.
func (b *Bank) put(off int, w uint32) {
	b.Write(uint32(off), binary.LittleEndian.AppendUint32(nil, w))
}

// content returns a copy of the bank.
func (b *Bank) content() []byte {
	p := make([]byte, b.Size())
	b.Read(0, p)
	return p
}

func TestSumLoop(t *testing.T) {
	for _, e := range []Engine{EngineReference, EngineBlock} {
		c := machine(t, e, nil,
			0x00a00293, // li t0,10
			0x00000513, // li a0,0
			0x00550533, // add a0,a0,t0
			0xfff28293, // addi t0,t0,-1
			0xfe029ce3, // bnez t0,.-8
			0x10500073) // wfi
		if got := c.Run(1000); got != ExitWFI || c.Reg(10) != 55 || c.Cycles() != 33 {
			t.Errorf("engine %d: %v a0=%d cycles=%d", e, got, c.Reg(10), c.Cycles())
		}
	}
}
