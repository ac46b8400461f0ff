package c3

import "espalier.dev/espalier/emu/chip"

// Registers of the analog I2C master at 6000E000. The manual does not describe
// it; names as in the vendor's ROM functions.
const (
	anaHost0   = 0x00
	anaHost1   = 0x04
	anaConf0   = 0x40
	anaConf1   = 0x44
	anaConf2   = 0x48
	anaWrite   = 1 << 24
	anaBusy    = 1 << 25
	anaCalDone = 1 << 24
)

// analog is the internal I2C master to the analog blocks (PLL, bias, ADC). It
// remembers what was written to each register of each slave.
type analog struct {
	block
	slaves [2][128][256]byte
	tuned  func(channel uint8) // told where the synthesizer is
}

func newAnalog(tuned func(channel uint8)) *analog {
	a := &analog{tuned: tuned}
	a.block = newBlock("ANA_I2C", 0x6000e000, []reg{
		{anaHost0, "I2C0_CTRL", 0}, {anaHost1, "I2C1_CTRL", 0}, {anaConf0, "ANA_CONF0", 0}, {anaConf1, "ANA_CONF1", 0}, {anaConf2, "ANA_CONF2", 0},
	})
	a.know(anaTransfer0, 0x170) // of the radio
	return a
}

func (a *analog) read(off uint32) uint32 {
	v := a.block.read(off)
	switch off {
	case anaHost0, anaHost1:
		return v &^ anaBusy
	case anaConf0:
		return v | anaCalDone // PLL calibration is always done
	case anaTransfer0, anaTransfer1:
		return v | anaDone
	}
	return v
}

func (a *analog) write(off, v uint32) {
	if off == anaHost0 || off == anaHost1 {
		cell := &a.slaves[off/4][v&0x7f][v>>8&0xff]
		if v&anaWrite != 0 {
			*cell = byte(v >> 16)
		}
		v = v&^(0xff<<16) | uint32(*cell)<<16
	}
	a.block.write(off, v)
	if off == anaChannel {
		a.tuned(channel(field(v, 27, 20)))
	}
}

func (a *analog) state(s *chip.State) { s.Fixed(&a.words, &a.slaves) }

// APB_SARADC registers, TRM 34.5.
const (
	adcOnetime  = 0x20
	adcSAR1Data = 0x2c
	adcSAR2Data = 0x30
	adcIntEna   = 0x40
	adcIntRaw   = 0x44
	adcIntSt    = 0x48
	adcIntClr   = 0x4c
	adcDone     = 1<<31 | 1<<30 // SAR1, SAR2
)

// saradc is APB_SARADC, TRM 34: a conversion is always done, and the voltage
// on every channel is zero.
type saradc struct {
	block
	intr interrupts
}

func newSARADC(c *soc) *saradc {
	a := &saradc{}
	a.intr.line = c.intc.source(srcAPBSARADC)
	a.block = newBlock("APB_SARADC", 0x60040000, []reg{
		{0x00, "CTRL", 0x40038240}, {0x04, "CTRL2", 0xa1fe}, {0x08, "FILTER_CTRL1", 0}, {0x0c, "FSM_WAIT", 0xff0808}, {0x10, "SAR1_STATUS", 0},
		{0x14, "SAR2_STATUS", 0}, {0x18, "SAR_PATT_TAB1", 0xffffff}, {0x1c, "SAR_PATT_TAB2", 0xffffff}, {adcOnetime, "ONETIME_SAMPLE", 0x1a000000},
		{0x24, "ARB_CTRL", 0x900}, {0x28, "FILTER_CTRL0", 0x1b40000}, {adcSAR1Data, "SAR1DATA_STATUS", 0}, {adcSAR2Data, "SAR2DATA_STATUS", 0},
		{0x34, "THRES0_CTRL", 0x3ffed}, {0x38, "THRES1_CTRL", 0x3ffed}, {0x3c, "THRES_CTRL", 0}, {adcIntEna, "INT_ENA", 0}, {adcIntRaw, "INT_RAW", 0},
		{adcIntSt, "INT_ST", 0}, {adcIntClr, "INT_CLR", 0}, {0x50, "DMA_CONF", 0xff}, {0x54, "CLKM_CONF", 4}, {0x58, "TSENS_CTRL", 0x18000},
		{0x5c, "TSENS_CTRL2", 0x4002}, {0x60, "CALI", 0x8000}, {0x3fc, "CTRL_DATE", 0x2007171},
	})
	a.intr.Raw = adcDone
	return a
}

func (a *saradc) read(off uint32) uint32 {
	switch off {
	case adcIntRaw:
		return a.intr.Raw
	case adcIntSt:
		return a.intr.status()
	case adcIntEna:
		return a.intr.Ena
	case adcIntClr:
		return 0
	}
	return a.block.read(off)
}

func (a *saradc) write(off, v uint32) {
	switch off {
	case adcIntEna:
		a.intr.enable(v)
	case adcIntClr:
		a.intr.clear(v &^ adcDone)
	case adcIntRaw, adcIntSt, adcSAR1Data, adcSAR2Data:
	default:
		a.block.write(off, v)
	}
}

func (a *saradc) reset() {
	a.block.reset()
	a.intr.reset(adcDone)
}

func (a *saradc) state(s *chip.State) { s.Fixed(&a.words, &a.intr.Raw, &a.intr.Ena) }
