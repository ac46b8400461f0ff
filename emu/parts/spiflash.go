package parts

import (
	"fmt"
	"time"

	"espalier.dev/espalier/emu"
)

// SPIFlash is a serial NOR flash memory on an SPI bus, as Winbond's data sheet
// W25Q32JV (revision G) describes it: identification, status, reading, page
// program, erasure of sectors, blocks and the chip, power down and reset, on one
// line each way (section 8.2). Block protection and the instructions on two and
// four lines are not modelled.
type SPIFlash struct {
	SPIPins
	// Content is what it holds, a power of two of at least 64 KiB; nil is 4 MiB,
	// erased. It is copied.
	Content []byte
	// ID is the answer to 9Fh: manufacturer, type, capacity. All zero is Winbond's
	// for the size.
	ID [3]byte

	bus spiBus
	mem []byte
	s   struct {
		Command  byte
		Count    uint32 // bytes after the command
		Addr     uint32
		Page     [256]byte // data of a page program
		Status   [3]byte
		Busy     int64 // guest time in nanoseconds until which it is busy
		Enabled  bool  // write enable latch
		Down     bool  // power down
		Resets   bool  // 66h was the last instruction
		Ignored  bool  // the instruction came while the memory was busy
		Selected uint64
	}
}

// Durations of section 9.6: typical values.
const (
	flashProgram = 400 * time.Microsecond
	flashSector  = 45 * time.Millisecond
	flashBlock32 = 120 * time.Millisecond
	flashBlock64 = 150 * time.Millisecond
	flashChip    = 10 * time.Second
	flashReset   = 30 * time.Microsecond
)

// flashUnique is the serial number that 4Bh returns.
var flashUnique = [8]byte{0xd1, 0x63, 0x2c, 0x40, 0x17, 0x54, 0x3a, 0x2f}

// Attach implements emu.Part. The error is of a size that a memory cannot have.
func (p *SPIFlash) Attach(b *emu.Board) error {
	if p.Content == nil {
		p.mem = make([]byte, 4<<20)
		for i := range p.mem {
			p.mem[i] = 0xff
		}
	} else {
		p.mem = append([]byte(nil), p.Content...)
	}
	n := len(p.mem)
	if n < 64<<10 || n > 16<<20 || n&(n-1) != 0 {
		return fmt.Errorf("SPI flash of %d bytes: want a power of two from 64 KiB to 16 MiB", n)
	}
	if p.ID == [3]byte{} {
		p.ID = [3]byte{0xef, 0x40, 0}
		for 1<<p.ID[2] < n {
			p.ID[2]++
		}
	}
	b.AddStateFunc(func(s *emu.State) {
		s.Fixed(&p.s)
		s.Memory(p.mem)
	})
	p.bus.attach(b, p, p.SPIPins)
	return nil
}

// Data returns the content.
func (p *SPIFlash) Data() []byte { return append([]byte(nil), p.mem...) }

func (p *SPIFlash) busy() bool { return int64(p.bus.sck.Now()) < p.s.Busy }

// selected implements spiTarget. Instructions that change the memory are executed
// when the chip select rises (section 8.1).
func (p *SPIFlash) selected(active bool) {
	s := &p.s
	if active {
		s.Selected++
		s.Command, s.Count, s.Ignored = 0, 0, false
		return
	}
	if s.Ignored || s.Command == 0 {
		return
	}
	// Apart from the status, instructions are ignored without write enable.
	mask := uint32(len(p.mem) - 1)
	switch s.Command {
	case 0x06:
		s.Enabled = true
	case 0x04:
		s.Enabled = false
	case 0x01, 0x31, 0x11:
		if s.Enabled && s.Count > 0 {
			s.Enabled = false
			p.wait(10 * time.Millisecond)
		}
	case 0x02:
		if s.Enabled && s.Count > 3 {
			// Data beyond the end of a page begins at its start again; more than a page
			// replaces what came before.
			n := s.Count - 3
			for i := n - min(n, 256); i < n; i++ {
				at := s.Addr&^0xff | (s.Addr+i)&0xff
				p.mem[at&mask] &= s.Page[byte(s.Addr+i)]
			}
			p.done(flashProgram)
		}
	case 0x20:
		p.erase(4<<10, flashSector)
	case 0x52:
		p.erase(32<<10, flashBlock32)
	case 0xd8:
		p.erase(64<<10, flashBlock64)
	case 0x60, 0xc7:
		if s.Count == 0 {
			s.Count = 3
			p.erase(uint32(len(p.mem)), flashChip)
		}
	case 0xb9:
		s.Down = true
	case 0xab:
		s.Down = false
	case 0x99:
		if s.Resets {
			s.Enabled, s.Down, s.Status = false, false, [3]byte{}
			p.wait(flashReset)
		}
	}
	s.Resets = s.Command == 0x66
}

// erase is ignored when the address was not complete.
func (p *SPIFlash) erase(size uint32, takes time.Duration) {
	if !p.s.Enabled || p.s.Count != 3 {
		return
	}
	from := p.s.Addr & uint32(len(p.mem)-1) &^ (size - 1)
	for i := range size {
		p.mem[from+i] = 0xff
	}
	p.done(takes)
}

func (p *SPIFlash) done(takes time.Duration) {
	p.s.Enabled = false
	p.wait(takes)
}

func (p *SPIFlash) wait(d time.Duration) { p.s.Busy = int64(p.bus.sck.Now() + d) }

// take implements spiTarget.
func (p *SPIFlash) take(data []byte) {
	s := &p.s
	for _, b := range data {
		if s.Command == 0 && !s.Ignored {
			s.Command, s.Count = b, 0
			status := b == 0x05 || b == 0x35 || b == 0x15
			s.Ignored = p.busy() && !status && b != 0x66 && b != 0x99 || s.Down && b != 0xab
			continue
		}
		switch {
		case s.Count < 3 && flashAddressed(s.Command):
			s.Addr = s.Addr<<8&0xffffff | uint32(b)
		case s.Command == 0x02:
			s.Page[byte(s.Addr+s.Count-3)] = b
		case s.Enabled && s.Count == 0 && (s.Command == 0x01 || s.Command == 0x31 || s.Command == 0x11):
			s.Status[map[byte]int{0x01: 0, 0x31: 1, 0x11: 2}[s.Command]] = b &^ 3
		}
		s.Count++
	}
}

// flashAddressed reports whether three bytes of address follow an instruction.
func flashAddressed(c byte) bool {
	switch c {
	case 0x02, 0x03, 0x0b, 0x20, 0x52, 0xd8, 0x90:
		return true
	}
	return false
}

// next implements spiTarget. Count is how many bytes have followed the instruction.
func (p *SPIFlash) next() byte {
	s := &p.s
	if s.Ignored {
		return 0xff
	}
	n := s.Count
	switch s.Command {
	case 0x9f:
		return p.ID[n%3]
	case 0x90:
		if n >= 3 {
			return [2]byte{p.ID[0], p.ID[2] - 1}[(n-3+s.Addr)&1]
		}
	case 0xab:
		if n >= 3 {
			return p.ID[2] - 1
		}
	case 0x4b:
		if n >= 4 {
			return flashUnique[(n-4)%8]
		}
	case 0x05:
		v := s.Status[0] &^ 3
		if p.busy() {
			v |= 1
		}
		if s.Enabled {
			v |= 2
		}
		return v
	case 0x35:
		return s.Status[1]
	case 0x15:
		return s.Status[2]
	case 0x03, 0x0b:
		dummy := uint32(3)
		if s.Command == 0x0b {
			dummy = 4
		}
		if n >= dummy {
			return p.mem[(s.Addr+n-dummy)&uint32(len(p.mem)-1)]
		}
	}
	return 0xff
}
