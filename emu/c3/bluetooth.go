package c3

import "espalier.dev/espalier/emu/chip"

// bluetooth is the link controller of Bluetooth LE, which is not modelled and
// not described in the manual. Its registers are storage, like all others that
// are not modelled. But a driver that initialises it then waits for the
// controller's clock without a timeout, so its first write ends the run.
//
// Wi-Fi does not use the controller: the registers that the PHY calibration
// sets for both radios are in the blocks of newPHY.
type bluetooth struct {
	block
	soc *soc
}

func newBluetooth(c *soc) *bluetooth {
	return &bluetooth{newBlock("BT", 0x60031000, nil), c}
}

func (b *bluetooth) write(off, v uint32) {
	b.block.write(off, v)
	b.soc.m.Absent("Bluetooth LE controller", b.name, b.base+off, v)
}

func (b *bluetooth) state(s *chip.State) { s.Fixed(&b.words) }
