// Package rtt reads and writes the channels of SEGGER's Real-Time Transfer in a
// chip's memory, as a debug probe does: firmware of probe-rs projects logs by
// them. From a memory and the address of the control block, a poll returns the
// bytes that the firmware has written since the last one.
//
// The control block belongs to the firmware and may be anything: each poll checks
// it again and skips a channel whose pointers or offsets cannot be right. Layout
// and rules: SEGGER's UM08001, "RTT", and the crates rtt-target and defmt-rtt.
package rtt

import (
	"bytes"
	"encoding/binary"
)

// Symbol is the name of the control block in an ELF.
const Symbol = "_SEGGER_RTT"

// Memory is plain memory of the chip. Its methods return false where none is
// mapped, such as (*rv32.Memory).Read.
type Memory interface {
	Read(addr uint32, p []byte) bool
	Write(addr uint32, p []byte) bool
}

// Limits of what a control block may say.
const (
	maxChannels = 16
	maxBuffer   = 1 << 20
	maxName     = 64
)

const (
	headerSize  = 24 // id, number of up channels, number of down channels
	channelSize = 24 // name, buffer, size, write offset, read offset, flags

	modeMask    = 3
	modeBlock   = 2 // wait while the buffer is full
	offsetWrite = 12
	offsetRead  = 16
	offsetFlags = 20
)

// id is the start of a control block.
var id = []byte("SEGGER RTT\x00\x00\x00\x00\x00\x00")

// Find looks for a control block in the memory from first to before last. The
// block is word-aligned.
func Find(mem Memory, first, last uint32) (addr uint32, found bool) {
	buf := make([]byte, 4<<10)
	for addr = first; addr < last; {
		b := buf[:min(uint32(len(buf)), last-addr)]
		if !mem.Read(addr, b) {
			addr += uint32(len(b))
			continue
		}
		for from := 0; ; {
			i := bytes.Index(b[from:], id)
			if i < 0 {
				break
			}
			if at := addr + uint32(from+i); at%4 == 0 {
				return at, true
			}
			from += i + 1
		}
		if len(b) < len(buf) || addr > addr+uint32(len(b)) {
			break
		}
		addr += uint32(len(b) - len(id)) // a block across the border
	}
	return 0, false
}

// Channel is a channel of a control block.
type Channel struct {
	Number int
	Name   string // "Terminal" for text, "defmt" for frames of defmt; may be empty
}

// Block is a control block at an address.
type Block struct {
	mem  Memory
	addr uint32
	// what the firmware's buffers were at the last poll: a buffer that is new is
	// put in blocking mode once.
	up map[int]buffer
}

// New returns the control block at addr, which need not be initialised yet.
func New(mem Memory, addr uint32) *Block { return &Block{mem: mem, addr: addr, up: map[int]buffer{}} }

// Address is where the control block is.
func (b *Block) Address() uint32 { return b.addr }

// buffer is one channel as it is in memory.
type buffer struct {
	name, start, size uint32
	write, read       uint32
	flags             uint32
}

// Poll gives deliver what the firmware has written to its up channels since the
// last poll, in the order of the channels, and makes room for more. p is valid
// during the call.
//
// As a debug probe does, the first poll of a channel makes it wait for room
// instead of dropping what does not fit.
func (b *Block) Poll(deliver func(c Channel, p []byte)) {
	ups, _, ok := b.header()
	if !ok {
		return
	}
	for i := range ups {
		at := b.addr + headerSize + uint32(i)*channelSize
		c, ok := b.channel(at)
		if !ok {
			continue
		}
		if was, known := b.up[i]; !known || was.start != c.start || was.size != c.size || was.name != c.name {
			b.put(at+offsetFlags, c.flags&^modeMask|modeBlock)
			b.up[i] = buffer{name: c.name, start: c.start, size: c.size}
		}
		if c.read == c.write {
			continue
		}
		var p []byte
		if c.read < c.write {
			p = make([]byte, c.write-c.read)
			ok = b.mem.Read(c.start+c.read, p)
		} else {
			p = make([]byte, c.size-c.read+c.write)
			ok = b.mem.Read(c.start+c.read, p[:c.size-c.read]) && b.mem.Read(c.start, p[c.size-c.read:])
		}
		if ok && b.put(at+offsetRead, c.write) {
			deliver(Channel{Number: i, Name: b.text(c.name)}, p)
		}
	}
}

// Send writes to down channel n what has room, and returns how much that is.
func (b *Block) Send(n int, p []byte) int {
	ups, downs, ok := b.header()
	if !ok || n < 0 || n >= downs {
		return 0
	}
	at := b.addr + headerSize + uint32(ups+n)*channelSize
	c, ok := b.channel(at)
	if !ok {
		return 0
	}
	room := (c.read + c.size - c.write - 1) % c.size
	p = p[:min(len(p), int(room))]
	first := min(len(p), int(c.size-c.write))
	if len(p) == 0 || !b.mem.Write(c.start+c.write, p[:first]) || !b.mem.Write(c.start, p[first:]) ||
		!b.put(at+offsetWrite, (c.write+uint32(len(p)))%c.size) {
		return 0
	}
	return len(p)
}

// header reads the numbers of channels; false while there is no control block.
func (b *Block) header() (ups, downs int, ok bool) {
	var h [headerSize]byte
	if b.addr > ^uint32(0)-headerSize-2*maxChannels*channelSize || !b.mem.Read(b.addr, h[:]) || !bytes.Equal(h[:len(id)], id) {
		return 0, 0, false
	}
	u, d := binary.LittleEndian.Uint32(h[16:]), binary.LittleEndian.Uint32(h[20:])
	if u > maxChannels || d > maxChannels {
		return 0, 0, false
	}
	return int(u), int(d), true
}

// channel reads a channel; false while it is not initialised or is damaged.
func (b *Block) channel(at uint32) (c buffer, ok bool) {
	var raw [channelSize]byte
	if !b.mem.Read(at, raw[:]) {
		return c, false
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(raw[4*i:]) }
	c = buffer{name: word(0), start: word(1), size: word(2), write: word(3), read: word(4), flags: word(5)}
	return c, c.start != 0 && c.size > 1 && c.size <= maxBuffer && c.start <= ^uint32(0)-c.size && c.write < c.size && c.read < c.size
}

func (b *Block) put(addr, v uint32) bool {
	return b.mem.Write(addr, binary.LittleEndian.AppendUint32(nil, v))
}

// text reads the name of a channel; one that is damaged is empty.
func (b *Block) text(addr uint32) string {
	var s []byte
	for c := []byte{0}; addr != 0 && len(s) < maxName; addr++ {
		if !b.mem.Read(addr, c) || c[0] >= 0x7f || c[0] < 0x20 && c[0] != 0 {
			return ""
		}
		if c[0] == 0 {
			return string(s)
		}
		s = append(s, c[0])
	}
	return ""
}
