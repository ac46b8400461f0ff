package parts

import (
	"fmt"
	"time"

	"espalier.dev/espalier/emu"
)

// SHT3x is a temperature and humidity sensor on an I2C bus, as Sensirion's data
// sheet "SHT3x-DIS" (version 6) describes it: measurements on demand, with and
// without clock stretching, and periodic ones (sections 4.3 to 4.9), heater,
// status, and a checksum after each word (section 4.12).
type SHT3x struct {
	SDA, SCL int     // pins of the chip
	Address  byte    // 0x44, which 0 is, or 0x45
	Celsius  float64 // -45 to 130
	Humidity float64 // relative, 0 to 100 percent

	bus  I2CBus
	time *emu.Terminal
	s    struct {
		Command uint16
		Count   uint8 // bytes of the command so far
		Out     [6]byte
		Len     uint8 // bytes of Out that can be read
		Next    uint8
		Stretch bool  // the measurement that is read stretches the clock
		Ready   int64 // guest time in nanoseconds at which it is done
		Period  int64 // nanoseconds between periodic measurements, 0 without
		Begun   int64 // guest time of the first periodic one
		Read    int64 // number of the periodic measurement that was read last
		Status  uint16
		Await   bool // a measurement is to be read
	}
}

// Commands of tables 9 to 18, without the measurements.
const (
	shtFetch      = 0xe000
	shtART        = 0x2b32
	shtBreak      = 0x3093
	shtReset      = 0x30a2
	shtHeaterOn   = 0x306d
	shtHeaterOff  = 0x3066
	shtStatus     = 0xf32d
	shtClear      = 0x3041
	shtHeaterBit  = 1 << 13
	shtResetBit   = 1 << 4
	shtCommandBit = 1 << 1
	shtClearable  = 1<<15 | 1<<11 | 1<<10 | shtResetBit
)

// shtTakes is the longest duration of a measurement by repeatability: high,
// medium, low (table 4).
var shtTakes = [3]time.Duration{15 * time.Millisecond, 6 * time.Millisecond, 4 * time.Millisecond}

// shtSingle returns the repeatability of a single measurement and whether it
// stretches the clock (table 9).
func shtSingle(command uint16) (takes time.Duration, stretch, ok bool) {
	i, found := map[uint16]int{0x2c06: 0, 0x2c0d: 1, 0x2c10: 2, 0x2400: 3, 0x240b: 4, 0x2416: 5}[command]
	return shtTakes[i%3], i < 3, found
}

// shtPeriod returns the time between periodic measurements (table 10).
func shtPeriod(command uint16) (time.Duration, bool) {
	rate := map[uint16]time.Duration{
		0x2032: 2000, 0x2024: 2000, 0x202f: 2000, 0x2130: 1000, 0x2126: 1000, 0x212d: 1000, 0x2236: 500, 0x2220: 500,
		0x222b: 500, 0x2334: 250, 0x2322: 250, 0x2329: 250, 0x2737: 100, 0x2721: 100, 0x272a: 100, shtART: 250,
	}[command]
	return rate * time.Millisecond, rate != 0
}

// Attach implements emu.Part. The error is of an address that the sensor cannot
// have.
func (p *SHT3x) Attach(b *emu.Board) error {
	if p.Address == 0 {
		p.Address = 0x44
	}
	if p.Address != 0x44 && p.Address != 0x45 {
		return fmt.Errorf("SHT3x at address 0x%02x: want 0x44 or 0x45", p.Address)
	}
	p.bus.attach(b, p, p.Address, p.SDA, p.SCL)
	p.time = p.bus.sda
	b.AddState(&p.s)
	p.s.Status = shtResetBit
	return nil
}

// Start implements I2CTarget.
func (p *SHT3x) Start(read bool) {
	if !read {
		p.s.Count = 0
		return
	}
	if p.s.Await && !p.s.Stretch {
		p.measure()
	}
}

// Stop implements I2CTarget.
func (p *SHT3x) Stop() {}

// Ready implements i2cReader: without clock stretching, a sensor that has nothing
// to read does not acknowledge.
func (p *SHT3x) Ready() (bool, time.Duration) {
	now := int64(p.time.Now())
	switch {
	case !p.s.Await:
		return p.s.Len > 0, 0
	case p.s.Period != 0:
		return p.periodic(now) > p.s.Read, 0
	case p.s.Stretch:
		return true, time.Duration(p.s.Ready)
	}
	return now >= p.s.Ready, 0
}

// periodic returns how many periodic measurements are complete.
func (p *SHT3x) periodic(now int64) int64 {
	first := p.s.Begun + int64(shtTakes[0])
	if now < first {
		return 0
	}
	return (now-first)/p.s.Period + 1
}

// Write implements I2CTarget.
func (p *SHT3x) Write(b byte) bool {
	p.s.Command = p.s.Command<<8 | uint16(b)
	if p.s.Count++; p.s.Count != 2 {
		return p.s.Count < 2
	}
	return p.execute(p.s.Command)
}

// execute reports whether the sensor knows the command.
func (p *SHT3x) execute(command uint16) bool {
	now := int64(p.time.Now())
	p.s.Len, p.s.Next = 0, 0
	known := true
	takes, stretch, single := shtSingle(command)
	period, periodic := shtPeriod(command)
	switch {
	case single && p.s.Period == 0:
		p.s.Stretch, p.s.Ready, p.s.Await = stretch, now+int64(takes), true
	case periodic && p.s.Period == 0:
		p.s.Period, p.s.Begun, p.s.Read, p.s.Await = int64(period), now, 0, false
	case command == shtFetch && p.s.Period != 0:
		p.s.Await, p.s.Stretch = true, false
	case command == shtBreak:
		p.s.Period, p.s.Await = 0, false
	case command == shtReset && p.s.Period == 0:
		p.s.Await, p.s.Status = false, shtResetBit
	case command == shtHeaterOn:
		p.s.Status |= shtHeaterBit
	case command == shtHeaterOff:
		p.s.Status &^= shtHeaterBit
	case command == shtClear:
		p.s.Status &^= shtClearable
	case command == shtStatus:
		p.put(0, p.s.Status)
		p.s.Len, p.s.Await = 3, false
	default:
		known = false
	}
	p.s.Status &^= shtCommandBit
	if !known {
		p.s.Status |= shtCommandBit
	}
	return known
}

// measure makes the result of the measurement that is being read (section 4.13).
func (p *SHT3x) measure() {
	raw := func(v, span float64) uint16 { return uint16(min(max(v/span*0xffff+0.5, 0), 0xffff)) }
	p.put(0, raw(p.Celsius+45, 175))
	p.put(3, raw(p.Humidity, 100))
	p.s.Len, p.s.Next, p.s.Await = 6, 0, false
	if p.s.Period != 0 {
		p.s.Read = p.periodic(int64(p.time.Now()))
	}
}

func (p *SHT3x) put(at int, v uint16) {
	p.s.Out[at], p.s.Out[at+1] = byte(v>>8), byte(v)
	p.s.Out[at+2] = shtCRC(p.s.Out[at : at+2])
}

// shtCRC is the checksum of section 4.12: polynomial 0x31, initial value 0xff.
func shtCRC(data []byte) byte {
	crc := byte(0xff)
	for _, b := range data {
		crc ^= b
		for range 8 {
			if crc&0x80 != 0 {
				crc = crc<<1 ^ 0x31
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// Read implements I2CTarget. After the last byte the lines rest.
func (p *SHT3x) Read() byte {
	if p.s.Await { // the clock was stretched until now
		p.measure()
	}
	if p.s.Next >= p.s.Len {
		return 0xff
	}
	p.s.Next++
	b := p.s.Out[p.s.Next-1]
	if p.s.Next == p.s.Len {
		p.s.Len = 0
	}
	return b
}
