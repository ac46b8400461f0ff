package c3

// gate is a clock gate of PERIP_CLK_EN0 or 1, TRM 16.3: a block without its
// clock keeps its registers, ignores writes and answers reads with a constant.
// Only blocks are listed whose answer has been seen on a chip or that belong to
// the same group; the registers of the others have a clock of their own.
type gate struct {
	name   string
	reg    uint32 // sysPeripClkEn0 or 1
	bit    uint
	answer uint32
}

var gates = []gate{
	{"TWAI", sysPeripClkEn0, 19, 0x0008fe10},
	{"AES", sysPeripClkEn1, 1, 0},
	{"SHA", sysPeripClkEn1, 2, 0},
	{"RSA", sysPeripClkEn1, 3, 0},
	{"DS", sysPeripClkEn1, 4, 0},
	{"HMAC", sysPeripClkEn1, 5, 0},
	{"GDMA", sysPeripClkEn1, 6, 0},
}

// gated is a block without clock as the bus sees it.
type gated struct {
	device
	answer uint32
}

func (g gated) read(uint32) uint32 { return g.answer }
func (g gated) write(_, _ uint32)  {}

// gateClocks puts each block with a gate, or what it is without clock, on the
// bus, after a change of PERIP_CLK_EN.
func (c *soc) gateClocks() {
	for _, g := range gates {
		for _, d := range c.devices {
			if d.store().name != g.name || c.inert[g.name] {
				continue
			}
			on := c.system.get(g.reg)>>g.bit&1 != 0
			if on {
				c.bus.attach(d)
			} else {
				c.bus.attach(gated{d, g.answer})
			}
		}
	}
}
