package parts

import (
	"time"

	"espalier.dev/espalier/emu"
)

// I2CTarget is the function of a component on an I2C bus, byte by byte.
type I2CTarget interface {
	// Start begins a transfer after the target's address was acknowledged.
	Start(read bool)
	// Write takes a byte from the controller and reports whether it is
	// acknowledged.
	Write(b byte) bool
	// Read returns the next byte for the controller.
	Read() byte
	// Stop ends a transaction.
	Stop()
}

// i2cReader is an I2CTarget that may have nothing to read yet.
type i2cReader interface {
	// Ready returns whether the target acknowledges its address for reading, and
	// the guest time until which it then stretches the clock.
	Ready() (ack bool, until time.Duration)
}

// busOhms is the resistance of an output that pulls a line low.
const busOhms = 50

// I2CBus connects a target to two lines. Its outputs pull low only: the pull
// resistors of the bus are those of the board, or of the chip's pads.
type I2CBus struct {
	sda, scl *emu.Terminal
	target   I2CTarget
	stretch  *emu.Timer // ends a pause of the clock; nil for targets without one
	s        struct {
		Address   byte // 7 bits
		Phase     i2cPhase
		Bit       uint8 // clock pulses of the byte so far; the ninth acknowledges
		Byte      byte
		Ack       bool
		Read      bool
		Addressed bool
	}
}

type i2cPhase uint8

const (
	i2cIdle i2cPhase = iota
	i2cAddress
	i2cReceive
	i2cTransmit
)

// attach adds the terminals of the target to the board and joins them with the
// pins sda and scl.
func (u *I2CBus) attach(b *emu.Board, t I2CTarget, address byte, sda, scl int) {
	u.target = t
	u.s.Address = address
	u.sda = b.NewTerminal(u.sdaChanged)
	u.scl = b.NewTerminal(u.sclChanged)
	if _, ok := t.(i2cReader); ok {
		u.stretch = b.NewTimer(u.goOn)
	}
	b.AddState(&u.s)
	b.Join(sda, u.sda.Pin())
	b.Join(scl, u.scl.Pin())
}

// sdaChanged finds START and STOP: SDA changes while SCL is high.
func (u *I2CBus) sdaChanged(high bool) {
	if !u.scl.High() {
		return
	}
	if high {
		if u.s.Addressed {
			u.target.Stop()
		}
		u.s.Phase, u.s.Addressed = i2cIdle, false
	} else {
		u.s.Phase, u.s.Bit, u.s.Byte = i2cAddress, 0, 0
	}
	u.pull(false)
}

// sclChanged takes a bit when SCL rises and gives one when it falls.
func (u *I2CBus) sclChanged(high bool) {
	s := &u.s
	if s.Phase == i2cIdle {
		return
	}
	if high {
		switch {
		case s.Bit < 8 && s.Phase != i2cTransmit:
			s.Byte <<= 1
			if u.sda.High() {
				s.Byte |= 1
			}
		case s.Bit == 8 && s.Phase == i2cTransmit:
			s.Ack = !u.sda.High()
		}
		s.Bit++
		return
	}
	switch {
	case s.Bit == 8 && s.Phase != i2cTransmit:
		s.Ack = u.received()
		u.pull(s.Ack)
	case s.Bit >= 9:
		u.next()
	case s.Phase == i2cTransmit && s.Bit < 8:
		u.pull(s.Byte<<s.Bit&0x80 == 0)
	case s.Phase == i2cTransmit:
		u.pull(false)
	}
}

// received is called with a whole byte and returns whether it is acknowledged.
func (u *I2CBus) received() bool {
	s := &u.s
	if s.Phase == i2cReceive {
		return u.target.Write(s.Byte)
	}
	if s.Byte>>1 != s.Address {
		return false
	}
	if r, ok := u.target.(i2cReader); ok && s.Byte&1 != 0 {
		if ack, _ := r.Ready(); !ack {
			return false
		}
	}
	s.Read, s.Addressed = s.Byte&1 != 0, true
	u.target.Start(s.Read)
	return true
}

// next begins the byte after an acknowledge bit.
func (u *I2CBus) next() {
	s := &u.s
	s.Bit = 0
	switch {
	case !s.Ack:
		s.Phase = i2cIdle
		u.pull(false)
	case s.Read:
		if s.Phase == i2cAddress && u.pause() {
			return
		}
		s.Phase, s.Byte = i2cTransmit, u.target.Read()
		u.pull(s.Byte&0x80 == 0)
	default:
		s.Phase, s.Byte = i2cReceive, 0
		u.pull(false)
	}
}

// pause holds the clock low as long as the target has nothing to read, and
// reports whether it does.
func (u *I2CBus) pause() bool {
	if u.stretch == nil {
		return false
	}
	_, until := u.target.(i2cReader).Ready()
	if until <= u.sda.Now() {
		return false
	}
	u.pull(false)
	u.scl.Drive(emu.Source{Ohms: busOhms})
	u.stretch.Set(emu.At(until))
	return true
}

// goOn ends a pause with the first bit.
func (u *I2CBus) goOn() {
	u.s.Phase, u.s.Byte = i2cTransmit, u.target.Read()
	u.pull(u.s.Byte&0x80 == 0)
	u.scl.Drive(emu.Source{})
}

// pull pulls SDA low, or releases it.
func (u *I2CBus) pull(low bool) {
	if low {
		u.sda.Drive(emu.Source{Ohms: busOhms})
	} else {
		u.sda.Drive(emu.Source{})
	}
}
