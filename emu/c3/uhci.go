package c3

import "espalier.dev/espalier/emu/chip"

// UHCI registers, TRM 26.7.
const (
	uhConf0    = 0x00
	uhIntRaw   = 0x04
	uhIntSt    = 0x08
	uhIntEna   = 0x0c
	uhIntClr   = 0x10
	uhPktThres = 0x7c

	uhTxReset  = 1 << 0
	uhRxReset  = 1 << 1
	uhUART0    = 1 << 2 // UART0_CE; UART1_CE follows
	uhPackets  = 1<<5 | 1<<6 | 1<<7 | 1<<10
	uhIdleEOF  = 1 << 8
	uhLenEOF   = 1 << 9
	uhIntStart = 1 << 0 // RX_START
	uhIntTx    = 1 << 1 // TX_START
	uhIntAll   = 1<<9 - 1
)

// uhci is UHCI0, TRM 26: it moves the bytes of a UART by DMA, as they are. Packets
// with separators, headers and checksums are not modelled: with SEPER_EN, HEAD_EN,
// CRC_REC_EN or ENCODE_CRC_EN set, the use of CONF0 counts as unmodelled and no
// byte is moved.
type uhci struct {
	block
	soc  *soc
	intr interrupts
	idle *chip.Timer // the line has been idle: the end of what was received
	s    struct {
		Received uint32 // bytes since the last EOF
		Sending  bool
	}
}

func newUHCI(c *soc) *uhci {
	p := &uhci{soc: c}
	p.intr.line = c.intc.source(srcUHCI0)
	p.idle = c.m.NewTimer(p.lineIdle)
	p.block = newBlock("UHCI0", 0x60014000, []reg{
		{uhConf0, "CONF0", 0x6e0}, {uhIntRaw, "INT_RAW", 0}, {uhIntSt, "INT_ST", 0}, {uhIntEna, "INT_ENA", 0},
		{uhIntClr, "INT_CLR", 0}, {0x14, "CONF1", 0x33}, {0x20, "ESCAPE_CONF", 0x33}, {0x24, "HUNG_CONF", 0x810810},
		{0x28, "ACK_NUM", 8}, {0x6c, "ESC_CONF0", 0xdcdbc0}, {0x70, "ESC_CONF1", 0xdddbdb},
		{0x74, "ESC_CONF2", 0xdedb11}, {0x78, "ESC_CONF3", 0xdfdb13}, {uhPktThres, "PKT_THRES", 0x80},
		{0x80, "DATE", 0x2007170},
	})
	c.gdma.onReady(dmaUHCI0, p.ready)
	return p
}

func (p *uhci) read(off uint32) uint32 {
	switch off {
	case uhIntRaw:
		return p.intr.Raw
	case uhIntSt:
		return p.intr.status()
	case uhIntEna:
		return p.intr.Ena
	case uhIntClr:
		return 0
	}
	return p.block.read(off)
}

func (p *uhci) write(off, v uint32) {
	switch off {
	case uhIntEna:
		p.intr.enable(v & uhIntAll)
	case uhIntClr:
		p.intr.clear(v)
	case uhIntRaw, uhIntSt:
	case uhConf0:
		p.block.write(off, v)
		if v&uhRxReset != 0 {
			p.s.Received = 0
			p.idle.Stop()
		}
		if v&uhTxReset != 0 {
			p.s.Sending = false
		}
	default:
		p.block.write(off, v)
	}
}

// serves reports whether the bytes of a UART are moved.
func (p *uhci) serves(u *uart) bool {
	conf := p.get(uhConf0)
	return conf&(uhUART0<<u.n) != 0 && conf&(uhTxReset|uhRxReset) == 0
}

// packets reports whether a mode is configured that is not modelled.
func (p *uhci) packets() bool {
	conf := p.get(uhConf0)
	if conf&uhPackets == 0 {
		return false
	}
	p.soc.m.Unmodelled(p.name, p.base+uhConf0, true, conf)
	return true
}

// ready is called when DMA can go on.
func (p *uhci) ready() {
	for _, u := range p.soc.uarts {
		p.feed(u)
		p.received(u)
	}
}

// feed fills the FIFO of a UART's transmitter.
func (p *uhci) feed(u *uart) {
	if !p.serves(u) {
		return
	}
	out := p.soc.gdma.transmitter(dmaUHCI0)
	if out == nil || p.packets() {
		p.s.Sending = false
		return
	}
	if !p.s.Sending {
		p.s.Sending = true
		p.intr.raise(uhIntTx)
	}
	var b [1]byte
	for u.tx.s.Count < u.fifoSize(6, 4) && out.pullAll(b[:]) == 1 {
		u.tx.write(b[0])
	}
}

// received moves what is in the FIFO of a UART's receiver.
func (p *uhci) received(u *uart) {
	if !p.serves(u) || u.rx.s.Count == 0 {
		return
	}
	in := p.soc.gdma.receiver(dmaUHCI0)
	if in == nil || p.packets() {
		return
	}
	for u.rx.s.Count > 0 && in.s.Run {
		if p.s.Received == 0 {
			p.intr.raise(uhIntStart)
		}
		p.s.Received++
		eof := p.get(uhConf0)&uhLenEOF != 0 && p.s.Received >= p.get(uhPktThres)&0x1fff
		if eof {
			p.s.Received = 0
		}
		in.push([]byte{u.rx.pop()}, eof)
	}
	if p.get(uhConf0)&uhIdleEOF != 0 && p.s.Received > 0 {
		p.idle.Set(p.soc.m.Now().Add(u.bit().bits(max(1, field(u.get(uartIdleConf), 9, 0)))))
	} else {
		p.idle.Stop()
	}
}

// lineIdle ends what was received: the line has been idle for RX_IDLE_THRHD bits.
func (p *uhci) lineIdle() {
	p.s.Received = 0
	if in := p.soc.gdma.receiver(dmaUHCI0); in != nil {
		in.push(nil, true)
	}
}

func (p *uhci) reset() {
	p.block.reset()
	p.intr.reset(0)
	p.idle.Stop()
	p.s.Received, p.s.Sending = 0, false
}

func (p *uhci) state(s *chip.State) { s.Fixed(&p.words, &p.intr.Raw, &p.intr.Ena, &p.s) }
