package parts

import (
	"time"

	"espalier.dev/espalier/emu"
)

// SHTC3 is a temperature and humidity sensor on an I2C bus, at 0x70, as Sensirion's
// data sheet SHTC3 (version 3) describes it: sleep and wake-up (section 5.1),
// measurements with and without clock stretching in normal and low power mode
// (5.2 to 5.5), reset (5.8) and the identification register (5.9).
type SHTC3 struct {
	SDA, SCL int
	Celsius  float64
	Humidity float64 // relative, 0 to 100 percent

	bus  I2CBus
	time *emu.Terminal
	s    struct {
		Command uint16
		Count   uint8
		Out     [6]byte
		Len     uint8
		Next    uint8
		Asleep  bool
		Stretch bool
		Await   bool // a measurement is to be read
		First   bool // the humidity comes first
		Ready   int64
	}
}

// Longest durations of a measurement (table 6): normal and low power mode.
const (
	shtc3Normal = 12100 * time.Microsecond
	shtc3Low    = 800 * time.Microsecond
)

// Attach implements emu.Part.
func (p *SHTC3) Attach(b *emu.Board) error {
	p.bus.attach(b, p, 0x70, p.SDA, p.SCL)
	p.time = p.bus.sda
	b.AddState(&p.s)
	return nil
}

// Start implements I2CTarget.
func (p *SHTC3) Start(read bool) {
	if !read {
		p.s.Count = 0
	}
}

// Stop implements I2CTarget.
func (p *SHTC3) Stop() {}

// Ready implements i2cReader.
func (p *SHTC3) Ready() (bool, time.Duration) {
	switch {
	case p.s.Asleep:
		return false, 0
	case !p.s.Await:
		return p.s.Next < p.s.Len, 0
	case p.s.Stretch:
		return true, time.Duration(p.s.Ready)
	}
	return int64(p.time.Now()) >= p.s.Ready, 0
}

// Write implements I2CTarget.
func (p *SHTC3) Write(b byte) bool {
	p.s.Command = p.s.Command<<8 | uint16(b)
	if p.s.Count++; p.s.Count != 2 {
		return p.s.Count < 2
	}
	s := &p.s
	if s.Asleep && s.Command != 0x3517 {
		return false
	}
	s.Len, s.Next, s.Await = 0, 0, false
	takes := shtc3Normal
	switch s.Command {
	case 0x3517:
		s.Asleep = false
		return true
	case 0xb098:
		s.Asleep = true
		return true
	case 0x805d:
		return true
	case 0xefc8: // bits 0 to 5 and 11 identify the sensor
		s.Out[0], s.Out[1] = 0x08, 0x07
		s.Out[2] = shtCRC(s.Out[:2])
		s.Len = 3
		return true
	case 0x7ca2, 0x7866, 0x5c24, 0x58e0:
	case 0x6458, 0x609c, 0x44de, 0x401a:
		takes = shtc3Low
	default:
		return false
	}
	s.Stretch = s.Command == 0x7ca2 || s.Command == 0x5c24 || s.Command == 0x6458 || s.Command == 0x44de
	s.First = s.Command == 0x5c24 || s.Command == 0x58e0 || s.Command == 0x44de || s.Command == 0x401a
	s.Await, s.Ready = true, int64(p.time.Now()+takes)
	return true
}

// Read implements I2CTarget.
func (p *SHTC3) Read() byte {
	s := &p.s
	if s.Await {
		raw := func(v, span float64) uint16 { return uint16(min(max(v/span*0x10000+0.5, 0), 0xffff)) }
		words := [2]uint16{raw(p.Celsius+45, 175), raw(p.Humidity, 100)}
		if s.First {
			words[0], words[1] = words[1], words[0]
		}
		for i, w := range words {
			s.Out[3*i], s.Out[3*i+1] = byte(w>>8), byte(w)
			s.Out[3*i+2] = shtCRC(s.Out[3*i : 3*i+2])
		}
		s.Await, s.Len, s.Next = false, 6, 0
	}
	if s.Next >= s.Len {
		return 0xff
	}
	s.Next++
	return s.Out[s.Next-1]
}
