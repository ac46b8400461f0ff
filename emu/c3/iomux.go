package c3

// IO_MUX registers, TRM 5.14.
const (
	ioPinCtrl = 0x00
	ioPin0    = 0x04 // GPIOn, +4n
	ioMCUOE   = 1 << 0
	ioSlpSel  = 1 << 1
	ioMCUWPD  = 1 << 2
	ioMCUWPU  = 1 << 3
	ioMCUIE   = 1 << 4
	ioWPD     = 1 << 7
	ioWPU     = 1 << 8
	ioIE      = 1 << 9
	ioDrive   = 2 << 10 // FUN_DRV after reset

	rtcUSBConf       = 0xec
	ioMuxKeepAtReset = 1 << 18 // RTC_CNTL_USB_CONF IO_MUX_RESET_DISABLE
)

// iomux is IO_MUX, TRM 5.4: for each pad its function, pulls, drive strength,
// input enable, and the same for sleep. The filter of FILTER_EN (pulses below
// two cycles) is not modelled.
type iomux struct {
	block
	gpio *gpio
}

func newIOMux(g *gpio) *iomux {
	m := &iomux{gpio: g}
	table := []reg{{ioPinCtrl, "PIN_CTRL", 0x7ff}, {0xfc, "DATE", 0x2006050}}
	for n := range uint32(gpPins) {
		table = append(table, reg{ioPin0 + 4*n, "GPIO", ioReset(n)})
	}
	m.block = newBlock("IO_MUX", 0x60009000, table)
	return m
}

// ioReset returns the register of pad n after reset, TRM table 5.11-1, column
// reset.
func ioReset(n uint32) uint32 {
	switch {
	case n == 0, n == 1, n == 11, n == 18, n == 19:
		return ioDrive
	case n == 9, n >= 12 && n <= 17, n == 20:
		return ioDrive | ioIE | ioWPU
	case n == 21:
		return ioDrive | ioWPU
	}
	return ioDrive | ioIE
}

func (m *iomux) pad(n uint32) uint32 { return m.words[(ioPin0>>2)+n] }

// function returns MCU_SEL of pad n.
func (m *iomux) function(n uint32) uint32 { return field(m.pad(n), 14, 12) }

// isMatrix reports whether pad n is connected to the GPIO matrix.
func (m *iomux) isMatrix(n uint32) bool {
	_, matrix := directSignals(n, m.function(n))
	return matrix
}

// sleeps reports whether the configuration for sleep of pad n is in force.
func (m *iomux) sleeps(n uint32) bool {
	return m.pad(n)&ioSlpSel != 0 && m.gpio.soc.rtc.s.Sleep != awake
}

// effective returns the register of pad n with the configuration that is in
// force in the place of the one for the active chip.
func (m *iomux) effective(n uint32) uint32 {
	v := m.pad(n)
	if !m.sleeps(n) {
		return v
	}
	e := v &^ (ioWPD | ioWPU | ioIE)
	e |= v & (ioMCUWPD | ioMCUWPU | ioMCUIE) << 5
	return e
}

func (m *iomux) write(off, v uint32) {
	m.gpio.soc.spi2.split()
	old := m.get(off)
	m.block.write(off, v)
	if off >= ioPin0 && off < ioPin0+4*gpPins && old != v {
		m.gpio.reconfigure((off - ioPin0) / 4)
	}
}

func (m *iomux) reset() {
	if m.gpio.soc.rtc.get(rtcUSBConf)&ioMuxKeepAtReset != 0 {
		return
	}
	m.block.reset()
	m.gpio.reconfigureAll()
}
