package c3

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"espalier.dev/espalier/emu"
)

const twaiBase = 0x6002b000

// twaiStart starts TWAI0 on pin 3, which is its own bus when open drain, with 1
// Mbit/s: 20 time quanta of 4 APB cycles at 80 MHz.
func (c *testChip) twaiStart(mode uint32) {
	c.w(0x600c0000+sysSysclkConf, 1<<10|40<<12)
	c.w(0x600c0000+sysCPUPerConf, 0xd)
	c.w(iomuxBase+ioPin0+4*3, 1<<12|1<<9|1<<8|2<<10)
	c.w(gpioBase+gpPin0+4*3, gpOpenDrain)
	c.w(gpioBase+gpFuncOutSel0+4*3, uint32(sigTWAITX))
	c.w(gpioBase+gpEnable+4, 1<<3)
	c.w(gpioBase+gpFuncInSel0+4*uint32(sigTWAIRX), 3|gpInSelMatrix)
	c.w(twaiBase+twMode, 1)
	c.w(twaiBase+twTiming0, 1)
	c.w(twaiBase+twTiming1, 3<<4|14)
	for i := range uint32(4) {
		c.w(twaiBase+twData+16+4*i, 0xff)
	}
	c.w(twaiBase+twMode, mode)
	c.run(1)
}

// Frames of all kinds come back by self-reception.
func TestTWAISelfReception(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	c := newTestChip(t, emu.Config{})
	c.twaiStart(twModeSelf | twModeSingle)
	for i := range 60 {
		info := byte(rng.Uint32()) & 0xc0
		info |= byte(rng.IntN(9))
		m := twaiMessage{}
		m.Bytes[0] = info
		fill := byte(rng.Uint32())
		for k := 1; k < m.size(); k++ {
			if m.Bytes[k] = fill; i%3 != 0 { // long runs of equal bits, and random ones
				m.Bytes[k] = byte(rng.Uint32())
			}
		}
		if info>>7 == 0 {
			m.Bytes[2] &= 0xe0
		} else {
			m.Bytes[4] &= 0xf8
		}
		for k, b := range m.Bytes {
			c.w(twaiBase+twData+4*uint32(k), uint32(b))
		}
		c.w(twaiBase+twCmd, 1<<4)
		c.run(300 * emu.Microsecond)
		if raw := c.r(twaiBase + twInt); raw != twIntRx|twIntTx {
			t.Fatalf("frame % x: interrupts 0x%x, error 0x%x", m.Bytes, raw, c.r(twaiBase+twErrCap))
		}
		c.want(twaiBase+twCount, 1)
		var got [twBuffer]byte
		for k := range got {
			got[k] = byte(c.r(twaiBase + twData + 4*uint32(k)))
		}
		if !bytes.Equal(got[:m.size()], m.Bytes[:m.size()]) {
			t.Fatalf("received % x, want % x", got, m.Bytes)
		}
		c.w(twaiBase+twCmd, 1<<2)
		c.want(twaiBase+twCount, 0)
	}
}

// A frame of another controller, written bit by bit as ISO 11898-1 has it, is
// acknowledged and received: identifier 0x123, two bytes.
func TestTWAIReceive(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.twaiStart(twModeSingle)
	bits := "0" + "00100100011" + "000" + "0010" + "10100101" + "00001111"
	crc := uint32(0)
	for _, b := range bits {
		next := uint32(b-'0') ^ crc>>14&1
		if crc = crc << 1 & 0x7fff; next != 0 {
			crc ^= 0x4599
		}
	}
	for i := 14; i >= 0; i-- {
		bits += string(rune('0' + crc>>i&1))
	}
	stuffed, run := "", 0
	for i := range bits {
		if run > 0 && stuffed[len(stuffed)-1] == bits[i] {
			run++
		} else {
			run = 1
		}
		stuffed += bits[i : i+1]
		if run == 5 {
			stuffed += string('0' + '1' - bits[i])
			run = 1
		}
	}
	for i, b := range stuffed + "1" + "A" + "1" + "1111111" + "111" {
		level := emu.Floating
		if b == '0' {
			level = emu.Low
		}
		c.board.SetPin(3, level)
		c.run(emu.Microsecond / 2)
		if b == 'A' && c.in(3) {
			t.Fatalf("bit %d: not acknowledged", i)
		}
		c.run(emu.Microsecond / 2)
	}
	c.want(twaiBase+twInt, twIntRx)
	for i, want := range []uint32{2, 0x24, 0x60, 0xa5, 0x0f} {
		c.want(twaiBase+twData+4*uint32(i), want)
	}
	c.want(twaiBase+twRxErr, 0)
}

// Without another controller there is no acknowledgement: the controller becomes
// error-passive and stays so. A bus that is recessive for ever leads to bus-off,
// and from there the controller recovers.
func TestTWAIErrors(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.twaiStart(twModeSingle)
	c.w(twaiBase+twData, 1)
	c.w(twaiBase+twCmd, 1)
	c.run(20 * emu.Millisecond)
	c.want(twaiBase+twTxErr, 128)
	if raw := c.r(twaiBase + twInt); raw != twIntBusErr|twIntPassive|twIntWarn {
		t.Errorf("interrupts 0x%x", raw)
	}
	c.want(twaiBase+twStatus, c.r(twaiBase+twStatus)&^(1<<2|1<<7)|1<<6)
	c.w(gpioBase+gpFuncInSel0+4*uint32(sigTWAIRX), gpInHigh|gpInSelMatrix)
	c.run(5 * emu.Millisecond)
	c.want(twaiBase+twStatus, 1<<7|1<<6|1<<2)
	c.want(twaiBase+twMode, twModeSingle|1)
	c.w(twaiBase+twMode, twModeSingle)
	c.run(emu.Millisecond)
	c.want(twaiBase+twStatus, 1<<7|1<<6|1<<2)
	c.run(emu.Millisecond)
	c.want(twaiBase+twStatus, 1<<2)
	c.want(twaiBase+twTxErr, 0)
}
