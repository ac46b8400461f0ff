package c3

import "math/bits"

// A part such as a display takes a bit whenever the clock rises, and drives
// nothing. When clock and data of SPI2 lead to such parts only, each chunk of a
// transfer is handed to them at its end, and no edge is shown: what the parts
// receive is the same, at the end of the chunk instead of at each bit of it. The
// nets of these two pads keep the levels that they had.

// bursts returns the pads that are such lines of SPI2.
func (g *gpio) bursts() uint32 {
	clocks, data := g.matrix.carriers[sigFSPICLK]&g.wired, g.matrix.carriers[sigFSPID]&g.wired
	if bits.OnesCount32(clocks) != 1 || bits.OnesCount32(data) != 1 || !g.soc.spi2.rising() {
		return 0
	}
	c, d := bits.TrailingZeros32(clocks), bits.TrailingZeros32(data)
	if _, alone := g.nets.Takers(c, d); !alone || g.outputInverted(uint32(c)) || g.outputInverted(uint32(d)) {
		return 0
	}
	return clocks | data
}

// outputInverted reports whether a pad shows the opposite of its signal.
func (g *gpio) outputInverted(n uint32) bool {
	return g.iomux.isMatrix(n) && g.get(gpFuncOutSel0+4*n)&gpOutInv != 0
}

// regroup finds the lines that are not shown. Pads that cease to be one show their
// level again.
func (g *gpio) regroup() {
	before := g.burst
	if g.burst = g.bursts(); g.burst == before {
		return
	}
	for pads := before &^ g.burst & g.wired; pads != 0; pads &= pads - 1 {
		n := bits.TrailingZeros32(pads)
		g.nets.Preset(n, g.s.Levels>>n&1 != 0)
		g.nets.Drive(n, g.pads[n].now.source())
	}
}

// shows reports whether each edge of the chunk that begins is shown. Drivers
// connect the data line to the input of SPI2, too; when the chunk has no input and
// nothing else depends on the lines, parts that take bursts need no edges.
func (p *spi2) shows() bool {
	g := p.soc.gpio
	switch {
	case !p.watched():
		return false
	case p.s.InBits > 0 || g.burst == 0 || g.soc.m.PinsObserved():
		return true
	}
	for _, n := range [...]signal{sigFSPIQ, sigFSPIWP, sigFSPIHD} {
		if g.isWatched(n) {
			return true
		}
	}
	if (g.rising|g.falling|g.lowLevel|g.highLevel)&g.burst != 0 {
		return true
	}
	for pads := g.burst; pads != 0; pads &= pads - 1 {
		n := bits.TrailingZeros32(pads)
		if g.get(gpPin0+4*uint32(n))&gpWakeup != 0 {
			return true
		}
		for _, sig := range g.matrix.listeners[n] {
			if sig < sigFSPICLK || sig > sigFSPIWP {
				return true
			}
		}
	}
	return false
}

// rising reports whether a receiver that samples at the rising edge sees the bits:
// modes 0 and 3.
func (p *spi2) rising() bool {
	return !p.has(sp2User, sp2UserOutEdge) && !p.has(sp2Misc, sp2MiscClkDis) && !p.slave()
}

// burst hands the bits of the first cycles of data to the parts that take them so.
func (p *spi2) burst(data []byte, cycles uint32) {
	g := p.soc.gpio
	if g.burst == 0 || cycles == 0 || !clockRuns(p.s.Phase) {
		return
	}
	out := data
	if p.s.OutBits != 1 || p.has(sp2Ctrl, sp2CtrlWrLSB) {
		out = make([]byte, len(data))
	}
	switch {
	case p.s.OutBits == 0: // the data line rests
		fill := byte(0)
		if p.get(sp2Ctrl)>>spiLanePol[0]&1 != 0 {
			fill = 0xff
		}
		for i := range out {
			out[i] = fill
		}
	case p.s.OutBits > 1: // the part has line 0 alone
		for i := range cycles {
			spiSetGroup(out, i, 1, false, p.outGroup(i)&1)
		}
	case p.has(sp2Ctrl, sp2CtrlWrLSB):
		for i, b := range data {
			out[i] = bits.Reverse8(b)
		}
	}
	c := bits.TrailingZeros32(g.matrix.carriers[sigFSPICLK] & g.burst)
	d := bits.TrailingZeros32(g.matrix.carriers[sigFSPID] & g.burst)
	takes, _ := g.nets.Takers(c, d)
	for _, take := range takes {
		take(out, int(cycles))
	}
}
