package loader

import (
	"bytes"
	"context"
	"crypto/md5"
	"math/rand/v2"
	"testing"

	"espalier.dev/espalier/internal/elftest"
)

func TestDelta(t *testing.T) {
	content := elftest.Fill(64*sector, 1)
	change := func(sectors ...int) []byte {
		b := bytes.Clone(content)
		for _, s := range sectors {
			b[s*sector+17] ^= 1
		}
		return b
	}
	for _, tc := range []struct {
		name string
		have []byte
		most int // digests
		runs []Range
	}{
		{"equal", content, 2, nil},
		{"one sector", change(9), 15, []Range{{0x10000 + 9*sector, sector}}},
		{"first and last", change(0, 63), 20, []Range{{0x10000, sector}, {0x10000 + 63*sector, sector}}},
		{"neighbours", change(20, 21), 18, []Range{{0x10000 + 20*sector, 2 * sector}}},
		{"blank", bytes.Repeat([]byte{0xff}, len(content)), 6, []Range{{0x10000, uint32(len(content))}}},
		{"something else", elftest.Fill(len(content), 2), 6, []Range{{0x10000, uint32(len(content))}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			asked := 0
			d := &delta{addr: 0x10000, want: content, ask: func(_ context.Context, addr, size uint32) ([16]byte, error) {
				asked++
				return md5.Sum(tc.have[addr-0x10000:][:size]), nil
			}}
			if err := d.find(t.Context()); err != nil {
				t.Fatal(err)
			}
			if asked > tc.most {
				t.Errorf("%d digests, at most %d", asked, tc.most)
			}
			if len(d.runs) != len(tc.runs) {
				t.Fatalf("%v, want %v", d.runs, tc.runs)
			}
			for i := range d.runs {
				if d.runs[i] != tc.runs[i] {
					t.Errorf("%v, want %v", d.runs, tc.runs)
				}
			}
		})
	}
}

// Writing the runs always makes the flash right.
func TestDeltaIsEnough(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		want := elftest.Fill((1+rnd.IntN(40))*sector, 3)
		have := bytes.Clone(want)
		for range rnd.IntN(6) {
			at := rnd.IntN(len(have))
			n := min(len(have)-at, rnd.IntN(9*sector))
			copy(have[at:at+n], elftest.Fill(n, rnd.Uint32()|1))
		}
		d := &delta{want: want, ask: func(_ context.Context, addr, size uint32) ([16]byte, error) {
			return md5.Sum(have[addr:][:size]), nil
		}}
		if err := d.find(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, r := range d.runs {
			copy(have[r.Offset:], want[r.Offset:][:r.Size])
		}
		if !bytes.Equal(have, want) {
			t.Fatal("a sector is missing")
		}
	}
}
