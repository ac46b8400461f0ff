package c3

import "espalier.dev/espalier/emu/chip"

// TWAI registers, TRM 31.8.
const (
	twMode    = 0x00
	twCmd     = 0x04
	twStatus  = 0x08
	twInt     = 0x0c
	twIntEna  = 0x10
	twTiming0 = 0x18
	twTiming1 = 0x1c
	twArbCap  = 0x2c
	twErrCap  = 0x30
	twWarn    = 0x34
	twRxErr   = 0x38
	twTxErr   = 0x3c
	twData    = 0x40 // acceptance filter in reset mode, else the buffers
	twBuffer  = 13
	twCount   = 0x74

	twTripleSample = 1 << 7 // BUS_TIMING_1: TIME_SAMP
	twModeReset    = 1 << 0
	twModeListen   = 1 << 1
	twModeSelf     = 1 << 2
	twModeSingle   = 1 << 3

	twIntRx      = 1 << 0
	twIntTx      = 1 << 1
	twIntWarn    = 1 << 2
	twIntOverrun = 1 << 3
	twIntPassive = 1 << 5
	twIntArbLost = 1 << 6
	twIntBusErr  = 1 << 7

	twFIFO     = 64 // bytes of the receive FIFO
	twMessages = 64
)

// twaiMessage is a frame as in the buffers: frame information, identifier, data.
type twaiMessage struct {
	Bytes  [twBuffer]byte
	Missed bool // there was no room
}

// size returns the bytes that a frame takes in a buffer.
func (m *twaiMessage) size() int {
	n := 3
	if m.Bytes[0]>>7 != 0 {
		n = 5
	}
	if m.Bytes[0]>>6&1 == 0 {
		n += int(min(m.Bytes[0]&15, 8))
	}
	return n
}

// twai is TWAI0, TRM 31 (CAN 2.0 B): registers, buffers and filter (this file), and
// the protocol (twaibus.go), bit by bit on the lines. Resynchronization within a
// frame is not modelled: a frame synchronizes at its start.
type twai struct {
	block
	soc  *soc
	line *line
	tick *chip.Timer // start of a bit, or its sample point
	s    struct {
		Int      uint32
		Tx       twaiMessage
		Rx       [twMessages]twaiMessage
		First    uint8
		Count    uint8
		Used     uint8 // bytes of the FIFO
		Overrun  bool
		TxFree   bool
		Complete bool
		BusOff   bool
		TEC, REC uint32
		ArbCap   uint32
		ErrCap   uint32
		Bus      twaiBus
	}
}

func newTWAI(c *soc) *twai {
	p := &twai{soc: c, line: c.intc.source(srcTWAI)}
	p.tick = c.m.NewTimer(p.step)
	p.block = newBlock("TWAI", 0x6002b000, []reg{
		{twMode, "MODE", 1}, {twCmd, "CMD", 0}, {twStatus, "STATUS", 0}, {twInt, "INT_RAW", 0}, {twIntEna, "INT_ENA", 0},
		{twTiming0, "BUS_TIMING_0", 0}, {twTiming1, "BUS_TIMING_1", 0}, {twArbCap, "ARB_LOST_CAP", 0},
		{twErrCap, "ERR_CODE_CAP", 0}, {twWarn, "ERR_WARNING_LIMIT", 0x60}, {twRxErr, "RX_ERR_CNT", 0},
		{twTxErr, "TX_ERR_CNT", 0}, {twCount, "RX_MESSAGE_CNT", 0}, {0x7c, "CLOCK_DIVIDER", 0},
	})
	p.know(twData, twData+4*(twBuffer-1))
	p.unmodelled(twTiming1, twTripleSample, 0)
	p.mark(varies, twInt)
	p.s.TxFree = true
	c.gpio.observe(sigTWAIRX, p.rxChanged)
	c.gpio.drive(sigTWAITX, true)
	return p
}

func (p *twai) has(reg, bit uint32) bool { return p.get(reg)&bit != 0 }

func (p *twai) inReset() bool { return p.has(twMode, twModeReset) }

func (p *twai) read(off uint32) uint32 {
	switch {
	case off == twCmd:
		return 0
	case off == twStatus:
		return p.status()
	case off == twInt:
		v := p.s.Int
		p.s.Int &= twIntRx
		p.update()
		return v
	case off == twArbCap:
		return p.s.ArbCap
	case off == twErrCap:
		return p.s.ErrCap
	case off == twRxErr:
		return min(p.s.REC, 255)
	case off == twTxErr:
		return min(p.s.TEC, 255)
	case off == twCount:
		return uint32(p.s.Count)
	case off >= twData && off < twData+4*twBuffer && !p.inReset():
		return uint32(p.s.Rx[p.s.First].Bytes[(off-twData)/4])
	}
	return p.block.read(off)
}

func (p *twai) status() uint32 {
	var v uint32
	for i, on := range [...]bool{p.s.Count > 0, p.s.Overrun, p.s.TxFree, p.s.Complete, p.s.Bus.receiving(), p.s.Bus.Sending,
		p.warned(), p.s.BusOff, p.s.Count > 0 && p.s.Rx[p.s.First].Missed} {
		if on {
			v |= 1 << i
		}
	}
	return v
}

// warned reports whether a counter has reached ERR_WARNING_LIMIT.
func (p *twai) warned() bool {
	limit := p.get(twWarn) & 0xff
	return p.s.BusOff || p.s.TEC >= limit || p.s.REC >= limit
}

func (p *twai) passive() bool { return p.s.TEC >= 128 || p.s.REC >= 128 }

func (p *twai) write(off, v uint32) {
	switch {
	case off == twMode:
		p.setMode(v & 15)
	case off == twCmd:
		p.command(v)
	case off == twIntEna:
		p.block.write(off, v)
		p.update()
	case off == twStatus, off == twInt, off == twArbCap, off == twErrCap, off == twCount:
	case off == twWarn, off == twTiming0, off == twTiming1:
		if p.inReset() {
			p.block.write(off, v)
		}
	case off == twRxErr, off == twTxErr:
		if p.inReset() && !p.s.BusOff {
			if off == twRxErr {
				p.s.REC = v & 0xff
			} else {
				p.s.TEC = v & 0xff
			}
		}
	case off >= twData && off < twData+4*twBuffer:
		if p.inReset() {
			p.block.write(off, v&0xff)
		} else if p.s.TxFree {
			p.s.Tx.Bytes[(off-twData)/4] = byte(v)
		}
	default:
		p.block.write(off, v)
	}
}

// setMode is MODE: reset mode stops the controller; leaving it after bus-off starts
// the recovery.
func (p *twai) setMode(v uint32) {
	was := p.inReset()
	if !was && v&twModeReset == 0 {
		v = v&twModeReset | p.get(twMode)&^twModeReset // the others change in reset mode
	}
	p.set(twMode, v)
	switch {
	case v&twModeReset != 0 && !was:
		p.halt()
	case v&twModeReset == 0 && was && p.s.BusOff:
		p.s.Bus = twaiBus{Phase: twRecover}
		p.tick.Set(p.soc.m.Now().Add(128 * 11 * p.bitTicks()))
	}
}

// halt stops the protocol and releases the bus.
func (p *twai) halt() {
	p.tick.Stop()
	p.s.Bus = twaiBus{}
	p.s.TxFree = true
	p.soc.gpio.drive(sigTWAITX, true)
}

func (p *twai) command(v uint32) {
	if p.inReset() {
		return
	}
	if v&(1<<2) != 0 {
		p.release()
	}
	if v&(1<<3) != 0 {
		p.s.Overrun = false
	}
	b := &p.s.Bus
	switch {
	case v&(1<<0|1<<4) != 0 && p.s.TxFree && !p.s.BusOff && !p.has(twMode, twModeListen):
		p.s.TxFree, p.s.Complete = false, false
		b.SelfRx, b.Once = v&(1<<4) != 0, v&(1<<1) != 0
		if b.Phase == twIdle {
			p.begin()
		}
	case v&(1<<1) != 0 && !p.s.TxFree:
		b.Once = true // an attempt that runs is the last one
		if !b.Sending {
			p.s.TxFree = true
			p.raise(twIntTx)
		}
	}
}

// release is RELEASE_BUF: the next received message.
func (p *twai) release() {
	if p.s.Count == 0 {
		return
	}
	m := &p.s.Rx[p.s.First]
	if !m.Missed {
		p.s.Used -= uint8(m.size())
	}
	p.s.First = (p.s.First + 1) % twMessages
	if p.s.Count--; p.s.Count == 0 {
		p.s.Int &^= twIntRx
		p.update()
	}
}

// accept puts a received message into the FIFO, if the filter lets it pass.
func (p *twai) accept(m twaiMessage) {
	if !p.filter(&m) || p.s.Count == twMessages {
		return
	}
	if n := m.size(); int(p.s.Used)+n > twFIFO {
		m.Missed, p.s.Overrun = true, true
		p.raise(twIntOverrun)
	} else {
		p.s.Used += uint8(n)
	}
	p.s.Rx[(p.s.First+p.s.Count)%twMessages] = m
	p.s.Count++
	p.raise(twIntRx)
}

// filter applies the acceptance filters, TRM 31.5.4: ACR0 to 3 and the masks of
// bits that do not matter, AMR0 to 3.
func (p *twai) filter(m *twaiMessage) bool {
	reg := func(n uint32) byte { return byte(p.get(twData + 4*n)) }
	same := func(n uint32, v, mask byte) bool { return (reg(n)^v)&^reg(4+n)&mask == 0 }
	b := &m.Bytes
	rtr := b[0] >> 6 & 1
	ext := b[0]>>7 != 0
	d0, d1, have0, have1 := b[3], b[4], byte(0xff), byte(0xff)
	if n := b[0] & 15; rtr != 0 || n < 1 {
		have0, have1 = 0, 0
	} else if n < 2 {
		have1 = 0
	}
	switch single := p.has(twMode, twModeSingle); {
	case single && ext:
		return same(0, b[1], 0xff) && same(1, b[2], 0xff) && same(2, b[3], 0xff) && same(3, b[4]&^7|rtr<<2, 0xfc)
	case single:
		return same(0, b[1], 0xff) && same(1, b[2]&0xe0|rtr<<4, 0xf0) && same(2, d0, have0) && same(3, d1, have1)
	case ext:
		return same(0, b[1], 0xff) && same(1, b[2], 0xff) || same(2, b[1], 0xff) && same(3, b[2], 0xff)
	}
	one := same(0, b[1], 0xff) && same(1, b[2]&0xe0|rtr<<4|d0>>4, 0xf0|have0>>4) && same(3, d0&15, have0&15)
	return one || same(2, b[1], 0xff) && same(3, b[2]&0xe0|rtr<<4, 0xf0)
}

func (p *twai) raise(bits uint32) { p.s.Int |= bits; p.update() }

func (p *twai) update() { p.line.set(p.s.Int&p.get(twIntEna) != 0) }

// count changes the error counters and raises what follows from that.
func (p *twai) count(tec, rec int) {
	warned, passive := p.warned(), p.passive()
	p.s.TEC = uint32(max(int(p.s.TEC)+tec, 0))
	p.s.REC = uint32(min(max(int(p.s.REC)+rec, 0), 255))
	if p.s.TEC > 255 {
		p.s.BusOff, p.s.TEC, p.s.REC = true, 127, 0
		p.set(twMode, p.get(twMode)|twModeReset)
		p.halt()
	}
	if p.warned() != warned || p.s.BusOff {
		p.raise(twIntWarn)
	}
	if p.passive() != passive {
		p.raise(twIntPassive)
	}
}

func (p *twai) reset() {
	p.block.reset()
	p.halt()
	p.s.Int, p.s.Count, p.s.First, p.s.Used = 0, 0, 0, 0
	p.s.TEC, p.s.REC, p.s.ArbCap, p.s.ErrCap = 0, 0, 0, 0
	p.s.Overrun, p.s.Complete, p.s.BusOff = false, false, false
	p.update()
}

func (p *twai) state(s *chip.State) { s.Fixed(&p.words, &p.s) }
