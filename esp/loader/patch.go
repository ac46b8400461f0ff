package loader

import (
	"bytes"
	"encoding/binary"
)

// patch makes ranges of flash out of what flash holds.
type patch struct {
	runs     []Range
	deflated []byte
	size     int // inflated
}

// Limits of one patch: what the patcher has RAM for. Ranges of a patch are made
// before the first of them is written, and later patches see what earlier ones
// have written.
const (
	patchSectors = 40
	largestPatch = patcherEnd - patcherTo
)

// patches makes a part's runs out of base, which flash holds from addr on, and
// reports false when that is not possible: a stretch does not deflate to what
// RAM can take.
func patches(addr uint32, want, base []byte, runs []Range) ([]patch, bool) {
	state := bytes.Clone(base) // of flash, as patches are applied
	var out []patch
	for _, batch := range batches(runs) {
		p := makePatch(addr, want, state, batch)
		if len(p.deflated) > mostPatch || p.size > largestPatch {
			return nil, false
		}
		out = append(out, p)
		for _, r := range batch {
			from := int(r.Offset - addr)
			if from < len(state) {
				copy(state[from:], want[from:from+int(r.Size)])
			}
		}
	}
	return out, true
}

// batches cuts runs into what one patch can write.
func batches(runs []Range) (out [][]Range) {
	var batch []Range
	left := uint32(patchSectors * sector)
	for _, r := range runs {
		for r.Size > 0 {
			n := min(r.Size, left)
			batch = append(batch, Range{r.Offset, n})
			r.Offset, r.Size, left = r.Offset+n, r.Size-n, left-n
			if left == 0 {
				out, batch, left = append(out, batch), nil, patchSectors*sector
			}
		}
	}
	if len(batch) > 0 {
		out = append(out, batch)
	}
	return out
}

// makePatch writes one patch in the patcher's format.
func makePatch(addr uint32, want, state []byte, runs []Range) patch {
	at := newMatcher(state)
	var steps []stretch
	var data []byte
	for _, r := range runs {
		from := int(r.Offset - addr)
		steps = at.align(steps, want[from:from+int(r.Size)], from)
	}
	n := 0
	for _, r := range runs {
		target := want[r.Offset-addr:][:r.Size]
		for len(target) > 0 {
			s := &steps[n]
			piece := target[:s.size]
			for i, b := range piece {
				if s.from >= 0 {
					b -= state[s.from+i]
				}
				data = append(data, b)
			}
			target = target[s.size:]
			n++
		}
	}
	head := words(uint32(4*(2+2*len(runs)+2*(len(steps)+1))), uint32(len(runs)))
	for _, r := range runs {
		head = append(head, words(r.Offset, r.Size)...)
	}
	for _, s := range steps {
		if s.from < 0 {
			head = append(head, words(uint32(s.size), 0xffffffff)...)
			continue
		}
		head = append(head, words(uint32(s.size), addr+uint32(s.from))...)
	}
	head = append(head, words(0, 0)...)
	all := append(head, data...)
	return patch{runs: runs, deflated: deflate(all), size: len(all)}
}

// stretch is a stretch of the target and where in flash its like is; from < 0 is
// nowhere.
type stretch struct{ size, from int }

// matcher finds stretches of base.
type matcher struct {
	base  []byte
	first []int32 // by hash, the last place + 1
	next  []int32 // by place, the place before it + 1
}

const (
	matchKey  = 8  // bytes that are looked up
	matchBits = 16 // of the hash
	matchMost = 32 // places that are tried
	matchGain = 12 // bytes that must be better to change the alignment
)

func newMatcher(base []byte) *matcher {
	m := &matcher{base: base, first: make([]int32, 1<<matchBits), next: make([]int32, len(base))}
	for i := 0; i+matchKey <= len(base); i++ {
		h := hash(base[i:])
		m.next[i], m.first[h] = m.first[h], int32(i+1)
	}
	return m
}

func hash(b []byte) uint64 {
	return binary.LittleEndian.Uint64(b) * 0x9e3779b97f4a7c15 >> (64 - matchBits)
}

// align describes target by stretches of base that are mostly alike. In
// compiled code that has moved most bytes are the same and operands differ, by
// the same amounts again and again: an alignment is kept while another one is
// not clearly better (as in C. Percival, "Naive differences of executable
// code", 2003). at is where target itself is in base.
func (m *matcher) align(steps []stretch, target []byte, at int) []stretch {
	begin, shift := 0, at // target[i] is like base[i+shift]
	for i := 0; i < len(target); i++ {
		if m.same(target, i, shift) {
			continue
		}
		to, length := m.longest(target, i)
		if length == 0 || to-i == shift {
			continue
		}
		gain := length
		for k := range length {
			if m.same(target, i+k, shift) {
				gain--
			}
		}
		if gain < matchGain {
			continue
		}
		// The new alignment may have been better for a while.
		cut, score, best := i, 0, 0
		for k := i - 1; k >= begin; k-- {
			if m.same(target, k, to-i) {
				score++
			}
			if m.same(target, k, shift) {
				score--
			}
			if score > best {
				cut, best = k, score
			}
			if score < -8 {
				break
			}
		}
		steps = m.step(steps, begin, cut, shift)
		begin, shift = cut, to-i
		i += length - 1
	}
	return m.step(steps, begin, len(target), shift)
}

func (m *matcher) same(target []byte, i, shift int) bool {
	at := i + shift
	return at >= 0 && at < len(m.base) && m.base[at] == target[i]
}

// longest finds the longest stretch of base that begins as target does at i.
func (m *matcher) longest(target []byte, i int) (at, length int) {
	if i+matchKey > len(target) {
		return 0, 0
	}
	tries := 0
	for p := m.first[hash(target[i:])]; p > 0 && tries < matchMost; p = m.next[p-1] {
		tries++
		from := int(p - 1)
		n := 0
		for i+n < len(target) && from+n < len(m.base) && target[i+n] == m.base[from+n] {
			n++
		}
		if n >= matchKey && n > length {
			at, length = from, n
		}
	}
	return at, length
}

// step appends target[from:to] with its alignment, cut where base ends.
func (m *matcher) step(steps []stretch, from, to, shift int) []stretch {
	add := func(size, at int) {
		if size > 0 {
			steps = append(steps, stretch{size, at})
		}
	}
	before := min(max(0, -(from+shift)), to-from)
	add(before, -1)
	from += before
	inside := min(max(0, len(m.base)-(from+shift)), to-from)
	add(inside, from+shift)
	add(to-from-inside, -1)
	return steps
}
