package c3

// Operations of COMDn, TRM 28.4.4.
const (
	icOpWrite  = 1
	icOpStop   = 2
	icOpRead   = 3
	icOpEnd    = 4
	icOpRStart = 6

	icCmdAck      = 1 << 10 // ACK_VAL: what the master answers
	icCmdAckExp   = 1 << 9
	icCmdAckCheck = 1 << 8
)

// Steps of the master. Each ends with a delay or with a wait for SCL to be high.
const (
	icIdle       = iota
	icCommand    // fetch the next command; SCL is low, or the bus is idle
	icBit        // SDA gets its level, SCL is low
	icRelease    // SCL is released
	icWaitHigh   // until SCL is high
	icSample     // SDA is read
	icFall       // SCL falls, a bit is done
	icStartFall  // START: SDA falls
	icStartDone  // START: SCL falls
	icStopRise   // STOP: SDA rises
	icStopDone   // STOP is over
	icPulseLow   // recovery: SCL falls
	icPulseHigh  // recovery: SCL is released
	icPaused     // END: the next TRANS_START goes on
	icStartReady // START: both lines are to be released first
)

// i2cMasterState is the state of the master.
type i2cMasterState struct {
	Run    bool
	Step   uint8
	Cmd    uint8  // number of the current command
	Op     uint32 // its content
	Left   uint32 // bytes to come in it, with the current one
	Bit    uint8  // of the byte, 8 is the acknowledge bit
	Byte   byte   // shift register
	Read   bool   // the slave transmits
	Mid    bool   // after START: SCL is held low
	Abort  bool   // STOP after an error
	Pulses uint8  // recovery
	After  uint8  // step after SCL is high
}

// mainState is SR.SCL_MAIN_STATE_LAST: idle, address shift, acknowledge address,
// receive, transmit, send and wait for acknowledge.
func (m *i2cMasterState) mainState() uint8 {
	switch {
	case !m.Run:
		return 0
	case m.Op>>11&7 == icOpRead && m.Bit == 8:
		return 5
	case m.Op>>11&7 == icOpRead:
		return 3
	case m.Bit == 8:
		return 6
	}
	return 4
}

// sclState is SR.SCL_STATE_LAST: idle, start, negative edge, low, positive edge,
// high, stop.
func (m *i2cMasterState) sclState() uint8 {
	switch m.Step {
	case icStartReady, icStartFall, icStartDone:
		return 1
	case icBit, icRelease, icCommand, icPaused:
		return 3
	case icWaitHigh:
		return 4
	case icSample, icFall:
		return 5
	case icStopRise, icStopDone:
		return 6
	}
	return 0
}

// start is CTR.TRANS_START: the commands are executed from COMD0 on.
func (p *i2c) start() {
	m := &p.s.Master
	if !p.has(icClkConf, icClkActive) || m.Run && m.Step != icPaused {
		return
	}
	p.intr.raise(icIntStart)
	p.s.ArbLost = false
	m.Run, m.Cmd, m.Abort = true, 0, false
	p.watch()
	p.wait(icCommand, 1)
}

// watch restarts the timeouts of SCL.
func (p *i2c) watch() {
	at := ^uint32(0)
	if to := p.get(icTO); to&icTOEnable != 0 {
		at = min(at, field(to, 4, 0))
	}
	at = min(at, field(p.get(icStTO), 4, 0))
	p.limit.Set(p.soc.m.Now().Add(p.cycles(1) + p.cycles(1<<min(at, 31))))
}

// watchMain restarts the timeout of the main state: it changes with each byte
// and each acknowledge bit.
func (p *i2c) watchMain() {
	p.main.Set(p.soc.m.Now().Add(p.cycles(1 << min(field(p.get(icMainTO), 4, 0), 31))))
}

// timedOut is called when SCL has not changed for the shorter of both timeouts.
func (p *i2c) timedOut() {
	bits, st := uint32(0), field(p.get(icStTO), 4, 0)
	if to := p.get(icTO); to&icTOEnable != 0 && field(to, 4, 0) <= st {
		bits |= icIntTimeOut
	}
	if bits == 0 || field(p.get(icTO), 4, 0) == st {
		bits |= icIntStTO
	}
	p.fault(bits)
}

// fault ends a transaction with an error: the lines are released.
func (p *i2c) fault(bits uint32) {
	p.halt()
	p.s.Master.Mid = false
	p.s.SCL, p.s.SDA = true, true
	p.drive()
	p.intr.raise(bits)
}

// halt stops the master where it is.
func (p *i2c) halt() {
	p.s.Master.Run, p.s.Master.Step = false, icIdle
	p.next.Stop()
	p.limit.Stop()
	p.main.Stop()
}

// wait does a step after n cycles.
func (p *i2c) wait(step uint8, n uint32) {
	p.s.Master.Step = step
	p.next.Set(p.soc.m.Now().Add(p.cycles(n)))
}

// waitHigh does a step as soon as SCL is high: a slave may stretch the clock.
func (p *i2c) waitHigh(after uint8) {
	m := &p.s.Master
	m.Step, m.After = icWaitHigh, after
	if p.scl() {
		p.wentHigh()
	}
}

// masterSCL is called when SCL changes while the master runs.
func (p *i2c) masterSCL(high bool) {
	if high && p.s.Master.Step == icWaitHigh {
		p.wentHigh()
	}
}

func (p *i2c) wentHigh() {
	m := &p.s.Master
	n := p.get(icSDASample)&0x1ff + 1
	switch m.After {
	case icStartFall:
		n = p.get(icRStartSetup)&0x1ff + 1
	case icStopRise:
		n = p.get(icStopSetup)&0x1ff + 1
	case icPulseLow:
		n = p.high()
	}
	p.wait(m.After, n)
}

// high returns how long SCL is high.
func (p *i2c) high() uint32 {
	v := p.get(icHighPeriod)
	return field(v, 8, 0) + field(v, 15, 9) + 1
}

func (p *i2c) low() uint32 { return p.get(icLowPeriod)&0x1ff + 1 }

// step does the next step of the master.
func (p *i2c) step() {
	m := &p.s.Master
	hold := min(p.get(icSDAHold)&0x1ff+1, p.low()-1)
	switch m.Step {
	case icCommand:
		p.command()
	case icStartReady: // SCL is low: SDA rises, then SCL
		p.setSDA(true)
		p.wait(icRelease, p.low()-hold)
		m.After = icStartFall
	case icBit:
		p.setSDA(m.level())
		p.wait(icRelease, p.low()-hold)
		m.After = icSample
	case icRelease:
		after := m.After
		p.setSCL(true)
		p.waitHigh(after)
	case icSample:
		if !p.sample() {
			return
		}
		n := uint32(1)
		if h, s := p.high(), p.get(icSDASample)&0x1ff+1; h > s {
			n = h - s
		}
		p.wait(icFall, n)
	case icFall:
		p.setSCL(false)
		p.bitDone(hold)
	case icStartFall:
		p.setSDA(false)
		p.wait(icStartDone, p.get(icStartHold)&0x1ff+1)
	case icStartDone:
		m.Mid = true
		p.setSCL(false)
		p.done(hold)
	case icStopRise:
		p.setSDA(true)
		p.wait(icStopDone, p.get(icStopHold)&0x1ff+1)
	case icStopDone:
		m.Mid = false
		p.stopped()
	case icPulseLow:
		p.pulse()
	case icPulseHigh:
		p.setSCL(true)
		p.waitHigh(icPulseLow)
	}
}

// level returns what the master puts on SDA for the current bit.
func (m *i2cMasterState) level() bool {
	switch op := m.Op >> 11 & 7; {
	case op == icOpStop:
		return false
	case op == icOpWrite && m.Bit < 8:
		return m.Byte>>7 != 0
	case op == icOpRead && m.Bit == 8:
		return m.Op&icCmdAck != 0
	}
	return true
}

// command begins the next command.
func (p *i2c) command() {
	m := &p.s.Master
	if m.Cmd >= icCmds {
		p.halt()
		return
	}
	m.Op = p.get(icCmd0+4*uint32(m.Cmd)) & 0x3fff
	m.Bit = 0
	hold := min(p.get(icSDAHold)&0x1ff+1, p.low()-1)
	p.watchMain()
	switch m.Op >> 11 & 7 {
	case icOpRStart:
		if m.Mid {
			p.wait(icStartReady, hold)
			return
		}
		p.setSDA(true)
		p.setSCL(true)
		p.waitHigh(icStartFall)
	case icOpStop:
		p.wait(icBit, hold)
	case icOpWrite, icOpRead:
		if m.Left = m.Op & 0xff; m.Left == 0 {
			p.done(hold)
			return
		}
		p.byte()
		p.wait(icBit, hold)
	case icOpEnd:
		p.set(icCmd0+4*uint32(m.Cmd), m.Op|icCmdDone)
		m.Step = icPaused
		p.limit.Stop()
		p.main.Stop()
		p.intr.raise(icIntEnd)
	default:
		p.halt() // no operation: the state machine does not go on
	}
}

// byte begins a byte.
func (p *i2c) byte() {
	m := &p.s.Master
	m.Bit, m.Byte = 0, 0
	if m.Op>>11&7 == icOpWrite {
		m.Byte = p.take()
	}
}

// sample reads SDA while SCL is high. It reports whether the master goes on.
func (p *i2c) sample() bool {
	m := &p.s.Master
	if m.Op>>11&7 == icOpStop {
		p.wait(icStopRise, 1)
		return false
	}
	sda := p.sda()
	switch op := m.Op >> 11 & 7; {
	case m.Bit < 8 && op == icOpRead:
		m.Byte = m.Byte << 1
		if sda {
			m.Byte |= 1
		}
	case m.Bit < 8:
		if !sda && m.Byte>>7 != 0 && p.has(icCtr, icCtrArbitrate) {
			p.s.ArbLost = true
			m.Mid = false
			p.fault(icIntArbLost)
			return false
		}
		m.Byte <<= 1
	case op == icOpWrite:
		p.s.RespRec = !sda
		if m.Op&icCmdAckCheck != 0 && sda != (m.Op&icCmdAckExp != 0) {
			m.Abort = true
		}
	}
	return true
}

// bitDone is called when SCL has fallen after a bit.
func (p *i2c) bitDone(hold uint32) {
	m := &p.s.Master
	if m.Bit++; m.Bit >= 8 {
		p.watchMain()
	}
	if m.Bit == 8 && m.Op>>11&7 == icOpRead {
		p.put(m.Byte)
	}
	if m.Bit <= 8 {
		p.wait(icBit, hold)
		return
	}
	p.intr.raise(icIntByte)
	if m.Abort { // not acknowledged: STOP
		p.intr.raise(icIntNACK)
		m.Op = icOpStop << 11
		p.wait(icBit, hold)
		return
	}
	if m.Left--; m.Left == 0 {
		p.done(hold)
		return
	}
	p.byte()
	p.wait(icBit, hold)
}

// done ends a command.
func (p *i2c) done(hold uint32) {
	m := &p.s.Master
	reg := icCmd0 + 4*uint32(m.Cmd)
	p.set(reg, p.get(reg)|icCmdDone)
	m.Cmd++
	p.command()
}

// stopped ends a transaction, after STOP.
func (p *i2c) stopped() {
	m := &p.s.Master
	abort := m.Abort
	if !abort {
		reg := icCmd0 + 4*uint32(m.Cmd)
		p.set(reg, p.get(reg)|icCmdDone)
	}
	p.halt()
	if !abort {
		p.intr.raise(icIntComplete)
	}
}

// recover is SCL_RST_SLV_EN: clock pulses and a STOP, by which a slave that holds
// SDA low releases it.
func (p *i2c) recover() {
	m := &p.s.Master
	if m.Run && m.Step != icPaused || !p.has(icClkConf, icClkActive) {
		return
	}
	*m = i2cMasterState{Run: true, Pulses: uint8(field(p.get(icSPConf), 5, 1))}
	p.setSDA(true)
	p.watch()
	p.wait(icPulseLow, 1)
}

// pulse begins the next clock pulse of a recovery.
func (p *i2c) pulse() {
	m := &p.s.Master
	p.setSCL(false)
	if m.Pulses > 0 {
		m.Pulses--
		p.wait(icPulseHigh, p.low())
		return
	}
	p.set(icSPConf, p.get(icSPConf)&^uint32(icSPResetSlave))
	m.Op, m.Abort, m.Mid = icOpStop<<11, true, true
	p.wait(icBit, min(p.get(icSDAHold)&0x1ff+1, p.low()-1))
}
