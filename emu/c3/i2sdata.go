package c3

import "math/bits"

// Samples of I2S0: from DMA to bits of frames and back, TRM 30.9 and 30.10.

// sampleBytes returns the bytes that a sample takes in memory.
func (u *i2sUnit) sampleBytes(data uint32) uint32 {
	n := (data + 7) / 8
	if n == 3 && u.has(isFill24) {
		n = 4
	}
	return n
}

// enabled reports whether a slot is transmitted or received.
func (u *i2sUnit) enabled(slot uint32) bool {
	if !u.has(isTDM) && u == &u.p.tx {
		return true
	}
	return u.p.get(u.tdm())>>min(slot, 15)&1 != 0
}

// txStart starts the transmitter.
func (p *i2s) txStart() {
	p.s.Carry, p.s.Last = false, false
	p.tx.start()
	if p.tx.has(isPDM) && p.has(isPCM2PDM, isConvert) {
		p.soc.m.Unmodelled(p.name, p.base+isPCM2PDM, true, p.get(isPCM2PDM))
	}
	if p.rx.s.On && p.looped() {
		p.rxSync()
	}
	if p.tx.has(isSlave) {
		p.tx.s.Slot = 0
		p.fill(true)
		return
	}
	p.txFrame()
}

// txFrame begins the next frame, or ends the transmission when there is no data.
func (p *i2s) txFrame() {
	u := &p.tx
	u.reclock()
	ok := p.fill(!u.s.Stopping)
	frame, _, _ := u.frame()
	if u.has(isPDM) && p.has(isPCM2PDM, isConvert) {
		// One sample takes 64 FP/FS cycles of the PDM clock.
		conf := p.get(isPCM2PDM1)
		frame = min(max(2*64*field(conf, 9, 0)/max(field(conf, 19, 10), 1), 2), i2sMaxConvert)
	}
	switch {
	case ok:
		p.s.Last = u.shifted()
		u.chunk(frame)
	case p.s.Last: // the last bit of the last frame; fill has put it first
		p.s.Last = false
		u.chunk(1)
	default:
		u.s.Ended = p.has(isTxConf, isStart)
		u.stop()
		p.intr.raise(isTxDone)
	}
}

// reclock takes new clock registers into account, at the start of a frame.
func (u *i2sUnit) reclock() {
	num, den := u.s.Num, u.s.Den
	if u.clock(); num != u.s.Num || den != u.s.Den {
		u.s.Base, u.s.Bit = u.p.now(), 0
	}
}

func (p *i2s) txFrameEnd() {
	if p.rx.s.On && p.looped() {
		p.rxSample(p.tx.s.Bit + uint64(p.tx.s.Bits))
	}
	p.tx.next()
	p.txFrame()
}

// fill makes the bits of a frame from DMA. It reports whether there was data. With
// MSB_SHIFT the first bit is the last one of the frame before.
func (p *i2s) fill(more bool) bool {
	u := &p.tx
	frame, slot, data := u.frame()
	size := u.sampleBytes(data)
	p.s.Out = [i2sMaxBits / 8]byte{}
	at := uint32(0)
	if u.shifted() {
		p.putBit(0, p.s.Carry)
		p.s.Carry = false
		at = 1
	}
	if !more {
		return false
	}
	some := false
	last := p.get(isSingleData)
	mono := u.has(isMono)
	for n := range frame / slot {
		v := p.get(isSingleData)
		switch {
		case u.enabled(n) && !(mono && n > 0):
			var known bool
			v, known = p.sample(size)
			some, last = some || known, v
		case u.enabled(n) || p.has(isTxConf, isChanEqual):
			v = last
		case p.has(isTxTDM, isSkipMask):
			_, k := p.sample(size)
			some = some || k
		}
		p.slotBits(at+n*slot, slot, data, v, frame, n)
	}
	return some || !p.has(isTxConf, isStopEn)
}

// sample takes a sample from DMA.
func (p *i2s) sample(size uint32) (v uint32, ok bool) {
	var b [4]byte
	out := p.soc.gdma.transmitter(dmaI2S0)
	if out == nil || out.pullAll(b[:size]) == 0 {
		return 0, false
	}
	v = le32(b[:])
	if p.has(isTxConf, isBigEndian) {
		v = bits.ReverseBytes32(v) >> (32 - 8*size)
	}
	return v, true
}

// slotBits puts a sample into a slot.
func (p *i2s) slotBits(at, slot, data, v, frame, n uint32) {
	v &= uint32(1<<data - 1)
	if p.has(isTxConf, isLSBFirst) {
		v = bits.Reverse32(v) >> (32 - data)
	}
	pad := uint32(0)
	if !p.has(isTxConf, isLeftAlign) {
		pad = slot - data
	}
	for i := range data {
		on := v>>(data-1-i)&1 != 0
		if p.tx.has(isPDM) {
			p.putBit(2*i+n, on)
			continue
		}
		if pos := at + pad + i; pos < frame {
			p.putBit(pos, on)
		} else {
			p.s.Carry = on
		}
	}
}

func (p *i2s) putBit(n uint32, on bool) {
	if n >= i2sMaxBits {
		return
	}
	p.s.Out[n/8] &^= 0x80 >> (n % 8)
	if on {
		p.s.Out[n/8] |= 0x80 >> (n % 8)
	}
}

// outBit returns bit n of the chunk.
func (p *i2s) outBit(n uint32) bool {
	if p.tx.has(isPDM) && p.has(isPCM2PDM, isConvert) || n >= i2sMaxBits {
		return false
	}
	return p.s.Out[n/8]<<(n%8)&0x80 != 0
}

// sdLevel returns the level of the data output.
func (p *i2s) sdLevel() bool {
	if p.tx.s.Bits == 0 {
		return false
	}
	n, _ := p.tx.position()
	return p.outBit(n)
}

// txClock is called when the bit clock of a transmitter in slave mode changes: the
// data changes when it falls.
func (p *i2s) txClock(high bool) {
	u := &p.tx
	if high || !u.s.On || !u.has(isSlave) {
		return
	}
	frame, _, _ := u.frame()
	ws := p.soc.gpio.input(sigI2SOWS)
	if u.s.Slot > 0 && ws == u.has(isWSIdle) && p.s.WS != ws || u.s.Slot >= frame {
		u.s.Slot = 0
		if !p.fill(!u.s.Stopping) {
			u.s.Ended = p.has(isTxConf, isStart)
			u.stop()
			p.intr.raise(isTxDone)
			return
		}
	}
	p.s.WS = ws
	p.soc.gpio.drive(sigI2SOSD, p.outBit(u.s.Slot))
	u.s.Slot++
}

// looped reports whether the receiver uses the clock of the transmitter.
func (p *i2s) looped() bool { return p.has(isTxConf, isLoopback) && p.rx.has(isSlave) }

// rxUnit returns the unit whose clock the receiver uses.
func (p *i2s) rxUnit() *i2sUnit {
	if p.looped() {
		return &p.tx
	}
	return &p.rx
}

// rxStart starts the receiver.
func (p *i2s) rxStart() {
	p.s.SD = p.soc.gpio.input(sigI2SISD)
	p.s.InBits, p.s.Over = 0, 0
	p.rx.start()
	p.rxSync()
	if p.rx.has(isSlave) {
		if p.looped() && p.tx.s.On {
			p.s.Sampled = p.tx.s.Bit + uint64(p.tx.s.Bits)
		}
		p.rx.s.Slot = ^uint32(0)
		return
	}
	p.rxFrame()
}

// rxSync begins a frame with the next bit.
func (p *i2s) rxSync() {
	p.s.Sampled, p.s.InBits, p.s.Delay = 0, 0, p.rx.shifted()
}

func (p *i2s) rxFrame() {
	u := &p.rx
	before := u.s.Base
	if u.reclock(); u.s.Base != before {
		p.s.Sampled = 0
	}
	frame, _, _ := u.frame()
	u.chunk(frame)
}

func (p *i2s) rxFrameEnd() {
	p.rxSample(p.rx.s.Bit + uint64(p.rx.s.Bits))
	p.rx.next()
	if p.rx.s.On {
		p.rxFrame()
	}
}

// rxSample takes the bits before bit n, whose level is the present one.
func (p *i2s) rxSample(n uint64) {
	for ; p.s.Sampled < n && p.rx.s.On; p.s.Sampled++ {
		p.rxBit(p.s.SD)
	}
}

// sdChanged is called when the data input changes: bits whose sampling edge has
// passed had the level before.
func (p *i2s) sdChanged(high bool) {
	if u := p.rxUnit(); p.rx.s.On && u.s.Bits > 0 {
		now := p.now()
		for p.s.Sampled < u.s.Bit+uint64(u.s.Bits) && p.rx.s.On && u.instant(p.s.Sampled, true) < now {
			p.rxBit(p.s.SD)
			p.s.Sampled++
		}
	}
	p.s.SD = high
}

// rxClock is called when the bit clock of a receiver in slave mode changes: the
// data is read when it rises.
func (p *i2s) rxClock(high bool) {
	u := &p.rx
	if !high || !u.s.On || !u.has(isSlave) || p.looped() {
		return
	}
	ws := p.soc.gpio.input(sigI2SIWS)
	start := ws == u.has(isWSIdle) && (p.s.WS != ws || u.s.Slot == ^uint32(0))
	p.s.WS = ws
	if start {
		if u.s.Slot == ^uint32(0) {
			p.s.InBits, p.s.Delay = 0, u.shifted()
		}
		u.s.Slot = 0
	}
	if u.s.Slot != ^uint32(0) {
		u.s.Slot++
		p.rxBit(p.s.SD)
	}
}

// rxBit adds a bit to the frame, and stores it when it is complete.
func (p *i2s) rxBit(on bool) {
	if p.s.Delay {
		p.s.Delay = false
		return
	}
	frame, slot, data := p.rx.frame()
	n := p.s.InBits
	if p.rx.has(isPDM) { // left and right alternate
		n = n&1*16 + n/2
	}
	p.s.In[n/8] &^= 0x80 >> (n % 8)
	if on {
		p.s.In[n/8] |= 0x80 >> (n % 8)
	}
	if p.s.InBits++; p.s.InBits < frame {
		return
	}
	p.s.InBits = 0
	for i := range frame / slot {
		if p.rx.enabled(i) {
			p.deliver(i*slot, slot, data)
		}
	}
}

// deliver gives the sample of a slot to DMA.
func (p *i2s) deliver(at, slot, data uint32) {
	if !p.has(isRxConf, isLeftAlign) {
		at += slot - data
	}
	v := uint32(0)
	for i := range data {
		n := at + i
		v = v<<1 | uint32(p.s.In[n/8]<<(n%8)>>7)
	}
	if p.has(isRxConf, isLSBFirst) {
		v = bits.Reverse32(v) >> (32 - data)
	}
	size := p.rx.sampleBytes(data)
	if p.has(isRxConf, isBigEndian) {
		v = bits.ReverseBytes32(v << (32 - 8*size))
	}
	buf := []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}[:size]
	p.s.EOF += size
	eof := p.s.EOF >= (data+7)/8*(field(p.get(isRxEOFNum), 11, 0)+1)
	if eof {
		p.s.EOF = 0
	}
	got := 0
	if in := p.soc.gdma.receiver(dmaI2S0); in != nil {
		got = in.push(buf, eof)
	} else {
		p.soc.gdma.starved(dmaI2S0)
	}
	p.s.Over += size - uint32(got)
	mode := field(p.get(isRxConf), 14, 13)
	if eof && mode == isStopOnEOF || p.s.Over >= i2sFIFO && mode == isStopOnFull {
		p.rx.s.Ended = true
		p.rx.stop()
		p.intr.raise(isRxDone)
	}
}
