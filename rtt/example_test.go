package rtt_test

import (
	"encoding/binary"
	"fmt"

	"espalier.dev/espalier/rtt"
)

// memory is RAM from base on; (*rv32.Memory) of a board is another.
type memory struct {
	base uint32
	b    []byte
}

func (m memory) at(addr uint32, n int) []byte {
	if addr < m.base || int(addr-m.base)+n > len(m.b) {
		return nil
	}
	return m.b[addr-m.base:][:n]
}

func (m memory) Read(addr uint32, p []byte) bool  { return copy(p, m.at(addr, len(p))) == len(p) }
func (m memory) Write(addr uint32, p []byte) bool { return copy(m.at(addr, len(p)), p) == len(p) }

// What firmware has written to its channel for text.
func ExampleBlock_Poll() {
	ram := memory{0x3fc80000, make([]byte, 4096)}
	// The control block of a firmware at 0x3fc80100: one channel up, whose buffer of
	// 64 bytes is at 0x3fc80200 and has 6 bytes.
	block := ram.b[0x100:]
	copy(block, "SEGGER RTT")
	copy(ram.b[0x300:], "Terminal")
	for i, word := range []uint32{1, 0, 0x3fc80300, 0x3fc80200, 64, 6, 0, 0} {
		binary.LittleEndian.PutUint32(block[16+4*i:], word)
	}
	copy(ram.b[0x200:], "ready\n")

	addr, found := rtt.Find(ram, 0x3fc80000, 0x3fc81000)
	fmt.Printf("0x%08x %v\n", addr, found)
	rtt.New(ram, addr).Poll(func(c rtt.Channel, p []byte) { fmt.Printf("%s: %s", c.Name, p) })
	// Output:
	// 0x3fc80100 true
	// Terminal: ready
}
