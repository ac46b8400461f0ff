package c3

// SPI2 as a slave, TRM 27.5.9: what both kinds have in common, and full duplex, with
// one line in each direction. Half duplex is in spi2halfduplex.go.

// SLAVE has CLK_MODE_13 (modes 1 and 3: the first edge of the clock
// changes the output), and RSCK_DATA_OUT (the output changes at the edge at which
// the input is sampled).
const (
	spiSlaveCPHA    = 1 << 2
	spiSlaveDataOut = 1 << 3
	spiSlaveCSPol   = 1 << 23 // MISC: SLAVE_CS_POL
)

// spiSlaveState is a transfer that a master makes with SPI2.
type spiSlaveState struct {
	Selected bool
	Bits     uint32 // received
	OutBits  uint32 // transmitted
	In, Out  byte   // the current bytes
	Level    bool   // of FSPIQ
	Lost     uint32 // received bytes for which there was no descriptor
	Kept     bool   // Last was received and is not stored yet
	Last     byte
	Empty    bool // the current byte is not one of the DMA's
}

// slaveStart makes SPI2 ready for a master.
func (p *spi2) slaveStart() {
	if p.halfDuplex() {
		p.s.Busy = false // it is always ready
		return
	}
	selected := p.s.Slave.Selected
	p.slaveReset()
	p.s.Slave.Selected = selected
	if selected {
		p.slaveSelected()
	}
}

func (p *spi2) slaveReset() {
	p.s.Slave, p.s.Half = spiSlaveState{}, spiHalfDuplex{Phase: hdOver}
	if p.slave() {
		p.s.Slave.Selected = p.chosen(p.soc.gpio.input(sigFSPICS0))
	}
}

// chosen reports whether a level of the chip select is the active one.
func (p *spi2) chosen(high bool) bool { return high == p.has(sp2Misc, spiSlaveCSPol) }

// slaveLines sets the lines: only a selected slave drives its output.
func (p *spi2) slaveLines() {
	p.s.Slave.Selected = p.chosen(p.soc.gpio.input(sigFSPICS0))
	g := p.soc.gpio
	for i, n := range spiLaneIn {
		if p.halfDuplex() {
			g.enableOutput(n, p.halfDrives(i))
		} else {
			g.enableOutput(n, i == 1 && p.s.Slave.Selected && p.s.Busy)
		}
	}
	g.drive(sigFSPIQ, p.lane(1))
}

// slaveSelect is called when the chip select changes.
func (p *spi2) slaveSelect(high bool) {
	t := &p.s.Slave
	chosen := p.chosen(high)
	if !p.slave() || chosen == t.Selected {
		return
	}
	t.Selected = chosen
	if p.halfDuplex() {
		if chosen {
			p.halfSelected()
			return
		}
		p.halfDone()
		p.slaveLines()
		return
	}
	if !p.s.Busy {
		return
	}
	if chosen {
		p.slaveSelected()
		return
	}
	if t.Bits > 0 {
		p.slaveDone()
	}
	p.slaveLines()
}

// slaveSelected begins a transfer. In modes 0 and 2 the first bit is there
// before the first edge of the clock.
func (p *spi2) slaveSelected() {
	t := &p.s.Slave
	t.Bits, t.OutBits, t.Lost, t.In, t.Kept, t.Empty = 0, 0, 0, 0, false, false
	if !p.has(sp2Slave, spiSlaveCPHA) {
		p.slaveShift()
	}
	p.slaveLines()
}

// slaveClock is called when the master's clock changes.
func (p *spi2) slaveClock(high bool) {
	half := p.halfDuplex()
	if !p.slave() || !p.s.Slave.Selected || !half && !p.s.Busy {
		return
	}
	sample := high != p.has(sp2User, sp2UserRSck)
	shift := high == p.has(sp2User, sp2UserTSck)
	if p.has(sp2Slave, spiSlaveDataOut) {
		shift = sample
	}
	if half {
		if sample {
			p.halfSample()
		}
		if shift {
			p.halfShift()
		}
		return
	}
	if sample {
		p.slaveSample()
	}
	if shift {
		p.slaveShift()
		p.soc.gpio.drive(sigFSPIQ, p.s.Slave.Level)
	}
}

// slaveShift puts the next bit on the output.
func (p *spi2) slaveShift() {
	t := &p.s.Slave
	if t.OutBits%8 == 0 {
		var buf [1]byte
		if !p.has(sp2DMAConf, sp2DMATx) {
			p.copyOut(buf[:], t.OutBits/8)
		} else if out := p.soc.gdma.transmitter(dmaSPI2); out == nil || out.pullAll(buf[:]) == 0 {
			t.Empty = true
		}
		t.Out = buf[0]
	}
	t.Level = spiGroup([]byte{t.Out}, t.OutBits%8, 1, p.has(sp2Ctrl, sp2CtrlWrLSB)) != 0
	t.OutBits++
}

// slaveSample takes a bit from the input.
func (p *spi2) slaveSample() {
	t := &p.s.Slave
	if t.Empty { // the master takes a bit that there was not
		t.Empty = false
		p.intr.raise(sp2OutFIFOEmpty)
	}
	in := [1]byte{t.In}
	bit := uint8(0)
	if p.soc.gpio.input(sigFSPID) {
		bit = 1
	}
	spiSetGroup(in[:], t.Bits%8, 1, p.has(sp2Ctrl, sp2CtrlRdLSB), bit)
	t.In = in[0]
	if t.Bits++; t.Bits%8 == 0 {
		p.slaveByte()
	}
}

// slaveByte stores the byte that was received last. For DMA it is kept until
// another one follows or the transfer ends: the last byte carries the EOF.
func (p *spi2) slaveByte() {
	t := &p.s.Slave
	b := t.In
	t.In = 0
	if !p.has(sp2DMAConf, sp2DMARx) {
		p.copyIn([]byte{b}, (t.Bits-1)/8)
		return
	}
	p.slavePush(false)
	t.Kept, t.Last = true, b
	if p.has(sp2DMAConf, sp2DMAEOF) && t.Bits == field(p.get(sp2Dlen), 17, 0)+1 {
		p.slavePush(true)
	}
}

// slavePush gives the byte that was kept to the DMA.
func (p *spi2) slavePush(eof bool) {
	t := &p.s.Slave
	if !t.Kept {
		return
	}
	t.Kept = false
	if in := p.soc.gdma.receiver(dmaSPI2); in != nil {
		in.push([]byte{t.Last}, eof)
	} else if t.Lost++; t.Lost > spiMaxOver {
		p.intr.raise(sp2InFIFOFull)
	}
}

// slaveDone ends a transfer: the master has released the chip select.
func (p *spi2) slaveDone() {
	t := &p.s.Slave
	if t.Bits%8 != 0 {
		p.slaveByte()
	}
	p.slavePush(!p.has(sp2DMAConf, sp2DMAEOF))
	p.set(sp2Slave1, p.get(sp2Slave1)&^0x3ffff|(t.Bits-1)&0x3ffff)
	p.s.Busy = false
	p.intr.raise(sp2TransDone)
}
