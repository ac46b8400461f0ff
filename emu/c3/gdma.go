package c3

import "espalier.dev/espalier/emu/chip"

// GDMA registers, TRM 2.8. Each channel has a group of interrupt registers at
// 0x10*n and two groups of registers, for its receive and its transmit side.
const (
	gdIntRaw    = 0x00
	gdIntSt     = 0x04
	gdIntEna    = 0x08
	gdIntClr    = 0x0c
	gdIntSize   = 0x10
	gdAHBTest   = 0x40
	gdMiscConf  = 0x44
	gdDate      = 0x48
	gdChannel0  = 0x70
	gdChanSize  = 0xc0
	gdOut       = 0x60 // transmit side within a channel
	gdConf0     = 0x00
	gdConf1     = 0x04
	gdFIFO      = 0x08
	gdPopPush   = 0x0c
	gdLink      = 0x10
	gdState     = 0x14
	gdEOFDesc   = 0x18 // IN_SUC_EOF_DES_ADDR, OUT_EOF_DES_ADDR
	gdErrDesc   = 0x1c // IN_ERR_EOF_DES_ADDR, OUT_EOF_BFR_DES_ADDR
	gdDesc      = 0x20
	gdDescBF0   = 0x24
	gdDescBF1   = 0x28
	gdPri       = 0x2c
	gdPeriSel   = 0x30
	gdmaDateC3  = 0x02008250
	gdmaChans   = 3
	gdChanUsed  = gdPeriSel + 4
	gdCheckOwn  = 1 << 12 // CONF1: CHECK_OWNER
	gdMemTrans  = 1 << 4  // IN_CONF0: MEM_TRANS_EN
	gdAutoBack  = 1 << 2  // OUT_CONF0: OUT_AUTO_WRBACK
	gdLinkMask  = 0xfffff // 20 bits of a descriptor's address
	gdmaAddrTop = 0x3fc00000
)

// Interrupts of a channel.
const (
	gdIntInDone   = 1 << 0
	gdIntInSucEOF = 1 << 1
	gdIntInErrEOF = 1 << 2
	gdIntOutDone  = 1 << 3
	gdIntOutEOF   = 1 << 4
	gdIntInDscr   = 1 << 5 // error in a receive descriptor
	gdIntOutDscr  = 1 << 6
	gdIntInEmpty  = 1 << 7 // data and no descriptor left
	gdIntOutTotal = 1 << 8
	gdIntInOvf    = 1 << 9
	gdIntAll      = 1<<13 - 1
)

// dmaPeripheral is a value of PERI_IN_SEL and PERI_OUT_SEL, TRM table 2.4-1.
type dmaPeripheral uint32

const (
	dmaSPI2  dmaPeripheral = 0
	dmaUHCI0 dmaPeripheral = 2
	dmaI2S0  dmaPeripheral = 3
	dmaAES   dmaPeripheral = 6
	dmaSHA   dmaPeripheral = 7
	dmaADC   dmaPeripheral = 8

	dmaPeripherals = 9
)

// gdma is the general DMA controller, TRM 2: three channels, each with a
// receive side (peripheral to memory) and a transmit side (memory to
// peripheral), which work through linked lists of descriptors in SRAM1.
//
// A peripheral finds the side that serves it with receiver or transmitter and
// then moves bytes with dmaIn.push and dmaOut.pull, at the pace of the
// peripheral. A channel fetches a descriptor when its first byte is needed, so
// a list may be changed by software up to that point. Copies from memory to
// memory run at one byte per 160 MHz cycle.
type gdma struct {
	block
	soc   *soc
	chans [gdmaChans]gdmaChannel
	ready [dmaPeripherals][]func()
}

// gdmaChannel is a channel: its interrupts and its two sides.
type gdmaChannel struct {
	intr interrupts
	in   dmaIn
	out  dmaOut
	copy *chip.Timer // memory to memory: the end of the current chunk
}

func newGDMA(c *soc) *gdma {
	g := &gdma{soc: c}
	table := []reg{{gdAHBTest, "AHB_TEST", 0}, {gdMiscConf, "MISC_CONF", 0}, {gdDate, "DATE", gdmaDateC3}}
	for n := range uint32(gdmaChans) {
		for i, name := range []string{"INT_RAW", "INT_ST", "INT_ENA", "INT_CLR"} {
			table = append(table, reg{n*gdIntSize + 4*uint32(i), name, 0})
		}
		in := gdChannel0 + n*gdChanSize
		table = append(table, gdmaSide(in, "IN", 0, 0x07800003, 0x800, 0x01100000)...)
		table = append(table, gdmaSide(in+gdOut, "OUT", 8, 0x07800002, 0, 0x00800000)...)
	}
	g.block = newBlock("GDMA", 0x6003f000, table)
	for n := range uint32(gdmaChans) {
		ch := &g.chans[n]
		ch.intr.line = c.intc.source(srcGDMA0 + uint(n))
		ch.copy = c.m.NewTimer(func() { g.copied(ch) })
		base := gdChannel0 + n*gdChanSize
		ch.in = dmaIn{dmaList{dma: g, channel: ch, receive: true, base: base, dscrErr: gdIntInDscr}}
		ch.out = dmaOut{dmaList{dma: g, channel: ch, base: base + gdOut, dscrErr: gdIntOutDscr}}
		// Moving single bytes between software and the FIFO is not modelled.
		g.unknow(base+gdPopPush, base+gdOut+gdPopPush)
	}
	return g
}

func gdmaSide(base uint32, side string, conf0, fifo, pop, link uint32) []reg {
	names := [...]string{"CONF0", "CONF1", "FIFO_STATUS", "POP_PUSH", "LINK", "STATE", "EOF_DES_ADDR", "EOF_DES_ADDR_2", "DSCR", "DSCR_BF0",
		"DSCR_BF1", "PRI", "PERI_SEL"}
	values := map[uint32]uint32{gdConf0: conf0, gdFIFO: fifo, gdPopPush: pop, gdLink: link, gdPeriSel: 0x3f}
	var table []reg
	for i, name := range names {
		off := 4 * uint32(i)
		table = append(table, reg{base + off, side + "_" + name, values[off]})
	}
	return table
}

// onReady registers f to be called when a side that serves p starts to have
// descriptors: a peripheral that waits for data or space goes on then.
func (g *gdma) onReady(p dmaPeripheral, f func()) { g.ready[p] = append(g.ready[p], f) }

// transmitter returns the transmit side that serves p, nil if there is none
// with a list. Of several the one with the highest priority serves, of equals
// the lowest channel.
func (g *gdma) transmitter(p dmaPeripheral) *dmaOut {
	var best *dmaOut
	for n := range g.chans {
		if o := &g.chans[n].out; o.serves(p) && (best == nil || o.get(gdPri) > best.get(gdPri)) {
			best = o
		}
	}
	return best
}

// receiver is transmitter for the receive side.
func (g *gdma) receiver(p dmaPeripheral) *dmaIn {
	var best *dmaIn
	for n := range g.chans {
		if i := &g.chans[n].in; i.serves(p) && (best == nil || i.get(gdPri) > best.get(gdPri)) {
			best = i
		}
	}
	return best
}

// starved raises IN_DSCR_EMPTY where a peripheral has data and the list of the
// side that served it has ended.
func (g *gdma) starved(p dmaPeripheral) {
	for n := range g.chans {
		if i := &g.chans[n].in; !i.s.Run && i.s.LastDone != 0 && i.get(gdPeriSel) == uint32(p) {
			i.channel.intr.raise(gdIntInEmpty)
		}
	}
}

// side returns the list whose register is at off, and the register's offset in
// its group.
func (g *gdma) side(off uint32) (l *dmaList, reg uint32) {
	if off < gdChannel0 || off >= gdChannel0+gdmaChans*gdChanSize {
		return nil, 0
	}
	ch := &g.chans[(off-gdChannel0)/gdChanSize]
	reg = (off - gdChannel0) % gdChanSize
	if reg >= gdOut {
		l, reg = &ch.out.dmaList, reg-gdOut
	} else {
		l = &ch.in.dmaList
	}
	if reg >= gdChanUsed {
		return nil, 0
	}
	return l, reg
}

func (g *gdma) read(off uint32) uint32 {
	if off < gdmaChans*gdIntSize {
		intr := &g.chans[off/gdIntSize].intr
		switch off % gdIntSize {
		case gdIntRaw:
			return intr.Raw
		case gdIntSt:
			return intr.status()
		case gdIntEna:
			return intr.Ena
		}
		return 0
	}
	if l, reg := g.side(off); l != nil {
		return l.read(reg)
	}
	return g.block.read(off)
}

func (g *gdma) write(off, v uint32) {
	if off < gdmaChans*gdIntSize {
		intr := &g.chans[off/gdIntSize].intr
		switch off % gdIntSize {
		case gdIntEna:
			intr.enable(v & gdIntAll)
		case gdIntClr:
			intr.clear(v)
		}
		return
	}
	g.soc.spi2.split()
	l, reg := g.side(off)
	if l == nil {
		g.block.write(off, v)
		return
	}
	switch reg {
	case gdLink:
		g.link(l, v)
	case gdConf0:
		g.block.write(off, v)
		if v&1 != 0 { // RST
			l.stop()
			l.s.Cur, l.s.Before, l.s.Before2 = 0, 0, 0
		}
		g.startCopy(l.channel)
	case gdConf1:
		g.block.write(off, v&gdCheckOwn)
	case gdPri:
		g.block.write(off, v&15)
	case gdPeriSel:
		g.block.write(off, v&0x3f)
	case gdPopPush:
		g.block.write(off, v)
	}
}

// link starts, stops or continues a list: the bits have other positions on the
// two sides.
func (g *gdma) link(l *dmaList, v uint32) {
	stop, start, restart, keep := uint32(1<<20), uint32(1<<21), uint32(1<<22), uint32(gdLinkMask)
	if l.receive {
		stop, start, restart, keep = 1<<21, 1<<22, 1<<23, gdLinkMask|1<<20
	}
	l.set(gdLink, v&keep)
	if l.get(gdConf0)&1 != 0 {
		return // held in reset
	}
	switch {
	case v&stop != 0:
		l.stop()
		return
	case v&start != 0:
		l.start(gdmaAddrTop | v&gdLinkMask)
	case v&restart != 0:
		l.restart()
	default:
		return
	}
	if !l.s.Run {
		return
	}
	if l.channel.in.get(gdConf0)&gdMemTrans != 0 {
		g.startCopy(l.channel)
		return
	}
	if p := l.get(gdPeriSel); p < dmaPeripherals {
		for _, f := range g.ready[p] {
			f()
		}
	}
}

// Copying from memory to memory, TRM 2.4.5: the transmit side of a channel
// feeds its receive side.
const (
	dmaCopyChunk = 4 << 10 // bytes moved at one instant
	dmaCopySetup = 16      // ticks to fetch descriptors
)

func (g *gdma) startCopy(ch *gdmaChannel) {
	if ch.in.get(gdConf0)&gdMemTrans == 0 || !ch.in.s.Run || !ch.out.s.Run {
		ch.copy.Stop()
		return
	}
	if !ch.copy.Armed() {
		ch.copy.Set(g.soc.m.Now().Add(chip.Duration(dmaCopySetup + min(ch.out.available(dmaCopyChunk), dmaCopyChunk))))
	}
}

// copied moves what the time that has passed allows.
func (g *gdma) copied(ch *gdmaChannel) {
	var buf [dmaCopyChunk]byte
	n, eof := ch.out.pull(buf[:])
	ch.in.push(buf[:n], eof)
	if n == 0 && !eof {
		return // an error, which has raised its interrupt
	}
	g.startCopy(ch)
}

func (g *gdma) reset() {
	if g.soc.spi2 != nil { // nil while the chip is built
		g.soc.spi2.split()
	}
	g.block.reset()
	for n := range g.chans {
		ch := &g.chans[n]
		ch.in.s, ch.out.s = dmaListState{}, dmaListState{}
		ch.copy.Stop()
		ch.intr.reset(0)
	}
}

func (g *gdma) state(s *chip.State) {
	s.Fixed(&g.words)
	for n := range g.chans {
		ch := &g.chans[n]
		s.Fixed(&ch.intr.Raw, &ch.intr.Ena, &ch.in.s, &ch.out.s)
	}
}
