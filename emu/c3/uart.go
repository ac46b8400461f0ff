package c3

import "espalier.dev/espalier/emu/chip"

// UART registers, TRM 26.6.
const (
	uartFIFO       = 0x00
	uartIntRaw     = 0x04
	uartIntSt      = 0x08
	uartIntEna     = 0x0c
	uartIntClr     = 0x10
	uartClkDiv     = 0x14
	uartStatus     = 0x1c
	uartConf0      = 0x20
	uartConf1      = 0x24
	uartLowPulse   = 0x28
	uartHighPulse  = 0x2c
	uartRxdCnt     = 0x30
	uartATCmdChar  = 0x5c
	uartMemConf    = 0x60
	uartFSMStatus  = 0x6c
	uartPosPulse   = 0x70
	uartNegPulse   = 0x74
	uartClkConf    = 0x78
	uartID         = 0x80
	uartFIFOSize   = 128
	uartStatusIdle = 0xe000c000 // TXD, RTSN, DTRN, RXD, CTSN at rest

	uartIntRxFIFOFull  = 1 << 0
	uartIntTxFIFOEmpty = 1 << 1
	uartIntRxTimeout   = 1 << 8
	uartIntTxBrkDone   = 1 << 12
	uartIntTxBrkIdle   = 1 << 13
	uartIntTxDone      = 1 << 14
	uartIntATCmd       = 1 << 18

	uartConf0TxdBrk   = 1 << 8
	uartConf0Loopback = 1 << 14
	uartConf0RxRst    = 1 << 17
	uartConf0TxRst    = 1 << 18
	uartConf0Autobaud = 1 << 27
)

// uartHostBaud is the speed at which a host is taken to send while the guest
// measures it (autobaud).
const uartHostBaud = 115200

// uart is UART0 or UART1, TRM 26. Its transmitter takes no time: what the
// guest writes to the FIFO leaves the chip at once and the FIFO is always
// empty. Its receiver takes one frame's time for each byte and waits while the
// FIFO is full, as behind a host that honours flow control.
type uart struct {
	block
	soc    *soc
	stream chip.Stream
	intr   interrupts
	s      struct {
		FIFO        [uartFIFOSize]byte
		Head, Count uint32
		ATCount     uint32 // consecutive AT_CMD_CHAR received
		Edges       uint32 // counted for autobaud
	}
	waiting []byte // sent by the host, not yet received
	arrive  *chip.Timer
	idle    *chip.Timer // RX timeout
	signal  *chip.Timer // the interrupt reaches the matrix
}

func newUART(c *soc, name string, base uint32, stream chip.Stream, src uint) *uart {
	u := &uart{soc: c, stream: stream}
	u.intr.line = c.intc.source(src)
	u.arrive = c.m.NewTimer(u.receive)
	u.idle = c.m.NewTimer(func() { u.intr.Raw |= uartIntRxTimeout; u.update() })
	u.signal = c.m.NewTimer(func() { u.intr.line.set(true) })
	u.block = newBlock(name, base, []reg{
		{uartFIFO, "FIFO", 0}, {uartIntRaw, "INT_RAW", 0}, {uartIntSt, "INT_ST", 0}, {uartIntEna, "INT_ENA", 0}, {uartIntClr, "INT_CLR", 0},
		{uartClkDiv, "CLKDIV", 0x2b6}, {0x18, "RX_FILT", 8}, {uartStatus, "STATUS", 0}, {uartConf0, "CONF0", 0x1000001c},
		{uartConf1, "CONF1", 0xc060}, {uartLowPulse, "LOWPULSE", 0xfff}, {uartHighPulse, "HIGHPULSE", 0xfff}, {uartRxdCnt, "RXD_CNT", 0},
		{0x34, "FLOW_CONF", 0}, {0x38, "SLEEP_CONF", 0xf0}, {0x3c, "SWFC_CONF0", 0x26e0}, {0x40, "SWFC_CONF1", 0x2260}, {0x44, "TXBRK_CONF", 0xa},
		{0x48, "IDLE_CONF", 0x40100}, {0x4c, "RS485_CONF", 0}, {0x50, "AT_CMD_PRECNT", 0x901}, {0x54, "AT_CMD_POSTCNT", 0x901}, {0x58, "AT_CMD_GAPTOUT", 0xb},
		{uartATCmdChar, "AT_CMD_CHAR", 0x32b}, {uartMemConf, "MEM_CONF", 0xa0012}, {0x64, "MEM_TX_STATUS", 0}, {0x68, "MEM_RX_STATUS", 0x80100},
		{uartFSMStatus, "FSM_STATUS", 0}, {uartPosPulse, "POSPULSE", 0xfff}, {uartNegPulse, "NEGPULSE", 0xfff}, {uartClkConf, "CLK_CONF", 0x3701000},
		{0x7c, "DATE", 0x2008270}, {uartID, "ID", 0x40000500},
	})
	u.mark(varies, uartFIFO)
	return u
}

func (u *uart) read(off uint32) uint32 {
	switch off {
	case uartFIFO:
		return uint32(u.pop())
	case uartIntRaw:
		return u.raw()
	case uartIntSt:
		return u.raw() & u.intr.Ena
	case uartIntEna:
		return u.intr.Ena
	case uartStatus:
		return uartStatusIdle | u.s.Count
	}
	return u.block.read(off)
}

func (u *uart) write(off, v uint32) {
	switch off {
	case uartFIFO:
		u.transmit(byte(v))
		return
	case uartIntRaw, uartIntSt, uartStatus, uartFSMStatus, uartRxdCnt:
		return
	case uartIntEna:
		u.intr.Ena = v
		u.update()
		return
	case uartIntClr:
		u.intr.Raw &^= v
		u.update()
		return
	case uartConf0:
		u.conf0(v)
		return
	case uartID:
		v &^= 1 << 31 // REG_UPDATE clears itself when the registers are in sync
	}
	u.block.write(off, v)
	u.update()
}

func (u *uart) conf0(v uint32) {
	old := u.get(uartConf0)
	if v&uartConf0RxRst != 0 {
		u.s.Head, u.s.Count = 0, 0
		u.idle.Stop()
	}
	if v&uartConf0TxdBrk != 0 && old&uartConf0TxdBrk == 0 {
		u.intr.Raw |= uartIntTxBrkDone | uartIntTxBrkIdle
	}
	if v&uartConf0Autobaud == 0 && old&uartConf0Autobaud != 0 {
		u.s.Edges = 0
		for _, r := range []uint32{uartLowPulse, uartHighPulse, uartPosPulse, uartNegPulse} {
			u.set(r, 0xfff)
		}
		u.set(uartRxdCnt, 0)
	}
	u.set(uartConf0, v)
	u.update()
	u.listen()
}

// raw returns INT_RAW: the latched events and the two conditions that hold
// until the FIFO changes.
func (u *uart) raw() uint32 {
	raw := u.intr.Raw
	if u.s.Count >= max(1, field(u.get(uartConf1), 8, 0)) {
		raw |= uartIntRxFIFOFull
	}
	if field(u.get(uartConf1), 17, 9) > 0 {
		raw |= uartIntTxFIFOEmpty
	}
	return raw
}

// uartLatency is how many CPU cycles an interrupt takes from the UART to the
// matrix. The ROM's loader relies on there being some: it enables the receive
// interrupt with a byte waiting, and only then says which port it listens to.
const uartLatency = 8

func (u *uart) update() {
	switch {
	case u.raw()&u.intr.Ena == 0:
		u.signal.Stop()
		u.intr.line.set(false)
	case !u.signal.Armed() && !u.intr.line.high():
		u.signal.Set(u.soc.m.Now().Add(uartLatency * u.soc.m.CPUPeriod()))
	}
}

func (u *uart) transmit(b byte) {
	u.intr.Raw |= uartIntTxDone
	if u.get(uartConf0)&uartConf0Loopback != 0 {
		u.push(b)
	} else {
		u.soc.m.Emit(u.stream, b)
	}
	u.update()
}

// send queues bytes from outside.
func (u *uart) send(p []byte) {
	u.waiting = append(u.waiting, p...)
	u.listen()
}

// listen schedules the next byte, if there is one and room for it.
func (u *uart) listen() {
	if len(u.waiting) > 0 && u.s.Count < uartFIFOSize && !u.arrive.Armed() {
		u.arrive.Set(u.soc.m.Now().Add(u.bits(10)))
	}
}

// receive takes one byte off the wire.
func (u *uart) receive() {
	if len(u.waiting) == 0 {
		return
	}
	b := u.waiting[0]
	u.waiting = u.waiting[1:]
	if u.get(uartConf0)&uartConf0Autobaud != 0 {
		u.measure(b)
	}
	u.push(b)
	u.update()
	u.listen()
}

func (u *uart) push(b byte) {
	if u.s.Count == uartFIFOSize {
		return
	}
	u.s.FIFO[(u.s.Head+u.s.Count)%uartFIFOSize] = b
	u.s.Count++
	if at := u.get(uartATCmdChar); uint32(b) == at&0xff {
		u.s.ATCount++
		if u.s.ATCount == field(at, 15, 8) {
			u.intr.Raw |= uartIntATCmd
			u.s.ATCount = 0
		}
	} else {
		u.s.ATCount = 0
	}
	if u.get(uartConf1)>>21&1 != 0 { // RX_TOUT_EN
		u.idle.Set(u.soc.m.Now().Add(u.bits(max(1, field(u.get(uartMemConf), 25, 16)))))
	}
}

func (u *uart) pop() byte {
	if u.s.Count == 0 {
		return 0
	}
	b := u.s.FIFO[u.s.Head]
	u.s.Head = (u.s.Head + 1) % uartFIFOSize
	u.s.Count--
	if u.s.Count == 0 {
		u.idle.Stop()
	}
	u.update()
	u.listen()
	return b
}

// measure updates the autobaud registers by the edges of one received byte,
// TRM 26.4.3: pulse widths in periods of the UART's source clock.
func (u *uart) measure(b byte) {
	frame := uint32(b)<<1 | 1<<9 // start bit, eight bits, stop bit
	level := uint32(1)
	for i := range 10 {
		if bit := frame >> i & 1; bit != level {
			u.s.Edges++
			level = bit
		}
	}
	width := min(0xfff, u.sourceClock()/uartHostBaud-1)
	u.set(uartRxdCnt, min(0x3ff, u.s.Edges))
	u.set(uartLowPulse, width)
	u.set(uartHighPulse, width)
	u.set(uartPosPulse, min(0xfff, 2*width))
	u.set(uartNegPulse, min(0xfff, 2*width))
}

// sourceClock returns the clock before CLKDIV in hertz.
func (u *uart) sourceClock() uint32 {
	conf := u.get(uartClkConf)
	hz := u.soc.apbHz()
	switch field(conf, 21, 20) {
	case 2:
		hz = rcFastHz
	case 3:
		hz = xtalHz
	}
	return hz / (field(conf, 19, 12) + 1)
}

// bits returns the duration of n bits at the configured baud rate.
func (u *uart) bits(n uint32) chip.Duration {
	div := u.get(uartClkDiv)
	sixteenths := uint64(max(1, field(div, 11, 0)))*16 + uint64(field(div, 23, 20))
	ticks := uint64(n) * sixteenths * chip.TicksPerSecond / (16 * uint64(max(1, u.sourceClock())))
	return chip.Duration(max(1, ticks))
}

// baud returns the configured bits per second.
func (u *uart) baud() int {
	div := u.get(uartClkDiv)
	sixteenths := max(1, field(div, 11, 0))*16 + field(div, 23, 20)
	return int(uint64(u.sourceClock()) * 16 / uint64(sixteenths))
}

func (u *uart) reset() {
	u.block.reset()
	u.s.Head, u.s.Count, u.s.ATCount, u.s.Edges = 0, 0, 0, 0
	u.idle.Stop()
	u.intr.Raw, u.intr.Ena = 0, 0
	u.update()
}

func (u *uart) state(s *chip.State) {
	s.Fixed(&u.words, &u.s, &u.intr.Raw, &u.intr.Ena)
	s.Bytes(&u.waiting)
}
