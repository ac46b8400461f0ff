package c3

import "encoding/binary"

// A descriptor, TRM 2.4.2, is three words: flags and sizes, address of the
// buffer, address of the next descriptor or 0.
const (
	dmaDescSize  = 12
	dmaSizeMask  = 0xfff   // word 0: bytes of the buffer
	dmaLengthLow = 12      // word 0: valid bytes, bits 23:12
	dmaErrEOF    = 1 << 28 // word 0, written by the receive side of UHCI0
	dmaSucEOF    = 1 << 30
	dmaOwner     = 1 << 31 // the DMA may use it
	dmaFIFO      = 64      // bytes of a channel's FIFO
	dmaMaxWalk   = 1024    // descriptors without a byte before a list counts as broken
)

// dmaList is one side of a channel: the list of descriptors and where it is in
// it.
type dmaList struct {
	dma     *gdma
	channel *gdmaChannel
	receive bool
	base    uint32 // of its registers
	dscrErr uint32 // interrupt of a bad descriptor
	s       dmaListState
}

// dmaListState is the position in the list.
type dmaListState struct {
	Run      bool   // started, with a descriptor to use or to fetch
	Loaded   bool   // Flags, Buf and Next hold the descriptor at Cur
	Cur      uint32 // address of the current descriptor
	Flags    uint32
	Buf      uint32
	Next     uint32
	Pos      uint32 // bytes of the buffer used
	Before   uint32 // descriptor before Cur
	Before2  uint32
	EOF      uint32 // descriptor with the last EOF
	EOF2     uint32 // receive: with the last error; transmit: before EOF
	LastDone uint32 // receive: the last completed descriptor of this list
}

func (l *dmaList) get(reg uint32) uint32 { return l.dma.get(l.base + reg) }

func (l *dmaList) set(reg, v uint32) { l.dma.set(l.base+reg, v) }

func (l *dmaList) serves(p dmaPeripheral) bool { return l.s.Run && l.get(gdPeriSel) == uint32(p) }

func (l *dmaList) read(reg uint32) uint32 {
	switch reg {
	case gdFIFO:
		return l.fifoStatus()
	case gdLink:
		park := uint32(1 << 23)
		if l.receive {
			park = 1 << 24
		}
		if l.s.Run {
			park = 0
		}
		return l.get(gdLink) | park
	case gdState:
		st := l.s.Cur & 0x3ffff
		if l.s.Run {
			st |= 1 << 20
		}
		return st
	case gdEOFDesc:
		return l.s.EOF
	case gdErrDesc:
		return l.s.EOF2
	case gdDesc:
		return l.s.Cur
	case gdDescBF0:
		return l.s.Before
	case gdDescBF1:
		return l.s.Before2
	}
	return l.get(reg)
}

// fifoStatus returns INFIFO_STATUS or OUTFIFO_STATUS. The transmit side fills
// its FIFO ahead of the peripheral; what the receive side gets is in memory at
// once.
func (l *dmaList) fifoStatus() uint32 {
	if l.receive {
		return l.get(gdFIFO)
	}
	const empty = 1 << 1
	n := uint32(0)
	if l.s.Run {
		n = min(l.available(dmaFIFO), dmaFIFO-1)
	}
	st := l.get(gdFIFO) | n<<2
	if n > 0 {
		st &^= empty
	}
	return st
}

// reaches reports whether n bytes at addr are in SRAM1, the only memory that the
// DMA reaches.
func (g *gdma) reaches(addr, n uint32) bool {
	off := addr - sram1Data
	return off < sram1Size && n <= sram1Size-off
}

// readRAM and writeRAM access SRAM1 at an address that the DMA reaches.
func (g *gdma) readRAM(addr uint32, p []byte)  { g.soc.sram1.Read(addr-sram1Data, p) }
func (g *gdma) writeRAM(addr uint32, p []byte) { g.soc.sram1.Write(addr-sram1Data, p) }

// descriptor is what a descriptor has in memory.
type descriptor struct{ flags, buf, next uint32 }

// descriptor reads the one at addr. ok is false where the DMA does not reach.
func (g *gdma) descriptor(addr uint32) (d descriptor, ok bool) {
	if !g.reaches(addr, dmaDescSize) {
		return d, false
	}
	var p [dmaDescSize]byte
	g.readRAM(addr, p[:])
	return descriptor{binary.LittleEndian.Uint32(p[:]), binary.LittleEndian.Uint32(p[4:]), binary.LittleEndian.Uint32(p[8:])}, true
}

// setFlags writes the first word of the descriptor at addr.
func (g *gdma) setFlags(addr, flags uint32) {
	g.writeRAM(addr, binary.LittleEndian.AppendUint32(nil, flags))
}

// peripheral returns whom the list serves, dmaPeripherals for a copy from memory
// to memory.
func (l *dmaList) peripheral() dmaPeripheral {
	if l.channel.in.get(gdConf0)&gdMemTrans != 0 {
		return dmaPeripherals
	}
	return dmaPeripheral(l.get(gdPeriSel))
}

func (l *dmaList) start(addr uint32) {
	last := l.s
	l.s = dmaListState{Run: true, Cur: addr, EOF: last.EOF, EOF2: last.EOF2}
	l.fetch()
}

// restart continues a list that has ended, with a descriptor that software has
// appended since.
func (l *dmaList) restart() {
	if l.s.Cur == 0 {
		return
	}
	if l.s.Run {
		return // the list has not ended: next is read when it is needed
	}
	d, ok := l.dma.descriptor(l.s.Cur)
	if !ok {
		l.fail()
		return
	}
	l.s.Run = true
	l.advance(d.next)
	if l.s.Run {
		l.fetch()
	}
}

func (l *dmaList) stop() {
	l.s.Run, l.s.Loaded = false, false
	l.channel.copy.Stop()
}

// fail ends the list with a descriptor error.
func (l *dmaList) fail() {
	l.stop()
	l.channel.intr.raise(l.dscrErr)
}

// fetch loads the descriptor at Cur. It reports whether there is one.
func (l *dmaList) fetch() bool {
	s := &l.s
	if !s.Run || s.Loaded {
		return s.Run
	}
	d, ok := l.dma.descriptor(s.Cur)
	if !ok || s.Cur&3 != 0 {
		l.fail()
		return false
	}
	s.Flags, s.Buf, s.Next = d.flags, d.buf, d.next
	if l.get(gdConf1)&gdCheckOwn != 0 && s.Flags&dmaOwner == 0 {
		l.fail()
		return false
	}
	if !l.dma.reaches(s.Buf, l.bytes()) && l.bytes() != 0 {
		l.fail()
		return false
	}
	s.Loaded, s.Pos = true, 0
	return true
}

// bytes returns how many bytes of the current buffer there are to move: the
// size on the receive side, the length on the transmit side.
func (l *dmaList) bytes() uint32 {
	if l.receive {
		return l.s.Flags & dmaSizeMask
	}
	return l.s.Flags >> dmaLengthLow & dmaSizeMask
}

// advance moves to the descriptor at next, which software may have appended a
// moment ago. It is fetched when it is needed. A list ends where next is 0.
func (l *dmaList) advance(next uint32) {
	s := &l.s
	s.Loaded = false
	if next == 0 {
		s.Run = false
		return
	}
	s.Before2, s.Before, s.Cur = s.Before, s.Cur, next
}

// next reads the address of the descriptor after the current one again.
func (l *dmaList) next() uint32 {
	d, _ := l.dma.descriptor(l.s.Cur)
	return d.next
}

// available returns how many bytes the list holds from here on, at least want
// if there are that many, without using them up.
func (l *dmaList) available(want uint32) (n uint32) {
	if !l.s.Run || !l.fetch() {
		return 0
	}
	n = l.bytes() - l.s.Pos
	next := l.next()
	for walk := 0; n < want && next != 0 && walk < dmaMaxWalk; walk++ {
		d, ok := l.dma.descriptor(next)
		if !ok {
			break
		}
		n += d.flags >> dmaLengthLow & dmaSizeMask
		next = d.next
	}
	return n
}

// dmaOut is the transmit side of a channel: from memory to a peripheral.
type dmaOut struct{ dmaList }

// pull takes the next bytes of the list. It stops after a descriptor with the
// EOF flag, and says so, and returns fewer bytes than asked for where the list
// ends or has an error.
func (o *dmaOut) pull(p []byte) (n int, eof bool) {
	s := &o.s
	for walk := 0; n < len(p); walk++ {
		if walk > dmaMaxWalk+len(p) {
			o.fail() // a loop of empty descriptors
			return n, false
		}
		if !o.fetch() {
			return n, false
		}
		k := min(o.bytes()-s.Pos, uint32(len(p)-n))
		if o.dma.soc.sensitive.dma(o.peripheral(), s.Buf+s.Pos, k, false) {
			o.dma.readRAM(s.Buf+s.Pos, p[n:n+int(k)])
		} else {
			clear(p[n : n+int(k)])
		}
		n, s.Pos = n+int(k), s.Pos+k
		if s.Pos < o.bytes() {
			return n, false
		}
		if o.done() {
			return n, true
		}
	}
	return n, false
}

// pullAll takes bytes across EOF flags until p is full or the list ends.
func (o *dmaOut) pullAll(p []byte) (n int) {
	for n < len(p) {
		k, eof := o.pull(p[n:])
		n += k
		if k == 0 && !eof {
			break
		}
	}
	return n
}

// done ends the current descriptor and reports whether it has the EOF flag.
func (o *dmaOut) done() (eof bool) {
	s := &o.s
	bits := uint32(gdIntOutDone)
	if o.get(gdConf0)&gdAutoBack != 0 {
		o.dma.setFlags(s.Cur, s.Flags&^dmaOwner)
	}
	eof = s.Flags&dmaSucEOF != 0
	if eof {
		bits |= gdIntOutEOF
		s.EOF, s.EOF2 = s.Cur, s.Before
	}
	next := o.next()
	if next == 0 {
		bits |= gdIntOutTotal
	}
	o.advance(next)
	o.channel.intr.raise(bits)
	return eof
}

// dmaIn is the receive side of a channel: from a peripheral to memory.
type dmaIn struct{ dmaList }

// push puts bytes into the list; eof ends the descriptor that the last one went
// to. It returns how many bytes had room: fewer than len(p) where the list ends,
// which raises IN_DSCR_EMPTY, or has an error.
func (i *dmaIn) push(p []byte, eof bool) (n int) { return i.end(p, eof, false) }

// pushError is push for a packet that the peripheral has found damaged.
func (i *dmaIn) pushError(p []byte) (n int) { return i.end(p, true, true) }

func (i *dmaIn) end(p []byte, eof, damaged bool) (n int) {
	s := &i.s
	for walk := 0; n < len(p); walk++ {
		if walk > dmaMaxWalk+len(p) {
			i.fail()
			return n
		}
		if !s.Run {
			i.channel.intr.raise(gdIntInEmpty)
			return n
		}
		if !i.fetch() {
			return n
		}
		k := min(i.bytes()-s.Pos, uint32(len(p)-n))
		if i.dma.soc.sensitive.dma(i.peripheral(), s.Buf+s.Pos, k, true) {
			i.dma.writeRAM(s.Buf+s.Pos, p[n:n+int(k)])
		}
		n, s.Pos = n+int(k), s.Pos+k
		if s.Pos == i.bytes() {
			i.done(eof && n == len(p), damaged)
			eof = eof && n < len(p)
		}
	}
	if !eof {
		return n
	}
	if s.Run && s.Loaded && s.Pos > 0 || s.LastDone == 0 && i.fetch() {
		i.done(true, damaged)
	} else if d, ok := i.dma.descriptor(s.LastDone); s.LastDone != 0 && ok {
		// The last byte has filled a descriptor before the end was known.
		flag := uint32(dmaSucEOF)
		if damaged {
			flag |= dmaErrEOF
		}
		i.dma.setFlags(s.LastDone, d.flags|flag)
		i.eof(s.LastDone, damaged)
	}
	return n
}

// done writes the current descriptor back: how many bytes it holds, EOF, and
// that it belongs to software again.
func (i *dmaIn) done(eof, damaged bool) {
	s := &i.s
	flags := s.Flags&dmaSizeMask | s.Pos<<dmaLengthLow
	if eof {
		flags |= dmaSucEOF
		if damaged {
			flags |= dmaErrEOF
		}
	}
	i.dma.setFlags(s.Cur, flags)
	at := s.Cur
	s.LastDone = at
	i.advance(i.next())
	i.channel.intr.raise(gdIntInDone)
	if eof {
		i.eof(at, damaged)
	}
}

func (i *dmaIn) eof(at uint32, damaged bool) {
	if damaged {
		i.s.EOF2 = at
		i.channel.intr.raise(gdIntInErrEOF)
		return
	}
	i.s.EOF = at
	i.channel.intr.raise(gdIntInSucEOF)
}
