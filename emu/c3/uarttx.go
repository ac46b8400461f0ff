package c3

import "espalier.dev/espalier/emu/chip"

// uartTx is the transmitter of a UART, TRM 26.4.2: FIFO, shift register, break,
// flow control.
type uartTx struct {
	*uart
	s struct {
		FIFO    [uartMaxFIFO]byte
		Head    uint32
		Count   uint32
		Written uint32 // since reset
		// A frame or break that is being sent.
		Sending bool
		Break   bool
		Byte    byte
		Bits    uint32 // start bit first
		Length  uint32 // of the frame in half bits
		Start   chip.Time
		Bit     bitTime
		// Idle is when the next frame may start: TX_IDLE_NUM bits after the FIFO ran
		// empty.
		Idle     chip.Time
		Stopped  bool // by XOFF
		Urgent   byte // XON or XOFF, sent before anything else
		IsUrgent bool
	}
	end  *chip.Timer // of the frame, or of the idle time
	edge *chip.Timer // the next change of TXD, while something depends on it
}

func (t *uartTx) init(u *uart) {
	t.uart = u
	t.end = u.soc.m.NewTimer(t.sent)
	t.edge = u.soc.m.NewProbe(t.show)
	u.soc.gpio.lazily(u.sig(sigU0TXD), t.level, func(on bool) {
		t.edge.Stop()
		if on {
			t.show()
		}
	})
}

// write puts a byte into the FIFO; what does not fit is lost.
func (t *uartTx) write(b byte) {
	if size := t.fifoSize(6, 4); t.s.Count < size {
		t.s.FIFO[(t.s.Head+t.s.Count)%uartMaxFIFO] = b
		t.s.Count++
		t.s.Written++
	}
	t.begin()
	t.update()
}

// blocked reports whether flow control or the clock holds the transmitter.
func (t *uartTx) blocked() bool {
	clk := t.get(uartClkConf)
	switch {
	case clk&uartClkSCLKEn == 0 || clk&uartClkTxEn == 0 || clk&(uartClkRstCore|uartClkTxRst) != 0:
		return true
	case t.on(uartConf0, uartConf0TxFlowEn) && t.cts():
		return true
	case t.on(uartRS485Conf, uartRS485En) && !t.on(uartRS485Conf, uartRS485RxBusyTx) && t.rx.s.Active:
		return true
	}
	return false
}

// begin starts a frame, if there is one to send and nothing is in the way.
func (t *uartTx) begin() {
	if t.s.Sending || t.s.Count == 0 && !t.s.IsUrgent || t.s.Stopped && !t.s.IsUrgent || t.blocked() {
		return
	}
	now := t.soc.m.Now()
	if now < t.s.Idle && !t.s.IsUrgent {
		t.end.Set(t.s.Idle)
		return
	}
	b := t.s.Urgent
	if !t.s.IsUrgent {
		b = t.s.FIFO[t.s.Head]
		t.s.Head = (t.s.Head + 1) % uartMaxFIFO
		t.s.Count--
	}
	t.s.IsUrgent = false
	data, parity, stop := t.frame()
	b &= byte(1<<data - 1)
	bits := uint32(b) << 1
	length := 1 + data
	if parity {
		if t.parityOf(b) {
			bits |= 1 << length
		}
		length++
	}
	bits |= ^uint32(0) << length
	halves := 2*length + stop
	if rs := t.get(uartRS485Conf); rs&uartRS485En != 0 { // DL0, DL1: a bit more of silence each
		halves += 2*b2n(rs&uartRS485DL0 != 0) + 2*b2n(rs&uartRS485DL1 != 0)
	}
	t.s.Sending, t.s.Break, t.s.Byte = true, false, b
	t.s.Bits, t.s.Length, t.s.Start, t.s.Bit = bits, halves, now, t.bit()
	t.end.Set(now.Add(t.s.Bit.halves(halves)))
	t.lines()
}

func b2n(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// sendBreak holds the line low for TX_BRK_NUM bits.
func (t *uartTx) sendBreak() {
	t.s.Sending, t.s.Break, t.s.Bits = true, true, 0
	t.s.Start, t.s.Bit = t.soc.m.Now(), t.bit()
	t.s.Length = 2 * max(1, t.get(uartTxBrkConf)&0xff)
	t.end.Set(t.s.Start.Add(t.s.Bit.halves(t.s.Length)))
	t.lines()
}

// sent ends a frame, a break, or the time between transfers.
func (t *uartTx) sent() {
	if !t.s.Sending {
		t.begin()
		t.update()
		return
	}
	t.s.Sending = false
	now := t.soc.m.Now()
	idle := t.s.Bit.bits(field(t.get(uartIdleConf), 19, 10))
	switch {
	case t.s.Break:
		t.s.Break = false
		t.intr.Raw |= uartIntTxBrkDone | uartIntTxBrkIdle
		t.s.Idle = now.Add(idle)
	case t.on(uartConf0, uartConf0Loopback):
		t.rx.frameEnd(t.s.Byte)
	default:
		t.soc.m.Emit(t.stream, t.s.Byte)
	}
	t.soc.uhci.feed(t.uart)
	if t.s.Count > 0 || t.s.IsUrgent || t.s.Sending {
		t.begin()
	} else if t.intr.Raw |= uartIntTxDone; t.on(uartConf0, uartConf0TxdBrk) && t.intr.Raw&uartIntTxBrkDone == 0 {
		t.sendBreak()
	} else {
		t.s.Idle = now.Add(idle)
	}
	t.lines()
	t.update()
}

// level returns the level of TXD now.
func (t *uartTx) level() bool {
	high := true
	if t.s.Sending {
		i := uint64(t.soc.m.Now().Sub(t.s.Start)) << 16 / uint64(t.s.Bit)
		high = !t.s.Break && (i > 31 || t.s.Bits>>i&1 != 0)
	}
	return high != t.on(uartConf0, uartConf0TxdInv)
}

// show drives TXD, if something depends on it, and waits for its next change.
func (t *uartTx) show() {
	g := t.soc.gpio
	if !g.isWatched(t.sig(sigU0TXD)) {
		return
	}
	t.edge.Stop()
	g.drive(t.sig(sigU0TXD), t.level())
	if !t.s.Sending || t.s.Break {
		return
	}
	now := t.soc.m.Now()
	at := uint32(uint64(now.Sub(t.s.Start)) << 16 / uint64(t.s.Bit))
	for i := at + 1; i <= t.s.Length/2 && i < 32; i++ {
		if t.s.Bits>>i&1 != t.s.Bits>>(i-1)&1 {
			// The first tick of the bit: level rounds down.
			t.edge.Set(t.s.Start.Add(chip.Duration((uint64(t.s.Bit)*uint64(i) + 1<<16 - 1) >> 16)))
			return
		}
	}
}

// drain sends the frame under way and the FIFO at once.
func (t *uartTx) drain() {
	if t.s.Sending && !t.s.Break {
		t.soc.m.Emit(t.stream, t.s.Byte)
	}
	t.abort()
	for ; t.s.Count > 0; t.s.Count-- {
		t.soc.m.Emit(t.stream, t.s.FIFO[t.s.Head])
		t.s.Head = (t.s.Head + 1) % uartMaxFIFO
	}
	t.lines()
}

// abort drops the frame that is being sent.
func (t *uartTx) abort() {
	t.s.Sending, t.s.Break = false, false
	t.end.Stop()
	t.edge.Stop()
}

// reset clears the FIFO too: what the host has not received is lost.
func (t *uartTx) reset() {
	t.abort()
	t.s.Head, t.s.Count, t.s.Written, t.s.Idle = 0, 0, 0, 0
	t.s.Stopped, t.s.IsUrgent = false, false
}
