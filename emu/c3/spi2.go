package c3

import (
	"encoding/binary"

	"espalier.dev/espalier/emu/chip"
)

// SPI2 registers, TRM 27.7.
const (
	sp2Cmd     = 0x00
	sp2Addr    = 0x04
	sp2Ctrl    = 0x08
	sp2Clock   = 0x0c
	sp2User    = 0x10
	sp2User1   = 0x14
	sp2User2   = 0x18
	sp2Dlen    = 0x1c
	sp2Misc    = 0x20
	sp2DMAConf = 0x30
	sp2IntEna  = 0x34
	sp2IntClr  = 0x38
	sp2IntRaw  = 0x3c
	sp2IntSt   = 0x40
	sp2W0      = 0x98
	sp2Words   = 16
	sp2Slave   = 0xe0
	sp2Slave1  = 0xe4
	sp2ClkGate = 0xe8

	sp2CmdUpdate    = 1 << 23
	sp2CmdUser      = 1 << 24
	sp2UserDuplex   = 1 << 0 // DOUTDIN: full duplex
	sp2UserQPI      = 1 << 3
	sp2UserTSck     = 1 << 5 // slave: the output changes at the rising edge
	sp2UserCSHold   = 1 << 6
	sp2UserCSSetup  = 1 << 7
	sp2UserRSck     = 1 << 8 // slave: the input is sampled at the falling edge
	sp2UserOutEdge  = 1 << 9
	sp2UserConfNext = 1 << 15
	sp2UserSIO      = 1 << 17 // input and output on one line
	sp2UserMisoHigh = 1 << 24
	sp2UserMosiHigh = 1 << 25
	sp2UserMosi     = 1 << 27
	sp2UserMiso     = 1 << 28
	sp2UserDummy    = 1 << 29
	sp2UserAddr     = 1 << 30
	sp2UserCommand  = 1 << 31
	sp2EndOnFull    = 1 << 16 // USER1: MST_WFULL_ERR_END_EN
	sp2EndOnEmpty   = 1 << 27 // USER2: MST_REMPTY_ERR_END_EN
	sp2CtrlRdLSB    = 1 << 25
	sp2CtrlWrLSB    = 1 << 26
	sp2ClockDirect  = 1 << 31 // CLK_EQU_SYSCLK
	sp2MiscClkDis   = 1 << 6
	sp2MiscIdleHigh = 1 << 29
	sp2MiscKeepCS   = 1 << 30
	sp2SlaveMode    = 1 << 26
	sp2SlaveReset   = 1 << 27
	sp2SlaveConf    = 1 << 28 // USR_CONF: a transfer of segments
	sp2GateActive   = 1 << 1  // MST_CLK_ACTIVE
	sp2GatePLL      = 1 << 2  // MST_CLK_SEL: 80 MHz, else the crystal
	sp2DMAEOF       = 1 << 21
	sp2DMARx        = 1 << 27
	sp2DMATx        = 1 << 28
	sp2DMAResets    = 7 << 29
)

// Interrupts of SPI2.
const (
	sp2InFIFOFull   = 1 << 0
	sp2OutFIFOEmpty = 1 << 1
	sp2TransDone    = 1 << 12
	sp2SegDone      = 1 << 13
	sp2SegMagic     = 1 << 14
	sp2RxFull       = 1 << 17
	sp2TxEmpty      = 1 << 18
	sp2App2         = 1 << 19
	sp2App1         = 1 << 20
	sp2IntAll       = 1<<21 - 1
)

// Phases of a master's transfer, in their order, TRM 27.5.4.
const (
	spiIdle = iota
	spiConf
	spiSetup
	spiCommand
	spiAddress
	spiDummy
	spiOut // full duplex: input, too
	spiIn
	spiHold
	spiFinished
)

const (
	spiChunk   = 64 // bytes that are moved to and from DMA or W0 to W15 at once
	sp2Bytes   = 4 * sp2Words
	spiMaxOver = 64 // bytes that the FIFOs take when no descriptor is left
)

// spi2 is the general-purpose SPI controller, TRM 27: master with segmented
// transfers (this file) and slave (spi2slave.go, spi2halfduplex.go), with data from W0 to W15 or by
// DMA, on one, two or four lines.
//
// A master's phases are divided into chunks of clock cycles. DMA and the
// registers take part at the ends of chunks. Between them the lines have their
// levels at the instants of the bits: each edge is shown when something depends
// on it, and computed when it is read else. Inputs are sampled at the instants
// that the clock gives, whatever changes them.
//
// UPDATE has an effect on the length of a running transfer only: other registers
// are used at the start of a transfer as they are then. The delays of DIN_MODE,
// DIN_NUM and DOUT_MODE, fractions of a clock cycle, are not modelled.
type spi2 struct {
	block
	soc  *soc
	intr interrupts
	end  *chip.Timer // of the current chunk
	edge *chip.Timer // half cycle of the clock, while a line is watched
	at   chip.Time   // instant of the step that is being done, 0 outside of steps

	single bool   // chunks are never joined; for tests
	ahead  ahead  // chunks that were joined with the one in progress
	bits   []byte // scratch of burst and pass

	s struct {
		Busy            bool
		Phase           uint8
		Segment         bool   // part of a segmented transfer
		Left            uint32 // clock cycles of the phase after the current chunk
		Done            uint32 // bits of the data phase before the current chunk
		Start           chip.Time
		Cycles          uint32 // clock cycles of the chunk
		Period, First   uint32 // ticks of a clock cycle, and up to its middle edge
		Step            uint32 // next half cycle to show
		Sampled         uint32 // clock cycles whose inputs were sampled
		OutBits, InBits uint8  // lines in use: 0, 1, 2, 4
		Levels          uint8  // of the input lines
		CPHA, IdleHigh  bool
		Out, In         [spiChunk]byte
		Selected        bool   // the chip selects that are not disabled are active
		Over            uint32 // received bytes for which there was no descriptor
		Slave           spiSlaveState
		Half            spiHalfDuplex
	}
}

// spiLane numbers the data lines: bit 0 of a group of bits is on line 0.
var (
	spiLaneIn  = [4]signal{sigFSPID, sigFSPIQ, sigFSPIWP, sigFSPIHD}
	spiCS      = [6]signal{sigFSPICS0, 69, 71, 70, 72, 73}
	spiLanePol = [4]uint{19, 18, 21, 20} // CTRL: D_POL, Q_POL, WP_POL, HOLD_POL
)

func newSPI2(c *soc) *spi2 {
	p := &spi2{soc: c}
	p.intr.line = c.intc.source(srcSPI2)
	p.end = c.m.NewProbe(p.chunkEnd) // which chunks are joined depends on who looks at the pins
	p.edge = c.m.NewProbe(p.halfCycle)
	p.block = newBlock("SPI2", 0x60024000, []reg{
		{sp2Cmd, "CMD", 0}, {sp2Addr, "ADDR", 0}, {sp2Ctrl, "CTRL", 0x3c0000}, {sp2Clock, "CLOCK", 0x80003043},
		{sp2User, "USER", 0x800000c0}, {sp2User1, "USER1", 0xb8410007}, {sp2User2, "USER2", 0x78000000},
		{sp2Dlen, "MS_DLEN", 0}, {sp2Misc, "MISC", 0x3e}, {0x24, "DIN_MODE", 0}, {0x28, "DIN_NUM", 0},
		{0x2c, "DOUT_MODE", 0}, {sp2DMAConf, "DMA_CONF", 3}, {sp2IntEna, "DMA_INT_ENA", 0},
		{sp2IntClr, "DMA_INT_CLR", 0}, {sp2IntRaw, "DMA_INT_RAW", 0}, {sp2IntSt, "DMA_INT_ST", 0},
		{0x44, "DMA_INT_SET", 0}, {sp2Slave, "SLAVE", 0x2800000}, {sp2Slave1, "SLAVE1", 0},
		{sp2ClkGate, "CLK_GATE", 0}, {0xf0, "DATE", 0x2007220},
	})
	p.know(sp2W0, sp2W0+4*(sp2Words-1))
	g := c.gpio
	g.nets.BeforeChange(p.split)
	c.m.OnRun(p.split)
	for i, n := range spiLaneIn {
		g.lazily(n, func() bool { return p.lane(i) }, p.lineWatched)
		g.observe(n, func(high bool) { p.inputChanged(i, high) })
	}
	g.lazily(sigFSPICLK, p.clockLevel, p.lineWatched)
	g.observe(sigFSPICLK, p.slaveClock)
	g.observe(sigFSPICS0, p.slaveSelect)
	return p
}

func (p *spi2) read(off uint32) uint32 {
	switch off {
	case sp2Cmd:
		v := p.get(sp2Cmd) & 0x3ffff
		if p.s.Busy {
			v |= sp2CmdUser
		}
		return v
	case sp2IntClr, 0x44:
		return 0
	case sp2IntRaw:
		return p.intr.Raw
	case sp2IntSt:
		return p.intr.status()
	case sp2IntEna:
		return p.intr.Ena
	}
	return p.block.read(off)
}

func (p *spi2) write(off, v uint32) {
	p.split()
	switch off {
	case sp2Cmd:
		p.block.write(off, v&0x3ffff)
		if v&sp2CmdUpdate != 0 {
			p.update()
		}
		if v&sp2CmdUser != 0 && !p.s.Busy {
			p.start()
		}
	case sp2IntEna:
		p.intr.enable(v & sp2IntAll)
	case sp2IntClr:
		p.intr.clear(v)
	case 0x44:
		p.intr.raise(v & sp2IntAll)
	case sp2IntRaw: // software may set APP1 and APP2
		p.intr.raise(v & (sp2App1 | sp2App2))
	case sp2IntSt, sp2Slave1:
	case sp2DMAConf:
		p.block.write(off, v&^uint32(sp2DMAResets))
	case sp2Slave:
		p.block.write(off, v&^uint32(sp2SlaveReset))
		if v&sp2SlaveReset != 0 {
			p.stop()
		}
		p.idle()
	case sp2ClkGate:
		p.block.write(off, v)
		if p.s.Busy && p.s.Phase == spiIdle && !p.slave() {
			p.start()
		}
	case sp2User, sp2Ctrl, sp2Misc:
		before := p.rising()
		p.block.write(off, v)
		if p.rising() != before {
			p.soc.gpio.rewatch()
		}
		if p.s.Phase == spiIdle {
			p.idle()
		}
	default:
		p.block.write(off, v)
	}
}

func (p *spi2) slave() bool { return p.get(sp2Slave)&sp2SlaveMode != 0 }

func (p *spi2) has(reg, bit uint32) bool { return p.get(reg)&bit != 0 }

// timing derives a clock cycle from CLOCK and CLK_GATE.
func (p *spi2) timing() {
	tick := uint32(xtalTicks)
	if p.has(sp2ClkGate, sp2GatePLL) {
		tick = 2
	}
	clk := p.get(sp2Clock)
	pre, n, high := field(clk, 21, 18)+1, field(clk, 17, 12)+1, field(clk, 11, 6)+1
	if clk&sp2ClockDirect != 0 {
		pre, n, high = 1, 1, 0
	}
	p.s.Period = tick * pre * n
	p.s.First = p.s.Period / 2
	if high > 0 && high < n {
		p.s.First = p.s.Period - tick*pre*high
	}
	p.s.First = max(p.s.First, 1)
	p.s.IdleHigh = p.has(sp2Misc, sp2MiscIdleHigh)
	p.s.CPHA = p.s.IdleHigh != p.has(sp2User, sp2UserOutEdge)
}

// start begins a transfer.
func (p *spi2) start() {
	p.s.Busy = true
	if p.slave() {
		p.slaveStart()
		return
	}
	if !p.has(sp2ClkGate, sp2GateActive) {
		return // without a clock: it waits
	}
	p.s.Over = 0
	p.s.Phase = spiConf
	if p.s.Segment = p.has(sp2Slave, sp2SlaveConf); p.s.Segment {
		p.configure()
		return
	}
	p.next()
}

// configure is the CONF phase of a segmented transfer, TRM 27.5.8.5: DMA brings
// a bit map with a magic value, and new values of the registers that it names.
func (p *spi2) configure() {
	p.s.Phase = spiConf
	p.s.Cycles, p.s.Left = 0, 0
	out := p.soc.gdma.transmitter(dmaSPI2)
	if out == nil {
		p.intr.raise(sp2OutFIFOEmpty | sp2TxEmpty)
		p.segmentsDone()
		return
	}
	var word [4]byte
	next := func() (uint32, bool) {
		n := out.pullAll(word[:])
		return binary.LittleEndian.Uint32(word[:]), n == len(word)
	}
	bitmap, ok := next()
	if magic := field(p.get(sp2Slave), 25, 22); ok && bitmap>>28 != magic {
		p.intr.raise(sp2SegMagic)
		p.segmentsDone()
		return
	}
	for i, reg := range spiConfRegs {
		if !ok || bitmap>>i&1 == 0 {
			continue
		}
		var v uint32
		if v, ok = next(); ok {
			p.write(reg, v)
		}
	}
	if !ok {
		p.intr.raise(sp2OutFIFOEmpty | sp2TxEmpty)
		p.segmentsDone()
		return
	}
	p.s.Start = p.now().Add(chip.Duration(uint64(field(p.get(sp2Cmd), 17, 0)+1) * p.soc.apbTicks()))
	p.end.Set(p.s.Start)
}

// spiConfRegs are the registers of the bit map, from bit 0 on.
var spiConfRegs = [...]uint32{
	sp2Addr, sp2Ctrl, sp2Clock, sp2User, sp2User1, sp2User2, sp2Dlen, sp2Misc, 0x24, 0x28, 0x2c, sp2DMAConf,
	sp2IntEna, sp2IntClr,
}

// next begins the next phase that has clock cycles.
func (p *spi2) next() {
	p.timing()
	for p.s.Phase < spiFinished {
		p.s.Phase++
		cycles := p.phase()
		if cycles == 0 {
			continue
		}
		if p.selectDevice(true); !clockRuns(p.s.Phase) {
			p.quiet()
		}
		p.s.Left, p.s.Done = cycles, 0
		p.chunk()
		return
	}
	p.finish()
}

// phase returns the clock cycles of the current phase, and sets how many lines
// it uses in each direction and, where it has a fixed value, its output.
func (p *spi2) phase() (cycles uint32) {
	user, ctrl := p.get(sp2User), p.get(sp2Ctrl)
	p.s.OutBits, p.s.InBits = 0, 0
	lines := func(dual, quad bool) uint8 {
		switch {
		case quad || user&sp2UserQPI != 0:
			return 4
		case dual:
			return 2
		}
		return 1
	}
	over := func(bits uint32, lines uint8) uint32 { return (bits + uint32(lines) - 1) / uint32(lines) }
	bits := field(p.get(sp2Dlen), 17, 0) + 1
	duplex := user&sp2UserDuplex != 0
	switch p.s.Phase {
	case spiSetup:
		if user&sp2UserCSSetup != 0 {
			return field(p.get(sp2User1), 21, 17) + 1
		}
	case spiCommand:
		if user&sp2UserCommand != 0 {
			p.s.OutBits = lines(ctrl>>8&1 != 0, ctrl>>9&1 != 0)
			binary.LittleEndian.PutUint16(p.s.Out[:], uint16(p.get(sp2User2)))
			return over(p.get(sp2User2)>>28+1, p.s.OutBits)
		}
	case spiAddress:
		if user&sp2UserAddr != 0 {
			p.s.OutBits = lines(ctrl>>5&1 != 0, ctrl>>6&1 != 0)
			binary.BigEndian.PutUint32(p.s.Out[:], p.get(sp2Addr))
			return over(p.get(sp2User1)>>27+1, p.s.OutBits)
		}
	case spiDummy:
		if user&sp2UserDummy != 0 {
			return field(p.get(sp2User1), 7, 0) + 1
		}
	case spiOut:
		if user&sp2UserMosi != 0 || duplex && user&sp2UserMiso != 0 {
			p.s.OutBits = lines(user>>12&1 != 0, user>>13&1 != 0)
			if duplex && user&sp2UserMiso != 0 {
				p.s.InBits = p.s.OutBits
			}
			return over(bits, p.s.OutBits)
		}
	case spiIn:
		if !duplex && user&sp2UserMiso != 0 {
			p.s.InBits = lines(ctrl>>14&1 != 0, ctrl>>15&1 != 0)
			return over(bits, p.s.InBits)
		}
	case spiHold:
		if user&sp2UserCSHold != 0 {
			return field(p.get(sp2User1), 26, 22)
		}
	}
	return 0
}

// clockRuns reports whether the clock runs in a phase.
func clockRuns(phase uint8) bool { return phase >= spiCommand && phase <= spiIn }

// lines returns how many lines the current phase uses.
func (p *spi2) lines() uint32 { return uint32(max(p.s.OutBits, p.s.InBits, 1)) }

// chunk begins the next chunk of the current phase.
func (p *spi2) chunk() {
	n := min(p.s.Left, spiChunk*8/p.lines())
	if p.s.Phase == spiOut {
		n = p.fetch(n)
		if n == 0 {
			p.next()
			return
		}
	}
	p.s.Left -= n
	p.s.Start, p.s.Cycles, p.s.Step, p.s.Sampled = p.now(), n, 0, 0
	p.s.In = [spiChunk]byte{}
	p.enableLines()
	p.end.Set(p.s.Start.Add(chip.Duration(uint64(n) * uint64(p.s.Period))))
	switch {
	case !clockRuns(p.s.Phase):
	case p.shows():
		p.halfCycle()
	default:
		p.join()
	}
}

// fetch gets the output for n clock cycles, and returns for how many there is
// some: DMA may have none left.
func (p *spi2) fetch(n uint32) uint32 {
	count := (n*p.lines() + 7) / 8
	buf := p.s.Out[:count]
	clear(buf)
	switch {
	case !p.has(sp2User, sp2UserMosi): // full duplex without output
	case p.has(sp2DMAConf, sp2DMATx):
		got := 0
		if out := p.soc.gdma.transmitter(dmaSPI2); out != nil {
			got = out.pullAll(buf)
		}
		if got < len(buf) {
			p.intr.raise(sp2OutFIFOEmpty | sp2TxEmpty)
			if p.has(sp2User2, sp2EndOnEmpty) {
				p.s.Left = min(n, uint32(got)*8/p.lines())
				return p.s.Left
			}
		}
	default:
		p.copyOut(buf, p.s.Done/8)
	}
	return n
}

// copyOut reads W0 to W15 from byte at on, or W8 to W15, round and round.
func (p *spi2) copyOut(buf []byte, at uint32) {
	w := p.bytes(sp2W0, sp2Bytes)
	if p.has(sp2User, sp2UserMosiHigh) {
		w = w[sp2Bytes/2:]
	}
	for i := range buf {
		buf[i] = w[(at+uint32(i))%uint32(len(w))]
	}
}

// copyIn is the opposite of copyOut.
func (p *spi2) copyIn(buf []byte, at uint32) {
	first, size := uint32(0), uint32(sp2Bytes)
	if p.has(sp2User, sp2UserMisoHigh) {
		first, size = sp2Bytes/2, sp2Bytes/2
	}
	for i, b := range buf {
		pos := first + (at+uint32(i))%size
		reg, shift := sp2W0+pos&^3, pos&3*8
		p.set(reg, p.get(reg)&^(0xff<<shift)|uint32(b)<<shift)
	}
}

// now returns the present. During a step it is the instant at which the step is
// due: a CPU with a slow clock makes several at once.
func (p *spi2) now() chip.Time {
	if p.at != 0 {
		return p.at
	}
	return p.soc.m.Now()
}

// chunkEnd is the end of a chunk.
func (p *spi2) chunkEnd() {
	p.joinedEnd()
	p.at = p.s.Start.Add(chip.Duration(uint64(p.s.Cycles) * uint64(p.s.Period)))
	defer func() { p.at = 0 }()
	if p.s.Phase == spiConf {
		p.next()
		return
	}
	bits := p.s.Cycles * p.lines()
	p.burst(p.s.Out[:], p.s.Cycles)
	if p.s.InBits > 0 {
		p.sample(p.s.Cycles)
		p.deliver(p.s.In[:(bits+7)/8])
	}
	p.s.Done += bits
	if p.s.Left > 0 {
		p.chunk()
		return
	}
	p.s.Cycles = 0
	p.edge.Stop()
	p.next()
}

// deliver stores what a chunk has received.
func (p *spi2) deliver(buf []byte) {
	if !p.has(sp2DMAConf, sp2DMARx) {
		p.copyIn(buf, p.s.Done/8)
		return
	}
	n := 0
	if in := p.soc.gdma.receiver(dmaSPI2); in != nil {
		n = in.push(buf, p.s.Left == 0)
	}
	if p.s.Over += uint32(len(buf) - n); p.s.Over > spiMaxOver {
		p.intr.raise(sp2InFIFOFull | sp2RxFull)
		if p.has(sp2User1, sp2EndOnFull) {
			p.s.Left = 0
		}
	}
}

// update is CMD.UPDATE during a transfer: a length that has been reached ends it
// with the current byte.
func (p *spi2) update() {
	if !p.s.Busy || p.s.Cycles == 0 || p.s.Phase != spiOut && p.s.Phase != spiIn {
		return
	}
	cycle := uint32(uint64(p.now().Sub(p.s.Start)) / uint64(p.s.Period))
	done := (p.s.Done + min(cycle+1, p.s.Cycles)*p.lines() + 7) &^ 7
	total := max(field(p.get(sp2Dlen), 17, 0)+1, done)
	inChunk := (total - p.s.Done + p.lines() - 1) / p.lines()
	if inChunk >= p.s.Cycles {
		p.s.Left = min(p.s.Left, inChunk-p.s.Cycles)
		return
	}
	p.s.Left, p.s.Cycles = 0, inChunk
	p.end.Set(p.s.Start.Add(chip.Duration(uint64(inChunk) * uint64(p.s.Period))))
}

// finish ends a transfer, or a segment of one.
func (p *spi2) finish() {
	p.s.Phase, p.s.Cycles, p.s.Left = spiIdle, 0, 0
	if p.s.Segment && p.has(sp2User, sp2UserConfNext) && p.intr.Raw&sp2SegMagic == 0 {
		p.idle()
		p.configure()
		return
	}
	if p.s.Segment {
		p.segmentsDone()
		return
	}
	p.s.Busy = false
	p.idle()
	p.intr.raise(sp2TransDone)
}

// segmentsDone ends a segmented transfer, after its last segment or an error.
func (p *spi2) segmentsDone() {
	p.s.Phase, p.s.Busy, p.s.Segment = spiIdle, false, false
	p.idle()
	p.intr.raise(sp2SegDone)
}

// stop abandons a transfer.
func (p *spi2) stop() {
	p.split()
	if p.s.Cycles > 0 && clockRuns(p.s.Phase) && !p.slave() {
		n, second := p.cycle()
		if second {
			n++
		}
		p.burst(p.s.Out[:], n)
	}
	p.end.Stop()
	p.edge.Stop()
	p.s.Busy, p.s.Phase, p.s.Cycles, p.s.Left, p.s.Segment = false, spiIdle, 0, 0, false
	p.slaveReset()
}

func (p *spi2) reset() {
	p.block.reset()
	p.intr.reset(0)
	p.stop()
	p.idle()
}

func (p *spi2) state(s *chip.State) {
	s.Fixed(&p.words, &p.intr.Raw, &p.intr.Ena, &p.s)
	if s.Loading() {
		p.ahead.n = 0
	}
}
