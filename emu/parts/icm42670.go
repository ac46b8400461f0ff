package parts

import (
	"fmt"
	"math"

	"espalier.dev/espalier/emu"
)

// ICM42670P is an accelerometer and gyroscope on an I2C bus, as TDK's data sheet
// DS-000451 describes the registers of its bank 0: identification, power modes,
// ranges, and the results, which follow what the user sets at once. FIFO,
// interrupts, motion functions and the banks MREG are not modelled.
type ICM42670P struct {
	SDA, SCL int
	Address  byte       // 0x68, which 0 is, or 0x69
	G        [3]float64 // acceleration by axis, in g
	DPS      [3]float64 // rotation by axis, in degrees per second
	Celsius  float64

	bus I2CBus
	s   struct {
		Regs     [128]byte
		Register byte
		First    bool
	}
}

// Registers of bank 0, section 14, and the values after reset that are not 0.
const (
	icmMCLK     = 0x00
	icmReset    = 0x02
	icmData     = 0x09 // to 0x16: temperature, acceleration, rotation
	icmStatus   = 0x39
	icmPower    = 0x1f
	icmGyro     = 0x20
	icmAccel    = 0x21
	icmWhoAmI   = 0x75
	icmIdentity = 0x67
)

// Attach implements emu.Part.
func (p *ICM42670P) Attach(b *emu.Board) error {
	if p.Address == 0 {
		p.Address = 0x68
	}
	if p.Address != 0x68 && p.Address != 0x69 {
		return fmt.Errorf("ICM-42670-P at address 0x%02x: want 0x68 or 0x69", p.Address)
	}
	p.bus.attach(b, p, p.Address, p.SDA, p.SCL)
	p.clear()
	b.AddState(&p.s)
	return nil
}

func (p *ICM42670P) clear() {
	p.s.Regs = [128]byte{icmMCLK: 1 << 3, 0x01: 0x04, 0x03: 0x14, icmGyro: 0x06, icmAccel: 0x06, 0x22: 0x00, 0x23: 0x31,
		0x24: 0x41, 0x35: 0x30, icmWhoAmI: icmIdentity}
}

// Start implements I2CTarget.
func (p *ICM42670P) Start(read bool) {
	if p.s.First = !read; read && p.s.Register >= icmData && p.s.Register <= icmData+13 {
		p.measure()
	}
}

// Stop implements I2CTarget.
func (p *ICM42670P) Stop() {}

// Write implements I2CTarget.
func (p *ICM42670P) Write(b byte) bool {
	s := &p.s
	if s.First {
		s.Register, s.First = b&0x7f, false
		return true
	}
	switch r := s.Register; {
	case r == icmReset && b&(1<<4) != 0:
		p.clear()
	case r == icmMCLK, r >= icmData && r <= icmData+13, r == icmStatus, r == icmWhoAmI:
	default:
		s.Regs[r] = b
	}
	s.Register = (s.Register + 1) & 0x7f
	return true
}

// Read implements I2CTarget.
func (p *ICM42670P) Read() byte {
	b := p.s.Regs[p.s.Register]
	p.s.Register = (p.s.Register + 1) & 0x7f
	return b
}

// measure fills the data registers: 0x8000 while a part of the sensor is off.
func (p *ICM42670P) measure() {
	s := &p.s
	put := func(at int, v float64, on bool) {
		raw := int16(math.MinInt16)
		if on {
			raw = int16(min(max(math.Round(v), math.MinInt16+1), math.MaxInt16))
		}
		s.Regs[at], s.Regs[at+1] = byte(uint16(raw)>>8), byte(raw)
	}
	power := s.Regs[icmPower]
	accel, gyro := power&2 != 0, power>>2&3 == 3
	put(icmData, (p.Celsius-25)*128, accel || gyro)
	// Ranges: 16, 8, 4, 2 g; 2000, 1000, 500, 250 degrees per second.
	perG := 2048 * float64(uint(1)<<(s.Regs[icmAccel]>>5&3))
	perDPS := 32768.0 / 2000 * float64(uint(1)<<(s.Regs[icmGyro]>>5&3))
	for i := range 3 {
		put(icmData+2+2*i, p.G[i]*perG, accel)
		put(icmData+8+2*i, p.DPS[i]*perDPS, gyro)
	}
}
