package c3

import "espalier.dev/espalier/emu/chip"

// Registers of the radio's front end that calibration waits for. They are not
// documented; their meaning is only known as far as software depends on it.
const (
	feStart      = 0x144 // FE: bits 1:0 start a measurement
	feDone       = 0x174 // FE: bit 16, the measurement is complete
	anaTransfer0 = 0x4c  // ANA: bits 26:24, transfers to the analog blocks are complete
	anaTransfer1 = 0x50
	anaChannel   = 0x150 // ANA: bits 27:20, centre frequency - 2400 MHz
	anaDone      = 7 << 24
)

// frontEnd is FE, the radio's front end. Every measurement completes at once;
// calibration converges to arbitrary values.
type frontEnd struct{ block }

func newFrontEnd() *frontEnd {
	f := &frontEnd{newBlock("FE", 0x60006000, nil)}
	f.know(0x000, 0x1e4)
	return f
}

func (f *frontEnd) read(off uint32) uint32 {
	v := f.get(off)
	if off == feDone && f.get(feStart)&3 == 3 {
		v |= 1 << 16
	}
	return v
}

func (f *frontEnd) state(s *chip.State) { s.Fixed(&f.words) }

// newPHY returns the blocks of the radio that are storage.
func newPHY() []*storage {
	list := []struct {
		name string
		base uint32
		last uint32
	}{
		{"FE2", 0x60005000, 0x0f0},
		{"UNDOCUMENTED_60011000", 0x60011000, 0x848}, // the filter of the BT receiver, which PHY calibration sets up too
		{"NRX", 0x6001c000, 0xd0c},
		{"BB", 0x6001d000, 0x06c},
	}
	var out []*storage
	for _, b := range list {
		d := &storage{newBlock(b.name, b.base, nil)}
		d.know(0, b.last)
		out = append(out, d)
	}
	return out
}

// channel returns the number of the channel at a centre frequency, given as
// its distance from 2400 MHz; 0 for a frequency between channels.
func channel(distance uint32) uint8 {
	switch {
	case distance == 84:
		return 14
	case distance < 12 || distance > 72 || (distance-7)%5 != 0:
		return 0
	}
	return uint8((distance - 7) / 5)
}
