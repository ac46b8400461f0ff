package c3

import (
	"math/bits"

	"espalier.dev/espalier/emu/chip"
)

// I2C registers, TRM 28.8.
const (
	icLowPeriod   = 0x00
	icCtr         = 0x04
	icSR          = 0x08
	icTO          = 0x0c
	icSlaveAddr   = 0x10
	icFIFOSt      = 0x14
	icFIFOConf    = 0x18
	icData        = 0x1c
	icIntRaw      = 0x20
	icIntClr      = 0x24
	icIntEna      = 0x28
	icIntSt       = 0x2c
	icSDAHold     = 0x30
	icSDASample   = 0x34
	icHighPeriod  = 0x38
	icStartHold   = 0x40
	icRStartSetup = 0x44
	icStopHold    = 0x48
	icStopSetup   = 0x4c
	icClkConf     = 0x54
	icCmd0        = 0x58
	icCmds        = 8
	icStTO        = 0x78
	icMainTO      = 0x7c
	icSPConf      = 0x80
	icStretch     = 0x84
	icTxRAM       = 0x100
	icRxRAM       = 0x180
	icFIFO        = 32 // bytes

	icCtrSDAOpen    = 1 << 0 // SDA_FORCE_OUT: open drain
	icCtrSCLOpen    = 1 << 1
	icCtrFullNAck   = 1 << 3 // RX_FULL_ACK_LEVEL
	icCtrMaster     = 1 << 4
	icCtrStart      = 1 << 5
	icCtrTxLSB      = 1 << 6
	icCtrRxLSB      = 1 << 7
	icCtrArbitrate  = 1 << 9
	icCtrFSMReset   = 1 << 10
	icCtrUpdate     = 1 << 11
	icCtrBroadcast  = 1 << 14
	icConfNonFIFO   = 1 << 10
	icConfAddrCfg   = 1 << 11
	icConfRxReset   = 1 << 12
	icConfTxReset   = 1 << 13
	icClkActive     = 1 << 21
	icClkRC         = 1 << 20
	icTOEnable      = 1 << 5
	icAddr10        = 1 << 31
	icSPResetSlave  = 1 << 0
	icSPSCLLow      = 1 << 6
	icSPSDALow      = 1 << 7
	icStretchEnable = 1 << 10
	icStretchClear  = 1 << 11
	icByteAck       = 1 << 12
	icByteAckLevel  = 1 << 13
	icCmdDone       = 1 << 31
)

// Interrupts of I2C.
const (
	icIntRxWM      = 1 << 0
	icIntTxWM      = 1 << 1
	icIntRxOvf     = 1 << 2
	icIntEnd       = 1 << 3
	icIntByte      = 1 << 4
	icIntArbLost   = 1 << 5
	icIntTxUdf     = 1 << 6
	icIntComplete  = 1 << 7
	icIntTimeOut   = 1 << 8
	icIntStart     = 1 << 9
	icIntNACK      = 1 << 10
	icIntTxOvf     = 1 << 11
	icIntRxUdf     = 1 << 12
	icIntStTO      = 1 << 13
	icIntMainTO    = 1 << 14
	icIntDetStart  = 1 << 15
	icIntStretch   = 1 << 16
	icIntGeneral   = 1 << 17
	icIntAll       = 1<<18 - 1
	icFIFOTriggers = icIntRxWM | icIntTxWM
)

// i2cFIFO is a FIFO in its RAM. Count exceeds its size never.
type i2cFIFO struct {
	RAM         [icFIFO]byte
	Read, Write uint8
	Count       uint8
}

func (f *i2cFIFO) push(b byte) bool {
	if f.Count == icFIFO {
		return false
	}
	f.RAM[f.Write%icFIFO] = b
	f.Write, f.Count = (f.Write+1)%icFIFO, f.Count+1
	return true
}

func (f *i2cFIFO) pop() (b byte, ok bool) {
	if f.Count == 0 {
		return 0, false
	}
	b = f.RAM[f.Read%icFIFO]
	f.Read, f.Count = (f.Read+1)%icFIFO, f.Count-1
	return b, true
}

func (f *i2cFIFO) clear() { f.Read, f.Write, f.Count = 0, 0, 0 }

// i2c is I2C0, TRM 28: FIFOs and registers (this file), master (i2cmaster.go) and
// slave (i2cslave.go). It takes part in the bus bit by bit, on the lines as they
// are: other masters, slaves that stretch the clock and lines that are stuck have
// the effects that they have on wires. The filters of the inputs take no time.
//
// SR.RESP_REC is set when the last byte was acknowledged: esp-hal depends on
// that, and the manual says the opposite.
type i2c struct {
	block
	soc   *soc
	intr  interrupts
	next  *chip.Timer // next step of the master
	limit *chip.Timer // TIME_OUT and SCL_ST_TIME_OUT: SCL does not change
	main  *chip.Timer // SCL_MAIN_ST_TIME_OUT: the master's state does not change
	hold  *chip.Timer // slave: SDA changes this long after SCL fell
	s     struct {
		Tx, Rx           i2cFIFO
		SCL, SDA         bool // levels of the outputs: released is true
		Busy             bool // between START and STOP on the bus
		RespRec, ArbLost bool
		Master           i2cMasterState
		Slave            i2cSlaveState
	}
}

func newI2C(c *soc) *i2c {
	p := &i2c{soc: c}
	p.intr.line = c.intc.source(srcI2C0)
	p.next = c.m.NewTimer(p.step)
	p.limit = c.m.NewTimer(p.timedOut)
	p.main = c.m.NewTimer(func() { p.fault(icIntMainTO) })
	p.hold = c.m.NewTimer(p.slaveDrive)
	p.block = newBlock("I2C0", 0x60013000, []reg{
		{icLowPeriod, "SCL_LOW_PERIOD", 0}, {icCtr, "CTR", 0x20b}, {icSR, "SR", 0xc000}, {icTO, "TO", 0x10},
		{icSlaveAddr, "SLAVE_ADDR", 0}, {icFIFOSt, "FIFO_ST", 0}, {icFIFOConf, "FIFO_CONF", 0x408b},
		{icData, "DATA", 0}, {icIntRaw, "INT_RAW", 2}, {icIntClr, "INT_CLR", 0}, {icIntEna, "INT_ENA", 0},
		{icIntSt, "INT_STATUS", 0}, {icSDAHold, "SDA_HOLD", 0}, {icSDASample, "SDA_SAMPLE", 0},
		{icHighPeriod, "SCL_HIGH_PERIOD", 0}, {icStartHold, "SCL_START_HOLD", 8},
		{icRStartSetup, "SCL_RSTART_SETUP", 8}, {icStopHold, "SCL_STOP_HOLD", 8},
		{icStopSetup, "SCL_STOP_SETUP", 8}, {0x50, "FILTER_CFG", 0x300}, {icClkConf, "CLK_CONF", 0x200000},
		{icStTO, "SCL_ST_TIME_OUT", 0x10}, {icMainTO, "SCL_MAIN_ST_TIME_OUT", 0x10}, {icSPConf, "SCL_SP_CONF", 0},
		{icStretch, "SCL_STRETCH_CONF", 0}, {0xf8, "DATE", 0x20070201},
	})
	p.know(icCmd0, icCmd0+4*(icCmds-1))
	p.know(icTxRAM, icTxRAM+4*(icFIFO-1))
	p.know(icRxRAM, icRxRAM+4*(icFIFO-1))
	p.mark(varies, icData)
	p.s.SCL, p.s.SDA = true, true
	c.gpio.observe(sigI2CSCL, p.sclChanged)
	c.gpio.observe(sigI2CSDA, p.sdaChanged)
	p.drive()
	return p
}

func (p *i2c) read(off uint32) uint32 {
	switch {
	case off == icSR:
		return p.status()
	case off == icFIFOSt:
		rx, tx := &p.s.Rx, &p.s.Tx
		return uint32(rx.Read) | uint32(rx.Write)<<5 | uint32(tx.Read)<<10 | uint32(tx.Write)<<15 |
			uint32(p.s.Slave.Pointer)<<22
	case off == icData:
		b, ok := p.s.Rx.pop()
		if !ok {
			p.intr.raise(icIntRxUdf)
		}
		p.watermarks()
		p.slaveUnstretch()
		return uint32(b)
	case off == icIntRaw:
		return p.intr.Raw
	case off == icIntSt:
		return p.intr.status()
	case off == icIntEna:
		return p.intr.Ena
	case off == icIntClr:
		return 0
	case off >= icTxRAM && off < icTxRAM+4*icFIFO:
		return uint32(p.s.Tx.RAM[(off-icTxRAM)/4])
	case off >= icRxRAM && off < icRxRAM+4*icFIFO:
		return uint32(p.s.Rx.RAM[(off-icRxRAM)/4])
	}
	return p.block.read(off)
}

func (p *i2c) status() uint32 {
	bit := func(on bool, n uint) uint32 {
		if on {
			return 1 << n
		}
		return 0
	}
	cause := uint32(3)
	if p.s.Slave.Stretching {
		cause = uint32(p.s.Slave.Cause)
	}
	return bit(p.s.RespRec, 0) | bit(p.s.Slave.Reading, 1) | bit(p.s.ArbLost, 3) | bit(p.s.Busy, 4) |
		bit(p.s.Slave.Addressed, 5) | uint32(p.s.Rx.Count)<<8 | cause<<14 | uint32(p.s.Tx.Count)<<18 |
		uint32(p.s.Master.mainState())<<24 | uint32(p.s.Master.sclState())<<28
}

func (p *i2c) write(off, v uint32) {
	switch {
	case off == icCtr:
		p.block.write(off, v&^uint32(icCtrStart|icCtrFSMReset|icCtrUpdate))
		if v&icCtrFSMReset != 0 {
			p.stop()
		}
		p.drive()
		if v&icCtrStart != 0 && v&icCtrMaster != 0 {
			p.start()
		}
	case off == icData:
		if !p.s.Tx.push(byte(v)) {
			p.intr.raise(icIntTxOvf)
		}
		p.watermarks()
		p.slaveUnstretch()
	case off == icFIFOConf:
		p.block.write(off, v)
		if v&icConfRxReset != 0 {
			p.s.Rx.clear()
		}
		if v&icConfTxReset != 0 {
			p.s.Tx.clear()
		}
		p.watermarks()
	case off == icIntEna:
		p.intr.enable(v & icIntAll)
	case off == icIntClr:
		p.intr.clear(v)
		p.watermarks()
	case off == icSPConf:
		p.block.write(off, v)
		p.drive()
		if v&icSPResetSlave != 0 {
			p.recover()
		}
	case off == icStretch:
		p.block.write(off, v&^uint32(icStretchClear))
		if v&icStretchClear != 0 {
			p.slaveRelease()
		}
	case off >= icCmd0 && off < icCmd0+4*icCmds:
		p.block.write(off, v&(icCmdDone|0x3fff))
	case off >= icTxRAM && off < icTxRAM+4*icFIFO:
		p.s.Tx.RAM[(off-icTxRAM)/4] = byte(v)
	case off >= icRxRAM && off < icRxRAM+4*icFIFO:
		p.s.Rx.RAM[(off-icRxRAM)/4] = byte(v)
	case off == icSR, off == icFIFOSt, off == icIntRaw, off == icIntSt:
	default:
		p.block.write(off, v)
	}
}

func (p *i2c) has(reg, bit uint32) bool { return p.get(reg)&bit != 0 }

func (p *i2c) master() bool { return p.has(icCtr, icCtrMaster) }

// watermarks raises the interrupts of the FIFOs' levels.
func (p *i2c) watermarks() {
	conf := p.get(icFIFOConf)
	var raise uint32
	if uint32(p.s.Rx.Count) > field(conf, 4, 0) {
		raise |= icIntRxWM
	}
	if uint32(p.s.Tx.Count) < field(conf, 9, 5) {
		raise |= icIntTxWM
	}
	p.intr.raise(raise)
}

// take returns the next byte to transmit. Without the FIFO's protection it comes
// from the RAM, round and round.
func (p *i2c) take() byte {
	if p.has(icFIFOConf, icConfNonFIFO) {
		b := p.s.Tx.RAM[p.s.Tx.Read%icFIFO]
		p.s.Tx.Read = (p.s.Tx.Read + 1) % icFIFO
		return b
	}
	b, ok := p.s.Tx.pop()
	if !ok {
		p.intr.raise(icIntTxUdf)
		b = 0xff
	}
	p.watermarks()
	if p.has(icCtr, icCtrTxLSB) {
		b = bits.Reverse8(b)
	}
	return b
}

// put stores a received byte.
func (p *i2c) put(b byte) {
	if p.has(icCtr, icCtrRxLSB) {
		b = bits.Reverse8(b)
	}
	if p.has(icFIFOConf, icConfNonFIFO) {
		p.s.Rx.RAM[p.s.Rx.Write%icFIFO] = b
		p.s.Rx.Write = (p.s.Rx.Write + 1) % icFIFO
		return
	}
	if !p.s.Rx.push(b) {
		p.intr.raise(icIntRxOvf)
	}
	p.watermarks()
}

// cycles returns the duration of n cycles of the module clock.
func (p *i2c) cycles(n uint32) chip.Duration {
	conf := p.get(icClkConf)
	hz := uint64(xtalHz)
	if conf&icClkRC != 0 {
		hz = rcFastHz
	}
	// The divisor is DIV_NUM + 1 + B/A.
	num, den := uint64(field(conf, 7, 0))+1, uint64(1)
	if a := uint64(field(conf, 13, 8)); a != 0 {
		num, den = num*a+uint64(field(conf, 19, 14)), a
	}
	return chip.Duration(max(scale(uint64(n)*num, chip.TicksPerSecond, hz*den), 1))
}

// drive sets the outputs.
func (p *i2c) drive() {
	g := p.soc.gpio
	ctr, sp := p.get(icCtr), p.get(icSPConf)
	line := func(n signal, high, open bool) {
		if !open || !high { // an output that goes low must not be enabled high
			g.drive(n, high)
			g.enableOutput(n, true)
		} else {
			g.enableOutput(n, false)
			g.drive(n, high)
		}
	}
	line(sigI2CSCL, p.s.SCL && sp&icSPSCLLow == 0, ctr&icCtrSCLOpen != 0)
	line(sigI2CSDA, p.s.SDA && sp&icSPSDALow == 0, ctr&icCtrSDAOpen != 0)
}

func (p *i2c) setSCL(high bool) { p.s.SCL = high; p.drive() }
func (p *i2c) setSDA(high bool) { p.s.SDA = high; p.drive() }

func (p *i2c) scl() bool { return p.soc.gpio.input(sigI2CSCL) }
func (p *i2c) sda() bool { return p.soc.gpio.input(sigI2CSDA) }

// sclChanged is called when SCL changes on the bus.
func (p *i2c) sclChanged(high bool) {
	if p.s.Master.Run {
		p.watch()
		p.masterSCL(high)
	}
	if !p.master() {
		p.slaveSCL(high)
	}
}

// sdaChanged is called when SDA changes on the bus: a change while SCL is high
// is START or STOP.
func (p *i2c) sdaChanged(high bool) {
	if !p.scl() {
		return
	}
	p.s.Busy = !high
	if !p.master() {
		p.slaveCondition(!high)
	}
}

// stop brings both state machines to their idle state.
func (p *i2c) stop() {
	for _, t := range []*chip.Timer{p.next, p.limit, p.main, p.hold} {
		t.Stop()
	}
	p.s.Master = i2cMasterState{}
	p.slaveIdle()
	p.s.SCL, p.s.SDA = true, true
}

func (p *i2c) reset() {
	p.block.reset()
	p.s.Tx, p.s.Rx = i2cFIFO{}, i2cFIFO{}
	p.s.RespRec, p.s.ArbLost = false, false
	p.intr.reset(icIntTxWM)
	p.stop()
	p.s.Busy = false
	p.drive()
}

func (p *i2c) state(s *chip.State) { s.Fixed(&p.words, &p.intr.Raw, &p.intr.Ena, &p.s) }
