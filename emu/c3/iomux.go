package c3

// IO_MUX registers, TRM 5.14.
const (
	ioPinCtrl = 0x00
	ioPin0    = 0x04 // GPIOn, +4n
	ioWPD     = 1 << 7
	ioWPU     = 1 << 8
	ioIE      = 1 << 9
	ioReset   = 0xb00
)

// iomux is IO_MUX, TRM 5.4: for each pad its function, pulls and input enable.
type iomux struct {
	block
	gpio *gpio
}

func newIOMux(g *gpio) *iomux {
	m := &iomux{gpio: g}
	table := []reg{{ioPinCtrl, "PIN_CTRL", 0x7ff}, {0xfc, "DATE", 0x2006050}}
	for n := range uint32(gpPins) {
		table = append(table, reg{ioPin0 + 4*n, "GPIO", ioReset})
	}
	m.block = newBlock("IO_MUX", 0x60009000, table)
	return m
}

func (m *iomux) pad(n uint32) uint32 { return m.words[(ioPin0>>2)+n] }

func (m *iomux) pullUp(n uint32) bool   { return m.pad(n)&ioWPU != 0 }
func (m *iomux) pullDown(n uint32) bool { return m.pad(n)&ioWPD != 0 }

// isGPIO reports whether pad n is given to the GPIO matrix. Function 1 is, and
// function 0 where the pad has no fixed peripheral, TRM table 5.11-1.
func (m *iomux) isGPIO(n uint32) bool {
	switch field(m.pad(n), 14, 12) {
	case 1:
		return true
	case 0:
		return !(n >= 4 && n <= 7 || n >= 12 && n <= 17 || n >= 20)
	}
	return false
}

// inputs returns the pads whose input is enabled.
func (m *iomux) inputs() (pads uint32) {
	for n := range uint32(gpPins) {
		pads |= m.pad(n) >> 9 & 1 << n
	}
	return pads
}

func (m *iomux) write(off, v uint32) {
	m.block.write(off, v)
	m.gpio.update()
}
