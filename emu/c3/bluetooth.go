package c3

import "espalier.dev/espalier/emu/chip"

// bluetooth is the link controller of Bluetooth LE, which this board does not
// have. The manual does not describe it. Its registers are memory, as those of
// everything that is not modelled; but a driver that has begun to set them up
// goes on to wait for the controller's clock without a time limit, so its first
// write ends the run.
//
// Wi-Fi does not come here: what the PHY's calibration sets up for both radios
// is in the blocks of newPHY.
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
