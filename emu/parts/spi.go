package parts

import "espalier.dev/espalier/emu"

// spiTarget is the function of a component on an SPI bus, byte by byte.
type spiTarget interface {
	// selected is called when the chip select becomes active or inactive.
	selected(active bool)
	// next returns the byte that the component sends while it receives one.
	next() byte
	// take gets whole bytes from the controller. A component that sends gets one
	// at a time.
	take(data []byte)
}

// spiOhms is the resistance of an output of a component.
const spiOhms = 50

// SPIPins are the pins of the chip to which a component on an SPI bus is connected;
// None is no connection.
type SPIPins struct{ SCK, MOSI, MISO, CS int }

// None is a connection that a part does not have.
const None = -1

// spiBus connects a target to the lines of an SPI bus in mode 0 or 3: bits are
// sampled when the clock rises and change when it falls, the upper bit first. A
// component without a chip select is always selected.
type spiBus struct {
	sck, mosi, miso, cs *emu.Terminal
	target              spiTarget
	s                   struct {
		Selected bool
		Bit      uint8 // bits of the byte so far
		In, Out  byte
	}
}

func (u *spiBus) attach(b *emu.Board, t spiTarget, pins SPIPins) {
	u.target = t
	u.sck = b.NewTerminal(u.clock)
	u.mosi = b.NewTerminal(nil)
	if pins.MISO != None {
		u.miso = b.NewTerminal(nil)
	} else {
		b.Clocked(u.sck, u.mosi, u.bits)
	}
	if pins.CS != None {
		u.cs = b.NewTerminal(func(high bool) { u.choose(!high) })
	}
	b.AddState(&u.s)
	b.Join(u.sck.Pin(), pins.SCK)
	b.Join(u.mosi.Pin(), pins.MOSI)
	if u.miso != nil {
		b.Join(u.miso.Pin(), pins.MISO)
	}
	if u.cs != nil {
		b.Join(u.cs.Pin(), pins.CS)
	} else {
		u.s.Selected = true
	}
}

func (u *spiBus) choose(active bool) {
	if active == u.s.Selected {
		return
	}
	u.s.Selected, u.s.Bit = active, 0
	u.target.selected(active)
	switch {
	case u.miso == nil:
	case active:
		u.send()
	default:
		u.miso.Drive(emu.Source{})
	}
}

// send begins a byte of the component.
func (u *spiBus) send() {
	u.s.Out = u.target.next()
	u.drive()
}

func (u *spiBus) drive() {
	u.miso.Drive(rail(u.s.Out&0x80 != 0, spiOhms))
}

// clock takes a bit when the clock rises, and gives one when it falls.
func (u *spiBus) clock(high bool) {
	s := &u.s
	if !s.Selected {
		return
	}
	if !high {
		if u.miso != nil && s.Bit > 0 {
			s.Out <<= 1
			u.drive()
		} else if u.miso != nil {
			u.send()
		}
		return
	}
	s.In <<= 1
	if u.mosi.High() {
		s.In |= 1
	}
	if s.Bit++; s.Bit == 8 {
		s.Bit = 0
		u.target.take([]byte{s.In})
	}
}

// bits takes what a controller sends without showing each edge of its lines.
func (u *spiBus) bits(data []byte, n int) {
	s := &u.s
	if !s.Selected {
		return
	}
	if s.Bit == 0 {
		u.target.take(data[:n/8])
		data, n = data[n/8:], n%8
	}
	for i := range n {
		s.In = s.In<<1 | data[i/8]>>(7-i%8)&1
		if s.Bit++; s.Bit == 8 {
			s.Bit = 0
			u.target.take([]byte{s.In})
		}
	}
}
