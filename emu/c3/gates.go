package c3

// gate is a clock gate of PERIP_CLK_EN0 or 1, TRM 16.3: without its clock a
// block keeps its registers, ignores writes and reads as a constant. The table
// only has blocks whose value was read on a chip or that belong to the same
// group; the registers of the others have a separate clock.
type gate struct {
	name   string
	reg    uint32 // sysPeripClkEn0 or 1
	bit    uint
	answer uint32
}

var gates = [...]gate{
	{"TWAI", sysPeripClkEn0, 19, 0x0008fe10},
	{"UHCI0", sysPeripClkEn0, 8, 0},
	{"RMT", sysPeripClkEn0, 9, 0},
	{"I2S0", sysPeripClkEn0, 21, 0},
	{"AES", sysPeripClkEn1, 1, 0},
	{"SHA", sysPeripClkEn1, 2, 0},
	{"RSA", sysPeripClkEn1, 3, 0},
	{"DS", sysPeripClkEn1, 4, 0},
	{"HMAC", sysPeripClkEn1, 5, 0},
	{"GDMA", sysPeripClkEn1, 6, 0},
}

// gated is a block without clock on the bus.
type gated struct {
	device
	answer uint32
}

func (g gated) read(uint32) uint32 { return g.answer }
func (g gated) write(_, _ uint32)  {}

// gateClocks attaches each block with a gate, or its gated form, after a change
// of PERIP_CLK_EN.
func (c *soc) gateClocks() {
	for i, g := range gates {
		d := c.gated[i]
		if d == nil {
			continue // while the chip is built
		}
		if other := c.instead[g.name]; other != nil {
			d = other
		}
		_, plain := d.(inert)
		if plain || c.system.get(g.reg)>>g.bit&1 != 0 {
			c.bus.attach(d)
		} else {
			c.bus.attach(gated{d, g.answer})
		}
	}
}

// findGated finds the blocks of gates.
func (c *soc) findGated() {
	for i, g := range gates {
		for _, d := range c.devices {
			if d.store().name == g.name {
				c.gated[i] = d
			}
		}
	}
}
