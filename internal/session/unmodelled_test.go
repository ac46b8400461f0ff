package session

import (
	"slices"
	"testing"

	"espalier.dev/espalier/emu"
)

func TestUnmodelledBlocks(t *testing.T) {
	got := unmodelledBlocks([]emu.Access{
		{Addr: 0x60050000, PC: 0x42000010, At: 160_000_000, Reads: 5},
		{Addr: 0x60051004, PC: 0x42000020, At: 320_000_000, Reads: 1},
		{Addr: 0x600cf000, Block: "DEDIC_GPIO", PC: 0x42000030, At: 900, Writes: 1},
		{Addr: 0x600cf004, Block: "DEDIC_GPIO", PC: 0x4200002c, At: 800, Writes: 1},
	})
	want := []string{
		"not modelled: DEDIC_GPIO (2 registers, first 0x600cf004 at pc 0x4200002c, 0.000005s)",
		"not modelled: 0x60050000 (1 register, first 0x60050000 at pc 0x42000010, 1.000000s)",
		"not modelled: 0x60051000 (1 register, first 0x60051004 at pc 0x42000020, 2.000000s)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if unmodelledBlocks(nil) != nil {
		t.Error("a line for nothing")
	}
}
