package parts

import (
	"encoding/binary"
	"time"

	"espalier.dev/espalier/emu"
)

// BMP180 is a pressure and temperature sensor on an I2C bus, as Bosch's data
// sheet BST-BMP180-DS000 describes it: chip identification 0x55 at 0xD0,
// calibration at 0xAA to 0xBF, measurements that are started at 0xF4 and take
// their time, and their results at 0xF6.
//
//	board.Attach(&parts.BMP180{SDA: 4, SCL: 5, Celsius: 21.5, Pascals: 99_800})
type BMP180 struct {
	SDA, SCL int     // pins of the chip
	Celsius  float64 // temperature, up to 0.1 degrees
	Pascals  float64 // pressure

	bus  I2CBus
	time *emu.Terminal
	s    struct {
		Register byte
		First    bool // the next byte written is a register's number
		Control  byte
		Ready    int64 // guest time in nanoseconds at which the measurement is done
		Result   [3]byte
	}
}

// bmp180Address is the address of the sensor, which cannot be changed.
const bmp180Address = 0x77

// bmp180Calibration are the calibration values AC1 to AC6, B1, B2, MB, MC, MD of
// the example in section 3.5 of the data sheet.
var bmp180Calibration = [11]int32{408, -72, -14383, 32741, 32757, 23153, 6190, 4, -32768, -8711, 2868}

// Attach implements emu.Part.
func (p *BMP180) Attach(b *emu.Board) error {
	p.bus.attach(b, p, bmp180Address, p.SDA, p.SCL)
	p.time = p.bus.sda
	b.AddState(&p.s)
	return nil
}

// Start implements I2CTarget.
func (p *BMP180) Start(read bool) { p.s.First = !read }

// Stop implements I2CTarget.
func (p *BMP180) Stop() {}

// Write implements I2CTarget.
func (p *BMP180) Write(b byte) bool {
	if p.s.First {
		p.s.Register, p.s.First = b, false
		return true
	}
	switch p.s.Register {
	case 0xe0: // soft reset
		if b == 0xb6 {
			p.s.Control, p.s.Ready, p.s.Result = 0, 0, [3]byte{}
		}
	case 0xf4:
		p.measure(b)
	}
	p.s.Register++
	return true
}

// measure starts a measurement: of the temperature, or of the pressure with the
// oversampling of the upper bits.
func (p *BMP180) measure(control byte) {
	p.s.Control = control
	oss := control >> 6
	var takes time.Duration
	switch control & 0x3f {
	case 0x2e:
		takes = 4500 * time.Microsecond
		binary.BigEndian.PutUint16(p.s.Result[:], uint16(p.rawTemperature()))
		p.s.Result[2] = 0
	case 0x34:
		takes = [4]time.Duration{4500, 7500, 13500, 25500}[oss] * time.Microsecond
		raw := p.rawPressure(oss) << (8 - oss)
		p.s.Result = [3]byte{byte(raw >> 16), byte(raw >> 8), byte(raw)}
	default:
		return
	}
	p.s.Ready = int64(p.time.Now() + takes)
}

// Read implements I2CTarget.
func (p *BMP180) Read() byte {
	r := p.s.Register
	p.s.Register++
	switch {
	case r >= 0xaa && r <= 0xbf:
		v := uint16(bmp180Calibration[(r-0xaa)/2])
		if r&1 == 0 {
			return byte(v >> 8)
		}
		return byte(v)
	case r == 0xd0:
		return 0x55
	case r == 0xf4:
		control := p.s.Control &^ (1 << 5)
		if int64(p.time.Now()) < p.s.Ready {
			control |= 1 << 5 // SCO: the measurement runs
		}
		return control
	case r >= 0xf6 && r <= 0xf8:
		if int64(p.time.Now()) < p.s.Ready {
			return [3]byte{0x80}[r-0xf6]
		}
		return p.s.Result[r-0xf6]
	}
	return 0
}

// b5 is the intermediate value B5 of the data sheet for an uncompensated
// temperature.
func bmp180B5(ut int32) int32 {
	c := &bmp180Calibration
	x1 := (ut - c[5]) * c[4] >> 15
	return x1 + c[9]<<11/(x1+c[10])
}

// rawTemperature returns the uncompensated temperature from which firmware
// computes the part's temperature.
func (p *BMP180) rawTemperature() int32 {
	want := int32(p.Celsius * 10)
	return bmp180Search(0xffff, func(ut int32) bool { return (bmp180B5(ut)+8)>>4 >= want })
}

// rawPressure is rawTemperature for the pressure.
func (p *BMP180) rawPressure(oss byte) int32 {
	b5 := bmp180B5(p.rawTemperature())
	return bmp180Search(0xffff<<oss, func(up int32) bool { return bmp180Pressure(up, b5, oss) >= int32(p.Pascals) })
}

// bmp180Search returns the smallest value up to top for which reached is true, a
// function that does not fall.
func bmp180Search(top int32, reached func(int32) bool) int32 {
	low := int32(0)
	for low < top {
		if mid := low + (top-low)/2; reached(mid) {
			top = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// bmp180Pressure is the algorithm of section 3.5 of the data sheet, in pascals.
func bmp180Pressure(up, b5 int32, oss byte) int32 {
	c := &bmp180Calibration
	b6 := b5 - 4000
	x1 := c[7] * (b6 * b6 >> 12) >> 11
	x2 := c[1] * b6 >> 11
	b3 := ((c[0]*4+x1+x2)<<oss + 2) / 4
	x1 = c[2] * b6 >> 13
	x2 = c[6] * (b6 * b6 >> 12) >> 16
	x3 := (x1 + x2 + 2) >> 2
	b4 := uint32(c[3]) * uint32(x3+32768) >> 15
	b7 := uint32(up-b3) * uint32(50000>>oss)
	if up < b3 {
		return 0
	}
	var p int32
	if b7 < 0x80000000 {
		p = int32(b7 * 2 / b4)
	} else {
		p = int32(b7 / b4 * 2)
	}
	x1 = (p >> 8) * (p >> 8)
	x1 = x1 * 3038 >> 16
	x2 = -7357 * p >> 16
	return p + (x1+x2+3791)>>4
}
