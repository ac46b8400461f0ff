package session

import (
	"cmp"
	"fmt"
	"slices"

	"espalier.dev/espalier/emu"
)

// unmodelledBlocks is a line for each block of which the guest has used registers
// that are not modelled, in the order of first use.
func unmodelledBlocks(list []emu.Access) (lines []string) {
	type use struct {
		first     emu.Access
		registers int
	}
	var blocks []*use
	for _, a := range list {
		i := slices.IndexFunc(blocks, func(u *use) bool {
			return u.first.Block == a.Block && (a.Block != "" || u.first.Addr>>12 == a.Addr>>12)
		})
		if i < 0 {
			blocks = append(blocks, &use{a, 1})
			continue
		}
		if u := blocks[i]; a.At < u.first.At {
			u.first = a
		}
		blocks[i].registers++
	}
	slices.SortFunc(blocks, func(a, b *use) int {
		return cmp.Or(cmp.Compare(a.first.At, b.first.At), cmp.Compare(a.first.Addr, b.first.Addr))
	})
	for _, u := range blocks {
		name := u.first.Block
		if name == "" {
			name = fmt.Sprintf("0x%08x", u.first.Addr&^0xfff)
		}
		registers := "1 register"
		if u.registers > 1 {
			registers = fmt.Sprintf("%d registers", u.registers)
		}
		lines = append(lines, fmt.Sprintf("not modelled: %s (%s, first 0x%08x at pc 0x%08x, %ss)", name, registers, u.first.Addr, u.first.PC, u.first.At))
	}
	return lines
}
