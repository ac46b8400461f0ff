package c3

import "espalier.dev/espalier/emu/chip"

// storage is a block whose registers only keep what is written. Those in its
// table are known to need no more on this board; any other counts as
// unmodelled when it is used.
type storage struct{ block }

func (d *storage) state(s *chip.State) { s.Fixed(&d.words) }

// unmodelled are the blocks that exist on the chip and not on this board.
// Registers that a driver waits for have the value that lets it go on; their
// use is recorded like that of all others.
func unmodelled() []*storage {
	list := []struct {
		name string
		base uint32
		regs []reg
	}{
		{"UHCI0", 0x60014000, nil},
		{"TWAI", 0x6002b000, nil},
		{"I2S0", 0x6002d000, nil},
		{"DEDIC_GPIO", 0x600cf000, nil},
		{"WORLD", 0x600d0000, nil},
	}
	var out []*storage
	for _, b := range list {
		d := &storage{newBlock(b.name, b.base, b.regs)}
		d.kinds = [1024]kind{}
		out = append(out, d)
	}
	return out
}
