package c3

import "espalier.dev/espalier/emu/chip"

// SPI2 registers, TRM 27.7.
const (
	sp2Cmd     = 0x00
	sp2User    = 0x10
	sp2Dlen    = 0x1c
	sp2DMAConf = 0x30
	sp2IntEna  = 0x34
	sp2IntClr  = 0x38
	sp2IntRaw  = 0x3c
	sp2IntSt   = 0x40
	sp2W0      = 0x98
	sp2Words   = 16

	sp2CmdUpdate = 1 << 23
	sp2CmdUser   = 1 << 24
	sp2UserMiso  = 1 << 28
	sp2DMARx     = 1 << 27
	sp2DMATx     = 1 << 28
	sp2TransDone = 1 << 12
)

// spi2 is the general-purpose SPI controller, TRM 27, as a master with nothing
// on its bus: a transfer is done at once and reads ones. Transfers by DMA are
// not modelled: starting one counts as unmodelled and has no effect. As a slave
// it never hears from a master; the ROM's loader looks there for one.
type spi2 struct {
	block
	soc  *soc
	intr interrupts
}

func newSPI2(c *soc) *spi2 {
	p := &spi2{soc: c}
	p.intr.line = c.intc.source(srcSPI2)
	p.block = newBlock("SPI2", 0x60024000, []reg{
		{sp2Cmd, "CMD", 0}, {0x04, "ADDR", 0}, {0x08, "CTRL", 0x3c0000}, {0x0c, "CLOCK", 0x80003043}, {sp2User, "USER", 0x800000c0},
		{0x14, "USER1", 0xb8410007}, {0x18, "USER2", 0x78000000}, {sp2Dlen, "MS_DLEN", 0}, {0x20, "MISC", 0x3e}, {0x24, "DIN_MODE", 0},
		{0x28, "DIN_NUM", 0}, {0x2c, "DOUT_MODE", 0}, {sp2DMAConf, "DMA_CONF", 3}, {sp2IntEna, "DMA_INT_ENA", 0}, {sp2IntClr, "DMA_INT_CLR", 0},
		{sp2IntRaw, "DMA_INT_RAW", 0}, {sp2IntSt, "DMA_INT_ST", 0}, {0xe0, "SLAVE", 0x2800000}, {0xe4, "SLAVE1", 0}, {0xe8, "CLK_GATE", 0},
		{0xf0, "DATE", 0x2007220},
	})
	p.know(sp2W0, sp2W0+4*(sp2Words-1))
	return p
}

func (p *spi2) read(off uint32) uint32 {
	switch off {
	case sp2Cmd, sp2IntClr:
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
	switch off {
	case sp2Cmd:
		if v&sp2CmdUser != 0 {
			p.transfer(v)
		}
	case sp2IntEna:
		p.intr.enable(v)
	case sp2IntClr:
		p.intr.clear(v)
	case sp2IntRaw, sp2IntSt:
	default:
		p.block.write(off, v)
	}
}

func (p *spi2) transfer(cmd uint32) {
	if p.get(sp2DMAConf)&(sp2DMARx|sp2DMATx) != 0 {
		p.soc.m.Unmodelled(p.name, p.base+sp2Cmd, true, cmd)
		return
	}
	if p.get(sp2User)&sp2UserMiso != 0 {
		bits := field(p.get(sp2Dlen), 17, 0) + 1
		for w := range min((bits+31)/32, sp2Words) {
			p.set(sp2W0+4*w, ^uint32(0))
		}
	}
	p.intr.raise(sp2TransDone)
}

func (p *spi2) reset() {
	p.block.reset()
	p.intr.reset(0)
}

func (p *spi2) state(s *chip.State) { s.Fixed(&p.words, &p.intr.Raw, &p.intr.Ena) }
