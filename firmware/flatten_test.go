package firmware

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// flatten must agree with asking every layer about every address.
func TestFlattenAgainstPainting(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		var layers []layer
		for i := range 1 + r.IntN(12) {
			start := r.Uint32N(60)
			layers = append(layers, layer{start: start, end: uint64(start + r.Uint32N(20)), depth: int32(r.IntN(4)), item: int32(i)})
		}
		want := make([]int32, 100)
		for a := range want {
			want[a] = -1
			var best *layer
			for i := range layers {
				l := &layers[i]
				if uint32(a) >= l.start && uint64(a) < l.end && (best == nil || l.over(best)) {
					best, want[a] = l, l.item
				}
			}
		}
		text := fmt.Sprint(layers)
		spans := flatten(layers)
		for i := 1; i < len(spans); i++ {
			if uint64(spans[i].start) < spans[i-1].end || uint64(spans[i].start) >= spans[i].end {
				t.Fatalf("seed %d: spans out of order: %v from %s", seed, spans, text)
			}
		}
		for a, w := range want {
			got := int32(-1)
			if i := findSpan(spans, uint32(a)); i >= 0 {
				got = spans[i].item
			}
			if got != w {
				t.Fatalf("seed %d: address %d belongs to %d, want %d; %v from %s", seed, a, got, w, spans, text)
			}
		}
	}
}

func TestFlattenTopOfAddressSpace(t *testing.T) {
	spans := flatten([]layer{{start: 0xfffffff0, end: 1 << 32, item: 7}})
	if i := findSpan(spans, 0xffffffff); i != 0 || spans[0].item != 7 {
		t.Errorf("%v", spans)
	}
}

// merge and joinSequences must agree with asking the tables themselves.
func TestMergeAgainstLookup(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		var layers []layer
		for i := range r.IntN(6) {
			start := r.Uint32N(60)
			layers = append(layers, layer{start: start, end: uint64(start + 1 + r.Uint32N(20)), depth: int32(r.IntN(3)), item: int32(i)})
		}
		spans := flatten(layers)
		var seqs [][]lineRow
		at := uint32(0)
		for range r.IntN(4) { // side by side, with and without gaps
			at += r.Uint32N(10)
			var s []lineRow
			for range 1 + r.IntN(5) {
				s = append(s, lineRow{addr: at, file: int32(r.IntN(3)), line: r.Uint32N(50)})
				at += 1 + r.Uint32N(5)
			}
			seqs = append(seqs, append(s, lineRow{addr: at, end: true}))
		}
		r.Shuffle(len(seqs), func(i, j int) { seqs[i], seqs[j] = seqs[j], seqs[i] })
		x := &addressIndex{places: merge(spans, joinSequences(seqs))}
		for a := range uint32(120) {
			want := place{node: -1, file: -1}
			if i := findSpan(spans, a); i >= 0 {
				want.node = spans[i].item
			}
			for _, s := range seqs {
				for i := range len(s) - 1 {
					if a >= s[i].addr && a < s[i+1].addr {
						want.file, want.line = s[i].file, s[i].line
					}
				}
			}
			got, ok := x.find(a)
			if !ok {
				got = place{node: -1, file: -1}
			}
			got.addr = 0
			if got != want {
				t.Fatalf("seed %d: address %d is %+v, want %+v\nspans %v\nsequences %v", seed, a, got, want, spans, seqs)
			}
		}
	}
}

// Two functions that the linker folded into one have two sequences for the
// same code.
func TestJoinOverlappingSequences(t *testing.T) {
	rows := joinSequences([][]lineRow{
		{{addr: 0, line: 1}, {addr: 10, line: 2}, {addr: 20, end: true}},
		{{addr: 0, line: 101}, {addr: 10, line: 102}, {addr: 20, end: true}},
		{{addr: 15, line: 201}, {addr: 25, line: 202}, {addr: 30, end: true}},
	})
	x := &addressIndex{places: merge(nil, rows)}
	for addr, want := range map[uint32]uint32{0: 1, 9: 1, 10: 2, 19: 2, 20: 201, 24: 201, 25: 202, 29: 202, 30: 0} {
		if p, _ := x.find(addr); p.line != want {
			t.Errorf("line of %d is %d, want %d", addr, p.line, want)
		}
	}
}
