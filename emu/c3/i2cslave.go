package c3

// I2C0 as a slave, TRM 28.4.11. It reacts to the edges of SCL and to START and
// STOP of any master.

// Causes of SR.STRETCH_CAUSE.
const (
	icStretchRead  = 0 // addressed to transmit
	icStretchEmpty = 1 // nothing to transmit
	icStretchFull  = 2 // no room for what was received
	icStretchAck   = 3 // the acknowledge bit is given by software
)

// Phases of a transaction.
const (
	icSlaveIdle = iota
	icSlaveAddress
	icSlaveAddress2 // the second byte of an address of 10 bits
	icSlaveReceive
	icSlaveTransmit
	icSlaveIgnore // until the next START
)

// i2cSlaveState is a transaction of another master.
type i2cSlaveState struct {
	Phase      uint8
	Bit        uint8 // bits of the byte that are over; 8 is the acknowledge bit
	Byte       byte
	Ack        bool // the byte is to be acknowledged, or was
	Addressed  bool
	Reading    bool // SR.SLAVE_RW: the master reads
	Match10    bool // the address of 10 bits was complete in this transaction
	First      bool // the next byte is the first of the data
	Stretching bool
	Cause      uint8
	Pointer    uint8 // SLAVE_RW_POINT: where the next byte goes in the RAM
	SDA        bool  // level after the hold time
}

func (p *i2c) slaveIdle() {
	p.s.Slave = i2cSlaveState{SDA: true, Pointer: p.s.Slave.Pointer}
}

// slaveCondition is START (true) or STOP.
func (p *i2c) slaveCondition(start bool) {
	t := &p.s.Slave
	p.hold.Stop()
	p.setSDA(true)
	if start {
		match := t.Match10
		p.slaveIdle()
		t.Phase, t.Match10 = icSlaveAddress, match
		p.intr.raise(icIntDetStart)
		return
	}
	addressed := t.Addressed
	p.slaveIdle()
	if addressed {
		p.intr.raise(icIntComplete)
	}
}

// slaveSCL is called when SCL changes: bits are read when it rises and put on SDA
// after it has fallen.
func (p *i2c) slaveSCL(high bool) {
	t := &p.s.Slave
	if t.Phase == icSlaveIdle || t.Phase == icSlaveIgnore {
		return
	}
	if high {
		p.slaveRise()
		return
	}
	t.SDA = true
	switch {
	case t.Bit == 8 && t.Phase != icSlaveTransmit:
		p.slaveReceived()
		t.SDA = !t.Ack
	case t.Bit == 9:
		t.Bit = 0
		p.slaveNext()
		fallthrough
	default:
		if t.Phase == icSlaveTransmit && t.Bit < 8 {
			t.SDA = t.Byte>>7 != 0
		}
	}
	p.hold.Set(p.soc.m.Now().Add(p.cycles(p.get(icSDAHold)&0x1ff + 1)))
}

// slaveDrive puts the next level on SDA.
func (p *i2c) slaveDrive() { p.setSDA(p.s.Slave.SDA) }

// slaveRise takes a bit.
func (p *i2c) slaveRise() {
	t := &p.s.Slave
	if t.Bit < 8 {
		if t.Phase == icSlaveTransmit {
			t.Byte <<= 1
		} else if t.Byte <<= 1; p.sda() {
			t.Byte |= 1
		}
	} else if t.Phase == icSlaveTransmit {
		t.Ack = !p.sda()
		p.s.RespRec = t.Ack
		p.intr.raise(icIntByte)
	}
	t.Bit = min(t.Bit+1, 9)
}

// slaveReceived decides on the acknowledge bit of the byte that has arrived.
func (p *i2c) slaveReceived() {
	t := &p.s.Slave
	t.Ack = false
	addr := p.get(icSlaveAddr)
	switch t.Phase {
	case icSlaveAddress:
		read := t.Byte&1 != 0
		switch {
		case t.Byte == 0 && p.has(icCtr, icCtrBroadcast):
			t.Ack = true
			p.intr.raise(icIntGeneral)
		case addr&icAddr10 == 0:
			t.Ack = uint32(t.Byte>>1) == addr&0x7f
		case t.Byte>>1 == 0x78|byte(addr>>8&3):
			t.Ack = !read || t.Match10
		}
		t.Reading = read
		if addr&icAddr10 != 0 && t.Ack && !read && t.Byte != 0 {
			return
		}
		t.Addressed = t.Ack
	case icSlaveAddress2:
		t.Ack = t.Byte == byte(addr)
		t.Addressed, t.Match10 = t.Ack, t.Ack
	case icSlaveReceive:
		p.slaveStore()
	}
}

// slaveStore stores a byte of data.
func (p *i2c) slaveStore() {
	t := &p.s.Slave
	t.Ack = true
	if t.First && p.has(icFIFOConf, icConfAddrCfg) {
		t.First, t.Pointer = false, t.Byte
		p.s.Rx.Write, p.s.Tx.Read = t.Byte%icFIFO, t.Byte%icFIFO
		return
	}
	t.First = false
	if p.s.Rx.Count == icFIFO && !p.has(icFIFOConf, icConfNonFIFO) {
		if p.stretch(icStretchFull) {
			return // stored when there is room
		}
		t.Ack = !p.has(icCtr, icCtrFullNAck)
	}
	p.put(t.Byte)
	t.Pointer++
	p.intr.raise(icIntByte)
	if p.has(icStretch, icByteAck) {
		t.Ack = !p.has(icStretch, icByteAckLevel)
		p.stretch(icStretchAck)
	}
}

// slaveNext begins the next byte, after an acknowledge bit.
func (p *i2c) slaveNext() {
	t := &p.s.Slave
	addr10 := p.get(icSlaveAddr)&icAddr10 != 0
	switch {
	case !t.Ack:
		t.Phase = icSlaveIgnore
	case t.Phase == icSlaveAddress && addr10 && !t.Reading && !t.Addressed:
		t.Phase = icSlaveAddress2
	case t.Phase == icSlaveAddress && t.Reading:
		t.Phase = icSlaveTransmit
		if p.stretch(icStretchRead) {
			return
		}
		p.slaveLoad()
	case t.Phase == icSlaveAddress || t.Phase == icSlaveAddress2:
		t.Phase, t.First = icSlaveReceive, true
	case t.Phase == icSlaveTransmit:
		if p.s.Tx.Count == 0 && !p.has(icFIFOConf, icConfNonFIFO) && p.stretch(icStretchEmpty) {
			return
		}
		p.slaveLoad()
	}
	if t.Phase != icSlaveTransmit {
		t.Byte = 0
	}
}

func (p *i2c) slaveLoad() {
	p.s.Slave.Byte = p.take()
	p.s.Slave.Pointer++
}

// stretch holds SCL low, if that is enabled, and reports whether it does.
func (p *i2c) stretch(cause uint8) bool {
	if !p.has(icStretch, icStretchEnable) {
		return false
	}
	p.s.Slave.Stretching, p.s.Slave.Cause = true, cause
	p.setSCL(false)
	p.intr.raise(icIntStretch)
	return true
}

// slaveUnstretch ends a stretch whose cause is gone.
func (p *i2c) slaveUnstretch() {
	t := &p.s.Slave
	if t.Stretching && (t.Cause == icStretchEmpty && p.s.Tx.Count > 0 || t.Cause == icStretchFull && p.s.Rx.Count < icFIFO) {
		p.slaveRelease()
	}
}

// slaveRelease ends a stretch: what it has waited for is done.
func (p *i2c) slaveRelease() {
	t := &p.s.Slave
	if !t.Stretching {
		return
	}
	t.Stretching = false
	switch t.Cause {
	case icStretchRead, icStretchEmpty:
		p.slaveLoad()
		p.setSDA(t.Byte>>7 != 0)
	case icStretchFull:
		p.put(t.Byte)
		t.Pointer++
		p.intr.raise(icIntByte)
	case icStretchAck:
		p.setSDA(p.has(icStretch, icByteAckLevel))
	}
	p.setSCL(true)
}
