package c3

import "espalier.dev/espalier/emu/chip"

// The lines of SPI2 as a master: clock, data and chip select.

// spiGroup returns bits cycle*n to cycle*n+n-1 of buf, in the order in which they
// are transmitted, TRM table 27.5-3: the lowest of them is that of line 0.
func spiGroup(buf []byte, cycle uint32, n uint8, lsb bool) uint8 {
	bit := cycle * uint32(n)
	b, pos := buf[bit/8], uint8(bit%8)
	if lsb {
		return b >> pos & (1<<n - 1)
	}
	return b >> (8 - n - pos) & (1<<n - 1)
}

// spiSetGroup stores what spiGroup returns.
func spiSetGroup(buf []byte, cycle uint32, n uint8, lsb bool, v uint8) {
	bit := cycle * uint32(n)
	shift := uint8(bit % 8)
	if !lsb {
		shift = 8 - n - shift
	}
	mask := byte(1<<n-1) << shift
	buf[bit/8] = buf[bit/8]&^mask | v<<shift&mask
}

// cycle returns the clock cycle of the chunk at the present, and whether its
// middle edge has passed.
func (p *spi2) cycle() (n uint32, second bool) {
	t := uint64(p.now().Sub(p.s.Start))
	n = min(uint32(t/uint64(p.s.Period)), p.s.Cycles-1)
	return n, t-uint64(n)*uint64(p.s.Period) >= uint64(p.s.First)
}

// clockLevel returns the level of the clock line.
func (p *spi2) clockLevel() bool {
	p.split()
	high := p.has(sp2Misc, sp2MiscIdleHigh)
	if p.slave() || p.s.Cycles == 0 || !clockRuns(p.s.Phase) || p.has(sp2Misc, sp2MiscClkDis) {
		return high
	}
	_, second := p.cycle()
	return p.s.IdleHigh != (second != p.s.CPHA)
}

// lane returns the level of a data line, where it is an output.
func (p *spi2) lane(i int) bool {
	p.split()
	if p.halfDuplex() {
		return p.s.Half.Levels>>i&1 != 0
	}
	if p.slave() {
		return i == 1 && p.s.Slave.Level
	}
	if p.s.OutBits > uint8(i) && p.s.Cycles > 0 && clockRuns(p.s.Phase) {
		n, _ := p.cycle()
		return p.outGroup(n)>>i&1 != 0
	}
	return p.get(sp2Ctrl)>>spiLanePol[i]&1 != 0
}

func (p *spi2) outGroup(cycle uint32) uint8 {
	return spiGroup(p.s.Out[:], cycle, p.s.OutBits, p.has(sp2Ctrl, sp2CtrlWrLSB))
}

// watched reports whether something depends on each edge of a line.
func (p *spi2) watched() bool {
	g := p.soc.gpio
	if g.isWatched(sigFSPICLK) {
		return true
	}
	for _, n := range spiLaneIn {
		if g.isWatched(n) {
			return true
		}
	}
	return false
}

// lineWatched is called when something starts or ceases to depend on a line.
func (p *spi2) lineWatched(on bool) {
	p.split()
	if !on || p.s.Cycles == 0 || !clockRuns(p.s.Phase) || p.edge.Armed() {
		return
	}
	n, _ := p.cycle()
	p.s.Step = 2 * (n + 1)
	p.armEdge()
}

// armEdge arms the timer for the next half cycle of the chunk, if there is one.
func (p *spi2) armEdge() {
	if p.s.Step/2 >= p.s.Cycles {
		p.edge.Stop()
		return
	}
	p.edge.Set(p.stepAt())
}

// stepAt returns the instant of the next half cycle.
func (p *spi2) stepAt() chip.Time {
	n, half := p.s.Step/2, p.s.Step&1
	return p.s.Start.Add(chip.Duration(uint64(n)*uint64(p.s.Period) + uint64(half*p.s.First)))
}

// halfCycle shows half a clock cycle: in the first half the outputs change, at
// its end the inputs are sampled.
func (p *spi2) halfCycle() {
	if p.s.Cycles == 0 {
		return
	}
	n, second := p.s.Step/2, p.s.Step&1 != 0
	before := p.at
	p.at = p.stepAt()
	defer func() { p.at = before }()
	p.s.Step++
	g := p.soc.gpio
	if second && p.s.InBits > 0 {
		p.sample(n + 1)
	}
	clk := p.s.IdleHigh != (second != p.s.CPHA)
	if !second {
		if p.s.CPHA {
			p.driveClock(clk)
		} else {
			p.driveClock(p.s.IdleHigh)
		}
		if p.s.OutBits > 0 {
			v := p.outGroup(n)
			for i := range int(p.s.OutBits) {
				g.drive(spiLaneIn[i], v>>i&1 != 0)
			}
		}
	} else {
		p.driveClock(clk)
	}
	if p.s.Cycles > 0 {
		p.armEdge()
	}
}

func (p *spi2) driveClock(high bool) {
	if !p.has(sp2Misc, sp2MiscClkDis) {
		p.soc.gpio.drive(sigFSPICLK, high)
	}
}

// sample records the inputs of the clock cycles before n, which have had their
// present levels since the last that was recorded.
func (p *spi2) sample(n uint32) {
	lsb := p.has(sp2Ctrl, sp2CtrlRdLSB)
	for n = min(n, p.s.Cycles); p.s.Sampled < n; p.s.Sampled++ {
		v := p.s.Levels
		if p.s.InBits == 1 && !p.has(sp2User, sp2UserSIO) {
			v >>= 1 // FSPIQ
		}
		spiSetGroup(p.s.In[:], p.s.Sampled, p.s.InBits, lsb, v&(1<<p.s.InBits-1))
	}
}

// inputChanged is called when an input line changes: those clock cycles whose
// sampling edge has passed had the level before.
func (p *spi2) inputChanged(i int, high bool) {
	if p.s.Cycles > 0 && p.s.InBits > 0 && clockRuns(p.s.Phase) {
		if t := uint64(p.now().Sub(p.s.Start)); t > uint64(p.s.First) {
			p.sample(uint32((t-uint64(p.s.First)-1)/uint64(p.s.Period)) + 1)
		}
	}
	p.s.Levels &^= 1 << i
	if high {
		p.s.Levels |= 1 << i
	}
}

// enableLines enables the outputs that the current phase drives. Lines 2 and 3
// are at their idle level while two or fewer carry data, which keeps a memory's
// WP and HOLD inactive.
func (p *spi2) enableLines() {
	g := p.soc.gpio
	for i, n := range spiLaneIn {
		on := false
		switch {
		case p.s.OutBits > 0:
			on = uint8(i) < p.s.OutBits || i >= 2
		case p.s.InBits > 0:
			on = p.s.InBits < 4 && i >= 2
		case p.has(sp2User, sp2UserDuplex):
			on = i == 0
		default:
			on = i >= 2
		}
		g.enableOutput(n, on)
	}
}

// quiet sets the clock and the data lines to their idle levels.
func (p *spi2) quiet() {
	g := p.soc.gpio
	g.drive(sigFSPICLK, p.has(sp2Misc, sp2MiscIdleHigh))
	for i, n := range spiLaneIn {
		g.drive(n, p.get(sp2Ctrl)>>spiLanePol[i]&1 != 0)
	}
}

// idle sets the lines as they are between transfers.
func (p *spi2) idle() {
	if p.s.Phase != spiIdle {
		return
	}
	g := p.soc.gpio
	if p.slave() {
		p.slaveLines()
		return
	}
	p.selectDevice(p.has(sp2Misc, sp2MiscKeepCS) && p.s.Selected)
	p.quiet()
	for i, n := range spiLaneIn {
		g.enableOutput(n, i == 0 && p.has(sp2User, sp2UserDuplex))
	}
}

// selectDevice drives the chip selects that are not disabled.
func (p *spi2) selectDevice(active bool) {
	misc := p.get(sp2Misc)
	for i, n := range spiCS {
		high := misc>>(7+i)&1 != 0 // MASTER_CS_POL: active high
		p.soc.gpio.drive(n, high == (active && misc>>i&1 == 0))
	}
	p.s.Selected = active
}
