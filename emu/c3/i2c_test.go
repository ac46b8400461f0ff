package c3

import (
	"bytes"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/parts"
)

const i2cBase = 0x60013000

// i2cBus routes I2C0 to GPIO4 (SDA) and GPIO5 (SCL), open drain with pull-ups,
// with a bus clock of 100 kHz.
func (c *testChip) i2cBus() {
	for pin, sig := range map[uint32]signal{4: sigI2CSDA, 5: sigI2CSCL} {
		c.w(iomuxBase+ioPin0+4*pin, 1<<12|1<<9|1<<8|2<<10)
		c.w(gpioBase+gpPin0+4*pin, gpOpenDrain)
		c.w(gpioBase+gpFuncOutSel0+4*pin, uint32(sig))
		c.w(gpioBase+gpFuncInSel0+4*uint32(sig), pin|gpInSelMatrix)
		c.w(gpioBase+gpEnable+4, 1<<pin)
	}
	c.w(i2cBase+icCtr, icCtrSDAOpen|icCtrSCLOpen|icCtrMaster|icCtrArbitrate)
	c.w(i2cBase+icLowPeriod, 199)
	c.w(i2cBase+icHighPeriod, 102|98<<9)
	c.w(i2cBase+icSDAHold, 49)
	c.w(i2cBase+icSDASample, 99)
	for _, reg := range []uint32{icStartHold, icRStartSetup, icStopHold, icStopSetup} {
		c.w(i2cBase+reg, 199)
	}
}

// i2cRun executes commands with the bytes out and returns the interrupts and what
// was received.
func (c *testChip) i2cRun(out []byte, cmds ...uint32) (raw uint32, in []byte) {
	c.w(i2cBase+icFIFOConf, 0x408b|icConfRxReset|icConfTxReset)
	c.w(i2cBase+icFIFOConf, 0x408b)
	c.w(i2cBase+icIntClr, icIntAll)
	for _, b := range out {
		c.w(i2cBase+icData, uint32(b))
	}
	for i := range uint32(icCmds) {
		v := uint32(0)
		if int(i) < len(cmds) {
			v = cmds[i]
		}
		c.w(i2cBase+icCmd0+4*i, v)
	}
	c.w(i2cBase+icCtr, c.r(i2cBase+icCtr)|icCtrStart)
	c.run(20 * emu.Millisecond)
	for n := c.r(i2cBase+icSR) >> 8 & 0x3f; n > 0; n-- {
		in = append(in, byte(c.r(i2cBase+icData)))
	}
	return c.r(i2cBase + icIntRaw), in
}

const (
	i2cRStart = icOpRStart << 11
	i2cStop   = icOpStop << 11
	i2cEnd    = icOpEnd << 11
)

func i2cWrite(n uint32) uint32 { return icOpWrite<<11 | icCmdAckCheck | n }
func i2cRead(n uint32) uint32  { return icOpRead<<11 | n }
func i2cLast() uint32          { return icOpRead<<11 | icCmdAck | 1 }

func (c *testChip) sensor() {
	s := parts.BMP180{SDA: 4, SCL: 5, Celsius: 15, Pascals: 69_964}
	if err := s.Attach(c.board); err != nil {
		c.t.Fatal(err)
	}
	c.run(1)
}

// A sensor is read as its data sheet says: identification, calibration, and a
// measurement from which the data sheet's algorithm gives the temperature.
func TestI2CSensor(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.i2cBus()
	c.sensor()
	read := func(reg byte, n uint32) []byte {
		cmds := []uint32{i2cRStart, i2cWrite(2), i2cRStart, i2cWrite(1)}
		if n > 1 {
			cmds = append(cmds, i2cRead(n-1))
		}
		raw, in := c.i2cRun([]byte{0xee, reg, 0xef}, append(cmds, i2cLast(), i2cStop)...)
		if raw&icIntComplete == 0 || raw&(icIntNACK|icIntArbLost|icIntTimeOut|icIntStTO|icIntMainTO) != 0 {
			t.Fatalf("register 0x%x: interrupts 0x%x", reg, raw)
		}
		return in
	}
	if id := read(0xd0, 1); !bytes.Equal(id, []byte{0x55}) {
		t.Errorf("identification % x", id)
	}
	cal := read(0xaa, 22)
	if !bytes.HasPrefix(cal, []byte{0x01, 0x98, 0xff, 0xb8}) || len(cal) != 22 {
		t.Errorf("calibration % x", cal)
	}
	if raw, _ := c.i2cRun([]byte{0xee, 0xf4, 0x2e}, i2cRStart, i2cWrite(3), i2cStop); raw&icIntNACK != 0 {
		t.Error("the measurement is not acknowledged")
	}
	raw := read(0xf6, 2)
	x1 := (int32(raw[0])<<8 + int32(raw[1]) - 23153) * 32757 >> 15
	if tenths := (x1 + (-8711<<11)/(x1+2868) + 8) >> 4; tenths != 150 {
		t.Errorf("temperature % x: %d", raw, tenths)
	}
	for i := range uint32(4) {
		if c.r(i2cBase+icCmd0+4*i)&icCmdDone == 0 {
			t.Errorf("command %d is not done", i)
		}
	}
	if c.r(i2cBase+icSR)&(1<<4) != 0 {
		t.Error("the bus is busy")
	}
}

// A snapshot in the middle of a transaction leads to the same end on another
// board, the sensor's state included.
func TestI2CSnapshot(t *testing.T) {
	start := func() *testChip {
		c := newTestChip(t, emu.Config{})
		c.i2cBus()
		c.sensor()
		return c
	}
	a, b := start(), start()
	for _, v := range []uint32{0xee, 0xd0, 0xef} {
		a.w(i2cBase+icData, v)
	}
	for i, v := range []uint32{i2cRStart, i2cWrite(2), i2cRStart, i2cWrite(1), i2cLast(), i2cStop} {
		a.w(i2cBase+icCmd0+4*uint32(i), v)
	}
	a.w(i2cBase+icCtr, a.r(i2cBase+icCtr)|icCtrStart)
	a.run(250 * emu.Microsecond)
	if err := b.board.Restore(a.board.Snapshot()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*testChip{a, b} {
		c.run(emu.Millisecond)
		if c.r(i2cBase+icIntRaw)&icIntComplete == 0 {
			t.Error("the transaction did not end")
		}
		c.want(i2cBase+icData, 0x55)
	}
	if a.board.Trace() != b.board.Trace() {
		t.Error("the traces differ")
	}
}

// No acknowledge ends a transaction with a STOP.
func TestI2CErrors(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.i2cBus()
	c.sensor()
	raw, _ := c.i2cRun([]byte{0x20, 1, 2}, i2cRStart, i2cWrite(3), i2cStop)
	if raw&icIntNACK == 0 || raw&icIntComplete != 0 {
		t.Errorf("absent target: interrupts 0x%x", raw)
	}
	if c.r(i2cBase+icSR)>>18&0x3f != 2 {
		t.Error("data was sent after the address was not acknowledged")
	}
	// SCL is held low from outside: the timeout of SCL's state.
	c.board.SetPin(5, emu.Low)
	c.w(i2cBase+icStTO, 14)
	raw, _ = c.i2cRun([]byte{0xee}, i2cRStart, i2cWrite(1), i2cStop)
	if raw&icIntStTO == 0 {
		t.Errorf("SCL low: interrupts 0x%x", raw)
	}
	c.board.SetPin(5, emu.Floating)
	// SDA is held low: another master sends a zero where this one sends a one.
	c.board.SetPin(4, emu.Low)
	raw, _ = c.i2cRun([]byte{0xee}, i2cRStart, i2cWrite(1), i2cStop)
	if raw&icIntArbLost == 0 || c.r(i2cBase+icSR)&(1<<3) == 0 {
		t.Errorf("SDA low: interrupts 0x%x", raw)
	}
	c.board.SetPin(4, emu.Floating)
	// Nine pulses for a target that holds SDA.
	c.pins = nil
	c.w(i2cBase+icSPConf, 9<<1|icSPResetSlave)
	c.run(emu.Millisecond)
	c.want(i2cBase+icSPConf, 9<<1)
	falls := 0
	for _, p := range c.pins {
		if p.Pin == 5 && p.Level == emu.Low {
			falls++
		}
	}
	if falls != 10 { // and one for the STOP
		t.Errorf("%d falling edges of SCL", falls)
	}
	if raw, _ = c.i2cRun([]byte{0xee}, i2cRStart, i2cWrite(1), i2cStop); raw&icIntComplete == 0 {
		t.Errorf("after the recovery: interrupts 0x%x", raw)
	}
}

// END keeps the bus; the next TRANS_START goes on in the same transaction.
func TestI2CEnd(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.i2cBus()
	c.sensor()
	raw, _ := c.i2cRun([]byte{0xee, 0xd0}, i2cRStart, i2cWrite(2), i2cEnd)
	if raw&(icIntEnd|icIntComplete) != icIntEnd || c.r(i2cBase+icSR)&(1<<4) == 0 {
		t.Fatalf("END: interrupts 0x%x", raw)
	}
	raw, in := c.i2cRun([]byte{0xef}, i2cRStart, i2cWrite(1), i2cLast(), i2cStop)
	if raw&icIntComplete == 0 || !bytes.Equal(in, []byte{0x55}) {
		t.Errorf("interrupts 0x%x, received % x", raw, in)
	}
}

// A controller made of GPIO outputs writes to and reads from the slave, which
// stretches the clock when it has nothing to send.
func TestI2CSlave(t *testing.T) {
	for _, stretch := range []bool{false, true} {
		c := newTestChip(t, emu.Config{})
		c.i2cBus()
		c.w(i2cBase+icCtr, icCtrSDAOpen|icCtrSCLOpen)
		c.w(i2cBase+icSlaveAddr, 0x2a)
		if stretch {
			c.w(i2cBase+icStretch, icStretchEnable)
		}
		// The controller is on two pins that are wired to the bus.
		const sda, scl = 2, 3
		for _, pin := range []uint32{sda, scl} {
			c.w(iomuxBase+ioPin0+4*pin, 1<<12|1<<9|2<<10)
			c.w(gpioBase+gpPin0+4*pin, gpOpenDrain)
			c.w(gpioBase+gpOut+4, 1<<pin)
			c.w(gpioBase+gpEnable+4, 1<<pin)
		}
		c.board.Join(sda, 4)
		c.board.Join(scl, 5)
		c.run(1)
		set := func(pin uint32, high bool) {
			if high {
				c.w(gpioBase+gpOut+4, 1<<pin)
			} else {
				c.w(gpioBase+gpOut+8, 1<<pin)
			}
			c.run(5 * emu.Microsecond)
		}
		bit := func(b bool) bool {
			set(sda, b)
			set(scl, true)
			got := c.in(sda)
			set(scl, false)
			return got
		}
		start := func() { set(sda, true); set(scl, true); set(sda, false); set(scl, false) }
		stop := func() { set(sda, false); set(scl, true); set(sda, true) }
		write := func(b byte) (ack bool) {
			for i := range 8 {
				bit(b<<i&0x80 != 0)
			}
			return !bit(true)
		}
		read := func(ack bool) (b byte) {
			for range 8 {
				b <<= 1
				if bit(true) {
					b |= 1
				}
			}
			bit(!ack)
			return b
		}
		start()
		if write(0x56) {
			t.Fatal("another address is acknowledged")
		}
		stop()
		start()
		if !write(0x54) || !write(0xa1) || !write(0x0f) {
			t.Fatal("not acknowledged")
		}
		stop()
		c.want(i2cBase+icSR, c.r(i2cBase+icSR)&^(0x3f<<8|1<<4)|2<<8)
		for _, want := range []uint32{0xa1, 0x0f} {
			c.want(i2cBase+icData, want)
		}
		if raw := c.r(i2cBase + icIntRaw); raw&(icIntComplete|icIntDetStart) != icIntComplete|icIntDetStart {
			t.Errorf("interrupts 0x%x", raw)
		}
		c.w(i2cBase+icData, 0x9c)
		c.w(i2cBase+icData, 0x63)
		start()
		if !write(0x55) {
			t.Fatal("reading is not acknowledged")
		}
		if stretch {
			set(scl, true)
			if c.in(scl) || c.r(i2cBase+icIntRaw)&icIntStretch == 0 {
				t.Fatal("the clock is not stretched")
			}
			set(scl, false)
			c.w(i2cBase+icStretch, icStretchEnable|icStretchClear)
		}
		if a, b := read(true), read(false); a != 0x9c || b != 0x63 {
			t.Errorf("read 0x%02x 0x%02x", a, b)
		}
		stop()
	}
}
