package c3

import "math/bits"

// Clock sources, TRM 6.2: crystal, and the RC oscillators at their typical
// frequencies.
const (
	xtalHz    = 40_000_000
	rcFastHz  = 17_500_000
	rcSlowHz  = 136_000
	xtal32kHz = 32_768

	xtalTicks = 4 // guest ticks per crystal cycle
)

// apbTicks returns the guest ticks per APB cycle: 80 MHz when the CPU runs
// from the PLL, else the CPU's own clock, TRM 6.2.3.
func (c *soc) apbTicks() uint64 {
	if c.system.fromPLL() {
		return 2
	}
	return c.system.cpuTicks()
}

func (c *soc) apbHz() uint32 { return uint32(160_000_000 / c.apbTicks()) }

// scale returns x*num/den, or the largest number on overflow.
func scale(x, num, den uint64) uint64 {
	hi, lo := bits.Mul64(x, num)
	if hi >= den {
		return ^uint64(0)
	}
	q, _ := bits.Div64(hi, lo, den)
	return q
}
