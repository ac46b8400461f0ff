package c3

import "espalier.dev/espalier/emu/chip"

// i2sUnit is what the transmitter and the receiver of I2S0 have in common: the
// bit clock, the frames, and the clock lines.
//
// In PDM, a bit is half a cycle of the PDM clock, which is on the WS line: left and
// right alternate.
type i2sUnit struct {
	p       *i2s
	conf    uint32 // offset of its CONF register
	bck, ws signal
	end     *chip.Timer // of the chunk: a frame
	edge    *chip.Timer // half a bit, while a line is watched
	done    func()
	s       struct {
		On       bool
		Ended    bool      // has stopped by itself since START rose
		Stopping bool      // START is 0: ends with the frame
		Base     chip.Time // instant of bit 0
		Num, Den uint64    // ticks of a bit, as a fraction
		Bit      uint64    // first bit of the chunk
		Bits     uint32    // of the chunk
		Step     uint32    // half bit to show next
		Slot     uint32    // slave: bit of the frame
	}
}

func (u *i2sUnit) init(p *i2s, conf uint32, bck, ws signal, done func()) {
	u.p, u.conf, u.bck, u.ws, u.done = p, conf, bck, ws, done
	u.end = p.soc.m.NewTimer(u.chunkEnd)
	u.edge = p.soc.m.NewProbe(u.half)
	p.soc.gpio.lazily(bck, u.bckLevel, u.watch)
	p.soc.gpio.lazily(ws, u.wsLevel, u.watch)
}

func (u *i2sUnit) conf1() uint32 { return u.conf + isTxConf1 - isTxConf }
func (u *i2sUnit) clkm() uint32  { return u.conf + isTxClkm - isTxConf }
func (u *i2sUnit) tdm() uint32   { return u.conf + isTxTDM - isTxConf }

func (u *i2sUnit) has(bit uint32) bool { return u.p.has(u.conf, bit) }

// clock derives the ticks of a bit from the clock registers, TRM 30.6: the
// divisor of the source is DIV_NUM + b/a.
func (u *i2sUnit) clock() {
	p := u.p
	clkm, div := p.get(u.clkm()), p.get(u.clkm()+isTxClkmDiv-isTxClkm)
	hz := [4]uint64{xtalHz, 240_000_000, 160_000_000, xtalHz}[field(clkm, 28, 27)]
	whole := uint64(max(field(clkm, 7, 0), 1))
	num, den := whole, uint64(1)
	if z := uint64(field(div, 8, 0)); z != 0 {
		den = z*uint64(field(div, 26, 18)+1) + uint64(field(div, 17, 9))
		b := z
		if div>>27&1 != 0 {
			b = den - min(z, den)
		}
		num = whole*den + b
	}
	bck := uint64(field(p.get(u.conf1()), 12, 7)) + 1
	u.s.Num, u.s.Den = num*bck*chip.TicksPerSecond/1e6, den*hz/1e6
	if u.has(isPDM) {
		u.s.Den *= 2
	}
}

// instant returns when bit n begins, or with half when its middle is.
func (u *i2sUnit) instant(n uint64, half bool) chip.Time {
	k := 2 * n
	if half {
		k++
	}
	return u.s.Base.Add(chip.Duration(scale(k, u.s.Num, 2*u.s.Den)))
}

// frame returns the bits of a frame, of a slot, and of the data in a slot.
func (u *i2sUnit) frame() (bits, slot, data uint32) {
	conf1 := u.p.get(u.conf1())
	data = field(conf1, 17, 13) + 1
	slot = max(field(conf1, 28, 24)+1, data)
	switch {
	case u.has(isPDM):
		return 32, 16, 16
	case u.has(isTDM):
		return slot * (field(u.p.get(u.tdm()), 19, 16) + 1), slot, data
	}
	half := max(field(conf1, 23, 18)+1, 1)
	slot = min(max(half, data), 32)
	return 2 * slot, slot, min(data, slot)
}

// shifted reports whether data is one bit later than WS.
func (u *i2sUnit) shifted() bool { return !u.has(isPDM) && u.p.get(u.conf1())&isMSBShift != 0 }

// start begins to make clocks.
func (u *i2sUnit) start() {
	u.clock()
	u.s.On, u.s.Stopping, u.s.Base, u.s.Bit = true, false, u.p.now(), 0
}

// chunk begins a chunk of n bits.
func (u *i2sUnit) chunk(n uint32) {
	u.s.Bits, u.s.Step = n, 0
	u.end.Set(u.instant(u.s.Bit+uint64(n), false))
	if u.watched() {
		u.half()
	}
}

func (u *i2sUnit) chunkEnd() {
	u.p.at = u.instant(u.s.Bit+uint64(u.s.Bits), false)
	u.edge.Stop()
	u.done()
	u.p.at = 0
}

// next moves to the bit after the chunk.
func (u *i2sUnit) next() { u.s.Bit, u.s.Bits = u.s.Bit+uint64(u.s.Bits), 0 }

// stop stops the clocks.
func (u *i2sUnit) stop() {
	u.end.Stop()
	u.edge.Stop()
	u.s.On, u.s.Stopping, u.s.Bits = false, false, 0
	g := u.p.soc.gpio
	g.drive(u.bck, false)
	g.drive(u.ws, u.has(isWSIdle))
	if u == &u.p.tx {
		u.p.s.Last = false
		g.drive(sigI2SOSD, false)
	}
}

// position returns the bit of the chunk at the present, and whether its middle
// has passed.
func (u *i2sUnit) position() (n uint32, second bool) {
	elapsed := uint64(u.p.now().Sub(u.s.Base))
	k := scale(elapsed, 2*u.s.Den, u.s.Num)
	k = max(k, 2*u.s.Bit) - 2*u.s.Bit
	n = uint32(min(k/2, uint64(u.s.Bits-1)))
	return n, k&1 != 0
}

func (u *i2sUnit) bckLevel() bool {
	if u.s.Bits == 0 {
		return false
	}
	_, second := u.position()
	return second
}

func (u *i2sUnit) wsLevel() bool {
	if u.s.Bits == 0 {
		return u.has(isWSIdle)
	}
	n, _ := u.position()
	return u.wsAt(n)
}

// wsAt returns the level of WS in bit n of the frame.
func (u *i2sUnit) wsAt(n uint32) bool {
	if u.has(isPDM) {
		return n&1 != 0
	}
	width := field(u.p.get(u.conf1()), 6, 0) + 1
	if !u.has(isTDM) {
		_, width, _ = u.frame()
	}
	return (n >= width) != u.has(isWSIdle)
}

func (u *i2sUnit) watched() bool {
	g := u.p.soc.gpio
	return g.isWatched(u.bck) || g.isWatched(u.ws) || u == &u.p.tx && g.isWatched(sigI2SOSD)
}

// watch is called when something starts or ceases to depend on a line.
func (u *i2sUnit) watch(on bool) {
	if !on || u.s.Bits == 0 || u.edge.Armed() {
		return
	}
	n, _ := u.position()
	u.s.Step = 2 * (n + 1)
	u.arm()
}

func (u *i2sUnit) arm() {
	if u.s.Step/2 >= u.s.Bits {
		u.edge.Stop()
		return
	}
	u.edge.Set(u.instant(u.s.Bit+uint64(u.s.Step/2), u.s.Step&1 != 0))
}

// half shows half a bit: the clock falls and the lines change, then it rises.
func (u *i2sUnit) half() {
	if u.s.Bits == 0 {
		return
	}
	n, second := u.s.Step/2, u.s.Step&1 != 0
	before := u.p.at
	u.p.at = u.instant(u.s.Bit+uint64(n), second)
	u.s.Step++
	g := u.p.soc.gpio
	g.drive(u.bck, second)
	if !second {
		g.drive(u.ws, u.wsAt(n))
		if u == &u.p.tx {
			g.drive(sigI2SOSD, u.p.outBit(n))
		}
	}
	u.p.at = before
	if u.s.Bits > 0 {
		u.arm()
	}
}
