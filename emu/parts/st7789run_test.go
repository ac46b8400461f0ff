package parts

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Pixels that arrive in runs are stored where they are one by one, in every
// orientation and window, also in windows that are outside of the memory.
func TestST7789Runs(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var ends [2]*ST7789
		state := st7789State{
			On: true, COLMOD: 5, Command: stRAMWR, MADCTL: byte(rng.Uint32()) & (stMX | stMY | stMV),
			XFrom: uint16(rng.IntN(330)), YFrom: uint16(rng.IntN(330)),
		}
		state.XTo, state.YTo = uint16(rng.IntN(330)), state.YFrom+uint16(rng.IntN(20))
		state.X, state.Y = state.XFrom, state.YFrom
		data := make([]byte, 20000)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		for i := range ends {
			d := &ST7789{ram: make([]byte, 3*stCols*stRows), s: state}
			cut := rand.New(rand.NewPCG(seed, 2))
			for rest := data; len(rest) > 0; {
				n := 1 // no run has one byte
				if i == 1 {
					n = min(len(rest), 1+cut.IntN(1500))
				}
				d.pixels(rest[:n])
				rest = rest[n:]
			}
			ends[i] = d
		}
		ends[0].s.Pixel, ends[1].s.Pixel = [3]byte{}, [3]byte{} // of no meaning between pixels
		if !bytes.Equal(ends[0].ram, ends[1].ram) || ends[0].s != ends[1].s {
			t.Fatalf("seed %d: %+v\n%+v", seed, ends[0].s, ends[1].s)
		}
	}
}
