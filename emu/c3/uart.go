package c3

import (
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// UART registers, TRM 26.6.
const (
	uartFIFO        = 0x00
	uartIntRaw      = 0x04
	uartIntSt       = 0x08
	uartIntEna      = 0x0c
	uartIntClr      = 0x10
	uartClkDiv      = 0x14
	uartRxFilt      = 0x18
	uartStatus      = 0x1c
	uartConf0       = 0x20
	uartConf1       = 0x24
	uartLowPulse    = 0x28
	uartHighPulse   = 0x2c
	uartRxdCnt      = 0x30
	uartFlowConf    = 0x34
	uartSleepConf   = 0x38
	uartSWFCConf0   = 0x3c
	uartSWFCConf1   = 0x40
	uartTxBrkConf   = 0x44
	uartIdleConf    = 0x48
	uartRS485Conf   = 0x4c
	uartATPreCnt    = 0x50
	uartATPostCnt   = 0x54
	uartATGap       = 0x58
	uartATCmdChar   = 0x5c
	uartMemConf     = 0x60
	uartMemTxStatus = 0x64
	uartMemRxStatus = 0x68
	uartFSMStatus   = 0x6c
	uartPosPulse    = 0x70
	uartNegPulse    = 0x74
	uartClkConf     = 0x78
	uartID          = 0x80

	uartBlock   = 128 // bytes of one block of FIFO memory
	uartMaxFIFO = 512 // all four blocks

	uartIntRxFIFOFull  = 1 << 0
	uartIntTxFIFOEmpty = 1 << 1
	uartIntParityErr   = 1 << 2
	uartIntFrameErr    = 1 << 3
	uartIntRxFIFOOvf   = 1 << 4
	uartIntDSRChange   = 1 << 5
	uartIntCTSChange   = 1 << 6
	uartIntBreak       = 1 << 7
	uartIntRxTimeout   = 1 << 8
	uartIntXON         = 1 << 9
	uartIntXOFF        = 1 << 10
	uartIntGlitch      = 1 << 11
	uartIntTxBrkDone   = 1 << 12
	uartIntTxBrkIdle   = 1 << 13
	uartIntTxDone      = 1 << 14
	uartIntRS485Clash  = 1 << 17
	uartIntATCmd       = 1 << 18
	uartIntWakeup      = 1 << 19
	uartIntMask        = 1<<20 - 1

	uartConf0ParityOdd = 1 << 0
	uartConf0ParityEn  = 1 << 1
	uartConf0SWRTS     = 1 << 6
	uartConf0SWDTR     = 1 << 7
	uartConf0TxdBrk    = 1 << 8
	uartConf0Loopback  = 1 << 14
	uartConf0TxFlowEn  = 1 << 15
	uartConf0IrDA      = 1 << 16
	uartConf0RxRst     = 1 << 17
	uartConf0TxRst     = 1 << 18
	uartConf0RxdInv    = 1 << 19
	uartConf0CTSInv    = 1 << 20
	uartConf0DSRInv    = 1 << 21
	uartConf0TxdInv    = 1 << 22
	uartConf0RTSInv    = 1 << 23
	uartConf0DTRInv    = 1 << 24
	uartConf0ErrWrMask = 1 << 26
	uartConf0Autobaud  = 1 << 27

	uartConf1DisOvf    = 1 << 18
	uartConf1RxFlowEn  = 1 << 20
	uartConf1RxToutEn  = 1 << 21
	uartClkSCLKEn      = 1 << 22
	uartClkRstCore     = 1 << 23
	uartClkTxEn        = 1 << 24
	uartClkRxEn        = 1 << 25
	uartClkTxRst       = 1 << 26
	uartClkRxRst       = 1 << 27
	uartRS485En        = 1 << 0
	uartRS485DL0       = 1 << 1
	uartRS485DL1       = 1 << 2
	uartRS485TxRx      = 1 << 3
	uartRS485RxBusyTx  = 1 << 4
	uartStatusFSMBusy  = 1 // any state but idle, of each half of FSM_STATUS
	uartFlowSWEn       = 1 << 0
	uartFlowDelete     = 1 << 1
	uartFlowForceXON   = 1 << 2
	uartFlowForceXOFF  = 1 << 3
	uartFlowSendXON    = 1 << 4
	uartFlowSendXOFF   = 1 << 5
	uartWakeEdgeOffset = 3 // wake-up needs ACTIVE_THRESHOLD and this many edges
)

// uart is UART0 or UART1, TRM 26: the registers and interrupts, the transmitter
// (uarttx.go) and the receiver (uartrx.go). Frames take the line's time. What
// configuration registers hold is in force at once, and for the next frame: the
// synchronization by REG_UPDATE takes no time.
//
// The host's end is a serial stream: it receives a byte when its frame has been
// sent, wherever TXD is routed, and its bytes reach the receiver one frame after
// the other, as from a sender that waits while the FIFO is full. The pads are
// the other way in and out; waveforms on them are exact to a guest tick.
//
// Not modelled: IrDA, whose use is reported. STATUS shows the resting level of TXD and not the bit that
// is being sent.
type uart struct {
	block
	soc    *soc
	n      int // 0 or 1
	stream chip.Stream
	intr   interrupts
	signal *chip.Timer // the interrupt reaches the matrix
	tx     uartTx
	rx     uartRx
}

func newUART(c *soc, name string, base uint32, stream chip.Stream, src uint) *uart {
	u := &uart{soc: c, stream: stream}
	if stream == chip.UART1 {
		u.n = 1
	}
	u.intr.line = c.intc.source(src)
	u.signal = c.m.NewTimer(func() { u.intr.line.set(true) })
	u.block = newBlock(name, base, []reg{
		{uartFIFO, "FIFO", 0}, {uartIntRaw, "INT_RAW", 0}, {uartIntSt, "INT_ST", 0}, {uartIntEna, "INT_ENA", 0}, {uartIntClr, "INT_CLR", 0},
		{uartClkDiv, "CLKDIV", 0x2b6}, {uartRxFilt, "RX_FILT", 8}, {uartStatus, "STATUS", 0}, {uartConf0, "CONF0", 0x1000001c},
		{uartConf1, "CONF1", 0xc060}, {uartLowPulse, "LOWPULSE", 0xfff}, {uartHighPulse, "HIGHPULSE", 0xfff}, {uartRxdCnt, "RXD_CNT", 0},
		{uartFlowConf, "FLOW_CONF", 0}, {uartSleepConf, "SLEEP_CONF", 0xf0}, {uartSWFCConf0, "SWFC_CONF0", 0x26e0},
		{uartSWFCConf1, "SWFC_CONF1", 0x2200}, {uartTxBrkConf, "TXBRK_CONF", 0xa}, {uartIdleConf, "IDLE_CONF", 0x40100},
		{uartRS485Conf, "RS485_CONF", 0}, {uartATPreCnt, "AT_CMD_PRECNT", 0x901}, {uartATPostCnt, "AT_CMD_POSTCNT", 0x901},
		{uartATGap, "AT_CMD_GAPTOUT", 0xb}, {uartATCmdChar, "AT_CMD_CHAR", 0x32b}, {uartMemConf, "MEM_CONF", 0xa0012},
		{uartMemTxStatus, "MEM_TX_STATUS", 0}, {uartMemRxStatus, "MEM_RX_STATUS", 0}, {uartFSMStatus, "FSM_STATUS", 0},
		{uartPosPulse, "POSPULSE", 0xfff}, {uartNegPulse, "NEGPULSE", 0xfff}, {uartClkConf, "CLK_CONF", 0x3701000},
		{0x7c, "DATE", 0x2008270}, {uartID, "ID", 0x40000500},
	})
	u.unmodelled(uartConf0, uartConf0IrDA, 0)
	u.mark(varies, uartFIFO)
	u.mark(clocked, uartIntRaw, uartStatus, uartFSMStatus) // polled while software waits for the line
	u.tx.init(u)
	u.rx.init(u)
	g := c.gpio
	g.observe(u.sig(sigU0CTS), func(bool) { u.intr.Raw |= uartIntCTSChange; u.tx.begin(); u.update() })
	g.observe(u.sig(sigU0DSR), func(bool) { u.intr.Raw |= uartIntDSRChange; u.update() })
	return u
}

// sig returns the signal of this UART that corresponds to one of UART0.
func (u *uart) sig(n signal) signal { return n + signal(u.n)*(sigU1RXD-sigU0RXD) }

func (u *uart) on(reg, bits uint32) bool { return u.get(reg)&bits != 0 }

func (u *uart) read(off uint32) uint32 {
	switch off {
	case uartFIFO:
		return uint32(u.rx.pop())
	case uartIntRaw:
		return u.raw()
	case uartIntSt:
		return u.raw() & u.intr.Ena
	case uartIntEna:
		return u.intr.Ena
	case uartIntClr:
		return 0
	case uartStatus:
		return u.status()
	case uartMemTxStatus:
		size, base := u.fifoSize(6, 4), uint32(u.n)*uartBlock
		return base + u.tx.s.Written%size | (base+(u.tx.s.Written-u.tx.s.Count)%size)<<11
	case uartMemRxStatus:
		size, base := u.fifoSize(3, 1), 2*uartBlock+uint32(u.n)*uartBlock
		return base + (u.rx.s.Written-u.rx.s.Count)%size | (base+u.rx.s.Written%size)<<11
	case uartFSMStatus:
		var v uint32
		if u.rx.s.Active {
			v |= uartStatusFSMBusy
		}
		if u.tx.s.Sending {
			v |= uartStatusFSMBusy << 4
		}
		return v
	}
	return u.block.read(off)
}

// spinLoad implements counter: these registers change when a frame begins or ends,
// never in between.
func (u *uart) spinLoad(off uint32, _ chip.Time) rv32.SpinValue {
	return spinConstant(u.read(off))
}

// status returns STATUS: the fill of the FIFOs and the levels of the signals.
func (u *uart) status() uint32 {
	v := u.rx.s.Count | u.tx.s.Count<<16
	set := func(bit uint, high bool) {
		if high {
			v |= 1 << bit
		}
	}
	set(13, u.dsr())
	set(14, u.cts())
	set(15, u.rx.line())
	set(29, u.dtr())
	set(30, u.rts())
	set(31, !u.on(uartConf0, uartConf0TxdInv))
	return v
}

func (u *uart) cts() bool {
	return u.soc.gpio.input(u.sig(sigU0CTS)) != u.on(uartConf0, uartConf0CTSInv)
}
func (u *uart) dsr() bool {
	return u.soc.gpio.input(u.sig(sigU0DSR)) != u.on(uartConf0, uartConf0DSRInv)
}

// rts returns the level of RTSn: by software, or high while the FIFO holds as
// much as RX_FLOW_THRHD says.
func (u *uart) rts() bool {
	high := !u.on(uartConf0, uartConf0SWRTS)
	if u.on(uartConf1, uartConf1RxFlowEn) {
		high = u.rx.s.Count >= field(u.get(uartMemConf), 15, 7)
	}
	return high != u.on(uartConf0, uartConf0RTSInv)
}

// dtr returns the level of DTRn, which in RS485 mode enables the external
// driver.
func (u *uart) dtr() bool {
	high := !u.on(uartConf0, uartConf0SWDTR)
	if u.on(uartRS485Conf, uartRS485En) {
		high = u.tx.s.Sending
	}
	return high != u.on(uartConf0, uartConf0DTRInv)
}

func (u *uart) write(off, v uint32) {
	switch off {
	case uartFIFO:
		u.tx.write(byte(v))
		return
	case uartIntRaw, uartIntSt, uartStatus, uartFSMStatus, uartRxdCnt, uartLowPulse, uartHighPulse, uartPosPulse, uartNegPulse,
		uartMemTxStatus, uartMemRxStatus:
		return
	case uartIntEna:
		u.intr.Ena = v & uartIntMask
		u.update()
		return
	case uartIntClr:
		u.intr.Raw &^= v
		u.update()
		return
	case uartConf0:
		u.conf0(v)
	case uartClkConf:
		u.set(off, v)
		if v&(uartClkRstCore|uartClkTxRst) != 0 {
			u.tx.abort()
		}
		if v&(uartClkRstCore|uartClkRxRst) != 0 {
			u.rx.abort()
		}
	case uartFlowConf:
		u.set(off, v&^(uartFlowSendXON|uartFlowSendXOFF))
		switch {
		case v&uartFlowSendXOFF != 0:
			u.tx.s.Urgent, u.tx.s.IsUrgent = byte(field(u.get(uartSWFCConf0), 16, 9)), true
		case v&uartFlowSendXON != 0:
			u.tx.s.Urgent, u.tx.s.IsUrgent = byte(field(u.get(uartSWFCConf1), 16, 9)), true
		}
		switch {
		case v&uartFlowForceXOFF != 0:
			u.tx.s.Stopped = true
		case v&uartFlowForceXON != 0, v&uartFlowSWEn == 0:
			u.tx.s.Stopped = false
		}
	case uartID:
		u.set(off, v&^(1<<31)) // REG_UPDATE clears itself when the registers are in sync
	default:
		u.block.write(off, v)
	}
	u.lines()
	u.tx.begin()
	u.update()
	u.rx.listen()
}

func (u *uart) conf0(v uint32) {
	old := u.get(uartConf0)
	u.set(uartConf0, v)
	if v&uartConf0RxRst != 0 {
		u.rx.clear()
	}
	if v&uartConf0TxRst != 0 {
		u.tx.s.Count = 0
	}
	if v&uartConf0Autobaud == 0 && old&uartConf0Autobaud != 0 {
		u.rx.resetAutobaud()
	}
	if v&uartConf0TxdBrk != 0 && old&uartConf0TxdBrk == 0 && !u.tx.s.Sending && u.tx.s.Count == 0 {
		u.tx.sendBreak()
	}
	if (v^old)&uartConf0RxdInv != 0 {
		u.rx.changed(u.rx.line())
	}
}

// lines drives the signals that follow the registers.
func (u *uart) lines() {
	g := u.soc.gpio
	g.drive(u.sig(sigU0RTS), u.rts())
	g.drive(u.sig(sigU0DTR), u.dtr())
	u.tx.show()
}

// fifoSize returns the size of a FIFO from a field of MEM_CONF that counts
// blocks.
func (u *uart) fifoSize(hi, lo uint) uint32 {
	return min(uartMaxFIFO, max(1, field(u.get(uartMemConf), hi, lo))*uartBlock)
}

// raw returns INT_RAW: the latched events and the two conditions that hold
// until the FIFO changes.
func (u *uart) raw() uint32 {
	raw := u.intr.Raw
	if u.rx.s.Count >= max(1, field(u.get(uartConf1), 8, 0)) {
		raw |= uartIntRxFIFOFull
	}
	if u.tx.s.Count < field(u.get(uartConf1), 17, 9) {
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

// sourceClock returns the clock before CLKDIV in hertz: the source divided by
// SCLK_DIV_NUM + 1 + A/B.
func (u *uart) sourceClock() uint32 {
	conf := u.get(uartClkConf)
	hz := uint64(u.soc.apbHz())
	switch field(conf, 21, 20) {
	case 2:
		hz = rcFastHz
	case 3:
		hz = xtalHz
	}
	num, a, b := uint64(field(conf, 19, 12))+1, uint64(field(conf, 11, 6)), uint64(field(conf, 5, 0))
	if b == 0 {
		return uint32(hz / num)
	}
	return uint32(hz * b / (num*b + a))
}

// divider returns CLKDIV in sixteenths.
func (u *uart) divider() uint64 {
	div := u.get(uartClkDiv)
	return max(1, uint64(field(div, 11, 0))*16+uint64(field(div, 23, 20)))
}

// bitTime is the length of a bit in 1/65536 of a guest tick.
type bitTime uint64

func (u *uart) bit() bitTime {
	return bitTime(max(1<<16, scale(u.divider()<<16, chip.TicksPerSecond, 16*uint64(max(1, u.sourceClock())))))
}

// bits returns the duration of n bits, halves the duration of n half bits.
func (b bitTime) bits(n uint32) chip.Duration   { return chip.Duration(uint64(b) * uint64(n) >> 16) }
func (b bitTime) halves(n uint32) chip.Duration { return chip.Duration(uint64(b) * uint64(n) >> 17) }

// baud returns the configured bits per second.
func (u *uart) baud() int { return int(uint64(u.sourceClock()) * 16 / u.divider()) }

// frame returns the layout of a frame: data bits, whether a parity bit follows,
// and the stop bits in halves.
func (u *uart) frame() (data uint32, parity bool, stopHalves uint32) {
	c := u.get(uartConf0)
	stopHalves = max(2, field(c, 5, 4)+1)
	if field(c, 5, 4) == 3 {
		stopHalves = 4
	}
	return field(c, 3, 2) + 5, c&uartConf0ParityEn != 0, stopHalves
}

// parityOf returns the parity bit of a byte.
func (u *uart) parityOf(b byte) bool {
	odd := u.on(uartConf0, uartConf0ParityOdd)
	for ; b != 0; b &= b - 1 {
		odd = !odd
	}
	return odd
}

func (u *uart) reset() {
	u.block.reset()
	u.tx.reset()
	u.rx.reset()
	// CTS starts high and is low when the reset ends: a chip shows the change.
	u.intr.Raw, u.intr.Ena = uartIntCTSChange, 0
	u.lines()
	u.update()
}

// send queues bytes from the host.
func (u *uart) send(p []byte) {
	u.rx.waiting = append(u.rx.waiting, p...)
	u.rx.listen()
}

func (u *uart) state(s *chip.State) {
	s.Fixed(&u.words, &u.tx.s, &u.rx.s, &u.intr.Raw, &u.intr.Ena)
	s.Bytes(&u.rx.waiting)
}
