package c3

import (
	"fmt"

	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// inert is a block that has been replaced by plain storage.
type inert struct{ st *block }

func (d inert) read(off uint32) uint32 { return d.st.words[off>>2] }
func (d inert) write(off, v uint32)    { d.st.words[off>>2] = v }
func (d inert) reset()                 {}
func (d inert) store() *block          { return d.st }

// spinLoad implements counter: registers that a block would count with keep
// their values.
func (d inert) spinLoad(off uint32, _ chip.Time) rv32.SpinValue { return spinConstant(d.read(off)) }

var _ counter = inert{}

// Inert implements the optional interface of emu.Board.Inert.
func (c *soc) Inert(blocks []string) error {
	for _, name := range blocks {
		found := false
		for _, d := range c.devices {
			if st := d.store(); st.name == name {
				c.bus.attach(inert{st})
				if c.inert == nil {
					c.inert = map[string]bool{}
				}
				c.inert[name] = true
				found = true
			}
		}
		if !found {
			return fmt.Errorf("making blocks inert: this chip has no block %q", name)
		}
	}
	return nil
}
