package c3

// Dedicated GPIO, TRM 1.14 (custom CSRs): eight channels that the CPU drives and
// reads in one cycle, connected to pads by the signals CPU_GPIO_0 to 7.
const (
	csrGPIOOEN = 0x803 // output enable, one bit for each channel
	csrGPIOIn  = 0x804 // read only
	csrGPIOOut = 0x805

	dedicatedChannels = 8
	dedicatedMask     = 1<<dedicatedChannels - 1
)

// LoadCSR implements rv32.CSRBus.
func (b *bus) LoadCSR(n uint16) (uint32, bool) {
	g := b.soc.gpio
	switch n {
	case csrGPIOOEN:
		return g.s.DedicatedEnable, true
	case csrGPIOIn:
		var v uint32
		for i := range signal(dedicatedChannels) {
			if g.input(sigCPUGPIO0 + i) {
				v |= 1 << i
			}
		}
		return v, true
	case csrGPIOOut:
		return g.s.DedicatedOut, true
	}
	return 0, false
}

// StoreCSR implements rv32.CSRBus.
func (b *bus) StoreCSR(n uint16, v uint32) bool {
	g := b.soc.gpio
	v &= dedicatedMask
	switch n {
	case csrGPIOOEN:
		g.setDedicated(v, g.s.DedicatedOut)
	case csrGPIOOut:
		g.setDedicated(g.s.DedicatedEnable, v)
	default:
		return false
	}
	b.soc.m.NoteWrite(uint32(n), v)
	return true
}

func (g *gpio) setDedicated(enable, out uint32) {
	g.s.DedicatedEnable, g.s.DedicatedOut = enable, out
	for i := range signal(dedicatedChannels) {
		g.enableOutput(sigCPUGPIO0+i, enable>>i&1 != 0)
		g.drive(sigCPUGPIO0+i, out>>i&1 != 0)
	}
}
