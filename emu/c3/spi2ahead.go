package c3

import (
	"slices"

	"espalier.dev/espalier/emu/chip"
)

// A transfer to a display is thousands of chunks that differ in nothing but their
// data. While nothing can tell them apart, a chunk takes the following ones with
// it: their data are fetched when it begins, and one timer ends them all. Whatever
// could tell (a write to the memory that they come from, to a register of SPI2,
// GDMA, GPIO or of the permission control, a change on any net of the board)
// calls split first: the chunks that have ended by then are handed on, the one
// that is in progress becomes an ordinary one, and the data of the rest go back to
// the DMA. So firmware and parts see what they see with single chunks
// (TestSPI2Ahead compares).
//
// The instant at which the single chunks would end is the same, except that
// something else which is due between that instant and the CPU cycle after it
// would come later; chunks are therefore only joined when they end with a cycle.

// ahead is the data of the chunks after the one in progress.
type ahead struct {
	data []byte
	n    uint32 // chunks
	from *dmaOut
}

// join takes whole chunks of the data phase that follow the one that has begun.
func (p *spi2) join() {
	g, out := p.soc.gdma, p.soc.gdma.transmitter(dmaSPI2)
	if p.single || p.s.Phase != spiOut || p.s.OutBits != 1 || p.s.InBits > 0 || p.s.Cycles != spiChunk*8 || out == nil || !out.s.Loaded ||
		!p.has(sp2User, sp2UserMosi) || !p.has(sp2DMAConf, sp2DMATx) || !p.soc.sensitive.dmaOpen[dmaSPI2] {
		return
	}
	cycle := uint64(p.soc.m.CPUPeriod())
	if uint64(p.s.Start)%cycle != 0 || uint64(p.s.Cycles)*uint64(p.s.Period)%cycle != 0 {
		return
	}
	// The descriptor keeps as much as the FIFO holds: what the registers of the
	// channel show does not change.
	rest := out.bytes() - out.s.Pos
	if rest < dmaFIFO+spiChunk {
		return
	}
	n := min((rest-dmaFIFO)/spiChunk, p.s.Left/(spiChunk*8))
	if n == 0 {
		return
	}
	from, size := out.s.Buf+out.s.Pos, n*spiChunk
	p.ahead.n, p.ahead.from = n, out
	p.ahead.data = slices.Grow(p.ahead.data[:0], int(size))[:size]
	g.readRAM(from, p.ahead.data)
	out.s.Pos += size
	p.soc.m.CPU.Memory().Watch(p.soc.sram1, from-sram1Data, size, p.split)
	p.end.Set(p.s.Start.Add(chip.Duration(uint64(1+n) * uint64(p.s.Cycles) * uint64(p.s.Period))))
}

// joinedEnd ends the chunks before the last of those that were joined.
func (p *spi2) joinedEnd() {
	n := p.ahead.n
	if n == 0 {
		return
	}
	p.ahead.n = 0
	p.soc.m.CPU.Memory().Watch(nil, 0, 0, nil)
	p.pass(n)
}

// pass goes on by n chunks, and hands those that have ended to the parts.
func (p *spi2) pass(n uint32) {
	if n == 0 {
		return
	}
	data := append(p.bits[:0], p.s.Out[:]...)
	data = append(data, p.ahead.data[:n*spiChunk]...)
	p.bits = data
	last := data[n*spiChunk:]
	copy(p.s.Out[:], last)
	p.burst(data[:n*spiChunk], n*p.s.Cycles)
	p.s.Done += n * p.s.Cycles
	p.s.Left -= n * p.s.Cycles
	p.s.Start = p.s.Start.Add(chip.Duration(uint64(n) * uint64(p.s.Cycles) * uint64(p.s.Period)))
}

// split makes the chunk in progress an ordinary one.
func (p *spi2) split() {
	n := p.ahead.n
	if n == 0 {
		return
	}
	p.ahead.n = 0
	p.soc.m.CPU.Memory().Watch(nil, 0, 0, nil)
	ended := min(n, uint32(uint64(p.soc.m.Now().Sub(p.s.Start))/(uint64(p.s.Cycles)*uint64(p.s.Period))))
	p.ahead.from.s.Pos -= (n - ended) * spiChunk
	p.pass(ended)
	p.end.Set(p.s.Start.Add(chip.Duration(uint64(p.s.Cycles) * uint64(p.s.Period))))
}
