package c3

import "espalier.dev/espalier/emu/chip"

// storage is a block whose registers only store written values. For those in
// its table this is sufficient on this board; accesses to any other are counted
// as unmodelled.
type storage struct{ block }

func (d *storage) state(s *chip.State) { s.Fixed(&d.words) }

// unmodelled returns the blocks of the chip that are not modelled. Registers
// that a driver polls have the value that ends its loop; accesses to them are
// recorded like all others.
func unmodelled() []*storage {
	list := []struct {
		name string
		base uint32
		regs []reg
	}{
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
