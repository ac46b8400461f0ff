package c3

import "espalier.dev/espalier/emu/chip"

// uartHostBaud is the speed at which a host is taken to send while the guest
// measures it (autobaud).
const uartHostBaud = 115200

// uartRx is the receiver of a UART, TRM 26.4.2: it samples RXD in the middle of
// each bit, checks parity and stop bit, and fills the FIFO.
type uartRx struct {
	*uart
	s struct {
		FIFO    [uartMaxFIFO]byte
		Head    uint32
		Count   uint32
		Written uint32 // since reset
		// A frame that is being received from a pad.
		Active  bool
		Start   chip.Time
		Bit     bitTime
		Bits    uint32 // samples, start bit first
		Sampled uint32
		Total   uint32    // samples of a frame: start, data, parity, first stop bit
		High    bool      // RXD
		AwaitHi bool      // no start bit before the line has been high
		Silent  chip.Time // end of the last frame
		// AT command characters, TRM 26.4.8.
		AT uint32
		// XOFF has been sent.
		Held bool
		// Autobaud: edges and, by level, when the last one was.
		Edges uint32
		Last  [2]chip.Time
		// Rising edges in light sleep.
		Wake uint32
	}
	waiting []byte // sent by the host, not yet received
	arrive  *chip.Timer
	stop    *chip.Timer // the middle of the stop bit
	idle    *chip.Timer // RX timeout
	atPost  *chip.Timer // silence after an AT command
}

func (r *uartRx) init(u *uart) {
	r.uart = u
	m := u.soc.m
	r.arrive = m.NewTimer(r.fromHost)
	r.stop = m.NewTimer(r.stopBit)
	r.idle = m.NewTimer(func() { u.intr.Raw |= uartIntRxTimeout; u.update() })
	r.atPost = m.NewTimer(func() { u.intr.Raw |= uartIntATCmd; u.update() })
	u.soc.gpio.observe(u.sig(sigU0RXD), func(bool) {
		if !r.on(uartConf0, uartConf0Loopback) {
			r.changed(r.line())
		}
	})
}

// line returns the level of RXD.
func (r *uartRx) line() bool {
	return r.soc.gpio.input(r.sig(sigU0RXD)) != r.on(uartConf0, uartConf0RxdInv)
}

// changed is called when the level of RXD changes.
func (r *uartRx) changed(high bool) {
	if high == r.s.High {
		return
	}
	now := r.soc.m.Now()
	if f := r.get(uartRxFilt); f&(1<<8) != 0 && r.s.Active && r.s.Sampled == 0 && high &&
		now.Sub(r.s.Start) < chip.Duration(uint64(f&0xff)*r.soc.apbTicks()) {
		r.s.Active, r.s.High = false, true // a pulse that the filter removes
		r.stop.Stop()
		return
	}
	r.countEdge(high, now)
	if r.s.Active {
		r.sample(now)
		if r.s.Sampled == 0 && high { // shorter than half a start bit
			r.s.Active = false
			r.stop.Stop()
			r.intr.Raw |= uartIntGlitch
			r.update()
		}
	}
	r.s.High = high
	switch {
	case high:
		r.s.AwaitHi = false
	case !r.s.Active && !r.s.AwaitHi && r.enabled():
		data, parity, _ := r.frame()
		r.s.Active, r.s.Start, r.s.Bit = true, now, r.bit()
		r.s.Bits, r.s.Sampled, r.s.Total = 0, 0, 2+data+b2n(parity)
		r.stop.Set(now.Add(r.s.Bit.halves(2*r.s.Total - 1)))
	}
}

// enabled reports whether the receiver has a clock and listens.
func (r *uartRx) enabled() bool {
	clk := r.get(uartClkConf)
	if clk&uartClkSCLKEn == 0 || clk&uartClkRxEn == 0 || clk&(uartClkRstCore|uartClkRxRst) != 0 {
		return false
	}
	rs := r.get(uartRS485Conf)
	return rs&uartRS485En == 0 || rs&uartRS485TxRx != 0 || !r.tx.s.Sending
}

// sample takes the samples up to now, at the level that the line has had since
// its last change.
func (r *uartRx) sample(now chip.Time) {
	for r.s.Sampled < r.s.Total && r.s.Start.Add(r.s.Bit.halves(2*r.s.Sampled+1)) <= now {
		r.s.Bits |= b2n(r.s.High) << r.s.Sampled
		r.s.Sampled++
	}
}

// stopBit ends a frame in the middle of its stop bit.
func (r *uartRx) stopBit() {
	r.sample(r.soc.m.Now())
	r.s.Active = false
	data, parity, _ := r.frame()
	bits := r.s.Bits >> 1
	b := byte(bits & (1<<data - 1))
	bits >>= data
	bad := false
	if parity {
		if bits&1 != 0 != r.parityOf(b) {
			r.intr.Raw |= uartIntParityErr
			bad = true
		}
		bits >>= 1
	}
	if bits&1 == 0 { // the stop bit is low
		r.s.AwaitHi = !r.s.High
		if r.s.Bits == 0 {
			r.intr.Raw |= uartIntBreak
		} else {
			r.intr.Raw |= uartIntFrameErr
		}
		bad = true
	}
	if r.on(uartRS485Conf, uartRS485En) && r.tx.s.Sending && !r.tx.s.Break && b != r.tx.s.Byte {
		r.intr.Raw |= uartIntRS485Clash
	}
	if !bad || !r.on(uartConf0, uartConf0ErrWrMask) {
		r.push(b)
	}
	r.lines()
	r.tx.begin()
	r.update()
}

// listen schedules the host's next byte, if there is one and room for it.
func (r *uartRx) listen() {
	if len(r.waiting) > 0 && r.s.Count < r.fifoSize(3, 1) && !r.arrive.Armed() {
		data, parity, stop := r.frame()
		r.arrive.Set(r.soc.m.Now().Add(r.bit().halves(2*(1+data+b2n(parity)) + stop)))
	}
}

// fromHost takes one byte of the host's.
func (r *uartRx) fromHost() {
	if len(r.waiting) == 0 {
		return
	}
	b := r.waiting[0]
	r.waiting = r.waiting[1:]
	r.frameEnd(b)
	r.listen()
}

// frameEnd receives a byte that does not come by a pad.
func (r *uartRx) frameEnd(b byte) {
	if r.on(uartConf0, uartConf0Autobaud) {
		r.measure(b)
	}
	r.wakeEdges(5)
	if r.enabled() {
		r.push(b)
	}
	r.lines()
	r.update()
}

// push puts a byte into the FIFO.
func (r *uartRx) push(b byte) {
	now := r.soc.m.Now()
	defer func() { r.s.Silent = now }()
	if r.on(uartFlowConf, uartFlowSWEn) {
		switch {
		case uint32(b) == field(r.get(uartSWFCConf1), 16, 9):
			r.intr.Raw |= uartIntXON
			r.tx.s.Stopped = false
			r.tx.begin()
		case uint32(b) == field(r.get(uartSWFCConf0), 16, 9):
			r.intr.Raw |= uartIntXOFF
			r.tx.s.Stopped = true
		}
		if r.intr.Raw&(uartIntXON|uartIntXOFF) != 0 && r.on(uartFlowConf, uartFlowDelete) &&
			(uint32(b) == field(r.get(uartSWFCConf1), 16, 9) || uint32(b) == field(r.get(uartSWFCConf0), 16, 9)) {
			return
		}
	}
	r.atCommand(b, now)
	if r.on(uartConf1, uartConf1RxToutEn) {
		r.idle.Set(now.Add(r.bit().bits(max(1, field(r.get(uartMemConf), 25, 16)))))
	}
	if r.s.Count >= r.fifoSize(3, 1) {
		if !r.on(uartConf1, uartConf1DisOvf) {
			r.intr.Raw |= uartIntRxFIFOOvf
		}
		return
	}
	r.s.FIFO[(r.s.Head+r.s.Count)%uartMaxFIFO] = b
	r.s.Count++
	r.s.Written++
	r.flowControl()
	r.soc.uhci.received(r.uart)
}

// flowControl sends XOFF and XON by the fill of the FIFO.
func (r *uartRx) flowControl() {
	if !r.on(uartFlowConf, uartFlowSWEn) {
		return
	}
	switch {
	case !r.s.Held && r.s.Count > field(r.get(uartSWFCConf0), 8, 0):
		r.s.Held = true
		r.tx.s.Urgent, r.tx.s.IsUrgent = byte(field(r.get(uartSWFCConf0), 16, 9)), true
	case r.s.Held && r.s.Count < field(r.get(uartSWFCConf1), 8, 0):
		r.s.Held = false
		r.tx.s.Urgent, r.tx.s.IsUrgent = byte(field(r.get(uartSWFCConf1), 16, 9)), true
	default:
		return
	}
	r.tx.begin()
}

// atCommand counts AT_CMD_CHAR: CHAR_NUM of them after a silence of PRE_IDLE bits,
// with at most GAPTOUT bits between them, and a silence of POST_IDLE bits.
func (r *uartRx) atCommand(b byte, now chip.Time) {
	at := r.get(uartATCmdChar)
	char := r.bit().bits(10)
	silence := now.Sub(r.s.Silent) - char
	r.atPost.Stop()
	switch {
	case uint32(b) != at&0xff || at>>8&0xff == 0:
		r.s.AT = 0
		return
	case r.s.AT == 0 && r.s.Silent != 0 && silence < r.bit().bits(r.get(uartATPreCnt)&0xffff):
		return
	case r.s.AT > 0 && silence > r.bit().bits(r.get(uartATGap)&0xffff):
		r.s.AT = 0
		return
	}
	if r.s.AT++; r.s.AT == at>>8&0xff {
		r.s.AT = 0
		r.atPost.Set(now.Add(r.bit().bits(r.get(uartATPostCnt) & 0xffff)))
	}
}

func (r *uartRx) pop() byte {
	if r.s.Count == 0 {
		return 0
	}
	b := r.s.FIFO[r.s.Head]
	r.s.Head = (r.s.Head + 1) % uartMaxFIFO
	r.s.Count--
	if r.s.Count == 0 {
		r.idle.Stop()
	}
	r.flowControl()
	r.lines()
	r.update()
	r.listen()
	return b
}

// clear is RXFIFO_RST.
func (r *uartRx) clear() {
	r.s.Head, r.s.Count = 0, 0
	r.idle.Stop()
}

// abort drops the frame that is being received.
func (r *uartRx) abort() {
	r.s.Active = false
	r.stop.Stop()
}

func (r *uartRx) reset() {
	r.abort()
	r.clear()
	r.atPost.Stop()
	r.s.Written, r.s.AT, r.s.Held, r.s.Silent, r.s.Wake = 0, 0, false, 0, 0
	r.resetAutobaud()
	r.s.High, r.s.AwaitHi = r.line(), false
}

// countEdge measures pulses for autobaud, TRM 26.4.3, and counts edges that end
// light sleep, TRM 26.4.7.
func (r *uartRx) countEdge(high bool, now chip.Time) {
	if high {
		r.wakeEdges(1)
	}
	if !r.on(uartConf0, uartConf0Autobaud) {
		return
	}
	hz := uint64(r.sourceClock())
	least := func(reg uint32, since chip.Time) {
		if since != 0 {
			r.set(reg, min(r.get(reg), 0xfff, uint32(scale(uint64(now.Sub(since)), hz, chip.TicksPerSecond))))
		}
	}
	r.s.Edges++
	r.set(uartRxdCnt, min(0x3ff, r.s.Edges))
	if high {
		least(uartLowPulse, r.s.Last[0])
		least(uartPosPulse, r.s.Last[1])
		r.s.Last[1] = now
	} else {
		least(uartHighPulse, r.s.Last[1])
		least(uartNegPulse, r.s.Last[0])
		r.s.Last[0] = now
	}
}

func (r *uartRx) wakeEdges(n uint32) {
	if r.soc.rtc.s.Sleep != lightSleep {
		r.s.Wake = 0
		return
	}
	if r.s.Wake += n; r.s.Wake >= r.get(uartSleepConf)&0x3ff+uartWakeEdgeOffset {
		r.intr.Raw |= uartIntWakeup
		r.soc.rtc.wake(wakeUART0 << r.n)
	}
}

// Wake-up sources, bits of WAKEUP_ENA: UART0, and UART1 after it.
const wakeUART0 = 1 << 6

// measure does for a byte of the host's what countEdge does for one that comes
// by a pad: pulse widths in periods of the UART's source clock.
func (r *uartRx) measure(b byte) {
	frame := uint32(b)<<1 | 1<<9 // start bit, eight bits, stop bit
	level := uint32(1)
	for i := range 10 {
		if bit := frame >> i & 1; bit != level {
			r.s.Edges++
			level = bit
		}
	}
	width := min(0xfff, r.sourceClock()/uartHostBaud-1)
	r.set(uartRxdCnt, min(0x3ff, r.s.Edges))
	r.set(uartLowPulse, width)
	r.set(uartHighPulse, width)
	r.set(uartPosPulse, min(0xfff, 2*width))
	r.set(uartNegPulse, min(0xfff, 2*width))
}

func (r *uartRx) resetAutobaud() {
	r.s.Edges, r.s.Last = 0, [2]chip.Time{}
	for _, reg := range []uint32{uartLowPulse, uartHighPulse, uartPosPulse, uartNegPulse} {
		r.set(reg, 0xfff)
	}
	r.set(uartRxdCnt, 0)
}
