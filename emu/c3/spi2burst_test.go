package c3

import (
	"math/rand/v2"
	"slices"
	"testing"

	"espalier.dev/espalier/emu"
)

// receiver is a part that takes a bit when the clock rises.
type receiver struct {
	clock, data *emu.Terminal
	bits        []byte
	bursts      int
}

func (r *receiver) attach(b *emu.Board, alone bool) {
	r.clock = b.NewTerminal(func(high bool) {
		if high {
			r.bits = append(r.bits, byte(b2n(r.data.High())))
		}
	})
	r.data = b.NewTerminal(nil)
	b.Clocked(r.clock, r.data, func(data []byte, n int) {
		r.bursts++
		for i := range n {
			r.bits = append(r.bits, data[i/8]>>(7-i%8)&1)
		}
	})
	b.Join(r.clock.Pin(), 6)
	b.Join(r.data.Pin(), 7)
	if !alone {
		b.Join(b.NewTerminal(nil).Pin(), 6)
	}
}

// A part that is alone on clock and data gets the bits that it would have seen, in
// modes 0 and 3 without edges; with another part on a line, in the other modes and
// from pins that software moves, it sees the edges.
func TestSPI2Bursts(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 1))
	for _, k := range []struct {
		name             string
		misc, user, ctrl uint32
		wantBursts       bool
	}{
		{"mode 0", 0, 0, 0, true},
		{"mode 3", sp2MiscIdleHigh, 0, 0, true},
		{"lower bit first", 0, 0, sp2CtrlWrLSB, true},
		{"two lines", 0, 1 << 12, 0, true},
		{"mode 1", 0, sp2UserOutEdge, 0, false},
	} {
		t.Run(k.name, func(t *testing.T) {
			var seen [2][]byte
			sizes := []uint32{8, 13, 512, 500, 1, 64, 24}
			var words []uint32
			for range sp2Words {
				words = append(words, random.Uint32())
			}
			for i, alone := range []bool{true, false} {
				c := newUnwatchedChip(t)
				r := &receiver{}
				r.attach(c.board, alone)
				c.run(emu.Microsecond)
				c.spiMaster(4)
				c.w(spi2Base+sp2Misc, 0x3e|k.misc)
				c.w(spi2Base+sp2Ctrl, k.ctrl)
				c.w(spi2Base+sp2User, sp2UserMosi|k.user)
				c.spiPins(7)
				r.bits = nil
				for n, w := range words {
					c.w(spi2Base+sp2W0+4*uint32(n), w)
				}
				for _, size := range sizes {
					c.spiTransfer(size)
				}
				if got := r.bursts > 0; got != (alone && k.wantBursts) {
					t.Errorf("alone %v: %d bursts", alone, r.bursts)
				}
				seen[i] = r.bits
				if alone { // software moves the pins
					r.bits = nil
					for _, pin := range []uint32{6, 7} {
						c.w(gpioBase+gpFuncOutSel0+4*pin, gpOutSelGPIO)
					}
					c.w(gpioBase+gpOut, 1<<7)
					c.w(gpioBase+gpOut, 1<<6|1<<7)
					c.w(gpioBase+gpOut, 0)
					c.w(gpioBase+gpOut, 1<<6)
					if got := r.bits[max(0, len(r.bits)-2):]; !slices.Equal(got, []byte{1, 0}) {
						t.Errorf("bits from software: %v", r.bits)
					}
				}
			}
			var want int
			for _, size := range sizes {
				if k.user == 1<<12 {
					size = (size + 1) / 2
				}
				want += int(size)
			}
			if len(seen[0]) != want || !slices.Equal(seen[0], seen[1]) {
				t.Errorf("%d bits alone, %d with another part, want %d; equal: %v", len(seen[0]), len(seen[1]), want, slices.Equal(seen[0], seen[1]))
			}
		})
	}
}
