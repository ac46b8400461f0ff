package c3

import (
	"fmt"
	"slices"
	"strings"

	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// inert is plain storage in the place of a block. It starts with the values
// that the block's registers have.
type inert struct{ st *block }

func newInert(d device) inert {
	st := *d.store()
	for i := range st.words {
		if st.kinds[i]&varies == 0 {
			st.words[i] = d.read(uint32(i) * 4)
		}
		st.kinds[i] = st.kinds[i]&known | polled
	}
	return inert{&st}
}

func (d inert) read(off uint32) uint32 { return d.st.words[off>>2] }
func (d inert) write(off, v uint32)    { d.st.words[off>>2] = v }
func (d inert) reset()                 {}
func (d inert) store() *block          { return d.st }

// deaf is a block one of whose registers ignores writes.
type deaf struct {
	device
	off uint32
}

func (d deaf) write(off, v uint32) {
	if off != d.off {
		d.device.write(off, v)
	}
}

func (d deaf) spinLoad(off uint32, to chip.Time) rv32.SpinValue {
	if c, ok := d.device.(counter); ok {
		return c.spinLoad(off, to)
	}
	return rv32.SpinValue{}
}

// Inert implements the optional interface of emu.Board.Inert.
func (c *soc) Inert(blocks []string) error {
	for _, name := range blocks {
		if !c.makeInert(name) {
			return fmt.Errorf("making blocks inert: this chip has no block or register %q", name)
		}
	}
	return nil
}

func (c *soc) makeInert(name string) (found bool) {
	block, register, one := strings.Cut(name, ".")
	for _, d := range c.devices {
		st := d.store()
		switch {
		case st.name == "" || st.name != block && name != "all":
		case one:
			for _, r := range st.table {
				if r.name == register {
					c.attachInstead(st.name, deaf{d, r.off})
					found = true
				}
			}
		default:
			c.attachInstead(st.name, newInert(d))
			switch d {
			case c.system, c.extmem, &c.extmem.mmu: // the clock and the code go on
			default:
				d.reset() // ends what the block is doing, and its interrupts
			}
			switch d := d.(type) { // a reset starts the watchdogs
			case *timg:
				d.wdt.timer.Stop()
			case *rtc:
				d.wdt.timer.Stop()
				d.swd.Stop()
			}
			found = true
		}
	}
	return found
}

func (c *soc) attachInstead(block string, d device) {
	if c.instead == nil {
		c.instead = map[string]device{}
	}
	c.instead[block] = d
	c.bus.attach(d)
}

// tracked notes that a block is used.
type tracked struct {
	deaf
	used map[string]bool
}

func (d tracked) read(off uint32) uint32 {
	d.used[d.store().name] = true
	return d.device.read(off)
}

func (d tracked) write(off, v uint32) {
	d.used[d.store().name] = true
	d.device.write(off, v)
}

// Track implements the optional interface of emu.Board.Track.
func (c *soc) Track() func() []string {
	used := map[string]bool{}
	for _, d := range c.devices {
		if d.store().name != "" {
			c.attachInstead(d.store().name, tracked{deaf{device: d}, used})
		}
	}
	return func() []string {
		var names []string
		for name := range used {
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
}
