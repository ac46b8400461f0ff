package c3

import (
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/chip"
)

const adcBase = 0x60040000

// sar writes a register of the converters through the analog I2C master.
func (c *testChip) sar(reg, v uint32) { c.w(0x6000e000, anaWrite|v<<16|reg<<8|sarSlave) }

// oneshot converts like a driver.
func (c *testChip) oneshot(channel, atten uint32) uint32 {
	c.w(adcBase+adcIntClr, adcInt1Done)
	c.w(adcBase+adcOnetime, adcOnetimeSAR1|channel<<25|atten<<23)
	c.w(adcBase+adcOnetime, adcOnetimeSAR1|channel<<25|atten<<23|adcOnetimeStart)
	if c.r(adcBase+adcIntRaw)&adcInt1Done != 0 {
		c.t.Error("done at once")
	}
	c.run(20 * emu.Microsecond)
	if c.r(adcBase+adcIntRaw)&adcInt1Done == 0 {
		c.t.Error("never done")
	}
	return c.r(adcBase+adcSAR1Data) & 0xfff
}

// uncalibrated returns the eFuse of a chip whose calibration is all zero: its
// converters are ideal.
func uncalibrated(t *testing.T) []byte {
	p := newTestChip(t, emu.Config{}).board.EFuse()
	clear(p[0x6c-efRead : 0x7c-efRead])
	p[0x6c-efRead] = 1 // BLK_VERSION_MAJOR
	return p
}

func TestADCOneShot(t *testing.T) {
	c := newTestChip(t, emu.Config{EFuse: uncalibrated(t)})
	c.pad(2, 0)
	// Calibration: the code at ground with INITIAL_CODE 0 is the offset to
	// subtract.
	c.sar(sarCalibrate, sarSAR1Ground)
	initial := c.oneshot(15, 3)
	c.sar(sarCalibrate, 0)
	c.sar(0, initial&0xff)
	c.sar(1, initial>>8)
	for _, k := range []struct {
		mv    int
		atten uint32
		want  uint32
	}{{0, 3, 0}, {400, 0, 2000}, {550, 1, 2000}, {750, 2, 2000}, {1370, 3, 2000}, {685, 3, 1000}, {3300, 0, 4095}, {2500, 3, 3649}} {
		c.board.SetVoltage(2, k.mv, 100)
		c.run(emu.Microsecond)
		if got := c.oneshot(2, k.atten); got != k.want {
			t.Errorf("%d mV at attenuation %d: %d, want %d", k.mv, k.atten, got, k.want)
		}
	}
	// A potentiometer of 20 kOhm against the pad's pull-up.
	c.board.SetVoltage(2, 1000, 10_000)
	c.pad(2, ioWPU)
	c.run(emu.Microsecond)
	if mv := c.board.MilliVolts(2); mv < 1400 || mv > 1430 {
		t.Errorf("%d mV with the pull-up", mv)
	}
	if got := c.oneshot(4, 3); got != 0 {
		t.Errorf("a channel that is not connected reads %d", got)
	}
}

func TestADCThreshold(t *testing.T) {
	c := newTestChip(t, emu.Config{EFuse: uncalibrated(t)})
	c.sar(0, 1000&0xff)
	c.sar(1, 1000>>8)
	c.w(adcBase+adcThres, 1<<31)
	c.w(adcBase+adcThres0, 1|1500<<5|500<<18)
	for _, k := range []struct {
		mv   int
		want uint32
	}{{685, 0}, {200, 1 << 27}, {1300, 1 << 29}} {
		c.board.SetVoltage(1, k.mv, 10)
		c.run(emu.Microsecond)
		c.w(adcBase+adcIntClr, ^uint32(0))
		c.oneshot(1, 3)
		if got := c.r(adcBase+adcIntRaw) &^ adcInt1Done; got != k.want {
			t.Errorf("%d mV: INT_RAW 0x%x, want 0x%x", k.mv, got, k.want)
		}
	}
}

// The digital controller samples a pattern of two channels into a list.
func TestADCByDMA(t *testing.T) {
	c := newTestChip(t, emu.Config{EFuse: uncalibrated(t)})
	c.sar(0, 1000&0xff)
	c.sar(1, 1000>>8)
	c.pad(0, 0)
	c.pad(3, 0)
	c.board.SetVoltage(0, 685, 10)
	c.board.SetVoltage(3, 1370, 10)
	c.run(emu.Microsecond)
	const desc, buf = 0x3fc90000, 0x3fc91000
	mem := c.m.CPU.Memory()
	mem.Write(desc, []byte{0x40, 0, 0, 0x80, 0, 0x10, 0xc9, 0x3f, 0, 0, 0, 0}) // 64 bytes, owned by DMA
	const gd = 0x6003f000
	c.w(gd+0x70+0x30, 8)                  // IN_PERI_SEL: ADC
	c.w(gd+0x70+0x10, desc&0xfffff|1<<22) // IN_LINK start
	c.w(adcBase+adcCtrl, 0x40038240&^(7<<15)|1<<15)
	c.w(adcBase+adcPattern1, (0<<2|3)<<18|(3<<2|3)<<12)
	c.w(adcBase+adcDMAConf, 8|adcDMATrans)
	c.w(adcBase+adcCtrl2, adcTimerEn|50<<12)
	start := c.m.Now()
	for c.r(gd)&2 == 0 { // IN_SUC_EOF of channel 0
		if c.run(10 * emu.Microsecond); c.m.Now().Sub(start) > chip.Second {
			t.Fatalf("no packet; GDMA 0x%x", c.r(gd))
		}
	}
	var p [32]byte
	mem.Read(buf, p[:])
	for i := range 8 {
		v := le32(p[4*i:])
		want := uint32(1000)
		if i%2 == 1 {
			want = 2000 | 3<<13
		}
		if v != want {
			t.Errorf("sample %d is 0x%x, want 0x%x", i, v, want)
		}
	}
}

func TestTemperature(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	if c.r(adcBase+adcTSens)&0xff != 0 {
		t.Error("a value without power")
	}
	c.w(adcBase+adcTSens, 0x18000|adcTSensPower)
	for _, milli := range []int{25_000, 60_000, 20_000} {
		c.board.SetTemperature(milli)
		c.run(emu.Microsecond)
		raw := float64(c.r(adcBase+adcTSens) & 0xff)
		if got := raw*0.4386 + 27.88 - 20.52; got < float64(milli)/1000-0.5 || got > float64(milli)/1000+0.5 {
			t.Errorf("%d: measured %.1f degrees", milli, got)
		}
	}
}

// A filter follows a step with its factor, from the first sample on; the other
// filter's channels are left alone, as are those of the other converter.
func TestADCFilters(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(adcBase+adcFilter0, 3<<22|(8|2)<<18) // channel 3 of ADC1; channel 2 of ADC2
	c.w(adcBase+adcFilter1, 3<<29|1<<26)     // 8, 2
	a := c.adc
	for _, k := range []struct {
		unit, channel uint32
		factor        float64
	}{{1, 3, 8}, {2, 2, 2}, {2, 3, 1}, {1, 0, 1}} {
		if got := a.filtered(k.unit, k.channel, 400); got != 400 {
			t.Errorf("first sample of channel %d: %d", k.channel, got)
		}
		want := 400.0
		for _, v := range []uint32{4000, 4000, 4000, 10, 10, 10, 10, 10, 3000} {
			want += (float64(v) - want) / k.factor
			if got := float64(a.filtered(k.unit, k.channel, v)); got < want-1.5 || got > want+0.5 {
				t.Errorf("converter %d, channel %d: %.0f, want %.1f", k.unit, k.channel, got, want)
			}
		}
	}
	c.w(adcBase+adcFilter0, 1<<31|3<<22)
	if got := a.filtered(1, 3, 77); got != 77 {
		t.Errorf("after FILTER_RESET: %d", got)
	}
}

// The monitors compare the results of their channel with both thresholds.
func TestADCThresholds(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	a := c.adc
	c.w(adcBase+adcThres0, 2|2000<<5|500<<18)
	c.w(adcBase+adcThres1, 8|1000<<5|900<<18) // channel 0 of ADC2
	c.w(adcBase+adcThres, 3<<30)
	for _, k := range []struct{ unit, channel, v, want uint32 }{
		{1, 2, 1000, 0}, {1, 2, 2001, 1 << 29}, {1, 2, 499, 1 << 27}, {1, 0, 4000, 0}, {2, 0, 950, 0}, {2, 0, 1001, 1 << 28}, {2, 0, 1, 1 << 26},
	} {
		c.w(adcBase+adcIntClr, ^uint32(0))
		a.result(k.unit, k.channel, k.v)
		if got := c.r(adcBase+adcIntRaw) &^ (3 << 30); got != k.want {
			t.Errorf("converter %d, channel %d, %d: interrupts 0x%x, want 0x%x", k.unit, k.channel, k.v, got, k.want)
		}
	}
	c.w(adcBase+adcThres, 3<<30|1<<27) // ALL_CHANNEL
	c.w(adcBase+adcIntClr, ^uint32(0))
	if a.result(1, 4, 4000); c.r(adcBase+adcIntRaw)&(3<<28) != 3<<28 {
		t.Error("a monitor of all channels")
	}
}

// Below its range the sensor reads 0; a chip whose sensor is wrong says by how much.
func TestTemperatureRangeAndCalibration(t *testing.T) {
	for wrong, field := range map[float64]uint32{0: 0, 11: 110, -11: 1<<8 | 110} {
		content := make([]byte, efContent)
		copy(content, uncalibrated(t))
		content[efBlock2+16-efRead] |= byte(field << 3)
		content[efBlock2+17-efRead] |= byte(field >> 5)
		c := newTestChip(t, emu.Config{EFuse: content})
		c.w(adcBase+adcTSens, 0x18000|adcTSensPower)
		for _, celsius := range []float64{-20, 40, 60} {
			c.board.SetTemperature(int(celsius * 1000))
			c.run(emu.Microsecond)
			want := max(celsius+wrong, 7.36)
			if got := float64(c.r(adcBase+adcTSens)&0xff)*0.4386 + 27.88 - 20.52; got < want-0.3 || got > want+0.3 {
				t.Errorf("%g degrees, wrong by %g: measured %.2f, want %.2f", celsius, wrong, got, want)
			}
		}
	}
}
