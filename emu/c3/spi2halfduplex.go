package c3

// SPI2 as a slave in half duplex, TRM 27.5.9 and ESP-IDF's protocol of the SPI slave
// (esp_spi_slave_protocol): the master sends a command, for most of them an address and
// a pause, and then data in one direction, on one, two or four lines. The slave
// needs no start by software. Commands access W0 to W15 at an address, or DMA.
//
// With DMA_SLV_SEG_TRANS_EN what several transfers write is one packet of DMA, which
// command 5 (end of segments) or 7 ends.
const (
	hdCommand uint8 = iota
	hdAddress
	hdDummy
	hdData
	hdOver // nothing else is expected, or the command is unknown
)

// Commands: bits 0 to 3. Bits 4 to 7 choose the lines.
const (
	hdWriteBuffer = 0x1
	hdReadBuffer  = 0x2
	hdWriteDMA    = 0x3
	hdReadDMA     = 0x4
	hdSegmentsEnd = 0x5
	hdEnterQPI    = 0x6
	hdCommand7    = 0x7 // and 8, 9, 0xa: an interrupt each
	hdCommandA    = 0xa
	hdExitQPI     = 0xdd

	sp2SlaveExitQPI = 1 << 2 // interrupts
	sp2SlaveQPI     = 1 << 3
	sp2SlaveCmd7    = 1 << 4 // to bit 7: command 0xa
	sp2ReadDMA      = 1 << 8
	sp2WriteDMA     = 1 << 9
	sp2ReadBuffer   = 1 << 10
	sp2WriteBuffer  = 1 << 11
	sp2BadAddress   = 1 << 15
	sp2BadCommand   = 1 << 16

	sp2Segments = 1 << 18 // DMA_CONF: DMA_SLV_SEG_TRANS_EN

	hdDummySingle = 8 // clock cycles of the pause
	hdDummyMulti  = 4
)

// spiHalfDuplex is the state of a slave in half duplex.
type spiHalfDuplex struct {
	Phase   uint8
	Command byte
	Address byte
	AddrLns uint8 // lines of address and data
	DataLns uint8
	Out     bool   // data goes to the master
	QPI     bool   // commands are on four lines
	Loaded  bool   // a byte of DMA is in Slave.Out and has not been sent
	Cycles  uint32 // sampled in this phase
	Levels  uint8  // of the outputs
}

// halfDuplex reports whether SPI2 is a slave that executes commands.
func (p *spi2) halfDuplex() bool { return p.slave() && !p.has(sp2User, sp2UserDuplex) }

// halfSelected begins a transfer.
func (p *spi2) halfSelected() {
	t, h := &p.s.Slave, &p.s.Half
	h.Phase, h.Cycles, h.Command, h.Address, h.Out = hdCommand, 0, 0, 0, false
	t.Bits, t.In = 0, 0
	p.slaveLines()
}

// halfLines returns the lines of the current phase.
func (h *spiHalfDuplex) lines() uint8 {
	switch {
	case h.QPI:
		return 4
	case h.Phase == hdAddress:
		return h.AddrLns
	case h.Phase == hdData:
		return h.DataLns
	}
	return 1
}

// halfDrives reports whether the slave drives a data line.
func (p *spi2) halfDrives(lane int) bool {
	h := &p.s.Half
	if !p.s.Slave.Selected || h.Phase != hdData || !h.Out {
		return false
	}
	if n := h.lines(); n > 1 {
		return lane < int(n)
	}
	return lane == 1 // FSPIQ
}

// halfInput returns the levels of n lines.
func (p *spi2) halfInput(n uint8) (v uint8) {
	for i := range n {
		if p.soc.gpio.input(spiLaneIn[i]) {
			v |= 1 << i
		}
	}
	return v
}

// halfSample is the clock edge at which inputs are sampled.
func (p *spi2) halfSample() {
	t, h := &p.s.Slave, &p.s.Half
	n := h.lines()
	v := p.halfInput(n)
	h.Cycles++
	switch h.Phase {
	case hdCommand:
		h.Command = h.Command<<n | hdGroup(v, n)
		if h.Cycles*uint32(n) == 8 {
			p.halfCommand()
		}
	case hdAddress:
		h.Address = h.Address<<n | hdGroup(v, n)
		if h.Cycles*uint32(n) == 8 {
			p.halfNext(hdDummy)
		}
	case hdDummy:
		if h.Cycles == hdDummyMulti && (h.DataLns > 1 || h.QPI) || h.Cycles == hdDummySingle {
			p.halfNext(hdData)
		}
	case hdData:
		if !h.Out {
			in := [1]byte{t.In}
			spiSetGroup(in[:], t.Bits%8/uint32(n), n, p.has(sp2Ctrl, sp2CtrlRdLSB), v)
			t.In = in[0]
		} else {
			p.halfTaken()
		}
		if t.Bits += uint32(n); t.Bits%8 == 0 && !h.Out {
			p.halfByte()
		}
	}
}

// halfTaken is called when the master has taken bits of the output.
func (p *spi2) halfTaken() {
	t, h := &p.s.Slave, &p.s.Half
	h.Loaded = false
	if t.Empty {
		t.Empty = false
		p.intr.raise(sp2OutFIFOEmpty)
	}
	if h.Command&0xf == hdReadBuffer && uint32(h.Address)+t.Bits/8 >= sp2Bytes {
		p.intr.raise(sp2BadAddress)
	}
}

// hdGroup orders the levels of n lines as bits of a command or an address, whose
// highest bit is on the highest line.
func hdGroup(v, n uint8) byte { return v & (1<<n - 1) }

func (p *spi2) halfNext(phase uint8) {
	p.s.Half.Phase, p.s.Half.Cycles = phase, 0
	if phase == hdData {
		p.slaveLines()
	}
}

// halfCommand decodes a command.
func (p *spi2) halfCommand() {
	h := &p.s.Half
	next := hdOver
	switch op := h.Command & 0xf; {
	case h.Command == hdExitQPI:
	case op >= hdWriteBuffer && op <= hdReadDMA:
		next = hdAddress
		h.Out = op == hdReadBuffer || op == hdReadDMA
		switch h.Command >> 4 {
		case 0x0:
			h.AddrLns, h.DataLns = 1, 1
		case 0x1:
			h.AddrLns, h.DataLns = 1, 2
		case 0x5:
			h.AddrLns, h.DataLns = 2, 2
		case 0x2:
			h.AddrLns, h.DataLns = 1, 4
		case 0xa:
			h.AddrLns, h.DataLns = 4, 4
		default:
			p.intr.raise(sp2BadCommand)
			next = hdOver
		}
	case op < hdSegmentsEnd || op > hdCommandA:
		p.intr.raise(sp2BadCommand)
	}
	p.halfNext(next)
}

// halfShift is the clock edge at which outputs change.
func (p *spi2) halfShift() {
	t, h := &p.s.Slave, &p.s.Half
	if h.Phase != hdData || !h.Out {
		return
	}
	n := h.lines()
	if t.Bits%8 == 0 && !h.Loaded {
		t.Out = p.halfFetch(t.Bits / 8)
	}
	v := spiGroup([]byte{t.Out}, t.Bits%8/uint32(n), n, p.has(sp2Ctrl, sp2CtrlWrLSB))
	if h.Levels = v; n == 1 {
		h.Levels = v << 1 // FSPIQ
	}
	for i, s := range spiLaneIn {
		p.soc.gpio.drive(s, h.Levels>>i&1 != 0)
	}
}

// halfFetch returns byte i of the data for the master.
func (p *spi2) halfFetch(i uint32) byte {
	t, h := &p.s.Slave, &p.s.Half
	var buf [1]byte
	if h.Command&0xf == hdReadBuffer {
		if at := uint32(h.Address) + i; at < sp2Bytes {
			return p.bytes(sp2W0, sp2Bytes)[at]
		}
		return 0
	}
	h.Loaded = true
	if out := p.soc.gdma.transmitter(dmaSPI2); !p.has(sp2DMAConf, sp2DMATx) || out == nil || out.pullAll(buf[:]) == 0 {
		h.Loaded, t.Empty = false, true
	}
	return buf[0]
}

// halfByte stores a byte that the master has written.
func (p *spi2) halfByte() {
	t, h := &p.s.Slave, &p.s.Half
	b, i := t.In, (t.Bits-1)/8
	t.In = 0
	if h.Command&0xf == hdWriteBuffer {
		at := uint32(h.Address) + i
		if at >= sp2Bytes {
			p.intr.raise(sp2BadAddress)
			return
		}
		reg, shift := sp2W0+at&^3, at&3*8
		p.set(reg, p.get(reg)&^(0xff<<shift)|uint32(b)<<shift)
		return
	}
	p.slavePush(false)
	t.Kept, t.Last = true, b
}

// halfDone ends a transfer: the master has released the chip select.
func (p *spi2) halfDone() {
	t, h := &p.s.Slave, &p.s.Half
	t.Empty = false
	if h.Phase == hdCommand {
		return
	}
	if !h.Out && t.Bits%8 != 0 {
		p.halfByte()
	}
	slave1 := p.get(sp2Slave1)&0x3ffff | uint32(h.Command)<<18 | uint32(h.Address&0x3f)<<26
	op := h.Command & 0xf
	if op >= hdWriteBuffer && op <= hdReadDMA && h.Command != hdExitQPI && h.Phase != hdOver {
		// SLAVE: RDDMA, WRDMA, RDBUF and WRBUF_BITLEN_EN, from bit 8 on
		bit := [...]uint32{hdReadDMA: 8, hdWriteDMA: 9, hdReadBuffer: 10, hdWriteBuffer: 11}[op]
		if p.get(sp2Slave)>>bit&1 != 0 {
			slave1 = slave1&^0x3ffff | t.Bits&0x3ffff
		}
		p.intr.raise(1 << bit) // the interrupts have the same numbers
		if op == hdWriteDMA && !p.has(sp2DMAConf, sp2Segments) {
			p.slavePush(true)
		}
		if op >= hdWriteDMA && !p.has(sp2DMAConf, sp2Segments) {
			p.intr.raise(sp2TransDone)
		}
	}
	p.set(sp2Slave1, slave1)
	switch {
	case h.Command == hdExitQPI:
		h.QPI = false
		p.intr.raise(sp2SlaveExitQPI)
	case op == hdEnterQPI:
		h.QPI = true
		p.intr.raise(sp2SlaveQPI)
	case op == hdSegmentsEnd:
		p.slavePush(true)
		p.intr.raise(sp2SegDone)
	case op >= hdCommand7 && op <= hdCommandA:
		if op == hdCommand7 {
			p.slavePush(true)
		}
		p.intr.raise(sp2SlaveCmd7 << (op - hdCommand7))
	}
	h.Phase = hdOver
}
