package lan

import "slices"

// reassembly is the receiving half of a TCP connection: RCV.NXT and the queue
// of segments that arrived before those in front of them.
type reassembly struct {
	nxt   uint32 // RCV.NXT
	queue []fragment
	ended bool // the FIN was taken
}

// fragment is the payload of a segment.
type fragment struct {
	seq  uint32
	data []byte
	fin  bool
}

// maxFragments bounds the reassembly queue; the peer sends again what is
// dropped.
const maxFragments = 64

// insert keeps a fragment that starts after RCV.NXT, as a copy.
func (r *reassembly) insert(f fragment) {
	if len(r.queue) == maxFragments {
		return
	}
	f.data = slices.Clone(f.data)
	i, _ := slices.BinarySearchFunc(r.queue, f.seq, func(e fragment, seq uint32) int { return int(int32(e.seq - seq)) })
	r.queue = slices.Insert(r.queue, i, f)
}

// pop removes and returns the first fragment of the queue if it starts at or
// before RCV.NXT.
func (r *reassembly) pop() (fragment, bool) {
	if len(r.queue) == 0 || r.ended || !seqLessEq(r.queue[0].seq, r.nxt) {
		return fragment{}, false
	}
	f := r.queue[0]
	r.queue = r.queue[1:]
	return f, true
}

// take advances RCV.NXT over the data of a fragment that starts at or before it
// and returns the data that is new, at most window bytes: what exceeds the
// window was not offered and is sent again by the peer. fin reports that the
// FIN of the fragment follows that data; finish takes it.
func (r *reassembly) take(f fragment, window int) (data []byte, fin bool) {
	old := r.nxt - f.seq
	if old > uint32(len(f.data)) {
		return nil, false
	}
	data, fin = f.data[old:], f.fin
	if window = max(window, 0); len(data) > window {
		data, fin = data[:window], false
	}
	r.nxt += uint32(len(data))
	return data, fin
}

// finish advances RCV.NXT over the FIN.
func (r *reassembly) finish() {
	r.nxt++
	r.ended = true
}
