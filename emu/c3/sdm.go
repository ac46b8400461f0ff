package c3

import "espalier.dev/espalier/emu/chip"

// GPIO_SD registers, TRM 5.14 (sigma-delta modulation).
const (
	sdmChannels   = 4
	sdmClockGate  = 0x20
	sdmMisc       = 0x24
	sdmVersion    = 0x28
	sdmFunctionOn = 1 << 30
)

// sdm is GPIO_SD, TRM 5.9: four channels of first-order sigma-delta modulation. At
// each tick of APB / (PRESCALE + 1) a channel adds IN + 128 to an accumulator of
// eight bits; the output is the carry.
type sdm struct {
	block
	soc *soc
	ch  [sdmChannels]sdmChan
}

type sdmChan struct {
	*sdm
	n uint32
	s struct {
		Since chip.Time
		Acc   uint32 // at Since
	}
	edge *chip.Timer
}

func newSDM(c *soc) *sdm {
	d := &sdm{soc: c}
	d.block = newBlock("GPIO_SD", 0x60004f00, []reg{
		{0x00, "SIGMADELTA0", 0xff00}, {0x04, "SIGMADELTA1", 0xff00}, {0x08, "SIGMADELTA2", 0xff00}, {0x0c, "SIGMADELTA3", 0xff00},
		{sdmClockGate, "CLOCK_GATE", 0}, {sdmMisc, "SIGMADELTA_MISC", 0}, {sdmVersion, "SIGMADELTA_VERSION", 0x2006230},
	})
	for n := range d.ch {
		ch := &d.ch[n]
		ch.sdm, ch.n = d, uint32(n)
		ch.edge = c.m.NewProbe(ch.show)
		c.gpio.lazily(ch.signal(), ch.level, func(on bool) {
			ch.edge.Stop()
			if on {
				ch.show()
			}
		})
	}
	return d
}

func (d *sdm) write(off, v uint32) {
	for n := range d.ch {
		d.ch[n].fold()
	}
	d.block.write(off, v)
	for n := range d.ch {
		d.ch[n].show()
	}
}

func (ch *sdmChan) signal() signal { return sigGPIOSD0 + signal(ch.n) }

// duty returns what is added at each tick, of 256.
func (ch *sdmChan) duty() uint64 { return uint64(uint8(ch.get(4*ch.n)) + 128) }

// tick returns the guest ticks of a tick.
func (ch *sdmChan) tick() uint64 {
	return (uint64(field(ch.get(4*ch.n), 15, 8)) + 1) * ch.soc.apbTicks()
}

// ticks returns the ticks since Since.
func (ch *sdmChan) ticks() uint64 {
	if ch.get(sdmMisc)&sdmFunctionOn == 0 {
		return 0
	}
	return uint64(ch.soc.m.Now().Sub(ch.s.Since)) / ch.tick()
}

// fold keeps the accumulator before the registers change.
func (ch *sdmChan) fold() {
	ch.s.Acc = uint32(uint64(ch.s.Acc)+ch.ticks()*ch.duty()) & 0xff
	ch.s.Since = ch.soc.m.Now()
}

// carry reports the output after n ticks.
func (ch *sdmChan) carry(n uint64) bool {
	sum := uint64(ch.s.Acc) + n*ch.duty()
	return n > 0 && sum>>8 != (sum-ch.duty())>>8
}

func (ch *sdmChan) level() bool { return ch.carry(ch.ticks()) }

// show drives the output if something depends on it.
func (ch *sdmChan) show() {
	g := ch.soc.gpio
	if !g.isWatched(ch.signal()) {
		return
	}
	ch.edge.Stop()
	n := ch.ticks()
	high := ch.carry(n)
	g.drive(ch.signal(), high)
	if ch.get(sdmMisc)&sdmFunctionOn == 0 {
		return
	}
	for i := n + 1; i <= n+257; i++ { // the pattern repeats after at most 256 ticks
		if ch.carry(i) != high {
			ch.edge.Set(ch.s.Since.Add(chip.Duration(i * ch.tick())))
			return
		}
	}
}

func (d *sdm) reset() {
	d.block.reset()
	for n := range d.ch {
		d.ch[n].s.Since, d.ch[n].s.Acc = d.soc.m.Now(), 0
		d.ch[n].show()
	}
}

func (d *sdm) state(s *chip.State) {
	s.Fixed(&d.words)
	for n := range d.ch {
		s.Fixed(&d.ch[n].s)
	}
}
