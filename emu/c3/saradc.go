package c3

import "espalier.dev/espalier/emu/chip"

// APB_SARADC registers, TRM 34.5.
const (
	adcCtrl     = 0x00
	adcCtrl2    = 0x04
	adcFilter1  = 0x08 // FILTER_CTRL1: factors
	adcFilter0  = 0x28 // FILTER_CTRL0: channels
	adcPattern1 = 0x18
	adcPattern2 = 0x1c
	adcOnetime  = 0x20
	adcSAR1Data = 0x2c
	adcSAR2Data = 0x30
	adcThres0   = 0x34
	adcThres1   = 0x38
	adcThres    = 0x3c
	adcIntEna   = 0x40
	adcIntRaw   = 0x44
	adcIntSt    = 0x48
	adcIntClr   = 0x4c
	adcDMAConf  = 0x50
	adcCLKM     = 0x54
	adcTSens    = 0x58

	adcOnetimeStart = 1 << 29
	adcOnetimeSAR2  = 1 << 30
	adcOnetimeSAR1  = 1 << 31
	adcTimerEn      = 1 << 24 // CTRL2
	adcDMATrans     = 1 << 31 // DMA_CONF
	adcDMAReset     = 1 << 30
	adcPatternClear = 1 << 23 // CTRL
	adcTSensPower   = 1 << 22

	adcInt1Done = 1 << 31
	adcInt2Done = 1 << 30

	// adcConversion is the duration of a conversion: the sample rate is at most
	// 83 kHz.
	adcConversion = 12 * chip.Microsecond

	adcPads     = 5 // channels 0 to 4 of ADC1 are GPIO0 to 4, channel 0 of ADC2 is GPIO5
	adcFull     = 4095
	adcRefMilli = 1100 // internal reference voltage

	// The converters' registers, accessed through the analog I2C master.
	sarSlave      = 0x69
	sarTSensDAC   = 6
	sarCalibrate  = 7
	sarSAR2Ground = 1 << 7
	sarSAR2Ref    = 1 << 6
	sarSAR1Ground = 1 << 5
	sarSAR1Ref    = 1 << 4
)

// saradc is APB_SARADC, TRM 34: two converters with one-time and timed
// sampling, the latter by DMA, threshold monitors, and the temperature sensor.
// The voltage is that of the pad's net, which the user sets; an unconnected pad
// has 0 V. The converters are ideal with the gain and offset in the eFuse, so
// firmware that applies the calibration measures the set voltage; so is the
// temperature sensor.
type saradc struct {
	block
	soc  *soc
	intr interrupts
	s    struct {
		MilliCelsius int32
		Unit         uint32 // of the one-time conversion: 1, 2 or both as bits
		Item         uint32 // of the pattern
		Samples      uint32 // since the last end of a DMA packet
		Filters      [2]adcFilter
	}
	done  *chip.Timer
	timer *chip.Timer
}

// adcFilter is one of the two filters of timed sampling: the last result in 256ths
// of a code, if there is one.
type adcFilter struct {
	Last uint32
	Run  bool
}

func newSARADC(c *soc) *saradc {
	a := &saradc{soc: c}
	a.intr.line = c.intc.source(srcAPBSARADC)
	a.s.MilliCelsius = 25_000
	a.done = c.m.NewTimer(a.converted)
	a.timer = c.m.NewTimer(a.timed)
	a.block = newBlock("APB_SARADC", 0x60040000, []reg{
		{adcCtrl, "CTRL", 0x40038240}, {adcCtrl2, "CTRL2", 0xa1fe}, {adcFilter1, "FILTER_CTRL1", 0}, {0x0c, "FSM_WAIT", 0xff0808}, {0x10, "SAR1_STATUS", 0},
		{0x14, "SAR2_STATUS", 0}, {adcPattern1, "SAR_PATT_TAB1", 0}, {adcPattern2, "SAR_PATT_TAB2", 0}, {adcOnetime, "ONETIME_SAMPLE", 0x1a000000},
		{0x24, "ARB_CTRL", 0x900}, {adcFilter0, "FILTER_CTRL0", 0x3740000}, {adcSAR1Data, "SAR1DATA_STATUS", 0}, {adcSAR2Data, "SAR2DATA_STATUS", 0},
		{adcThres0, "THRES0_CTRL", 0x3ffed}, {adcThres1, "THRES1_CTRL", 0x3ffed}, {adcThres, "THRES_CTRL", 0}, {adcIntEna, "INT_ENA", 0},
		{adcIntRaw, "INT_RAW", 0}, {adcIntSt, "INT_ST", 0}, {adcIntClr, "INT_CLR", 0}, {adcDMAConf, "DMA_CONF", 0xff}, {adcCLKM, "CLKM_CONF", 4},
		{adcTSens, "TSENS_CTRL", 0x18000}, {0x5c, "TSENS_CTRL2", 0x4002}, {0x60, "CALI", 0x8000}, {0x3fc, "CTRL_DATE", 0x2007171},
	})
	c.gdma.onReady(dmaADC, a.arm)
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
	case adcTSens:
		v := a.get(off) &^ 0xff
		if v&adcTSensPower != 0 {
			v |= a.temperature()
		}
		return v
	}
	return a.block.read(off)
}

func (a *saradc) write(off, v uint32) {
	old := a.get(off)
	switch off {
	case adcIntEna:
		a.intr.enable(v)
	case adcIntClr:
		a.intr.clear(v)
	case adcIntRaw, adcIntSt, adcSAR1Data, adcSAR2Data, 0x10, 0x14:
	case adcOnetime:
		a.set(off, v)
		if v&adcOnetimeStart != 0 && old&adcOnetimeStart == 0 {
			a.s.Unit = v >> 30 // bit 0 is SAR2, bit 1 SAR1
			a.done.Set(a.soc.m.Now().Add(adcConversion))
		}
	case adcCtrl:
		a.set(off, v)
		if v&adcPatternClear != 0 {
			a.s.Item = 0
		}
	case adcFilter0:
		a.set(off, v)
		if v>>31 != 0 { // FILTER_RESET
			a.s.Filters = [2]adcFilter{}
		}
	case adcDMAConf:
		a.set(off, v)
		if v&adcDMAReset != 0 {
			a.s.Samples, a.s.Item = 0, 0
		}
		a.arm()
	default:
		a.block.write(off, v)
		a.arm()
	}
}

// converted ends a one-time conversion.
func (a *saradc) converted() {
	conf := a.get(adcOnetime)
	channel, atten := field(conf, 28, 25), field(conf, 24, 23)
	if a.s.Unit&2 != 0 {
		a.result(1, channel, a.convert(1, channel, atten))
	}
	if a.s.Unit&1 != 0 {
		a.result(2, channel, a.convert(2, channel, atten))
	}
}

// result stores a result, compares it with the thresholds, and sets the interrupts.
// A monitor names its channel with the converter in bit 3.
func (a *saradc) result(unit, channel, v uint32) {
	reg, bit := uint32(adcSAR1Data), uint32(adcInt1Done)
	if unit == 2 {
		reg, bit = adcSAR2Data, adcInt2Done
	}
	a.set(reg, v|channel<<13)
	for n := range uint32(2) {
		conf, on := a.get(adcThres0+4*n), a.get(adcThres)
		if on>>(31-n)&1 == 0 || field(conf, 3, 0) != (unit-1)<<3|channel && on>>27&1 == 0 {
			continue
		}
		if v > field(conf, 17, 5) {
			bit |= 1 << (29 - n)
		}
		if v < field(conf, 30, 18) {
			bit |= 1 << (27 - n)
		}
	}
	a.intr.raise(bit)
}

// filtered passes a sample of timed sampling through the filters of its channel,
// TRM 34.3.5: with a factor k, a result is (k-1)/k of the one before and 1/k of the
// sample.
func (a *saradc) filtered(unit, channel, v uint32) uint32 {
	channels, factors := a.get(adcFilter0), a.get(adcFilter1)
	for n := range a.s.Filters {
		f := &a.s.Filters[n]
		shift := factors >> (29 - 3*n) & 7
		if channels>>(22-4*n)&15 != (unit-1)<<3|channel || shift == 0 {
			continue
		}
		if !f.Run {
			*f = adcFilter{Last: v << 8, Run: true}
		} else {
			f.Last = uint32(int32(f.Last) + (int32(v<<8)-int32(f.Last))>>shift)
		}
		v = f.Last >> 8
	}
	return v
}

// convert returns the code for the voltage at a channel.
func (a *saradc) convert(unit, channel, atten uint32) uint32 {
	mv := 0
	cal := a.soc.analog.slave(sarSlave, sarCalibrate)
	ground, ref := cal&sarSAR1Ground != 0, cal&sarSAR1Ref != 0
	pad := int(channel)
	if unit == 2 {
		ground, ref, pad = cal&sarSAR2Ground != 0, cal&sarSAR2Ref != 0, 5
	}
	switch {
	case ground:
	case ref:
		mv = adcRefMilli
	case unit == 1 && channel < adcPads || unit == 2 && channel == 0:
		mv = a.soc.gpio.milliVolts(pad)
	}
	offset, code, at := a.calibration(atten)
	initial := int(a.soc.analog.slave(sarSlave, byte(3*(unit-1)))) | int(a.soc.analog.slave(sarSlave, byte(3*(unit-1)+1))&15)<<8
	return uint32(max(0, min(adcFull, mv*code/at+offset-initial)))
}

// calibration returns the values of BLOCK2 of the eFuse for an attenuation: the
// code at 0 V without INITIAL_CODE, and the code at a voltage in millivolts
// (ESP-IDF, esp_efuse_rtc_calib: version 1).
func (a *saradc) calibration(atten uint32) (offset, code, milliVolts int) {
	bits := func(from uint32) int {
		word := uint64(a.soc.efuse.get(efBlock2+from/32*4)) | uint64(a.soc.efuse.get(efBlock2+from/32*4+4))<<32
		return int(word >> (from % 32) & 0x3ff)
	}
	offset, code = 1000+bits(148+10*atten), 2000
	if d := bits(188 + 10*atten); d>>9 != 0 {
		code -= d & 0x1ff
	} else {
		code += d
	}
	return offset, code, [4]int{400, 550, 750, 1370}[atten]
}

const efBlock2 = 0x5c // RD_SYS_PART1_DATA0

// arm starts the timer that samples for DMA.
func (a *saradc) arm() {
	if a.get(adcCtrl2)&adcTimerEn == 0 || a.get(adcDMAConf)&adcDMATrans == 0 || a.soc.gdma.receiver(dmaADC) == nil {
		a.timer.Stop()
		return
	}
	if !a.timer.Armed() {
		a.timer.Set(a.soc.m.Now().Add(a.interval()))
	}
}

// interval returns the time between two samples: 2 * TIMER_TARGET periods of the
// controller's clock.
func (a *saradc) interval() chip.Duration {
	conf := a.get(adcCLKM)
	hz := uint64(a.soc.apbHz())
	if field(conf, 22, 21) == 1 {
		hz = 240_000_000
	}
	num, b, d := uint64(field(conf, 7, 0))+1, uint64(field(conf, 13, 8)), uint64(field(conf, 19, 14))
	if d == 0 {
		b, d = 0, 1
	}
	target := uint64(max(1, field(a.get(adcCtrl2), 23, 12)))
	return chip.Duration(max(chip.TicksPerSecond/1_000_000, 2*target*(num*d+b)*chip.TicksPerSecond/(hz*d)))
}

// timed takes the next sample of the pattern and writes it by DMA: four bytes
// with the code in bits 11:0, the channel in 15:13 and the converter in bit 16.
func (a *saradc) timed() {
	in := a.soc.gdma.receiver(dmaADC)
	if in == nil {
		return
	}
	table := uint64(a.get(adcPattern1)&0xffffff)<<24 | uint64(a.get(adcPattern2)&0xffffff)
	item := uint32(table >> (42 - 6*a.s.Item) & 0x3f)
	if a.s.Item++; a.s.Item > field(a.get(adcCtrl), 17, 15) || a.s.Item == 8 {
		a.s.Item = 0
	}
	unit, channel, atten := 1+item>>5&1, item>>2&7, item&3
	v := a.filtered(unit, channel, a.convert(unit, channel, atten))
	a.result(unit, channel, v)
	v |= channel<<13 | (unit-1)<<16
	a.s.Samples++
	eof := a.s.Samples >= max(1, a.get(adcDMAConf)&0xffff)
	if eof {
		a.s.Samples = 0
	}
	in.push([]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}, eof)
	a.arm()
}

// temperature returns TSENS_OUT: T = 0.4386 OUT - 27.88 OFFSET - 20.52 degrees,
// TRM 34.3.6, where the offset is one of five ranges, each with its lowest
// temperature; below, OUT is 0: in the range after reset, which esp-hal uses, that
// is 7.4 degrees. What the formula gives is wrong by TEMP_CALIB of the eFuse, tenths
// of a degree, which firmware subtracts (ESP-IDF, esp_efuse_rtc_calib).
func (a *saradc) temperature() uint32 {
	offset := -1
	switch a.soc.analog.slave(sarSlave, sarTSensDAC) & 15 {
	case 5:
		offset = -2
	case 15:
		offset = 0
	case 11:
		offset = 1
	case 10:
		offset = 2
	}
	v := a.soc.efuse.get(efBlock2+16) >> 3
	wrong := int(v & 0xff)
	if v>>8&1 != 0 {
		wrong = -wrong
	}
	raw := ((int(a.s.MilliCelsius)+100*wrong+20_520+offset*27_880)*10 + 2193) / 4386
	return uint32(max(0, min(255, raw)))
}

func (a *saradc) reset() {
	a.block.reset()
	a.intr.reset(0)
	a.done.Stop()
	a.timer.Stop()
	a.s.Item, a.s.Samples, a.s.Filters = 0, 0, [2]adcFilter{}
}

func (a *saradc) state(s *chip.State) { s.Fixed(&a.words, &a.s, &a.intr.Raw, &a.intr.Ena) }
